//! An issuer that does not answer, or not with keys: what is known stays good, and the operator sees why nothing new comes.

use std::time::{Duration, Instant};

use e2e::{Call, Client, Combination, Reply, Server, Version, until};
use serde_json::json;

use super::issuer::{FETCH_RESULT, new_key, published, sign, start};

/// How long the gateway may take to notice something.
const BOUND: Duration = Duration::from_secs(20);
/// The part of `refresh_seconds` after which the next fetch may come, at the earliest.
const EARLIEST: f64 = 0.75;

pub async fn check_failures(on: Combination) {
    let (key, newer) = (new_key(), new_key());
    let mut server = Server::start(published(&[&key])).await;
    let times = json!({ "refresh_seconds": 1, "refetch_seconds": 1, "timeout_ms": 500 });
    let stack = start(on, &server, times, |gateway| gateway);
    let known = Call::balance("nobody").bearer(&sign(&key, "acme", json!({})));
    let unknown = Call::balance("nobody").bearer(&sign(&newer, "acme", json!({})));
    let mut client = connect(stack.address()).await;
    until("the first keys are there", BOUND, async || {
        served(&mut client, &known).await.then_some(())
    })
    .await;
    let twins = json!({ "keys": [key.public_jwk(), key.public_jwk()] });
    // Neighbours end differently, so each change is seen.
    let faults: [(&str, Option<Reply>, u64); 9] = [
        ("an error", Some(Reply::new(500, "no")), 3),
        ("no answer", Some(Reply::Never), 2),
        ("no JSON", Some(Reply::new(200, "<html>Sign in</html>")), 5),
        ("nobody there", None, 2),
        (
            "10 MB",
            Some(Reply::new(200, vec![b' '; 10 * 1024 * 1024])),
            4,
        ),
        ("a closed connection", Some(Reply::Close), 2),
        ("no keys", Some(Reply::json(&json!({ "keys": [] }))), 6),
        (
            "a redirect",
            Some(Reply::new(302, "").header("location", "/other")),
            3,
        ),
        ("two keys of one name", Some(Reply::json(&twins)), 5),
    ];
    for (name, reply, result) in faults {
        match reply {
            Some(reply) => {
                server.answers(reply);
                server.down().await;
                server.up().await;
            }
            None => server.down().await,
        }
        let what = format!("{on}: {name}: the gauge shows {result}");
        until(&what, BOUND, async || {
            assert!(served(&mut client, &known).await, "{on}: {name}");
            (stack.stat(FETCH_RESULT) == result).then_some(())
        })
        .await;
        // Nobody knows whether the issuer has that key: that is no reason to call the token bad.
        let answer = client.send(&unknown).await.expect("an answer");
        assert_eq!(answer.status, 503, "{on}: {name}: {}", answer.brief());
        assert_eq!(answer.header("retry-after"), Some("1"), "{on}: {name}");
        assert!(served(&mut client, &known).await, "{on}: {name}");
    }
    server.answers(published(&[&newer]));
    until("the issuer is well again", BOUND, async || {
        let found = served(&mut client, &unknown).await;
        (found && stack.stat(FETCH_RESULT) == 1).then_some(())
    })
    .await;
    let answer = client.send(&known).await.expect("an answer");
    assert_eq!(
        answer.status,
        401,
        "{on}: its key is gone: {}",
        answer.brief()
    );
    stack.assert_no_vm_was_reloaded();
}

pub async fn check_late_start(on: Combination) {
    let key = new_key();
    let mut server = Server::start(published(&[&key])).await;
    server.down().await;
    let stack = start(on, &server, json!({ "timeout_ms": 500 }), |gateway| gateway);
    let call = Call::balance("nobody").bearer(&sign(&key, "acme", json!({})));
    let mut client = connect(stack.address()).await;
    let answer = client.send(&call).await.expect("an answer");
    assert_eq!(answer.status, 503, "{on}: {}", answer.brief());
    assert_eq!(answer.header("retry-after"), Some("1"), "{on}");
    // Who brings no token is not told to come again.
    let answer = client
        .send(&Call::balance("nobody"))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 401, "{on}: {}", answer.brief());
    server.up().await;
    until("its keys are fetched", BOUND, async || {
        served(&mut client, &call).await.then_some(())
    })
    .await;
    stack.assert_no_vm_was_reloaded();
}

/// However many workers there are, the issuer is asked as if there were one.
pub async fn check_one_fetches(on: Combination) {
    const FETCHES: usize = 6;
    let server = Server::start(published(&[&new_key()])).await;
    let times = json!({ "refresh_seconds": 1, "refetch_seconds": 1 });
    let stack = start(on, &server, times, |gateway| gateway.workers(4));
    let began = Instant::now();
    let before = server.count();
    let fetched = until("the issuer is asked again and again", BOUND, async || {
        Some(server.count() - before).filter(|count| *count >= FETCHES)
    })
    .await;
    let turns = began.elapsed().as_secs_f64() / EARLIEST;
    assert!(
        fetched as f64 <= turns + 1.0,
        "{on}: {fetched} fetches in {turns} turns"
    );
    let counted = stack.stat("reward_points.keys.fetches");
    until("what was counted has arrived", BOUND, async || {
        (server.count() as u64 >= counted).then_some(())
    })
    .await;
    for seen in server.take() {
        assert_eq!(
            (&*seen.method, &*seen.target),
            ("GET", "/keys.json"),
            "{on}"
        );
        assert_eq!(seen.all("host"), ["keys.example"], "{on}");
        assert!(seen.all("authorization").is_empty(), "{on}: {seen:?}");
    }
    assert_eq!(stack.stat("reward_points.keys.refetches"), 0, "{on}");
    stack.assert_no_vm_was_reloaded();
}

/// Whether the request got past access control: the customer is none.
async fn served(client: &mut Client, call: &Call) -> bool {
    let answer = client.send(call).await.expect("an answer");
    assert!(
        [401, 404, 503].contains(&answer.status),
        "{}",
        answer.brief()
    );
    answer.status == 404
}

async fn connect(to: std::net::SocketAddr) -> Client {
    Client::connect(to, Version::Http1).await.expect("connect")
}
