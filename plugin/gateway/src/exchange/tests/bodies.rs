//! Bodies: what is taken, what is ignored, what is refused and with which words.

use serde_json::{Value, json};

use super::{bad_request, check_refusals, with_614};
use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

const ADD: &str = "/customer/614/addPoints";
const REDEEM: &str = "/customer/614/redeemPoints";
const POINTS: &str = "Field 'points' must be a whole number from 1 to 2147483647";
const TIME: &str = "must be a time as in RFC 3339, such as 2027-05-11T18:32:18.591+00:00";

fn add_raw(body: impl AsRef<[u8]>) -> Request {
    Request::post(ADD, body)
}

#[test]
fn points_that_are_none() {
    let big = "9".repeat(300);
    for points in [
        "0",
        "-1",
        "-0",
        "1.5",
        "1.0",
        "1e3",
        "1E0",
        "2147483648",
        "18446744073709551616",
        &big,
        "\"5\"",
        "null",
        "true",
        "[5]",
        "{}",
    ] {
        let body = format!("{{\"points\": {points}}}");
        let start = format!("{{\"startPoints\": {body}}}");
        check_refusals(
            with_614,
            vec![
                (points, add_raw(&body), bad_request(ADD, POINTS)),
                (
                    points,
                    Request::post(REDEEM, &body),
                    bad_request(REDEEM, POINTS),
                ),
                (
                    points,
                    Request::post("/customer/1", &start),
                    bad_request("/customer/1", POINTS),
                ),
            ],
        );
    }
    check_refusals(
        with_614,
        vec![
            ("no points to add", add_raw("{}"), bad_request(ADD, POINTS)),
            (
                "no points to redeem",
                Request::post(REDEEM, "{}"),
                bad_request(REDEEM, POINTS),
            ),
            (
                "no points to start with",
                Request::post("/customer/1", r#"{"startPoints": {}}"#),
                bad_request("/customer/1", POINTS),
            ),
        ],
    );
}

#[test]
fn points_at_their_bounds() {
    let mut world = with_614();
    for points in ["1", "2147483647"] {
        world.expect(201, &add_raw(format!("{{\"points\": {points}}}")));
    }
    let reply = world.expect(200, &Request::get("/customer/614"));
    assert_eq!(reply.body, b"2147483748");
    let all = json!({"points": 2_147_483_647_u32});
    world.expect(201, &Request::redeem("614", &all));
}

#[test]
fn bodies_that_are_no_json_object() {
    let deep = format!(
        "{{\"points\":1,\"x\":{}{}}}",
        "[".repeat(32),
        "]".repeat(32)
    );
    let deeper = format!(
        "{{\"points\":1,\"x\":{}{}}}",
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("empty", b"".to_vec()),
        ("white space", b" \r\n".to_vec()),
        ("not JSON", b"points=5".to_vec()),
        ("cut off", b"{\"points\":5".to_vec()),
        ("two values", b"{\"points\":5}{}".to_vec()),
        ("a trailing comma", b"{\"points\":5,}".to_vec()),
        ("a key twice", b"{\"points\":5,\"points\":5}".to_vec()),
        (
            "a key twice, once escaped",
            b"{\"points\":5,\"p\\u006fints\":6}".to_vec(),
        ),
        (
            "an ignored key twice",
            b"{\"points\":5,\"x\":{\"y\":1,\"y\":1}}".to_vec(),
        ),
        (
            "no UTF-8",
            b"{\"points\":5,\"description\":\"\xff\"}".to_vec(),
        ),
        (
            "half a surrogate",
            b"{\"points\":5,\"description\":\"\\ud800\"}".to_vec(),
        ),
        ("a byte order mark", b"\xef\xbb\xbf{\"points\":5}".to_vec()),
        ("33 levels", deep.into_bytes()),
        ("30,000 levels", deeper.into_bytes()),
        ("an array", b"[{\"points\":5}]".to_vec()),
        ("a number", b"5".to_vec()),
        ("a string", b"\"points\"".to_vec()),
        ("null", b"null".to_vec()),
        ("not a number", b"{\"points\":NaN}".to_vec()),
        ("beyond every number", b"{\"points\":1e999}".to_vec()),
    ];
    for (name, body) in rows {
        for path in [ADD, REDEEM, "/customer/1"] {
            if path == "/customer/1" && body.trim_ascii().is_empty() {
                continue;
            }
            let mut world = with_614();
            let reply = world.expect(400, &Request::post(path, &body));
            let text: Value = serde_json::from_slice(&reply.body).expect("JSON");
            let detail = text["detail"].as_str().expect("a detail");
            assert!(
                detail.starts_with("The body is not valid JSON: "),
                "{name}: {detail}"
            );
            assert_eq!(text["instance"], path, "{name}");
            assert_eq!(world.engine.puts.len(), 1, "{name}");
        }
    }
    let at_the_bound = format!(
        "{{\"points\":1,\"x\":{}{}}}",
        "[".repeat(31),
        "]".repeat(31)
    );
    with_614().expect(201, &add_raw(at_the_bound));
}

#[test]
fn fields_of_a_wrong_type_or_length() {
    let string = |name: &str| format!("Field '{name}' must be a string");
    let long = |length: usize| "x".repeat(length);
    let mut rows = Vec::new();
    for (field, value, detail) in [
        ("id", json!(5), string("id")),
        ("id", json!(""), "Field 'id' must not be empty".to_owned()),
        (
            "id",
            json!(long(129)),
            "Field 'id' must not be longer than 128 bytes".to_owned(),
        ),
        (
            "id",
            json!("a\u{0}b"),
            "Field 'id' must not contain control characters".to_owned(),
        ),
        ("description", json!(["x"]), string("description")),
        (
            "description",
            json!(long(4097)),
            "Field 'description' must not be longer than 4096 bytes".to_owned(),
        ),
        ("reference-id", json!({}), string("reference-id")),
        (
            "reference-id",
            json!(long(257)),
            "Field 'reference-id' must not be longer than 256 bytes".to_owned(),
        ),
        ("validUntil", json!(1), string("validUntil")),
        (
            "validUntil",
            json!(""),
            format!("Field 'validUntil' {TIME}"),
        ),
        (
            "validUntil",
            json!("2027-05-11"),
            format!("Field 'validUntil' {TIME}"),
        ),
    ] {
        let mut body = json!({"points": 5});
        body[field] = value;
        rows.push((field, Request::add("614", &body), bad_request(ADD, &detail)));
        let start = Request::create("1", &json!({"startPoints": body}));
        rows.push((field, start, bad_request("/customer/1", &detail)));
        if matches!(field, "id" | "description") {
            rows.push((
                field,
                Request::redeem("614", &body),
                bad_request(REDEEM, &detail),
            ));
        }
    }
    for (start, detail) in [
        (json!(5), "Field 'startPoints' must be an object"),
        (json!([]), "Field 'startPoints' must be an object"),
        (json!("x"), "Field 'startPoints' must be an object"),
    ] {
        let request = Request::create("1", &json!({"startPoints": start}));
        rows.push(("startPoints", request, bad_request("/customer/1", detail)));
    }
    check_refusals(with_614, rows);
}

#[test]
fn what_the_server_computes_and_what_nobody_knows_is_ignored() {
    let mut world = World::single(config());
    let body = json!({"id": "a", "points": 5, "allPointsAfterCreation": "x", "usedPoints": -1, "usedWith": 7, "createdAt": "junk",
        "unknown": [1.5, null, {"deep": [[]]}], "reference-id": null, "description": null, "validUntil": null, "redeemed": true});
    world.expect(201, &Request::add("614", &body));
    let entry = entry(&mut world, "614", 0);
    assert_eq!(
        entry,
        json!({"id": "a", "reference-id": null, "description": "", "points": 5, "createdAt": "2025-06-15T15:06:40.002+00:00",
            "validUntil": null, "allPointsAfterCreation": 5, "usedPoints": 0, "usedWith": []})
    );
    let body = json!({"id": "b", "points": 2, "createdAt": 5, "reference-id": 7, "validUntil": 7, "allPointsAfterCreation": []});
    world.expect(201, &Request::redeem("614", &body));
}

fn entry(world: &mut World, customer: &str, place: usize) -> Value {
    let path = format!("/customer/{customer}/summary");
    let reply = world.expect(200, &Request::get(&path));
    let summary: Value = serde_json::from_slice(&reply.body).expect("JSON");
    summary["summary"]["addedPointsList"][place].clone()
}

#[test]
fn what_creates_an_account() {
    for (body, balance) in [
        (None, "0"),
        (Some(""), "0"),
        (Some(" \n"), "0"),
        (Some("{}"), "0"),
        (Some(r#"{"startPoints": null}"#), "0"),
        (Some(r#"{"customerId": null}"#), "0"),
        (Some(r#"{"customerId": "new", "x": 1}"#), "0"),
        (Some(r#"{"points": null}"#), "0"),
        (Some(r#"{"startPoints": {"points": 7}}"#), "7"),
        (
            Some(r#"{"customerId": "new", "startPoints": {"points": 7, "createdAt": "x"}}"#),
            "7",
        ),
        (Some(r#"{"points": 100}"#), "100"),
        (Some(r#"{"customerId": "new", "points": 100}"#), "100"),
        (
            Some(r#"{"points": 100, "startPoints": {"points": 7}}"#),
            "7",
        ),
    ] {
        let mut world = World::single(config());
        let request = Request::new("POST", "/customer/new");
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let created = world.expect(200, &request);
        assert_eq!(show(&created), "200");
        let reply = world.expect(200, &Request::get("/customer/new"));
        assert_eq!(reply.body, balance.as_bytes(), "{body:?}");
    }
}

#[test]
fn a_customer_in_the_body_is_the_one_in_the_path() {
    let detail = "Field 'customerId' must equal the customer id of the path";
    let create =
        |customer: &str, named: &Value| Request::create(customer, &json!({"customerId": named}));
    check_refusals(
        with_614,
        vec![
            (
                "another",
                create("new", &json!("old")),
                bad_request("/customer/new", detail),
            ),
            (
                "an escape is no id",
                create("a%2Fb", &json!("a%2Fb")),
                bad_request("/customer/a%2Fb", detail),
            ),
            (
                "another, and it exists",
                create("614", &json!("615")),
                bad_request("/customer/614", detail),
            ),
            (
                "a number",
                create("614", &json!(614)),
                bad_request("/customer/614", "Field 'customerId' must be a string"),
            ),
        ],
    );
    with_614().expect(200, &create("a%2Fb", &json!("a/b")));
}
