//! Every refusal that a request can meet before its body is read, byte for byte.

use serde_json::json;

use super::{bad_request, check_refusals, problem, with_614};
use crate::access::test_support::NOW_SECONDS;
use crate::test_support::Request;

const INVALID: &str = r#"{"fault":{"faultstring":"Invalid access token","detail":{"errorcode":"oauth.v2.InvalidAccessToken"}}}"#;
const EXPIRED: &str = r#"{"fault":{"faultstring":"Access Token expired","detail":{"errorcode":"keymanagement.service.access_token_expired"}}}"#;
const VIEWS: &str = "rewardspoints.rewardpoints_view, saasag.rewardpoints_view";
const MANAGES: &str = "rewardspoints.rewardpoints_manage, saasag.rewardpoints_manage";

fn unauthorized(body: &str, token_sent: bool) -> String {
    let error = if token_sent {
        ", error=\"invalid_token\""
    } else {
        ""
    };
    format!(
        "401\ncontent-type: application/json\nwww-authenticate: Bearer realm=\"reward-points\"{error}\n\n{body}"
    )
}

fn forbidden(scopes: &str, message: &str, detail: &str) -> String {
    let acceptable = scopes.replace(", ", " ");
    format!(
        "403\ncontent-type: application/json\n\
         www-authenticate: Bearer realm=\"reward-points\", error=\"insufficient_scope\", scope=\"{acceptable}\"\n\n\
         {{\"code\":403,\"status\":\"Forbidden\",\"message\":\"{message}\",\"details\":[\"{detail}\"]}}"
    )
}

fn missing(scopes: &str) -> String {
    let detail = format!("Missing required scopes '[{scopes}]'");
    forbidden(scopes, "Scope validation failed", &detail)
}

#[test]
fn tokens() {
    let balance = || Request::get("/customer/614");
    let bare = || balance().without("authorization");
    let expired = json!({"exp": NOW_SECONDS - 31});
    check_refusals(
        with_614,
        vec![
            ("no token", bare(), unauthorized(INVALID, false)),
            ("basic", bare().header("authorization", "Basic eDp5"), unauthorized(INVALID, false)),
            ("bearer and nothing", bare().header("authorization", "Bearer "), unauthorized(INVALID, false)),
            ("not a token", balance().bearer("x.y.z"), unauthorized(INVALID, true)),
            ("byte 0xff", bare().header("authorization", b"Bearer \xff"), unauthorized(INVALID, true)),
            ("expired", balance().claims(&expired), unauthorized(EXPIRED, true)),
            ("no tenant", balance().claims(&json!({"tenant": null})), unauthorized(INVALID, true)),
            ("not yet valid", balance().claims(&json!({"nbf": NOW_SECONDS + 31})), unauthorized(INVALID, true)),
            ("oversized", balance().bearer(&"x".repeat(8193)), unauthorized(INVALID, true)),
            (
                "expired, as problem details",
                balance().claims(&expired).header("accept", "application/problem+json"),
                "401\ncontent-type: application/problem+json\nwww-authenticate: Bearer realm=\"reward-points\", error=\"invalid_token\"\n\n\
                 {\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"Access Token expired\",\"instance\":\"/customer/614\"}".to_owned(),
            ),
        ],
    );
}

#[test]
fn scopes_and_tenants() {
    let view = json!({"scope": "rewardspoints.rewardpoints_view"});
    let manage = json!({"scope": "saasag.rewardpoints_manage"});
    let neither = json!({"scope": "rewardspoints.rewardpoints_views rewardspoints.rewardpoints"});
    let add = || Request::add("614", &json!({"points": 1}));
    let detail = "Header 'Emporix-Tenant' is not the tenant of the token";
    check_refusals(
        with_614,
        vec![
            (
                "manage is not view: balance",
                Request::get("/customer/614").claims(&manage),
                missing(VIEWS),
            ),
            (
                "manage is not view: summary",
                Request::get("/customer/614/summary").claims(&manage),
                missing(VIEWS),
            ),
            (
                "manage is not view: list",
                Request::get("/summaryBatch").claims(&manage),
                missing(VIEWS),
            ),
            (
                "view is not manage: add",
                add().claims(&view),
                missing(MANAGES),
            ),
            (
                "view is not manage: redeem",
                Request::redeem("614", &json!({"points": 1})).claims(&view),
                missing(MANAGES),
            ),
            (
                "view is not manage: create",
                Request::new("POST", "/customer/1").claims(&view),
                missing(MANAGES),
            ),
            (
                "view is not manage: delete",
                Request::delete("614").claims(&view),
                missing(MANAGES),
            ),
            (
                "half a word",
                Request::get("/customer/614").claims(&neither),
                missing(VIEWS),
            ),
            (
                "no scopes",
                Request::get("/customer/614").claims(&json!({"scope": null})),
                missing(VIEWS),
            ),
            (
                "another tenant in the header",
                Request::get("/customer/614").header("emporix-tenant", "other"),
                forbidden(VIEWS, "Tenant validation failed", detail),
            ),
            (
                "the tenant in other letters",
                Request::get("/customer/614").header("emporix-tenant", "Acme"),
                forbidden(VIEWS, "Tenant validation failed", detail),
            ),
            (
                "byte 0xff in the tenant header",
                Request::get("/customer/614").header("emporix-tenant", b"\xff"),
                forbidden(VIEWS, "Tenant validation failed", detail),
            ),
            (
                "no scope, as problem details",
                add()
                    .claims(&view)
                    .header("accept", "application/problem+json"),
                format!(
                    "403\ncontent-type: application/problem+json\n\
                 www-authenticate: Bearer realm=\"reward-points\", error=\"insufficient_scope\", scope=\"{}\"\n\n\
                 {{\"type\":\"about:blank\",\"title\":\"Forbidden\",\"status\":403,\"detail\":\"Missing required scopes '[{MANAGES}]'\",\"instance\":\"/customer/614/addPoints\"}}",
                    MANAGES.replace(", ", " ")
                ),
            ),
        ],
    );
    // Each of the four words is enough for its half, and the right tenant may be named.
    let mut world = with_614();
    for scope in [
        "rewardspoints.rewardpoints_view",
        "saasag.rewardpoints_view",
    ] {
        let request = Request::get("/customer/614").claims(&json!({"scope": scope}));
        world.expect(200, &request.header("emporix-tenant", "acme"));
    }
    for scope in [
        "rewardspoints.rewardpoints_manage",
        "saasag.rewardpoints_manage",
    ] {
        world.expect(201, &add().claims(&json!({"scope": scope})));
    }
}

#[test]
fn paths_and_methods() {
    let not_found =
        |instance: &str| problem(404, "Not Found", instance, "There is nothing at this path");
    let not_allowed = |instance: &str, allow: &str| {
        format!(
            "405\ncontent-type: application/json\nallow: {allow}\n\n\
             {{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\",\"status\":405,\"detail\":\"This path is served with {allow}\",\"instance\":\"{instance}\"}}"
        )
    };
    let long = format!("/{}", "x".repeat(2000));
    check_refusals(
        with_614,
        vec![
            ("nothing behind the prefix", Request::get(""), not_found("")),
            ("a slash", Request::get("/"), not_found("/")),
            (
                "unknown",
                Request::get("/nothing/here?x=1"),
                not_found("/nothing/here"),
            ),
            (
                "reserved for later",
                Request::get("/public/customer"),
                not_found("/public/customer"),
            ),
            (
                "one segment more",
                Request::get("/customer/614/summary/x"),
                not_found("/customer/614/summary/x"),
            ),
            (
                "a final slash",
                Request::get("/customer/614/"),
                not_found("/customer/614/"),
            ),
            (
                "a long path is cut",
                Request::get(&long),
                not_found(&long[..1024]),
            ),
            (
                "put",
                Request::new("PUT", "/customer/614"),
                not_allowed("/customer/614", "GET, POST, DELETE"),
            ),
            (
                "head",
                Request::new("HEAD", "/customer/614"),
                not_allowed("/customer/614", "GET, POST, DELETE"),
            ),
            (
                "post a list",
                Request::post("/summaryBatch", "{}"),
                not_allowed("/summaryBatch", "GET"),
            ),
            (
                "delete a summary",
                Request::new("DELETE", "/customer/614/summary"),
                not_allowed("/customer/614/summary", "GET"),
            ),
            (
                "get addPoints",
                Request::get("/customer/614/addPoints?x"),
                not_allowed("/customer/614/addPoints", "POST"),
            ),
            (
                "get redeemPoints",
                Request::get("/customer/614/redeemPoints"),
                not_allowed("/customer/614/redeemPoints", "POST"),
            ),
        ],
    );
}

#[test]
fn headers_that_came_twice() {
    let detail = |name: &str| format!("Header '{name}' was sent more than once");
    let twice = |request: Request| {
        let (name, value) = request.headers[2].clone();
        let mut request = request;
        request.headers.push((name, value));
        request
    };
    let again = |name: &str, request: Request| request.header(name, "a").header(name, "a");
    let balance = || Request::get("/customer/614");
    let add = || Request::add("614", &json!({"points": 1}));
    check_refusals(
        with_614,
        vec![
            (
                "authorization",
                twice(balance()),
                bad_request("/customer/614", &detail("Authorization")),
            ),
            (
                "tenant",
                again("emporix-tenant", balance()),
                bad_request("/customer/614", &detail("Emporix-Tenant")),
            ),
            (
                "key",
                again("idempotency-key", add()),
                bad_request("/customer/614/addPoints", &detail("Idempotency-Key")),
            ),
            (
                "content type",
                add().header("content-type", "application/json"),
                problem(
                    415,
                    "Unsupported Media Type",
                    "/customer/614/addPoints",
                    "The body must be application/json in UTF-8",
                ),
            ),
        ],
    );
}
