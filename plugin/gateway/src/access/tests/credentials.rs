//! The `Authorization` value, the token's form, and its header: every trick with `alg`, `kid` and the rest.

use serde_json::{Value, json};

use crate::access::Unauthenticated::{
    self, AlgorithmNotAllowed, AmbiguousKey, BadSignature, CriticalExtension, KeyAlgorithmMismatch,
    MalformedClaims, MalformedHeader, MalformedToken, NoCredentials, NotBearer, TokenTooLarge,
    UnknownAlgorithm, UnknownIssuer, UnknownKey,
};
use crate::access::test_support::*;
use crate::access::{Access, Algorithm, MAX_HEADER_BYTES, MAX_TOKEN_BYTES};

const ED: Algorithm = Algorithm::EdDsa;

#[test]
fn the_authorization_value() {
    let access = access();
    let good = token(ED, &claims());
    let outcome = |value: &[u8]| authenticate_at(&access, Some(value), NOW_MS).err();
    let table: [(String, Option<Unauthenticated>); 19] = [
        (format!("Bearer {good}"), None),
        (format!("bearer {good}"), None),
        (format!("BEARER    {good}"), None),
        (format!("Bearer{good}"), Some(NotBearer)),
        (format!("Bearer\t{good}"), Some(NotBearer)),
        (format!("Bearer:{good}"), Some(NotBearer)),
        (format!(" Bearer {good}"), Some(NotBearer)),
        (format!("Basic {good}"), Some(NotBearer)),
        (format!("DPoP {good}"), Some(NotBearer)),
        (good.clone(), Some(NotBearer)),
        ("Bearer".into(), Some(NotBearer)),
        ("Bearer    ".into(), Some(NotBearer)),
        (String::new(), Some(NotBearer)),
        (format!("Bearer {good} "), Some(MalformedToken)),
        (
            format!("Bearer {good}, Bearer {good}"),
            Some(MalformedToken),
        ),
        (format!("Bearer \"{good}\""), Some(MalformedToken)),
        (format!("Bearer {good}="), Some(MalformedToken)),
        (format!("Bearer {good}\0"), Some(MalformedToken)),
        ("Bearer \u{e4}\u{f6}".into(), Some(MalformedToken)),
    ];
    for (value, expected) in table {
        assert_eq!(outcome(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(outcome(b"Bearer \xff"), Some(MalformedToken));
    assert_eq!(
        authenticate_at(&access, None, NOW_MS).err(),
        Some(NoCredentials)
    );
}

#[test]
fn only_a_bearer_token_counts_as_one_that_was_sent() {
    assert!(!NoCredentials.token_sent());
    assert!(!NotBearer.token_sent());
    assert!(TokenTooLarge.token_sent() && MalformedToken.token_sent() && BadSignature.token_sent());
}

#[test]
fn the_token_has_three_segments_and_a_bounded_size() {
    let access = access();
    let good = token(ED, &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let (header, body, signature) = (parts[0], parts[1], parts[2]);
    let outcome = |token: &str| authenticate(&access, token).err();
    for wrong in [
        format!("{header}.{body}"),
        format!("{header}.{body}."),
        format!(".{body}.{signature}"),
        format!("{header}..{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{header}.{body}.{signature}.e30.e30"),
        format!("{header}=.{body}.{signature}"),
        "...".into(),
        ".".into(),
        "x".into(),
    ] {
        assert_eq!(outcome(&wrong), Some(MalformedToken), "{wrong}");
    }
    // The last character of 64 bytes in base64url carries four spare bits; another spelling of them is another text.
    let (stem, last) = signature.split_at(signature.len() - 1);
    let respelled = if last == "A" { "B" } else { "_" };
    assert_eq!(
        outcome(&format!("{header}.{body}.{stem}{respelled}")),
        Some(MalformedToken)
    );

    let padded = |target: usize| {
        let token_of = |filler: usize| token(ED, &claims_with(json!({"note": "x".repeat(filler)})));
        let mut filler = target * 3 / 4 - 400;
        while token_of(filler).len() < target {
            filler += 1;
        }
        token_of(filler)
    };
    let largest = padded(MAX_TOKEN_BYTES - 1);
    assert!(largest.len() <= MAX_TOKEN_BYTES, "{}", largest.len());
    assert_eq!(outcome(&largest), None);
    assert_eq!(outcome(&padded(MAX_TOKEN_BYTES + 1)), Some(TokenTooLarge));
    assert_eq!(outcome(&"x".repeat(1 << 20)), Some(TokenTooLarge));
}

/// Signs with the key for `algorithm`, under whatever header, and tells the outcome.
fn under(access: &Access, algorithm: Algorithm, header: &Value) -> Option<Unauthenticated> {
    let token = sign(algorithm, &header.to_string(), &claims().to_string());
    authenticate(access, &token).err()
}

#[test]
fn every_algorithm_with_every_key_and_every_name() {
    let access = access();
    for signer in Algorithm::ALL {
        for named in Algorithm::ALL {
            for key in Algorithm::ALL {
                let expected = match (named == key, signer == key) {
                    (true, true) => None,
                    (true, false) => Some(BadSignature),
                    (false, _) => Some(KeyAlgorithmMismatch),
                };
                let header = json!({"alg": named.name(), "kid": kid(key)});
                assert_eq!(
                    under(&access, signer, &header),
                    expected,
                    "{signer:?} {header}"
                );
            }
            let expected = (signer != named).then_some(BadSignature);
            assert_eq!(
                under(&access, signer, &json!({"alg": named.name()})),
                expected
            );
        }
        for unknown in [
            "none", "None", "NONE", "nOnE", "", "rs256", "Rs256", "es256", "eddsa", "EDDSA",
            "hs256", "Hs256", "HS384", "HS512", "ps256", "RS1", "PS1", "ES512", "ES256K", "Ed448",
            "RS256 ", " RS256", "RS256\0", "dir", "RSA1_5",
        ] {
            let header = json!({"alg": unknown, "kid": kid(signer)});
            assert_eq!(
                under(&access, signer, &header),
                Some(UnknownAlgorithm),
                "{header}"
            );
        }
    }
    assert_eq!(
        under(&access, ED, &json!({"alg": "Ed25519", "kid": kid(ED)})),
        None
    );
}

#[test]
fn header_members() {
    let table: Vec<(Value, Option<Unauthenticated>)> = vec![
        (json!({"alg": "EdDSA", "kid": "ed25519-1"}), None),
        (json!({"alg": "EdDSA"}), None),
        (json!({"alg": "EdDSA", "typ": "JWT"}), None),
        (json!({"alg": "EdDSA", "typ": "at+JWT"}), None),
        (
            json!({"alg": "EdDSA", "typ": "dpop+jwt"}),
            Some(MalformedHeader),
        ),
        (
            json!({"alg": "EdDSA", "typ": "logout+jwt"}),
            Some(MalformedHeader),
        ),
        (json!({"alg": "EdDSA", "typ": null}), Some(MalformedHeader)),
        (
            json!({"alg": "EdDSA", "kid": "ed25519-2"}),
            Some(UnknownKey),
        ),
        (
            json!({"alg": "EdDSA", "kid": "ED25519-1"}),
            Some(UnknownKey),
        ),
        (
            json!({"alg": "EdDSA", "kid": "../../dev/null"}),
            Some(UnknownKey),
        ),
        (json!({"alg": "EdDSA", "kid": "' OR 1=1"}), Some(UnknownKey)),
        (json!({"alg": "EdDSA", "kid": ""}), Some(MalformedHeader)),
        (json!({"alg": "EdDSA", "kid": 1}), Some(MalformedHeader)),
        (json!({"alg": "EdDSA", "kid": null}), Some(MalformedHeader)),
        (
            json!({"alg": "EdDSA", "kid": ["ed25519-1"]}),
            Some(MalformedHeader),
        ),
        (
            json!({"alg": "EdDSA", "kid": "k".repeat(513)}),
            Some(MalformedHeader),
        ),
        (json!({"alg": ["EdDSA"]}), Some(MalformedHeader)),
        (json!({"alg": null}), Some(MalformedHeader)),
        (json!({"kid": "ed25519-1"}), Some(MalformedHeader)),
        (json!({}), Some(MalformedHeader)),
        (json!({"alg": "EdDSA", "crit": []}), Some(CriticalExtension)),
        (
            json!({"alg": "EdDSA", "crit": null}),
            Some(CriticalExtension),
        ),
        (
            json!({"alg": "EdDSA", "crit": ["exp"]}),
            Some(CriticalExtension),
        ),
        (
            json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}),
            Some(CriticalExtension),
        ),
        (json!({"alg": "EdDSA", "b64": false}), None),
        (
            json!({"alg": "EdDSA", "jku": "https://evil.test/jwks", "x5u": "https://evil.test/cert"}),
            None,
        ),
        (
            json!({"alg": "EdDSA", "jwk": jwk(ED), "x5c": ["MIIB"], "x5t": 7, "cty": "JWT"}),
            None,
        ),
        (
            json!({"alg": "EdDSA", "x": "x".repeat(MAX_HEADER_BYTES)}),
            Some(MalformedHeader),
        ),
    ];
    let access = access();
    for (header, expected) in table {
        assert_eq!(under(&access, ED, &header), expected, "{header}");
    }
}

#[test]
fn a_key_carried_by_the_token_is_never_used() {
    // Signed by a key that access does not have, and bringing that very key along.
    let mut config = issuer_json();
    config["jwks"]["keys"] = json!([jwk(Algorithm::Rs256), jwk(Algorithm::Es256)]);
    let access = access_of([config]);
    let bringing = |kid: Option<&str>| {
        let mut header = json!({"alg": "EdDSA", "jwk": jwk(ED)});
        if let Some(kid) = kid {
            header["kid"] = json!(kid);
        }
        under(&access, ED, &header)
    };
    assert_eq!(bringing(None), Some(AmbiguousKey));
    assert_eq!(bringing(Some("ed25519-1")), Some(UnknownKey));
    assert_eq!(bringing(Some("p256-1")), Some(KeyAlgorithmMismatch));
}

#[test]
fn header_and_claims_are_plain_json_objects() {
    let access = access();
    let outcome =
        |header: &str, claims: &str| authenticate(&access, &sign(ED, header, claims)).err();
    let (good_header, good_claims) = (r#"{"alg":"EdDSA"}"#, claims().to_string());
    assert_eq!(outcome(good_header, &good_claims), None);
    assert_eq!(
        outcome(&format!(" {good_header}\n"), &format!("\t{good_claims} ")),
        None
    );
    for header in [
        r#"{"alg":"none","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","x":{"a":1,"a":1}}"#,
        r#"{"alg":"EdDSA"}{"#,
        r#"{"alg":"EdDSA""#,
        r#"[{"alg":"EdDSA"}]"#,
        r#""EdDSA""#,
        "null",
        " ",
        "\u{feff}{\"alg\":\"EdDSA\"}",
    ] {
        assert_eq!(
            outcome(header, &good_claims),
            Some(MalformedHeader),
            "{header}"
        );
    }
    let deep = format!(
        r#"{{"alg":"EdDSA","x":{}{}}}"#,
        "[".repeat(900),
        "]".repeat(900)
    );
    assert_eq!(outcome(&deep, &good_claims), Some(MalformedHeader));
    let open = good_claims.strip_suffix('}').unwrap();
    for claims in [
        format!(r#"{open},"tenant":"acme"}}"#),
        format!(r#"{open},"tenan\u0074":"other"}}"#),
        format!(r#"{open},"x":[{{"a":1,"a":2}}]}}"#),
        format!("{good_claims} x"),
        format!("[{good_claims}]"),
        open.to_owned(),
        " ".to_owned(),
        "{\"iss\":\"\u{1}\"}".to_owned(),
    ] {
        assert_eq!(
            outcome(good_header, &claims),
            Some(MalformedClaims),
            "{claims}"
        );
    }
}

#[test]
fn without_a_kid_exactly_one_key_must_fit() {
    let mut second = jwk(ED);
    second["kid"] = json!("ed25519-2");
    let mut nameless = jwk(ED);
    nameless.as_object_mut().unwrap().remove("kid");
    for extra in [second, nameless] {
        let mut config = issuer_json();
        config["jwks"]["keys"] = json!([jwk(ED), extra, jwk(Algorithm::Es256)]);
        let access = access_of([config]);
        assert_eq!(
            under(&access, ED, &json!({"alg": "EdDSA"})),
            Some(AmbiguousKey)
        );
        assert_eq!(
            under(&access, ED, &json!({"alg": "EdDSA", "kid": "ed25519-1"})),
            None
        );
        assert_eq!(
            under(&access, Algorithm::Es256, &json!({"alg": "ES256"})),
            None
        );
    }
}

#[test]
fn each_issuer_has_its_own_keys_and_algorithms() {
    let one = json!({"issuer": "one", "algorithms": ["EdDSA"], "jwks": {"keys": [jwk(ED)]}});
    let keys = json!({"keys": [jwk(Algorithm::Es256)]});
    let two = json!({"issuer": "two", "algorithms": ["ES256", "RS256"], "jwks": keys});
    let access = access_of([one, two]);
    let outcome = |algorithm, iss: Value| {
        authenticate(
            &access,
            &token(algorithm, &claims_with(json!({"iss": iss}))),
        )
        .err()
    };
    assert_eq!(outcome(ED, json!("one")), None);
    assert_eq!(outcome(Algorithm::Es256, json!("two")), None);
    assert_eq!(outcome(ED, json!("two")), Some(AlgorithmNotAllowed));
    assert_eq!(
        outcome(Algorithm::Es256, json!("one")),
        Some(AlgorithmNotAllowed)
    );
    assert_eq!(outcome(Algorithm::Rs256, json!("two")), Some(UnknownKey));
    for unknown in ["One", "one ", "one/", "", "three"] {
        assert_eq!(
            outcome(ED, json!(unknown)),
            Some(UnknownIssuer),
            "{unknown}"
        );
    }
    assert_eq!(outcome(ED, Value::Null), Some(UnknownIssuer));
    assert_eq!(outcome(ED, json!(["one"])), Some(MalformedClaims));
}
