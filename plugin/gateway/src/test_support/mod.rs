//! A whole fleet in a test: hosts, workers, an engine and the network between them, under a clock that only the test moves.
//!
//! [`world::World`] drives workers exactly as the filter does. What the network does to a call is a [`fault::Fault`]; what
//! happens next is chosen by the time, or by a test that tries every order.

pub(crate) mod explore;
pub(crate) mod fault;
pub(crate) mod host;
pub(crate) mod large;
pub(crate) mod network;
pub(crate) mod request;
pub(crate) mod world;

use serde_json::{Value, json};

use crate::access::test_support::issuer_json;
use crate::config::Config;

pub(crate) use crate::engine_model as engine;
pub(crate) use request::Request;
pub(crate) use world::World;

/// The one cluster of the tests' configuration.
pub(crate) const CLUSTER: &str = "engine";

/// The configuration of the tests, with these members replaced.
pub(crate) fn config_with(changes: &Value) -> Config {
    let mut document = json!({
        "issuers": [issuer_json()],
        "engine": {"clusters": [CLUSTER]},
        "revocation": {"from_engine": false},
        "decision_log": {"lines": "none"},
        "sweep": {"interval_ms": 0},
        "sites": {"main": {}, "yearly": {"validity_in_months": 12}, "monthly": {"validity_in_months": 1}},
    });
    for (name, value) in changes.as_object().expect("an object") {
        document[name] = value.clone();
    }
    Config::parse(document.to_string().as_bytes()).expect("a good configuration")
}

/// The configuration of the tests.
pub(crate) fn config() -> Config {
    config_with(&json!({}))
}
