//! Key sets as issuers publish them: what is skipped, what refuses the whole set.

use serde_json::{Value, json};

use crate::access::Algorithm::{self, EdDsa, Es256, Es384, Hs256, Ps256, Rs256};
use crate::access::test_support::*;
use crate::access::{FetchedKeysError, KeySet, MAX_FETCHED_BYTES, MAX_FETCHED_KEYS};

/// How many keys are used and how many skipped.
type Outcome = Result<(usize, usize), FetchedKeysError>;

/// What comes of a set, for an issuer that signs with `algorithms`.
fn read(text: &str, algorithms: &[Algorithm]) -> Outcome {
    let fetched = KeySet::from_fetched(text.as_bytes(), algorithms)?;
    Ok((fetched.keys.0.len(), fetched.skipped))
}

fn with(algorithm: Algorithm, changes: Value) -> Value {
    let mut key = jwk(algorithm);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

#[test]
fn what_is_not_for_us_is_skipped_and_counted() {
    let short_modulus = encode(&[&[0x80], &[0xff; 254][..]].concat());
    let table: Vec<(Value, bool)> = vec![
        (jwk(Rs256), true),
        (jwk(Es256), true),
        (jwk(Es384), true),
        (with(Rs256, json!({"alg": null})), true),
        (with(Rs256, json!({"kid": null, "use": null})), true),
        (
            with(
                Rs256,
                json!({"x5c": ["MIIB"], "x5t": "x", "unheard_of": {"a": [1]}}),
            ),
            true,
        ),
        (with(Rs256, json!({"key_ops": ["verify"]})), true),
        // Algorithms that the issuer of this test does not list.
        (jwk(EdDsa), false),
        (jwk(Ps256), false),
        (with(Rs256, json!({"alg": "RS512"})), false),
        // Not for signatures.
        (with(Rs256, json!({"use": "enc"})), false),
        (
            with(Rs256, json!({"key_ops": ["encrypt", "wrapKey"]})),
            false,
        ),
        (with(Rs256, json!({"alg": "RSA-OAEP-256"})), false),
        (with(Es256, json!({"alg": "ECDH-ES"})), false),
        // Secrets that are none any more.
        (with(Rs256, json!({"d": "AQAB"})), false),
        (with(Rs256, json!({"p": "AQAB"})), false),
        (with(Rs256, json!({"q": 7})), false),
        (with(Rs256, json!({"dp": ""})), false),
        (with(Rs256, json!({"dq": ""})), false),
        (with(Rs256, json!({"qi": ""})), false),
        (with(Rs256, json!({"oth": []})), false),
        (with(Es256, json!({"d": "AQAB"})), false),
        (with(Es256, json!({"k": "AQAB"})), false),
        (jwk(Hs256), false),
        (with(Hs256, json!({"kty": "oct", "k": null})), false),
        // Types, curves and sizes that are not understood.
        (
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}),
            false,
        ),
        (with(Es256, json!({"crv": "P-521"})), false),
        (with(Es256, json!({"crv": "secp256k1"})), false),
        (with(Es256, json!({"crv": "P-384"})), false),
        (with(Rs256, json!({"n": short_modulus})), false),
        (with(Rs256, json!({"e": "Aw"})), false),
        (with(Es256, json!({"x": P256_Y})), false),
        // Members of the wrong type, or missing.
        (with(Rs256, json!({"kid": 7})), false),
        (with(Rs256, json!({"kid": ""})), false),
        (with(Rs256, json!({"kid": "k".repeat(513)})), false),
        (with(Rs256, json!({"alg": 7})), false),
        (with(Rs256, json!({"use": ["sig"]})), false),
        (with(Rs256, json!({"key_ops": "verify"})), false),
        (with(Rs256, json!({"key_ops": ["verify", 7]})), false),
        (with(Rs256, json!({"kty": null})), false),
        (with(Rs256, json!({"n": null})), false),
        (with(Rs256, json!({"n": 7})), false),
        (json!({}), false),
        (json!("RSA"), false),
        (json!(null), false),
        (json!([]), false),
    ];
    let good = with(Es256, json!({"kid": "good"}));
    for (key, is_used) in table {
        let text = json!({"keys": [good, key]}).to_string();
        let expected = if is_used { (2, 0) } else { (1, 1) };
        let algorithms = [Rs256, Es256, Es384, Hs256];
        assert_eq!(read(&text, &algorithms), Ok(expected), "{key}");
    }
}

#[test]
fn what_refuses_the_whole_set() {
    let set = |keys: Value| json!({ "keys": keys }).to_string();
    let named = |kid: &str, algorithm| with(algorithm, json!({"kid": kid, "alg": null}));
    let padded = |bytes: usize| {
        let text = set(json!([jwk(Rs256)]));
        format!("{text}{}", " ".repeat(bytes - text.len()))
    };
    let many = |count: usize| set(json!(vec![json!({"kty": "?"}); count]));
    let one_of_many = |count: usize| {
        let mut keys = vec![json!({"kty": "?"}); count];
        keys[count - 1] = jwk(Rs256);
        set(json!(keys))
    };
    use FetchedKeysError::{DuplicateKid, NoUsableKey, NotAKeySet, TooLarge, TooManyKeys};
    let table: Vec<(String, Outcome)> = vec![
        (set(json!([jwk(Rs256)])), Ok((1, 0))),
        (padded(MAX_FETCHED_BYTES), Ok((1, 0))),
        (padded(MAX_FETCHED_BYTES + 1), Err(TooLarge)),
        ("x".repeat(MAX_FETCHED_BYTES + 1), Err(TooLarge)),
        (String::new(), Err(NotAKeySet)),
        ("<html></html>".into(), Err(NotAKeySet)),
        ("{}".into(), Err(NotAKeySet)),
        ("[]".into(), Err(NotAKeySet)),
        ("null".into(), Err(NotAKeySet)),
        (r#"{"keys":{}}"#.into(), Err(NotAKeySet)),
        (r#"{"keys":null}"#.into(), Err(NotAKeySet)),
        (r#"{"keys":[],"keys":[]}"#.into(), Err(NotAKeySet)),
        (r#"{"keys":[],"key\u0073":[]}"#.into(), Err(NotAKeySet)),
        (
            r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#.into(),
            Err(NotAKeySet),
        ),
        (r#"{"keys":[]} x"#.into(), Err(NotAKeySet)),
        (
            format!("{}[{}]", r#"{"keys":"#, "[".repeat(40)),
            Err(NotAKeySet),
        ),
        (set(json!([])), Err(NoUsableKey)),
        (set(json!([jwk(EdDsa)])), Err(NoUsableKey)),
        (many(MAX_FETCHED_KEYS), Err(NoUsableKey)),
        (many(MAX_FETCHED_KEYS + 1), Err(TooManyKeys)),
        (one_of_many(MAX_FETCHED_KEYS), Ok((1, MAX_FETCHED_KEYS - 1))),
        (one_of_many(MAX_FETCHED_KEYS + 1), Err(TooManyKeys)),
        (
            set(json!([named("a", Rs256), named("b", Rs256)])),
            Ok((2, 0)),
        ),
        (
            set(json!([named("a", Rs256), named("a", Rs256)])),
            Err(DuplicateKid),
        ),
        (
            set(json!([named("a", Rs256), with(Rs256, json!({"kid": "a"}))])),
            Err(DuplicateKid),
        ),
        // One name for two keys that no token can confuse, and for one that is skipped.
        (
            set(json!([named("a", Rs256), named("a", Es256)])),
            Ok((2, 0)),
        ),
        (
            set(json!([
                named("a", Rs256),
                with(Rs256, json!({"kid": "a", "use": "enc"}))
            ])),
            Ok((1, 1)),
        ),
        // Keys without a name are never meant by one.
        (
            set(json!([
                with(Rs256, json!({"kid": null})),
                with(Rs256, json!({"kid": null}))
            ])),
            Ok((2, 0)),
        ),
    ];
    for (text, expected) in table {
        let shown = text.get(..200.min(text.len())).unwrap_or("?");
        assert_eq!(read(&text, &[Rs256, Es256]), expected, "{shown}");
    }
    assert_eq!(
        KeySet::from_fetched(b"\xff", &[Rs256]).err(),
        Some(NotAKeySet)
    );
}

#[test]
fn one_key_may_serve_several_algorithms_and_a_name_several_keys() {
    let keys = json!({"keys": [
        with(Rs256, json!({"kid": "a", "alg": null})),
        with(Es256, json!({"kid": "a"})),
    ]});
    let algorithms = [Rs256, Algorithm::Ps512, Es256];
    let mut config = issuer_json();
    config["algorithms"] = json!(algorithms.map(Algorithm::name));
    config["jwks"] = json!({"keys": [jwk(Rs256)]});
    let mut access = access_of([config]);
    let fetched = KeySet::from_fetched(keys.to_string().as_bytes(), &algorithms).unwrap();
    let (issuer, _) = access.issuers().next().unwrap();
    access.replace_keys(issuer, fetched.keys);
    for algorithm in algorithms {
        let header = json!({"alg": algorithm.name(), "kid": "a"}).to_string();
        let token = sign(algorithm, &header, &claims().to_string());
        assert_eq!(authenticate(&access, &token).err(), None, "{algorithm:?}");
        let header = json!({"alg": algorithm.name()}).to_string();
        let token = sign(algorithm, &header, &claims().to_string());
        assert_eq!(authenticate(&access, &token).err(), None, "{algorithm:?}");
    }
}

#[test]
fn reasons_are_words_for_a_log() {
    for error in [
        FetchedKeysError::TooLarge,
        FetchedKeysError::NotAKeySet,
        FetchedKeysError::TooManyKeys,
        FetchedKeysError::DuplicateKid,
        FetchedKeysError::NoUsableKey,
    ] {
        let reason = error.reason();
        assert!(
            reason
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        );
        assert_eq!(error.to_string(), reason);
    }
}
