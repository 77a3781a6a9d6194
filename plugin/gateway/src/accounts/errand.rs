//! What takes many calls of its own: a list, the history of one account, a look through it.

use bytes::Bytes;

use super::history::{Look, Recall};
use super::job::Progress;
use super::list::{Ask, List, STRANDS};
use super::placement::Placement;

/// One question, carried through as many calls as it takes.
#[derive(Debug)]
pub enum Errand {
    /// Lists a tenant's accounts.
    List(Box<List>),
    /// Reads what has left an account's document.
    Recall(Box<Recall>),
    /// Looks through it for an operation's id.
    Look(Box<Look>),
}

impl Errand {
    /// Whether it walks through one account's history.
    #[must_use]
    pub const fn is_walk(&self) -> bool {
        matches!(self, Self::Recall(_) | Self::Look(_))
    }

    /// Whether its time is counted from one answer to the next: a long one takes many. A change is to be told within its own
    /// budget, and its look with it.
    #[must_use]
    pub const fn is_long(&self) -> bool {
        matches!(self, Self::List(_) | Self::Recall(_))
    }

    /// How many calls it may have under way at a time.
    #[must_use]
    pub const fn strands(&self) -> usize {
        match self {
            Self::List(_) => STRANDS,
            Self::Recall(_) | Self::Look(_) => 1,
        }
    }

    /// Bytes that it holds besides its own small size.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::List(list) => list.held_bytes(),
            Self::Recall(recall) => recall.held_bytes(),
            Self::Look(_) => 0,
        }
    }

    /// The call that one of its strands has to make; none while there is nothing to do for it. The same bytes every time
    /// until an answer is taken or it failed.
    #[must_use]
    pub fn next_call(&mut self, strand: usize, placement: Placement) -> Option<Ask> {
        let walk = |key, (method, message)| {
            let place = placement.of(key);
            Some(Ask {
                place,
                method,
                message,
            })
        };
        match self {
            Self::List(list) => list.next_call(strand),
            Self::Recall(recall) => walk(recall.key(), recall.next_call()),
            Self::Look(look) => walk(look.key(), look.next_call()),
        }
    }

    /// Takes the engine's answer to the last call of a strand.
    pub fn answered(&mut self, strand: usize, message: Bytes) -> Progress {
        match self {
            Self::List(list) => list.answered(strand, message),
            Self::Recall(recall) => recall.answered(message),
            Self::Look(look) => look.answered(message),
        }
    }

    /// Takes note that the last call of a strand came to nothing, before it is repeated. [`Progress::Again`], or [`Progress::Senseless`].
    pub fn failed(&mut self, strand: usize, grpc_status: u32) -> Progress {
        match self {
            Self::List(list) => return list.failed(strand, grpc_status),
            Self::Recall(recall) => recall.failed(),
            Self::Look(look) => look.failed(),
        }
        Progress::Senseless
    }
}
