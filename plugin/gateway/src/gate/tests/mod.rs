//! The gate as requests meet it: through whole workers, under a clock that only the test moves, with a key server that
//! does what the test says.

mod budget;
mod deny_list;
mod keys;
mod memory;

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::{Fetch, Fetched};
use crate::access::Algorithm;
use crate::access::test_support::{ISSUER, NOW_SECONDS, claims_with, jwk, sign};
use crate::host::Counter;
use crate::test_support::world::Asked;
use crate::test_support::{Request, World, config_with};

/// The key set that the issuer publishes, and how it answers.
#[derive(Clone)]
struct KeyServer(Rc<RefCell<Served>>);

struct Served {
    status: u16,
    body: Vec<u8>,
    after_ms: i64,
    fetches: usize,
}

impl KeyServer {
    fn publishing(kids: &[&str]) -> Self {
        let served = Served {
            status: 200,
            body: Vec::new(),
            after_ms: 5,
            fetches: 0,
        };
        let server = Self(Rc::new(RefCell::new(served)));
        server.publish(kids);
        server
    }

    /// One Ed25519 key under each of these names.
    fn publish(&self, kids: &[&str]) {
        let key = |kid: &&str| {
            let mut key = jwk(Algorithm::EdDsa);
            key["kid"] = json!(kid);
            key
        };
        let keys: Vec<Value> = kids.iter().map(key).collect();
        self.answer(200, json!({ "keys": keys }).to_string());
    }

    fn answer(&self, status: u16, body: impl Into<Vec<u8>>) {
        let mut served = self.0.borrow_mut();
        served.status = status;
        served.body = body.into();
    }

    fn answer_after(&self, ms: i64) {
        self.0.borrow_mut().after_ms = ms;
    }

    fn fetches(&self) -> usize {
        self.0.borrow().fetches
    }

    fn fetch(&self, fetch: &Fetch) -> (i64, Fetched) {
        assert_eq!(fetch.cluster, "login");
        assert_eq!(fetch.authority, "login.test");
        assert_eq!(fetch.path, "/keys?all=1");
        let mut served = self.0.borrow_mut();
        served.fetches += 1;
        let answer = Fetched::Answer {
            status: served.status,
            body: served.body.clone().into(),
        };
        (served.after_ms, answer)
    }
}

/// The configuration of an issuer whose keys are fetched.
fn fetching(changes: &Value) -> Value {
    let mut uri = json!({
        "cluster": "login",
        "uri": "https://login.test/keys?all=1",
        "timeout_ms": 1000,
        "refresh_seconds": 100,
        "refetch_seconds": 5,
        "max_age_seconds": 1000,
    });
    for (name, value) in changes.as_object().expect("an object") {
        uri[name] = value.clone();
    }
    json!({"issuers": [{"issuer": ISSUER, "algorithms": ["EdDSA"], "jwks_uri": uri}]})
}

/// A gateway of so many workers over that server.
fn world(workers: usize, config: &Value, server: &KeyServer) -> World {
    let mut world = World::new(config_with(config), &[workers]);
    let server = server.clone();
    world.key_server = Box::new(move |fetch| server.fetch(fetch));
    world
}

/// A token with that key id.
fn token(kid: &str, changes: Value) -> String {
    let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
    let mut changes = changes;
    if changes.get("exp").is_none() {
        changes["exp"] = json!(NOW_SECONDS + 100_000);
    }
    sign(Algorithm::EdDsa, &header, &claims_with(changes).to_string())
}

/// A balance of somebody who has none: 404 for whoever is let in.
fn read(token: &str) -> Request {
    Request::get("/customer/nobody").bearer(token)
}

/// Lets time pass with all that happens in it, and ticks.
fn run_for(world: &mut World, ms: i64) {
    let until = world.clock.get() + ms;
    world.run_until(until);
}

/// The status of the only reply so far, or nothing.
fn status(world: &World, asked: Asked) -> Option<u16> {
    match world.replies[&asked].as_slice() {
        [] => None,
        [reply] => Some(reply.status),
        more => panic!("several replies: {more:?}"),
    }
}

/// What is answered in the time that a request may be held.
fn settled(world: &mut World, node: usize, request: &Request) -> u16 {
    let asked = world.ask(node, request);
    run_for(world, super::MAX_HOLD_MS + 200);
    status(world, asked).expect("an answer in time")
}

fn counted(world: &World, counter: Counter) -> u64 {
    world
        .nodes
        .iter()
        .map(|node| node.host.counted(counter))
        .sum()
}
