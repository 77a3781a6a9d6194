//! Clients that behave, while others do not: each answer they get is checked, and how far they get is counted.
//!
//! Each has a connection and a customer of its own and does one round after the other: a write, the balance that follows
//! from it, and a few refusals. That they go on at all is asked for in rounds, never in time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::{Call, Client, Stack, Version};
use tokio::task::JoinSet;

/// More than there are workers: so each worker has one of them, but for rare luck.
const CLIENTS: usize = 6;
/// How long the next rounds may take, on a machine that is busy with an attack.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const POLL: Duration = Duration::from_millis(5);

/// Clients at work.
#[derive(Debug)]
pub struct Bystanders {
    on: String,
    done: Vec<Arc<AtomicU64>>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Bystanders {
    /// They begin; `name` is part of their customers' ids, which nobody else may use.
    pub async fn start(stack: &Stack, name: &str) -> Self {
        let on = stack.combination().to_string();
        let token: Arc<str> = stack.token("bystanders").into();
        let mut bystanders = Self {
            on,
            done: Vec::new(),
            stop: Arc::default(),
            tasks: JoinSet::new(),
        };
        for number in 0..CLIENTS {
            let version = [Version::Http1, Version::Http2][number % 2];
            let done = Arc::new(AtomicU64::new(0));
            let worker = Bystander {
                what: format!("{}: bystander {number} over {version:?}", bystanders.on),
                customer: format!("{name}-{number}"),
                token: Arc::clone(&token),
                to: stack.address(),
                version,
            };
            let (count, stop) = (Arc::clone(&done), Arc::clone(&bystanders.stop));
            bystanders.done.push(done);
            bystanders.tasks.spawn(worker.work(count, stop));
        }
        bystanders.progress(1).await;
        bystanders
    }

    /// Waits until each of them has done `rounds` more.
    ///
    /// # Panics
    /// When one got a wrong answer, or they do not get on.
    pub async fn progress(&mut self, rounds: u64) {
        let goals: Vec<u64> = self
            .done
            .iter()
            .map(|done| done.load(Ordering::SeqCst) + rounds)
            .collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(ended) = self.tasks.try_join_next() {
                panic!("{}: {ended:?}", self.on);
            }
            let now: Vec<u64> = self
                .done
                .iter()
                .map(|done| done.load(Ordering::SeqCst))
                .collect();
            if now.iter().zip(&goals).all(|(now, goal)| now >= goal) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{}: the others stand still at {now:?}, expected {goals:?}",
                self.on
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// They finish their round and go. Returns how many rounds they did.
    ///
    /// # Panics
    /// As [`Bystanders::progress`].
    pub async fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap_or_else(|error| panic!("{}: {error}", self.on));
        }
        self.done
            .iter()
            .map(|done| done.load(Ordering::SeqCst))
            .sum()
    }
}

struct Bystander {
    what: String,
    customer: String,
    token: Arc<str>,
    to: SocketAddr,
    version: Version,
}

impl Bystander {
    async fn work(self, done: Arc<AtomicU64>, stop: Arc<AtomicBool>) {
        let mut client = Client::connect(self.to, self.version)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.what));
        while !stop.load(Ordering::SeqCst) {
            let round = done.load(Ordering::SeqCst) + 1;
            self.round(&mut client, round).await;
            done.store(round, Ordering::SeqCst);
        }
        assert_eq!(client.closes(), 0, "{}: hung up on", self.what);
    }

    async fn round(&self, client: &mut Client, round: u64) {
        let id = &self.customer;
        let bearer = |call: Call| call.bearer(&self.token);
        let add = bearer(Call::add(id, r#"{"points":3}"#));
        self.expect(client, &add, "201 ").await;
        let redeem = bearer(Call::redeem(id, r#"{"points":2}"#));
        self.expect(client, &redeem, "201 ").await;
        let balance = bearer(Call::balance(id));
        self.expect(client, &balance, &format!("200 {round}")).await;
        let stranger = bearer(Call::balance(&format!("{id}-unknown")));
        self.expect(client, &stranger, "404 {").await;
        self.expect(client, &Call::balance(id), "401 {").await;
    }

    /// The whole answer, or, of a refusal, its status.
    async fn expect(&self, client: &mut Client, call: &Call, expected: &str) {
        let answer = client.send(call).await.unwrap_or_else(|error| {
            panic!("{}: {} {}: {error}", self.what, call.method, call.path)
        });
        let brief = answer.brief();
        let right = match expected.strip_suffix('{') {
            Some(status) => brief.starts_with(status),
            None => brief == expected,
        };
        assert!(
            right,
            "{}: {} {}: {brief}, expected {expected}",
            self.what, call.method, call.path
        );
    }
}
