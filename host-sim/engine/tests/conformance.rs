//! The embedded engine and a real etcd answer the same calls with the same answers.
//!
//! Every test starts a fresh pair of servers, makes the same calls to both in the same order, and compares every field
//! that does not say which server answered. etcd is the judge; the code in a row only says what the row is about. Needs
//! an `etcd` on the PATH or in `ETCD`; without one the suite fails.

#[path = "conformance/nesting.rs"]
mod nesting;
#[path = "conformance/reads.rs"]
mod reads;
mod support;
#[path = "conformance/transactions.rs"]
mod transactions;
#[path = "conformance/watches.rs"]
mod watches;

use etcd_wire::{RangeRequest, StatusRequest};
use support::generate::Random;
use support::requests::{all, delete, put};
use support::server::{Call, Outcome, Server};
use tonic::Code;

/// What a row is about, the call, and the code that it ends with.
type Row = (&'static str, Call, Code);

fn row(name: &'static str, call: impl Into<Call>, code: Code) -> Row {
    (name, call.into(), code)
}

/// Makes the calls to both servers, one after the other.
async fn agree(servers: &[Server; 2], rows: Vec<Row>) {
    for (name, call, code) in rows {
        let [ours, theirs] = both(servers, &call).await;
        assert_eq!(ours, theirs, "{name}: engine (left) and etcd (right)");
        assert_eq!(ours.code(), code, "{name}: {ours:?}");
    }
}

async fn both(servers: &[Server; 2], call: &Call) -> [Outcome; 2] {
    [servers[0].call(call).await, servers[1].call(call).await]
}

fn read(base: RangeRequest, change: impl FnOnce(&mut RangeRequest)) -> RangeRequest {
    let mut request = base;
    change(&mut request);
    request
}

/// Revisions 2 to 8: five keys, one rewritten, one deleted.
fn history() -> Vec<Row> {
    let put = |name, key, value| row(name, all([put(key, value)]), Code::Ok);
    vec![
        put("first key", "k/a", "1"),
        put("second key", "k/b", "3"),
        put("third key", "k/c", "2"),
        put("a key outside", "l", "9"),
        put("a key again", "k/a", "4"),
        row("a key removed", all([delete("k/b", "", true)]), Code::Ok),
        put("a fourth key", "k/d", "0"),
    ]
}

#[tokio::test]
async fn random_calls() {
    const CALLS: usize = 1_500;
    let servers = Server::pair().await;
    let mut random = Random::new(0x5eed);
    let mut accepted = 0;
    for number in 0..CALLS {
        let revision = servers[0].running().revision();
        let call = random.call(revision);
        let [ours, theirs] = both(&servers, &call).await;
        assert_eq!(ours, theirs, "call {number}: {call:?}");
        accepted += usize::from(ours.code() == Code::Ok);
    }
    // A generator that produces only refusals would prove nothing.
    assert!(accepted > CALLS / 2, "{accepted} of {CALLS} accepted");
    assert!(servers[0].running().revision() > 200);
}

#[tokio::test]
async fn status() {
    for server in Server::pair().await {
        let server_name = server.name;
        let status = server.maintenance().status(StatusRequest {}).await;
        let status = status.expect("a status").into_inner();
        let header = status.header.expect("a header");
        assert_eq!(header.revision, 1, "{server_name}");
        assert_eq!(status.leader, header.member_id, "{server_name}");
        assert!(header.raft_term >= 1, "{server_name}");
        assert_eq!(status.raft_term, header.raft_term, "{server_name}");
        assert!(status.version.starts_with("3."), "{server_name}");
        assert!(status.db_size > 0, "{server_name}");
        assert!(status.raft_index > 0, "{server_name}");
        assert!(!status.is_learner, "{server_name}");
        assert!(status.errors.is_empty(), "{server_name}");
    }
}
