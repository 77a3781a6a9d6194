//! Development keys and tokens: what a gateway that knows only the public halves makes of them.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use jwt_simple::prelude::*;
use serde_json::{Value, json};
use testbed::{Algorithm, DEV_ISSUER, DevKeys, TokenRequest};

/// The claims of `token` as verified with the public key that its `kid` names.
fn verified(keys: &DevKeys, token: &str) -> Value {
    let header = Token::decode_metadata(token).expect("a header");
    let jwks = keys.jwks();
    let list = jwks["keys"].as_array().expect("a key set");
    let jwk = list
        .iter()
        .find(|jwk| jwk["kid"] == header.key_id().expect("a kid"))
        .expect("the key");
    assert_eq!(jwk["alg"], header.algorithm());
    let jwk = jwk.to_string();
    let claims =
        match header.algorithm() {
            "RS256" => RS256PublicKey::from_jwk(&jwk)
                .and_then(|key| key.verify_token::<Value>(token, None)),
            "ES256" => ES256PublicKey::from_jwk(&jwk)
                .and_then(|key| key.verify_token::<Value>(token, None)),
            "EdDSA" => Ed25519PublicKey::from_jwk(&jwk)
                .and_then(|key| key.verify_token::<Value>(token, None)),
            other => panic!("an algorithm that nobody asked for: {other}"),
        };
    serde_json::to_value(claims.expect("a valid token")).expect("claims")
}

#[test]
fn tokens_say_what_was_asked_and_verify_with_the_public_key_set() {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = DevKeys::open(&dir.path().join("keys")).expect("keys");
    for algorithm in Algorithm::ALL {
        let request = TokenRequest {
            subject: "clerk".to_owned(),
            scope: "a b".to_owned(),
            expires_in_seconds: 60,
            algorithm,
            ..TokenRequest::new("acme")
        };
        let before = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a time")
            .as_secs();
        let (first, second) = (
            keys.token(&request).expect("a token"),
            keys.token(&request).expect("a token"),
        );
        let claims = verified(&keys, &first);
        assert_eq!(claims["iss"], DEV_ISSUER);
        assert_eq!(claims["sub"], "clerk");
        assert_eq!(claims["tenant"], "acme");
        assert_eq!(claims["scope"], "a b");
        let issued = claims["iat"].as_u64().expect("iat");
        assert!(issued >= before);
        assert_eq!(claims["exp"].as_u64().expect("exp"), issued + 60);
        assert_ne!(claims["jti"], verified(&keys, &second)["jti"]);
    }
}

#[test]
fn claims_can_be_signed_exactly_as_given() {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = DevKeys::open(&dir.path().join("keys")).expect("keys");
    let token = keys
        .sign(Algorithm::EdDsa, json!({ "scp": ["x"], "tenant": 7 }))
        .expect("a token");
    assert_eq!(
        verified(&keys, &token),
        json!({ "scp": ["x"], "tenant": 7 })
    );
}

#[test]
fn public_halves_are_all_that_leaves() {
    let dir = tempfile::tempdir().expect("a directory");
    let jwks = DevKeys::open(&dir.path().join("keys"))
        .expect("keys")
        .jwks();
    let keys = jwks["keys"].as_array().expect("a key set");
    assert_eq!(keys.len(), 3);
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(key.get(private).is_none(), "{private} in {key}");
        }
    }
}

#[test]
fn the_public_set_lies_beside_the_shared_keys_and_follows_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let published = || -> Value {
        let text = std::fs::read_to_string(dir.path().join("jwks.json")).expect("a file");
        serde_json::from_str(&text).expect("JSON")
    };
    let first = DevKeys::shared_in(dir.path()).expect("keys").jwks();
    assert_eq!(published(), first);
    std::fs::remove_dir_all(dir.path().join("keys")).expect("remove");
    let second = DevKeys::shared_in(dir.path()).expect("keys").jwks();
    assert_ne!(second, first);
    assert_eq!(published(), second);
    let files = std::fs::read_dir(dir.path()).expect("a listing").count();
    assert_eq!(files, 2, "no draft is left");
}

#[test]
fn keys_are_made_once_also_when_many_start_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let made: Vec<Value> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    DevKeys::open(&dir.path().join("keys"))
                        .expect("keys")
                        .jwks()
                })
            })
            .collect();
        openers
            .into_iter()
            .map(|opener| opener.join().expect("no panic"))
            .collect()
    });
    assert!(made.iter().all(|jwks| *jwks == made[0]));
    assert_eq!(
        DevKeys::open(&dir.path().join("keys"))
            .expect("keys")
            .jwks(),
        made[0]
    );
    let files: Vec<_> = std::fs::read_dir(dir.path().join("keys"))
        .expect("a listing")
        .flatten()
        .collect();
    assert_eq!(files.len(), 3, "no draft is left: {files:?}");
    for file in files {
        assert_eq!(
            file.metadata().expect("metadata").permissions().mode() & 0o777,
            0o600
        );
    }
}
