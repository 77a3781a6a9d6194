//! A gateway hears of what is committed behind its back, and goes on hearing of it when the engine was away.

use std::time::Duration;

use e2e::{Call, Client, Combination, Stack, Version, everywhere, run, until};

everywhere!(a_gateway_hears_of_what_others_commit);

/// How long anything may take, engines that start included.
const BOUND: Duration = Duration::from_secs(30);

fn a_gateway_hears_of_what_others_commit(on: Combination) {
    run(async {
        let mut stack = Stack::start(on);
        let token = stack.token("acme");
        let other = stack.second_gateway();
        let mut client = Client::connect(other.address(), Version::Http1)
            .await
            .unwrap_or_else(|error| panic!("{on}: {error}"));

        until_stat(&stack, "feed.0.age_ms", |age_ms| {
            (1..1_000).contains(&age_ms)
        })
        .await;
        assert_eq!(
            stack.stat("feed.openings"),
            1,
            "{on}: one watch for all VMs"
        );
        assert_eq!(stack.stat("feed.events"), 0, "{on}: nothing was committed");
        let epoch = stack.stat("feed.0.epoch");
        assert_ne!(epoch, 0, "{on}");

        commit(&mut client, &token, "first").await;
        until_stat(&stack, "feed.events", |events| events == 1).await;

        let openings = stack.stat("feed.openings");
        stack.engine.process().stop();
        stack
            .engine
            .restart()
            .unwrap_or_else(|error| panic!("{on}: {error}"));
        until_stat(&stack, "feed.openings", |it| it > openings).await;
        until_stat(&stack, "feed.0.age_ms", |age_ms| {
            (1..1_000).contains(&age_ms)
        })
        .await;
        commit(&mut client, &token, "second").await;
        until_stat(&stack, "feed.events", |events| events == 2).await;
        stack.assert_no_vm_was_reloaded();
    });
}

async fn until_stat(stack: &Stack, name: &str, good: impl Fn(u64) -> bool) {
    let what = format!("{}: {name}", stack.combination());
    until(&what, BOUND, async || {
        good(stack.stat_now(name)).then_some(())
    })
    .await;
}

async fn commit(client: &mut Client, token: &str, id: &str) {
    let body = format!(r#"{{"id":"{id}","points":1}}"#);
    let answer = client.send(&Call::add("614", body).bearer(token)).await;
    let answer = answer.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answer.status, 201, "{}", answer.brief());
}
