//! The machine's clock is set: tokens are judged by the new time, and nothing that was waiting hangs.

use serde_json::json;
use simulated::{START_SECONDS, Served, Setup, World, configuration, es256, most_at_once, token};

use crate::common::{assert_everywhere, fetching, settled, settled_with, statuses};

const HOUR_MS: i64 = 3_600_000;
const HOUR_SECONDS: u64 = 3_600;

/// Steps of the clock, in milliseconds.
const STEPS: [i64; 6] = [-HOUR_MS, HOUR_MS, -10_000, 10_000, -2_000, 40_000];

/// Good before and after every step that is made here.
fn lasting(issued_before: u64) -> serde_json::Value {
    json!({ "iat": START_SECONDS - issued_before, "exp": START_SECONDS + 100 * HOUR_SECONDS })
}

#[test]
fn tokens_are_judged_by_the_clock_as_it_is_now() {
    let key = es256("only");
    let always = token(&key, lasting(10 * HOUR_SECONDS));
    let from_now = token(&key, json!({ "iat": null, "nbf": START_SECONDS }));
    let half_an_hour = token(&key, json!({ "iat": null, "exp": START_SECONDS + 1_800 }));
    let mut world = settled(&[&key]);
    for (set_by_ms, statuses, when) in [
        (0, [200, 200, 200], "at first"),
        (HOUR_MS, [200, 200, 401], "an hour later"),
        (-HOUR_MS, [200, 200, 200], "back again"),
        (-HOUR_MS, [200, 401, 200], "an hour before"),
        (HOUR_MS, [200, 200, 200], "and as it was"),
    ] {
        world.set_clock_by(set_by_ms);
        for (token, status) in [&always, &from_now, &half_an_hour]
            .into_iter()
            .zip(statuses)
        {
            assert_everywhere(&mut world, token, status, when);
        }
        world.advance(3_000);
        for (token, status) in [&always, &from_now, &half_an_hour]
            .into_iter()
            .zip(statuses)
        {
            assert_everywhere(&mut world, token, status, when);
        }
    }
    let expired = world.metric("reward_points.access.unauthenticated");
    assert_eq!(expired, 16, "only those were refused");
}

/// Requests with a key that was published and used at once, from the moment of the step on.
fn rotate_after(world: &mut World, of_new: &[String]) {
    for number in 0..2_000 {
        world.request(number % world.vms(), Some(&of_new[number % of_new.len()]));
        world.advance(5);
    }
    world.advance(6_000);
}

#[test]
fn a_new_key_is_found_whatever_the_clock_did_just_before() {
    let (old, new) = (es256("old"), es256("new"));
    let of_new: Vec<String> = (0..20)
        .map(|number| {
            let mut claims = lasting(10 * HOUR_SECONDS);
            claims["sub"] = json!(format!("user-{number}"));
            token(&new, claims)
        })
        .collect();
    for seed in 1..=3 {
        for step_ms in STEPS {
            let mut setup = Setup::of(configuration());
            setup.seed = seed;
            let mut world = setup.start();
            world.publish(&[&old]);
            world.advance(500);
            world.publish(&[&old, &new]);
            world.set_clock_by(step_ms);
            rotate_after(&mut world, &of_new);
            assert_eq!(world.waiting(), 0, "seed {seed}, {step_ms} ms");
            let done = world.take_done();
            assert_eq!(
                statuses(&done),
                [(200, 2_000)].into(),
                "seed {seed}, {step_ms} ms"
            );
            let fetches = world.fetches().len();
            assert!(fetches <= 5, "seed {seed}, {step_ms} ms: {fetches}");
        }
    }
}

#[test]
fn the_rhythm_of_fetching_is_found_again() {
    let key = es256("only");
    let good = token(&key, lasting(10 * HOUR_SECONDS));
    let unknown = token(&es256("unknown"), lasting(10 * HOUR_SECONDS));
    for step_ms in STEPS {
        let mut world = settled(&[&key]);
        // One that waits for a fetch while the clock is set.
        let waits = world.request(0, Some(&unknown));
        world.set_clock_by(step_ms);
        let status = world.decided(waits).status();
        // A clock that is set forward ends its time, so that nobody knows.
        assert!([401, 503].contains(&status), "{step_ms} ms: {status}");
        let before = world.fetches().len();
        world.advance(300_000);
        let fetches = world.fetches().len() - before;
        assert!(
            (4..=8).contains(&fetches),
            "{step_ms} ms: {fetches} in five minutes"
        );
        assert_eq!(most_at_once(world.fetches()), 1, "{step_ms} ms");
        assert_everywhere(&mut world, &good, 200, "still");
    }
}

#[test]
fn a_step_in_the_middle_of_the_first_fetch_costs_at_most_a_try() {
    let key = es256("only");
    let good = token(&key, lasting(10 * HOUR_SECONDS));
    for step_ms in STEPS {
        let keys = [key.public_jwk()];
        let mut world = Setup::of(configuration()).start();
        world.serve(move |_| Served::keys(&keys).after(300));
        let asks: Vec<_> = (0..world.vms())
            .map(|vm| world.request(vm, Some(&good)))
            .collect();
        world.advance(150);
        world.set_clock_by(step_ms);
        for ask in asks {
            let done = world.decided(ask);
            // Set forward, the clock says that it has waited long enough; set back, it waits on.
            let expected: &[u16] = if step_ms > 6_000 { &[200, 503] } else { &[200] };
            assert!(
                expected.contains(&done.status()),
                "{step_ms} ms: {}",
                done.status()
            );
            assert!(
                done.waited_ms() <= 6_100,
                "{step_ms} ms: {}",
                done.waited_ms()
            );
        }
        world.advance(3_000);
        assert_everywhere(&mut world, &good, 200, "a little later");
    }
}

#[test]
fn keys_that_a_step_makes_too_old_are_fetched_again_and_nobody_is_called_bad() {
    let key = es256("only");
    let mut world = settled_with(fetching(json!({ "max_age_seconds": 600 })), &[&key]);
    let good: Vec<String> = (0..400)
        .map(|number| {
            let mut claims = lasting(10 * HOUR_SECONDS);
            claims["sub"] = json!(format!("user-{number}"));
            token(&key, claims)
        })
        .collect();
    world.set_clock_by(HOUR_MS);
    // All VMs notice, then more come to one of them than can wait.
    let fetches = world.fetches().len();
    let keys = [key.public_jwk()];
    world.serve(move |_| Served::keys(&keys).after(400));
    world.advance(100);
    assert_eq!(world.metric("reward_points.issuer.0.keys"), 0);
    for token in &good {
        world.request(0, Some(token));
    }
    world.advance(1_000);
    let statuses = statuses(&world.take_done());
    assert_eq!(
        statuses,
        [(200, 256), (503, 144)].into(),
        "waiting, or told to come again"
    );
    assert_eq!(world.fetches().len(), fetches + 1);
}
