//! Time claims, one second (and one millisecond) on each side of each boundary, and in every odd spelling.

use serde_json::json;

use crate::access::Unauthenticated::{
    self, Expired, IssuedInFuture, LifetimeTooLong, MalformedClaims, NoExpiry, NoIssuedAt,
    NotYetValid,
};
use crate::access::test_support::*;
use crate::access::{Algorithm, BearerToken};

const LEEWAY_SECONDS: i64 = 30;

#[test]
fn each_boundary_holds_to_the_second() {
    // Offsets are seconds from now; the leeway is 30 s.
    let at = |claim: &str, offset: i64, expected: Option<Unauthenticated>| {
        let claims = claims_with(json!({claim: NOW_SECONDS + offset}));
        let outcome = authenticate_claims(&claims).err();
        assert_eq!(outcome, expected, "{claim} {offset:+}");
    };
    at("exp", 1, None);
    at("exp", 0, None);
    at("exp", -1, None);
    at("exp", -LEEWAY_SECONDS + 1, None);
    at("exp", -LEEWAY_SECONDS, Some(Expired));
    at("exp", -LEEWAY_SECONDS - 1, Some(Expired));
    at("exp", -NOW_SECONDS, Some(Expired));
    for (claim, refusal) in [("nbf", NotYetValid), ("iat", IssuedInFuture)] {
        at(claim, -NOW_SECONDS, None);
        at(claim, -1, None);
        at(claim, 0, None);
        at(claim, 1, None);
        at(claim, LEEWAY_SECONDS - 1, None);
        at(claim, LEEWAY_SECONDS, None);
        at(claim, LEEWAY_SECONDS + 1, Some(refusal));
        at(claim, 100_000, Some(refusal));
    }
}

#[test]
fn each_boundary_holds_to_the_millisecond_for_any_leeway() {
    for leeway_seconds in [0, 1, 30, 300] {
        let mut config = issuer_json();
        config["leeway_seconds"] = json!(leeway_seconds);
        let access = access_of([config]);
        let leeway_ms = i64::from(leeway_seconds) * 1000;
        let outcome = |claims: serde_json::Value, now_ms: i64| {
            let token = token(Algorithm::EdDsa, &claims_with(claims));
            let authorization = format!("Bearer {token}");
            authenticate_at(&access, Some(authorization.as_bytes()), now_ms).err()
        };
        let exp = json!({"exp": NOW_SECONDS, "iat": null});
        assert_eq!(outcome(exp.clone(), NOW_MS + leeway_ms - 1), None);
        assert_eq!(outcome(exp, NOW_MS + leeway_ms), Some(Expired));
        for (claim, refusal) in [("nbf", NotYetValid), ("iat", IssuedInFuture)] {
            let claims = json!({"iat": null, claim: NOW_SECONDS});
            assert_eq!(outcome(claims.clone(), NOW_MS - leeway_ms), None);
            assert_eq!(outcome(claims, NOW_MS - leeway_ms - 1), Some(refusal));
        }
    }
}

#[test]
fn a_lifetime_holds_to_the_millisecond() {
    let mut config = issuer_json();
    config["max_lifetime_seconds"] = json!(600);
    let limited = access_of([config]);
    let unlimited = access();
    // Seconds from now, for iat and exp.
    let table: Vec<(
        serde_json::Value,
        serde_json::Value,
        Option<Unauthenticated>,
    )> = vec![
        (json!(0), json!(600), None),
        (json!(0), json!(599), None),
        (json!(0), json!(601), Some(LifetimeTooLong)),
        (json!(0.0), json!(600.0), None),
        (json!(0), json!(600.001), Some(LifetimeTooLong)),
        (json!(0.001), json!(600.001), None),
        (json!(-0.001), json!(600), Some(LifetimeTooLong)),
        (json!(-300), json!(300), None),
        (json!(-300), json!(301), Some(LifetimeTooLong)),
        // The leeway is for clocks, not for lives.
        (json!(0), json!(630), Some(LifetimeTooLong)),
        (json!(-NOW_SECONDS), json!(1), Some(LifetimeTooLong)),
        // A life that ends before it begins is not long; the clock refuses it.
        (json!(20), json!(-20), None),
        (json!(29), json!(-30), Some(Expired)),
        (serde_json::Value::Null, json!(60), Some(NoIssuedAt)),
    ];
    for (issued, expires, expected) in table {
        let at = |offset: &serde_json::Value| match (offset.as_i64(), offset.as_f64()) {
            (Some(seconds), _) => json!(NOW_SECONDS + seconds),
            (None, Some(seconds)) => json!(NOW_SECONDS as f64 + seconds),
            (None, None) => serde_json::Value::Null,
        };
        let claims = claims_with(json!({"iat": at(&issued), "exp": at(&expires)}));
        let token = token(Algorithm::EdDsa, &claims);
        let outcome = authenticate(&limited, &token).err();
        assert_eq!(outcome, expected, "{issued} {expires}");
        let without_limit = expected.filter(|refusal| *refusal == Expired);
        assert_eq!(
            authenticate(&unlimited, &token).err(),
            without_limit,
            "{issued} {expires}"
        );
    }
}

#[test]
fn times_at_the_end_of_the_calendar_do_no_harm() {
    let mut config = issuer_json();
    config["max_lifetime_seconds"] = json!(31_536_000);
    config["leeway_seconds"] = json!(300);
    let limited = access_of([config]);
    let last = crate::access::MAX_NUMERIC_DATE;
    let table = [
        (json!({"iat": 0, "exp": last}), Some(LifetimeTooLong), None),
        (
            json!({"iat": last, "exp": last}),
            Some(IssuedInFuture),
            Some(IssuedInFuture),
        ),
        (
            json!({"nbf": last, "iat": null, "exp": last}),
            Some(NoIssuedAt),
            Some(NotYetValid),
        ),
        (
            json!({"iat": last, "exp": 0}),
            Some(IssuedInFuture),
            Some(IssuedInFuture),
        ),
        (
            json!({"iat": 0, "exp": 31_536_000}),
            Some(Expired),
            Some(Expired),
        ),
        (
            json!({"iat": 0, "exp": 31_536_001}),
            Some(LifetimeTooLong),
            Some(Expired),
        ),
        (
            json!({"iat": last + 1}),
            Some(MalformedClaims),
            Some(MalformedClaims),
        ),
    ];
    for (changes, with_limit, without) in table {
        let token = token(Algorithm::EdDsa, &claims_with(changes.clone()));
        assert_eq!(
            authenticate(&limited, &token).err(),
            with_limit,
            "{changes}"
        );
        assert_eq!(authenticate(&access(), &token).err(), without, "{changes}");
    }
}

#[test]
fn fractions_count() {
    let claims = |exp: f64| claims_with(json!({"exp": exp}));
    let now = 1_749_999_970.0; // what exp must pass, leeway taken off
    assert_eq!(authenticate_claims(&claims(now + 0.5)).err(), None);
    assert_eq!(authenticate_claims(&claims(now)).err(), Some(Expired));
    assert_eq!(authenticate_claims(&claims(now - 0.5)).err(), Some(Expired));
}

#[test]
fn only_plain_numbers_from_zero_to_the_year_9999_are_times() {
    let table = [
        ("253402300799", None),
        ("253402300799.0", None),
        ("1.750003600e9", None),
        ("17500036000E-1", None),
        ("0", Some(Expired)),
        ("0.0", Some(Expired)),
        ("253402300800", Some(MalformedClaims)),
        ("253402300799.5", Some(MalformedClaims)),
        ("18446744073709551615", Some(MalformedClaims)),
        ("18446744073709551616", Some(MalformedClaims)),
        ("1e300", Some(MalformedClaims)),
        ("1e400", Some(MalformedClaims)),
        ("-1", Some(MalformedClaims)),
        ("-0.5", Some(MalformedClaims)),
        ("-9223372036854775808", Some(MalformedClaims)),
        ("\"1750003600\"", Some(MalformedClaims)),
        ("\"\"", Some(MalformedClaims)),
        ("null", Some(MalformedClaims)),
        ("true", Some(MalformedClaims)),
        ("[1750003600]", Some(MalformedClaims)),
        ("{}", Some(MalformedClaims)),
        ("NaN", Some(MalformedClaims)),
        ("Infinity", Some(MalformedClaims)),
        ("0x7fffffff", Some(MalformedClaims)),
        ("+1750003600", Some(MalformedClaims)),
    ];
    let access = access();
    let outcome = |claims: &str| {
        let header = r#"{"alg":"EdDSA","kid":"ed25519-1"}"#;
        authenticate(&access, &sign(Algorithm::EdDsa, header, claims)).err()
    };
    for (time, expected) in table {
        let claims = format!(r#"{{"iss":"{ISSUER}","tenant":"acme","exp":{time}}}"#);
        assert_eq!(outcome(&claims), expected, "exp {time}");
        if expected == Some(MalformedClaims) {
            for claim in ["nbf", "iat"] {
                let claims = format!(
                    r#"{{"iss":"{ISSUER}","tenant":"acme","exp":{},"{claim}":{time}}}"#,
                    NOW_SECONDS + 60
                );
                assert_eq!(outcome(&claims), expected, "{claim} {time}");
            }
        }
    }
}

#[test]
fn exp_is_required_and_the_others_are_not() {
    assert_eq!(
        authenticate_claims(&claims_with(json!({"exp": null}))).err(),
        Some(NoExpiry)
    );
    assert_eq!(
        authenticate_claims(&claims_with(json!({"iat": null}))).err(),
        None
    );
}

#[test]
fn expired_is_said_only_when_everything_else_was_right() {
    let expired = |changes: serde_json::Value| {
        let mut claims = claims_with(changes);
        claims["exp"] = json!(NOW_SECONDS - 3600);
        claims
    };
    let outcome = |changes| authenticate_claims(&expired(changes)).err().unwrap();
    assert!(outcome(json!({})).expired());
    for changes in [
        json!({"iss": "https://else.test"}),
        json!({"tenant": null}),
        json!({"nbf": NOW_SECONDS + 60}),
        json!({"iat": NOW_SECONDS + 60}),
        json!({"scope": 7}),
    ] {
        assert!(!outcome(changes.clone()).expired(), "{changes}");
    }
    let forged = token(Algorithm::EdDsa, &expired(json!({})));
    let (signed, _) = forged.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", encode(&[7; 64]));
    assert_eq!(
        authenticate(&access(), &forged),
        Err(Unauthenticated::BadSignature)
    );
}

#[test]
fn a_verified_token_may_be_kept_and_is_asked_the_time_again() {
    let access = access();
    let token = format!("Bearer {}", token(Algorithm::EdDsa, &claims()));
    let token = BearerToken::from_authorization(Some(token.as_bytes())).unwrap();
    let verified = verify(&access, token).unwrap();
    assert!(verified.identity_at(NOW_MS).is_ok());
    assert_eq!(
        verified.identity_at(NOW_MS + 10_000_000).err(),
        Some(Expired)
    );
    assert_eq!(verified.identity_at(0).err(), Some(IssuedInFuture));
    for extreme in [i64::MIN, i64::MAX] {
        assert!(verified.identity_at(extreme).is_err());
    }
}
