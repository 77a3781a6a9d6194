//! Claims that are kept for rules, and the id of a token.

use serde_json::{Value, json};

use crate::access::Algorithm::EdDsa;
use crate::access::test_support::*;
use crate::access::{
    Access, BearerToken, ClaimValue, MAX_CLAIM_TEXTS, MAX_KEPT_CLAIMS, TenantConfig,
    Unauthenticated,
};

fn keeping(names: &[&str]) -> Access {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Access::new(&[issuer(issuer_json())], &TenantConfig::default(), &names).unwrap()
}

fn texts(texts: &[&str]) -> ClaimValue {
    ClaimValue::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[test]
fn plain_values_are_kept_and_others_count_as_absent() {
    let access = keeping(&["it"]);
    let many = |count: usize| vec!["a"; count];
    let table: Vec<(String, Option<ClaimValue>)> = vec![
        ("\"gold\"".into(), Some(ClaimValue::Text("gold".into()))),
        ("\"\"".into(), Some(ClaimValue::Text(String::new()))),
        ("true".into(), Some(ClaimValue::Bool(true))),
        ("false".into(), Some(ClaimValue::Bool(false))),
        ("0".into(), Some(ClaimValue::Integer(0))),
        (
            "18446744073709551615".into(),
            Some(ClaimValue::Integer(u64::MAX.into())),
        ),
        ("18446744073709551616".into(), None),
        ("-1".into(), Some(ClaimValue::Integer(-1))),
        (
            "-9223372036854775808".into(),
            Some(ClaimValue::Integer(i64::MIN.into())),
        ),
        ("-9223372036854775809".into(), None),
        ("-0".into(), None),
        ("1.0".into(), None),
        ("1e3".into(), None),
        ("[]".into(), Some(texts(&[]))),
        (r#"["a","b","a"]"#.into(), Some(texts(&["a", "b", "a"]))),
        (r#"["a",1]"#.into(), None),
        (r#"["a",["b"]]"#.into(), None),
        (r#"["a",null]"#.into(), None),
        (
            json!(many(MAX_CLAIM_TEXTS)).to_string(),
            Some(texts(&many(MAX_CLAIM_TEXTS))),
        ),
        (json!(many(MAX_CLAIM_TEXTS + 1)).to_string(), None),
        ("null".into(), None),
        ("{}".into(), None),
        (r#"{"it":"gold"}"#.into(), None),
    ];
    for (value, expected) in table {
        let claims = claims()
            .to_string()
            .replacen('{', &format!(r#"{{"it":{value},"#), 1);
        let token = sign(EdDsa, r#"{"alg":"EdDSA"}"#, &claims);
        let identity = authenticate(&access, &token).unwrap();
        assert_eq!(identity.claim("it"), expected.as_ref(), "{value}");
    }
}

#[test]
fn only_what_was_asked_for_is_kept() {
    let identity_of = |access: &Access| {
        let claims = claims_with(json!({"tier": "gold", "a.b": "x", "nested": {"tier": "silver"}}));
        authenticate(access, &token(EdDsa, &claims)).unwrap()
    };
    let kept = identity_of(&keeping(&["tier", "a.b", "sub", "exp", "absent", "tier"]));
    assert_eq!(kept.claim("tier"), Some(&ClaimValue::Text("gold".into())));
    assert_eq!(kept.claim("a.b"), Some(&ClaimValue::Text("x".into())));
    assert_eq!(
        kept.claim("sub"),
        Some(&ClaimValue::Text("employee-7".into()))
    );
    let exp = ClaimValue::Integer((NOW_SECONDS + 3600).into());
    assert_eq!(kept.claim("exp"), Some(&exp));
    for absent in ["absent", "scope", "Tier", "nested", "nested.tier", ""] {
        assert_eq!(kept.claim(absent), None, "{absent}");
    }
    assert_eq!(identity_of(&access()).claim("tier"), None);
}

#[test]
fn names_of_claims_are_bounded() {
    let build = |names: &[String]| {
        Access::new(&[issuer(issuer_json())], &TenantConfig::default(), names).map(|_| ())
    };
    let names = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
    assert!(build(&names(MAX_KEPT_CLAIMS)).is_ok());
    assert!(build(&[names(MAX_KEPT_CLAIMS), names(MAX_KEPT_CLAIMS)].concat()).is_ok());
    assert!(build(&names(MAX_KEPT_CLAIMS + 1)).is_err());
    assert!(build(&[String::new()]).is_err());
    assert!(build(&["n".repeat(512)]).is_ok());
    assert!(build(&["n".repeat(513)]).is_err());
}

#[test]
fn the_id_of_a_token() {
    let longest = "j".repeat(255);
    let table = [
        (json!("7f3c"), Ok(Some("7f3c"))),
        (json!("J\u{fc}rgen 7"), Ok(Some("J\u{fc}rgen 7"))),
        (json!(longest), Ok(Some(longest.as_str()))),
        (Value::Null, Ok(None)),
        (json!(""), Err(Unauthenticated::MalformedClaims)),
        (
            json!(format!("{longest}j")),
            Err(Unauthenticated::MalformedClaims),
        ),
        (json!("a\nb"), Err(Unauthenticated::MalformedClaims)),
        (json!("a\u{7f}"), Err(Unauthenticated::MalformedClaims)),
        (json!(7), Err(Unauthenticated::MalformedClaims)),
        (json!(["a"]), Err(Unauthenticated::MalformedClaims)),
    ];
    let access = access();
    for (id, expected) in table {
        let value = format!("Bearer {}", token(EdDsa, &claims_with(json!({"jti": id}))));
        let token = BearerToken::from_authorization(Some(value.as_bytes())).unwrap();
        let outcome = verify(&access, token).map_err(|rejected| rejected.reason);
        let found = outcome.as_ref().map(|token| token.token_id());
        assert_eq!(found, expected.as_ref().copied(), "{id}");
    }
}

#[test]
fn a_verified_token_says_when_and_for_whom() {
    let value = format!("Bearer {}", token(EdDsa, &claims()));
    let token = BearerToken::from_authorization(Some(value.as_bytes())).unwrap();
    let verified = verify(&access(), token).unwrap();
    assert_eq!(verified.subject(), Some("employee-7"));
    assert_eq!(verified.issued_ms(), Some(NOW_MS - 10_000));
    assert_eq!(verified.expires_ms(), NOW_MS + 3_600_000 + 30_000);
    assert!(verified.identity_at(verified.expires_ms() - 1).is_ok());
    assert!(verified.identity_at(verified.expires_ms()).is_err());
}
