//! A flood of bad tokens, and who goes on being served.

use serde_json::json;

use super::*;

/// Tokens that are refused for what their first parts say, each another one.
fn unknown_issuer(number: usize) -> String {
    token("ed25519-1", json!({"iss": format!("nobody-{number}")}))
}

#[test]
fn a_flood_is_turned_away_and_the_known_are_served() {
    let mut world = World::single(config_with(&json!({
        "tokens": {"refused_share_percent": 1},
    })));
    let known = read(&token("ed25519-1", json!({})));
    world.expect(404, &known);
    let mut statuses = Vec::new();
    for number in 0..1_100 {
        let asked = world.ask(0, &read(&unknown_issuer(number)));
        statuses.push(status(&world, asked).expect("at once"));
        if number % 100 == 0 {
            let asked = world.ask(0, &known);
            assert_eq!(
                status(&world, asked),
                None,
                "let in, and waits for the engine"
            );
            world.leave(0, asked);
        }
    }
    // 1 % of a second in units of 20 us, and what was earned before.
    let looked_at = statuses.iter().take_while(|&&it| it == 401).count();
    assert!((500..510).contains(&looked_at), "{looked_at}");
    assert!(statuses[looked_at..].iter().all(|&it| it == 503));
    let over = counted(&world, Counter::TokensOverBudget);
    assert_eq!(over, u64::try_from(1_100 - looked_at).expect("few"));
    world.expect(404, &known);
    // A good one that is new is not looked at either, and is told when to come back.
    let spend = |number: usize| {
        let asked = world.ask(0, &read(&unknown_issuer(2_000 + number)));
        status(&world, asked) == Some(503)
    };
    assert!((0..100).any(spend));
    let new = read(&token("ed25519-1", json!({"jti": "new"})));
    let asked = world.ask(0, &new);
    let reply = world.only_reply(asked);
    assert_eq!(reply.status, 503);
    assert!(reply.headers.contains(&("retry-after", "1".into())));
    world.pass(1_000);
    world.expect(404, &new);
}

#[test]
fn any_number_of_good_tokens_is_looked_at() {
    let mut world = World::single(config_with(&json!({
        "tokens": {"refused_share_percent": 1, "cache_entries": 0},
    })));
    let good = read(&token("ed25519-1", json!({})));
    for _ in 0..1_100 {
        let asked = world.ask(0, &good);
        world.leave(0, asked);
    }
    world.expect(404, &good);
    assert_eq!(counted(&world, Counter::TokensOverBudget), 0);
}
