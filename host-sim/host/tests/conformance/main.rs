//! Answer by answer: the probe filter in this host and in the real Envoy that `$ENVOY` names.
//!
//! What is expected was read off Envoy 1.40; each run proves it again.

mod callouts;
#[path = "../common/mod.rs"]
mod common;
mod fetching;
mod foreign;
mod host_calls;
mod request_ids;
mod requests;
mod transcripts;
mod upstreams;
mod workers;

use common::client::send;
use common::upstream::Upstream;
use common::{Gateway, clusters, gateways};

/// Runs a check on every gateway.
fn on_each(check: impl Fn(&Gateway)) {
    let upstream = Upstream::start();
    for gateway in gateways(&clusters(upstream.address)) {
        eprintln!("on {}", gateway.name());
        check(&gateway);
    }
}

/// What the probe says on a path, asked for with these headers.
fn said(gateway: &Gateway, path: &str, headers: &[(&str, &[u8])]) -> String {
    let answer = send(gateway.address(), "GET", path, headers, b"");
    assert_eq!(answer.status, 200, "{} {path}: {answer:?}", gateway.name());
    answer.body
}
