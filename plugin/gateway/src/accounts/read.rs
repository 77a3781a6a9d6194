//! Reading one account: one linearizable read.

use bytes::Bytes;
use ledger::State;

use super::document;
use super::job::{Outcome, Progress};
use super::keys::AccountKey;
use crate::engine::{Method, read_document, read_one};

/// A read of one account.
#[derive(Debug)]
pub struct Read {
    key: AccountKey,
}

impl Read {
    /// Reads the account under `key`.
    #[must_use]
    pub const fn new(key: AccountKey) -> Self {
        Self { key }
    }

    pub(super) fn next_call(&self) -> (Method, Bytes) {
        (Method::Range, read_one(self.key.as_bytes()))
    }

    pub(super) fn answered(&self, message: Bytes) -> Progress {
        let Ok(found) = read_document(message) else {
            return Progress::Senseless;
        };
        let state = found.map_or(Ok(State::Absent), |found| document::decode(&found.value));
        Progress::Done(match state {
            Ok(State::Live(account)) => Outcome::Read(Some(Box::new(account))),
            Ok(State::Absent | State::Erased(_)) => Outcome::Read(None),
            Err(_) => Outcome::Corrupt,
        })
    }
}
