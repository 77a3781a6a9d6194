//! One segment is one id, whatever stands in it; what is no id reaches no account.

use serde_json::{Value, json};

use super::{bad_request, check_refusals, unknown_customer, with_614};
use crate::test_support::{Request, World, config};

#[test]
fn what_is_no_id() {
    let escape = "The request target holds a malformed percent escape";
    let control = "The customer id holds a control character";
    let too_long = "The customer id is longer than 128 bytes";
    let long = "x".repeat(129);
    // 43 characters of three bytes each.
    let euros = "%E2%82%AC".repeat(43);
    for (segment, detail) in [
        ("", "The customer id is empty"),
        ("%00", control),
        ("a%0Ab", control),
        ("%7F", control),
        ("%C2%85", control),
        ("%ff", "The customer id is not UTF-8"),
        ("%C3", "The customer id is not UTF-8"),
        ("%ED%A0%80", "The customer id is not UTF-8"),
        ("%C0%AF", "The customer id is not UTF-8"),
        ("%", escape),
        ("%4", escape),
        ("%zz", escape),
        ("a%2", escape),
        (long.as_str(), too_long),
        (euros.as_str(), too_long),
    ] {
        let path = format!("/customer/{segment}");
        let below = |name: &str| format!("{path}/{name}");
        let points = json!({"points": 1});
        check_refusals(
            with_614,
            vec![
                (segment, Request::get(&path), bad_request(&path, detail)),
                (
                    segment,
                    Request::get(&below("summary")),
                    bad_request(&below("summary"), detail),
                ),
                (
                    segment,
                    Request::new("POST", &path),
                    bad_request(&path, detail),
                ),
                (
                    segment,
                    Request::new("DELETE", &path),
                    bad_request(&path, detail),
                ),
                (
                    segment,
                    Request::add(segment, &points),
                    bad_request(&below("addPoints"), detail),
                ),
                (
                    segment,
                    Request::redeem(segment, &points),
                    bad_request(&below("redeemPoints"), detail),
                ),
            ],
        );
    }
}

#[test]
fn raw_bytes_that_are_no_text() {
    let request = Request::bare("GET", b"/reward-points/customer/\xff");
    let token = crate::test_support::request::signed(&json!({}));
    check_refusals(
        with_614,
        vec![(
            "0xff",
            request.bearer(&token),
            bad_request("/customer/\u{fffd}", "The customer id is not UTF-8"),
        )],
    );
}

#[test]
fn ids_are_kept_apart_and_come_back_as_they_are() {
    let long = "x".repeat(128);
    // Every one of these is an account of its own.
    let ids = [
        ("614", "614"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("a;b=c", "a;b=c"),
        ("..", ".."),
        ("%2E%2E%2Fx", "../x"),
        (".", "."),
        ("summary", "summary"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%22%5C", "\"\\"),
        ("%3Cscript%3E", "<script>"),
        ("gr%C3%B6%C3%9Fe", "größe"),
        ("%F0%9F%8E%81", "🎁"),
        ("A", "A"),
        ("a", "a"),
        (long.as_str(), long.as_str()),
    ];
    let mut world = World::single(config());
    for (points, (segment, id)) in (1..).zip(ids) {
        let body = json!({"customerId": id, "startPoints": {"points": points}});
        world.expect(200, &Request::create(segment, &body));
    }
    for (points, (segment, id)) in (1..).zip(ids) {
        let reply = world.expect(200, &Request::get(&format!("/customer/{segment}/summary")));
        let summary: Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(summary["customerId"], id);
        assert_eq!(summary["activePoints"], points);
    }
    let reply = world.expect(200, &Request::get("/summaryBatch"));
    let all: Vec<Value> = serde_json::from_slice(&reply.body).expect("JSON");
    let mut expected: Vec<&str> = ids.iter().map(|&(_, id)| id).collect();
    expected.sort_unstable();
    let listed: Vec<&str> = all
        .iter()
        .filter_map(|it| it["customerId"].as_str())
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn escapes_of_one_id_name_one_account() {
    let mut world = with_614();
    for segment in ["614", "%36%31%34", "6%314"] {
        let reply = world.expect(200, &Request::get(&format!("/customer/{segment}")));
        assert_eq!(reply.body, b"100");
    }
    let shown = crate::test_support::request::show(
        &world.reply(&Request::get("/customer/%2536%2531%2534")),
    );
    assert_eq!(shown, unknown_customer("%36%31%34"));
}
