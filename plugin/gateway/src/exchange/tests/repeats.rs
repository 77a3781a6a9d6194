//! Requests that come again: by idempotency key, by the client's own id, after a deletion, after a day.

use serde_json::json;

use super::{conflict, problem, with_614};
use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn replayed(status: u16) -> String {
    format!("{status}\nidempotency-replayed: true")
}

fn key_reused(instance: &str) -> String {
    let detail = "The Idempotency-Key was used before for a different request";
    problem(422, "Unprocessable Content", instance, detail)
}

fn add(points: u32) -> Request {
    Request::add("614", &json!({"points": points}))
}

fn balance(world: &mut World) -> Vec<u8> {
    world.expect(200, &Request::get("/customer/614")).body
}

#[test]
fn a_key_makes_each_post_happen_once() {
    let new = json!({"startPoints": {"points": 3}});
    for (request, first, after) in [
        (add(5), 201, "105"),
        (Request::redeem("614", &json!({"points": 5})), 201, "95"),
        (Request::create("new", &new), 200, "3"),
        (Request::new("POST", "/customer/new"), 200, "0"),
    ] {
        let mut world = with_614();
        let request = request.key("k-1");
        assert_eq!(show(&world.reply(&request)), first.to_string());
        let puts = world.engine.puts.len();
        for _ in 0..3 {
            assert_eq!(show(&world.reply(&request)), replayed(first), "{request:?}");
        }
        assert_eq!(world.engine.puts.len(), puts);
        let customer = if after.len() == 1 { "new" } else { "614" };
        let reply = world.expect(200, &Request::get(&format!("/customer/{customer}")));
        assert_eq!(reply.body, after.as_bytes());
    }
}

#[test]
fn a_replay_is_recognised_in_any_spelling_and_not_in_any_other_meaning() {
    let keyed = |path: &str, body: &str| Request::post(path, body).key("k");
    let path = "/customer/614/addPoints";
    let first = keyed(
        path,
        r#"{"points": 5, "description": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
    );
    for (path, body, same) in [
        (
            path,
            r#"{"validUntil":"2030-01-01T01:00:00.000+01:00","description":"\u00e9","points":5}"#,
            true,
        ),
        (
            path,
            r#"{"points": 5, "description": "é", "validUntil": "2030-01-01T00:00:00Z", "usedPoints": 9, "x": 1}"#,
            true,
        ),
        (
            "/customer/%3614/addPoints?siteCode=main&x=y",
            r#"{"points": 5, "description": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
            true,
        ),
        (
            path,
            r#"{"points": 6, "description": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
        (
            path,
            r#"{"points": 5, "description": "e", "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
        (
            path,
            r#"{"points": 5, "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
        (
            path,
            r#"{"points": 5, "description": "é", "validUntil": "2030-01-01T00:00:00.001Z"}"#,
            false,
        ),
        (path, r#"{"points": 5, "description": "é"}"#, false),
        (
            path,
            r#"{"points": 5, "reference-id": "", "description": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
        (
            path,
            r#"{"points": 5, "reference-id": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
        (
            path,
            r#"{"id": "x", "points": 5, "description": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
        (
            "/customer/614/addPoints?siteCode=yearly",
            r#"{"points": 5, "description": "é", "validUntil": "2030-01-01T00:00:00Z"}"#,
            false,
        ),
    ] {
        let mut world = with_614();
        world.expect(201, &first);
        let shown = show(&world.reply(&keyed(path, body)));
        let instance = path.split('?').next().unwrap_or_default();
        let expected = if same {
            replayed(201)
        } else {
            key_reused(instance)
        };
        assert_eq!(shown, expected, "{body}");
        assert_eq!(balance(&mut world), b"105");
    }
}

#[test]
fn a_key_belongs_to_one_operation_of_one_customer_of_one_tenant() {
    let mut world = with_614();
    world.expect(201, &add(5).key("k"));
    let redeem = Request::redeem("614", &json!({"points": 5})).key("k");
    assert_eq!(show(&world.reply(&redeem)), "201", "another operation");
    let other = Request::add("615", &json!({"points": 5})).key("k");
    assert_eq!(show(&world.reply(&other)), "201", "another customer");
    let create = Request::create("616", &json!({"points": 5})).key("k");
    assert_eq!(
        show(&world.reply(&create)),
        "200",
        "another operation and customer"
    );
    let tenant = Request::of("other", "POST", "/customer/614/addPoints")
        .json(r#"{"points": 5}"#)
        .key("k");
    assert_eq!(show(&world.reply(&tenant)), "201", "another tenant");
    assert_eq!(
        show(&world.reply(&add(5).key("K"))),
        "201",
        "keys are what they are"
    );
}

#[test]
fn what_a_key_may_be() {
    let longest = "x".repeat(255);
    let mut world = with_614();
    for key in [
        "a",
        "!~",
        longest.as_str(),
        "00000000-0000-0000-0000-000000000000",
    ] {
        world.expect(201, &add(1).key(key));
    }
    let detail = "Header 'Idempotency-Key' must be 1 to 255 visible ASCII characters";
    let path = "/customer/614/addPoints";
    let longer = "x".repeat(256);
    for key in [
        &b""[..],
        b" ",
        b"a b",
        b"\xff",
        b"\x7f",
        "é".as_bytes(),
        longer.as_bytes(),
    ] {
        let request = add(1).header("idempotency-key", key);
        assert_eq!(
            show(&world.reply(&request)),
            super::bad_request(path, detail),
            "{key:?}"
        );
    }
    // Where it means nothing it is not looked at.
    world.expect(
        200,
        &Request::get("/customer/614").header("idempotency-key", ""),
    );
    world.expect(200, &Request::delete("614").header("idempotency-key", ""));
}

#[test]
fn a_refusal_is_not_remembered() {
    let mut world = with_614();
    let redeem = Request::redeem("614", &json!({"points": 105})).key("k");
    world.expect(400, &redeem);
    world.expect(201, &add(5));
    assert_eq!(show(&world.reply(&redeem)), "201");
    assert_eq!(show(&world.reply(&redeem)), replayed(201));
}

#[test]
fn an_id_is_used_once_for_the_life_of_the_account() {
    let own = |points: u32| Request::add("614", &json!({"id": "mine", "points": points}));
    let mut world = with_614();
    world.expect(201, &own(5));
    world.pass(400 * DAY_MS);
    for _ in 0..2 {
        assert_eq!(
            show(&world.reply(&own(5))),
            "201",
            "the same again has no effect"
        );
        assert_eq!(show(&world.reply(&own(6))), conflict("614"));
    }
    let redeem = Request::redeem("614", &json!({"id": "mine", "points": 5}));
    assert_eq!(show(&world.reply(&redeem)), conflict("614"));
    assert_eq!(balance(&mut world), b"105");
    let elsewhere = Request::add("615", &json!({"id": "mine", "points": 6}));
    assert_eq!(show(&world.reply(&elsewhere)), "201");
    let labelled = json!({"reference-id": "order", "points": 1});
    for _ in 0..2 {
        world.expect(201, &Request::add("614", &labelled));
    }
    assert_eq!(balance(&mut world), b"107", "a label is no id");
}

#[test]
fn an_id_and_a_key_together() {
    let both = |id: &str, points: u32, key: &str| {
        Request::add("614", &json!({"id": id, "points": points})).key(key)
    };
    let mut world = with_614();
    assert_eq!(show(&world.reply(&both("a", 5, "k"))), "201");
    assert_eq!(show(&world.reply(&both("a", 5, "k"))), replayed(201));
    // Known by its id; its new key was not used before, but stands for this request from now on.
    assert_eq!(show(&world.reply(&both("a", 5, "k2"))), "201");
    assert_eq!(show(&world.reply(&both("a", 5, "k2"))), replayed(201));
    let path = "/customer/614/addPoints";
    assert_eq!(show(&world.reply(&both("b", 5, "k2"))), key_reused(path));
    assert_eq!(show(&world.reply(&both("b", 5, "k"))), key_reused(path));
    assert_eq!(show(&world.reply(&both("a", 6, "k3"))), conflict("614"));
    assert_eq!(balance(&mut world), b"105");
}

#[test]
fn a_retry_after_the_deletion_revives_nothing() {
    let keyed = add(5).key("k");
    let own = Request::add("614", &json!({"id": "mine", "points": 7}));
    let mut world = World::single(config());
    for request in [&keyed, &own] {
        world.expect(201, request);
    }
    world.expect(200, &Request::delete("614"));
    assert_eq!(show(&world.reply(&keyed)), replayed(201));
    assert_eq!(show(&world.reply(&own)), "201");
    world.expect(404, &Request::get("/customer/614"));
    // Also when the account has begun a new life.
    world.expect(200, &Request::new("POST", "/customer/614"));
    assert_eq!(show(&world.reply(&keyed)), replayed(201));
    assert_eq!(show(&world.reply(&own)), "201");
    assert_eq!(
        show(&world.reply(&add(6).key("k"))),
        key_reused("/customer/614/addPoints")
    );
    assert_eq!(balance(&mut world), b"0");
    // A request that is not the old one may have the id in the new life.
    world.expect(
        201,
        &Request::add("614", &json!({"id": "mine", "points": 8})),
    );
    assert_eq!(balance(&mut world), b"8");
}

#[test]
fn keys_are_kept_for_a_day_at_least() {
    for deleted in [false, true] {
        let mut world = with_614();
        world.expect(201, &add(5).key("k"));
        if deleted {
            world.expect(200, &Request::delete("614"));
        }
        world.pass(DAY_MS - 1000);
        assert_eq!(show(&world.reply(&add(5).key("k"))), replayed(201));
        assert_eq!(
            show(&world.reply(&add(6).key("k"))),
            key_reused("/customer/614/addPoints")
        );
        // Later writes do not push it out.
        for number in 0..100 {
            world.expect(201, &add(1).key(&format!("n{number}")));
        }
        assert_eq!(show(&world.reply(&add(5).key("k"))), replayed(201));
        world.pass(2000);
        assert_eq!(show(&world.reply(&add(6).key("k"))), "201", "free again");
    }
}

#[test]
fn another_worker_and_another_gateway_know_it_too() {
    let mut world = World::new(config(), &[2, 1]);
    let request = add(5).key("k");
    assert_eq!(show(&world.reply_of(0, &request)), "201");
    for node in [0, 1, 2] {
        assert_eq!(show(&world.reply_of(node, &request)), replayed(201));
    }
    assert_eq!(world.engine.puts.len(), 1);
}
