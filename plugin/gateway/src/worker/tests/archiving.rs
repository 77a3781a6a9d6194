//! Old history moves into segments while accounts are written, by several gateways, and calls go astray.

use serde_json::{Value, json};

use super::ledger_of_all::Audit;
use super::scene::{DELAYED, Scene, client};
use crate::accounts::document;
use crate::accounts::history::{KEPT_ENTRIES, SEGMENT_ENTRIES};
use crate::engine::Method;
use crate::test_support::fault::Fault;
use crate::test_support::large::{
    key_of, long_document, long_document_with_given_ids, put_account_of_lots, put_long_history,
};
use crate::test_support::{Request, World, config, config_with};

const CUSTOMER: &str = "614";

/// Entries of a document that has to become shorter.
fn long() -> u64 {
    u64::try_from(SEGMENT_ENTRIES + KEPT_ENTRIES).expect("a small number")
}

fn put_long(world: &mut World) {
    let document = long_document(long(), 5);
    world.engine.put(key_of(CUSTOMER).as_bytes(), &document);
}

fn add(id: &str) -> Request {
    Request::add(CUSTOMER, &json!({"id": id, "points": 5}))
}

fn redeem(id: &str) -> Request {
    Request::redeem(CUSTOMER, &json!({"id": id, "points": 70}))
}

fn lists(world: &mut World) -> [Vec<Value>; 2] {
    let reply = world.expect(200, &Request::get("/customer/614/summary"));
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let all = world.expect(200, &Request::get("/summaryBatch"));
    let all: Value = serde_json::from_slice(&all.body).expect("JSON");
    assert_eq!(all[0], body, "both ways to the same history");
    ["addedPointsList", "redeemedPointsList"]
        .map(|list| body["summary"][list].as_array().expect("a list").clone())
}

#[test]
fn a_long_document_becomes_shorter_at_its_next_write_and_nothing_is_missing() {
    let mut world = World::single(config());
    put_long(&mut world);
    let [before, _] = lists(&mut world);
    world.expect(201, &redeem("r"));
    let audit = Audit::of(&world, CUSTOMER);
    audit.check();
    assert_eq!(audit.archived(), 64);
    let [after, redeemed] = lists(&mut world);
    assert_eq!((after.len(), redeemed.len()), (96, 1));
    for (number, lot) in after.iter().enumerate() {
        let mut as_before = before[number].clone();
        if number < 70 {
            as_before["usedPoints"] = json!(1);
            as_before["usedWith"] = json!(["r"]);
        }
        assert_eq!(*lot, as_before);
    }
}

#[test]
fn only_what_the_engine_itself_told_is_put_into_a_segment() {
    let mut world = World::single(config());
    put_long(&mut world);
    // Then 33 are left, and the next one is due with the 64th from now.
    world.expect(201, &Request::add(CUSTOMER, &json!({"points": 1})));
    let mut calls = Vec::new();
    for _ in 0..65 {
        let before = world.calls.len();
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 1})));
        let methods = world.calls[before..].iter().map(|(_, call)| call.method);
        calls.push(methods.collect::<Vec<_>>());
    }
    let from_shared_data = vec![Method::Txn];
    let from_the_engine = vec![Method::Range, Method::Txn, Method::Txn];
    assert_eq!(calls[63], from_the_engine);
    calls.remove(63);
    assert!(calls.iter().all(|it| *it == from_shared_data), "{calls:?}");
    assert_eq!(Audit::of(&world, CUSTOMER).archived(), 128);
}

#[test]
fn a_document_from_before_becomes_shorter_from_write_to_write() {
    let mut world = World::single(config());
    let document = long_document(1000, 5);
    world.engine.put(key_of(CUSTOMER).as_bytes(), &document);
    let mut archived = Vec::new();
    for number in 0..5 {
        world.expect(201, &add(&format!("new {number}")));
        archived.push(Audit::of(&world, CUSTOMER).archived());
    }
    assert_eq!(archived, [256, 512, 768, 960, 960]);
    assert_eq!(lists(&mut world)[0].len(), 1005);
    Audit::of(&world, CUSTOMER).check();
}

#[test]
fn an_account_that_is_used_for_long_stays_small() {
    let mut world = World::single(config());
    let text = "x".repeat(300);
    let mut most = 0;
    for number in 0..400 {
        let body = json!({"points": 2, "description": text});
        world.expect(201, &Request::add(CUSTOMER, &body));
        let body = json!({"points": 1, "id": format!("r{number}"), "description": text});
        world.expect(201, &Request::redeem(CUSTOMER, &body));
        let document = world.engine.get(key_of(CUSTOMER).as_bytes());
        most = most.max(document.expect("a document").value.len());
    }
    // 200 lots are open at the end.
    assert!(most < 32 * 1024, "{most} bytes");
    let [added, redeemed] = lists(&mut world);
    assert_eq!((added.len(), redeemed.len()), (400, 400));
    Audit::of(&world, CUSTOMER).check();
    for (request, status) in [
        (json!({"id": "r0", "points": 1, "description": text}), 201),
        (json!({"id": "r0", "points": 2, "description": text}), 409),
        (json!({"id": "r399", "points": 3}), 409),
    ] {
        let puts = world.engine.puts.len();
        world.expect(status, &Request::redeem(CUSTOMER, &request));
        assert_eq!(world.engine.puts.len(), puts, "nothing is written");
    }
}

#[test]
fn whatever_happens_to_its_calls_an_operation_is_done_once_and_its_history_kept() {
    let runs = Scene {
        gateways: &[1, 1],
        start: &[],
        clients: vec![client(0, &[redeem("a")]), client(1, &[add("b")])],
        max_faults: 1,
        kinds: &[Fault::AnswerLost, DELAYED],
        late_answers: false,
    }
    .explore_from(put_long, |end| {
        let written = end.audit.written();
        assert_eq!([written["a"], written["b"]], [1, 1]);
        assert_eq!(end.audit.balance(), Some(96 - 70 + 5));
        assert_eq!(end.audit.archived(), 64);
        assert_eq!(end.count(201), 2, "{:?}", end.statuses);
    });
    assert!(runs > 1000, "{runs}");
}

#[test]
fn a_deletion_beside_it_loses_nothing_of_either_life() {
    let runs = Scene {
        gateways: &[1, 1],
        start: &[],
        clients: vec![
            client(0, &[add("a"), add("c")]),
            client(1, &[Request::delete(CUSTOMER)]),
        ],
        max_faults: 1,
        kinds: &[DELAYED],
        late_answers: false,
    }
    .explore_from(put_long, |end| {
        assert_eq!(end.audit.deletions(), 1);
        let written = end.audit.written();
        assert_eq!([written["a"], written["c"]], [1, 1]);
        assert!(end.audit.balance().is_none_or(|balance| balance <= 10));
    });
    assert!(runs > 500, "{runs}");
}

#[test]
fn one_id_is_one_operation_when_it_has_left_the_document() {
    let given = |world: &mut World| {
        let document = long_document_with_given_ids(long());
        world.engine.put(key_of(CUSTOMER).as_bytes(), &document);
        // Moves the oldest ones away.
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 1})));
    };
    for node in [0, 1] {
        let mut world = World::new(config(), &[1, 1]);
        given(&mut world);
        assert_eq!(Audit::of(&world, CUSTOMER).archived(), 64);
        for (id, status) in [
            ("000001", 409),
            ("000064", 409),
            ("000096", 409),
            ("x", 201),
        ] {
            let reply = world.reply_of(node, &add(id));
            assert_eq!(reply.status, status, "{id}");
        }
        // Also after a deletion an old operation is no new one; another request may have its id.
        world.expect(201, &add("late"));
        for number in 0..long() {
            world.expect(201, &add(&format!("{number}")));
        }
        assert!(Audit::of(&world, CUSTOMER).archived() >= 128);
        world.expect(200, &Request::delete(CUSTOMER));
        let puts = world.engine.puts.len();
        for request in [add("late"), add("x"), add("0")] {
            assert_eq!(world.reply_of(node, &request).status, 201);
            assert_eq!(world.engine.puts.len(), puts, "nothing is revived");
        }
        world.expect(404, &Request::get("/customer/614"));
        let other = Request::add(CUSTOMER, &json!({"id": "late", "points": 6}));
        assert_eq!(world.reply_of(node, &other).status, 201);
        assert_eq!(world.expect(200, &Request::get("/customer/614")).body, b"6");
        assert_eq!(world.reply_of(node, &add("0")).status, 201);
        assert_eq!(world.expect(200, &Request::get("/customer/614")).body, b"6");
    }
}

#[test]
fn a_generated_id_of_unknown_outcome_is_found_behind_all_that_was_written_since() {
    let mut world = World::new(config(), &[1, 1]);
    put_long(&mut world);
    world.expect(201, &add("first"));
    // The commit arrives, its answer is lost; before it is sent again it has left the document.
    let mut is_first = true;
    world.faults = Box::new(move |node, _| match node {
        0 if std::mem::take(&mut is_first) => Fault::AnswerLost,
        _ => Fault::None,
    });
    let asked = world.ask(0, &Request::add(CUSTOMER, &json!({"points": 7})));
    world.run_to(|world| world.engine.puts.len() == 4);
    assert!(world.replies[&asked].is_empty());
    for _ in 0..2 * long() {
        let other = world.ask(1, &Request::add(CUSTOMER, &json!({"points": 5})));
        world.run_to(|world| !world.replies[&other].is_empty());
    }
    assert!(
        world.replies[&asked].is_empty(),
        "it has waited all the time"
    );
    world.run();
    assert_eq!(world.only_reply(asked).status, 201);
    let audit = Audit::of(&world, CUSTOMER);
    audit.check();
    assert_eq!(audit.balance(), Some(96 + 5 + 7 + 5 * 2 * 96));
}

#[test]
fn segments_that_are_missing_or_no_segments_are_told() {
    let gone = |world: &mut World| {
        put_account_of_lots(&mut world.engine, "614", 200);
        let key = world.engine.puts[1].key.clone();
        (key, world.engine.puts.clone())
    };
    let mut world = World::single(config());
    let (key, puts) = gone(&mut world);
    let summary = Request::get("/customer/614/summary");
    let requests = [&summary, &Request::get("/summaryBatch"), &add("own")];
    for request in requests {
        let mut world = World::single(config());
        for put in puts.iter().filter(|put| put.key != key) {
            world.engine.put(&put.key, &put.value);
        }
        world.expect(500, request);
        world.expect(200, &Request::get("/customer/614"));
        world.engine.put(&key, b"nonsense");
        world.expect(500, request);
        let good = puts.iter().find(|put| put.key == key).expect("a segment");
        world.engine.put(&key, &good.value);
        assert!(world.reply(request).status < 300);
    }
}

#[test]
fn a_segment_that_no_document_refers_to_is_taken_over_or_told() {
    let mut left_behind = World::single(config());
    put_long(&mut left_behind);
    left_behind.expect(201, &add("a"));
    let segment = left_behind.engine.puts[1].clone();
    let mut world = World::single(config());
    put_long(&mut world);
    world.engine.put(&segment.key, &segment.value);
    assert_eq!(lists(&mut world)[0].len(), 96);
    world.expect(201, &add("b"));
    let audit = Audit::of(&world, CUSTOMER);
    audit.check();
    assert_eq!(audit.archived(), 64);
    assert_eq!(world.engine.puts.len(), 3, "it is not written again");
    // One with other entries is none of this account's.
    let mut world = World::single(config());
    let other = long_document(long(), 6);
    world.engine.put(key_of(CUSTOMER).as_bytes(), &other);
    world.engine.put(&segment.key, &segment.value);
    world.expect(500, &add("b"));
    let document = world.engine.get(key_of(CUSTOMER).as_bytes());
    let document = document.expect("a document").value.clone();
    assert_eq!(document, other, "nothing was changed");
    assert!(document::decode(&document).is_ok());
}

#[test]
fn a_history_that_is_too_long_for_one_answer_is_refused_and_the_account_goes_on() {
    let mut world = World::single(config_with(&json!({
        "summary_batch": {"max_accounts": 10, "max_bytes": 1024 * 1024},
    })));
    put_long_history(&mut world.engine, CUSTOMER, 8200, 4096);
    for path in ["/customer/614/summary", "/summaryBatch"] {
        let reply = world.reply(&Request::get(path));
        assert_eq!(reply.status, 400, "{path}");
        let body = String::from_utf8_lossy(&reply.body);
        assert!(body.contains("is too long for one answer"), "{body}");
    }
    assert_eq!(world.nodes[0].worker.lines.held_bytes, 0);
    world.expect(200, &Request::get("/customer/614"));
    world.expect(201, &Request::redeem(CUSTOMER, &json!({"points": 8200})));
    let reply = world.expect(200, &Request::get("/customer/614"));
    assert_eq!(reply.body, b"0");
}

#[test]
fn many_segments_are_read_a_few_at_a_time() {
    let mut world = World::single(config());
    put_long_history(&mut world.engine, CUSTOMER, 64 * 1200, 0);
    let before = world.calls.len();
    let reply = world.expect(200, &Request::get("/customer/614/summary"));
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    let added = body["summary"]["addedPointsList"].as_array().map(Vec::len);
    assert_eq!(added, Some(64 * 1200));
    // The document, a first page of 100, then pages of some 2 MiB.
    let calls = world.calls.len() - before;
    assert!((4..10).contains(&calls), "{calls} calls");
}
