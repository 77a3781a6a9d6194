//! Tokens that are revoked, by the configuration and by what stands in the engine.

use serde_json::json;

use super::*;
use crate::exchange::{Input, Step};
use crate::gate::{MAX_DENY_LIST_ENTRIES, MAX_HOLD_MS};
use crate::percent;
use crate::test_support::fault::Fault;

fn from_engine() -> Value {
    json!({"revocation": {"from_engine": true, "refresh_ms": 1000}})
}

fn key(kind: &str, value: &str) -> Vec<u8> {
    let (issuer, value) = (
        percent::encode(ISSUER.as_bytes()),
        percent::encode(value.as_bytes()),
    );
    format!("/points/1/revoked/{issuer}/{kind}/{value}").into_bytes()
}

fn given(changes: Value) -> Request {
    read(&token("ed25519-1", changes))
}

#[test]
fn the_engines_list_counts_within_seconds_on_every_worker() {
    let mut world = World::new(config_with(&from_engine()), &[2, 1]);
    let tokens = [
        given(json!({"jti": "one"})),
        given(json!({"sub": "a/b c"})),
        given(json!({"iat": NOW_SECONDS - 100})),
        given(json!({"jti": "two", "sub": "somebody"})),
    ];
    run_for(&mut world, 200);
    let statuses = |world: &mut World| {
        let mut all = Vec::new();
        for node in 0..3 {
            let of_node: Vec<u16> = tokens.iter().map(|it| settled(world, node, it)).collect();
            all.push(of_node);
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
        all.remove(0)
    };
    assert_eq!(statuses(&mut world), [404, 404, 404, 404]);
    world.engine.put(&key("jti", "one"), b"stolen laptop");
    run_for(&mut world, 1_200);
    assert_eq!(statuses(&mut world), [401, 404, 404, 404]);
    world.engine.put(&key("sub", "a/b c"), b"");
    let since = (NOW_SECONDS - 50).to_string();
    world.engine.put(&key("issued-before", &since), b"");
    run_for(&mut world, 1_200);
    assert_eq!(statuses(&mut world), [401, 401, 401, 404]);
    let revoked = counted(&world, Counter::RevokedTokens);
    assert_eq!(revoked, 3 + 9);
    for node in &world.nodes {
        assert_eq!(
            node.host.gauges.borrow()["reward_points.deny_list.entries"],
            3
        );
    }
}

#[test]
fn a_revoked_token_is_refused_like_any_other() {
    let mut world = World::single(config_with(&from_engine()));
    world.engine.put(&key("jti", "one"), b"");
    run_for(&mut world, 200);
    let revoked = world.expect(401, &given(json!({"jti": "one"})));
    let forged = world.expect(401, &read("e30.e30.AAAA"));
    assert_eq!(revoked, forged);
}

#[test]
fn a_body_that_is_too_long_does_not_wait_for_the_list() {
    let mut world = World::single(config_with(&from_engine()));
    let add = Request::add("614", &json!({"points": 1})).bearer(&token("ed25519-1", json!({})));
    let grown = |total_bytes| Input::BodyGrown { total_bytes };
    let asked = world.head(0, &add);
    assert!(matches!(
        world.advance(0, asked, grown(65_536)),
        Step::AwaitBody
    ));
    let step = world.advance(0, asked, grown(65_537));
    assert!(
        matches!(&step, Step::Reply(reply) if reply.status == 413),
        "{step:?}"
    );
    run_for(&mut world, 200);
    assert!(matches!(
        world.advance(0, asked, Input::Body(b"{}")),
        Step::Settled
    ));
    assert_eq!(counted(&world, Counter::Allowed), 0);
}

#[test]
fn nobody_is_let_in_before_the_list_was_read() {
    let mut world = World::single(config_with(&from_engine()));
    world.faults = Box::new(|_, _| Fault::NotDelivered);
    let good = given(json!({}));
    let asked = world.ask(0, &good);
    run_for(&mut world, MAX_HOLD_MS - 100);
    assert_eq!(status(&world, asked), None);
    run_for(&mut world, 300);
    assert_eq!(status(&world, asked), Some(503));
    let bad = world.ask(0, &read("e30.e30.AAAA"));
    assert_eq!(status(&world, bad), Some(401));
    let waiting = world.ask(0, &good);
    world.faults = Box::new(|_, _| Fault::None);
    run_for(&mut world, 1_500);
    assert_eq!(status(&world, waiting), Some(404));
}

#[test]
fn a_list_that_cannot_be_read_any_more_stays() {
    let mut world = World::new(config_with(&from_engine()), &[2]);
    world.engine.put(&key("jti", "one"), b"");
    run_for(&mut world, 200);
    world.faults = Box::new(|_, _| Fault::AnswerLost);
    run_for(&mut world, 60_000);
    let (revoked, good) = (given(json!({"jti": "one"})), given(json!({})));
    for node in 0..2 {
        let asked = world.ask(node, &revoked);
        assert_eq!(status(&world, asked), Some(401));
        let asked = world.ask(node, &good);
        assert_eq!(
            status(&world, asked),
            None,
            "let in, and waits for the engine"
        );
        world.leave(node, asked);
    }
    assert!(counted(&world, Counter::DenyListFailures) > 10);
}

#[test]
fn a_long_list_is_read_in_pages_and_one_that_is_too_long_not_at_all() {
    let mut world = World::single(config_with(&from_engine()));
    for number in 0..MAX_DENY_LIST_ENTRIES {
        world.engine.put(&key("jti", &format!("{number:05}")), b"");
    }
    run_for(&mut world, 1_000);
    let last = format!("{:05}", MAX_DENY_LIST_ENTRIES - 1);
    for id in ["00000", "00999", "01000", last.as_str()] {
        world.expect(401, &given(json!({"jti": id})));
    }
    world.engine.put(&key("sub", "one too many"), b"");
    run_for(&mut world, 3_000);
    world.expect(404, &given(json!({"sub": "one too many"})));
    world.expect(401, &given(json!({"jti": "00000"})));
    let lines = world.nodes[0].host.lines.borrow();
    assert!(
        lines
            .iter()
            .any(|(_, line)| line.contains("over 10000 entries"))
    );
}

#[test]
fn entries_that_make_no_sense_are_told_and_left_out() {
    let mut world = World::single(config_with(&from_engine()));
    let issuer = percent::encode(ISSUER.as_bytes());
    for odd in [
        "x".to_owned(),
        format!("{issuer}/jti"),
        format!("{issuer}/jti/a/b"),
        format!("{issuer}/jti/%zz"),
        format!("{issuer}/jti/%ff"),
        format!("{issuer}/kid/a"),
        format!("{issuer}/issued-before/soon"),
        format!("{issuer}/issued-before/253402300800"),
        format!("{issuer}/kid/a\r\u{1b}[2J{{\"decision\":\"allow\"}}"),
    ] {
        let key = format!("/points/1/revoked/{odd}");
        world.engine.put(key.as_bytes(), b"");
    }
    world
        .engine
        .put(b"/points/1/revoked/https%3A%2F%2Felsewhere/jti/one", b"");
    world.engine.put(&key("jti", "two"), b"");
    run_for(&mut world, 200);
    world.expect(404, &given(json!({"jti": "one"})));
    world.expect(401, &given(json!({"jti": "two"})));
    let lines = world.nodes[0].host.lines.borrow();
    let told = lines
        .iter()
        .filter(|(_, line)| line.contains("makes no sense"));
    assert_eq!(told.clone().count(), 9);
    let controls = |(_, line): &&(_, String)| line.chars().any(char::is_control);
    assert_eq!(told.filter(controls).count(), 0);
}

#[test]
fn the_configuration_revokes_too() {
    let config = |revoked: Value| {
        let mut issuer = crate::access::test_support::issuer_json();
        issuer["revoked"] = revoked;
        config_with(&json!({"issuers": [issuer]}))
    };
    let jti_and_sub = config(json!({"jti": ["one"], "sub": ["gone"]}));
    let mut world = World::single(jti_and_sub);
    for (changes, status) in [
        (json!({"jti": "one"}), 401),
        (json!({"jti": "One"}), 404),
        (json!({"sub": "gone"}), 401),
        (json!({"sub": null}), 404),
        (json!({}), 404),
    ] {
        world.expect(status, &given(changes));
    }
    let mut world = World::single(config(json!({"issued_before": NOW_SECONDS - 100})));
    for (changes, status) in [
        (json!({"iat": NOW_SECONDS - 101}), 401),
        (json!({"iat": NOW_SECONDS - 100}), 404),
        (json!({"iat": null}), 401),
    ] {
        world.expect(status, &given(changes));
    }
}
