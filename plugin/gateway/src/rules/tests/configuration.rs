//! A table is taken whole or refused with the path of its bad field.

use serde_json::{Value, json};

use super::{operations, table};
use crate::rules::{OperationRules, Rules, tested_claims};

/// A good rule with some fields replaced, or taken out with `null`.
fn rule(changes: &Value) -> Value {
    let mut rule = json!({"name": "it", "path": "/a", "allow": "scopes", "any_of": ["a.view"]});
    for (field, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(rule.as_object_mut().unwrap().remove(field)),
            value => rule[field] = value.clone(),
        }
    }
    rule
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("n{n}")).collect()
}

#[test]
fn good_rules() {
    for changes in [
        json!({}),
        json!({"name": "a"}),
        json!({"name": "a".repeat(64)}),
        json!({"name": "orders_read-2"}),
        json!({"methods": []}),
        json!({"methods": ["GET", "M-SEARCH", "x!#$%&'*+.^_`|~"]}),
        json!({"methods": numbered(16)}),
        json!({"any_of": [], "all_of": ["a.b"]}),
        json!({"any_of": ["a"], "all_of": ["b", "tenant"]}),
        json!({"allow": "authenticated", "any_of": null}),
        json!({"allow": "authenticated", "any_of": [], "claims": [{"claim": "c", "any_of": ["x"]}]}),
        json!({"allow": "anonymous", "any_of": [], "all_of": [], "claims": []}),
        json!({"allow": "denied", "any_of": null, "mode": "report"}),
        json!({"mode": "enforce"}),
        json!({"path": "/"}),
        json!({"path": "/**"}),
        json!({"path": "/*/{id}/x/**"}),
        json!({"path": "/.well-known/a..b/100%"}),
        json!({"path": "/reward-pointsx"}),
        json!({"path": "/x/reward-points"}),
        json!({"path": "/*/customer"}),
        json!({"path": format!("/{}", "a".repeat(511))}),
        json!({"path": "/a".repeat(32)}),
    ] {
        let result = table(&[], &json!([rule(&changes)]));
        assert!(result.is_ok(), "{changes}: {result:?}");
    }
    let full: Vec<Value> = numbered(256)
        .iter()
        .map(|it| rule(&json!({"name": it})))
        .collect();
    assert!(table(&[], &json!(full)).is_ok());
}

#[test]
fn a_bad_rule_is_named_by_its_path() {
    let claim = |changes: Value| json!({"claims": [{"claim": "ok", "any_of": ["x"]}, changes]});
    for (changes, path) in [
        (json!({"surprise": 1}), "rules[1].surprise"),
        (json!({"name": null}), "rules[1]"),
        (json!({"name": ""}), "rules[1].name"),
        (json!({"name": "a".repeat(65)}), "rules[1].name"),
        (json!({"name": "Orders"}), "rules[1].name"),
        (json!({"name": "a b"}), "rules[1].name"),
        (json!({"name": "a\nb"}), "rules[1].name"),
        // The name of the rule before.
        (json!({"name": "first"}), "rules[1].name"),
        (json!({"methods": "GET"}), "rules[1].methods"),
        (json!({"methods": numbered(17)}), "rules[1].methods"),
        (json!({"methods": ["GET", ""]}), "rules[1].methods[1]"),
        (json!({"methods": ["GET", "PO ST"]}), "rules[1].methods[1]"),
        (json!({"methods": ["GET,POST"]}), "rules[1].methods[0]"),
        (json!({"methods": ["G\u{c9}T"]}), "rules[1].methods[0]"),
        (json!({"methods": ["M".repeat(33)]}), "rules[1].methods[0]"),
        (json!({"allow": null}), "rules[1]"),
        (json!({"allow": "everybody"}), "rules[1].allow"),
        (json!({"allow": "scopes", "any_of": null}), "rules[1].allow"),
        (json!({"any_of": [], "all_of": []}), "rules[1].allow"),
        (json!({"any_of": "a.view"}), "rules[1].any_of"),
        (json!({"any_of": ["a", ""]}), "rules[1].any_of[1]"),
        (json!({"any_of": ["a b"]}), "rules[1].any_of[0]"),
        (json!({"any_of": ["a\"b"]}), "rules[1].any_of[0]"),
        (json!({"any_of": ["a\\b"]}), "rules[1].any_of[0]"),
        (json!({"any_of": ["caf\u{e9}"]}), "rules[1].any_of[0]"),
        (json!({"any_of": ["tenant=shop"]}), "rules[1].any_of[0]"),
        (json!({"any_of": ["s".repeat(129)]}), "rules[1].any_of[0]"),
        (json!({"any_of": numbered(33)}), "rules[1].any_of"),
        (json!({"all_of": ["ok", "tenant="]}), "rules[1].all_of[1]"),
        (json!({"all_of": numbered(33)}), "rules[1].all_of"),
        (json!({"allow": "authenticated"}), "rules[1].any_of"),
        (json!({"allow": "anonymous"}), "rules[1].any_of"),
        (json!({"allow": "denied"}), "rules[1].any_of"),
        (
            json!({"allow": "denied", "any_of": null, "all_of": ["a"]}),
            "rules[1].all_of",
        ),
        (
            json!({"allow": "anonymous", "any_of": null, "claims": [{"claim": "c", "any_of": ["x"]}]}),
            "rules[1].claims",
        ),
        (
            json!({"allow": "anonymous", "any_of": null, "mode": "report"}),
            "rules[1].mode",
        ),
        (json!({"mode": "off"}), "rules[1].mode"),
        (
            claim(json!({"claim": "", "any_of": ["x"]})),
            "rules[1].claims[1].claim",
        ),
        (
            claim(json!({"claim": "c".repeat(129), "any_of": ["x"]})),
            "rules[1].claims[1].claim",
        ),
        (
            claim(json!({"claim": "c", "any_of": []})),
            "rules[1].claims[1].any_of",
        ),
        (
            claim(json!({"claim": "c", "any_of": numbered(33)})),
            "rules[1].claims[1].any_of",
        ),
        (
            claim(json!({"claim": "c", "any_of": ["x", ""]})),
            "rules[1].claims[1].any_of[1]",
        ),
        (
            claim(json!({"claim": "c", "any_of": ["v".repeat(257)]})),
            "rules[1].claims[1].any_of[0]",
        ),
        (
            claim(json!({"claim": "c", "any_of": [true]})),
            "rules[1].claims[1].any_of[0]",
        ),
        (
            claim(json!({"claim": "c", "all_of": ["x"]})),
            "rules[1].claims[1].all_of",
        ),
        (
            json!({"claims": vec![json!({"claim": "c", "any_of": ["x"]}); 17]}),
            "rules[1].claims",
        ),
    ] {
        let good = rule(&json!({"name": "first"}));
        let error = table(&[], &json!([good, rule(&changes)])).expect_err(&changes.to_string());
        assert_eq!(error.path, path, "{changes}: {error}");
    }
    let many: Vec<Value> = numbered(257)
        .iter()
        .map(|it| rule(&json!({"name": it})))
        .collect();
    assert_eq!(table(&[], &json!(many)).unwrap_err().path, "rules");
}

#[test]
fn a_bad_pattern_or_prefix_is_named_by_its_path() {
    // Whether the text is bad as a pattern, and as a guarded prefix.
    for (text, as_pattern, as_prefix) in [
        ("/", false, false),
        ("/a", false, false),
        ("/caf\u{e9}/100%", false, false),
        ("/reward-pointsx", false, false),
        ("/*", false, true),
        ("/{id}", false, true),
        ("/**", false, true),
        ("/a/**", false, true),
        ("", true, true),
        ("a", true, true),
        ("*", true, true),
        ("**", true, true),
        ("http://shop.example/a", true, true),
        ("/a/", true, true),
        ("//", true, true),
        ("//a", true, true),
        ("/a//b", true, true),
        ("/a/.", true, true),
        ("/../a", true, true),
        ("/**/a", true, true),
        ("/**/**", true, true),
        ("/a*", true, true),
        ("/***", true, true),
        ("/a**", true, true),
        ("/{}", true, true),
        ("/{id", true, true),
        ("/id}", true, true),
        ("/{i d}", true, true),
        ("/{a}{b}", true, true),
        ("/x{id}", true, true),
        // Written with escapes, or what no path with one reading holds.
        ("/a%2Fb", true, true),
        ("/%6frders", true, true),
        ("/a b", true, true),
        ("/a;b", true, true),
        ("/a\\b", true, true),
        ("/a?b", true, true),
        ("/a#b", true, true),
        ("/a\u{0}", true, true),
        ("/a\u{a0}b", true, true),
        // The API's own.
        ("/reward-points", true, true),
        ("/reward-points/**", true, true),
        ("/reward-points/customer/{id}", true, true),
        ("/reward-points/x", true, true),
    ] {
        let rules = json!([rule(&json!({"path": text}))]);
        let error = table(&[], &rules).err().map(|error| error.path);
        assert_eq!(
            error,
            as_pattern.then(|| "rules[0].path".to_owned()),
            "{text:?}"
        );
        let error = table(&["/ok", text], &json!([]))
            .err()
            .map(|error| error.path);
        assert_eq!(
            error,
            as_prefix.then(|| "guarded_prefixes[1]".to_owned()),
            "{text:?}"
        );
    }
    for long in [format!("/{}", "a".repeat(512)), "/a".repeat(33)] {
        let rules = json!([rule(&json!({"path": long}))]);
        assert_eq!(table(&[], &rules).unwrap_err().path, "rules[0].path");
        let error = table(&[&long], &json!([])).unwrap_err();
        assert_eq!(error.path, "guarded_prefixes[0]");
    }
    let many = ["/a"; 65];
    assert!(table(&many[..64], &json!([])).is_ok());
    assert_eq!(
        table(&many, &json!([])).unwrap_err().path,
        "guarded_prefixes"
    );
}

#[test]
fn bad_operations_are_named_by_their_path() {
    let test = json!({"claim": "user_type", "any_of": ["EMPLOYEE"]});
    for (config, claims, path) in [
        (json!({"read": {}}), json!([]), "operations.read"),
        (
            json!({"balance": {"allow": "anonymous"}}),
            json!([]),
            "operations.balance.allow",
        ),
        (
            json!({"balance": {"any_of": []}}),
            json!([]),
            "operations.balance.any_of",
        ),
        (
            json!({"summary_batch": {"any_of": ["a", "tenant=x"]}}),
            json!([]),
            "operations.summary_batch.any_of[1]",
        ),
        (
            json!({"add_points": {"all_of": [""]}}),
            json!([]),
            "operations.add_points.all_of[0]",
        ),
        (
            json!({"delete": {"claims": [{"claim": "c", "any_of": []}]}}),
            json!([]),
            "operations.delete.claims[0].any_of",
        ),
        (
            json!({"redeem_points": {"mode": "off"}}),
            json!([]),
            "operations.redeem_points.mode",
        ),
        (
            json!({}),
            json!([test, {"claim": "", "any_of": ["x"]}]),
            "operation_claims[1].claim",
        ),
        (json!({}), json!([{"any_of": ["x"]}]), "operation_claims[0]"),
        (json!({}), json!(vec![&test; 17]), "operation_claims"),
    ] {
        let error = operations(&config, &claims).expect_err(path);
        assert_eq!(error.path, path, "{error}");
    }
}

#[test]
fn claims_are_listed_once_and_bounded() {
    let test = |name: &str| json!({"claim": name, "any_of": ["x"]});
    let tests = |from: usize, to: usize| -> Vec<Value> {
        (from..to).map(|n| test(&format!("c{n:02}"))).collect()
    };
    let rules = |lists: &[Vec<Value>]| -> Value {
        let rule = |(n, list): (usize, &Vec<Value>)| json!({"name": n.to_string(), "path": "/a", "allow": "authenticated", "claims": list});
        lists.iter().enumerate().map(rule).collect()
    };
    let table = |lists: &[Vec<Value>]| super::table(&[], &rules(lists));

    let two = table(&[vec![test("b"), test("a")], vec![test("a")], vec![]]).unwrap();
    assert_eq!(two.tested_claims(), ["a", "b"]);
    let of_operations = operations(
        &json!({"create": {"claims": [test("z"), test("a")]}}),
        &json!([test("user_type")]),
    )
    .unwrap();
    assert_eq!(of_operations.tested_claims(), ["a", "user_type", "z"]);
    assert_eq!(
        tested_claims(&two, &of_operations).unwrap(),
        ["a", "b", "user_type", "z"]
    );

    assert!(table(&[tests(0, 10), tests(5, 16)]).is_ok());
    let error = table(&[tests(0, 10), tests(5, 17)]).unwrap_err();
    assert_eq!(error.path, "rules[1].claims");
    let error = operations(
        &json!({"create": {"claims": tests(0, 10)}}),
        &json!(tests(10, 17)),
    )
    .unwrap_err();
    assert_eq!(error.path, "operations.create.claims");
    let sixteen = table(&[tests(0, 16)]).unwrap();
    assert!(tested_claims(&sixteen, &none()).is_ok());
    let error = tested_claims(&sixteen, &of_operations).unwrap_err();
    assert_eq!(error.path, "rules");
    assert_eq!(
        tested_claims(&Rules::default(), &none()).unwrap(),
        Vec::<String>::new()
    );
}

fn none() -> OperationRules {
    operations(&json!({}), &json!([])).unwrap()
}
