//! What is remembered of tokens, and what is not.

use serde_json::json;

use super::*;
use crate::access::test_support::{ISSUER, token as signed_token};

fn bad_signature(number: usize) -> String {
    let good = token("ed25519-1", json!({"jti": number.to_string()}));
    let other = token("ed25519-1", json!({"jti": format!("other-{number}")}));
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let (_, signature) = other.rsplit_once('.').expect("three parts");
    format!("{head}.{signature}")
}

#[test]
fn a_token_is_verified_once_and_asked_for_the_time_every_time() {
    let mut world = World::single(config_with(&json!({})));
    let short = token("ed25519-1", json!({"exp": NOW_SECONDS + 10}));
    for _ in 0..5 {
        world.expect(404, &read(&short));
    }
    assert_eq!(counted(&world, Counter::SignaturesComputed), 1);
    assert_eq!(counted(&world, Counter::TokenCacheHits), 4);
    // The leeway is 30 s: one millisecond before the end, and the end.
    let end_ms = (NOW_SECONDS + 10 + 30) * 1000;
    world.clock.set(end_ms - 1);
    world.expect(404, &read(&short));
    world.clock.set(end_ms);
    let reply = world.expect(401, &read(&short));
    assert!(String::from_utf8_lossy(&reply.body).contains("expired"));
    world.expect(401, &read(&short));
    assert_eq!(counted(&world, Counter::SignaturesComputed), 1);
}

#[test]
fn without_a_cache_every_token_is_verified_every_time() {
    let none = json!({"tokens": {"cache_entries": 0}});
    let mut world = World::single(config_with(&none));
    for _ in 0..3 {
        world.expect(404, &read(&token("ed25519-1", json!({}))));
    }
    assert_eq!(counted(&world, Counter::SignaturesComputed), 3);
    assert_eq!(counted(&world, Counter::TokenCacheHits), 0);
}

#[test]
fn a_remembered_token_lends_nothing_to_another() {
    let mut world = World::single(config_with(&json!({})));
    let good = token("ed25519-1", json!({}));
    world.expect(404, &read(&good));
    let (head, signature) = good.rsplit_once('.').expect("three parts");
    let mut cut = good.clone();
    cut.pop();
    for other in [
        bad_signature(1),
        format!("{head}."),
        format!("{head}.{signature}A"),
        format!("{head}.{}", signature.to_uppercase()),
        cut,
    ] {
        world.expect(401, &read(&other));
    }
    world.expect(404, &read(&good));
}

#[test]
fn a_bad_signature_is_checked_once() {
    let mut world = World::single(config_with(&json!({})));
    let bad = bad_signature(1);
    for _ in 0..5 {
        world.expect(401, &read(&bad));
    }
    assert_eq!(counted(&world, Counter::SignaturesComputed), 1);
    assert_eq!(counted(&world, Counter::RefusedTokenCacheHits), 4);
}

#[test]
fn the_host_checks_signatures_where_it_can() {
    use crate::access::Access;
    use crate::gate::{Gate, Moment};
    use crate::test_support::host::TestHost;
    use crate::wake::ExchangeId;
    let config = config_with(&json!({}));
    Access::new(&config.issuers, &config.tenant, &[]).expect("a good configuration");
    for native in [true, false] {
        let host = TestHost::alone();
        host.native.set(native);
        let mut gate = Gate::new(&config, &[], &host).expect("a gate");
        let now = Moment {
            wall_ms: NOW_SECONDS * 1000,
            steady_ms: 0,
        };
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let token = signed_token(algorithm, &claims_with(json!({"iss": ISSUER})));
            let value = format!("Bearer {token}");
            let admitted = gate.authenticate(ExchangeId(1), Some(value.as_bytes()), now, &host);
            assert!(admitted.is_ok(), "{algorithm:?}");
        }
        let (natively, computed) = if native { (2, 1) } else { (0, 3) };
        assert_eq!(host.counted(Counter::SignaturesNative), natively);
        assert_eq!(host.counted(Counter::SignaturesComputed), computed);
        let gauges = host.gauges.borrow();
        let shown = |name: &str| gauges[&format!("reward_points.signatures.native.{name}")];
        assert_eq!(shown("rs256"), u64::from(native));
        assert_eq!(shown("es384"), u64::from(native));
        assert_eq!((shown("ps256"), shown("eddsa"), shown("hs256")), (0, 0, 0));
    }
}
