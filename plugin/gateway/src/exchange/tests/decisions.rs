//! What the operator is told of each decision, and what is never told.

use serde_json::{Value, json};

use crate::host::{Counter, Severity};
use crate::test_support::request::signed;
use crate::test_support::{Request, World, config_with};

fn world(lines: &str) -> World {
    World::single(config_with(&json!({
        "decision_log": {"lines": lines, "subject_salt": "pepper"},
        "guarded_prefixes": ["/shop"],
        "rules": [
            {"name": "orders", "path": "/shop/orders/{id}", "allow": "scopes", "any_of": ["orders.view"]},
            {"name": "trial", "path": "/shop/trial", "allow": "scopes", "any_of": ["trial"], "mode": "report"},
        ],
    })))
}

fn lines(world: &mut World, request: &Request) -> Vec<Value> {
    world.nodes[0].host.lines.borrow_mut().clear();
    world.ask(0, &request.clone().header("x-request-id", "req-1"));
    world.run();
    let lines = world.nodes[0].host.lines.borrow();
    let decisions = lines
        .iter()
        .filter(|(severity, _)| *severity == Severity::Info);
    decisions
        .map(|(_, line)| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn one_line_for_each_decision() {
    let mut world = world("all");
    // HMAC-SHA256 of "employee-7" under "pepper", by another program.
    let subject = "6710c8b3ce03429a";
    let row = |decision: &str,
               known: bool,
               method: &str,
               route: &str,
               rule: &str,
               scope: Option<&str>,
               reason: &str,
               status: Option<u16>| {
        json!({
            "decision": decision, "request_id": "req-1",
            "tenant": known.then_some("acme"), "subject": known.then_some(subject),
            "method": method, "route": route, "rule": rule, "scope": scope, "reason": reason, "status": status,
        })
    };
    let view = "rewardspoints.rewardpoints_view";
    let customer = "/reward-points/customer/{customerId}";
    let orders = Request::bare("GET", "/shop/orders/secret-7");
    let allowed = signed(&json!({"scope": "orders.view"}));
    let nothing = signed(&json!({"scope": "x"}));
    for (request, expected) in [
        (
            Request::get("/customer/secret"),
            row(
                "allow",
                true,
                "GET",
                customer,
                "balance",
                Some(view),
                "allowed",
                None,
            ),
        ),
        (
            Request::get("/customer/secret").without("authorization"),
            row(
                "deny",
                false,
                "GET",
                customer,
                "balance",
                None,
                "no_credentials",
                Some(401),
            ),
        ),
        (
            Request::add("secret", &json!({"points": 1})).claims(&json!({"scope": view})),
            row(
                "deny",
                true,
                "POST",
                "/reward-points/customer/{customerId}/addPoints",
                "add_points",
                None,
                "missing_scope",
                Some(403),
            ),
        ),
        (
            Request::get("/customer/secret").header("emporix-tenant", "other"),
            row(
                "deny",
                true,
                "GET",
                customer,
                "balance",
                None,
                "tenant_mismatch",
                Some(403),
            ),
        ),
        (
            orders.clone().bearer(&allowed),
            row(
                "allow",
                true,
                "GET",
                "/shop/orders/{id}",
                "orders",
                Some("orders.view"),
                "allowed",
                None,
            ),
        ),
        (
            orders.clone().bearer(&nothing),
            row(
                "deny",
                true,
                "GET",
                "/shop/orders/{id}",
                "orders",
                None,
                "missing_scope",
                Some(403),
            ),
        ),
        (
            Request::bare("GET", "/shop/secret"),
            row("deny", false, "GET", "", "", None, "no_rule", Some(403)),
        ),
        (
            Request::bare("GET", "/shop/../secret"),
            row(
                "deny",
                false,
                "GET",
                "",
                "",
                None,
                "path_dot_segment",
                Some(400),
            ),
        ),
        (
            Request::bare("GET", "/shop/trial").bearer(&nothing),
            row(
                "report",
                true,
                "GET",
                "/shop/trial",
                "trial",
                None,
                "missing_scope",
                None,
            ),
        ),
        (
            Request::bare("GET", "/shop/trial"),
            row(
                "report",
                false,
                "GET",
                "/shop/trial",
                "trial",
                None,
                "no_credentials",
                None,
            ),
        ),
    ] {
        assert_eq!(lines(&mut world, &request), [expected], "{request:?}");
    }
    // What nothing guards is no decision.
    assert!(lines(&mut world, &Request::bare("GET", "/elsewhere")).is_empty());
    let host = &world.nodes[0].host;
    let counted = [
        Counter::Allowed,
        Counter::Unauthenticated,
        Counter::Forbidden,
        Counter::WouldRefuse,
    ]
    .map(|it| host.counted(it));
    assert_eq!(counted, [2, 1, 5, 2]);
}

#[test]
fn fewer_lines_or_none_are_written_where_that_is_wanted() {
    let allowed = Request::get("/customer/614");
    let refused = allowed.clone().without("authorization");
    for (wanted, expected) in [("all", [1, 1]), ("refused", [0, 1]), ("none", [0, 0])] {
        let mut world = world(wanted);
        let written = [&allowed, &refused].map(|request| lines(&mut world, request).len());
        assert_eq!(written, expected, "{wanted}");
    }
}

#[test]
fn what_a_client_sends_cannot_break_a_line() {
    let mut world = world("all");
    let long = "x".repeat(500);
    for id in ["\"}\n{\"decision\":\"allow\"", long.as_str()] {
        let request = Request::bare("G\"\nET", "/shop/x");
        world.nodes[0].host.lines.borrow_mut().clear();
        world.ask(0, &request.header("x-request-id", id));
        let lines = world.nodes[0].host.lines.borrow();
        let [(_, line)] = lines.as_slice() else {
            panic!("one line: {lines:?}");
        };
        assert!(!line.contains('\n') && line.len() < 400);
        let told: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(told["decision"], "deny");
    }
}

#[test]
fn a_line_that_the_host_would_not_write_is_not_made_but_counted() {
    let mut world = world("all");
    world.nodes[0].host.quiet.set(true);
    let request = Request::get("/customer/secret");
    assert_eq!(lines(&mut world, &request), Vec::<Value>::new());
    assert_eq!(world.nodes[0].host.counted(Counter::Allowed), 1);
    world.nodes[0].host.quiet.set(false);
    assert_eq!(lines(&mut world, &request).len(), 1);
    assert_eq!(world.nodes[0].host.counted(Counter::Allowed), 2);
}

#[test]
fn whatever_a_client_sends_a_line_stays_json() {
    let mut world = world("all");
    for id in [
        "\"",
        "\\",
        "a\"b\\c",
        "\u{1}\t\u{1f}",
        "\u{7f}",
        "ä\u{2028}",
        "",
    ] {
        let request = Request::get("/customer/secret").header("x-request-id", id);
        world.nodes[0].host.lines.borrow_mut().clear();
        world.ask(0, &request);
        let lines = world.nodes[0].host.lines.borrow();
        let (_, line) = lines.first().expect("a line");
        let read: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(read["request_id"], json!(id), "{line}");
    }
}
