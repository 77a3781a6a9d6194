//! Which rule decides: patterns, methods, the table's order, and what happens without one.

use serde_json::json;

use super::{table, verdict};
use crate::rules::{Allow, Match, Mode, Rules};

#[test]
fn patterns() {
    for (pattern, matching, others) in [
        ("/", &["/", "/?x"][..], &["/a"][..]),
        ("/**", &["/", "/a", "/a/", "/a/b/c"], &[]),
        (
            "/health",
            &["/health", "/health/", "/health?full=1", "/he%61lth"],
            &["/", "/health/x", "/healthx", "/Health", "/x/health"],
        ),
        ("/*", &["/a", "/a/"], &["/", "/a/b"]),
        (
            "/orders/*",
            &["/orders/7", "/orders/7/", "/orders/a%25"],
            &["/orders", "/orders/", "/orders/7/items", "/other/7"],
        ),
        (
            "/orders/{id}",
            &["/orders/7", "/orders/{id}"],
            &["/orders", "/orders/7/8"],
        ),
        (
            "/orders/{id}/items/{item-no}",
            &["/orders/7/items/1"],
            &[
                "/orders/7/items",
                "/orders/7/other/1",
                "/orders/7/items/1/2",
            ],
        ),
        (
            "/orders/**",
            &["/orders", "/orders/", "/orders/7", "/orders/7/items/1"],
            &["/", "/ordersx", "/ordersx/7", "/order"],
        ),
        (
            "/orders/{id}/**",
            &["/orders/7", "/orders/7/", "/orders/7/items"],
            &["/orders", "/orders/"],
        ),
        (
            "/*/admin",
            &["/a/admin", "/b/admin/"],
            &["/admin", "/a/b/admin"],
        ),
        ("/caf\u{e9}", &["/caf%C3%A9", "/caf%c3%a9/"], &["/cafe"]),
        ("/100%", &["/100%25"], &["/100"]),
        ("/a+b", &["/a+b", "/a%2Bb"], &["/a"]),
    ] {
        let rules = table(
            &[],
            &json!([{"name": "it", "path": pattern, "allow": "anonymous"}]),
        )
        .unwrap();
        for path in matching {
            assert_eq!(
                verdict(&rules, "GET", path.as_bytes()),
                "it",
                "{pattern} {path}"
            );
        }
        for path in others {
            assert_eq!(
                verdict(&rules, "GET", path.as_bytes()),
                "PASS",
                "{pattern} {path}"
            );
        }
    }
}

fn shop() -> Rules {
    let rules = json!([
        {"name": "orders-closed", "path": "/orders/internal/**", "allow": "denied"},
        {"name": "orders-read", "methods": ["GET", "HEAD"], "path": "/orders/{id}/**",
            "allow": "scopes", "any_of": ["orders.view"]},
        {"name": "orders-list", "methods": ["GET"], "path": "/orders", "allow": "scopes", "all_of": ["orders.list"]},
        {"name": "orders-write", "methods": ["POST", "PUT", "orders-MOVE"], "path": "/orders/**",
            "allow": "authenticated", "mode": "report"},
        {"name": "preflight", "methods": ["OPTIONS"], "path": "/**", "allow": "anonymous"},
        {"name": "health", "path": "/health", "allow": "anonymous"},
        {"name": "health-again", "path": "/health", "allow": "denied"},
        {"name": "any-status", "path": "/*/status", "allow": "anonymous"},
        {"name": "internal-status", "path": "/internal/status", "allow": "denied"},
        {"name": "internal-rest", "methods": ["GET"], "path": "/internal/*", "allow": "authenticated"},
    ]);
    table(&["/orders", "/internal", "/deep/er"], &rules).unwrap()
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = shop();
    for (method, path, expected) in [
        ("GET", "/orders/7", "orders-read"),
        ("HEAD", "/orders/7", "orders-read"),
        ("GET", "/orders/7/items/1", "orders-read"),
        // Order: the narrower rule stands first and wins, however it is spelled.
        ("GET", "/orders/internal", "orders-closed"),
        ("GET", "/orders/internal/", "orders-closed"),
        ("GET", "/orders/int%65rnal/x", "orders-closed"),
        ("POST", "/orders/internal/x", "orders-closed"),
        ("GET", "/orders/internalx", "orders-read"),
        ("GET", "/health", "health"),
        // Methods are whole words of exact case; HEAD inherits nothing from GET.
        ("GET", "/orders", "orders-list"),
        ("GET", "/orders/", "orders-list"),
        ("HEAD", "/orders", "DENY"),
        ("get", "/orders/7", "DENY"),
        ("", "/orders/7", "DENY"),
        ("POST", "/orders", "orders-write"),
        ("POST", "/orders/7", "orders-write"),
        ("orders-MOVE", "/orders/7", "orders-write"),
        ("DELETE", "/orders/7", "DENY"),
        ("PATCH", "/orders", "DENY"),
        ("OPTIONS", "/orders/7", "preflight"),
        ("OPTIONS", "/", "preflight"),
        ("OPTIONS", "/elsewhere", "preflight"),
        // Patterns that begin with a wildcard keep their place among the others.
        ("GET", "/internal/status", "any-status"),
        ("GET", "/elsewhere/status", "any-status"),
        ("GET", "/internal/other", "internal-rest"),
        ("OPTIONS", "/health", "preflight"),
        // No rule: guarded prefixes deny, by whole segments.
        ("GET", "/internal", "DENY"),
        ("GET", "/internal/", "DENY"),
        ("GET", "/internal/a/b", "DENY"),
        ("GET", "/%69nternal/a/b", "DENY"),
        ("GET", "/internalx", "PASS"),
        ("GET", "/ordersx", "PASS"),
        ("GET", "/deep", "PASS"),
        ("GET", "/deep/er", "DENY"),
        ("GET", "/deep/er/x?y", "DENY"),
        ("GET", "/deep/erx", "PASS"),
        ("GET", "/x/orders", "PASS"),
        ("GET", "/", "PASS"),
        ("GET", "/Orders/7", "PASS"),
        // Ambiguous, wherever it might lead.
        ("GET", "/elsewhere/../orders", "AMBIGUOUS"),
        ("GET", "/elsewhere//", "AMBIGUOUS"),
        ("GET", "/orders;v=1/7", "AMBIGUOUS"),
        ("GET", "/orders%2F7", "AMBIGUOUS"),
        ("OPTIONS", "*", "AMBIGUOUS"),
        ("GET", "/reward%2Dpoints/customer/614", "AMBIGUOUS"),
    ] {
        assert_eq!(
            verdict(&rules, method, path.as_bytes()),
            expected,
            "{method} {path}"
        );
    }
}

#[test]
fn a_rule_says_whom_it_lets_through_and_what_becomes_of_a_refusal() {
    let rules = shop();
    let rule = |method: &str, path: &str| match rules.judge(method.as_bytes(), path.as_bytes()) {
        Match::Rule(rule) => rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(rule("GET", "/orders/internal").allow(), &Allow::Denied);
    assert_eq!(rule("GET", "/health").allow(), &Allow::Anonymous);
    let Allow::Token(read) = rule("GET", "/orders/7").allow() else {
        panic!("a token is needed");
    };
    assert_eq!(read.any_of().as_ref(), ["orders.view"]);
    assert!(read.all_of().is_empty());
    assert_eq!(rule("GET", "/orders/7").mode(), Mode::Enforce);
    let Allow::Token(write) = rule("POST", "/orders/7").allow() else {
        panic!("a token is needed");
    };
    assert_eq!(write.check(|_| false, |_| None), Ok(None));
    assert_eq!(rule("POST", "/orders/7").mode(), Mode::Report);
}

#[test]
fn the_root_guards_everything_and_nothing_guards_nothing() {
    let everything = table(&["/"], &json!([])).unwrap();
    for path in ["/", "/a", "/a/b/"] {
        assert_eq!(
            verdict(&everything, "GET", path.as_bytes()),
            "DENY",
            "{path}"
        );
    }
    assert!(!everything.is_empty());
    let nothing = table(&[], &json!([])).unwrap();
    assert!(nothing.is_empty());
    assert_eq!(verdict(&nothing, "GET", b"/a"), "PASS");
    let open = json!([{"name": "open", "path": "/**", "allow": "anonymous"}]);
    assert!(!table(&[], &open).unwrap().is_empty());
}

#[test]
fn a_full_table_is_judged_by_its_order() {
    let rules: Vec<_> = (0..256)
        .map(|n| {
            let path = match n {
                100 => "/*/late".to_owned(),
                255 => "/**".to_owned(),
                n => format!("/r{}/{}", n % 50, if n < 128 { "{id}" } else { "late" }),
            };
            json!({"name": format!("r{n}"), "path": path, "allow": "anonymous"})
        })
        .collect();
    let rules = table(&[], &json!(rules)).unwrap();
    for (path, expected) in [
        ("/r7/x", "r7"),
        ("/r49/late", "r49"),
        ("/none/late", "r100"),
        ("/none", "r255"),
        ("/r7", "r255"),
        ("/", "r255"),
    ] {
        assert_eq!(verdict(&rules, "GET", path.as_bytes()), expected, "{path}");
    }
}
