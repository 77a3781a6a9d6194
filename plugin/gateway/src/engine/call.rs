//! One unary call to the engine, as an effect for the shell to carry out.

use bytes::Bytes;

/// Names one call for the life of a worker. Never used twice: a late answer finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `etcdserverpb.KV/Range`
    Range,
    /// `etcdserverpb.KV/Txn`
    Txn,
}

impl Method {
    /// The gRPC service's full name.
    #[must_use]
    pub const fn service(self) -> &'static str {
        etcd_wire::KV
    }

    /// The gRPC method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => etcd_wire::RANGE,
            Self::Txn => etcd_wire::TXN,
        }
    }
}

/// A call to make. It is owned by the VM's root, never by the request that waits for it: a client that leaves must not
/// cancel a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Under which name the answer comes back.
    pub id: CallId,
    /// The cluster to call.
    pub cluster: String,
    /// The method to call.
    pub method: Method,
    /// The encoded request message.
    pub message: Bytes,
    /// After how long the shell gives up and reports [`Answer::Unknown`], in milliseconds.
    pub timeout_ms: u32,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// gRPC status 0 with this message.
    Message(Bytes),
    /// Anything else. The engine may or may not have done what was asked.
    Unknown {
        /// The gRPC status, or the shell's own when the call could not be made (14, unavailable).
        grpc_status: u32,
    },
}
