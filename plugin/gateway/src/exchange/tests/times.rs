//! Times: as they come in, as they go out, and what they do to points.

use serde_json::{Value, json};

use super::{bad_request, with_614};
use crate::test_support::request::show;
use crate::test_support::{Request, World, config, config_with};

const HOUR_MS: i64 = 3_600_000;

fn summary(world: &mut World) -> Value {
    let reply = world.expect(200, &Request::get("/customer/614/summary"));
    serde_json::from_slice(&reply.body).expect("JSON")
}

fn balance(world: &mut World) -> String {
    let reply = world.expect(200, &Request::get("/customer/614"));
    String::from_utf8(reply.body).expect("text")
}

#[test]
fn any_rfc_3339_time_comes_in_and_one_form_goes_out() {
    for (given, expected) in [
        ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05.000+00:00"),
        ("2030-01-02t03:04:05z", "2030-01-02T03:04:05.000+00:00"),
        (
            "2030-01-02T03:04:05.6+00:00",
            "2030-01-02T03:04:05.600+00:00",
        ),
        (
            "2030-01-02T03:04:05.6789999-05:30",
            "2030-01-02T08:34:05.678+00:00",
        ),
        ("2030-01-02T03:04:05-00:00", "2030-01-02T03:04:05.000+00:00"),
        ("2028-02-29T23:59:59+23:59", "2028-02-29T00:00:59.000+00:00"),
        ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000+00:00"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999+00:00"),
    ] {
        let mut world = World::single(config());
        world.expect(
            201,
            &Request::add("614", &json!({"points": 1, "validUntil": given})),
        );
        let entry = &summary(&mut world)["summary"]["addedPointsList"][0];
        assert_eq!(entry["validUntil"], expected, "{given}");
    }
    let detail =
        "Field 'validUntil' must be a time as in RFC 3339, such as 2027-05-11T18:32:18.591+00:00";
    for given in [
        "2030-01-02",
        "2030-01-02 03:04:05Z",
        "2030-01-02T03:04:05",
        "2030-01-02T03:04Z",
        "2030-02-30T00:00:00Z",
        "2030-13-01T00:00:00Z",
        "2030-01-01T25:00:00Z",
        "20300101T000000Z",
        "2030-01-02T03:04:05+0100",
        " 2030-01-02T03:04:05Z",
        "1893456000",
        "tomorrow",
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "2030-01-02T03:04:05\u{2212}01:00",
    ] {
        let request = Request::add("614", &json!({"points": 1, "validUntil": given}));
        let shown = show(&with_614().reply(&request));
        assert_eq!(
            shown,
            bad_request("/customer/614/addPoints", detail),
            "{given}"
        );
    }
}

#[test]
fn points_expire_by_the_clock_and_stay_listed() {
    let mut world = World::single(config());
    let short = json!({"id": "short", "points": 10, "validUntil": "2025-06-15T16:06:40Z"});
    world.expect(201, &Request::add("614", &short));
    world.expect(
        201,
        &Request::add("614", &json!({"id": "long", "points": 5})),
    );
    let start = world.clock.get();
    world.pass(HOUR_MS - 1 - (start % 1000) - 2);
    assert_eq!(balance(&mut world), "15");
    world.pass(5);
    assert_eq!(balance(&mut world), "5");
    let summary = summary(&mut world);
    assert_eq!(summary["activePoints"], 5);
    assert_eq!(
        summary["summary"]["addedPointsList"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let reply = world.reply(&Request::redeem("614", &json!({"points": 6})));
    let detail = "Cannot redeem 6 points: only 5 are active";
    assert_eq!(
        show(&reply),
        bad_request("/customer/614/redeemPoints", detail)
    );
    world.expect(201, &Request::redeem("614", &json!({"points": 5})));
}

#[test]
fn what_ends_first_is_used_first_and_what_has_ended_is_taken() {
    let mut world = World::single(config());
    for (id, points, until) in [
        ("never", 10, Value::Null),
        ("later", 10, json!("2027-01-01T00:00:00Z")),
        ("sooner", 10, json!("2026-01-01T00:00:00Z")),
        ("past", 10, json!("2020-01-01T00:00:00Z")),
    ] {
        world.expect(
            201,
            &Request::add(
                "614",
                &json!({"id": id, "points": points, "validUntil": until}),
            ),
        );
    }
    assert_eq!(balance(&mut world), "30");
    world.expect(
        201,
        &Request::redeem("614", &json!({"id": "r", "points": 25})),
    );
    let summary = summary(&mut world);
    let used: Vec<(&str, u64, &Value)> = summary["summary"]["addedPointsList"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| {
            (
                it["id"].as_str().unwrap_or(""),
                it["usedPoints"].as_u64().unwrap_or(99),
                &it["usedWith"],
            )
        })
        .collect();
    let (with, without) = (json!(["r"]), json!([]));
    assert_eq!(
        used,
        [
            ("never", 5, &with),
            ("later", 10, &with),
            ("sooner", 10, &with),
            ("past", 0, &without)
        ]
    );
    assert_eq!(balance(&mut world), "5");
}

#[test]
fn a_site_says_how_long_points_are_valid() {
    // 2026-01-31T12:00:00Z: a month later is the 28th.
    let january_31 = 1_769_860_800_000;
    for (site, until) in [
        ("main", Value::Null),
        ("monthly", json!("2026-02-28T12:00:00.002+00:00")),
        ("yearly", json!("2027-01-31T12:00:00.002+00:00")),
    ] {
        let add = format!("/customer/614/addPoints?siteCode={site}");
        let create = format!("/customer/614?siteCode={site}");
        for (path, body) in [
            (&add, r#"{"points": 1}"#),
            (&create, r#"{"startPoints": {"points": 1}}"#),
            (&create, r#"{"points": 1}"#),
        ] {
            let mut world = World::single(config());
            world.clock.set(january_31);
            assert!(world.reply(&Request::post(path, body)).status < 300);
            let entry = &summary(&mut world)["summary"]["addedPointsList"][0];
            assert_eq!(entry["validUntil"], until, "{path} {body}");
        }
    }
    // What the request says counts more.
    let mut world = World::single(config());
    let body = r#"{"points": 1, "validUntil": "2029-01-01T00:00:00Z"}"#;
    world.expect(
        201,
        &Request::post("/customer/614/addPoints?siteCode=yearly", body),
    );
    let entry = &summary(&mut world)["summary"]["addedPointsList"][0];
    assert_eq!(entry["validUntil"], "2029-01-01T00:00:00.000+00:00");
}

#[test]
fn created_at_counts_only_where_backdating_is_allowed() {
    let add = |created: &str| {
        Request::add(
            "614",
            &json!({"id": created, "points": 10, "createdAt": created}),
        )
    };
    let mut plain = World::single(config());
    for created in ["2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z", "junk"] {
        plain.expect(201, &add(created));
    }
    for entry in summary(&mut plain)["summary"]["addedPointsList"]
        .as_array()
        .expect("a list")
    {
        let created = entry["createdAt"].as_str().unwrap_or("");
        assert!(created.starts_with("2025-06-15T15:06:40.0"), "{created}");
    }
    let mut world = World::single(config_with(&json!({"allow_backdating": true})));
    for created in ["2024-01-01T00:00:00Z", "2020-01-01T00:00:00Z"] {
        world.expect(201, &add(created));
    }
    let spent = json!({"id": "r", "points": 15, "createdAt": "2024-06-01T00:00:00Z"});
    world.expect(201, &Request::redeem("614", &spent));
    let lists = summary(&mut world)["summary"].clone();
    let entry = |list: &str, place: usize, field: &str| lists[list][place][field].clone();
    assert_eq!(
        entry("addedPointsList", 0, "createdAt"),
        "2020-01-01T00:00:00.000+00:00"
    );
    assert_eq!(
        entry("addedPointsList", 0, "usedPoints"),
        10,
        "the older lot first"
    );
    assert_eq!(entry("addedPointsList", 1, "usedPoints"), 5);
    assert_eq!(
        entry("redeemedPointsList", 0, "createdAt"),
        "2024-06-01T00:00:00.000+00:00"
    );
    let path = "/customer/614/addPoints";
    let future = "Field 'createdAt' must not lie in the future";
    let shown = show(&world.reply(&add("2025-06-15T15:06:41Z")));
    assert_eq!(shown, bad_request(path, future));
    let junk =
        "Field 'createdAt' must be a time as in RFC 3339, such as 2027-05-11T18:32:18.591+00:00";
    assert_eq!(show(&world.reply(&add("junk"))), bad_request(path, junk));
}
