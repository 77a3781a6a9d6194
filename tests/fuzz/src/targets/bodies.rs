//! The bodies of the three writes: what is taken is what serde_json sees there, within the contract's bounds.
//!
//! The first byte chooses how bodies are read (site with or without validity, backdating or not); the rest is the body.

use gateway::accounts::keys::CustomerId;
use gateway::api::body::{Entry, MAX_NESTING, Rules, add_points, create, redeem_points};
use gateway::config::Site;
use ledger::{Description, EntryId, NewLot, Points, ReferenceId, Timestamp};
use serde_json::Value;

use crate::json::is_strict_object;
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "bodies",
    about: "a client's bodies (create, addPoints, redeemPoints): fields as serde_json sees them, within the contract's bounds",
    max_len: 4096,
    dictionary: "json",
    seeds,
    run,
};

fn run(input: &[u8]) -> Seen {
    let Some((&choice, body)) = input.split_first() else {
        return Seen::Refused;
    };
    let rules = Rules {
        site: Site {
            validity_in_months: (choice & 1 == 1).then_some(12),
        },
        allow_backdating: choice & 2 == 2,
    };
    let customer = CustomerId::new(b"614".to_vec()).expect("an id");
    let limit = |call: &str| format!("body of {call}");
    let added = bounded(&limit("addPoints"), body.len(), 800, || {
        add_points(body, rules)
    });
    let redeemed = bounded(&limit("redeemPoints"), body.len(), 800, || {
        redeem_points(body, rules)
    });
    let created = bounded(&limit("create"), body.len(), 800, || {
        create(body, &customer, rules)
    });
    let strict = is_strict_object(body, MAX_NESTING);
    let view: Value = serde_json::from_slice(body).unwrap_or_default();
    // Written anew, members stand in another order and escapes in another form; the meaning is the same.
    let again = serde_json::to_vec(&view).expect("JSON");
    if let Ok(entry) = &added {
        assert!(strict, "no strict JSON, but added");
        check_entry(entry, &view, rules);
        assert_eq!(added, add_points(&again, rules), "addPoints again");
    }
    if let Ok(entry) = &redeemed {
        assert!(strict, "no strict JSON, but redeemed");
        check_id(entry.id.as_ref(), &view);
        check_points(entry.content.points, &view);
        check_text(
            entry.content.description.as_ref().map(Description::as_str),
            &view,
            "description",
        );
        check_time(
            entry.content.created_at,
            &view,
            "createdAt",
            rules.allow_backdating,
        );
        assert_eq!(redeemed, redeem_points(&again, rules), "redeemPoints again");
    }
    if let Ok(entry) = &created {
        assert!(
            strict || body.trim_ascii().is_empty(),
            "no JSON, but created"
        );
        match (entry, &view["startPoints"]) {
            (Some(entry), Value::Null) => check_entry(entry, &view, rules),
            (Some(entry), start) => check_entry(entry, start, rules),
            (None, start) => assert!(start.is_null() && view["points"].is_null()),
        }
        if strict {
            let named = &view["customerId"];
            assert!(named.is_null() || named == "614", "another customer");
            assert_eq!(created, create(&again, &customer, rules), "create again");
        }
    }
    // A body that adds points opens an account with them, unless it says more.
    if let Ok(entry) = added
        && view["startPoints"].is_null()
        && view["customerId"].is_null()
    {
        assert_eq!(created, Ok(Some(entry)), "addPoints and create");
        return Seen::Accepted;
    }
    Seen::accepted(created.is_ok())
}

fn check_entry(entry: &Entry<NewLot>, view: &Value, rules: Rules) {
    let lot = &entry.content;
    check_id(entry.id.as_ref(), view);
    check_points(lot.points, view);
    check_text(
        lot.description.as_ref().map(Description::as_str),
        view,
        "description",
    );
    check_text(
        lot.reference_id.as_ref().map(ReferenceId::as_str),
        view,
        "reference-id",
    );
    check_time(lot.valid_until, view, "validUntil", true);
    check_time(lot.created_at, view, "createdAt", rules.allow_backdating);
    assert_eq!(lot.validity_months, rules.site.validity_in_months);
}

fn check_points(points: Points, view: &Value) {
    assert_eq!(Some(points.get()), view["points"].as_u64());
    assert!((1..=2_147_483_647).contains(&points.get()));
}

fn check_id(id: Option<&EntryId>, view: &Value) {
    check_text(id.map(EntryId::as_str), view, "id");
    assert!(id.is_none_or(|id| (1..=128).contains(&id.as_str().len())));
}

fn check_text(read: Option<&str>, view: &Value, name: &str) {
    assert_eq!(read, view[name].as_str(), "{name}");
    assert!(view[name].is_string() || view[name].is_null(), "{name}");
}

fn check_time(read: Option<Timestamp>, view: &Value, name: &str, counts: bool) {
    let expected = view[name].as_str().filter(|_| counts);
    assert_eq!(read, expected.and_then(Timestamp::parse_rfc3339), "{name}");
    assert_eq!(read.is_some(), expected.is_some(), "{name}");
}

fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        "",
        "{}",
        r#"{"points": 100}"#,
        r#"{"customerId": "614", "startPoints": {"points": 1}}"#,
        r#"{"customerId": "615"}"#,
        r#"{"startPoints": []}"#,
        r#"{"id": "order-1", "reference-id": "r", "description": "d", "points": 2147483647, "validUntil": "2027-05-11T18:32:18.591+00:00"}"#,
        r#"{"points": 5, "createdAt": "2023-05-11T18:32:18Z", "usedPoints": 3, "usedWith": ["x"], "allPointsAfterCreation": 7}"#,
        r#"{"points": 0}"#,
        r#"{"points": 1.0}"#,
        r#"{"points": 1e3}"#,
        r#"{"points": "1"}"#,
        r#"{"points": 2147483648}"#,
        r#"{"points": 1, "points": 1}"#,
        r#"{"points": 1, "validUntil": "2027-05-11 18:32:18Z"}"#,
        r#"{"points": 1, "id": null, "description": null}"#,
        r#"{"points": 1, "id": ""}"#,
    ];
    let with = |choice: u8| move |body: &&str| [&[choice], body.as_bytes()].concat();
    let mut seeds: Vec<Vec<u8>> = bodies.iter().map(with(0)).collect();
    seeds.extend(bodies.iter().skip(6).take(2).map(with(3)));
    seeds
}
