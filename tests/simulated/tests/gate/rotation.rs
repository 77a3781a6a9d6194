//! An issuer changes its keys while requests keep coming: nobody with a good token notices.

use serde_json::json;
use signing_keys::SigningKey;
use simulated::{World, es256, most_at_once, token};

use crate::common::{assert_everywhere, fetching, settled_with, statuses, tokens};

/// Different tokens of each key.
const TOKENS: usize = 300;

/// No request waits longer, in milliseconds.
const MOST_WAITED_MS: u64 = 6_000;

/// A request each millisecond, one VM after the other, each with the next token of `key`. All must be let in.
fn traffic(world: &mut World, tokens: &[String], ms: u64) {
    let vms = world.vms();
    for number in 0..usize::try_from(ms).expect("few") {
        world.request(number % vms, Some(&tokens[number % tokens.len()]));
        world.advance(1);
    }
}

/// Lets the last ones be decided, and looks at all of them. How many waited.
fn assert_all_let_in(world: &mut World) -> usize {
    world.advance(MOST_WAITED_MS);
    assert_eq!(world.waiting(), 0, "nobody waits for ever");
    let done = world.take_done();
    assert_eq!(statuses(&done).into_keys().collect::<Vec<_>>(), [200]);
    let waits: Vec<u64> = done.iter().map(|it| it.waited_ms()).collect();
    let longest_ms = waits.iter().copied().max().unwrap_or(0);
    assert!(longest_ms <= MOST_WAITED_MS, "{longest_ms} ms");
    waits.into_iter().filter(|&ms| ms > 0).count()
}

/// The issuer drops the old key: its tokens are refused within the time of a refresh.
fn assert_dropped(world: &mut World, old: &str, kept: &SigningKey) {
    world.publish(&[kept]);
    world.advance(60_000 + 50);
    assert_everywhere(world, old, 401, "its key is gone");
    let good = token(kept, json!({}));
    assert_everywhere(world, &good, 200, "its key is there");
    let _ = world.take_done();
}

#[test]
fn a_key_that_is_published_before_it_signs_holds_up_nobody() {
    let (old, new) = (es256("old"), es256("new"));
    let (old_tokens, new_tokens) = (tokens(&old, TOKENS), tokens(&new, TOKENS));
    let mut world = settled_with(fetching(json!({ "refresh_seconds": 15 })), &[&old]);

    traffic(&mut world, &old_tokens, 5_000);
    world.publish(&[&old, &new]);
    traffic(&mut world, &old_tokens, 15_500);
    let before = world.fetches().len();
    traffic(&mut world, &new_tokens, 40_000);

    assert_eq!(assert_all_let_in(&mut world), 0, "nobody had to wait");
    assert_eq!(world.metric("reward_points.keys.refetches"), 0);
    assert!((2..=5).contains(&(world.fetches().len() - before)));
    assert_eq!(most_at_once(world.fetches()), 1);
    assert_dropped(&mut world, &old_tokens[0], &new);
}

#[test]
fn a_key_that_signs_as_soon_as_it_is_published_costs_one_fetch_and_a_short_wait() {
    let (old, new) = (es256("old"), es256("new"));
    let (old_tokens, new_tokens) = (tokens(&old, TOKENS), tokens(&new, TOKENS));
    let mut world = settled_with(fetching(json!({})), &[&old]);

    traffic(&mut world, &old_tokens, 20_000);
    world.publish(&[&old, &new]);
    traffic(&mut world, &new_tokens, 40_000);

    let waited = assert_all_let_in(&mut world);
    // Until the next tick, then for the fetch, then until each VM's own tick.
    assert!((1..=150).contains(&waited), "{waited} waited");
    assert!(world.metric("reward_points.keys.refetches") <= 2);
    assert!(world.fetches().len() <= 4, "{:?}", world.fetches());
    assert_eq!(most_at_once(world.fetches()), 1);
    assert_dropped(&mut world, &old_tokens[0], &new);
}

#[test]
fn two_rotations_in_a_row_refuse_nobody() {
    let keys = ["first", "second", "third"].map(es256);
    let [first, second, third] = keys.each_ref().map(|key| tokens(key, TOKENS));
    let mut world = settled_with(fetching(json!({})), &[&keys[0]]);

    traffic(&mut world, &first, 20_000);
    world.publish(&[&keys[0], &keys[1]]);
    traffic(&mut world, &second, 1_000);
    // Within `refetch_seconds` of the first rotation's fetch: these wait until the next is allowed.
    world.publish(&[&keys[0], &keys[1], &keys[2]]);
    traffic(&mut world, &third, 200);
    traffic(&mut world, &second, 3_800);
    traffic(&mut world, &third, 35_000);

    let waited = assert_all_let_in(&mut world);
    assert!(waited >= 200, "{waited} waited");
    assert!(world.metric("reward_points.keys.refetches") <= 3);
    assert!(world.fetches().len() <= 5, "{:?}", world.fetches());
    assert_eq!(most_at_once(world.fetches()), 1);
    assert_dropped(&mut world, &first[0], &keys[2]);
    assert_everywhere(&mut world, &second[0], 401, "its key is gone as well");
}
