//! Tokens are revoked in the engine, and every VM of the gateway refuses them soon.

use serde_json::{Value, json};
use signing_keys::SigningKey;
use simulated::{Health, START_SECONDS, Setup, World, configuration, es256, token};

use crate::common::{assert_everywhere, settled_with, statuses};

/// As configured: how often the list is read.
const REFRESH_MS: u64 = 2_000;

/// Until every VM knows: the next reading, a tick for it to begin, its answers, a tick for the others.
const SOON_MS: u64 = REFRESH_MS + 50 + 25 + 50;

/// Where the entries of the issuer stand.
const ENGINE: &str = "/points/1/revoked/https%3A%2F%2Fissuer.example%2F";

fn with_engine() -> Value {
    let mut configuration = configuration();
    configuration["revocation"] = json!({ "from_engine": true, "refresh_ms": REFRESH_MS });
    configuration
}

fn tokens(key: &SigningKey) -> [String; 3] {
    [
        token(
            key,
            json!({ "jti": "token/1 ä", "sub": "alice", "iat": START_SECONDS - 50 }),
        ),
        token(
            key,
            json!({ "jti": "token-2", "sub": "bob@shop", "iat": START_SECONDS - 50 }),
        ),
        token(
            key,
            json!({ "jti": "token-3", "sub": "carol", "iat": START_SECONDS - 100 }),
        ),
    ]
}

fn assert_statuses(world: &mut World, tokens: &[String; 3], statuses: [u16; 3], why: &str) {
    for (token, status) in tokens.iter().zip(statuses) {
        assert_everywhere(world, token, status, why);
    }
}

fn entries(world: &World) -> u64 {
    world.metric("reward_points.deny_list.entries")
}

fn logged(world: &World, part: &str) -> usize {
    let lines = world.log().iter();
    lines.filter(|line| line.text.contains(part)).count()
}

#[test]
fn what_is_revoked_is_refused_on_every_worker_soon_and_let_in_again_when_taken_back() {
    let key = es256("only");
    let tokens = tokens(&key);
    let mut world = settled_with(with_engine(), &[&key]);
    assert_statuses(&mut world, &tokens, [200; 3], "at first");
    let before = START_SECONDS - 75;
    for (kind, value, then) in [
        ("jti", "token/1 ä", [401, 200, 200]),
        ("sub", "bob@shop", [200, 401, 200]),
        ("issued-before", &before.to_string()[..], [200, 200, 401]),
    ] {
        world.engine.revoke(kind, value);
        world.advance(SOON_MS);
        assert_statuses(&mut world, &tokens, then, kind);
        assert_eq!(entries(&world), 1, "{kind}");
        world.engine.take_back(kind, value);
        world.advance(SOON_MS);
        assert_statuses(&mut world, &tokens, [200; 3], "taken back");
        assert_eq!(entries(&world), 0, "{kind}");
    }
    // Of several the latest counts, and of another issuer none.
    world.engine.revoke("issued-before", &before.to_string());
    world
        .engine
        .revoke("issued-before", &(before - 1_000).to_string());
    world
        .engine
        .put("/points/1/revoked/https%3A%2F%2Fother.example%2F/sub/alice");
    world.advance(SOON_MS);
    assert_statuses(&mut world, &tokens, [200, 200, 401], "the latest");
    assert!(world.metric("reward_points.access.revoked") > 0);
    // One VM reads for all.
    let most = world.elapsed_ms() / (REFRESH_MS * 3 / 4) + 1;
    assert!(
        u64::try_from(world.engine.ranges).expect("few") <= most,
        "{}",
        world.engine.ranges
    );
}

#[test]
fn without_the_engine_the_last_list_stays_in_force() {
    let key = es256("only");
    let tokens = tokens(&key);
    for health in [Health::NoConnection, Health::Silent, Health::Garbled] {
        let mut world = settled_with(with_engine(), &[&key]);
        world.engine.revoke("sub", "alice");
        world.advance(SOON_MS);
        world.engine.health = health;
        for _ in 0..6 {
            world.advance(30_000);
            assert_statuses(&mut world, &tokens, [401, 200, 200], "the last list");
        }
        assert!(world.metric("reward_points.deny_list.age_seconds") >= 170);
        world.lose(2);
        world.bring_up(2);
        assert_statuses(&mut world, &tokens, [401, 200, 200], "also on a new VM");
        world.engine.health = Health::Answers { after_ms: 2 };
        world.engine.take_back("sub", "alice");
        world.advance(SOON_MS + 1_000);
        assert_statuses(
            &mut world,
            &tokens,
            [200; 3],
            "and it is read again by itself",
        );
    }
}

#[test]
fn before_the_first_list_requests_wait_and_then_get_503() {
    let key = es256("only");
    let [good, ..] = tokens(&key);
    for health in [Health::NoConnection, Health::Silent, Health::Garbled] {
        let mut world = Setup::of(with_engine()).start();
        world.publish(&[&key]);
        world.engine.health = health;
        for _ in 0..100 {
            for vm in 0..world.vms() {
                world.request(vm, Some(&good));
            }
            world.advance(100);
        }
        world.advance(6_000);
        assert_eq!(world.waiting(), 0, "{health:?}");
        let done = world.take_done();
        assert_eq!(statuses(&done), [(503, 400)].into(), "{health:?}");
        for done in done {
            assert!(
                done.waited_ms() <= 6_050,
                "{health:?}: {}",
                done.waited_ms()
            );
            assert_eq!(done.header("retry-after"), Some("1"));
        }
        // One that waits when the engine comes back is let in.
        let waits = world.request(1, Some(&good));
        world.engine.health = Health::Answers { after_ms: 2 };
        let done = world.decided(waits);
        assert_eq!(done.status(), 200, "{health:?}");
        assert!(
            done.waited_ms() <= SOON_MS + 1_000,
            "{health:?}: {}",
            done.waited_ms()
        );
    }
}

#[test]
fn a_list_that_is_too_long_is_not_taken_over_and_the_log_says_so() {
    let key = es256("only");
    let tokens = tokens(&key);
    let mut world = settled_with(with_engine(), &[&key]);
    world.engine.revoke("sub", "carol");
    for number in 1..10_000 {
        world.engine.revoke("jti", &format!("id-{number}"));
    }
    world.advance(SOON_MS);
    assert_eq!(entries(&world), 10_000, "that many are taken");
    assert_statuses(&mut world, &tokens, [200, 200, 401], "and count");
    world.engine.revoke("sub", "alice");
    world.advance(SOON_MS);
    assert_statuses(
        &mut world,
        &tokens,
        [200, 200, 401],
        "one more, and the last good list stays",
    );
    assert!(
        logged(&world, "is over 10000 entries") > 0,
        "{:?}",
        world.log()
    );
    assert_eq!(entries(&world), 10_000);
    world.engine.take_back("jti", "id-1");
    world.advance(SOON_MS);
    assert_statuses(&mut world, &tokens, [401, 200, 401], "short enough again");
}

#[test]
fn an_entry_that_makes_no_sense_is_logged_and_the_others_count() {
    let key = es256("only");
    let tokens = tokens(&key);
    let bad: [&[u8]; 8] = [
        b"",
        b"/jti",
        b"/jti/a/b",
        b"/sub/%zz",
        b"/sub/%FF",
        b"/issued-before/soon",
        b"/issued-before/99999999999999",
        b"/tenant/acme",
    ];
    let mut world = settled_with(with_engine(), &[&key]);
    for rest in bad {
        world.engine.put([ENGINE.as_bytes(), rest].concat());
    }
    world.engine.revoke("sub", "alice");
    world.advance(SOON_MS);
    assert_statuses(
        &mut world,
        &tokens,
        [401, 200, 200],
        "the one that makes sense",
    );
    assert_eq!(logged(&world, "makes no sense"), bad.len() * world.vms());
    assert_eq!(entries(&world), 1);
}

#[test]
fn an_entry_with_a_line_feed_in_it_holds_up_no_other() {
    let key = es256("only");
    let tokens = tokens(&key);
    let mut world = settled_with(with_engine(), &[&key]);
    world.engine.put(format!(
        "{ENGINE}/sub/bob@shop\n{}/sub/carol",
        &ENGINE[18..]
    ));
    world.engine.revoke("sub", "alice");
    world.advance(SOON_MS);
    assert_statuses(
        &mut world,
        &tokens,
        [401, 200, 200],
        "the one that makes sense",
    );
    assert!(logged(&world, "makes no sense") > 0);
}

#[test]
fn a_long_list_from_a_slow_engine_is_read_to_its_end() {
    let key = es256("only");
    let tokens = tokens(&key);
    let mut world = settled_with(with_engine(), &[&key]);
    for number in 1..10_000 {
        world.engine.revoke("jti", &format!("id-{number}"));
    }
    world.engine.revoke("sub", "alice");
    // Ten answers, each well within the time limit of a call.
    world.engine.health = Health::Answers { after_ms: 700 };
    world.advance(REFRESH_MS + 10 * 700 + 100);
    assert_statuses(&mut world, &tokens, [401, 200, 200], "read");
}

#[test]
fn the_reader_is_lost_and_another_vm_reads_on() {
    let key = es256("only");
    let tokens = tokens(&key);
    let mut world = settled_with(with_engine(), &[&key]);
    world.engine.health = Health::Answers { after_ms: 500 };
    world.engine.revoke("sub", "alice");
    let before = world.engine.ranges;
    while world.engine.ranges == before {
        world.advance(1);
    }
    // Nobody outside can tell which one reads: all but the last are lost.
    for vm in 0..world.vms() - 1 {
        world.lose(vm);
        world.bring_up(vm);
    }
    // The time limit of a call and two seconds; then the reading, and a tick on either side.
    world.advance(3_000 + 500 + 150);
    assert_statuses(&mut world, &tokens, [401, 200, 200], "read");
}
