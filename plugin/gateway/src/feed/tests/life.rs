//! Who holds the feed, and what it tells while nothing is wrong with the engine's history.

use super::bench::{ACCOUNT, Bench, CLUSTER, MAX_STALENESS_MS, UNAVAILABLE};
use crate::engine::{Answer, StoreId};
use crate::feed::may_confirm;
use crate::feed::record::LEASE_MS;
use crate::host::Counter;

#[test]
fn a_feed_begins_where_the_engine_is() {
    let mut bench = Bench::new(1);
    bench.engine.put(ACCOUNT, b"before");
    assert_eq!(bench.vms[0].feed.freshness(), None);
    bench.tick(0);
    let record = bench.record();
    assert_ne!(record.epoch, 0);
    assert_eq!(
        (record.store, record.seen, record.working_to),
        (StoreId(1), 1, 1)
    );
    // Nothing is proved yet.
    let now_ms = bench.now().wall_ms;
    let freshness = bench.vms[0].feed.freshness().expect("begun");
    assert!(freshness.covers(record.store, record.epoch));
    assert_eq!(freshness.age_ms(now_ms, i64::from(MAX_STALENESS_MS)), None);
    bench.settle();
    let freshness = bench.vms[0].feed.freshness().expect("begun");
    assert!(freshness.covers(record.store, record.epoch));
    assert_eq!(
        freshness.age_ms(now_ms, i64::from(MAX_STALENESS_MS)),
        Some(0)
    );
    assert_eq!(freshness.confirmed_at_ms, now_ms);
    assert_eq!(freshness.seen, 2, "its own heartbeat");
    assert_eq!(
        bench.told(),
        [0_i64; 0],
        "what was there before is nobody's news"
    );
}

#[test]
fn what_is_confirmed_is_when_the_heartbeat_was_sent_and_not_when_it_came() {
    let mut bench = Bench::standing(1);
    bench.mute = true;
    bench.pass(400);
    let before_ms = bench.record().confirmed_ms;
    bench.mute = false;
    let sent_before_ms = bench.now().wall_ms;
    bench.tell(0);
    let confirmed_ms = bench.record().confirmed_ms;
    assert!(before_ms < confirmed_ms && confirmed_ms < sent_before_ms);
}

#[test]
fn an_idle_feed_stays_fresh_and_costs_three_puts_in_the_time_allowed() {
    let mut bench = Bench::standing(2);
    let calls = bench.vms[0].calls;
    for _ in 0..180 {
        bench.pass(50);
        let (now_ms, record) = (bench.now().wall_ms, bench.record());
        for vm in &bench.vms {
            let freshness = vm.feed.freshness().expect("begun");
            assert!(freshness.covers(record.store, record.epoch));
            let age_ms = freshness.age_ms(now_ms, i64::from(MAX_STALENESS_MS) / 2);
            assert!(age_ms.is_some());
        }
    }
    // 9,000 ms, each 300 ms one.
    assert_eq!(bench.vms[0].calls - calls, 30);
    assert_eq!(bench.vms[0].openings, 1);
    assert_eq!(bench.vms[1].openings, 0, "one watch for all");
}

#[test]
fn changes_reach_the_copies_in_order() {
    let mut bench = Bench::standing(1);
    bench.engine.put(ACCOUNT, b"one");
    bench
        .engine
        .put(b"/points/1/history/acme/fe1/614/1/1", b"segment");
    bench.engine.put(b"/points/1/gateway/another", b"beat");
    bench.engine.put(ACCOUNT, b"two");
    let newest = bench.engine.revision();
    bench.settle();
    assert_eq!(bench.told(), [newest - 3, newest]);
    let changes = bench.copies.changes.borrow();
    let (key, store, change) = &changes[1];
    assert_eq!((key.as_ref(), *store), (ACCOUNT, StoreId(1)));
    assert_eq!(change.value.as_deref(), Some(&b"two"[..]));
    assert!(bench.record().seen >= newest);
    assert_eq!(bench.vms[0].host.counted(Counter::FeedDoubts), 1);
}

#[test]
fn another_vm_goes_on_without_a_gap_when_the_holder_dies() {
    let mut bench = Bench::standing(3);
    let epoch = bench.record().epoch;
    bench.vms[0].sleeps = true;
    bench.engine.put(ACCOUNT, b"unheard");
    let missed = bench.engine.revision();
    bench.pass(LEASE_MS + 100);
    let holder = bench.holder().expect("a holder");
    assert_ne!(holder, 0);
    assert_eq!(bench.told(), [missed]);
    let record = bench.record();
    assert_eq!(record.epoch, epoch);
    assert!(bench.now().wall_ms - record.confirmed_ms <= 300);
}

#[test]
fn a_change_that_was_begun_is_brought_again() {
    let mut bench = Bench::standing(2);
    bench.vms[0].sleeps = true;
    bench.engine.put(ACCOUNT, b"half");
    // It died when it had announced the change.
    let mut record = bench.record();
    record.working_to = bench.engine.revision();
    bench.write(&record);
    bench.pass(LEASE_MS + 100);
    assert_eq!(bench.told(), [bench.record().working_to - 1]);
    assert_eq!(bench.record().seen, bench.record().working_to);
}

#[test]
fn a_holder_that_slept_touches_nothing_once_it_was_replaced() {
    let mut bench = Bench::standing(2);
    bench.vms[0].sleeps = true;
    bench.pass(LEASE_MS + 100);
    assert_eq!(bench.holder(), Some(1));
    bench.engine.put(ACCOUNT, b"new");
    let before = bench.record();
    bench.tell(0);
    assert_eq!(bench.record(), before);
    assert_eq!(bench.told(), [0_i64; 0]);
    assert!(!bench.vms[0].feed.holds());
    assert!(bench.vms[0].stream.is_none(), "it has closed its watch");
    // Neither does the answer to its heartbeat, nor its next tick.
    bench.vms[0].sleeps = false;
    bench.answer(0);
    bench.tick(0);
    assert_eq!(bench.record(), before);
    bench.settle();
    assert_eq!(bench.told(), [bench.engine.revision()]);
}

#[test]
fn a_holder_that_goes_hands_over_at_once_and_takes_nothing_back() {
    let mut bench = Bench::standing(2);
    let epoch = bench.record().epoch;
    let now = bench.now();
    let vm = &mut bench.vms[0];
    vm.feed.release(now, &vm.host);
    bench.pass(50);
    assert_eq!(bench.holder(), Some(1));
    assert_eq!(bench.record().epoch, epoch);
    let vm = &mut bench.vms[1];
    vm.feed.release(now, &vm.host);
    bench.pass(5_000);
    assert_eq!(bench.holder(), None);
}

#[test]
fn a_clock_that_is_set_back_holds_up_nobody() {
    let mut bench = Bench::standing(2);
    bench.vms[0].sleeps = true;
    bench.set_back(3_600_000);
    bench.pass(100);
    assert_eq!(bench.holder(), Some(1));
    let record = bench.record();
    assert!(bench.now().wall_ms - record.confirmed_ms <= 300);
    // And for the holder too.
    bench.set_back(3_600_000);
    let epoch = record.epoch;
    bench.pass(400);
    let record = bench.record();
    assert!((0..=300).contains(&(bench.now().wall_ms - record.confirmed_ms)));
    assert_eq!(record.epoch, epoch);
}

#[test]
fn a_break_goes_on_where_it_was() {
    let mut bench = Bench::standing(1);
    let epoch = bench.record().epoch;
    bench.engine.put(ACCOUNT, b"unheard");
    bench.closed(0, 13);
    bench.pass(100);
    assert_eq!(bench.vms[0].openings, 2);
    assert_eq!(bench.told(), [bench.engine.revision() - 1]);
    assert_eq!(bench.record().epoch, epoch);
}

#[test]
fn an_engine_that_is_away_is_tried_at_growing_pauses() {
    let mut bench = Bench::standing(1);
    bench.down = true;
    bench.closed(0, UNAVAILABLE);
    bench.pass(1_000);
    // After 50, 100, 200, 400 and 800 ms and then each second.
    assert_eq!(bench.vms[0].openings, 1 + 4);
    bench.pass(5_000);
    assert_eq!(bench.vms[0].openings, 1 + 4 + 5);
    assert_eq!(
        bench.holder(),
        Some(0),
        "it could be no better off elsewhere"
    );
    bench.down = false;
    bench.pass(1_000);
    assert!(bench.now().wall_ms - bench.record().confirmed_ms <= 1_000);
    // What has proved itself is opened again at once.
    bench.closed(0, 13);
    bench.pass(50);
    assert!(bench.vms[0].stream.is_some());
}

#[test]
fn a_watch_that_never_stands_or_falls_silent_is_opened_again() {
    let mut bench = Bench::standing(1);
    bench.mute = true;
    bench.pass(2_000);
    assert_eq!(bench.vms[0].openings, 1);
    bench.pass(500);
    assert_eq!(
        bench.vms[0].openings, 2,
        "heartbeats are made and do not come"
    );
    bench.pass(2_500);
    assert_eq!(bench.vms[0].openings, 3, "it is not said to stand");
    bench.mute = false;
    bench.pass(3_000);
    assert!(bench.now().wall_ms - bench.record().confirmed_ms <= 300);
}

#[test]
fn a_heartbeat_of_unknown_outcome_is_followed_by_another() {
    let mut bench = Bench::standing(1);
    bench.vms[0].call = None;
    bench.pass(300);
    let calls = bench.vms[0].calls;
    // It was made, and neither the answer nor the watch says so yet; another program has touched the key besides.
    let key = crate::accounts::keys::heartbeat(&bench.record().beat);
    bench.engine.put(key.as_bytes(), b"stranger");
    bench.mute = true;
    bench.pass(300);
    assert!(bench.vms[0].calls > calls);
    bench.answered(0, Answer::Unknown { grpc_status: 4 });
    bench.mute = false;
    bench.pass(600);
    assert!(bench.now().wall_ms - bench.record().confirmed_ms <= 300);
    assert_eq!(bench.vms[0].host.counted(Counter::FeedDoubts), 1);
}

#[test]
fn a_vm_without_randomness_follows_and_does_not_hold() {
    let mut bench = Bench::new(2);
    bench.vms[0].host.no_randomness.set(true);
    bench.pass(100);
    assert_eq!(bench.holder(), Some(1));
    assert!(bench.vms[0].feed.freshness().is_some());
}

#[test]
fn a_copy_is_confirmed_by_what_the_record_says() {
    let mut bench = Bench::new(1);
    let host = &bench.vms[0].host;
    assert_eq!(may_confirm(host, CLUSTER, StoreId(1), 100), None);
    bench.pass(100);
    let (record, host) = (bench.record(), &bench.vms[0].host);
    let asked = |cluster, revision| may_confirm(host, cluster, StoreId(1), revision);
    assert_eq!(asked(CLUSTER, record.working_to), Some(record.epoch));
    assert_eq!(asked(CLUSTER, record.working_to - 1), None);
    assert_eq!(asked("another", record.working_to), None);
}
