//! What a token must hold, for rules and for the operations of the API.

use serde_json::{Value, json};

use super::{operations, table};
use crate::api::route::Operation;
use crate::rules::{Allow, ClaimView, Match, Mode, Requirement, Unmet};

fn requirement(any_of: &[&str], all_of: &[&str], claims: Value) -> Requirement {
    let allow = if any_of.is_empty() && all_of.is_empty() {
        "authenticated"
    } else {
        "scopes"
    };
    let rules = json!([{"name": "it", "path": "/", "allow": allow, "any_of": any_of, "all_of": all_of, "claims": claims}]);
    let rules = table(&[], &rules).unwrap();
    match rules.judge(b"GET", b"/") {
        Match::Rule(rule) => match rule.allow() {
            Allow::Token(requirement) => requirement.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn scopes() {
    let ab = ["a".to_owned(), "b".to_owned()];
    for (any_of, all_of, held, expected) in [
        (&[][..], &[][..], &[][..], Ok(None)),
        (&[], &[], &["x"], Ok(None)),
        (&["a"], &[], &["a"], Ok(Some("a"))),
        // The first of the rule's order sufficed, not the first of the token's.
        (&["a", "b"], &[], &["b", "a"], Ok(Some("a"))),
        (&["a", "b"], &[], &["x", "b"], Ok(Some("b"))),
        (&["a", "b"], &[], &[], Err(Unmet::AnyOf(&ab))),
        (&["a", "b"], &[], &["A", "ab", "a "], Err(Unmet::AnyOf(&ab))),
        (&[], &["c", "d"], &["d", "c"], Ok(Some("c"))),
        (&[], &["c", "d"], &["c"], Err(Unmet::AllOf("d"))),
        (&[], &["c", "d"], &[], Err(Unmet::AllOf("c"))),
        (&["a", "b"], &["c"], &["c", "b"], Ok(Some("b"))),
        (&["a", "b"], &["c"], &["b"], Err(Unmet::AllOf("c"))),
        (&["a", "b"], &["c"], &["c"], Err(Unmet::AnyOf(&ab))),
    ] {
        let requirement = requirement(any_of, all_of, json!([]));
        let outcome = requirement.check(|scope| held.contains(&scope), |_| None);
        assert_eq!(outcome, expected, "{any_of:?} {all_of:?} {held:?}");
    }
}

#[test]
fn claims() {
    let employee =
        json!([{"claim": "user_type", "any_of": ["EMPLOYEE", "SERVICE", "true", "7", "-1"]}]);
    let texts = |texts: &[&str]| texts.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let (good, bad, none) = (texts(&["x", "SERVICE"]), texts(&["x", "y"]), texts(&[]));
    for (value, holds) in [
        (Some(ClaimView::Text("EMPLOYEE")), true),
        (Some(ClaimView::Text("SERVICE")), true),
        (Some(ClaimView::Text("employee")), false),
        (Some(ClaimView::Text("EMPLOYEE SERVICE")), false),
        (Some(ClaimView::Text("EMPLOYEES")), false),
        (Some(ClaimView::Text("")), false),
        (Some(ClaimView::Text("true")), true),
        (Some(ClaimView::Texts(&good)), true),
        (Some(ClaimView::Texts(&bad)), false),
        (Some(ClaimView::Texts(&none)), false),
        (Some(ClaimView::Bool(true)), true),
        (Some(ClaimView::Bool(false)), false),
        (Some(ClaimView::Integer(7)), true),
        (Some(ClaimView::Integer(-1)), true),
        (Some(ClaimView::Integer(70)), false),
        (Some(ClaimView::Integer(i128::MIN)), false),
        (None, false),
    ] {
        let requirement = requirement(&[], &[], employee.clone());
        let outcome = requirement.check(
            |_| false,
            |name| if name == "user_type" { value } else { None },
        );
        let expected = if holds {
            Ok(None)
        } else {
            Err(Unmet::Claim("user_type"))
        };
        assert_eq!(outcome, expected, "{value:?}");
    }
}

#[test]
fn every_claim_must_hold_and_scopes_come_first() {
    let two = json!([{"claim": "a", "any_of": ["1"]}, {"claim": "b", "any_of": ["2"]}]);
    for (a, b, scope, expected) in [
        ("1", "2", "s", Ok(Some("s"))),
        ("1", "1", "s", Err("claim_mismatch b")),
        ("2", "2", "s", Err("claim_mismatch a")),
        ("2", "1", "s", Err("claim_mismatch a")),
        ("2", "1", "x", Err("missing_scope ")),
    ] {
        let requirement = requirement(&["s"], &[], two.clone());
        let outcome = requirement.check(
            |it| it == scope,
            |name| Some(ClaimView::Text(if name == "a" { a } else { b })),
        );
        let outcome = outcome.map_err(|unmet| match unmet {
            Unmet::Claim(name) => format!("{unmet} {name}"),
            _ => format!("{unmet} "),
        });
        assert_eq!(outcome, expected.map_err(str::to_owned), "{a} {b} {scope}");
    }
}

const ALL: [(Operation, &str); 7] = [
    (Operation::Balance, "balance"),
    (Operation::Summary, "summary"),
    (Operation::SummaryBatch, "summary_batch"),
    (Operation::Create, "create"),
    (Operation::Delete, "delete"),
    (Operation::AddPoints, "add_points"),
    (Operation::RedeemPoints, "redeem_points"),
];

#[test]
fn operations_require_their_own_scopes_unless_configured() {
    let rules = operations(&json!({}), &json!([])).unwrap();
    for (operation, name) in ALL {
        let rule = rules.of(operation);
        assert_eq!(rule.name, name);
        assert_eq!(rule.mode, Mode::Enforce);
        let kind = if operation.is_read() {
            "view"
        } else {
            "manage"
        };
        let own = [
            format!("rewardspoints.rewardpoints_{kind}"),
            format!("saasag.rewardpoints_{kind}"),
        ];
        assert_eq!(rule.requirement.any_of().as_ref(), own, "{name}");
        assert!(rule.requirement.all_of().is_empty());
        assert!(rule.requirement.claims().is_empty());
    }
}

#[test]
fn each_operation_is_configured_by_its_name() {
    for (operation, name) in ALL {
        let rules = operations(
            &json!({name: {"any_of": ["x"], "all_of": ["y"], "claims": [{"claim": "c", "any_of": ["1"]}], "mode": "report"}}),
            &json!([{"claim": "for_all", "any_of": ["1"]}]),
        )
        .unwrap();
        for (other, other_name) in ALL {
            let rule = rules.of(other);
            let claims: Vec<&str> = rule
                .requirement
                .claims()
                .iter()
                .map(|it| it.claim())
                .collect();
            if other == operation {
                assert_eq!(rule.requirement.any_of().as_ref(), ["x"]);
                assert_eq!(rule.requirement.all_of().as_ref(), ["y"]);
                assert_eq!(claims, ["for_all", "c"]);
                assert_eq!(rule.mode, Mode::Report);
            } else {
                assert_eq!(rule.requirement.any_of().len(), 2, "{other_name}");
                assert_eq!(claims, ["for_all"]);
                assert_eq!(rule.mode, Mode::Enforce);
            }
        }
    }
}

#[test]
fn what_an_operation_leaves_out_stays_as_it_was() {
    let own = &["saasag.rewardpoints_view"][..];
    for (config, held, passes) in [
        (json!({"all_of": ["extra"]}), own, false),
        (json!({"all_of": ["extra"]}), &["extra"], false),
        (
            json!({"all_of": ["extra"]}),
            &["saasag.rewardpoints_view", "extra"],
            true,
        ),
        (json!({"any_of": [], "all_of": ["extra"]}), &["extra"], true),
        (json!({"any_of": [], "all_of": ["extra"]}), own, false),
        (json!({"any_of": ["other"]}), own, false),
        (json!({"any_of": ["other"]}), &["other"], true),
        (json!({"mode": "report"}), own, true),
        (
            json!({"mode": "report"}),
            &["saasag.rewardpoints_manage"],
            false,
        ),
    ] {
        let rules = operations(&json!({"balance": config}), &json!([])).unwrap();
        let requirement = &rules.of(Operation::Balance).requirement;
        let outcome = requirement.check(|scope| held.contains(&scope), |_| None);
        assert_eq!(outcome.is_ok(), passes, "{config} {held:?}");
    }
}
