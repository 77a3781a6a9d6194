//! The calls of a listing: one revision, sizes that adapt, a store that changes or fails while it is read.

use std::collections::BTreeSet;

use etcd_wire::RangeRequest;
use prost::Message;

use super::listing::{fill, header, ids, list, numbered};
use super::with_614;
use crate::access::test_support::permit;
use crate::accounts::document;
use crate::accounts::keys::{AccountKey, CustomerId};
use crate::accounts::list::STRANDS;
use crate::engine::Method;
use crate::test_support::engine::OUT_OF_RANGE;
use crate::test_support::fault::{Fault, Nonsense};
use crate::test_support::large::{key_of, long_document};
use crate::test_support::request::show;
use crate::test_support::{Request, World, config};

#[test]
fn a_listing_is_of_one_revision_whatever_is_written_meanwhile() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(1500));
    let [live, erased] = [0, 1].map(|place| world.engine.puts[place].value.clone());
    let asked = world.ask(
        0,
        &Request::get("/summaryBatch").header("x-total-count", "true"),
    );
    let permit = permit("acme");
    // After each page accounts come and go.
    for number in 0..20 {
        let now = world.clock.get();
        world.run_until(now + 1);
        for (customer, value) in [
            (format!("c{:05}", number * 70), &erased),
            (format!("d{number}"), &live),
        ] {
            let customer = CustomerId::new(customer.into_bytes()).expect("an id");
            let key = AccountKey::new(permit.tenant(), &customer);
            world.engine.put(key.as_bytes(), value);
        }
    }
    world.run();
    let reply = world.only_reply(asked);
    assert_eq!(ids(&reply), numbered(1500).collect::<Vec<_>>());
    assert_eq!(header(&reply, "x-total-count"), Some("1500"));
    let revisions: Vec<i64> = ranges(&world, 0).iter().map(|it| it.revision).collect();
    assert_eq!(revisions.len(), 1 + STRANDS, "one, then several at a time");
    let pinned = revisions[1];
    assert!(
        revisions[0] == 0 && pinned > 0 && revisions[1..].iter().all(|&it| it == pinned),
        "{revisions:?}"
    );
}

/// The list calls that a worker made, in order.
fn ranges(world: &World, node: usize) -> Vec<RangeRequest> {
    let mine = world
        .calls
        .iter()
        .filter(|(it, call)| *it == node && call.method == Method::Range);
    mine.map(|(_, call)| RangeRequest::decode(call.message.clone()).expect("a range"))
        .filter(|range| range.limit > 0)
        .collect()
}

#[test]
fn compaction_in_the_middle_starts_the_listing_again() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(100));
    let asked = world.ask(0, &Request::get("/summaryBatch"));
    let now = world.clock.get();
    world.run_until(now + 2);
    let permit = permit("acme");
    let value = world.engine.puts.last().expect("a document").value.clone();
    let newcomer = CustomerId::new(b"aaa".to_vec()).expect("an id");
    world.engine.put(
        AccountKey::new(permit.tenant(), &newcomer).as_bytes(),
        &value,
    );
    world.engine.compact();
    world.run();
    let mut expected: Vec<String> = numbered(100).collect();
    expected.insert(0, "aaa".to_owned());
    assert_eq!(
        ids(&world.only_reply(asked)),
        expected,
        "all of the newer revision, each once"
    );
}

#[test]
fn a_listing_that_is_compacted_away_again_and_again_ends() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(100));
    let asked = world.ask(0, &Request::get("/summaryBatch"));
    for _ in 0..20_000 {
        let now = world.clock.get();
        world.run_until(now + 1);
        world.engine.put(b"/elsewhere", b"x");
        world.engine.compact();
    }
    assert_eq!(world.only_reply(asked).status, 503);
    assert!(world.at_rest());
}

#[test]
fn after_a_failure_less_is_asked_for() {
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(100));
    let mut calls = 0;
    world.faults = Box::new(move |_, _| {
        calls += 1;
        if calls <= 3 {
            Fault::Refused(8)
        } else {
            Fault::None
        }
    });
    let made = ranges(&world, 0).len();
    assert_eq!(ids(&list(&mut world, "")).len(), 100);
    let limits: Vec<i64> = ranges(&world, 0)[made..]
        .iter()
        .map(|it| it.limit)
        .collect();
    assert_eq!(limits[..4], [24, 12, 6, 3]);
    assert!(
        limits[4] > 3,
        "and more again once it goes well: {limits:?}"
    );
}

#[test]
fn any_fault_at_any_call_leaves_the_list_whole() {
    let faults = [
        Fault::NotDelivered,
        Fault::AnswerLost,
        Fault::AnswerLate,
        Fault::AnswerTwice,
        Fault::Malformed(Nonsense::Empty),
        Fault::Malformed(Nonsense::MoreOfNothing),
        Fault::Refused(OUT_OF_RANGE),
        Fault::Refused(14),
    ];
    let mut world = World::single(config());
    fill(&mut world, "acme", numbered(60));
    let queries = ["", "?pageSize=50"];
    let expected = queries.map(|query| show(&list(&mut world, query)));
    for (fault, place) in faults
        .iter()
        .flat_map(|it| (0..6).map(move |place| (*it, place)))
    {
        for (query, expected) in queries.iter().zip(&expected) {
            let mut calls = 0;
            world.faults = Box::new(move |_, _| {
                calls += 1;
                if calls == place + 1 {
                    fault
                } else {
                    Fault::None
                }
            });
            assert_eq!(
                &show(&list(&mut world, query)),
                expected,
                "{fault:?} at {place} {query}"
            );
        }
    }
}

#[test]
fn a_strange_key_among_the_accounts_is_told_and_not_skipped() {
    for key in [
        "/points/1/account/acme/000/614",
        "/points/1/account/acme/614",
        "/points/1/account/acme/!",
        "/points/1/account/acme/zzz/%",
        "/points/1/account/acme/fe1/6%314",
    ] {
        let mut world = with_614();
        let value = world.engine.puts[0].value.clone();
        world.engine.put(key.as_bytes(), &value);
        assert_eq!(list(&mut world, "").status, 500, "{key}");
    }
}

#[test]
fn large_documents_are_asked_for_a_few_at_a_time() {
    let mut world = World::single(config());
    let value = long_document(100, 4000);
    assert!(value.len() > 400_000 && document::decode(&value).is_ok());
    world.engine.put(key_of("big").as_bytes(), &value);
    let permit = permit("acme");
    let keys: BTreeSet<Vec<u8>> = numbered(60)
        .map(|id| CustomerId::new(id.into_bytes()).expect("an id"))
        .map(|id| AccountKey::new(permit.tenant(), &id).as_bytes().to_vec())
        .collect();
    for key in &keys {
        world.engine.put(key, &value);
    }
    assert_eq!(ids(&list(&mut world, "?pageSize=30")).len(), 30);
    for range in ranges(&world, 0) {
        let most = usize::try_from(range.limit).expect("a limit") * value.len();
        assert!(most <= 32 * 1024 * 1024, "an answer over Envoy's buffer");
    }
    assert_eq!(ids(&list(&mut world, "")).len(), 61);
}
