//! Several VMs over one map of shared data: one fetches, all see it, and nobody waits for a VM that died.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::access::test_support::NOW_MS;
use crate::test_support::host::{SharedData, TestHost};

const SCHEDULE: Schedule = Schedule {
    refresh_ms: 100_000,
    ask_gap_ms: 10_000,
    lease_ms: 2_000,
};

/// VMs of one gateway.
struct Vms {
    /// The fetches under way, by VM: also those that nobody waits for any more.
    begun: Vec<Vec<Begun>>,
    clock: Rc<Cell<i64>>,
    vms: Vec<(Polled, TestHost)>,
}

impl Vms {
    fn new(count: u64) -> Self {
        let clock = Rc::new(Cell::new(NOW_MS));
        let shared: Rc<RefCell<SharedData>> = Rc::default();
        let vm = |seed| {
            let host = TestHost::new(Rc::clone(&clock), Rc::clone(&shared), seed);
            (Polled::new("thing", "its identity", SCHEDULE), host)
        };
        Self {
            begun: (0..count).map(|_| Vec::new()).collect(),
            vms: (1..=count).map(vm).collect(),
            clock: Rc::clone(&clock),
        }
    }

    fn now(&self) -> i64 {
        self.clock.get()
    }

    fn pass(&self, ms: i64) {
        self.clock.set(self.clock.get() + ms);
    }

    /// One round of ticks: which VMs begin a fetch, and what each VM takes over.
    fn tick(&mut self) -> (Vec<(usize, Begun)>, Vec<Option<String>>) {
        let now = self.now();
        let mut begun = Vec::new();
        let mut news = Vec::new();
        for (number, (polled, host)) in self.vms.iter_mut().enumerate() {
            let seen = polled.look(host);
            news.push(seen.map(|value| String::from_utf8(value).expect("text")));
            if let Some(one) = polled.begin(now, host) {
                begun.push((number, one));
                self.begun[number].insert(0, one);
            }
        }
        (begun, news)
    }

    fn only_one_begins(&mut self) -> (usize, bool) {
        match self.tick().0.as_slice() {
            [(number, begun)] => (*number, begun.out_of_turn),
            other => panic!("not one: {other:?}"),
        }
    }

    fn nobody_begins(&mut self) {
        assert_eq!(self.tick().0, []);
    }

    fn succeed(&mut self, number: usize, value: &str) {
        let now = self.now();
        let begun = self.begun[number].remove(0);
        let (polled, host) = &mut self.vms[number];
        polled.succeeded(begun, value.as_bytes(), now, host);
    }

    fn fail(&mut self, number: usize) {
        let now = self.now();
        let begun = self.begun[number].remove(0);
        let (polled, host) = &mut self.vms[number];
        polled.failed(begun, Ending::Unreachable, now, host);
    }

    fn ask(&mut self, number: usize) {
        let now = self.now();
        self.vms[number].0.ask(now);
    }

    /// How long it takes until somebody begins, looked at every `step` milliseconds.
    fn until_begun(&mut self, step: i64) -> (i64, usize) {
        let from = self.now();
        for _ in 0..100_000 {
            if let [(number, _)] = self.tick().0.as_slice() {
                return (self.now() - from, *number);
            }
            self.pass(step);
        }
        panic!("nobody ever begins");
    }
}

#[test]
fn one_fetches_and_all_take_it_over_once() {
    let mut vms = Vms::new(4);
    let (fetcher, out_of_turn) = vms.only_one_begins();
    assert!(!out_of_turn);
    vms.pass(50);
    vms.nobody_begins();
    vms.succeed(fetcher, "first");
    let (_, news) = vms.tick();
    assert_eq!(news, vec![Some("first".to_owned()); 4]);
    assert_eq!(vms.tick(), (vec![], vec![None; 4]));
    // The same again is no news; another value is.
    let (_, fetcher) = vms.until_begun(100);
    vms.succeed(fetcher, "first");
    assert_eq!(vms.tick().1, vec![None; 4]);
    let (_, fetcher) = vms.until_begun(100);
    vms.succeed(fetcher, "second");
    assert_eq!(vms.tick().1, vec![Some("second".to_owned()); 4]);
    let ages: Vec<_> = vms.vms.iter().map(|(it, _)| it.age_ms(vms.now())).collect();
    assert_eq!(ages, [Some(0); 4]);
}

#[test]
fn fetches_are_spread_over_the_last_quarter_of_the_time() {
    let mut vms = Vms::new(2);
    let mut spans = Vec::new();
    let (_, mut fetcher) = vms.until_begun(100);
    for _ in 0..40 {
        vms.succeed(fetcher, "value");
        vms.pass(1);
        let (span, next) = vms.until_begun(100);
        fetcher = next;
        spans.push(span);
    }
    assert!(
        spans.iter().all(|span| (74_900..=100_200).contains(span)),
        "{spans:?}"
    );
    let (least, most) = (spans.iter().min(), spans.iter().max());
    assert!(most.unwrap() - least.unwrap() > 10_000, "{spans:?}");
}

#[test]
fn failures_pause_longer_and_longer_and_keep_what_there_is() {
    let mut vms = Vms::new(3);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "good");
    vms.tick();
    let (_, mut fetcher) = vms.until_begun(100);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        vms.fail(fetcher);
        vms.pass(1);
        let (pause, next) = vms.until_begun(10);
        pauses.push(pause);
        fetcher = next;
    }
    for (pause, most) in pauses.iter().zip([1, 2, 4, 8, 16, 30, 30, 30]) {
        let most = most * 1000;
        assert!(
            (most * 3 / 4 - 20..=most + 20).contains(pause),
            "{pauses:?}"
        );
    }
    assert_eq!(vms.vms[0].0.ending(), Ending::Unreachable);
    assert_eq!(vms.tick().1, vec![None; 3], "the good value stays");
    assert!(vms.vms[0].0.age_ms(vms.now()).is_some());
    vms.succeed(fetcher, "good");
    vms.tick();
    assert_eq!(vms.vms[0].0.ending(), Ending::Success);
}

#[test]
fn a_fetch_out_of_turn_comes_at_most_once_in_its_gap_however_often_it_is_asked_for() {
    let mut vms = Vms::new(3);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.pass(1);
    let from = vms.now();
    let mut begun = Vec::new();
    // Up to the next regular fetch.
    while vms.now() < from + 70_000 {
        for number in 0..3 {
            vms.ask(number);
        }
        vms.pass(1);
        for (number, how) in vms.tick().0 {
            assert!(how.out_of_turn);
            begun.push(vms.now() - from);
            vms.pass(3);
            vms.succeed(number, "value");
        }
        vms.pass(50);
    }
    assert_eq!(begun.len(), 7, "{begun:?}");
    assert!(begun[0] <= 1, "the first comes at once");
    assert!(
        begun.windows(2).all(|pair| pair[1] - pair[0] >= 10_000),
        "{begun:?}"
    );
}

#[test]
fn what_was_fetched_before_it_was_asked_for_does_not_settle_it() {
    let mut vms = Vms::new(2);
    let (fetcher, _) = vms.only_one_begins();
    vms.pass(10);
    let asked = vms.now();
    vms.ask(1 - fetcher);
    vms.nobody_begins();
    vms.pass(10);
    vms.succeed(fetcher, "value");
    vms.pass(1);
    let (next, out_of_turn) = vms.only_one_begins();
    assert!(out_of_turn);
    assert!(!vms.vms[1 - fetcher].0.settled_since(asked, vms.now()));
    vms.succeed(next, "value");
    vms.tick();
    assert!(vms.vms[1 - fetcher].0.settled_since(asked, vms.now()));
    assert!(vms.vms[fetcher].0.settled_since(asked, vms.now()));
}

#[test]
fn one_that_dies_is_replaced_and_what_it_says_later_counts_for_nothing() {
    let mut vms = Vms::new(2);
    let (slow, _) = vms.only_one_begins();
    let old = vms.begun[slow].remove(0);
    let (span, next) = vms.until_begun(50);
    assert!((2_000..=2_050).contains(&span), "{span}");
    vms.begun[slow].push(old);
    let late = vms.begun[slow].len() - 1;
    vms.begun[slow].swap(0, late);
    vms.succeed(slow, "late");
    assert_eq!(vms.tick().1, vec![None, None]);
    vms.succeed(next, "good");
    assert_eq!(vms.tick().1, vec![Some("good".to_owned()); 2]);
    vms.begun[slow].push(old);
    vms.fail(slow);
    vms.tick();
    assert_eq!(vms.vms[0].0.ending(), Ending::Success);
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let mut vms = Vms::new(2);
    let (_, _) = vms.only_one_begins();
    vms.pass(-3_600_000);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.pass(-3_600_000);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.nobody_begins();
}

#[test]
fn one_that_dies_in_a_fetch_out_of_turn_is_replaced_as_soon() {
    let mut vms = Vms::new(3);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.tick();
    vms.pass(1);
    vms.ask(0);
    vms.pass(1);
    let (lost, out_of_turn) = vms.only_one_begins();
    assert!(out_of_turn);
    vms.pass(1);
    let (span, next) = vms.until_begun(50);
    assert!((1_950..=2_050).contains(&span), "{span}");
    vms.succeed(next, "new");
    assert_eq!(vms.tick().1, vec![Some("new".to_owned()); 3]);
    let old = vms.begun[lost].remove(0);
    vms.begun[lost].push(old);
    vms.fail(lost);
    vms.tick();
    assert_eq!(vms.vms[0].0.ending(), Ending::Success, "a late word");
}

#[test]
fn after_the_clock_was_set_back_by_a_little_what_began_ahead_of_it_settles_nothing() {
    let mut vms = Vms::new(2);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.pass(1);
    vms.ask(0);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.tick();
    vms.vms[0].0.forget_asks();
    // By less than until the next one is due, so that nothing else begins one.
    vms.pass(-500);
    vms.nobody_begins();
    let now = vms.now();
    let (polled, _) = &vms.vms[1];
    assert!(!polled.settled_since(now, now));
    assert_eq!(polled.next_possible_ms(now), now);
    vms.ask(1);
    assert!(vms.only_one_begins().1);
}

#[test]
fn an_ask_from_before_the_clock_was_set_back_is_answered_once() {
    let mut vms = Vms::new(1);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    vms.tick();
    vms.ask(0);
    vms.pass(-3_600_000);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    let (span, _) = vms.until_begun(100);
    assert!(span >= 75_000, "the next one in turn, not after {span} ms");
}

#[test]
fn one_that_goes_on_keeps_its_lease_until_another_has_taken_over() {
    let mut vms = Vms::new(2);
    let (slow, _) = vms.only_one_begins();
    let begun = vms.begun[slow][0];
    for _ in 0..10 {
        vms.pass(1_900);
        let now = vms.now();
        let (polled, host) = &vms.vms[slow];
        assert!(polled.renew(begun, now, host));
        vms.nobody_begins();
    }
    vms.pass(2_000);
    vms.only_one_begins();
    let (polled, host) = &vms.vms[slow];
    assert!(!polled.renew(begun, vms.now(), host));
}

#[test]
fn what_another_generation_of_the_filter_left_counts_as_nothing() {
    let mut vms = Vms::new(1);
    let (polled, host) = &vms.vms[0];
    let mut shared = host.shared.borrow_mut();
    shared.put(&polled.record_name, b"\x07?");
    shared.put(&polled.value_name, b"?");
    drop(shared);
    let (fetcher, _) = vms.only_one_begins();
    vms.succeed(fetcher, "value");
    assert_eq!(vms.tick().1, vec![Some("value".to_owned())]);
}

#[test]
fn what_has_another_identity_is_another_thing() {
    let mut vms = Vms::new(2);
    vms.vms[1].0 = Polled::new("thing", "another engine", SCHEDULE);
    let (begun, _) = vms.tick();
    assert_eq!(begun.len(), 2, "each fetches its own");
    vms.succeed(0, "first");
    assert_eq!(vms.tick().1, vec![Some("first".to_owned()), None]);
}
