//! Accounts are deleted, a day passes, and what is left of them is removed while they may be used again.

use etcd_wire::{RequestOp, TxnRequest, request_op};
use ledger::{REMEMBERED_MS, State};
use prost::Message;
use serde_json::json;

use super::ledger_of_all::Audit;
use crate::accounts::document;
use crate::accounts::keys::HistoryKeys;
use crate::engine::{Call, Method};
use crate::host::Counter;
use crate::sweep::{REST_MS, SKEW_MS, START_AFTER_MS};
use crate::test_support::fault::Fault;
use crate::test_support::large::{key_of, long_document};
use crate::test_support::{Request, World, config_with};

const CUSTOMER: &str = "614";
const HOUR: i64 = 60 * 60 * 1000;
const OLD_ENOUGH: i64 = REMEMBERED_MS + SKEW_MS;

fn world(gateways: &[usize]) -> World {
    World::new(
        config_with(&json!({"sweep": {"interval_ms": 1000}})),
        gateways,
    )
}

fn add(id: &str, points: u64) -> Request {
    Request::add(CUSTOMER, &json!({"id": id, "points": points}))
}

/// An account with a segment of history that is deleted.
fn delete_long(world: &mut World) {
    let document = long_document(96, 5);
    world.engine.put(key_of(CUSTOMER).as_bytes(), &document);
    world.expect(201, &add("a", 5));
    world.expect(200, &Request::delete(CUSTOMER));
    assert_eq!(segments(world), 1);
}

fn segments(world: &World) -> usize {
    let keys = HistoryKeys::of(&key_of(CUSTOMER));
    world.engine.keys_below(keys.all_lives().as_bytes()).len()
}

fn state(world: &World) -> State {
    let document = world.engine.get(key_of(CUSTOMER).as_bytes());
    document.map_or(State::Absent, |it| {
        document::decode(&it.value).expect("a document")
    })
}

/// Goes to a time without all the ticks on the way, then through a whole walk.
fn walk(world: &mut World, after_ms: i64) {
    world.pass(after_ms);
    let until_ms = world.clock.get() + START_AFTER_MS + 10_000;
    world.run_until(until_ms);
}

fn is_removal(call: &Call) -> bool {
    let Ok(TxnRequest { success, .. }) = TxnRequest::decode(call.message.clone()) else {
        return false;
    };
    let removes =
        |it: &RequestOp| matches!(it.request, Some(request_op::Request::RequestDeleteRange(_)));
    call.method == Method::Txn && success.iter().any(removes)
}

#[test]
fn a_deleted_account_is_gone_a_day_later_and_begins_at_zero() {
    for watching in [false, true] {
        let mut world = world(&[1]);
        world.watching = watching;
        is_gone_a_day_later(world);
    }
}

fn is_gone_a_day_later(mut world: World) {
    delete_long(&mut world);
    let State::Erased(tombstone) = state(&world) else {
        panic!("a tombstone");
    };
    walk(&mut world, OLD_ENOUGH - REST_MS);
    assert!(matches!(state(&world), State::Erased(_)));
    assert_eq!(segments(&world), 1);
    // Known for as long as is promised, and no write has changed the tombstone.
    walk(&mut world, REST_MS);
    assert_eq!(state(&world), State::Absent);
    assert_eq!(segments(&world), 0);
    let counted = |counter| world.nodes[0].host.counted(counter);
    assert_eq!(counted(Counter::SweptTombstones), 1);
    assert_eq!(counted(Counter::SweptSegments), 1);
    // What was done before is new, also to those who still hold a copy of the tombstone.
    world.expect(404, &Request::get("/customer/614"));
    world.expect(201, &add("a", 7));
    assert_eq!(world.expect(200, &Request::get("/customer/614")).body, b"7");
    world.expect(409, &add("a", 8));
    let State::Live(account) = state(&world) else {
        panic!("an account");
    };
    assert!(account.generation() > tombstone.generation());
    let audit = Audit::of(&world, CUSTOMER);
    audit.check();
    assert_eq!(audit.written()["a"], 2);
}

#[test]
fn what_arrives_of_the_old_life_after_the_sweep_does_not_touch_the_next() {
    let mut world = world(&[1]);
    world.expect(201, &add("first", 1));
    for _ in 0..95 {
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 1})));
    }
    // The put of the segment, and later its removal, are carried out, and once more when all is over.
    let late = |world: &World, wanted: fn(&Call) -> bool| {
        let mut calls = world.calls.iter().map(|(_, call)| call.clone());
        calls.rfind(wanted).expect("a call")
    };
    world.expect(201, &add("last", 1));
    let put = late(&world, |call| {
        let history = b"/points/1/history/";
        call.message.windows(history.len()).any(|it| it == history)
    });
    world.expect(200, &Request::delete(CUSTOMER));
    walk(&mut world, OLD_ENOUGH);
    assert_eq!((state(&world), segments(&world)), (State::Absent, 0));
    let removals: Vec<Call> = world
        .calls
        .iter()
        .map(|(_, call)| call.clone())
        .filter(is_removal)
        .collect();
    assert_eq!(removals.len(), 2, "of a segment and of the tombstone");
    for number in 0..97 {
        world.expect(201, &add(&format!("{number}"), 2));
    }
    let before = world.engine.revision();
    for call in removals.iter().chain([&put]) {
        world
            .engine
            .execute(call.method, &call.message)
            .expect("an answer");
    }
    assert_eq!(world.engine.revision(), before + 1, "the segment alone");
    assert_eq!(segments(&world), 2);
    for number in 97..200 {
        world.expect(201, &add(&format!("{number}"), 2));
    }
    world.expect(409, &add("0", 3));
    let summary = world.expect(200, &Request::get("/customer/614/summary"));
    let summary: serde_json::Value = serde_json::from_slice(&summary.body).expect("JSON");
    let added = summary["summary"]["addedPointsList"].as_array();
    assert_eq!(added.map(Vec::len), Some(200));
    // With the next deletion it goes, too.
    world.expect(200, &Request::delete(CUSTOMER));
    walk(&mut world, OLD_ENOUGH);
    assert_eq!((state(&world), segments(&world)), (State::Absent, 0));
}

#[test]
fn an_account_that_was_begun_anew_loses_the_history_of_its_ended_life_alone() {
    let mut world = world(&[1]);
    delete_long(&mut world);
    for number in 0..97 {
        world.expect(201, &add(&format!("{number}"), 2));
    }
    assert_eq!(segments(&world), 2);
    walk(&mut world, OLD_ENOUGH - REST_MS);
    assert_eq!(segments(&world), 2);
    // As long as the ended life counts, its operations are known.
    world.pass(HOUR / 2);
    world.expect(409, &add("0", 3));
    walk(&mut world, REST_MS);
    assert_eq!(segments(&world), 1);
    world.expect(409, &add("0", 3));
    assert_eq!(Audit::of(&world, CUSTOMER).balance(), Some(2 * 97));
    // It has only one left, and that one stays.
    walk(&mut world, OLD_ENOUGH);
    assert_eq!(segments(&world), 1);
    assert_eq!(world.nodes[0].host.counted(Counter::SweptSegments), 1);
    world.expect(200, &Request::get("/customer/614/summary"));
}

#[test]
fn one_worker_of_a_gateway_sweeps_and_gateways_beside_each_other_do_no_harm() {
    let mut world = world(&[2, 1]);
    delete_long(&mut world);
    let before = world.calls.len();
    walk(&mut world, OLD_ENOUGH);
    assert_eq!((state(&world), segments(&world)), (State::Absent, 0));
    let pages = |node: usize| {
        let calls = world.calls[before..].iter();
        let pages = calls.filter(|(of, call)| *of == node && call.method == Method::Range);
        pages.count()
    };
    assert_eq!(pages(0).min(pages(1)), 0, "one of two");
    assert!(pages(0).max(pages(1)) > 0 && pages(2) > 0);
    let counted = |node: usize| world.nodes[node].host.counted(Counter::SweptTombstones);
    assert_eq!((0..3).map(counted).sum::<u64>(), 1);
}

#[test]
fn a_gateway_with_a_slow_clock_still_knows_what_it_promised_to_know() {
    let mut world = world(&[1]);
    world.expect(201, &add("a", 5));
    let deleted_ms = world.clock.get();
    world.expect(200, &Request::delete(CUSTOMER));
    walk(&mut world, REMEMBERED_MS);
    world.run_until(deleted_ms + OLD_ENOUGH);
    assert!(matches!(state(&world), State::Erased(_)), "not yet");
    // One that is as far behind as is allowed for still knows it, but for the milliseconds that its calls take.
    world.clock.set(world.clock.get() - SKEW_MS - 10);
    let before = world.engine.revision();
    world.expect(201, &add("a", 5));
    assert_eq!(world.engine.revision(), before, "it is not done again");
    assert!(matches!(state(&world), State::Erased(_)));
}

#[test]
fn a_sweep_among_writes_that_go_astray_loses_and_doubles_nothing() {
    for (which, fault) in [Fault::AnswerLost, Fault::DeliveredAfter(30_000)]
        .into_iter()
        .flat_map(|fault| (0..4).map(move |which| (which, fault)))
    {
        let mut world = world(&[1, 1]);
        delete_long(&mut world);
        world.pass(OLD_ENOUGH);
        let mut seen = 0;
        world.faults = Box::new(move |node, call| {
            let is_sweep = call.method == Method::Range || is_removal(call);
            seen += usize::from(node == 0 && is_sweep);
            match node == 0 && is_sweep && seen == which + 1 {
                true => fault,
                false => Fault::None,
            }
        });
        let until_ms = world.clock.get() + START_AFTER_MS + 300;
        world.run_until(until_ms);
        // The other one writes while the sweep of the first is at any of its calls.
        let asked = world.ask(1, &add("a", 7));
        let until_ms = world.clock.get() + 60_000;
        world.run_until(until_ms);
        assert_eq!(world.only_reply(asked).status, 201, "{which} {fault:?}");
        let audit = Audit::of(&world, CUSTOMER);
        audit.check();
        assert_eq!(audit.balance(), Some(7), "{which} {fault:?}");
        assert_eq!(audit.written()["a"], 2);
        assert_eq!(world.expect(200, &Request::get("/customer/614")).body, b"7");
        walk(&mut world, REST_MS);
        assert_eq!(segments(&world), 0, "{which} {fault:?}");
    }
}
