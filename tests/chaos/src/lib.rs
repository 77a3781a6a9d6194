//! Chaos on real processes: three members of etcd and two Envoys are killed, frozen, drained, filled up and cut off while
//! clients add, redeem and read, and every operation and every read is held against the clients' own books.
//!
//! It decides what is done ([`run`]) and what must hold all the while and at the end; it refuses to know how a gateway
//! works: it sees the API, the members' documents and the processes. No figure is judged, only what may never be:
//! something lost, doubled, invented, overdrawn, older than promised, or acknowledged by a minority.

mod board;
mod books;
mod client;
mod connection;
mod disk;
mod faults;
mod live;
mod network;
mod report;
mod run;
mod stage;
mod summary;
mod verify;
mod world;

use std::time::Duration;

pub use network::Links;
pub use report::Report;
pub use run::{Plan, run};

/// How many gateways there are.
const GATEWAYS: usize = 2;
/// How many members of etcd there are.
const MEMBERS: usize = 3;
/// The gateways' setting: how old an answer may be.
const MAX_STALENESS: Duration = Duration::from_secs(1);
/// The gateways' setting: how old an answer may be that says that it is stale.
const STALE_IF_ERROR: Duration = Duration::from_secs(10);

/// Whether there is no process with that id (any more).
fn is_gone(pid: u32) -> bool {
    !std::path::Path::new("/proc").join(pid.to_string()).exists()
}

/// What a gateway is called.
fn gateway_name(gateway: usize) -> &'static str {
    ["envoy-a", "envoy-b"].get(gateway).unwrap_or(&"no envoy")
}
