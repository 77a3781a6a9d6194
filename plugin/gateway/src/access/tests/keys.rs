//! Keys that come, stay and go while the issuer stays.

use serde_json::{Value, json};

use crate::access::Algorithm::{self, EdDsa, Es256, Rs256};
use crate::access::test_support::*;
use crate::access::{
    Access, BearerToken, Effort, IssuerId, KeyId, KeySet, Rejected, Unauthenticated, VerifiedToken,
};

fn key_set(keys: &[Value]) -> KeySet {
    let text = json!({ "keys": keys }).to_string();
    let fetched = KeySet::from_fetched(text.as_bytes(), &Algorithm::ALL);
    fetched.expect("usable keys").keys
}

fn publishing() -> (Access, IssuerId) {
    let algorithms: Vec<&str> = Algorithm::ALL[..9].iter().map(|it| it.name()).collect();
    let uri = json!({"cluster": "login", "uri": "https://login.example/jwks"});
    let access = access_of([json!({"issuer": ISSUER, "algorithms": algorithms, "jwks_uri": uri})]);
    let (issuer, _) = access.issuers().next().unwrap();
    (access, issuer)
}

fn look(access: &Access, token: &str) -> Result<VerifiedToken, Rejected> {
    let value = format!("Bearer {token}");
    verify(
        access,
        BearerToken::from_authorization(Some(value.as_bytes())).unwrap(),
    )
}

fn key_of(access: &Access, algorithm: Algorithm) -> KeyId {
    look(access, &token(algorithm, &claims())).unwrap().key()
}

fn named(algorithm: Algorithm, kid: &str) -> Value {
    let mut key = jwk(algorithm);
    key["kid"] = json!(kid);
    key
}

#[test]
fn without_keys_a_token_is_refused_but_not_blamed() {
    let (mut access, issuer) = publishing();
    let good = token(Es256, &claims());
    let unavailable = Rejected {
        reason: Unauthenticated::KeysUnavailable,
        issuer: Some(issuer),
        effort: Effort::Cheap,
    };
    assert_eq!(look(&access, &good).err(), Some(unavailable));
    assert!(unavailable.reason.is_ours());
    access.replace_keys(issuer, key_set(&[jwk(Es256)]));
    assert!(look(&access, &good).is_ok());
    access.withdraw_keys(issuer);
    assert_eq!(look(&access, &good).err(), Some(unavailable));
    access.replace_keys(issuer, key_set(&[jwk(Es256)]));
    assert!(look(&access, &good).is_ok());
}

#[test]
fn whatever_can_be_refused_without_keys_is_refused_as_if_they_were_there() {
    let (access, issuer) = publishing();
    use Unauthenticated::{
        AlgorithmNotAllowed, KeysUnavailable, MalformedClaims, MalformedScopes, NoExpiry, NoTenant,
        UnknownIssuer,
    };
    let table = [
        (
            token(Algorithm::Hs256, &claims()),
            AlgorithmNotAllowed,
            true,
        ),
        (
            token(Es256, &claims_with(json!({"iss": "else"}))),
            UnknownIssuer,
            false,
        ),
        (
            token(Es256, &claims_with(json!({"exp": "x"}))),
            MalformedClaims,
            false,
        ),
        (
            token(Es256, &claims_with(json!({"scope": 7}))),
            MalformedScopes,
            true,
        ),
        (
            token(Es256, &claims_with(json!({"tenant": null}))),
            NoTenant,
            true,
        ),
        (
            token(Es256, &claims_with(json!({"exp": null}))),
            NoExpiry,
            true,
        ),
        (
            token(Es256, &claims_with(json!({"exp": 1}))),
            KeysUnavailable,
            true,
        ),
        (
            sign(Es256, r#"{"alg":"ES256","kid":"?"}"#, &claims().to_string()),
            KeysUnavailable,
            true,
        ),
        (
            sign(Es256, r#"{"alg":"ES256"}"#, &claims().to_string()),
            KeysUnavailable,
            true,
        ),
    ];
    for (token, reason, issuer_is_known) in table {
        let expected = Rejected {
            reason,
            issuer: issuer_is_known.then_some(issuer),
            effort: Effort::Cheap,
        };
        assert_eq!(look(&access, &token).err(), Some(expected));
    }
}

#[test]
fn a_key_that_stays_keeps_its_id_and_no_id_comes_back() {
    let (mut access, issuer) = publishing();
    access.replace_keys(issuer, key_set(&[jwk(Rs256), jwk(Es256)]));
    let (rsa, ec) = (key_of(&access, Rs256), key_of(&access, Es256));
    assert_ne!(rsa, ec);
    assert!(access.holds_key(issuer, rsa) && access.holds_key(issuer, ec));

    // The same keys in another order, with one more.
    access.replace_keys(issuer, key_set(&[jwk(EdDsa), jwk(Es256), jwk(Rs256)]));
    let ed = key_of(&access, EdDsa);
    assert_eq!((key_of(&access, Rs256), key_of(&access, Es256)), (rsa, ec));
    assert!(ed != rsa && ed != ec);

    // One goes, and what was verified with it is no longer.
    access.replace_keys(issuer, key_set(&[jwk(Es256)]));
    assert!(!access.holds_key(issuer, rsa) && !access.holds_key(issuer, ed));
    assert!(access.holds_key(issuer, ec));
    let gone = look(&access, &token(Rs256, &claims())).unwrap_err();
    assert_eq!(gone.reason, Unauthenticated::UnknownKey);
    assert_eq!(gone.issuer, Some(issuer));

    // It comes back as a stranger: what was verified in the meantime cannot be told apart otherwise.
    access.replace_keys(issuer, key_set(&[jwk(Es256), jwk(Rs256)]));
    assert_ne!(key_of(&access, Rs256), rsa);
    assert!(!access.holds_key(issuer, rsa));

    access.withdraw_keys(issuer);
    assert!(!access.holds_key(issuer, ec));
    access.replace_keys(issuer, key_set(&[jwk(Es256)]));
    assert_ne!(key_of(&access, Es256), ec);
}

#[test]
fn name_restriction_and_material_make_a_key() {
    let other_p256 = {
        let mut key = jwk(Es256);
        // The key of RFC 6979, A.2.5.
        key["x"] = json!("YP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Y");
        key["y"] = json!("eQP-EAi4vJmkGunpVii8ZPLxsgwtfp9Rd6PClNRGIpk");
        key
    };
    let unrestricted = {
        let mut key = jwk(Es256);
        key.as_object_mut().unwrap().remove("alg");
        key
    };
    let nameless = {
        let mut key = jwk(Es256);
        key.as_object_mut().unwrap().remove("kid");
        key
    };
    let respelled = {
        let mut key = jwk(Es256);
        key["x5t"] = json!("something else about it");
        key["key_ops"] = json!(["verify"]);
        key
    };
    let table = [
        ("the same", jwk(Es256), true),
        ("described otherwise", respelled, true),
        ("another name", named(Es256, "other"), false),
        ("no name", nameless, false),
        ("no restriction", unrestricted, false),
        ("another point", other_p256, false),
    ];
    for (what, new, stays) in table {
        let (mut access, issuer) = publishing();
        access.replace_keys(issuer, key_set(&[jwk(Es256)]));
        let old = key_of(&access, Es256);
        access.replace_keys(issuer, key_set(&[new]));
        assert_eq!(access.holds_key(issuer, old), stays, "{what}");
    }
    // Every kind of key is recognised.
    for algorithm in &Algorithm::ALL[..9] {
        let (mut access, issuer) = publishing();
        access.replace_keys(issuer, key_set(&[jwk(*algorithm)]));
        let old = key_of(&access, *algorithm);
        access.replace_keys(issuer, key_set(&[jwk(*algorithm)]));
        assert!(access.holds_key(issuer, old), "{algorithm:?}");
    }
}

#[test]
fn two_equal_keys_without_names_do_not_share_an_id() {
    let (mut access, issuer) = publishing();
    let mut nameless = jwk(Es256);
    nameless.as_object_mut().unwrap().remove("kid");
    access.replace_keys(issuer, key_set(&[nameless.clone()]));
    let by_algorithm = sign(Es256, r#"{"alg":"ES256"}"#, &claims().to_string());
    let id = look(&access, &by_algorithm).unwrap().key();
    access.replace_keys(issuer, key_set(&[nameless.clone(), nameless]));
    assert!(access.holds_key(issuer, id));
    let ambiguous = look(&access, &by_algorithm).unwrap_err();
    assert_eq!(ambiguous.reason, Unauthenticated::AmbiguousKey);
}

#[test]
fn ids_belong_to_their_issuer() {
    let config = |name: &str| {
        let mut config = issuer_json();
        config["issuer"] = json!(name);
        config
    };
    let access = access_of([config("one"), config("two")]);
    let ids: Vec<IssuerId> = access.issuers().map(|(id, _)| id).collect();
    let verified = |name: &str| {
        let claims = claims_with(json!({"iss": name}));
        look(&access, &token(EdDsa, &claims)).unwrap()
    };
    let (one, two) = (verified("one"), verified("two"));
    assert_eq!((one.issuer(), two.issuer()), (ids[0], ids[1]));
    assert_ne!(one.key(), two.key());
    assert!(access.holds_key(ids[0], one.key()) && access.holds_key(ids[1], two.key()));
    assert!(!access.holds_key(ids[1], one.key()) && !access.holds_key(ids[0], two.key()));
}
