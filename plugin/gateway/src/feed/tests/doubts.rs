//! When history may have been missed, every copy has to be confirmed anew.

use bytes::Bytes;
use etcd_wire::{Event, KeyValue, ResponseHeader, WatchResponse};
use prost::Message;

use super::bench::{ACCOUNT, Bench, MAX_STALENESS_MS, UNAVAILABLE};
use crate::engine::StoreId;
use crate::feed::{RESUME_WITHIN_MS, TOO_LARGE};
use crate::host::Counter;

/// A bench whose feed is about to be in doubt, and the epoch it has.
fn standing() -> (Bench, u32) {
    let bench = Bench::standing(1);
    let epoch = bench.record().epoch;
    (bench, epoch)
}

/// It has raised the epoch once, and proves itself again.
fn has_begun_anew(bench: &mut Bench, epoch: u32) {
    bench.pass(2_000);
    let record = bench.record();
    assert_eq!(record.epoch, epoch.wrapping_add(1));
    assert_eq!(bench.vms[0].host.counted(Counter::FeedDoubts), 2);
    assert!(bench.now().wall_ms - record.confirmed_ms <= 300);
}

#[test]
fn changes_that_were_compacted_away() {
    let (mut bench, epoch) = standing();
    bench.closed(0, UNAVAILABLE);
    bench.engine.put(ACCOUNT, b"one");
    bench.engine.put(ACCOUNT, b"two");
    bench.engine.put(ACCOUNT, b"three");
    bench.engine.compact();
    has_begun_anew(&mut bench, epoch);
    assert_eq!(bench.told(), [0_i64; 0]);
}

#[test]
fn another_store() {
    let (mut bench, epoch) = standing();
    bench.closed(0, UNAVAILABLE);
    bench.engine.replace();
    for _ in 0..20 {
        bench.engine.put(ACCOUNT, b"another");
    }
    has_begun_anew(&mut bench, epoch);
    assert_eq!(bench.record().store, StoreId(2));
}

#[test]
fn a_store_that_went_back() {
    let (mut bench, epoch) = standing();
    bench.engine.put(ACCOUNT, b"one");
    bench.pass(50);
    bench.closed(0, UNAVAILABLE);
    bench.engine.restore(1);
    has_begun_anew(&mut bench, epoch);
}

#[test]
fn a_store_that_went_back_and_has_outrun_what_it_had_told() {
    let (mut bench, epoch) = standing();
    bench.pass(3_000);
    bench.closed(0, UNAVAILABLE);
    bench.engine.restore(2);
    for _ in 0..50 {
        bench.engine.put(ACCOUNT, b"other history");
    }
    assert!(bench.engine.revision() > bench.record().seen);
    has_begun_anew(&mut bench, epoch);
}

#[test]
fn nothing_is_proved_of_a_new_epoch_by_what_was_of_the_old() {
    let (mut bench, epoch) = standing();
    bench.closed(0, TOO_LARGE);
    // Nothing comes back any more, but watches stand.
    bench.down = true;
    bench.pass(1_000);
    bench.down = false;
    while bench.vms[0].stream.is_none() {
        bench.forward(50);
        bench.tick(0);
    }
    let record = bench.record();
    assert_eq!(record.epoch, epoch.wrapping_add(1));
    assert_eq!(record.confirmed_ms, 0);
}

#[test]
fn a_message_that_is_too_large() {
    let (mut bench, epoch) = standing();
    bench.closed(0, TOO_LARGE);
    has_begun_anew(&mut bench, epoch);
}

#[test]
fn a_message_that_makes_no_sense() {
    for nonsense in [
        Bytes::new(),
        Bytes::from_static(b"\xff"),
        // Once more that it stands.
        message(|it| it.created = true),
    ] {
        let (mut bench, epoch) = standing();
        bench.message(0, nonsense);
        assert!(bench.vms[0].stream.is_none());
        has_begun_anew(&mut bench, epoch);
    }
}

#[test]
fn a_watch_that_the_engine_ends_is_none() {
    let (mut bench, epoch) = standing();
    bench.message(0, message(|it| it.canceled = true));
    bench.pass(1_000);
    assert_eq!(bench.record().epoch, epoch);
    assert_eq!(bench.vms[0].openings, 2);
}

#[test]
fn a_copy_that_could_not_be_refreshed() {
    let (mut bench, epoch) = standing();
    bench.copies.refuses.set(true);
    bench.engine.put(ACCOUNT, b"one");
    bench.settle();
    bench.copies.refuses.set(false);
    assert_eq!(bench.record().epoch, epoch.wrapping_add(1));
    assert_eq!(bench.vms[0].openings, 1, "the watch is good");
    has_begun_anew(&mut bench, epoch);
}

#[test]
fn a_long_pause() {
    let longest_ms = RESUME_WITHIN_MS + i64::from(MAX_STALENESS_MS);
    for (pause_ms, doubts) in [(longest_ms - 2_000, 1), (longest_ms + 50, 2)] {
        let (mut bench, _) = standing();
        bench.down = true;
        bench.closed(0, UNAVAILABLE);
        bench.pass(pause_ms);
        bench.down = false;
        bench.pass(1_500);
        assert!(bench.now().wall_ms - bench.record().confirmed_ms <= 300);
        let counted = bench.vms[0].host.counted(Counter::FeedDoubts);
        assert_eq!(counted, doubts, "{pause_ms}");
    }
}

#[test]
fn a_record_that_cannot_be_read() {
    let mut bench = Bench::standing(1);
    let epoch = bench.record().epoch;
    let name = crate::feed::record::name(super::bench::CLUSTER);
    bench.vms[0]
        .host
        .shared
        .borrow_mut()
        .put(&name, b"nonsense");
    bench.pass(200);
    assert_ne!(bench.record().epoch, epoch);
    assert!(bench.now().wall_ms - bench.record().confirmed_ms <= 300);
}

#[test]
fn a_piece_of_an_answer_is_brought_but_not_seen() {
    let (mut bench, epoch) = standing();
    let seen = bench.record().seen;
    let event = |revision| Event {
        kv: Some(KeyValue {
            key: Bytes::from_static(ACCOUNT),
            mod_revision: revision,
            ..KeyValue::default()
        }),
        ..Event::default()
    };
    let piece = message(|it| {
        it.events = vec![event(seen + 1), event(seen + 2)];
        it.fragment = true;
    });
    bench.message(0, piece);
    assert_eq!(bench.told(), [seen + 1, seen + 2]);
    assert_eq!(
        (bench.record().working_to, bench.record().seen),
        (seen + 2, seen)
    );
    let rest = message(|it| it.events = vec![event(seen + 2)]);
    bench.message(0, rest);
    assert_eq!(
        (bench.record().working_to, bench.record().seen),
        (seen + 2, seen + 2)
    );
    assert_eq!(bench.record().epoch, epoch);
}

#[test]
fn an_account_that_is_deleted_is_told_as_such() {
    let (mut bench, _) = standing();
    let gone = Event {
        r#type: 1,
        kv: Some(KeyValue {
            key: Bytes::from_static(ACCOUNT),
            mod_revision: 90,
            ..KeyValue::default()
        }),
        ..Event::default()
    };
    bench.message(0, message(|it| it.events = vec![gone]));
    let changes = bench.copies.changes.borrow();
    assert_eq!(changes[0].2.value, None);
}

fn message(change: impl FnOnce(&mut WatchResponse)) -> Bytes {
    let mut message = WatchResponse {
        header: Some(ResponseHeader {
            cluster_id: 1,
            revision: 100,
            ..ResponseHeader::default()
        }),
        ..WatchResponse::default()
    };
    change(&mut message);
    message.encode_to_vec().into()
}
