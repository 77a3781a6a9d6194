//! What takes many calls of its own: a list, the history of one account, a look through it.

use bytes::Bytes;

use super::history::{Look, Recall};
use super::job::Progress;
use super::list::List;
use super::placement::Placement;
use crate::engine::Method;

/// One question, carried through as many calls as it takes, one at a time.
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

    /// The place of the cluster that its next call goes to.
    #[must_use]
    pub fn place(&self, placement: Placement) -> usize {
        match self {
            Self::List(list) => list.place(),
            Self::Recall(recall) => placement.of(recall.key()),
            Self::Look(look) => placement.of(look.key()),
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

    /// The call that it waits for. The same bytes every time until an answer is taken.
    #[must_use]
    pub fn next_call(&self) -> (Method, Bytes) {
        match self {
            Self::List(list) => list.next_call(),
            Self::Recall(recall) => recall.next_call(),
            Self::Look(look) => look.next_call(),
        }
    }

    /// Takes the engine's answer to the last call.
    pub fn answered(&mut self, message: Bytes) -> Progress {
        match self {
            Self::List(list) => list.answered(message),
            Self::Recall(recall) => recall.answered(message),
            Self::Look(look) => look.answered(message),
        }
    }

    /// Takes note that the last call came to nothing, before it is repeated.
    pub fn failed(&mut self, grpc_status: u32) {
        match self {
            Self::List(list) => list.failed(grpc_status),
            Self::Recall(recall) => recall.failed(),
            Self::Look(look) => look.failed(),
        }
    }
}
