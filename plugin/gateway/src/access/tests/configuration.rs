//! Configurations that are refused, each with the path of the field that is wrong.

use serde_json::{Value, json};

use crate::access::test_support::*;
use crate::access::{Access, Algorithm, IssuerConfig, TenantConfig};

fn refused_at(issuers: &[Value], tenant: Value) -> Result<(), String> {
    let parse = |json: &Value| serde_json::from_value::<IssuerConfig>(json.clone()).unwrap();
    let issuers: Vec<IssuerConfig> = issuers.iter().map(parse).collect();
    let tenant: TenantConfig = serde_json::from_value(tenant).unwrap();
    match Access::new(&issuers, &tenant, &[]) {
        Ok(_) => Ok(()),
        Err(error) => {
            assert!(!error.problem.is_empty());
            Err(error.path)
        }
    }
}

/// An issuer whose key for `algorithm` has some members replaced, or removed by `null`.
fn with_key(algorithm: Algorithm, changes: &Value) -> Value {
    let mut key = jwk(algorithm);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    let first = if algorithm == Algorithm::EdDsa {
        Algorithm::Es256
    } else {
        Algorithm::EdDsa
    };
    let mut config = issuer_json();
    config["jwks"]["keys"] = json!([jwk(first), key]);
    config
}

#[test]
fn a_bad_key_is_named_by_its_path() {
    let (rsa, ec, ed) = (Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa);
    let modulus = |bytes: usize| {
        let mut modulus = vec![0xff; bytes];
        modulus[0] = 0x80;
        encode(&modulus)
    };
    let even = {
        let mut modulus = vec![0x80; 256];
        modulus[255] = 2;
        encode(&modulus)
    };
    let table: Vec<(Algorithm, Value, Option<&str>)> = vec![
        (rsa, json!({}), None),
        (
            rsa,
            json!({"kid": null, "alg": null, "use": null, "unheard_of": [1]}),
            None,
        ),
        (
            rsa,
            json!({"key_ops": ["verify"], "x5c": ["MIIB"], "x5t": "x"}),
            None,
        ),
        (rsa, json!({"n": modulus(256)}), None),
        (rsa, json!({"n": modulus(512)}), None),
        (rsa, json!({"n": modulus(255)}), Some("n")),
        (rsa, json!({"n": modulus(513)}), Some("n")),
        (rsa, json!({"n": modulus(128)}), Some("n")),
        (rsa, json!({"n": modulus(4096)}), Some("n")),
        (rsa, json!({"n": even}), Some("n")),
        (rsa, json!({"n": encode(&[0; 256])}), Some("n")),
        (rsa, json!({"n": null}), Some("n")),
        (rsa, json!({"n": ""}), Some("n")),
        (rsa, json!({"n": format!("{RSA_N}==")}), Some("n")),
        (rsa, json!({"n": "not base64"}), Some("n")),
        (rsa, json!({"e": null}), Some("e")),
        (rsa, json!({"e": "AQ"}), Some("e")),
        (rsa, json!({"e": "Ag"}), Some("e")),
        (rsa, json!({"e": "Aw"}), Some("e")),
        (rsa, json!({"e": "AQABAQAB"}), Some("e")),
        (rsa, json!({"d": "x"}), Some("d")),
        (rsa, json!({"p": "x"}), Some("p")),
        (rsa, json!({"q": 7}), Some("q")),
        (rsa, json!({"dp": "x"}), Some("dp")),
        (rsa, json!({"dq": "x"}), Some("dq")),
        (rsa, json!({"qi": "x"}), Some("qi")),
        (rsa, json!({"oth": []}), Some("oth")),
        (ec, json!({"d": "x"}), Some("d")),
        (ed, json!({"d": "x"}), Some("d")),
        (ed, json!({"k": "c2VjcmV0"}), Some("k")),
        (ed, json!({"kty": "oct"}), Some("k")),
        (ed, json!({"kty": "okp"}), Some("kty")),
        (ed, json!({"kty": ""}), Some("kty")),
        (ed, json!({"kty": "AKP"}), Some("kty")),
        (rsa, json!({"use": "enc"}), Some("use")),
        (rsa, json!({"use": ""}), Some("use")),
        (rsa, json!({"key_ops": ["sign"]}), Some("key_ops")),
        (rsa, json!({"key_ops": []}), Some("key_ops")),
        (rsa, json!({"alg": "RS512"}), None),
        (rsa, json!({"alg": "PS384"}), None),
        (rsa, json!({"alg": "HS256"}), Some("alg")),
        (rsa, json!({"alg": "RSA-OAEP"}), Some("alg")),
        (rsa, json!({"alg": "rs256"}), Some("alg")),
        (rsa, json!({"alg": "none"}), Some("alg")),
        (rsa, json!({"alg": "ES256"}), Some("alg")),
        (ec, json!({"alg": "EdDSA"}), Some("alg")),
        (ed, json!({"alg": "RS256"}), Some("alg")),
        (ed, json!({"alg": "Ed25519"}), None),
        (ec, json!({"kid": ""}), Some("kid")),
        (ec, json!({"kid": "k".repeat(513)}), Some("kid")),
        (ec, json!({"kid": "ed25519-1"}), Some("kid")),
        (ec, json!({"crv": "P-384"}), Some("x")),
        (ec, json!({"crv": "P-521"}), Some("crv")),
        (ec, json!({"crv": "secp256k1"}), Some("crv")),
        (ec, json!({"crv": null}), Some("crv")),
        (ec, json!({"x": P256_Y, "y": P256_X}), Some("x")),
        (
            ec,
            json!({"x": encode(&[0; 32]), "y": encode(&[0; 32])}),
            Some("x"),
        ),
        (ec, json!({"x": encode(&[0xff; 32])}), Some("x")),
        (ec, json!({"x": encode(&[1; 31])}), Some("x")),
        (ec, json!({"y": encode(&[1; 33])}), Some("y")),
        (ec, json!({"y": null}), Some("y")),
        (ed, json!({"crv": "X25519"}), Some("crv")),
        (ed, json!({"crv": "Ed448"}), Some("crv")),
        (ed, json!({"x": encode(&[1; 31])}), Some("x")),
        (ed, json!({"x": encode(&[1; 33])}), Some("x")),
        (ed, json!({"x": encode(&[0; 32])}), Some("x")),
        (
            ed,
            json!({"x": encode(&[[1].as_slice(), &[0; 31]].concat())}),
            Some("x"),
        ),
    ];
    for (algorithm, changes, member) in table {
        let outcome = refused_at(&[with_key(algorithm, &changes)], json!({}));
        let expected = member.map(|member| format!("issuers[0].jwks.keys[1].{member}"));
        assert_eq!(outcome.err(), expected, "{algorithm:?} {changes}");
    }
}

#[test]
fn a_bad_issuer_is_named_by_its_path() {
    let change = |name: &str, value: Value| {
        let mut config = issuer_json();
        config[name] = value;
        config
    };
    let only_rsa = json!(["RS256"]);
    let mut unnamed_alg = change("algorithms", only_rsa.clone());
    let mut without_alg = jwk(Algorithm::Es256);
    without_alg.as_object_mut().unwrap().remove("alg");
    unnamed_alg["jwks"]["keys"] = json!([jwk(Algorithm::Rs256), without_alg]);
    let other = change("issuer", json!("https://other.test"));
    let many = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|at| change("issuer", json!(format!("issuer-{at}"))))
            .collect()
    };
    let names = |count: usize| json!(vec!["a"; count]);
    let table: Vec<(Vec<Value>, Option<&str>)> = vec![
        (vec![issuer_json(), other], None),
        (many(16), None),
        (many(17), Some("issuers")),
        (vec![], Some("issuers")),
        (
            vec![issuer_json(), issuer_json()],
            Some("issuers[1].issuer"),
        ),
        (vec![change("issuer", json!(""))], Some("issuers[0].issuer")),
        (
            vec![change("issuer", json!("i".repeat(513)))],
            Some("issuers[0].issuer"),
        ),
        (vec![change("audiences", names(32))], None),
        (
            vec![change("audiences", names(33))],
            Some("issuers[0].audiences"),
        ),
        (
            vec![change("audiences", json!(["a", ""]))],
            Some("issuers[0].audiences[1]"),
        ),
        (
            vec![change("algorithms", json!([]))],
            Some("issuers[0].algorithms"),
        ),
        (
            vec![change("algorithms", json!(["RS256", "RS256"]))],
            Some("issuers[0].algorithms"),
        ),
        (
            vec![change("algorithms", only_rsa)],
            Some("issuers[0].jwks.keys[1].alg"),
        ),
        (vec![unnamed_alg], Some("issuers[0].jwks.keys[1].kty")),
        (vec![change("leeway_seconds", json!(300))], None),
        (
            vec![change("leeway_seconds", json!(301))],
            Some("issuers[0].leeway_seconds"),
        ),
        (
            vec![change("jwks", json!({"keys": []}))],
            Some("issuers[0].jwks.keys"),
        ),
        (
            vec![change(
                "jwks",
                json!({"keys": vec![jwk(Algorithm::EdDsa); 33]}),
            )],
            Some("issuers[0].jwks.keys"),
        ),
    ];
    for (issuers, path) in table {
        let outcome = refused_at(&issuers, json!({}));
        assert_eq!(outcome.err().as_deref(), path, "{}", json!(issuers));
    }
}

#[test]
fn a_bad_tenant_rule_is_named_by_its_path() {
    let table = [
        (json!({}), None),
        (
            json!({"min_length": 1, "max_length": 64, "extra_characters": "-_.~AZ"}),
            None,
        ),
        (json!({"claim": ""}), Some("tenant.claim")),
        (json!({"max_length": 65}), Some("tenant.max_length")),
        (json!({"min_length": 0}), Some("tenant.min_length")),
        (json!({"min_length": 17}), Some("tenant.min_length")),
        (
            json!({"extra_characters": "/"}),
            Some("tenant.extra_characters"),
        ),
        (
            json!({"extra_characters": "%"}),
            Some("tenant.extra_characters"),
        ),
        (
            json!({"extra_characters": " "}),
            Some("tenant.extra_characters"),
        ),
        (
            json!({"extra_characters": "--"}),
            Some("tenant.extra_characters"),
        ),
        (
            json!({"extra_characters": "\u{e9}"}),
            Some("tenant.extra_characters"),
        ),
    ];
    for (rule, path) in table {
        let outcome = refused_at(&[issuer_json()], rule.clone());
        assert_eq!(outcome.err().as_deref(), path, "{rule}");
    }
}

#[test]
fn unknown_fields_and_algorithms_are_refused_by_their_path() {
    let parse = |json: Value| {
        serde_path_to_error::deserialize::<_, IssuerConfig>(json)
            .map(|_| ())
            .map_err(|error| error.path().to_string())
    };
    let change = |name: &str, value: Value| {
        let mut config = issuer_json();
        config[name] = value;
        parse(config)
    };
    assert_eq!(parse(issuer_json()), Ok(()));
    assert_eq!(change("isuer", json!("x")), Err("isuer".into()));
    assert_eq!(
        change("algorithms", json!(["ES256", "HS512"])),
        Err("algorithms[1]".into())
    );
    assert_eq!(
        change("algorithms", json!(["none"])),
        Err("algorithms[0]".into())
    );
    assert_eq!(
        change("leeway_seconds", json!(-1)),
        Err("leeway_seconds".into())
    );
    assert_eq!(
        change("jwks", json!({"keys": [{"kty": 7}]})),
        Err("jwks.keys[0].kty".into())
    );
    assert!(serde_json::from_value::<TenantConfig>(json!({"pattern": ".*"})).is_err());
}

#[test]
fn nothing_printed_holds_key_or_token_bytes() {
    let config = issuer(issuer_json());
    let token = format!("Bearer {}", token(Algorithm::EdDsa, &claims()));
    let bearer = crate::access::BearerToken::from_authorization(Some(token.as_bytes())).unwrap();
    let verified = verify(&access(), bearer).unwrap();
    let printed = format!("{config:?} {:?} {bearer:?} {verified:?}", access());
    for secret in [
        RSA_N,
        P256_X,
        P256_Y,
        ED25519_X,
        &token[7..],
        &token[30..60],
    ] {
        assert!(!printed.contains(secret));
    }
    assert!(printed.contains("rsa-1"));
}
