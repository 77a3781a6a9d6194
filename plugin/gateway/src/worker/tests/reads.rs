//! Reads from the gateway's own copy: when it is current enough, and what happens when it is not.

use serde_json::json;

use crate::api::reply::Reply;
use crate::host::Counter;
use crate::test_support::fault::Fault;
use crate::test_support::request::show;
use crate::test_support::{Request, World, config, config_with};

const CUSTOMER: &str = "614";

/// Gateways whose feeds stand, with an account of 10 points.
fn watching(config: crate::config::Config, gateways: &[usize]) -> World {
    let mut world = World::new(config, gateways);
    world.watching = true;
    let nodes = world.nodes.len();
    world.run_to(|world| (0..nodes).all(|node| is_current(world, node)));
    world.expect(201, &Request::add(CUSTOMER, &json!({"points": 10})));
    world
}

fn is_current(world: &World, node: usize) -> bool {
    let now = world.clock.get();
    let known = world.nodes[node].worker.freshness(0);
    known.is_some_and(|it| it.age_ms(now, 1000).is_some())
}

fn balance() -> Request {
    Request::get("/customer/614")
}

fn summary() -> Request {
    Request::get("/customer/614/summary")
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let found = reply.headers.iter().find(|(it, _)| *it == name);
    found.map(|(_, value)| &**value)
}

fn source(reply: &Reply) -> &str {
    header(reply, "x-points-source").unwrap_or_else(|| panic!("no source:\n{}", show(reply)))
}

/// The reply that comes at once, with no call made.
fn at_once(world: &mut World, node: usize, request: &Request) -> Reply {
    let made = world.calls.len();
    let asked = world.ask(node, request);
    let reply = world.only_reply(asked);
    assert_eq!(world.calls.len(), made, "{}", show(&reply));
    assert_eq!(source(&reply), "cache");
    reply
}

#[test]
fn a_gateway_reads_its_own_writes_from_its_copy_at_once() {
    let mut world = watching(config(), &[2]);
    for node in [0, 1] {
        let reply = at_once(&mut world, node, &balance());
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"10"[..]));
        assert_eq!(header(&reply, "age"), Some("0"));
        assert_eq!(header(&reply, "x-points-stale"), None);
        let reply = at_once(&mut world, node, &summary());
        assert_eq!(reply.status, 200);
        assert!(
            reply
                .body
                .starts_with(br#"{"customerId":"614","activePoints":10,"#)
        );
    }
    world.expect(201, &Request::redeem(CUSTOMER, &json!({"points": 4})));
    assert_eq!(at_once(&mut world, 1, &balance()).body, b"6");
    world.expect(200, &Request::delete(CUSTOMER));
    let reply = at_once(&mut world, 1, &balance());
    assert_eq!(reply.status, 404);
    assert_eq!(at_once(&mut world, 0, &summary()).status, 404);
    assert_eq!(world.nodes[0].host.counted(Counter::CopyHits), 3);
}

#[test]
fn what_is_not_held_is_read_once_and_held_from_then_on() {
    let mut world = watching(config(), &[1, 1]);
    let reply = world.reply_of(1, &balance());
    assert_eq!(source(&reply), "engine");
    assert_eq!(header(&reply, "age"), None);
    assert_eq!(at_once(&mut world, 1, &balance()).body, b"10");
    // That there is no account is known as well.
    let nobody = Request::get("/customer/nobody");
    let reply = world.reply_of(1, &nobody);
    assert_eq!((reply.status, source(&reply)), (404, "engine"));
    assert_eq!(at_once(&mut world, 1, &nobody).status, 404);
    // And until when.
    world.expect(201, &Request::add("nobody", &json!({"points": 3})));
    world.run();
    assert_eq!(at_once(&mut world, 1, &nobody).body, b"3");
}

#[test]
fn another_gateways_writes_arrive_by_the_feed() {
    let mut world = watching(config(), &[1, 1]);
    world.reply_of(1, &balance());
    for points in 1..50_u64 {
        world.expect(201, &Request::add(CUSTOMER, &json!({"points": 1})));
        world.run();
        let expected = (10 + points).to_string();
        assert_eq!(at_once(&mut world, 1, &balance()).body, expected.as_bytes());
    }
    let started = world.calls.len();
    world.pass(60_000);
    world.run_until(world.clock.get() + 200);
    assert!(world.calls.len() > started, "heartbeats");
    assert_eq!(at_once(&mut world, 1, &balance()).body, b"59");
}

#[test]
fn a_copy_expires_with_its_lots() {
    let mut world = watching(config(), &[1]);
    let soon = json!({"points": 5, "validUntil": "2025-06-15T16:00:00Z"});
    world.expect(201, &Request::add(CUSTOMER, &soon));
    assert_eq!(at_once(&mut world, 0, &balance()).body, b"15");
    world.pass(2 * 3_600_000);
    world.run_to(|world| is_current(world, 0));
    assert_eq!(at_once(&mut world, 0, &balance()).body, b"10");
}

#[test]
fn strict_reads_ask_the_engine_and_share_calls() {
    let mut world = watching(config(), &[1]);
    for value in ["no-cache", "max-age=0", "no-store"] {
        let strict = balance().header("cache-control", value);
        let made = world.calls.len();
        let asked: Vec<_> = (0..20).map(|_| world.ask(0, &strict)).collect();
        world.run();
        for asked in asked {
            assert_eq!(source(&world.only_reply(asked)), "engine");
        }
        assert_eq!(world.calls.len(), made + 2, "{value}");
    }
    for (reads, balances, summaries) in [
        (json!({"balance": "strict"}), "engine", "cache"),
        (json!({"summary": "strict"}), "cache", "engine"),
    ] {
        let mut world = watching(config_with(&json!({"reads": reads})), &[1]);
        assert_eq!(source(&world.reply(&balance())), balances);
        assert_eq!(source(&world.reply(&summary())), summaries);
    }
}

#[test]
fn a_client_may_ask_for_less_age_than_is_promised() {
    let mut world = watching(
        config_with(&json!({"reads": {"max_staleness_ms": 9000}})),
        &[1],
    );
    world.watching = false;
    world.break_watches();
    world.run_until(world.clock.get() + 4500);
    let reply = at_once(&mut world, 0, &balance());
    assert!(["4", "5", "6", "7"].contains(&header(&reply, "age").expect("an age")));
    let reply = at_once(
        &mut world,
        0,
        &balance().header("cache-control", "max-age=60"),
    );
    assert_eq!(reply.status, 200);
    let reply = world.reply(&balance().header("cache-control", "max-age=2"));
    assert_eq!(source(&reply), "engine");
}

#[test]
fn a_read_with_a_revision_sees_that_revision_on_any_gateway() {
    let mut world = watching(config(), &[1, 1]);
    world.reply_of(1, &balance());
    // The second gateway hears nothing for a while.
    world.nodes[1].streams.clear();
    let wrote = world.ask(0, &Request::add(CUSTOMER, &json!({"points": 5})));
    world.run_to(|world| !world.replies[&wrote].is_empty());
    let reply = world.only_reply(wrote);
    let revision = header(&reply, "x-points-revision").expect("a revision");
    assert_eq!(
        at_once(&mut world, 1, &balance()).body,
        b"10",
        "within the bound"
    );
    let session = balance().header("x-points-revision", revision);
    let asked = world.ask(1, &session);
    assert!(world.replies[&asked].is_empty(), "the engine is asked");
    world.run();
    let reply = world.only_reply(asked);
    assert_eq!(
        (source(&reply), reply.body.as_slice()),
        ("engine", &b"15"[..])
    );
    // From then on the copy is that new.
    assert_eq!(at_once(&mut world, 1, &session).body, b"15");
    // Where it was written it was that new from the beginning.
    assert_eq!(at_once(&mut world, 0, &session).body, b"15");
}

#[test]
fn a_revision_that_makes_no_sense_is_refused() {
    let mut world = watching(config(), &[1]);
    for value in ["", "0", "-1", "x", "1.5", "9223372036854775808"] {
        let reply = world.reply(&balance().header("x-points-revision", value));
        assert_eq!(reply.status, 400, "{value}");
        assert!(String::from_utf8_lossy(&reply.body).contains("x-points-revision"));
    }
    let twice = balance()
        .header("x-points-revision", "1")
        .header("x-points-revision", "1");
    assert_eq!(world.reply(&twice).status, 400);
}

#[test]
fn every_change_tells_its_revision() {
    let mut world = watching(config(), &[1]);
    let mut last = 0;
    for (request, changes) in [
        (
            Request::add(CUSTOMER, &json!({"id": "a", "points": 5})),
            true,
        ),
        (
            Request::add(CUSTOMER, &json!({"id": "a", "points": 5})),
            false,
        ),
        (Request::redeem(CUSTOMER, &json!({"points": 5})), true),
        (Request::delete(CUSTOMER), true),
        (Request::create(CUSTOMER, &json!({})), true),
    ] {
        let reply = world.reply(&request);
        let revision = header(&reply, "x-points-revision").expect("a revision");
        let revision: i64 = revision.parse().expect("a number");
        assert!(if changes {
            revision > last
        } else {
            revision >= last
        });
        last = revision;
    }
    let reply = world.reply(&Request::redeem(CUSTOMER, &json!({"points": 5})));
    assert_eq!(header(&reply, "x-points-revision"), None);
}

#[test]
fn an_engine_that_is_gone_ends_bounded_reads_at_the_bound() {
    let mut world = watching(config(), &[1]);
    world.faults = Box::new(|_, _| Fault::NotDelivered);
    world.watching = false;
    world.break_watches();
    let start = world.clock.get();
    let mut answered_until = start;
    while world.clock.get() < start + 3000 {
        let asked = world.ask(0, &balance());
        if let [reply] = world.replies[&asked].as_slice() {
            assert_eq!(source(reply), "cache");
            answered_until = world.clock.get();
        }
        world.run_until(world.clock.get() + 20);
    }
    assert!((start + 300..=start + 1000).contains(&answered_until));
    world.expect(503, &balance());
    world.expect(503, &Request::add(CUSTOMER, &json!({"points": 1})));
    // It is back: no restart is needed.
    world.faults = Box::new(|_, _| Fault::None);
    world.watching = true;
    assert_eq!(source(&world.reply(&balance())), "engine");
    world.run_to(|world| is_current(world, 0));
    world.reply(&balance());
    assert_eq!(at_once(&mut world, 0, &balance()).body, b"10");
}

#[test]
fn where_it_is_configured_older_copies_answer_while_the_engine_is_gone() {
    let reads = json!({"reads": {"stale_if_error_ms": 60_000}});
    let mut world = watching(config_with(&reads), &[1]);
    world.faults = Box::new(|_, _| Fault::NotDelivered);
    world.watching = false;
    world.break_watches();
    world.run_until(world.clock.get() + 5000);
    let start = world.clock.get();
    let reply = world.reply(&balance());
    assert!(world.clock.get() < start + 500, "at the first failure");
    assert_eq!((reply.status, source(&reply)), (200, "cache"));
    assert_eq!(header(&reply, "x-points-stale"), Some("true"));
    let age: u64 = header(&reply, "age")
        .expect("an age")
        .parse()
        .expect("seconds");
    assert!((4..=6).contains(&age), "{age}");
    // Not to who asked for more, not what is not held, no change, and not for ever.
    for request in [
        balance().header("cache-control", "no-cache"),
        balance().header("cache-control", "max-age=3"),
        balance().header("x-points-revision", "1000000"),
        Request::get("/customer/other"),
        Request::add(CUSTOMER, &json!({"points": 1})),
    ] {
        assert_eq!(world.reply(&request).status, 503, "{request:?}");
    }
    assert_eq!(world.nodes[0].host.counted(Counter::StaleReads), 1);
    world.run_until(start + 60_000);
    world.expect(503, &balance());
}

#[test]
fn another_store_behind_the_same_name_is_not_mixed_up_with_the_old_one() {
    let mut world = watching(config(), &[1]);
    world.engine.replace();
    world.break_watches();
    world.expect(201, &Request::add("other", &json!({"points": 1})));
    world.run_until(world.clock.get() + 20_000);
    world.run_to(|world| is_current(world, 0));
    assert_eq!(world.reply(&balance()).status, 404);
}

#[test]
fn what_was_acknowledged_here_is_read_here_whoever_wrote_it() {
    for (elsewhere, here, status, balance_after) in [
        // Done elsewhere already.
        (
            Request::add(CUSTOMER, &json!({"id": "x", "points": 5})),
            Request::add(CUSTOMER, &json!({"id": "x", "points": 5})),
            201,
            "15",
        ),
        // Refused for what was done elsewhere.
        (
            Request::redeem(CUSTOMER, &json!({"points": 7})),
            Request::redeem(CUSTOMER, &json!({"points": 7})),
            400,
            "3",
        ),
    ] {
        let mut world = watching(config(), &[1, 1]);
        // This gateway hears of nothing for a while.
        world.nodes[0].streams.clear();
        assert_eq!(world.reply_of(1, &elsewhere).status, 201);
        assert_eq!(at_once(&mut world, 0, &balance()).body, b"10");
        assert_eq!(world.reply_of(0, &here).status, status);
        let reply = at_once(&mut world, 0, &balance());
        assert_eq!(reply.body, balance_after.as_bytes());
    }
}

#[test]
fn where_no_older_copy_would_do_the_engine_is_given_its_time() {
    let reads = json!({"reads": {"stale_if_error_ms": 60_000}});
    let mut world = watching(config_with(&reads), &[1, 1]);
    let mut failures = 1;
    world.faults = Box::new(move |node, _| match (node, failures) {
        (1, 1..) => {
            failures -= 1;
            Fault::NotDelivered
        }
        _ => Fault::None,
    });
    let reply = world.reply_of(1, &balance());
    assert_eq!((reply.status, source(&reply)), (200, "engine"));
}
