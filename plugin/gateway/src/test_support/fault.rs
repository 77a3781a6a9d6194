//! What a network and an engine can do to one call.

use bytes::Bytes;
use etcd_wire::{RangeResponse, ResponseHeader, TxnResponse};
use prost::Message;

/// What becomes of one call. Times are in milliseconds from the moment at which the call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: the call is carried out and answered.
    None,
    /// The engine never sees the call, and the caller is told at once.
    NotDelivered,
    /// The engine carries the call out; its answer never comes.
    AnswerLost,
    /// The engine carries the call out; its answer comes after the caller has given the call up.
    AnswerLate,
    /// The engine carries the call out and answers twice.
    AnswerTwice,
    /// The caller gives the call up; the engine carries it out only now.
    DeliveredAfter(i64),
    /// The engine carries the call out and answers, and carries it out once more now.
    DeliveredAgainAfter(i64),
    /// The engine carries the call out, and the answer is this instead.
    Malformed(Nonsense),
    /// The engine refuses with this gRPC status and does nothing.
    Refused(u32),
}

/// Answers with status 0 that are no answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nonsense {
    /// No bytes.
    Empty,
    /// Bytes that are no message.
    Garbage,
    /// A message that says only that the store exists, of either kind.
    Hollow,
    /// More to come, and nothing there.
    MoreOfNothing,
}

impl Nonsense {
    pub(crate) fn bytes(self) -> Bytes {
        let header = Some(ResponseHeader {
            revision: 1_000_000,
            ..ResponseHeader::default()
        });
        match self {
            Self::Empty => Bytes::new(),
            Self::Garbage => Bytes::from_static(b"\xff\xff\xff"),
            Self::Hollow => TxnResponse {
                header,
                succeeded: true,
                responses: Vec::new(),
            }
            .encode_to_vec()
            .into(),
            Self::MoreOfNothing => RangeResponse {
                header,
                more: true,
                ..RangeResponse::default()
            }
            .encode_to_vec()
            .into(),
        }
    }
}

/// The gRPC status of a call that ran out of time.
pub(crate) const DEADLINE_EXCEEDED: u32 = 4;

/// The gRPC status of a call that could not be made.
pub(crate) const UNAVAILABLE: u32 = 14;
