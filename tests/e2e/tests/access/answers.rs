//! What a refused client is told: the documented words, and nothing by which one check could be told from another.

use e2e::{Answer, Call, Combination, token};
use serde_json::{Value, json};
use signing_keys::{Algorithm, SigningKey};
use testbed::{DEV_ISSUER, TokenRequest};

use super::routes::credentials;
use super::rules::{Guarded, plugin};

const INVALID: &str = r#"{"fault":{"faultstring":"Invalid access token","detail":{"errorcode":"oauth.v2.InvalidAccessToken"}}}"#;
const EXPIRED: &str = r#"{"fault":{"faultstring":"Access Token expired","detail":{"errorcode":"keymanagement.service.access_token_expired"}}}"#;
const NO_CHALLENGE: &str = "";
const ASK: &str = r#"Bearer realm="reward-points""#;
const BAD: &str = r#"Bearer realm="reward-points", error="invalid_token""#;

/// Case, method, path, credentials, status, challenge, body, the detail of a problem document.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    u16,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const ROWS: [Row; 13] = [
    ("no token", "GET", "/orders/1", "none", 401, ASK, INVALID, "Invalid access token"),
    ("other credentials", "GET", "/orders/1", "basic", 401, ASK, INVALID, "Invalid access token"),
    ("a bad token", "GET", "/orders/1", "forged", 401, BAD, INVALID, "Invalid access token"),
    ("an expired token", "GET", "/orders/1", "expired", 401, BAD, EXPIRED, "Access Token expired"),
    (
        "one scope of two", "GET", "/orders/1", "other", 403,
        r#"Bearer realm="reward-points", error="insufficient_scope", scope="orders.view orders.manage""#,
        r#"{"code":403,"status":"Forbidden","message":"Scope validation failed","details":["Missing required scopes '[orders.view, orders.manage]'"]}"#,
        "Missing required scopes '[orders.view, orders.manage]'",
    ),
    (
        "a claim", "GET", "/staff/1", "customer", 403,
        r#"Bearer realm="reward-points", error="insufficient_scope""#,
        r#"{"code":403,"status":"Forbidden","message":"Access denied","details":["The request is not allowed"]}"#,
        "The request is not allowed",
    ),
    (
        "denied", "GET", "/orders/internal/1", "both", 403, NO_CHALLENGE,
        r#"{"code":403,"status":"Forbidden","message":"Access denied","details":["The request is not allowed"]}"#,
        "The request is not allowed",
    ),
    (
        "no rule", "GET", "/secret?token=1", "none", 403, NO_CHALLENGE,
        r#"{"code":403,"status":"Forbidden","message":"Access denied","details":["The request is not allowed"]}"#,
        "The request is not allowed",
    ),
    (
        "another tenant", "GET", "/orders/1", "other tenant", 403,
        r#"Bearer realm="reward-points", error="insufficient_scope", scope="orders.view orders.manage""#,
        r#"{"code":403,"status":"Forbidden","message":"Tenant validation failed","details":["Header 'Emporix-Tenant' is not the tenant of the token"]}"#,
        "Header 'Emporix-Tenant' is not the tenant of the token",
    ),
    (
        "the API: a scope", "GET", "/reward-points/customer/7", "both", 403,
        r#"Bearer realm="reward-points", error="insufficient_scope", scope="rewardspoints.rewardpoints_view saasag.rewardpoints_view""#,
        r#"{"code":403,"status":"Forbidden","message":"Scope validation failed","details":["Missing required scopes '[rewardspoints.rewardpoints_view, saasag.rewardpoints_view]'"]}"#,
        "Missing required scopes '[rewardspoints.rewardpoints_view, saasag.rewardpoints_view]'",
    ),
    ("the API: no token", "GET", "/reward-points/customer/7", "none", 401, ASK, INVALID, "Invalid access token"),
    ("the API: a bad token, and no such path", "PUT", "/reward-points/x", "forged", 401, BAD, INVALID, "Invalid access token"),
    (
        "two tokens", "GET", "/orders/1", "twice", 400, NO_CHALLENGE,
        r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Header 'Authorization' was sent more than once","instance":"/orders/1"}"#,
        "Header 'Authorization' was sent more than once",
    ),
];

pub async fn check_refusals(on: Combination) {
    let guarded = Guarded::start(on).await;
    for (name, method, path, kind, status, challenge, body, detail) in ROWS {
        let what = format!("{on}: {name}");
        let mut call = Call::new(method, path);
        if kind == "other tenant" {
            call = call.header("emporix-tenant", "other");
        }
        let kind = if kind == "other tenant" { "view" } else { kind };
        for (name, value) in credentials(&guarded, kind) {
            call = call.header(&name, value);
        }
        let answer = guarded.ask(&call).await;
        assert_eq!(answer.brief(), format!("{status} {body}"), "{what}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{what}"
        );
        let challenges = all(&answer, "www-authenticate");
        let expected: Vec<_> = Some(challenge)
            .filter(|it| !it.is_empty())
            .into_iter()
            .collect();
        assert_eq!(challenges, expected, "{what}");

        let answer = guarded
            .ask(&call.header("accept", "application/problem+json"))
            .await;
        let title = ["Bad Request", "Unauthorized", "Forbidden"][[400, 401, 403]
            .iter()
            .position(|it| *it == status)
            .expect("one of these")];
        let path = path.split('?').next().unwrap_or_default();
        let instance = path.strip_prefix("/reward-points").unwrap_or(path);
        let problem = format!(
            r#"{status} {{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","instance":"{instance}"}}"#
        );
        assert_eq!(answer.brief(), problem, "{what}");
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/problem+json"), "{what}");
        assert_eq!(all(&answer, "www-authenticate"), expected, "{what}");
        assert_eq!(guarded.upstream.count(), 0, "{what}");
    }
    guarded.stack.assert_no_vm_was_reloaded();
}

/// An issuer besides the development issuer, with the same keys, whose tokens are for somebody.
const PICKY: &str = "https://picky.example/";

pub async fn check_bad_tokens(on: Combination) {
    let mut plugin = plugin();
    let mut picky = plugin["issuers"][0].clone();
    picky["issuer"] = PICKY.into();
    picky["audiences"] = json!(["points"]);
    picky["max_lifetime_seconds"] = 7200.into();
    plugin["issuers"]
        .as_array_mut()
        .expect("a list")
        .push(picky);
    let day_ago = token::now_seconds() - 86_400;
    plugin["issuers"][0]["revoked"] =
        json!({ "jti": ["gone"], "sub": ["leaver"], "issued_before": day_ago });
    // However many of them come, each is looked at.
    plugin["tokens"] = json!({ "refused_share_percent": 100 });
    let guarded = Guarded::start_with(on, plugin).await;
    for path in ["/orders/1", "/staff/x", "/reward-points/summaryBatch"] {
        for accept in ["application/json", "application/problem+json"] {
            let mut first = None;
            for (name, bad) in bad_tokens(&guarded) {
                let what = format!("{on}: {path}: {name}");
                let call = Call::new("GET", path).bearer(&bad).header("accept", accept);
                let told = told(&guarded.ask(&call).await);
                assert_eq!(told.0, 401, "{what}: {told:?}");
                let first = first.get_or_insert_with(|| told.clone());
                assert_eq!(&told, first, "{what}");
            }
            let now = token::now_seconds();
            let expired = guarded.token("orders.view", json!({ "exp": now - 60 }));
            let call = Call::new("GET", path)
                .bearer(&expired)
                .header("accept", accept);
            let answer = guarded.ask(&call).await;
            assert!(
                answer.text().contains("Access Token expired"),
                "{on}: {}",
                answer.brief()
            );
            let (status, headers, _) = told(&answer);
            let first = first.expect("at least one");
            let without = |headers: Vec<(String, String)>| {
                let mut headers = headers;
                headers.retain(|(name, _)| name != "content-length");
                headers
            };
            assert_eq!(
                (status, without(headers)),
                (first.0, without(first.1)),
                "{on}: {path}"
            );
        }
    }
    assert_eq!(guarded.upstream.count(), 0, "{on}");
    // Each bad one differs in one thing from one of these.
    let scope = "orders.view";
    for good in [
        guarded.token(scope, json!({})),
        guarded.token(scope, json!({ "jti": "gon", "sub": "leavers" })),
        guarded.token(
            scope,
            json!({ "tenant": null, "scope": "orders.view tenant=acme" }),
        ),
        guarded.token(scope, json!({ "scope": "orders.view tenant=acme" })),
        guarded.token(scope, json!({ "iss": PICKY, "aud": ["others", "points"] })),
    ] {
        let answer = guarded
            .ask(&Call::new("GET", "/orders/1").bearer(&good))
            .await;
        assert_eq!(answer.brief(), "200 from behind", "{on}");
    }
    guarded.stack.assert_no_vm_was_reloaded();
}

/// Tokens that are bad in one way each.
fn bad_tokens(guarded: &Guarded) -> Vec<(&'static str, String)> {
    let now = token::now_seconds();
    let good = guarded.token("orders.view", json!({}));
    let of = |changes: Value| guarded.token("orders.view", changes);
    let stranger = SigningKey::generate(Algorithm::Es256).expect("a key");
    let claims = token::claims("acme", "orders.view");
    let kid = guarded.stack.keys().jwks()["keys"]
        .as_array()
        .and_then(|keys| keys.iter().find(|key| key["alg"] == "ES256"))
        .map(|key| key["kid"].clone())
        .expect("a key");
    let header = |changes: Value| {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": kid });
        token::unsigned(&token::with(header, changes), &claims)
    };
    let (signed, signature) = good.rsplit_once('.').expect("three segments");
    let other = of(json!({ "sub": "root" }));
    let (other, _) = other.rsplit_once('.').expect("three segments");
    let (_, payload) = signed.split_once('.').expect("three segments");
    let empty = token::base64url(json!({ "alg": "none" }).to_string().as_bytes());
    vec![
        ("no segments", "garbage".to_owned()),
        ("two segments", signed.to_owned()),
        ("four segments", format!("{good}.{signature}")),
        ("an empty signature", format!("{signed}.")),
        ("half a signature", format!("{signed}.{}", &signature[..40])),
        ("padding", format!("{good}==")),
        ("another signature", token::forged(&good)),
        ("other claims", format!("{other}.{signature}")),
        ("no algorithm", format!("{empty}.{payload}.")),
        (
            "no algorithm, and a signature",
            format!("{empty}.{payload}.{signature}"),
        ),
        (
            "an algorithm for secrets",
            header(json!({ "alg": "HS256" })),
        ),
        (
            "an algorithm of another key",
            header(json!({ "alg": "EdDSA" })),
        ),
        ("an unknown algorithm", header(json!({ "alg": "ES999" }))),
        ("an extension", header(json!({ "crit": ["exp"] }))),
        (
            "an unknown key",
            stranger.sign("JWT", claims.clone()).expect("a token"),
        ),
        ("no key", header(json!({ "kid": null }))),
        ("too long", of(json!({ "filling": "x".repeat(9_000) }))),
        (
            "an unknown issuer",
            of(json!({ "iss": "https://other.example/" })),
        ),
        (
            "nearly the issuer",
            of(json!({ "iss": format!("{DEV_ISSUER}/") })),
        ),
        ("no issuer", of(json!({ "iss": null }))),
        ("no audience", of(json!({ "iss": PICKY }))),
        (
            "another audience",
            of(json!({ "iss": PICKY, "aud": "others" })),
        ),
        (
            "too long a life",
            of(json!({ "iss": PICKY, "aud": "points", "exp": now + 9_000 })),
        ),
        (
            "no time of issue",
            of(json!({ "iss": PICKY, "aud": "points", "iat": null })),
        ),
        ("no expiry", of(json!({ "exp": null }))),
        ("an expiry that is text", of(json!({ "exp": "never" }))),
        ("not valid yet", of(json!({ "nbf": now + 600 }))),
        ("issued in the future", of(json!({ "iat": now + 600 }))),
        ("no tenant", of(json!({ "tenant": null }))),
        (
            "several tenants",
            of(json!({ "tenant": ["acme", "other"] })),
        ),
        ("no tenant's name", of(json!({ "tenant": "ACME" }))),
        (
            "two tenants",
            of(json!({ "scope": "orders.view tenant=other" })),
        ),
        ("scopes of no kind", of(json!({ "scope": 7 }))),
        ("revoked by its id", of(json!({ "jti": "gone" }))),
        ("revoked by its subject", of(json!({ "sub": "leaver" }))),
        ("revoked by its time", of(json!({ "iat": now - 90_000 }))),
        (
            "revoked, it does not say when it was made",
            of(json!({ "iat": null })),
        ),
        (
            "expired, and another signature",
            token::forged(&of(json!({ "exp": now - 60 }))),
        ),
        (
            "expired, and no tenant",
            of(json!({ "exp": now - 60, "tenant": null })),
        ),
        (
            "the scopes of the API, and another signature",
            token::forged(&of(json!({ "scope": TokenRequest::DEFAULT_SCOPE }))),
        ),
    ]
}

/// All that a client learns from an answer: status, headers and body.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    (answer.status, headers, answer.text())
}

fn all<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let own = answer.headers.iter().filter(|(own, _)| own == name);
    own.map(|(_, value)| value.as_str()).collect()
}
