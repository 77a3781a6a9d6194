//! Routes that the gateway guards and does not serve: who is let through, and how the request looks then.

use serde_json::{Value, json};

use super::bad_request;
use crate::exchange::Onward;
use crate::host::Counter;
use crate::test_support::request::{show, signed};
use crate::test_support::{Request, World, config_with};

fn guarded() -> World {
    World::single(config_with(&json!({
        "guarded_prefixes": ["/shop"],
        "rules": [
            {"name": "health", "path": "/shop/health", "allow": "anonymous"},
            {"name": "closed", "path": "/shop/closed/**", "allow": "denied"},
            {"name": "read", "methods": ["GET"], "path": "/shop/orders/{id}", "allow": "scopes", "any_of": ["orders.view", "orders.all"]},
            {"name": "write", "path": "/shop/orders/**", "allow": "scopes", "any_of": ["orders.all"], "all_of": ["audited"]},
            {"name": "staff", "path": "/shop/staff", "allow": "authenticated", "claims": [{"claim": "user_type", "any_of": ["EMPLOYEE"]}]},
            {"name": "trial", "path": "/shop/trial", "allow": "scopes", "any_of": ["trial"], "mode": "report"},
            {"name": "closing", "path": "/shop/closing", "allow": "denied", "mode": "report"},
        ],
    })))
}

fn with_token(method: &str, path: &str, claims: &Value) -> Request {
    Request::bare(method, path).bearer(&signed(claims))
}

/// What became of a request: the reply as text, or how it was changed.
fn ask(world: &mut World, request: &Request) -> Result<Onward, String> {
    let asked = world.ask(0, request);
    match world.passed_on.remove(&asked) {
        Some(onward) => {
            assert!(world.replies[&asked].is_empty());
            Ok(onward)
        }
        None => Err(show(&world.only_reply(asked))),
    }
}

fn status(outcome: &Result<Onward, String>) -> u16 {
    match outcome {
        Ok(_) => 0,
        Err(reply) => reply[..3].parse().expect("a status"),
    }
}

#[test]
fn each_rule_lets_through_whom_it_says() {
    let mut world = guarded();
    let none = json!(null);
    let passes = 0;
    for (method, path, claims, expected) in [
        ("GET", "/elsewhere", none.clone(), passes),
        ("GET", "/shopping", none.clone(), passes),
        ("GET", "/shop/health", none.clone(), passes),
        ("GET", "/shop/health", json!({"scope": ""}), passes),
        ("GET", "/shop/health", json!({"exp": 1}), 401),
        ("GET", "/shop", json!({"scope": "orders.all"}), 403),
        ("GET", "/shop/other", json!({"scope": "orders.all"}), 403),
        ("GET", "/shop/other", none.clone(), 403),
        ("GET", "/shop/closed", json!({}), 403),
        ("GET", "/shop/closed/a/b", none.clone(), 403),
        ("GET", "/shop/orders/7", none.clone(), 401),
        ("GET", "/shop/orders/7", json!({"scope": ""}), 403),
        (
            "GET",
            "/shop/orders/7",
            json!({"scope": "orders.views"}),
            403,
        ),
        (
            "GET",
            "/shop/orders/7",
            json!({"scope": "orders.view"}),
            passes,
        ),
        (
            "GET",
            "/shop/orders/7?x=//..",
            json!({"scope": "orders.all"}),
            passes,
        ),
        (
            "GET",
            "/shop/%6frders/7/",
            json!({"scope": "orders.view"}),
            passes,
        ),
        (
            "POST",
            "/shop/orders/7",
            json!({"scope": "orders.view"}),
            403,
        ),
        (
            "POST",
            "/shop/orders/7",
            json!({"scope": "orders.all"}),
            403,
        ),
        ("POST", "/shop/orders/7", json!({"scope": "audited"}), 403),
        (
            "POST",
            "/shop/orders",
            json!({"scope": "audited orders.all"}),
            passes,
        ),
        (
            "HEAD",
            "/shop/orders/7",
            json!({"scope": "orders.view"}),
            403,
        ),
        (
            "GET",
            "/shop/staff",
            json!({"user_type": "EMPLOYEE"}),
            passes,
        ),
        (
            "GET",
            "/shop/staff",
            json!({"user_type": ["CUSTOMER", "EMPLOYEE"]}),
            passes,
        ),
        ("GET", "/shop/staff", json!({"user_type": "CUSTOMER"}), 403),
        (
            "GET",
            "/shop/staff",
            json!({"user_type": {"a": "EMPLOYEE"}}),
            403,
        ),
        ("GET", "/shop/staff", json!({}), 403),
        ("GET", "/shop/trial", none.clone(), passes),
        ("GET", "/shop/trial", json!({"scope": "other"}), passes),
        ("GET", "/shop/trial", json!({"exp": 1}), passes),
        ("GET", "/shop/closing", none.clone(), passes),
    ] {
        let request = match claims.is_null() {
            true => Request::bare(method, path),
            false => with_token(method, path, &claims),
        };
        let outcome = ask(&mut world, &request);
        assert_eq!(
            status(&outcome),
            expected,
            "{method} {path} {claims}: {outcome:?}"
        );
    }
    let host = &world.nodes[0].host;
    assert_eq!(host.counted(Counter::WouldRefuse), 4);
}

#[test]
fn refusals_in_the_contracts_words() {
    let mut world = guarded();
    let forbidden = |scopes: &str, challenge: &str| {
        format!(
            "403\ncontent-type: application/json\nwww-authenticate: Bearer realm=\"reward-points\", error=\"insufficient_scope\", scope=\"{challenge}\"\n\n\
             {{\"code\":403,\"status\":\"Forbidden\",\"message\":\"Scope validation failed\",\"details\":[\"Missing required scopes '[{scopes}]'\"]}}"
        )
    };
    let denied = "403\ncontent-type: application/json\n\n\
        {\"code\":403,\"status\":\"Forbidden\",\"message\":\"Access denied\",\"details\":[\"The request is not allowed\"]}"
        .to_owned();
    let no_claim = denied.replacen(
        "\n\n",
        "\nwww-authenticate: Bearer realm=\"reward-points\", error=\"insufficient_scope\"\n\n",
        1,
    );
    let all = json!({"scope": "audited"});
    for (request, expected) in [
        (
            with_token("GET", "/shop/orders/7", &all),
            forbidden("orders.view, orders.all", "orders.view orders.all"),
        ),
        (
            with_token("PUT", "/shop/orders/7", &all),
            forbidden("orders.all, audited", "orders.all audited"),
        ),
        (with_token("GET", "/shop/staff", &all), no_claim),
        (with_token("GET", "/shop/closed", &all), denied.clone()),
        (Request::bare("GET", "/shop/x"), denied),
        (
            with_token("GET", "/shop/a//b?q", &all),
            bad_request("/shop/a//b", "The path can be read in more than one way"),
        ),
        (
            with_token("GET", "/%72eward-points/customer/1", &all),
            bad_request(
                "/%72eward-points/customer/1",
                "The path can be read in more than one way",
            ),
        ),
        (
            with_token("GET", "/shop/staff", &json!({"user_type": "EMPLOYEE"}))
                .header("emporix-tenant", "acme")
                .header("emporix-tenant", "acme"),
            bad_request(
                "/shop/staff",
                "Header 'Emporix-Tenant' was sent more than once",
            ),
        ),
    ] {
        assert_eq!(ask(&mut world, &request), Err(expected), "{request:?}");
    }
}

#[test]
fn what_upstreams_are_told_comes_from_the_token_alone() {
    let mut world = guarded();
    let forged = |request: Request| {
        request
            .header("x-tenant", "other")
            .header("X-Scopes", "admin")
            .header("x_subject", "root")
            .header("x-subject", "root")
            .header("x-tenants", "kept")
    };
    let removed = ["x-tenant", "X-Scopes", "x_subject", "x-subject"];
    let told = |subject: &str| {
        [
            ("x-tenant", "acme"),
            ("x-scopes", "orders.view b"),
            ("x-subject", subject),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    let claims = json!({"scope": "orders.view tenant=acme b", "sub": "m\u{fc}ller 7"});
    for (request, add) in [
        (Request::bare("GET", "/elsewhere"), vec![]),
        (with_token("GET", "/elsewhere", &claims), vec![]),
        (Request::bare("GET", "/shop/health"), vec![]),
        (
            Request::bare("GET", "/shop/health").header("authorization", "Basic YTpi"),
            vec![],
        ),
        (
            with_token("GET", "/shop/health", &claims),
            told("m%C3%BCller%207"),
        ),
        (
            with_token("GET", "/shop/orders/7", &claims),
            told("m%C3%BCller%207"),
        ),
        (Request::bare("GET", "/shop/trial"), vec![]),
        (
            with_token("GET", "/shop/trial", &claims),
            told("m%C3%BCller%207"),
        ),
    ] {
        let onward = ask(&mut world, &forged(request.clone())).expect("let through");
        assert_eq!(onward.remove, removed, "{request:?}");
        let added = onward.add.as_deref().unwrap_or_default();
        assert_eq!(added, add, "{request:?}");
    }
    let host = &world.nodes[0].host;
    assert_eq!(host.counted(Counter::ForgedIdentity), 8);
    let contradicting =
        with_token("GET", "/shop/orders/7", &claims).header("emporix-tenant", "other");
    assert_eq!(status(&ask(&mut world, &contradicting)), 403);
    // Also where nothing else is enforced.
    for path in ["/shop/trial", "/shop/health"] {
        let contradicting = with_token("GET", path, &claims).header("emporix-tenant", "other");
        assert_eq!(status(&ask(&mut world, &contradicting)), 403, "{path}");
    }
    assert_eq!(world.nodes[0].host.counted(Counter::TenantMismatch), 3);
}

#[test]
fn other_names_for_identity_headers() {
    let mut world = World::single(config_with(&json!({
        "identity_headers": {"tenant": "x-org", "scopes": "x-rights", "subject": "x-user"},
        "rules": [{"name": "all", "path": "/**", "allow": "authenticated"}],
    })));
    let request = with_token("GET", "/a", &json!({"scope": "b", "sub": null}))
        .header("x-org", "x")
        .header("x-tenant", "the upstream's own");
    let onward = ask(&mut world, &request).expect("let through");
    assert_eq!(onward.remove, ["x-org"]);
    let add: Vec<String> = onward
        .add
        .iter()
        .flat_map(|headers| headers.iter())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(add, ["x-org=acme", "x-rights=b"]);
}

#[test]
fn an_operation_may_require_more_or_else_and_may_only_report() {
    let mut world = World::single(config_with(&json!({
        "operation_claims": [{"claim": "user_type", "any_of": ["EMPLOYEE"]}],
        "operations": {
            "balance": {"any_of": ["points.read"]},
            "summary": {"all_of": ["audited"]},
            "delete": {"mode": "report"},
        },
    })));
    let view = "rewardspoints.rewardpoints_view";
    let customer = "/reward-points/customer/614";
    for (method, path, claims, expected) in [
        (
            "GET",
            "",
            json!({"scope": view, "user_type": "EMPLOYEE"}),
            403,
        ),
        (
            "GET",
            "",
            json!({"scope": "points.read", "user_type": "EMPLOYEE"}),
            404,
        ),
        ("GET", "", json!({"scope": "points.read"}), 403),
        (
            "GET",
            "/summary",
            json!({"scope": view, "user_type": "EMPLOYEE"}),
            403,
        ),
        (
            "GET",
            "/summary",
            json!({"scope": format!("{view} audited"), "user_type": "EMPLOYEE"}),
            404,
        ),
        ("DELETE", "", json!({"scope": ""}), 200),
        ("DELETE", "", json!({"scope": "", "exp": 1}), 401),
    ] {
        let request = with_token(method, &format!("{customer}{path}"), &claims);
        world.expect(expected, &request);
    }
    assert_eq!(world.nodes[0].host.counted(Counter::WouldRefuse), 1);
}
