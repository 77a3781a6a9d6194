//! A stream from the engine, as an effect for the shell to carry out.
//!
//! Only what the gateway needs: one message is sent, at the opening, and from then on it is listened to. A stream is owned
//! by the VM's root context, as a [`super::Call`] is.

use bytes::Bytes;

/// Names one stream for the life of a worker. Never used twice: what comes late on a closed stream finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What to do about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEffect {
    /// Open it, and send this message as its first. A shell that cannot reports it as closed with status 14 (unavailable).
    Open {
        /// Under which name messages and the end come back.
        id: StreamId,
        /// The cluster to open it to.
        cluster: String,
        /// The gRPC service's full name.
        service: &'static str,
        /// The gRPC method's name.
        method: &'static str,
        /// The encoded message.
        message: Bytes,
    },
    /// End it at once. Nothing that comes on it afterwards is wanted, its end included.
    Close {
        /// Which one.
        id: StreamId,
    },
}
