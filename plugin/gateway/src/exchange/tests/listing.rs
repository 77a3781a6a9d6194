//! summaryBatch: order, pages, cursors, totals, limits.

use serde_json::{Value, json};

use super::{bad_request, check_refusals, with_614};
use crate::access::test_support::permit;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::api::reply::Reply;
use crate::test_support::request::show;
use crate::test_support::{Request, World, config, config_with};

const TOO_LONG: &str =
    "The list is too long for one answer: ask for pages with pageNumber and pageSize, or with next";

/// Puts accounts into the engine directly, all with the document of one that was made by a request.
pub(super) fn fill(world: &mut World, tenant: &str, customers: impl Iterator<Item = String>) {
    let template =
        Request::of(tenant, "POST", "/customer/template").json(r#"{"id": "t", "points": 5}"#);
    world.expect(200, &template);
    let value = world.engine.puts.last().expect("a document").value.clone();
    world.expect(200, &Request::of(tenant, "DELETE", "/customer/template"));
    let permit = permit(tenant);
    for customer in customers {
        let customer = CustomerId::new(customer.into_bytes()).expect("an id");
        let key = AccountKey::new(permit.tenant(), &customer);
        world.engine.put(key.as_bytes(), &value);
    }
}

pub(super) fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("c{number:05}"))
}

pub(super) fn ids(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", show(reply));
    let all: Vec<Value> = serde_json::from_slice(&reply.body).expect("JSON");
    all.iter()
        .map(|it| it["customerId"].as_str().expect("an id").to_owned())
        .collect()
}

pub(super) fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut found = reply.headers.iter().filter(|(it, _)| *it == name);
    let value = found.next().map(|(_, value)| &**value);
    assert!(found.next().is_none(), "{name} twice");
    value
}

pub(super) fn list(world: &mut World, query: &str) -> Reply {
    world.reply(&Request::get(&format!("/summaryBatch{query}")))
}

#[test]
fn thousands_in_order_and_nobody_elses() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(3000));
    fill(
        &mut world,
        "acmf",
        (0..500).map(|number| format!("c{number:05}")),
    );
    fill(&mut world, "acm", numbered(7));
    let reply = list(&mut world, "");
    assert_eq!(ids(&reply), numbered(3000).collect::<Vec<_>>());
    assert_eq!(header(&reply, "x-next-cursor"), None);
    assert_eq!(header(&reply, "x-total-count"), None);
    let other = world.expect(
        200,
        &Request::of("acm", "GET", "/summaryBatch").header("x-total-count", "true"),
    );
    assert_eq!(ids(&other), numbered(7).collect::<Vec<_>>());
    assert_eq!(header(&other, "x-total-count"), Some("7"));
}

#[test]
fn pages_and_cursors_show_every_account_once() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(205));
    let expected: Vec<String> = numbered(205).collect();
    for (size, query) in [
        (60, ""),
        (60, "&pageSize=60"),
        (1, "&pageSize=1"),
        (205, "&pageSize=205"),
        (1000, "&pageSize=1000"),
    ] {
        let mut seen = Vec::new();
        for number in 1..=205_usize.div_ceil(size).min(5) {
            let reply = list(&mut world, &format!("?pageNumber={number}{query}"));
            let from = (number - 1) * size;
            let to = expected.len().min(from + size);
            assert_eq!(ids(&reply), expected[from..to]);
            assert_eq!(
                header(&reply, "x-next-cursor").is_some(),
                to < expected.len(),
                "{number}{query}"
            );
            seen.extend(ids(&reply));
        }
        assert_eq!(seen, expected[..seen.len()]);
    }
    // Along the cursors, from the first page on.
    let mut reply = list(&mut world, "?pageSize=50");
    let mut seen = ids(&reply);
    while let Some(cursor) = header(&reply, "x-next-cursor").map(str::to_owned) {
        reply = list(&mut world, &format!("?pageSize=50&next={cursor}"));
        seen.extend(ids(&reply));
    }
    assert_eq!(seen, expected);
    // Behind the end there is nothing, and that is no error.
    for query in [
        "?pageNumber=9&pageSize=50",
        "?next=c99999",
        "?pageNumber=1000000&pageSize=1000",
    ] {
        let reply = list(&mut world, query);
        assert_eq!(
            show(&reply),
            "200\ncontent-type: application/json\n\n[]",
            "{query}"
        );
    }
}

#[test]
fn cursors_stand_also_when_their_customer_is_gone_or_strange() {
    let mut world = World::single(config());
    let strange = ["a/b", "a.b", "a%2Fb", "größe", "a b+c;&=", "#?", "~"];
    fill(&mut world, "acme", strange.iter().map(|&it| it.to_owned()));
    let mut expected: Vec<String> = strange.iter().map(|&it| it.to_owned()).collect();
    expected.sort_unstable();
    let mut reply = list(&mut world, "?pageSize=1");
    let mut seen = ids(&reply);
    while let Some(cursor) = header(&reply, "x-next-cursor").map(str::to_owned) {
        assert!(cursor.bytes().all(|it| it.is_ascii_graphic()), "{cursor}");
        // The customer that the cursor names is deleted meanwhile.
        let customer = crate::percent::encode(seen.last().expect("one").as_bytes());
        world.expect(200, &Request::delete(&customer));
        reply = list(&mut world, &format!("?pageSize=1&next={cursor}"));
        seen.extend(ids(&reply));
    }
    assert_eq!(seen, expected);
}

#[test]
fn totals_count_accounts_and_leave_tombstones_out() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(30));
    for customer in ["c00000", "c00007", "c00029"] {
        world.expect(200, &Request::delete(customer));
    }
    for (query, listed) in [
        ("", 27),
        ("?pageSize=10", 10),
        ("?pageNumber=3&pageSize=10", 7),
        ("?next=c00020", 8),
    ] {
        for (value, total) in [
            ("true", Some("27")),
            ("TRUE", Some("27")),
            ("false", None),
            ("1", None),
        ] {
            let request =
                Request::get(&format!("/summaryBatch{query}")).header("x-total-count", value);
            let reply = world.reply(&request);
            assert_eq!(ids(&reply).len(), listed, "{query}");
            assert_eq!(header(&reply, "x-total-count"), total, "{query} {value}");
        }
    }
    assert!(!ids(&list(&mut world, "")).contains(&"c00007".to_owned()));
}

#[test]
fn parameters_that_cannot_be_used() {
    let number = |name: &str, max: u32| {
        format!("Query parameter '{name}' must be a whole number from 1 to {max}")
    };
    let row = |query: &'static str, detail: String| {
        let request = Request::get(&format!("/summaryBatch{query}"));
        (query, request, bad_request("/summaryBatch", &detail))
    };
    check_refusals(
        with_614,
        vec![
            row("?pageNumber=0", number("pageNumber", 1_000_000)),
            row("?pageNumber=x", number("pageNumber", 1_000_000)),
            row("?pageNumber=1000001", number("pageNumber", 1_000_000)),
            row("?pageNumber=1&pageSize=0", number("pageSize", 1000)),
            row("?pageSize=1001", number("pageSize", 1000)),
            row("?pageSize=", number("pageSize", 1000)),
            row("?pageSize=1.0", number("pageSize", 1000)),
            row(
                "?pageNumber=1&pageNumber=1",
                "Query parameter 'pageNumber' was sent more than once".to_owned(),
            ),
            row(
                "?next=%zz",
                "The request target holds a malformed percent escape".to_owned(),
            ),
            row(
                "?next=",
                "Query parameter 'next' must be the value of an X-Next-Cursor".to_owned(),
            ),
            row(
                "?next=a.zz",
                "Query parameter 'next' must be the value of an X-Next-Cursor".to_owned(),
            ),
            row(
                "?next=a&pageNumber=1",
                "Query parameter 'next' must be sent without pageNumber".to_owned(),
            ),
        ],
    );
}

#[test]
fn a_list_that_would_pass_a_limit_is_refused_and_never_cut_off() {
    let refused = bad_request("/summaryBatch", TOO_LONG);
    for (limits, most) in [
        (json!({"max_accounts": 50}), 50),
        (json!({"max_accounts": 1}), 1),
    ] {
        for (count, fits) in [(most, true), (most + 1, false)] {
            let mut world = World::single(config_with(&json!({"summary_batch": limits})));
            fill(&mut world, "acme", numbered(count));
            let reply = list(&mut world, "");
            match fits {
                true => assert_eq!(ids(&reply).len(), most),
                false => assert_eq!(show(&reply), refused),
            }
            // In pages it is always to be had.
            assert_eq!(ids(&list(&mut world, "?pageSize=1000")).len(), count);
        }
    }
    let mut large = World::single(config());
    fill(&mut large, "acme", numbered(100));
    let whole = list(&mut large, "").body.len();
    for (max_bytes, fits) in [(whole, true), (whole - 1, false)] {
        let limits = json!({"max_bytes": max_bytes});
        let mut world = World::single(config_with(&json!({"summary_batch": limits})));
        fill(&mut world, "acme", numbered(100));
        let reply = list(&mut world, "");
        assert_eq!(reply.status == 200, fits, "{max_bytes}");
        assert!(fits || show(&reply) == refused);
        assert_eq!(list(&mut world, "?pageSize=10").status, 200);
    }
}
