//! Thousands of customers, ids and tokens that nobody has seen before, good ones and bad ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{Answer, Call, Client, Version};
use testbed::TokenRequest;
use tokio::task::JoinSet;

use super::scene::Scene;

/// Connections that share each part.
const CONNECTIONS: usize = 8;
/// Requests of each part.
const BAD_TOKENS: usize = 3_000;
const GOOD_TOKENS: usize = 200;
const CUSTOMERS: usize = 1_000;
/// Characters at the end of a token that tell it from others.
const TAIL: usize = 12;
/// How long a good token may stay unread after bad ones, on a machine that is busy with the others.
const UNREAD: Duration = Duration::from_secs(60);
/// Before it is sent again.
const POLL: Duration = Duration::from_millis(20);

pub async fn all(scene: &mut Scene<'_>) {
    let round = scene.round;
    let good: Vec<String> = (0..GOOD_TOKENS)
        .map(|number| {
            scene.stack.token_of(&TokenRequest {
                subject: format!("s-{round}-{number}"),
                ..TokenRequest::new("strangers")
            })
        })
        .collect();
    let call = |token: &str| Call::balance("nobody").bearer(token);
    // New and good: none of them is kept waiting for what bad ones cost.
    let welcome = good.iter().map(|token| call(token)).collect();
    send(scene, welcome, |answer| answer.status == 404).await;
    let token = scene.token.clone();
    let bad = (0..BAD_TOKENS).map(|number| call(&forged(&token, round * BAD_TOKENS + number)));
    send(scene, bad.collect(), |answer| match answer.status {
        401 => true,
        // Unread: the worker has spent the time that it has for bad ones.
        _ => is_unread(answer),
    })
    .await;
    // Those that were good are good, also to a worker that has not read them yet: it does once there is time for it again.
    let again = good.iter().map(|token| call(token)).collect();
    send_again(scene, again, |answer| answer.status == 404).await;

    let ids = (0..CUSTOMERS).map(|number| format!("stranger-{round}-{number}"));
    let ids: Vec<String> = ids.collect();
    let unknown = ids.iter().map(|id| Call::balance(id).bearer(&token));
    send_again(scene, unknown.collect(), |answer| answer.status == 404).await;
    let add = |id: &String| {
        let body = format!(r#"{{"points":7,"id":"add-{id}"}}"#);
        let add = Call::add(id, body).bearer(&token);
        add.header("idempotency-key", format!("key-{id}"))
    };
    send_again(scene, ids.iter().map(add).collect(), |answer| {
        answer.status == 201
    })
    .await;
    let known = ids.iter().map(|id| Call::balance(id).bearer(&token));
    send_again(scene, known.collect(), |answer| answer.brief() == "200 7").await;
    // Each key and each id replays.
    send_again(scene, ids.iter().map(add).collect(), |answer| {
        answer.status == 201 && answer.header("idempotency-replayed") == Some("true")
    })
    .await;
    let known = ids.iter().map(|id| Call::balance(id).bearer(&token));
    send_again(scene, known.collect(), |answer| answer.brief() == "200 7").await;
}

/// The same token with another end of its signature.
fn forged(token: &str, number: usize) -> String {
    let kept = token.len().saturating_sub(TAIL);
    format!("{}{number:0TAIL$}", &token[..kept])
}

/// A worker that has spent its time for bad tokens does not look at one that is new to it, and asks for patience.
fn is_unread(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("retry-after").is_some()
}

/// Sends all of them and judges each answer.
async fn send(scene: &mut Scene<'_>, calls: Vec<Call>, right: fn(&Answer) -> bool) {
    send_all(scene, calls, right, false).await;
}

/// The same after bad tokens: what stays unread is sent again until it is read.
async fn send_again(scene: &mut Scene<'_>, calls: Vec<Call>, right: fn(&Answer) -> bool) {
    send_all(scene, calls, right, true).await;
}

/// Sends all of them over several connections, while the others are asked to get on, and judges each answer.
async fn send_all(
    scene: &mut Scene<'_>,
    calls: Vec<Call>,
    right: fn(&Answer) -> bool,
    is_sent_again: bool,
) {
    let on: Arc<str> = scene.on().into();
    let to = scene.stack.address();
    let share = calls.len().div_ceil(CONNECTIONS);
    let mut running = JoinSet::new();
    for (number, calls) in calls.chunks(share).enumerate() {
        let (on, calls) = (Arc::clone(&on), calls.to_vec());
        let version = [Version::Http1, Version::Http2][number % 2];
        running.spawn(async move {
            let client = Client::connect(to, version).await;
            let mut client = client.unwrap_or_else(|error| panic!("{on}: {error}"));
            for call in &calls {
                let mut answer = client.send(call).await;
                let begun = Instant::now();
                while is_sent_again
                    && answer.as_ref().is_ok_and(is_unread)
                    && begun.elapsed() < UNREAD
                {
                    tokio::time::sleep(POLL).await;
                    answer = client.send(call).await;
                }
                let answer = answer.unwrap_or_else(|error| panic!("{on}: {error}"));
                let what = format!("{on}: {} {}", call.method, call.path);
                assert!(
                    right(&answer),
                    "{what}: {} {:?}",
                    answer.brief(),
                    answer.headers
                );
            }
        });
    }
    scene.others.progress(1).await;
    while let Some(ended) = running.join_next().await {
        ended.unwrap_or_else(|error| panic!("{on}: {error}"));
    }
}
