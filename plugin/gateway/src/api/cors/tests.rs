//! Which preflights are answered, what replies say to browsers, and which origins can be configured.

use serde_json::{Value, json};

use super::*;
use crate::config_error::ConfigError;

const SHOP: &str = "https://shop.example";
const LOCAL: &str = "http://localhost:3000";

fn configured(config: Value) -> Result<Cors, ConfigError> {
    Cors::new(&serde_json::from_value(config).unwrap())
}

fn named() -> Cors {
    configured(json!({"origins": [SHOP, LOCAL]})).unwrap()
}

fn any() -> Cors {
    configured(json!({"origins": ["*"], "max_age_seconds": 0})).unwrap()
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut values = reply.headers.iter().filter(|(it, _)| *it == name);
    let value = values.next().map(|(_, value)| &**value);
    assert_eq!(values.next(), None, "{name} is there twice");
    value
}

#[test]
fn preflights() {
    // Method, origin, requested method; the origin that is allowed with named origins, and with any.
    for (method, origin, requested, of_named, of_any) in [
        ("OPTIONS", Some(SHOP), Some("POST"), Some(SHOP), Some("*")),
        ("OPTIONS", Some(LOCAL), Some("GET"), Some(LOCAL), Some("*")),
        // Not among the path's methods: the browser sees that itself.
        ("OPTIONS", Some(SHOP), Some("PATCH"), Some(SHOP), Some("*")),
        // A foreign origin, and near misses.
        (
            "OPTIONS",
            Some("https://evil.example"),
            Some("POST"),
            None,
            Some("*"),
        ),
        (
            "OPTIONS",
            Some("http://shop.example"),
            Some("POST"),
            None,
            Some("*"),
        ),
        (
            "OPTIONS",
            Some("https://shop.example:8443"),
            Some("POST"),
            None,
            Some("*"),
        ),
        (
            "OPTIONS",
            Some("https://shop.example.evil.example"),
            Some("POST"),
            None,
            Some("*"),
        ),
        (
            "OPTIONS",
            Some("https://shop.example/"),
            Some("POST"),
            None,
            Some("*"),
        ),
        (
            "OPTIONS",
            Some("https://SHOP.example"),
            Some("POST"),
            None,
            Some("*"),
        ),
        ("OPTIONS", Some("null"), Some("POST"), None, Some("*")),
        ("OPTIONS", Some(""), Some("POST"), None, Some("*")),
        // No preflight at all.
        ("OPTIONS", None, Some("POST"), None, None),
        ("OPTIONS", Some(SHOP), None, None, None),
        ("options", Some(SHOP), Some("POST"), None, None),
        ("GET", Some(SHOP), Some("POST"), None, None),
        ("POST", Some(SHOP), None, None, None),
    ] {
        for (cors, expected) in [(named(), of_named), (any(), of_any)] {
            let reply = cors.preflight(
                method.as_bytes(),
                origin.map(str::as_bytes),
                requested.map(str::as_bytes),
                "GET, POST, DELETE",
            );
            let allowed = reply
                .as_ref()
                .and_then(|reply| header(reply, "access-control-allow-origin"));
            let case = format!("{method} {origin:?} {requested:?}");
            assert_eq!(allowed, expected, "{case}");
            assert_eq!(reply.is_some(), expected.is_some(), "{case}");
        }
    }
}

#[test]
fn a_preflight_is_answered_in_full() {
    let reply = named()
        .preflight(b"OPTIONS", Some(SHOP.as_bytes()), Some(b"POST"), "POST")
        .unwrap();
    let expected = Reply {
        status: 204,
        headers: [
            ("access-control-allow-origin", SHOP),
            ("access-control-allow-methods", "POST"),
            (
                "access-control-allow-headers",
                "Authorization, Cache-Control, Content-Type, Accept-Language, Emporix-Tenant, Idempotency-Key, X-Points-Revision, X-Total-Count",
            ),
            ("access-control-max-age", "600"),
            (
                "vary",
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ),
        ]
        .map(|(name, value)| (name, value.into()))
        .to_vec(),
        body: Vec::new(),
    };
    assert_eq!(reply, expected);
    let reply = any()
        .preflight(b"OPTIONS", Some(b"https://x.example"), Some(b"GET"), "GET")
        .unwrap();
    assert_eq!(header(&reply, "access-control-max-age"), Some("0"));
}

#[test]
fn replies() {
    // The origin; what is allowed and whether it varies, with named origins and with any.
    for (origin, of_named, of_any) in [
        (Some(SHOP), (Some(SHOP), true), (Some("*"), false)),
        (
            Some("https://evil.example"),
            (None, true),
            (Some("*"), false),
        ),
        (None, (None, true), (Some("*"), false)),
    ] {
        for (cors, (allowed, varies)) in [(named(), of_named), (any(), of_any)] {
            let plain = Reply::json(401, b"{}".to_vec()).with("www-authenticate", "Bearer");
            let reply = cors.decorate(plain.clone(), origin.map(str::as_bytes));
            assert_eq!(reply.status, plain.status);
            assert_eq!(reply.body, plain.body);
            assert!(reply.headers.starts_with(&plain.headers), "{origin:?}");
            assert_eq!(
                header(&reply, "access-control-allow-origin"),
                allowed,
                "{origin:?}"
            );
            let exposed = "Age, Allow, Idempotency-Replayed, Retry-After, WWW-Authenticate, X-Next-Cursor, X-Points-Revision, X-Points-Source, X-Points-Stale, X-Total-Count";
            assert_eq!(
                header(&reply, "access-control-expose-headers"),
                allowed.map(|_| exposed),
                "{origin:?}"
            );
            assert_eq!(
                header(&reply, "vary"),
                varies.then_some("Origin"),
                "{origin:?}"
            );
            assert_eq!(header(&reply, "access-control-allow-credentials"), None);
        }
    }
}

#[test]
fn origins_that_can_be_configured() {
    for origin in [
        "*",
        SHOP,
        LOCAL,
        "https://shop.example:8443",
        "https://xn--bcher-kva.example",
        "http://127.0.0.1:8080",
        "http://[::1]",
        "http://[::1]:8080",
        "http://shop.example:443",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ] {
        let cors = configured(json!({"origins": [origin]}));
        assert!(cors.is_ok(), "{origin}: {cors:?}");
    }
}

#[test]
fn a_bad_field_is_named_by_its_path() {
    let first = "cors.origins[0]";
    for (origin, path) in [
        ("", first),
        ("null", first),
        ("shop.example", first),
        ("https://", first),
        ("://shop.example", first),
        ("HTTPS://shop.example", first),
        ("https://Shop.example", first),
        ("https://shop.example/", first),
        ("https://shop.example/app", first),
        ("https://shop.example?x", first),
        ("https://*.shop.example", first),
        ("https://user@shop.example", first),
        ("https://shop.example:", first),
        ("https://shop.example:0", first),
        ("https://shop.example:0443", first),
        ("https://shop.example:+80", first),
        ("https://shop.example:65536", first),
        ("https://shop.example:443", first),
        ("http://shop.example:80", first),
        ("https://bücher.example", first),
        ("https://shop.example, https://b.example", first),
        ("https://[::1", first),
        ("https://[::G]", first),
        ("https://[::FF]", first),
        ("https://::1", first),
        ("1http://shop.example", first),
    ] {
        let error = configured(json!({"origins": [origin]})).unwrap_err();
        assert_eq!(error.path, path, "{origin}: {error}");
    }
    let many: Vec<String> = (0..65).map(|n| format!("https://{n}.example")).collect();
    let long = format!("https://{}.example", "a".repeat(300));
    for (config, path) in [
        (json!({"origins": []}), "cors.origins"),
        (json!({"origins": many}), "cors.origins"),
        (json!({"origins": [SHOP, "*"]}), "cors.origins[1]"),
        (json!({"origins": ["*", "*"]}), "cors.origins[0]"),
        (json!({"origins": [SHOP, long]}), "cors.origins[1]"),
        (
            json!({"origins": [SHOP], "max_age_seconds": 86_401}),
            "cors.max_age_seconds",
        ),
    ] {
        assert_eq!(configured(config).unwrap_err().path, path);
    }
    for config in [
        json!({}),
        json!({"origins": [SHOP], "credentials": true}),
        json!({"origins": [SHOP], "max_age_seconds": -1}),
        json!({"origins": "*"}),
    ] {
        assert!(serde_json::from_value::<CorsConfig>(config).is_err());
    }
}
