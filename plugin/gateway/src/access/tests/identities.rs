//! What a genuine token says about its bearer: audience, subject, scopes, tenant; and what that permits.

use serde_json::{Value, json};

use crate::access::Unauthenticated::{
    self, MalformedClaims, MalformedScopes, NoTenant, WrongAudience,
};
use crate::access::test_support::*;
use crate::access::{Access, Algorithm, Forbidden, Identity, MAX_SCOPES, TenantConfig};
use crate::rules::scope::{MANAGE, VIEW};
use crate::rules::{Mode, Requirement};

fn identity(changes: Value) -> Result<Identity, Unauthenticated> {
    authenticate_claims(&claims_with(changes))
}

#[test]
fn audience() {
    let table = [
        (json!("points"), None),
        (json!("shop"), None),
        (json!(["else", "points"]), None),
        (json!([]), Some(WrongAudience)),
        (json!(["else"]), Some(WrongAudience)),
        (json!("Points"), Some(WrongAudience)),
        (json!("points shop"), Some(WrongAudience)),
        (json!(""), Some(WrongAudience)),
        (json!(["points", 7]), Some(WrongAudience)),
        (json!({"points": true}), Some(WrongAudience)),
        (json!(7), Some(WrongAudience)),
        (Value::Null, Some(WrongAudience)),
    ];
    let mut config = issuer_json();
    config["audiences"] = json!(["points", "shop"]);
    let checking = access_of([config]);
    for (audience, expected) in table {
        let claims = claims_with(json!({"aud": audience}));
        let token = token(Algorithm::EdDsa, &claims);
        assert_eq!(
            authenticate(&checking, &token).err(),
            expected,
            "{audience}"
        );
        assert_eq!(authenticate(&access(), &token).err(), None, "{audience}");
    }
}

#[test]
fn subject() {
    let longest = "s".repeat(255);
    for (subject, expected) in [
        (json!("employee-7"), Ok(Some("employee-7"))),
        (json!("J\u{fc}rgen"), Ok(Some("J\u{fc}rgen"))),
        (json!(longest), Ok(Some(longest.as_str()))),
        (Value::Null, Ok(None)),
        (json!(format!("{longest}s")), Err(MalformedClaims)),
        (json!("a\r\nx-tenant: other"), Err(MalformedClaims)),
        (json!("a\u{85}"), Err(MalformedClaims)),
        (json!(7), Err(MalformedClaims)),
        (json!(["a"]), Err(MalformedClaims)),
    ] {
        let outcome = identity(json!({"sub": subject}));
        let found = outcome
            .as_ref()
            .map(Identity::subject)
            .map_err(|error| *error);
        assert_eq!(found, expected, "{subject}");
    }
}

#[test]
fn scopes_come_from_the_first_claim_that_is_there() {
    let table: [(Value, Result<&[&str], Unauthenticated>); 26] = [
        (json!({"scope": "a b"}), Ok(&["a", "b"])),
        (json!({"scope": "  a   b "}), Ok(&["a", "b"])),
        (json!({"scope": ""}), Ok(&[])),
        (json!({"scope": "", "scp": "a", "scopes": "b"}), Ok(&[])),
        (json!({"scope": "a", "scp": ["b"]}), Ok(&["a"])),
        (json!({"scope": null, "scp": "a b"}), Ok(&["a", "b"])),
        (json!({"scope": null, "scp": ["a", "b"]}), Ok(&["a", "b"])),
        (
            json!({"scope": null, "scp": ["a"], "scopes": ["b"]}),
            Ok(&["a"]),
        ),
        (json!({"scope": null, "scopes": "a b"}), Ok(&["a", "b"])),
        (
            json!({"scope": null, "scopes": ["a", "b"]}),
            Ok(&["a", "b"]),
        ),
        (json!({"scope": null}), Ok(&[])),
        (json!({"scope": null, "scp": []}), Ok(&[])),
        (json!({"scope": "a tenant=acme b"}), Ok(&["a", "b"])),
        (json!({"scope": "Tenant=acme"}), Ok(&["Tenant=acme"])),
        (json!({"scope": ["a"]}), Err(MalformedScopes)),
        (json!({"scope": 7}), Err(MalformedScopes)),
        (json!({"scope": "a\tb"}), Err(MalformedScopes)),
        (json!({"scope": "a\u{a0}b"}), Err(MalformedScopes)),
        (json!({"scope": "a\r\nx-scopes: b"}), Err(MalformedScopes)),
        (json!({"scope": "a \"b\""}), Err(MalformedScopes)),
        (json!({"scope": null, "scp": ["a b"]}), Err(MalformedScopes)),
        (json!({"scope": null, "scp": [""]}), Err(MalformedScopes)),
        (
            json!({"scope": null, "scp": ["a", 7]}),
            Err(MalformedScopes),
        ),
        (json!({"scope": null, "scp": [["a"]]}), Err(MalformedScopes)),
        (
            json!({"scope": null, "scp": {"a": true}}),
            Err(MalformedScopes),
        ),
        (
            json!({"scope": null, "scp": true, "scopes": "a"}),
            Err(MalformedScopes),
        ),
    ];
    for (changes, expected) in table {
        let outcome = identity(changes.clone());
        let found = outcome
            .as_ref()
            .map(|identity| identity.scopes().iter().collect::<Vec<_>>());
        assert_eq!(
            found,
            expected.as_ref().map(|scopes| scopes.to_vec()),
            "{changes}"
        );
    }
    let many = |count: usize| json!({"scope": vec!["a"; count].join(" ")});
    assert_eq!(
        identity(many(MAX_SCOPES)).unwrap().scopes().iter().count(),
        MAX_SCOPES
    );
    assert_eq!(identity(many(MAX_SCOPES + 1)).err(), Some(MalformedScopes));
}

#[test]
fn a_claim_that_is_null_is_there() {
    let header = r#"{"alg":"EdDSA"}"#;
    let outcome = |member: &str| {
        let claims = claims_with(json!({"scope": null, "tenant": null})).to_string();
        let claims = claims.replacen('{', &format!("{{{member},"), 1);
        authenticate(&access(), &sign(Algorithm::EdDsa, header, &claims)).err()
    };
    assert_eq!(
        outcome(r#""scope":null,"tenant":"acme""#),
        Some(MalformedScopes)
    );
    assert_eq!(
        outcome(r#""scope":"tenant=acme","tenant":null"#),
        Some(NoTenant)
    );
    assert_eq!(outcome(r#""scope":"a","tenant":"acme""#), None);
}

#[test]
fn the_tenant_is_named_once_or_twice_alike() {
    let table = [
        (json!({"tenant": "acme"}), Some("acme")),
        (json!({"tenant": "abc"}), Some("abc")),
        (
            json!({"tenant": "a234567890123456"}),
            Some("a234567890123456"),
        ),
        (
            json!({"tenant": null, "scope": "tenant=acme"}),
            Some("acme"),
        ),
        (
            json!({"tenant": null, "scope": null, "scp": ["x", "tenant=acme"]}),
            Some("acme"),
        ),
        (
            json!({"tenant": "acme", "scope": "tenant=acme"}),
            Some("acme"),
        ),
        (json!({"tenant": "acme", "scope": "tenant=other"}), None),
        (json!({"tenant": "acme", "scope": "tenant=ACME"}), None),
        (json!({"tenant": "acme", "scope": "tenant="}), None),
        (
            json!({"tenant": "acme", "scope": "tenant=acme tenant=acme"}),
            None,
        ),
        (
            json!({"tenant": "acme", "scope": "tenant=acme tenant=other"}),
            None,
        ),
        (
            json!({"tenant": null, "scope": "tenant=acme tenant=acme"}),
            None,
        ),
        (
            json!({"tenant": null, "scope": "tenant=acme tenant=other"}),
            None,
        ),
        (json!({"tenant": null, "scope": "tenant=acme,other"}), None),
        (json!({"tenant": null, "scope": "tenant="}), None),
        (json!({"tenant": null, "scope": "TENANT=acme"}), None),
        (json!({"tenant": null}), None),
        (json!({"tenant": ""}), None),
        (json!({"tenant": "ab"}), None),
        (json!({"tenant": "a2345678901234567"}), None),
        (json!({"tenant": "Acme"}), None),
        (json!({"tenant": "acmE"}), None),
        (json!({"tenant": "1acme"}), None),
        (json!({"tenant": "ac-me"}), None),
        (json!({"tenant": "ac/me"}), None),
        (json!({"tenant": "acme\n"}), None),
        (json!({"tenant": " acme"}), None),
        (json!({"tenant": "acm\u{e9}"}), None),
        (json!({"tenant": "\u{430}cme"}), None),
        (json!({"tenant": 4711}), None),
        (json!({"tenant": ["acme"]}), None),
        (json!({"tenant": {"name": "acme"}}), None),
    ];
    for (changes, expected) in table {
        let outcome = identity(changes.clone());
        let found = outcome.as_ref().map(|identity| identity.tenant.as_str());
        assert_eq!(found, expected.ok_or(&NoTenant), "{changes}");
    }
}

#[test]
fn the_tenant_rule_can_be_relaxed_but_keeps_its_first_letter() {
    let rule: TenantConfig = serde_json::from_value(json!({
        "claim": "org", "min_length": 1, "max_length": 20, "extra_characters": "-_A"
    }))
    .unwrap();
    let access = Access::new(&[issuer(issuer_json())], &rule, &[]).unwrap();
    let outcome = |name: &str| {
        let claims = claims_with(json!({"tenant": null, "org": name}));
        authenticate(&access, &token(Algorithm::EdDsa, &claims)).is_ok()
    };
    for accepted in ["a", "a-b_A", "a2345678901234567890"] {
        assert!(outcome(accepted), "{accepted}");
    }
    for refused in ["", "-a", "Aa", "aB", "a.b", "a23456789012345678901"] {
        assert!(!outcome(refused), "{refused}");
    }
}

#[test]
fn a_permit_needs_one_whole_acceptable_scope() {
    let permitted = |scope: &str, acceptable: &[&str]| {
        let requirement = Requirement::for_test(acceptable);
        let identity = identity(json!({"scope": scope})).unwrap();
        let leave = identity.permit(&requirement, Mode::Enforce, None)?;
        Ok(leave.scope.map(str::to_owned))
    };
    let missing = Err(Forbidden::MissingScope);
    let table: [(&str, &[&str], Result<&str, Forbidden>); 14] = [
        (
            "rewardspoints.rewardpoints_view",
            &VIEW,
            Ok("rewardspoints.rewardpoints_view"),
        ),
        (
            "saasag.rewardpoints_view",
            &VIEW,
            Ok("saasag.rewardpoints_view"),
        ),
        (
            "x saasag.rewardpoints_view y",
            &VIEW,
            Ok("saasag.rewardpoints_view"),
        ),
        (
            "saasag.rewardpoints_view rewardspoints.rewardpoints_view",
            &VIEW,
            Ok("rewardspoints.rewardpoints_view"),
        ),
        (
            "rewardspoints.rewardpoints_manage",
            &MANAGE,
            Ok("rewardspoints.rewardpoints_manage"),
        ),
        (
            "saasag.rewardpoints_manage",
            &MANAGE,
            Ok("saasag.rewardpoints_manage"),
        ),
        ("rewardspoints.rewardpoints_manage", &VIEW, missing),
        ("rewardspoints.rewardpoints_view", &MANAGE, missing),
        ("rewardpoints.rewardpoints_view", &VIEW, missing),
        ("rewardspoints.rewardpoints_viewer", &VIEW, missing),
        ("xrewardspoints.rewardpoints_view", &VIEW, missing),
        ("REWARDSPOINTS.REWARDPOINTS_VIEW", &VIEW, missing),
        ("", &VIEW, missing),
        ("tenant=acme", &["tenant=acme"], missing),
    ];
    for (scope, acceptable, expected) in table {
        let expected = expected.map(|scope| Some(scope.to_owned()));
        assert_eq!(permitted(scope, acceptable), expected, "{scope}");
    }
}

#[test]
fn what_is_not_enforced_is_told() {
    let requirement = Requirement::for_test(&["else"]);
    let identity = identity(json!({})).unwrap();
    let leave = identity.permit(&requirement, Mode::Report, None).unwrap();
    assert_eq!(leave.unmet, Some(Forbidden::MissingScope));
    assert_eq!(leave.scope, None);
    assert_eq!(leave.permit.tenant().as_str(), "acme");
    let other = identity.permit(&requirement, Mode::Report, Some(b"other"));
    assert_eq!(other.err(), Some(Forbidden::TenantMismatch));
}

#[test]
fn upstreams_are_told_in_visible_ascii() {
    for (subject, expected) in [
        ("employee-7", "employee-7"),
        ("a b%c", "a%20b%25c"),
        ("j\u{fc}rgen", "j%C3%BCrgen"),
    ] {
        let identity = identity(json!({"sub": subject, "scope": "a  tenant=acme b"})).unwrap();
        let told = identity.told_to_upstreams();
        assert_eq!(told.subject.as_deref(), Some(expected));
        assert_eq!(
            (told.tenant.as_str(), told.scopes.as_str()),
            ("acme", "a b")
        );
    }
    let nobody = identity(json!({"sub": null})).unwrap();
    assert_eq!(nobody.told_to_upstreams().subject, None);
}

#[test]
fn the_tenant_header_can_only_contradict() {
    let identity = identity(json!({})).unwrap();
    let outcome = |header: Option<&[u8]>| {
        let requirement = Requirement::for_test(&VIEW);
        let leave = identity.permit(&requirement, Mode::Enforce, header)?;
        Ok(leave.permit.tenant().as_str().to_owned())
    };
    assert_eq!(outcome(None).as_deref(), Ok("acme"));
    assert_eq!(outcome(Some(b"acme")).as_deref(), Ok("acme"));
    for other in [
        &b"other"[..],
        b"",
        b"ACME",
        b"acme ",
        b"acme,acme",
        b"acm",
        b"\xff",
    ] {
        assert_eq!(
            outcome(Some(other)),
            Err(Forbidden::TenantMismatch),
            "{other:?}"
        );
    }
    let nothing = Requirement::for_test(&["else"]);
    let both_wrong = identity.permit(&nothing, Mode::Enforce, Some(b"other"));
    let both_wrong = both_wrong.err();
    assert_eq!(both_wrong, Some(Forbidden::MissingScope));
}
