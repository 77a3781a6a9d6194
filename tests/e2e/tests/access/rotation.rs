//! New keys under load, and key ids that are made up: whoever has a good token notices neither.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use e2e::{Call, Client, Combination, Server, Version, token, until};
use serde_json::json;
use signing_keys::random_id;
use tokio::task::JoinSet;

use super::issuer::{ISSUER, new_key, published, sign, start};

const BOUND: Duration = Duration::from_secs(20);
/// Clients that ask all the time.
const CLIENTS: usize = 8;
const ROTATIONS: usize = 4;
/// For how long key ids are made up.
const FLOOD: Duration = Duration::from_secs(2);
/// Connections that they come on, and how many on each at a time.
const FLOODERS: usize = 6;
const AT_ONCE: usize = 200;

/// Clients that ask all the time, with whatever token is the current one.
struct Load {
    token: Arc<RwLock<String>>,
    answers: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    clients: JoinSet<Result<(), String>>,
}

impl Load {
    async fn start(to: SocketAddr, token: String) -> Self {
        let load = Self {
            token: Arc::new(RwLock::new(token)),
            answers: Arc::default(),
            over: Arc::default(),
            clients: JoinSet::new(),
        };
        let mut load = load;
        for number in 0..CLIENTS {
            let version = [Version::Http1, Version::Http2][number % 2];
            let mut client = Client::connect(to, version).await.expect("connect");
            let (token, answers, over) = (
                Arc::clone(&load.token),
                Arc::clone(&load.answers),
                Arc::clone(&load.over),
            );
            load.clients.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let current = token.read().expect("a token").clone();
                    let call = Call::balance("alice").bearer(&current);
                    let answer = client
                        .send(&call)
                        .await
                        .map_err(|error| error.to_string())?;
                    if answer.brief() != "200 7" {
                        return Err(answer.brief());
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        load
    }

    /// From now on the clients use that token.
    fn switch(&self, token: String) {
        *self.token.write().expect("a token") = token;
    }

    /// Waits until each client has most likely been answered since.
    async fn go_on(&self) {
        let before = self.answers.load(Ordering::Relaxed);
        until("the clients are answered", BOUND, async || {
            let answers = self.answers.load(Ordering::Relaxed) - before;
            (answers >= 20 * CLIENTS).then_some(())
        })
        .await;
    }

    async fn end(mut self, what: &str) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            if let Err(refused) = ended.expect("a client's task") {
                panic!("{what}: {refused}");
            }
        }
    }
}

/// A key is published and used at once; the one before it stays good until it is published no longer.
pub async fn check_rotation(on: Combination) {
    let mut key = new_key();
    let server = Server::start(published(&[&key])).await;
    let times = json!({ "refresh_seconds": 600, "refetch_seconds": 1 });
    let stack = start(on, &server, times, |gateway| gateway);
    let first = sign(&key, "acme", json!({}));
    begin(stack.address(), &first).await;
    let load = Load::start(stack.address(), first).await;
    load.go_on().await;
    let mut client = Client::connect(stack.address(), Version::Http1)
        .await
        .expect("connect");
    for _ in 0..ROTATIONS {
        let next = new_key();
        server.answers(published(&[&key, &next]));
        load.switch(sign(&next, "acme", json!({})));
        // A token of the key before, which was not seen before.
        let older = Call::balance("alice").bearer(&sign(&key, "acme", json!({ "jti": "older" })));
        let answer = client.send(&older).await.expect("an answer");
        assert_eq!(answer.brief(), "200 7", "{on}");
        load.go_on().await;
        key = next;
    }
    load.end(&on.to_string()).await;
    // One when it started and one for each key, and one more of each when a token met it under way.
    let fetches = server.count();
    assert!(
        (1 + ROTATIONS..=2 + 2 * ROTATIONS).contains(&fetches),
        "{on}: {fetches}"
    );
    // A key that is withdrawn is no good once that is seen, also for tokens that are remembered.
    let next = new_key();
    server.answers(published(&[&next]));
    let withdrawn = Call::balance("alice").bearer(&sign(&key, "acme", json!({})));
    let call = Call::balance("alice").bearer(&sign(&next, "acme", json!({})));
    let answer = client.send(&call).await.expect("an answer");
    assert_eq!(answer.brief(), "200 7", "{on}");
    until("the old key is forgotten", BOUND, async || {
        let answer = client.send(&withdrawn).await.expect("an answer");
        assert!(
            [200, 401].contains(&answer.status),
            "{on}: {}",
            answer.brief()
        );
        (answer.status == 401).then_some(())
    })
    .await;
    stack.assert_no_vm_was_reloaded();
}

/// Thousands of tokens with key ids that nobody has.
pub async fn check_flood(on: Combination) {
    let key = new_key();
    let server = Server::start(published(&[&key])).await;
    let times = json!({ "refresh_seconds": 600, "refetch_seconds": 1 });
    let stack = start(on, &server, times, |gateway| gateway);
    let good = sign(&key, "acme", json!({}));
    begin(stack.address(), &good).await;
    let load = Load::start(stack.address(), good).await;
    load.go_on().await;

    let began = Instant::now();
    let mut flooders = JoinSet::new();
    for _ in 0..FLOODERS {
        let to = stack.address();
        flooders.spawn(async move {
            let client = Client::connect(to, Version::Http2).await.expect("connect");
            let mut statuses = Vec::new();
            while began.elapsed() < FLOOD {
                let calls: Vec<Call> = (0..AT_ONCE).map(|_| made_up()).collect();
                for answer in client.send_together(&calls).await {
                    statuses.push(answer.expect("an answer").status);
                }
            }
            statuses
        });
    }
    let statuses = flooders.join_all().await.concat();
    let elapsed = began.elapsed();
    // Refused, or told to come again when too many bad tokens came: never let in, never in error.
    assert!(
        statuses.iter().all(|it| [401, 503].contains(it)),
        "{on}: {statuses:?}"
    );
    assert!(statuses.len() >= 2_000, "{on}: only {}", statuses.len());
    // One a second, the one under way at the beginning, the one before that, and the first of all.
    let most = elapsed.as_secs() + 2;
    let fetches = server.count();
    assert!(fetches as u64 <= most + 1, "{on}: {fetches} in {elapsed:?}");
    assert!(stack.stat("reward_points.keys.refetches") <= most, "{on}");
    load.go_on().await;
    load.end(&on.to_string()).await;
    // A token that was never seen before is looked at again.
    let fresh = Call::balance("alice").bearer(&sign(&key, "acme", json!({ "jti": "fresh" })));
    let mut client = Client::connect(stack.address(), Version::Http1)
        .await
        .expect("connect");
    until("new tokens are looked at", BOUND, async || {
        let answer = client.send(&fresh).await.expect("an answer");
        assert!(
            [200, 503].contains(&answer.status),
            "{on}: {}",
            answer.brief()
        );
        (answer.status == 200).then_some(())
    })
    .await;
    stack.assert_no_vm_was_reloaded();
}

fn made_up() -> Call {
    let header = json!({ "alg": "ES256", "typ": "JWT", "kid": random_id() });
    let claims = token::claims("acme", "rewardspoints.rewardpoints_view");
    let claims = token::with(claims, json!({ "iss": ISSUER }));
    Call::balance("alice").bearer(&token::unsigned(&header, &claims))
}

/// Gives alice her points once the first keys are there.
async fn begin(to: SocketAddr, token: &str) {
    let mut client = Client::connect(to, Version::Http1).await.expect("connect");
    let add = Call::add("alice", r#"{"id":"first","points":7}"#).bearer(token);
    until("alice has points", BOUND, async || {
        let answer = client.send(&add).await.expect("an answer");
        (answer.status == 201).then_some(())
    })
    .await;
}
