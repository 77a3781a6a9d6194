//! The VM that fetches is lost in the middle: another one takes over, and the new one in its place finds the keys.

use serde_json::json;
use simulated::{FETCH_TIMEOUT_MS, Outcome, Served, Setup, World, configuration, es256, token};

use crate::common::{assert_everywhere, settled};

/// How long a VM may be at a fetch before another one begins, with a tick for it to notice.
const LEASE_MS: u64 = FETCH_TIMEOUT_MS + 1_000;
const TICK_MS: u64 = 50;

/// Lets time pass until one more fetch has begun, and loses the VM that makes it.
fn lose_who_fetches(world: &mut World, within_ms: u64) -> (usize, u64) {
    let before = world.fetches().len();
    let since_ms = world.elapsed_ms();
    while world.fetches().len() == before {
        assert!(world.elapsed_ms() <= since_ms + within_ms, "nobody fetches");
        world.advance(1);
    }
    let fetch = *world.fetches().last().expect("it began");
    world.lose(fetch.vm);
    (fetch.vm, fetch.began_ms)
}

/// Another VM, or the new one in its place, begins as soon as the lease has ended, not before.
fn assert_taken_over(world: &mut World, began_ms: u64) {
    let before = world.fetches().len();
    world.advance(began_ms + LEASE_MS + TICK_MS - world.elapsed_ms());
    let next = &world.fetches()[before..];
    assert_eq!(next.len(), 1, "one takes over: {next:?}");
    assert!(next[0].began_ms >= began_ms + LEASE_MS, "{next:?}");
}

#[test]
fn the_first_fetch_of_all_is_taken_over_and_nobody_is_refused() {
    let key = es256("only");
    let (keys, good) = ([key.public_jwk()], token(&key, json!({})));
    let mut world = Setup::of(configuration()).start();
    world.serve(move |_| Served::keys(&keys).after(200));
    let asks: Vec<_> = (0..world.vms())
        .map(|vm| world.request(vm, Some(&good)))
        .collect();
    let (lost, began_ms) = lose_who_fetches(&mut world, 200);
    assert_taken_over(&mut world, began_ms);
    for (vm, ask) in asks.into_iter().enumerate() {
        let done = world.decided(ask);
        if vm == lost {
            assert_eq!(done.outcome, Outcome::Lost, "what it had is lost with it");
        } else {
            assert_eq!(done.status(), 200, "VM {vm}");
        }
    }
    world.bring_up(lost);
    assert_everywhere(&mut world, &good, 200, "also the new VM");
    assert_eq!(
        world.fetches().len(),
        2,
        "which found the keys in shared data"
    );
}

#[test]
fn a_fetch_in_turn_is_taken_over_and_nobody_notices() {
    let key = es256("only");
    let good = token(&key, json!({}));
    let mut world = settled(&[&key]);
    let keys = [key.public_jwk()];
    world.serve(move |_| Served::keys(&keys).after(200));
    let (lost, began_ms) = lose_who_fetches(&mut world, 60_050);
    world.bring_up(lost);
    assert_everywhere(&mut world, &good, 200, "the keys are still there");
    assert_taken_over(&mut world, began_ms);
    world.advance(300);
    assert!(world.metric("reward_points.issuer.0.key_age_seconds") <= 1);
}

#[test]
fn a_fetch_for_an_unknown_key_id_is_taken_over_and_its_tokens_are_let_in() {
    let (old, new) = (es256("old"), es256("new"));
    let (of_old, of_new) = (token(&old, json!({})), token(&new, json!({})));
    let mut world = settled(&[&old]);
    world.advance(10_000);
    let keys = [old.public_jwk(), new.public_jwk()];
    world.serve(move |_| Served::keys(&keys).after(200));
    let asks: Vec<_> = (0..world.vms())
        .map(|vm| world.request(vm, Some(&of_new)))
        .collect();
    let (lost, began_ms) = lose_who_fetches(&mut world, 100);
    assert_taken_over(&mut world, began_ms);
    for (vm, ask) in asks.into_iter().enumerate() {
        let done = world.decided(ask);
        if vm != lost {
            assert_eq!(done.status(), 200, "VM {vm} after {} ms", done.waited_ms());
        }
    }
    world.bring_up(lost);
    assert_everywhere(&mut world, &of_old, 200, "the old key is still there");
    assert_everywhere(&mut world, &of_new, 200, "and the new one");
}

#[test]
fn all_workers_lost_one_after_the_other_cost_only_what_they_had_under_way() {
    let key = es256("only");
    let good = token(&key, json!({}));
    let mut world = settled(&[&key]);
    for vm in 0..world.vms() {
        world.lose(vm);
        world.bring_up(vm);
        let done = world.get(vm, &good);
        assert_eq!(done.status(), 200, "VM {vm}");
        assert!(
            done.waited_ms() <= 2 * TICK_MS,
            "VM {vm}: until its first tick"
        );
    }
    assert_eq!(world.fetches().len(), 1, "no new VM fetched anything");
}
