//! The issuer's key server is down: tokens of known keys go on, and it is not asked more than the pauses allow.

use serde_json::json;
use simulated::{FETCH_TIMEOUT_MS, Served, World, es256, most_at_once, token};

use crate::common::{assert_everywhere, fetching, settled, settled_with, statuses};

/// Ten minutes.
const OUTAGE_MS: u64 = 600_000;

/// The longest pause between two fetches that fail, in milliseconds.
const MOST_PAUSE_MS: u64 = 30_000;

/// A tick until it begins, the answer, a tick until all know.
const SLACK_MS: u64 = 150;

fn failures() -> [(&'static str, Served); 5] {
    [
        ("no connection", Served::NoConnection),
        ("no answer", Served::Never),
        ("closed", Served::Closed),
        ("broken off", Served::BrokenOff),
        ("status 500", Served::status(500, "oops")),
    ]
}

/// How many fetches there can be in an outage when each takes `each_ms`: one at its very beginning, then pauses that
/// double from a second to half a minute, each cut by chance to three quarters at most.
fn most_fetches(outage_ms: u64, each_ms: u64) -> usize {
    let mut at_ms = 0;
    let mut pause_ms = 1_000;
    let mut fetches = 0;
    while at_ms <= outage_ms {
        fetches += 1;
        at_ms += each_ms + pause_ms * 3 / 4;
        pause_ms = (pause_ms * 2).min(MOST_PAUSE_MS);
    }
    fetches
}

/// Every `every_ms` a request, one VM after the other.
fn traffic(world: &mut World, tokens: &[String], every_ms: u64, ms: u64) {
    for number in 0..usize::try_from(ms / every_ms).expect("few") {
        let vm = number % world.vms();
        world.request(vm, Some(&tokens[number % tokens.len()]));
        world.advance(every_ms);
    }
}

#[test]
fn ten_minutes_without_the_issuer_cost_no_known_token_anything() {
    let (old, new) = (es256("old"), es256("new"));
    let tokens = crate::common::tokens(&old, 50);
    let of_new = token(&new, json!({}));
    for (how, served) in failures() {
        let mut world = settled(&[&old]);
        world.advance(20_000);
        let before = world.fetches().len();
        let server = served.clone();
        world.serve(move |_| server.clone());

        traffic(&mut world, &tokens, 50, OUTAGE_MS);

        let done = world.take_done();
        assert_eq!(statuses(&done), [(200, 12_000)].into(), "{how}");
        assert!(done.iter().all(|it| it.waited_ms() == 0), "{how}");
        let each_ms = if served == Served::Never {
            FETCH_TIMEOUT_MS
        } else {
            0
        };
        let (fetches, most) = (
            world.fetches().len() - before,
            most_fetches(OUTAGE_MS, each_ms),
        );
        assert!((10..=most).contains(&fetches), "{how}: {fetches} of {most}");
        assert_eq!(most_at_once(world.fetches()), 1, "{how}");

        // Whether the issuer has such a key nobody can say; so the token is not called bad.
        let done = world.get(1, &of_new);
        assert_eq!(
            (done.status(), done.header("retry-after")),
            (503, Some("1")),
            "{how}"
        );

        world.publish(&[&old, &new]);
        world.advance(MOST_PAUSE_MS + SLACK_MS);
        assert_eq!(
            world.metric("reward_points.issuer.0.key_fetch_result"),
            1,
            "{how}"
        );
        assert_everywhere(&mut world, &of_new, 200, how);
    }
}

#[test]
fn keys_that_are_too_old_end_in_503_until_the_issuer_is_back() {
    const MAX_AGE_MS: u64 = 120_000;
    let key = es256("only");
    let tokens = crate::common::tokens(&key, 20);
    for (how, served) in failures() {
        let mut world = settled_with(
            fetching(json!({ "max_age_seconds": MAX_AGE_MS / 1_000 })),
            &[&key],
        );
        let last_good_ms = world.fetches()[0].ended_ms.expect("it ended");
        world.serve(move |_| served.clone());

        traffic(&mut world, &tokens, 100, 2 * MAX_AGE_MS);
        world.advance(6_000);

        assert_eq!(world.waiting(), 0, "{how}: nobody waits for ever");
        let too_old_ms = last_good_ms + MAX_AGE_MS;
        for done in world.take_done() {
            let (at_ms, waited_ms) = (done.asked_ms, done.waited_ms());
            // Seen at the next tick.
            assert!(waited_ms <= 6_050, "{how}: {waited_ms} ms");
            if at_ms < too_old_ms {
                assert_eq!(done.status(), 200, "{how}: at {at_ms} ms");
            } else if at_ms > too_old_ms + SLACK_MS {
                assert_eq!(done.status(), 503, "{how}: at {at_ms} ms");
                assert_eq!(done.header("retry-after"), Some("1"), "{how}");
            }
        }
        assert_eq!(world.metric("reward_points.issuer.0.keys"), 0, "{how}");
        let is_told = |text: &str| text.contains("too old to be believed");
        assert!(world.log().iter().any(|line| is_told(&line.text)), "{how}");

        world.publish(&[&key]);
        world.advance(MOST_PAUSE_MS + SLACK_MS);
        assert_everywhere(&mut world, &tokens[0], 200, how);
    }
}
