//! Looking through segments for one operation's id.

use bytes::Bytes;
use ledger::{Looked, Unseen};

use super::Walk;
use crate::accounts::document::{DocumentError, segment};
use crate::accounts::job::{Corrupt, Outcome, Progress};
use crate::accounts::keys::{AccountKey, HistoryKeys};
use crate::engine::Method;

/// A walk through segments, and what was seen on it.
#[derive(Debug)]
pub struct Look {
    key: AccountKey,
    walk: Walk,
    looked: Looked,
}

impl Look {
    /// Looks through what `unseen` says of the account under `key`, with what is known already.
    #[must_use]
    pub fn new(key: AccountKey, unseen: Unseen, looked: Looked) -> Self {
        let keys = HistoryKeys::of(&key);
        Self {
            walk: Walk::new(&keys, unseen.generation, unseen.first, unseen.last),
            key,
            looked,
        }
    }

    /// The account that is looked through.
    #[must_use]
    pub const fn key(&self) -> &AccountKey {
        &self.key
    }

    /// The next call.
    #[must_use]
    pub fn next_call(&self) -> (Method, Bytes) {
        self.walk.next_call()
    }

    /// Asks for less after a failed call.
    pub fn failed(&mut self) {
        self.walk.failed();
    }

    /// Takes the engine's answer to the last call.
    pub fn answered(&mut self, message: Bytes) -> Progress {
        let Ok(page) = self.walk.answered(message) else {
            return Progress::Senseless;
        };
        // An empty answer would be asked for again and again.
        if page.segments.is_empty() {
            return self.corrupt(DocumentError::Missing("history segments"));
        }
        for bytes in page.segments {
            let segment = match segment::decode(&bytes) {
                Ok(segment) => segment,
                Err(error) => return self.corrupt(error),
            };
            if self.looked.look_through(&segment).is_err() {
                return self.corrupt(DocumentError::Missing("a history segment"));
            }
        }
        match page.more {
            true => Progress::Call,
            false => Progress::Looked(Box::new(self.looked.clone())),
        }
    }

    fn corrupt(&self, error: DocumentError) -> Progress {
        Progress::Done(Outcome::Corrupt(Corrupt::new(self.key.as_bytes(), error)))
    }
}
