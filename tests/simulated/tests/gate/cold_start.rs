//! A gateway starts and has no keys yet: requests wait for the first fetch, but not for ever.

use serde_json::json;
use simulated::{Outcome, Served, Setup, configuration, es256, token};

use crate::common::{statuses, tokens};

/// Requests of one VM that wait; one more is answered at once.
const MAX_HELD: usize = 256;

#[test]
fn requests_wait_for_the_first_keys_and_are_let_in() {
    let key = es256("only");
    let (keys, good) = ([key.public_jwk()], tokens(&key, 10));
    let mut world = Setup::of(configuration()).start();
    world.serve(move |_| Served::keys(&keys).after(300));
    for vm in 0..world.vms() {
        for token in &good {
            world.request(vm, Some(token));
        }
    }
    assert_eq!(world.waiting(), 40);
    world.advance(600);
    let done = world.take_done();
    assert_eq!(statuses(&done), [(200, 40)].into());
    for done in &done {
        // A tick, the fetch, a tick.
        assert!(
            (300..=450).contains(&done.waited_ms()),
            "{}",
            done.waited_ms()
        );
        let subject = done.header("x-subject").expect("it says who calls");
        assert!(subject.starts_with("user-"), "and not {subject}");
    }
    assert_eq!(world.fetches().len(), 1);
}

#[test]
fn without_the_issuer_they_get_503_in_time() {
    let good = token(&es256("only"), json!({}));
    for (how, served) in [
        ("no connection", Served::NoConnection),
        ("no answer", Served::Never),
        ("broken off", Served::BrokenOff),
        ("status 500", Served::status(500, "")),
        ("no key set", Served::ok("{}")),
    ] {
        let mut world = Setup::of(configuration()).start();
        world.serve(move |_| served.clone());
        // From the first moment on to when the pauses are at their longest.
        for _ in 0..600 {
            for vm in 0..world.vms() {
                world.request(vm, Some(&good));
            }
            world.advance(100);
        }
        world.advance(6_000);
        assert_eq!(world.waiting(), 0, "{how}: nobody waits for ever");
        let done = world.take_done();
        assert_eq!(statuses(&done), [(503, 2_400)].into(), "{how}");
        for done in &done {
            // Seen at the next tick.
            assert!(done.waited_ms() <= 6_050, "{how}: {}", done.waited_ms());
            assert_eq!(done.header("retry-after"), Some("1"), "{how}");
        }
    }
}

#[test]
fn more_than_can_wait_get_503_at_once_and_the_others_are_let_in() {
    let key = es256("only");
    let (keys, good) = ([key.public_jwk()], tokens(&key, MAX_HELD + 50));
    let mut world = Setup::of(configuration()).start();
    world.serve(move |_| Served::keys(&keys).after(300));
    for token in &good {
        world.request(0, Some(token));
    }
    let at_once = world.take_done();
    assert_eq!(statuses(&at_once), [(503, 50)].into());
    world.advance(600);
    assert_eq!(statuses(&world.take_done()), [(200, MAX_HELD)].into());
}

#[test]
fn a_request_without_a_token_or_rule_waits_for_nothing() {
    let mut world = Setup::of(configuration()).start();
    let without = world.request(0, None);
    assert_eq!(world.outcome(without).expect("decided").status(), 401);
    let elsewhere = world.request_to(0, None, "/cellar");
    assert_eq!(world.outcome(elsewhere).expect("decided").status(), 403);
    assert!(matches!(
        world.outcome(elsewhere).map(|done| &done.outcome),
        Some(Outcome::Replied { .. })
    ));
}
