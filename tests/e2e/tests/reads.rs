//! Where a read is answered from, as clients see it: the gateway's copy while that is current, the engine when more is asked
//! for or the copy is none, and nothing at all once the engine has been gone for too long.

use std::time::Duration;

use e2e::{Answer, Call, Client, Combination, Stack, Version, everywhere, run, until};

everywhere!(
    a_read_says_where_it_came_from_and_never_shows_too_little,
    without_an_engine_reads_end_at_the_bound_and_come_back_with_it,
);

/// How long anything may take, engines that start included.
const BOUND: Duration = Duration::from_secs(30);

fn a_read_says_where_it_came_from_and_never_shows_too_little(on: Combination) {
    run(async {
        let stack = Stack::start(on);
        let token = stack.token("acme");
        let other = stack.second_gateway();
        let mut here = connect(stack.address(), on).await;
        let mut there = connect(other.address(), on).await;
        let balance = Call::balance("614").bearer(&token);

        for points in 1..=20_u64 {
            let add = Call::add("614", r#"{"points":1}"#).bearer(&token);
            let added = send(&mut here, &add).await;
            assert_eq!(added.status, 201, "{on}: {}", added.brief());
            let revision = added.header("x-points-revision").expect("a revision");
            // Its own writes at once, and those of another gateway by their revision.
            let session = balance.clone().header("x-points-revision", revision);
            for (client, call) in [(&mut here, &balance), (&mut there, &session)] {
                let answer = send(client, call).await;
                assert_eq!(
                    answer.text(),
                    points.to_string(),
                    "{on}: {}",
                    answer.brief()
                );
                let source = answer.header("x-points-source").unwrap_or_default();
                assert_eq!(answer.header("age").is_some(), source == "cache", "{on}");
            }
        }
        for client in [&mut here, &mut there] {
            let cached = until_cached(client, &balance, on).await;
            assert_eq!(cached.text(), "20", "{on}");
            let age_s: u64 = cached
                .header("age")
                .and_then(|age| age.parse().ok())
                .expect("an age");
            assert!(age_s <= 1, "{on}: {age_s} s");
            let strict = balance.clone().header("cache-control", "no-cache");
            let strict = send(client, &strict).await;
            assert_eq!(strict.header("x-points-source"), Some("engine"), "{on}");
            assert_eq!(strict.text(), "20", "{on}");
        }
        stack.assert_no_vm_was_reloaded();
    });
}

fn without_an_engine_reads_end_at_the_bound_and_come_back_with_it(on: Combination) {
    run(async {
        let mut stack = Stack::start(on);
        let token = stack.token("acme");
        let mut client = connect(stack.address(), on).await;
        let add = Call::add("614", r#"{"points":7}"#).bearer(&token);
        assert_eq!(send(&mut client, &add).await.status, 201, "{on}");
        let balance = Call::balance("614").bearer(&token);
        until_cached(&mut client, &balance, on).await;

        stack.engine.process().stop();
        let ended = until(&format!("{on}: the bound"), BOUND, async || {
            let answer = send(&mut client, &balance).await;
            if answer.status == 200 {
                // Until then what it shows is right, and it says how it knows.
                assert_eq!(answer.text(), "7", "{on}: {}", answer.brief());
                assert_eq!(answer.header("x-points-source"), Some("cache"), "{on}");
                return None;
            }
            Some(answer)
        })
        .await;
        assert_eq!(ended.status, 503, "{on}: {}", ended.brief());
        assert!(ended.header("retry-after").is_some(), "{on}");
        let write = send(&mut client, &add).await;
        assert_eq!(write.status, 503, "{on}: {}", write.brief());

        stack
            .engine
            .restart()
            .unwrap_or_else(|error| panic!("{on}: {error}"));
        until(&format!("{on}: the engine"), BOUND, async || {
            let answer = send(&mut client, &balance).await;
            (answer.status == 200).then_some(())
        })
        .await;
        until_cached(&mut client, &balance, on).await;
        stack.assert_no_vm_was_reloaded();
    });
}

/// Reads until the answer comes from the copy.
async fn until_cached(client: &mut Client, call: &Call, on: Combination) -> Answer {
    until(&format!("{on}: a copy"), BOUND, async || {
        let answer = send(client, call).await;
        let is_cached = answer.header("x-points-source") == Some("cache");
        is_cached.then_some(answer)
    })
    .await
}

async fn connect(to: std::net::SocketAddr, on: Combination) -> Client {
    let client = Client::connect(to, Version::Http1).await;
    client.unwrap_or_else(|error| panic!("{on}: {error}"))
}

async fn send(client: &mut Client, call: &Call) -> Answer {
    let answer = client.send(call).await;
    answer.unwrap_or_else(|error| panic!("{error}"))
}
