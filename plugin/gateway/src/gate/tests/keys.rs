//! Keys that are fetched: waited for, kept, replaced, let go.

use serde_json::json;

use super::*;
use crate::gate::{MAX_HELD, MAX_HOLD_MS};

#[test]
fn the_first_requests_wait_for_the_first_keys() {
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(3, &fetching(&json!({})), &server);
    let asked: Vec<Asked> = (0..3)
        .map(|node| world.ask(node, &read(&token("a", json!({})))))
        .collect();
    assert!(asked.iter().all(|&it| status(&world, it).is_none()));
    run_for(&mut world, 200);
    for asked in asked {
        assert_eq!(status(&world, asked), Some(404));
    }
    assert_eq!(server.fetches(), 1, "one worker fetches for all");
}

#[test]
fn a_body_that_came_meanwhile_is_not_lost() {
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(1, &fetching(&json!({})), &server);
    let write = Request::add("614", &json!({"points": 70})).bearer(&token("a", json!({})));
    let long =
        Request::post("/customer/614/addPoints", vec![b' '; 70_000]).bearer(&token("a", json!({})));
    let wrong_type = Request::post("/customer/614/addPoints", "{}")
        .without("content-type")
        .bearer(&token("a", json!({})));
    let asked = [&write, &long, &wrong_type].map(|request| world.ask(0, request));
    run_for(&mut world, 300);
    let statuses = asked.map(|it| status(&world, it));
    assert_eq!(statuses, [Some(201), Some(413), Some(415)]);
    let balance = read(&token("a", json!({})));
    let balance = Request {
        headers: balance
            .headers
            .into_iter()
            .map(|(name, value)| match name.as_slice() {
                b":path" => (name, b"/reward-points/customer/614".to_vec()),
                _ => (name, value),
            })
            .collect(),
        body: None,
    };
    assert_eq!(world.expect(200, &balance).body, b"70");
}

#[test]
fn a_request_whose_body_is_still_coming_goes_on_with_it() {
    use crate::exchange::{Input, Step};
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(1, &fetching(&json!({})), &server);
    let write = Request::add("614", &json!({"points": 70})).bearer(&token("a", json!({})));
    let asked = world.head(0, &write);
    let step = world.advance(0, asked, Input::BodyGrown { total_bytes: 3 });
    assert!(matches!(step, Step::AwaitBody));
    run_for(&mut world, 200);
    assert_eq!(status(&world, asked), None, "it is not complete");
    let body = write.body.clone().expect("a body");
    let step = world.advance(0, asked, Input::Body(&body));
    assert!(matches!(step, Step::AwaitOutcome));
    run_for(&mut world, 200);
    assert_eq!(status(&world, asked), Some(201));
}

#[test]
fn a_body_that_is_too_long_is_not_waited_for() {
    use crate::exchange::{Input, Step};
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(1, &fetching(&json!({})), &server);
    let write = Request::add("614", &json!({"points": 70})).bearer(&token("a", json!({})));
    let asked = world.head(0, &write);
    let grown = |total_bytes| Input::BodyGrown { total_bytes };
    let step = world.advance(0, asked, grown(65_536));
    assert!(matches!(step, Step::AwaitBody));
    let step = world.advance(0, asked, grown(65_537));
    assert!(matches!(step, Step::Reply(reply) if reply.status == 413));
    run_for(&mut world, 300);
    assert_eq!(status(&world, asked), None, "it was answered once");
}

#[test]
fn without_any_keys_the_answer_is_503_and_not_401() {
    let server = KeyServer::publishing(&["a"]);
    server.answer(503, "");
    let mut world = world(2, &fetching(&json!({})), &server);
    let asked = world.ask(1, &read(&token("a", json!({}))));
    run_for(&mut world, MAX_HOLD_MS + 200);
    let reply = world.only_reply(asked);
    assert_eq!(reply.status, 503);
    assert!(reply.headers.contains(&("retry-after", "1".into())));
    // What is bad whatever the keys are is told at once.
    let foreign = token("a", json!({"iss": "somebody"}));
    let asked = world.ask(0, &read(&foreign));
    assert_eq!(status(&world, asked), Some(401));
    server.publish(&["a"]);
    run_for(&mut world, 31_000);
    assert_eq!(settled(&mut world, 0, &read(&token("a", json!({})))), 404);
}

#[test]
fn a_new_key_is_fetched_when_its_first_token_comes() {
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(2, &fetching(&json!({})), &server);
    run_for(&mut world, 200);
    server.publish(&["a", "b"]);
    let asked: Vec<Asked> = (0..40)
        .map(|number| {
            let token = token("b", json!({"jti": number.to_string()}));
            world.ask(number % 2, &read(&token))
        })
        .collect();
    run_for(&mut world, 300);
    for asked in asked {
        assert_eq!(status(&world, asked), Some(404));
    }
    assert_eq!(server.fetches(), 2);
    assert_eq!(counted(&world, Counter::KeyRefetches), 1);
}

#[test]
fn a_key_that_nobody_has_is_looked_for_once_and_refused() {
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(2, &fetching(&json!({})), &server);
    run_for(&mut world, 200);
    let asked: Vec<Asked> = (0..100)
        .map(|number| {
            let kid = format!("random-{number}");
            world.ask(number % 2, &read(&token(&kid, json!({}))))
        })
        .collect();
    run_for(&mut world, 300);
    for asked in asked {
        assert_eq!(status(&world, asked), Some(401));
    }
    assert_eq!(server.fetches(), 2);
    // Within the gap one waits for the next fetch, as long as that is near enough.
    let late = world.ask(0, &read(&token("random", json!({}))));
    run_for(&mut world, 1_000);
    assert_eq!(status(&world, late), None);
    run_for(&mut world, 5_000);
    assert_eq!(status(&world, late), Some(401));
    assert_eq!(server.fetches(), 3);
}

#[test]
fn a_gap_that_is_longer_than_a_request_waits_is_not_waited_for() {
    let server = KeyServer::publishing(&["a"]);
    let config = fetching(&json!({"refetch_seconds": 60}));
    let mut world = world(1, &config, &server);
    run_for(&mut world, 200);
    assert_eq!(settled(&mut world, 0, &read(&token("x", json!({})))), 401);
    let asked = world.ask(0, &read(&token("y", json!({}))));
    assert_eq!(status(&world, asked), Some(401), "at once");
    assert_eq!(server.fetches(), 2);
}

#[test]
fn a_fetch_that_began_before_the_key_was_missed_does_not_decide() {
    let server = KeyServer::publishing(&["a"]);
    server.answer_after(500);
    let mut world = world(1, &fetching(&json!({})), &server);
    run_for(&mut world, 60);
    assert_eq!(server.fetches(), 1, "under way, with the old keys");
    let held = world.ask(0, &read(&token("b", json!({}))));
    server.publish(&["a", "b"]);
    run_for(&mut world, 6_000);
    assert_eq!(status(&world, held), Some(404));
    assert_eq!(server.fetches(), 2);
}

#[test]
fn a_key_that_was_dropped_takes_its_remembered_tokens_along() {
    let server = KeyServer::publishing(&["a", "b"]);
    let mut world = world(2, &fetching(&json!({})), &server);
    run_for(&mut world, 200);
    let (old, new) = (token("a", json!({})), token("b", json!({})));
    for node in 0..2 {
        assert_eq!(settled(&mut world, node, &read(&old)), 404);
        assert_eq!(settled(&mut world, node, &read(&new)), 404);
    }
    server.publish(&["b"]);
    run_for(&mut world, 101_000);
    for node in 0..2 {
        assert_eq!(settled(&mut world, node, &read(&old)), 401);
        let hits = world.nodes[node].host.counted(Counter::TokenCacheHits);
        assert_eq!(settled(&mut world, node, &read(&new)), 404);
        let still = world.nodes[node].host.counted(Counter::TokenCacheHits);
        assert_eq!(still, hits + 1, "the key stayed, and so did its token");
    }
}

#[test]
fn an_outage_costs_nothing_until_the_keys_are_too_old() {
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(2, &fetching(&json!({})), &server);
    run_for(&mut world, 200);
    server.answer(500, "");
    let good = read(&token("a", json!({})));
    while world.clock.get() < crate::access::test_support::NOW_MS + 940_000 {
        run_for(&mut world, 30_000);
        for node in 0..2 {
            assert_eq!(settled(&mut world, node, &good), 404);
        }
    }
    // A key that is missing now may be there: nobody can say.
    assert_eq!(settled(&mut world, 0, &read(&token("b", json!({})))), 503);
    run_for(&mut world, 60_000);
    for node in 0..2 {
        assert_eq!(settled(&mut world, node, &good), 503);
        let gauges = world.nodes[node].host.gauges.borrow();
        assert_eq!(gauges["reward_points.issuer.0.key_fetch_result"], 3);
        assert_eq!(gauges["reward_points.issuer.0.keys"], 0);
    }
    // The very same set again is good again.
    server.publish(&["a"]);
    run_for(&mut world, 31_000);
    for node in 0..2 {
        assert_eq!(settled(&mut world, node, &good), 404);
    }
}

#[test]
fn what_is_no_usable_key_set_changes_nothing_and_is_told() {
    let server = KeyServer::publishing(&["a"]);
    let mut world = world(1, &fetching(&json!({})), &server);
    run_for(&mut world, 200);
    let good = read(&token("a", json!({})));
    let many: Vec<_> = (0..65).map(|_| jwk(Algorithm::EdDsa)).collect();
    for (status, body, result) in [
        (200, "secret garbage".to_owned(), 5),
        (200, json!({"keys": []}).to_string(), 6),
        (
            200,
            json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}).to_string(),
            6,
        ),
        (200, json!({ "keys": many }).to_string(), 5),
        (200, " ".repeat(70_000), 4),
        (302, String::new(), 3),
        (200, String::new(), 5),
    ] {
        server.answer(status, body.clone());
        world.nodes[0].host.lines.borrow_mut().clear();
        run_for(&mut world, 101_000);
        assert_eq!(settled(&mut world, 0, &good), 404, "{body}");
        let host = &world.nodes[0].host;
        let shown = host.gauges.borrow()["reward_points.issuer.0.key_fetch_result"];
        assert_eq!(shown, result, "{body}");
        let lines = host.lines.borrow();
        assert!(lines.iter().any(|(_, line)| line.contains("fetch failed")));
        assert!(lines.iter().all(|(_, line)| !line.contains("secret")));
    }
}

#[test]
fn so_many_wait_and_no_more() {
    let server = KeyServer::publishing(&["a"]);
    server.answer_after(900);
    let mut world = world(1, &fetching(&json!({})), &server);
    run_for(&mut world, 60);
    let waiting: Vec<Asked> = (0..MAX_HELD)
        .map(|_| world.ask(0, &read(&token("a", json!({})))))
        .collect();
    let one_more = world.ask(0, &read(&token("a", json!({}))));
    assert_eq!(status(&world, one_more), Some(503));
    // One that leaves makes room.
    world.leave(0, waiting[0]);
    let another = world.ask(0, &read(&token("a", json!({}))));
    assert_eq!(status(&world, another), None);
    run_for(&mut world, 1_100);
    for &asked in waiting.iter().skip(1).chain([&another]) {
        assert_eq!(status(&world, asked), Some(404));
    }
    assert_eq!(status(&world, waiting[0]), None);
}
