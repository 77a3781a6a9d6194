//! Somebody sends tokens with key ids that nobody has: neither the issuer nor anybody with a good token notices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use simulated::{Ask, World, es256, forged, most_at_once, token};

use crate::common::{settled, statuses, tokens};

/// A hundred thousand bad ones in ten minutes.
const EVERY_MS: u64 = 6;
const BAD: usize = 100_000;

/// As configured.
const REFETCH_MS: u64 = 5_000;
const REFRESH_MS: u64 = 60_000;

/// What came of the bad requests and of the good ones.
#[derive(Default)]
struct Tally {
    bad_asks: BTreeSet<Ask>,
    bad: BTreeMap<u16, usize>,
    good: BTreeMap<u16, usize>,
    good_that_waited: usize,
}

impl Tally {
    fn take(&mut self, world: &mut World) {
        for done in world.take_done() {
            let is_bad = self.bad_asks.remove(&done.ask);
            let statuses = if is_bad {
                &mut self.bad
            } else {
                &mut self.good
            };
            *statuses.entry(done.status()).or_default() += 1;
            self.good_that_waited += usize::from(!is_bad && done.waited_ms() > 0);
            assert!(done.waited_ms() <= 6_050, "{} ms", done.waited_ms());
        }
    }
}

#[test]
fn a_hundred_thousand_unknown_key_ids_cost_the_issuer_a_fetch_now_and_then() {
    let (old, new) = (es256("old"), es256("new"));
    let (of_old, of_new) = (tokens(&old, 200), tokens(&new, 200));
    let mut world = settled(&[&old]);
    let vms = world.vms();
    let mut tally = Tally::default();
    let mut memory_bytes = 0;
    for number in 0..BAD {
        let unknown = forged(&format!("kid-{number:x}"), &format!("nobody-{number}"));
        let ask = world.request(number % vms, Some(&unknown));
        tally.bad_asks.insert(ask);
        if number == BAD / 2 {
            // In the middle of it the issuer rotates, and signs with the new key at once.
            world.publish(&[&old, &new]);
        }
        if number % 8 == 0 {
            let good = if number < BAD / 2 { &of_old } else { &of_new };
            world.request(number / 8 % vms, Some(&good[number / 8 % good.len()]));
        }
        world.advance(EVERY_MS);
        if number % 1_000 == 0 {
            tally.take(&mut world);
        }
        if number == BAD / 10 {
            memory_bytes = world.memory_bytes(0);
        }
    }
    world.advance(6_050);
    assert_eq!(world.waiting(), 0, "nobody waits for ever");
    tally.take(&mut world);
    assert_eq!(tally.good, [(200, BAD / 8)].into());
    // Those of the new key, until the next fetch out of turn is allowed.
    let most_waited = usize::try_from((REFETCH_MS + 120) / (EVERY_MS * 8)).expect("few");
    assert!(
        tally.good_that_waited <= most_waited,
        "{}",
        tally.good_that_waited
    );
    assert!(
        tally.bad.keys().all(|status| [401, 503].contains(status)),
        "{:?}",
        tally.bad
    );
    assert!(tally.bad[&401] > BAD * 9 / 10, "{:?}", tally.bad);
    assert!(tally.bad_asks.is_empty(), "each was answered");

    let ms = world.elapsed_ms();
    let refetches = world.metric("reward_points.keys.refetches");
    assert!(refetches <= ms / REFETCH_MS + 1, "{refetches}");
    let scheduled = u64::try_from(world.fetches().len()).expect("few") - refetches;
    assert!(scheduled <= ms / (REFRESH_MS * 3 / 4) + 1, "{scheduled}");
    assert_eq!(most_at_once(world.fetches()), 1);
    let began: Vec<u64> = world.fetches().iter().map(|it| it.began_ms).collect();
    let in_one_gap = |&from: &u64| {
        let gap = from..from + REFETCH_MS;
        began.iter().filter(|at| gap.contains(at)).count()
    };
    let most = began.iter().map(in_one_gap).max();
    assert!(
        most <= Some(2),
        "one in turn and one out of turn at most: {most:?}"
    );

    let grown_bytes = world.memory_bytes(0) - memory_bytes;
    assert!(
        grown_bytes <= 1 << 20,
        "{grown_bytes} bytes in the last nine minutes"
    );
}

#[test]
fn a_burst_is_answered_at_once_and_passes() {
    let key = es256("good");
    let known = token(&key, json!({}));
    let mut world = settled(&[&key]);
    assert_eq!(world.get(0, &known).status(), 200);
    for number in 0..8_000 {
        world.request(0, Some(&forged(&format!("kid-{number}"), "nobody")));
    }
    // Who waits for a fetch is bounded, everybody else is answered.
    assert!(world.waiting() <= 256, "{}", world.waiting());
    let answered = statuses(&world.take_done());
    assert!(answered.get(&503) > Some(&0), "over budget: {answered:?}");
    assert!(
        answered.keys().all(|status| [401, 503].contains(status)),
        "{answered:?}"
    );

    // One that is remembered costs nothing, also on the VM that has no time for new ones.
    assert_eq!(world.get(0, &known).status(), 200);
    let new = |number: u32| token(&key, json!({ "sub": format!("new-{number}") }));
    let done = world.get(0, &new(0));
    assert_eq!(
        (done.status(), done.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        world.get(1, &new(0)).status(),
        200,
        "other VMs are not concerned"
    );
    world.advance(1_000);
    assert_eq!(
        world.get(0, &new(1)).status(),
        200,
        "a second later it is over"
    );
    world.advance(6_000);
    assert_eq!(world.waiting(), 0);
}
