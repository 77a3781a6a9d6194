//! The sweeper alone, over the test engine: what it asks, when, and what it leaves.

use ledger::{Looked, Operation, REMEMBERED_MS, Record, State, Timestamp};

mod judging;
mod pages;

use super::*;
use crate::accounts::document;
use crate::accounts::keys::HistoryKeys;
use crate::test_support::engine::Engine;
use crate::test_support::host::TestHost;
use crate::test_support::large::key_of;

const NOW: i64 = crate::access::test_support::NOW_MS;
const HOUR: i64 = 60 * 60 * 1000;
const OLD_ENOUGH: i64 = REMEMBERED_MS + SKEW_MS + 1;

fn mark(id: &str) -> ledger::OperationMark {
    ledger::OperationMark {
        identity: ledger::Identity::generated(ledger::EntryId::new(id.to_owned()).expect("an id")),
        key: None,
    }
}

fn after(state: State, operation: &Operation, at_ms: i64) -> State {
    let clock = Timestamp::from_millis(at_ms).expect("a time");
    match ledger::apply(&state, operation, &Looked::nothing(operation), clock) {
        Ok(ledger::Applied::Changed(record)) => record.into(),
        other => panic!("{other:?}"),
    }
}

fn create(state: State, at_ms: i64) -> State {
    let operation = Operation::Create {
        mark: mark(&format!("c {at_ms}")),
        start: None,
    };
    after(state, &operation, at_ms)
}

fn delete(state: State, at_ms: i64) -> State {
    after(
        state,
        &Operation::Delete {
            mark: mark(&format!("d {at_ms}")),
        },
        at_ms,
    )
}

fn bytes_of(state: State) -> Vec<u8> {
    document::encode(&match state {
        State::Live(account) => Record::Live(account),
        State::Erased(tombstone) => Record::Erased(tombstone),
        State::Absent => panic!("nothing to store"),
    })
}

/// What is left of an account that was deleted at this time.
fn tombstone(at_ms: i64) -> Vec<u8> {
    bytes_of(delete(create(State::Absent, at_ms - HOUR), at_ms))
}

struct Bench {
    engine: Engine,
    host: TestHost,
    sweeper: Sweeper,
    steady_ms: i64,
    wall_ms: i64,
    /// Calls made, in order.
    calls: Vec<Step>,
}

impl Bench {
    fn new(interval_ms: u32) -> Self {
        Self {
            engine: Engine::default(),
            host: TestHost::alone(),
            sweeper: Sweeper::new("engine", interval_ms),
            steady_ms: 0,
            wall_ms: NOW,
            calls: Vec::new(),
        }
    }

    fn now(&self) -> Moment {
        Moment {
            wall_ms: self.wall_ms,
            steady_ms: self.steady_ms,
        }
    }

    fn tick(&mut self, ms: i64) -> Option<(Method, Bytes)> {
        self.steady_ms += ms;
        self.wall_ms += ms;
        let call = self.sweeper.tick(self.now(), true);
        if call.is_some() {
            self.calls.push(self.sweeper.step.clone());
        }
        call
    }

    fn answer(&mut self, answer: Answer) {
        let now = self.now();
        self.sweeper.answered(answer, now, &self.host);
    }

    fn carry_out(&mut self, (method, message): (Method, Bytes)) {
        let answer = self.engine.execute(method, &message).expect("an answer");
        self.answer(Answer::Message(answer));
    }

    /// Ticks of a second until a walk has ended.
    fn walk(&mut self) {
        self.calls.clear();
        let mut last_ms = self.steady_ms;
        while self.steady_ms - last_ms < REST_MS / 2 || self.calls.is_empty() {
            if let Some(call) = self.tick(1000) {
                last_ms = self.steady_ms;
                self.carry_out(call);
            }
        }
    }

    fn put_tombstone(&mut self, customer: &str, deleted_at_ms: i64) {
        let key = key_of(customer);
        self.engine.put(key.as_bytes(), &tombstone(deleted_at_ms));
    }

    fn put_segments(&mut self, customer: &str, generation: u64, segments: u64) {
        let keys = HistoryKeys::of(&key_of(customer));
        for first in 1..=segments {
            self.engine
                .put(&keys.segment(generation, first), b"a segment");
        }
    }

    fn stands(&self, customer: &str) -> bool {
        self.engine.get(key_of(customer).as_bytes()).is_some()
    }

    fn segments(&self, customer: &str) -> usize {
        let keys = HistoryKeys::of(&key_of(customer));
        self.engine.keys_below(keys.all_lives().as_bytes()).len()
    }
}

/// The first life of an account that was created an hour before this.
fn life(deleted_at_ms: i64) -> u64 {
    (deleted_at_ms - HOUR).unsigned_abs()
}

#[test]
fn segments_go_first_and_then_the_tombstone() {
    let mut bench = Bench::new(1000);
    bench.put_tombstone("614", NOW - OLD_ENOUGH);
    let generation = life(NOW - OLD_ENOUGH);
    bench.put_segments("614", generation, 200);
    bench.put_segments("614", generation - 5, 1);
    let young = NOW - REMEMBERED_MS + HOUR;
    bench.put_tombstone("young", young);
    bench.put_segments("young", life(young), 2);
    bench.walk();
    assert!(!bench.stands("614") && bench.stands("young"));
    assert_eq!((bench.segments("614"), bench.segments("young")), (0, 2));
    assert_eq!(bench.host.counted(Counter::SweptTombstones), 1);
    assert_eq!(bench.host.counted(Counter::SweptSegments), 201);
    let document = Bytes::copy_from_slice(key_of("614").as_bytes());
    let deletions = bench.engine.changes.iter().filter(|it| it.is_deletion);
    assert_eq!(deletions.last().map(|it| &it.key), Some(&document));
    // Nothing more to do: a page and no more, until the next walk, by which the other one is old enough too.
    bench.walk();
    assert!(bench.stands("young"));
    assert_eq!(bench.calls, [Step::Page]);
    bench.walk();
    assert!(!bench.stands("young"));
}

#[test]
fn one_call_at_a_time_with_pauses() {
    let mut bench = Bench::new(500);
    for number in 0..250 {
        bench.put_tombstone(&format!("{number}"), NOW);
    }
    assert_eq!(bench.tick(0), None);
    assert_eq!(bench.tick(START_AFTER_MS - 1), None);
    let first = bench.tick(1).expect("a page");
    // While it is under way there is none.
    assert_eq!(bench.tick(400), None);
    bench.carry_out(first);
    assert_eq!(bench.tick(499), None);
    let second = bench.tick(1).expect("the next page");
    bench.carry_out(second);
    let third = bench.tick(500).expect("the last page");
    bench.carry_out(third);
    assert_eq!(bench.tick(REST_MS - 1), None);
    assert!(bench.tick(1).is_some(), "from the start");
    assert_eq!(
        bench.calls,
        [Step::Page, Step::Page, Step::Page, Step::Page]
    );
    // Off is off.
    let mut off = Bench::new(0);
    assert_eq!((off.tick(0), off.tick(HOUR)), (None, None));
}

#[test]
fn who_may_not_sweep_does_not_and_begins_later_where_it_was() {
    let mut bench = Bench::new(1000);
    for number in 0..150 {
        bench.put_tombstone(&format!("{number}"), NOW);
    }
    bench.tick(0);
    let page = bench.tick(START_AFTER_MS).expect("a page");
    // It loses the lease while the call is under way.
    assert_eq!(bench.sweeper.tick(bench.now(), false), None);
    bench.carry_out(page.clone());
    bench.steady_ms += HOUR;
    assert_eq!(bench.sweeper.tick(bench.now(), false), None);
    assert_eq!(bench.tick(0), None);
    let next = bench.tick(START_AFTER_MS).expect("the second page");
    assert_ne!(next, page);
    bench.carry_out(next);
    assert_eq!(bench.tick(REST_MS - 1), None, "that was the last one");
}

#[test]
fn a_write_between_reading_and_removing_survives() {
    let generation = life(NOW - OLD_ENOUGH);
    for at in [Step::Look, Step::Tombstone] {
        let mut bench = Bench::new(1000);
        bench.put_tombstone("614", NOW - OLD_ENOUGH);
        bench.put_segments("614", generation, u64::from(at == Step::Look));
        let again = bytes_of(create(State::Absent, NOW));
        loop {
            let Some(call) = bench.tick(1000) else {
                continue;
            };
            let found = bench.calls.last() == Some(&at);
            if found && at == Step::Tombstone {
                bench.engine.put(key_of("614").as_bytes(), &again);
            }
            bench.carry_out(call);
            if found {
                bench.engine.put(key_of("614").as_bytes(), &again);
                break;
            }
        }
        while bench.sweeper.step != Step::Page {
            if let Some(call) = bench.tick(1000) {
                bench.carry_out(call);
            }
        }
        let stands = bench.engine.get(key_of("614").as_bytes());
        assert_eq!(stands.map(|it| &it.value[..]), Some(&again[..]));
        assert_eq!(bench.segments("614"), usize::from(at == Step::Look));
        assert_eq!(bench.host.counted(Counter::SweptTombstones), 0);
        assert_eq!(bench.host.counted(Counter::SweptSegments), 0);
    }
}

#[test]
fn whatever_becomes_of_a_call_it_is_made_again_after_a_pause() {
    // How many calls there are when all goes well.
    let prepared = || {
        let mut bench = Bench::new(1000);
        bench.put_tombstone("614", NOW - OLD_ENOUGH);
        bench.put_segments("614", life(NOW - OLD_ENOUGH), 3);
        bench
    };
    let mut well = prepared();
    well.walk();
    assert_eq!(well.calls.len(), 5, "{:?}", well.calls);
    let unavailable = Answer::Unknown { grpc_status: 14 };
    let nonsense = Answer::Message(Bytes::from_static(b"\xff"));
    for unlucky in 0..5 {
        for carried_out in [true, false] {
            for answer in [Some(&unavailable), Some(&nonsense), None] {
                let mut bench = prepared();
                while bench.calls.len() <= unlucky {
                    let Some(call) = bench.tick(1000) else {
                        continue;
                    };
                    if bench.calls.len() <= unlucky {
                        bench.carry_out(call);
                        continue;
                    }
                    if carried_out {
                        let (method, message) = &call;
                        bench.engine.execute(*method, message).expect("an answer");
                    }
                    match answer {
                        Some(answer) => {
                            bench.answer(answer.clone());
                            assert_eq!(bench.tick(FAILURE_PAUSE_MS - 1), None);
                        }
                        None => assert_eq!(bench.tick(NO_ANSWER_MS), None),
                    }
                    let step = bench.calls[unlucky].clone();
                    let again = loop {
                        if let Some(call) = bench.tick(1000) {
                            break call;
                        }
                    };
                    assert_eq!(bench.calls.last(), Some(&step));
                    assert!(step == Step::Page || again == call, "the same bytes");
                    bench.carry_out(again);
                }
                bench.walk();
                assert!(!bench.stands("614"));
                assert_eq!(bench.segments("614"), 0);
            }
        }
    }
}

#[test]
fn an_answer_about_other_keys_removes_nothing() {
    let mut bench = Bench::new(1000);
    bench.put_tombstone("614", NOW - OLD_ENOUGH);
    bench.put_segments("other", 1, 1);
    let all = read_keys(b"/points/1/history/", b"/points/1/history0", 10, 0);
    let foreign = bench
        .engine
        .execute(Method::Range, &all)
        .expect("an answer");
    while bench.calls.last() != Some(&Step::Look) {
        match bench.tick(1000) {
            Some(call) if bench.calls.last() == Some(&Step::Page) => bench.carry_out(call),
            _ => {}
        }
    }
    bench.answer(Answer::Message(foreign));
    assert_eq!(bench.sweeper.step, Step::Look);
    bench.walk();
    assert_eq!(bench.segments("other"), 1);
    // An answer that nobody waits for changes nothing.
    let before = format!("{:?}", bench.sweeper);
    bench.answer(Answer::Unknown { grpc_status: 14 });
    assert_eq!(format!("{:?}", bench.sweeper), before);
}

#[test]
fn one_that_ends_between_segments_and_tombstone_leaves_the_rest_to_the_next() {
    let mut bench = Bench::new(1000);
    bench.put_tombstone("614", NOW - OLD_ENOUGH);
    bench.put_segments("614", life(NOW - OLD_ENOUGH), 3);
    while bench.segments("614") > 0 {
        if let Some(call) = bench.tick(1000) {
            bench.carry_out(call);
        }
    }
    assert!(bench.stands("614"), "it leads to what is left");
    bench.sweeper = Sweeper::new("engine", 1000);
    bench.walk();
    assert_eq!(bench.calls, [Step::Page, Step::Look, Step::Tombstone]);
    assert!(!bench.stands("614"));
}
