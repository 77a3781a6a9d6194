//! Issuers that publish their keys, issuers with a secret, issuers whose tokens may not live long: configurations, field by field.

use serde_json::{Value, json};

use crate::access::test_support::*;
use crate::access::{Access, IssuerConfig, JwksUriConfig, TenantConfig};

/// The path of the field that is refused, whether by its type or by its value.
fn refused_at(config: &Value) -> Option<String> {
    let parsed = serde_path_to_error::deserialize::<_, IssuerConfig>(config.clone());
    let config = match parsed {
        Ok(config) => config,
        Err(error) => return Some(error.path().to_string()),
    };
    let error = Access::new(&[config], &TenantConfig::default(), &[]).err()?;
    let path = error.path.strip_prefix("issuers[0].");
    Some(path.expect("an issuer's field").to_owned())
}

fn published(changes: &Value) -> Value {
    let mut uri = json!({"cluster": "login", "uri": "https://login.example/jwks"});
    for (name, value) in changes.as_object().unwrap() {
        uri[name] = value.clone();
    }
    json!({"issuer": ISSUER, "algorithms": ["RS256"], "jwks_uri": uri})
}

#[test]
fn every_field_of_a_key_address_has_its_bounds() {
    let table: Vec<(Value, Option<&str>)> = vec![
        (json!({}), None),
        (json!({"cluster": "c".repeat(128)}), None),
        (json!({"cluster": "c".repeat(129)}), Some("cluster")),
        (json!({"cluster": ""}), Some("cluster")),
        (json!({"cluster": "outbound|443||login.example"}), None),
        (json!({"cluster": "a\n"}), Some("cluster")),
        (json!({"cluster": "\u{e4}"}), Some("cluster")),
        (json!({"timeout_ms": 10}), None),
        (json!({"timeout_ms": 9}), Some("timeout_ms")),
        (json!({"timeout_ms": 10_000}), None),
        (json!({"timeout_ms": 10_001}), Some("timeout_ms")),
        (json!({"timeout_ms": -1}), Some("timeout_ms")),
        (json!({"refresh_seconds": 1}), None),
        (json!({"refresh_seconds": 0}), Some("refresh_seconds")),
        (json!({"refresh_seconds": 86_400}), None),
        (json!({"refresh_seconds": 86_401}), Some("refresh_seconds")),
        (json!({"refetch_seconds": 1}), None),
        (json!({"refetch_seconds": 0}), Some("refetch_seconds")),
        (json!({"refetch_seconds": 3600}), None),
        (json!({"refetch_seconds": 3601}), Some("refetch_seconds")),
        (json!({"max_age_seconds": 300}), None),
        (json!({"max_age_seconds": 299}), Some("max_age_seconds")),
        (json!({"refresh_seconds": 60, "max_age_seconds": 60}), None),
        (
            json!({"refresh_seconds": 60, "max_age_seconds": 59}),
            Some("max_age_seconds"),
        ),
        (json!({"max_age_seconds": 2_592_000}), None),
        (
            json!({"max_age_seconds": 2_592_001}),
            Some("max_age_seconds"),
        ),
        (json!({"timeout": 7}), Some("timeout")),
    ];
    for (changes, field) in table {
        let expected = field.map(|field| format!("jwks_uri.{field}"));
        assert_eq!(refused_at(&published(&changes)), expected, "{changes}");
    }
}

#[test]
fn a_key_address_can_be_taken_apart_in_one_way() {
    let longest = format!("https://a/{}", "p".repeat(1024 - 10));
    let good = [
        ("https://login.example/jwks", "login.example", "/jwks"),
        ("http://login.example/", "login.example", "/"),
        (
            "https://login.example:8443/a/b?c=d/e&f",
            "login.example:8443",
            "/a/b?c=d/e&f",
        ),
        ("http://10.0.0.1:80/x", "10.0.0.1:80", "/x"),
        ("http://[::1]:8080/x", "[::1]:8080", "/x"),
        ("http://[::1]/x", "[::1]", "/x"),
        ("https://a.b-c_d~e/%7Bx%7D/@:", "a.b-c_d~e", "/%7Bx%7D/@:"),
        (longest.as_str(), "a", &longest[9..]),
    ];
    for (uri, authority, path) in good {
        assert_eq!(refused_at(&published(&json!({"uri": uri}))), None, "{uri}");
        let config = published(&json!({"uri": uri}))["jwks_uri"].clone();
        let config: JwksUriConfig = serde_json::from_value(config).unwrap();
        assert_eq!(config.authority(), authority, "{uri}");
        assert_eq!(config.path_and_query(), path, "{uri}");
    }
    for uri in [
        "",
        "/jwks",
        "login.example/jwks",
        "ftp://login.example/jwks",
        "HTTPS://login.example/jwks",
        "https:/login.example/jwks",
        "https:///jwks",
        "https://login.example",
        "https://login.example?x",
        "https://user@login.example/jwks",
        "https://user:secret@login.example/jwks",
        "https://login.example@evil.example/jwks",
        "https://login.example\\@evil.example/jwks",
        "https://login.example/jwks#top",
        "https://login.example/jw ks",
        "https://login.example/jwks\r\nx: y",
        "https://login.example/\u{e4}",
        "https://l\u{f6}gin.example/jwks",
        "https://login.example/{x}",
        "https://login.example/\"",
        "https://login.example:/jwks",
        "https://login.example:0/jwks",
        "https://login.example:65536/jwks",
        "https://login.example:+80/jwks",
        "https://login.example:80:80/jwks",
        "https://:80/jwks",
        "https://[]/jwks",
        "https://[::1/jwks",
        "https://[::1]x/jwks",
        "https://[evil]/jwks",
        "https://::1/jwks",
        &format!("{longest}p"),
    ] {
        let path = refused_at(&published(&json!({"uri": uri})));
        assert_eq!(path.as_deref(), Some("jwks_uri.uri"), "{uri}");
    }
}

#[test]
fn keys_come_from_one_place() {
    let mut both = published(&json!({}));
    both["jwks"] = issuer_json()["jwks"].clone();
    both["algorithms"] = issuer_json()["algorithms"].clone();
    assert_eq!(refused_at(&both).as_deref(), Some("jwks_uri"));
    let neither = json!({"issuer": ISSUER, "algorithms": ["RS256"]});
    assert_eq!(refused_at(&neither).as_deref(), Some("jwks"));
    let mut secret = published(&json!({}));
    secret["algorithms"] = json!(["RS256", "HS256"]);
    assert_eq!(refused_at(&secret).as_deref(), Some("algorithms"));
    let access = access_of([published(&json!({})), {
        let mut inline = issuer_json();
        inline["issuer"] = json!("inline");
        inline
    }]);
    let found: Vec<(&str, bool, bool)> = access
        .issuers()
        .map(|(_, issuer)| {
            (
                issuer.name(),
                issuer.jwks_uri().is_some(),
                issuer.has_keys(),
            )
        })
        .collect();
    assert_eq!(found, [(ISSUER, true, false), ("inline", false, true)]);
}

#[test]
fn a_secret_is_of_good_length_and_only_where_hs256_is_listed() {
    let secret = |bytes: usize| encode(&vec![0x5a; bytes]);
    let table: Vec<(Value, Value, Option<&str>)> = vec![
        (json!(["HS256"]), json!({}), None),
        (
            json!(["HS256"]),
            json!({"alg": null, "use": null, "kid": null}),
            None,
        ),
        (json!(["HS256"]), json!({"k": secret(32)}), None),
        (json!(["HS256"]), json!({"k": secret(31)}), Some("k")),
        (json!(["HS256"]), json!({"k": secret(512)}), None),
        (json!(["HS256"]), json!({"k": secret(513)}), Some("k")),
        (json!(["HS256"]), json!({"k": ""}), Some("k")),
        (json!(["HS256"]), json!({"k": null}), Some("k")),
        (json!(["HS256"]), json!({"k": 7}), Some("k")),
        (
            json!(["HS256"]),
            json!({"k": format!("{}=", secret(32))}),
            Some("k"),
        ),
        (
            json!(["HS256"]),
            json!({"k": "a secret that is not base64url, of good length"}),
            Some("k"),
        ),
        (json!(["HS256"]), json!({"d": "AQAB"}), Some("d")),
        (json!(["HS256"]), json!({"alg": "HS512"}), Some("alg")),
        (json!(["HS256"]), json!({"alg": "RS256"}), Some("alg")),
        (json!(["HS256"]), json!({"use": "enc"}), Some("use")),
        (
            json!(["HS256"]),
            json!({"key_ops": ["sign"]}),
            Some("key_ops"),
        ),
        (
            json!(["HS256"]),
            json!({"key_ops": ["sign", "verify"]}),
            None,
        ),
        (json!(["RS256"]), json!({}), Some("kty")),
        (
            json!(["RS256", "ES256", "EdDSA"]),
            json!({"alg": null}),
            Some("kty"),
        ),
    ];
    for (algorithms, changes, member) in table {
        let mut key = jwk(crate::access::Algorithm::Hs256);
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        let key: Value = key
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let config = json!({"issuer": ISSUER, "algorithms": algorithms, "jwks": {"keys": [key]}});
        let expected = member.map(|member| format!("jwks.keys[0].{member}"));
        assert_eq!(refused_at(&config), expected, "{algorithms} {changes}");
    }
}

#[test]
fn a_lifetime_has_its_bounds() {
    for (seconds, is_good) in [
        (json!(1), true),
        (json!(31_536_000), true),
        (json!(null), true),
        (json!(0), false),
        (json!(31_536_001), false),
        (json!(-1), false),
        (json!(1.5), false),
        (json!("60"), false),
    ] {
        let mut config = issuer_json();
        config["max_lifetime_seconds"] = seconds.clone();
        let expected = (!is_good).then_some("max_lifetime_seconds");
        assert_eq!(refused_at(&config).as_deref(), expected, "{seconds}");
    }
}
