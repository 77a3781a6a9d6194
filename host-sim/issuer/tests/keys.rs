//! Published keys and metadata, and what rotation does to them.

mod common;

use common::{Issuer, NAME, json, key_id, verified};
use serde_json::json;
use testbed::Request;

#[test]
fn after_a_rotation_old_tokens_are_still_good_until_the_old_keys_are_dropped() {
    let mut issuer = Issuer::start();
    let first = issuer.token();
    assert_eq!(issuer.published(), [key_id(&first)]);

    let rotated = issuer.rotate("");
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let second = issuer.token();
    assert_ne!(key_id(&second), key_id(&first));
    assert_eq!(issuer.published(), [key_id(&second), key_id(&first)]);
    assert_eq!(
        json(&rotated),
        json!({"kid": key_id(&second), "published": issuer.published()})
    );
    for token in [&first, &second] {
        assert!(verified(&issuer.key_set(), token).is_some());
    }

    // What was published is not forgotten, and what signed goes on signing.
    issuer.restart();
    assert_eq!(issuer.published(), [key_id(&second), key_id(&first)]);
    assert_eq!(key_id(&issuer.token()), key_id(&second));

    assert_eq!(issuer.rotate("?drop_old=false").status, 200);
    assert_eq!(issuer.published().len(), 3);
    assert_eq!(issuer.rotate("?drop_old=true").status, 200);
    let third = issuer.token();
    assert_eq!(issuer.published(), [key_id(&third)]);
    assert!(verified(&issuer.key_set(), &first).is_none());
    issuer.restart();
    assert_eq!(issuer.published(), [key_id(&third)]);
}

#[test]
fn rotation_is_for_the_admin_listener_and_asked_for_exactly() {
    let issuer = Issuer::start();
    let before = issuer.published();
    let public = Request::new("POST", "/rotate");
    assert_eq!(issuer.ask(&public).status, 404);
    let on_admin = |request: Request| request.send(issuer.admin()).expect("an answer");
    for (request, status) in [
        (Request::new("GET", "/rotate"), 405),
        (Request::new("POST", "/rotate?drop_old"), 400),
        (Request::new("POST", "/rotate?drop_old=1"), 400),
        (Request::new("POST", "/rotate?drop_old=true&x"), 400),
        (
            Request::new("POST", "/rotate").header("origin", "http://evil.example"),
            403,
        ),
        (Request::new("POST", "/rotate/"), 404),
        (Request::new("POST", "/oauth/token"), 404),
        (Request::new("GET", "/.well-known/jwks.json"), 404),
    ] {
        let answer = on_admin(request);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    assert_eq!(issuer.published(), before);
    // The first and seven more are as many as may be.
    for _ in 1..8 {
        assert_eq!(issuer.rotate("").status, 200);
    }
    let full = issuer.rotate("");
    assert_eq!(full.status, 409, "{}", full.text());
    assert!(
        full.text().contains("drop old ones first"),
        "{}",
        full.text()
    );
    assert_eq!(issuer.published().len(), 8);
    assert_eq!(issuer.rotate("?drop_old=true").status, 200);
}

#[test]
fn documents_are_public_short_lived_and_not_sent_twice() {
    let issuer = Issuer::start();
    let read = |path: &str| issuer.ask(&Request::new("GET", path));
    let keys = read("/.well-known/jwks.json");
    assert_eq!(
        keys.header("cache-control").as_deref(),
        Some("public, max-age=30")
    );
    assert_eq!(
        keys.header("content-type").as_deref(),
        Some("application/json")
    );
    let key = &json(&keys)["keys"][0];
    let mut names: Vec<_> = key.as_object().expect("a key").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);

    let tag = keys.header("etag").expect("a tag");
    let again = |tag: &str| {
        let request = Request::new("GET", "/.well-known/jwks.json").header("if-none-match", tag);
        issuer.ask(&request)
    };
    for held in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = again(&held);
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{held}");
        assert_eq!(answer.header("etag").as_ref(), Some(&tag));
    }
    assert_eq!(issuer.rotate("").status, 200);
    assert_eq!(again(&tag).status, 200);

    let base = format!("http://{}", issuer.address());
    assert_eq!(
        json(&read("/.well-known/oauth-authorization-server")),
        json!({
            "issuer": NAME,
            "token_endpoint": format!("{base}/oauth/token"),
            "jwks_uri": format!("{base}/.well-known/jwks.json"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["rewardspoints.rewardpoints_manage", "rewardspoints.rewardpoints_view"],
        })
    );
    for path in [
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
    ] {
        let refused = issuer.ask(&Request::new("POST", path));
        assert_eq!(refused.status, 405);
        assert_eq!(refused.header("allow").as_deref(), Some("GET, HEAD"));
    }
    assert_eq!(read("/").status, 404);
}

#[test]
fn the_metadata_names_the_place_where_clients_come_in() {
    let issuer = Issuer::start_with(|config| {
        config.public_url = Some("https://gateway.example/auth/".to_owned());
    });
    let answer = issuer.ask(&Request::new(
        "GET",
        "/.well-known/oauth-authorization-server",
    ));
    assert_eq!(
        json(&answer)["token_endpoint"],
        "https://gateway.example/auth/oauth/token"
    );
}
