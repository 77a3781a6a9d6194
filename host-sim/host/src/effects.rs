//! What a VM wants done outside: a list that the driver drains after each call.
//!
//! The host starts no connection, sets no timer and writes to no client by itself, so the same VM runs under real sockets
//! and under simulated time. Answers come back through the methods of [`crate::Vm`], named by the tokens given here.

use crate::abi::LogLevel;
use crate::headers::Headers;
use crate::shared::Registrant;

/// A request over HTTP to a cluster. Its answer is due within `timeout_ms` (0: no limit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// Names the answer.
    pub token: u32,
    /// A cluster that the configuration knows.
    pub cluster: String,
    /// With `:method`, `:path` and `:authority`.
    pub headers: Headers,
    /// May be empty.
    pub body: Vec<u8>,
    /// May be empty.
    pub trailers: Headers,
    /// 0: no limit.
    pub timeout_ms: u32,
}

/// The target of a gRPC call or stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcTarget {
    /// A cluster that the configuration knows.
    pub cluster: String,
    /// Full service name.
    pub service: String,
    /// Method name.
    pub method: String,
    /// Metadata to send first.
    pub metadata: Headers,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Show a line. Lines below the plugin's level never get here.
    Log {
        /// Severity.
        level: LogLevel,
        /// The text, as the module wrote it.
        message: String,
    },
    /// Call [`crate::Vm::tick`] every so often from now on; 0 stops it.
    SetTick {
        /// Milliseconds.
        period_ms: u32,
    },
    /// Call [`crate::Vm::queue_ready`] on that VM, later and never from inside a call.
    QueueReady {
        /// Whom to wake.
        to: Registrant,
        /// Which queue.
        queue: u32,
    },
    /// Send; answer with [`crate::Vm::http_call_response`].
    HttpCall(HttpCall),
    /// Send one message and expect one; answer with [`crate::Vm::grpc_message`] or [`crate::Vm::grpc_closed`].
    GrpcCall {
        /// Odd.
        token: u32,
        /// Where to.
        target: GrpcTarget,
        /// The message, without its frame.
        message: Vec<u8>,
        /// 0: no limit.
        timeout_ms: u32,
    },
    /// Open a stream; it has no time limit.
    GrpcOpen {
        /// Even.
        token: u32,
        /// Where to.
        target: GrpcTarget,
    },
    /// Send a message on an open stream.
    GrpcSend {
        /// Of the stream.
        token: u32,
        /// The message, without its frame.
        message: Vec<u8>,
        /// No more will follow.
        end_stream: bool,
    },
    /// No more messages will be sent on that stream.
    GrpcClose {
        /// Of the stream.
        token: u32,
    },
    /// Drop a call or a stream; nothing about it is to be delivered any more.
    GrpcCancel {
        /// Of the call or stream.
        token: u32,
    },
    /// Pass the request's headers on to its upstream.
    ForwardHeaders {
        /// Of the request.
        stream: u32,
        /// As the module left them.
        headers: Headers,
        /// Neither body nor trailers follow.
        end_stream: bool,
    },
    /// Pass a part of the request's body on.
    ForwardBody {
        /// Of the request.
        stream: u32,
        /// Its bytes.
        data: Vec<u8>,
        /// Nothing follows.
        end_stream: bool,
    },
    /// Pass the request's trailers on.
    ForwardTrailers {
        /// Of the request.
        stream: u32,
        /// As the module left them.
        trailers: Headers,
    },
    /// Send the response's head to the client.
    ResponseHeaders {
        /// Of the request.
        stream: u32,
        /// With `:status`.
        headers: Headers,
        /// Neither body nor trailers follow.
        end_stream: bool,
    },
    /// Send a part of the response's body to the client.
    ResponseBody {
        /// Of the request.
        stream: u32,
        /// Its bytes.
        data: Vec<u8>,
        /// Nothing follows.
        end_stream: bool,
    },
    /// Send the response's trailers to the client.
    ResponseTrailers {
        /// Of the request.
        stream: u32,
        /// As the module left them.
        trailers: Headers,
    },
    /// Break the request off without an answer.
    Reset {
        /// Of the request.
        stream: u32,
    },
    /// The request's context is gone; its number will not come back.
    Finished {
        /// Of the request.
        stream: u32,
    },
    /// The root context has drained and said so.
    Drained,
}
