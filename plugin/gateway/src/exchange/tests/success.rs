//! What each operation answers when all is well.

use serde_json::json;

use super::{check, with_614};
use crate::test_support::{Request, World, config};

const SUMMARY: &str = concat!(
    r#"{"customerId":"614","activePoints":70,"summary":{"addedPointsList":["#,
    r#"{"id":"first","reference-id":null,"description":"","points":50,"createdAt":"2025-06-15T15:06:40.002+00:00","#,
    r#""validUntil":null,"allPointsAfterCreation":50,"usedPoints":10,"usedWith":["spent"]},"#,
    r#"{"id":"second","reference-id":"order-1","description":"for \"you\"","points":40,"createdAt":"2025-06-15T15:06:40.004+00:00","#,
    r#""validUntil":"2026-01-01T00:00:00.500+00:00","allPointsAfterCreation":90,"usedPoints":40,"usedWith":["spent"]},"#,
    r#"{"id":"third","reference-id":null,"description":"","points":30,"createdAt":"2025-06-15T15:06:40.008+00:00","#,
    r#""validUntil":"2026-06-15T15:06:40.008+00:00","allPointsAfterCreation":70,"usedPoints":0,"usedWith":[]}],"#,
    r#""redeemedPointsList":[{"id":"spent","description":"a cup","points":50,"createdAt":"2025-06-15T15:06:40.006+00:00","#,
    r#""allPointsAfterCreation":40}]}}"#,
);

/// 614 with a history of every kind of entry; empty with an account and nothing in it.
fn with_history() -> World {
    let mut world = World::single(config());
    world.expect(
        200,
        &Request::create(
            "614",
            &json!({"startPoints": {"id": "first", "points": 50}}),
        ),
    );
    let second = json!({"id": "second", "reference-id": "order-1", "description": "for \"you\"", "points": 40,
        "validUntil": "2026-01-01T01:00:00.500999+01:00"});
    world.expect(201, &Request::add("614", &second));
    let spent = json!({"id": "spent", "description": "a cup", "points": 50});
    world.expect(201, &Request::redeem("614", &spent));
    let third = Request::post(
        "/customer/614/addPoints?siteCode=yearly",
        json!({"id": "third", "points": 30}).to_string(),
    );
    world.expect(201, &third);
    world.expect(200, &Request::new("POST", "/customer/empty"));
    world
}

#[test]
fn every_operation() {
    let json = |body: &str| format!("200\ncontent-type: application/json\n\n{body}");
    let empty = r#"{"customerId":"empty","activePoints":0,"summary":{"addedPointsList":[],"redeemedPointsList":[]}}"#;
    check(
        with_history,
        vec![
            ("balance", Request::get("/customer/614"), json("70")),
            (
                "balance of nothing",
                Request::get("/customer/empty"),
                json("0"),
            ),
            (
                "summary",
                Request::get("/customer/614/summary"),
                json(SUMMARY),
            ),
            (
                "summary of nothing",
                Request::get("/customer/empty/summary"),
                json(empty),
            ),
            (
                "list",
                Request::get("/summaryBatch"),
                json(&format!("[{SUMMARY},{empty}]")),
            ),
            (
                "list of another tenant",
                Request::of("other", "GET", "/summaryBatch"),
                json("[]"),
            ),
            (
                "create",
                Request::create("new", &json!({"startPoints": {"points": 1}})),
                "200".to_owned(),
            ),
            (
                "create without a body",
                Request::new("POST", "/customer/new"),
                "200".to_owned(),
            ),
            (
                "add",
                Request::add("614", &json!({"points": 1})),
                "201".to_owned(),
            ),
            (
                "add for an unknown customer",
                Request::add("new", &json!({"points": 1})),
                "201".to_owned(),
            ),
            (
                "redeem all",
                Request::redeem("614", &json!({"points": 70})),
                "201".to_owned(),
            ),
            ("delete", Request::delete("614"), "200".to_owned()),
            (
                "delete nothing",
                Request::delete("nobody"),
                "200".to_owned(),
            ),
            (
                "the customer of another tenant is another one",
                Request::of("other", "POST", "/customer/614").json(r#"{"points": 5}"#),
                "200".to_owned(),
            ),
        ],
    );
}

#[test]
fn what_was_done_is_there_afterwards() {
    let mut world = with_history();
    for (request, status, balance) in [
        (Request::add("614", &json!({"points": 1})), 201, Some("71")),
        (
            Request::redeem("614", &json!({"points": 71})),
            201,
            Some("0"),
        ),
        (
            Request::redeem("614", &json!({"points": 1})),
            400,
            Some("0"),
        ),
        (Request::delete("614"), 200, None),
        (Request::delete("614"), 200, None),
        (Request::redeem("614", &json!({"points": 1})), 404, None),
        (Request::new("POST", "/customer/614"), 200, Some("0")),
        (Request::add("614", &json!({"points": 7})), 201, Some("7")),
    ] {
        world.expect(status, &request);
        match balance {
            Some(balance) => {
                let reply = world.expect(200, &Request::get("/customer/614"));
                assert_eq!(reply.body, balance.as_bytes());
            }
            None => {
                world.expect(404, &Request::get("/customer/614"));
                world.expect(404, &Request::get("/customer/614/summary"));
            }
        }
    }
}

#[test]
fn an_account_that_is_created_again_starts_with_nothing() {
    let mut world = with_history();
    world.expect(200, &Request::delete("614"));
    let again = json!({"startPoints": {"id": "first", "points": 9}});
    world.expect(200, &Request::create("614", &again));
    let reply = world.expect(200, &Request::get("/customer/614/summary"));
    let summary: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(summary["activePoints"], 9);
    assert_eq!(
        summary["summary"]["addedPointsList"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(summary["summary"]["redeemedPointsList"], json!([]));
}

#[test]
fn generated_ids_are_random_uuids() {
    let mut world = with_614();
    for _ in 0..3 {
        world.expect(201, &Request::add("614", &json!({"points": 1})));
    }
    let reply = world.expect(200, &Request::get("/customer/614/summary"));
    let summary: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    let mut ids: Vec<&str> = summary["summary"]["addedPointsList"]
        .as_array()
        .expect("a list")
        .iter()
        .skip(1)
        .map(|entry| entry["id"].as_str().expect("an id"))
        .collect();
    for id in &ids {
        let form: String = id
            .chars()
            .map(|it| if it.is_ascii_hexdigit() { 'h' } else { it })
            .collect();
        assert_eq!(form, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh");
        assert_eq!(id.as_bytes()[14], b'4', "the version");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "the variant");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}
