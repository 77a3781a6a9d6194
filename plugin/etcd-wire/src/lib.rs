//! The messages of the four etcd v3 calls that the gateway speaks, and their method names.
//!
//! Only data: who sends what, and when, is decided in `gateway`; who answers is `engine` or a real etcd.

#[allow(
    missing_docs,
    reason = "generated; the messages are documented in proto/etcd.proto"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
}

pub use generated::*;

/// The gRPC service that holds [`RANGE`] and [`TXN`].
pub const KV: &str = "etcdserverpb.KV";
/// Method of [`KV`]: read one key or a range of keys.
pub const RANGE: &str = "Range";
/// Method of [`KV`]: compare, then one of two lists of operations, as one step.
pub const TXN: &str = "Txn";

/// The gRPC service that holds [`WATCH`].
pub const WATCH_SERVICE: &str = "etcdserverpb.Watch";
/// Method of [`WATCH_SERVICE`]: a stream of requests to watch, answered by a stream of what happened.
pub const WATCH: &str = "Watch";
