//! Reading one account: one linearizable read.

use bytes::Bytes;
use ledger::State;

use super::document;
use super::job::{Corrupt, Outcome, Progress};
use super::keys::AccountKey;
use crate::engine::{Method, StoreId, read_document, read_one};

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

    pub(super) fn answered(&self, message: Bytes, store: &mut Option<StoreId>) -> Progress {
        let Ok(found) = read_document(self.key.as_bytes(), message) else {
            return Progress::Senseless;
        };
        *store = Some(found.store);
        let Some(found) = found.document else {
            return Progress::Done(Outcome::Read(None));
        };
        Progress::Done(match document::decode(&found.value) {
            Ok(State::Live(account)) => Outcome::Read(Some(Box::new(account))),
            Ok(State::Absent | State::Erased(_)) => Outcome::Read(None),
            Err(error) => Outcome::Corrupt(Corrupt::new(self.key.as_bytes(), error)),
        })
    }
}
