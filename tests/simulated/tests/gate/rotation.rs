//! An issuer changes its keys while requests keep coming: nobody with a good token notices.

use serde_json::json;
use signing_keys::{Algorithm, SigningKey};
use simulated::{Done, Served, World, es256, most_at_once, signing_key, token};

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
    let (old, new) = (es256("old"), signing_key(Algorithm::Rs256, "new"));
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
    assert_eq!(world.metric("reward_points.keys.refetches"), 1);
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
    assert_eq!(world.metric("reward_points.keys.refetches"), 2);
    assert!(world.fetches().len() <= 5, "{:?}", world.fetches());
    assert_eq!(most_at_once(world.fetches()), 1);
    assert_dropped(&mut world, &first[0], &keys[2]);
    assert_everywhere(&mut world, &second[0], 401, "its key is gone as well");
}

#[test]
fn more_than_can_wait_for_a_new_key_are_told_to_come_again_and_none_is_called_bad() {
    const MAX_HELD: usize = 256;
    let (old, new) = (es256("old"), es256("new"));
    let of_new = tokens(&new, 50);
    let mut world = settled_with(fetching(json!({})), &[&old]);
    world.advance(20_000);
    let keys = [old.public_jwk(), new.public_jwk()];
    world.serve(move |_| Served::keys(&keys).after(900));
    // A busy worker and a slow issuer.
    for number in 0..2_000 {
        world.request(0, Some(&of_new[number % of_new.len()]));
        world.advance(1);
    }
    assert_eq!(world.waiting(), 0);
    let done = world.take_done();
    let statuses = statuses(&done);
    assert_eq!(statuses.keys().collect::<Vec<_>>(), [&200, &503]);
    assert!(statuses[&200] >= MAX_HELD + 900, "{statuses:?}");
    let told = |done: &Done| done.status() == 200 || done.header("retry-after") == Some("1");
    assert!(done.iter().all(told));
}

#[test]
fn a_fetch_that_takes_longer_than_requests_wait_calls_nobody_bad() {
    let (old, new) = (es256("old"), es256("new"));
    let of_new = token(&new, json!({}));
    let mut world = settled_with(fetching(json!({ "timeout_ms": 10_000 })), &[&old]);
    world.advance(20_000);
    let keys = [old.public_jwk(), new.public_jwk()];
    world.serve(move |_| Served::keys(&keys).after(8_000));
    let first = world.get(0, &of_new);
    assert_eq!(
        (first.status(), first.header("retry-after")),
        (503, Some("1"))
    );
    let second = world.get(0, &of_new);
    assert_eq!(second.status(), 200, "it waited for the rest of the fetch");
}

#[test]
fn a_pause_between_refetches_that_is_longer_than_requests_wait_refuses_for_the_difference_only() {
    const PAUSE_MS: u64 = 10_000;
    const TICK_AND_FETCH_MS: u64 = 50 + 20 + 50;
    let keys = ["first", "second", "third"].map(es256);
    let [_, second, third] = keys.each_ref().map(|key| token(key, json!({})));
    let config = json!({ "refetch_seconds": PAUSE_MS / 1_000 });
    let mut world = settled_with(fetching(config), &[&keys[0]]);
    world.advance(20_000);
    world.publish(&[&keys[0], &keys[1]]);
    assert_everywhere(
        &mut world,
        &second,
        200,
        "after the first fetch out of turn",
    );
    let since_ms = world.fetches().last().expect("that one").began_ms;
    world.publish(&[&keys[0], &keys[1], &keys[2]]);
    for number in 0..800 {
        world.request(number % 4, Some(&third));
        world.advance(20);
    }
    assert_eq!(world.waiting(), 0);
    let hopeless_until_ms = since_ms + PAUSE_MS - MOST_WAITED_MS;
    for done in world.take_done() {
        // No fetch may begin while these could wait, and the issuer's last word is all that there is.
        let expected: &[u16] = match done.asked_ms.checked_sub(hopeless_until_ms) {
            None => &[401],
            // The fetch may still be under way when their time is over.
            Some(0..=TICK_AND_FETCH_MS) => &[200, 503],
            Some(_) => &[200],
        };
        let (status, at_ms) = (done.status(), done.asked_ms);
        assert!(expected.contains(&status), "{status} at {at_ms} ms");
    }
}
