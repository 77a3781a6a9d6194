//! kill -9 of the gateway, then of the engine, while clients add points and repeat until they are told "done": nothing is
//! lost and nothing is counted twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use e2e::{Call, Client, Combination, Stack, Version, on_every_engine, run};
use serde_json::Value;
use tokio::task::JoinSet;

on_every_engine!(points_are_exact_after_both_were_killed);

const CLIENTS: usize = 20;
const ADDS: usize = 2_000;
/// The gateway is killed when so many adds are acknowledged, the engine when so many more are.
const GATEWAY_DIES_AFTER: usize = 300;
const ENGINE_DIES_AFTER: usize = 600;
/// One customer takes every other add, these share the rest.
const OTHER_CUSTOMERS: usize = 8;
/// A client's pause before it repeats itself.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long all of it may take.
const BOUND: Duration = Duration::from_secs(180);

/// One add: whose, under which id, how many points.
struct Add {
    customer: String,
    id: String,
    points: u64,
}

impl Add {
    fn number(number: usize) -> Self {
        let customer = if number.is_multiple_of(2) {
            "hot".to_owned()
        } else {
            format!("cool-{}", number / 2 % OTHER_CUSTOMERS)
        };
        Self {
            customer,
            id: format!("add-{number}"),
            points: u64::try_from(number % 7 + 1).expect("a small number"),
        }
    }

    fn call(&self) -> Call {
        let body = format!(r#"{{"id":"{}","points":{}}}"#, self.id, self.points);
        Call::add(&self.customer, body)
    }
}

fn points_are_exact_after_both_were_killed(on: Combination) {
    run(async {
        let mut stack = Stack::start(on);
        let token: Arc<str> = stack.token("acme").into();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut clients = JoinSet::new();
        for first in 0..CLIENTS {
            let adds: Vec<Add> = (first..ADDS).step_by(CLIENTS).map(Add::number).collect();
            let (token, done) = (Arc::clone(&token), Arc::clone(&acknowledged));
            clients.spawn(add_all(stack.address(), adds, token, done));
        }
        let deadline = Instant::now() + BOUND;
        let so_many = |count| wait_for(&acknowledged, count, deadline);

        so_many(GATEWAY_DIES_AFTER).await;
        stack.gateway.process().kill();
        in_the_middle(&acknowledged, "the gateway");
        stack
            .gateway
            .restart()
            .unwrap_or_else(|error| panic!("{on}: {error}"));

        so_many(acknowledged.load(Ordering::SeqCst) + ENGINE_DIES_AFTER).await;
        stack.engine.process().kill();
        in_the_middle(&acknowledged, "the engine");
        stack
            .engine
            .restart()
            .unwrap_or_else(|error| panic!("{on}: {error}"));

        so_many(ADDS).await;
        let mut repeated = 0;
        while let Some(repeats) = clients.join_next().await {
            repeated += repeats.expect("a client's task");
        }
        // Twenty clients were in the middle of something, twice.
        assert!(
            repeated > 0,
            "{on}: no client noticed that anything was killed"
        );
        for (customer, ids) in expected() {
            check(&stack, &token, &customer, &ids).await;
        }
        stack.assert_no_vm_was_reloaded();
    });
}

fn in_the_middle(acknowledged: &AtomicUsize, what: &str) {
    let count = acknowledged.load(Ordering::SeqCst);
    assert!(
        count < ADDS,
        "{what} was killed after the end: all {count} were done"
    );
}

/// Sends every add until it is acknowledged. Returns how often one was repeated.
async fn add_all(to: SocketAddr, adds: Vec<Add>, token: Arc<str>, done: Arc<AtomicUsize>) -> usize {
    let mut client = None;
    let mut repeats = 0;
    for add in adds {
        let call = add.call().bearer(&token);
        while !acknowledged(&mut client, to, &call).await {
            repeats += 1;
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    repeats
}

async fn acknowledged(client: &mut Option<Client>, to: SocketAddr, call: &Call) -> bool {
    if client.is_none() {
        *client = Client::connect(to, Version::Http1).await.ok();
    }
    let Some(connected) = client else {
        return false;
    };
    match connected.send(call).await {
        Ok(answer) if answer.status == 201 => true,
        // Not known to be done, and said to be safe to repeat: the only other answer there may be.
        Ok(answer) => {
            assert_eq!(answer.status, 503, "{}: {}", call.path, answer.brief());
            false
        }
        Err(_) => {
            *client = None;
            false
        }
    }
}

async fn wait_for(acknowledged: &AtomicUsize, count: usize, deadline: Instant) {
    let count = count.min(ADDS);
    while acknowledged.load(Ordering::SeqCst) < count {
        let so_far = acknowledged.load(Ordering::SeqCst);
        assert!(
            Instant::now() < deadline,
            "only {so_far} adds acknowledged after {BOUND:?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Points by id by customer.
fn expected() -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut customers: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for add in (0..ADDS).map(Add::number) {
        customers
            .entry(add.customer)
            .or_default()
            .insert(add.id, add.points);
    }
    customers
}

async fn check(stack: &Stack, token: &str, customer: &str, ids: &BTreeMap<String, u64>) {
    let what = format!("{}: {customer}", stack.combination());
    let mut client = Client::connect(stack.address(), Version::Http1)
        .await
        .expect("connect");
    let answer = client.send(&Call::summary(customer).bearer(token)).await;
    let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(answer.status, 200, "{what}: {}", answer.brief());
    let summary: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let lots = summary["summary"]["addedPointsList"]
        .as_array()
        .expect("a list");
    let found: BTreeMap<String, u64> = lots
        .iter()
        .map(|lot| {
            let id = lot["id"].as_str().expect("an id").to_owned();
            (id, lot["points"].as_u64().expect("points"))
        })
        .collect();
    assert_eq!(lots.len(), found.len(), "{what}: an id is listed twice");
    assert_eq!(&found, ids, "{what}");
    assert_eq!(
        summary["activePoints"].as_u64(),
        Some(ids.values().sum()),
        "{what}"
    );
    let balance = client.send(&Call::balance(customer).bearer(token)).await;
    let balance = balance.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        balance.text(),
        ids.values().sum::<u64>().to_string(),
        "{what}"
    );
}
