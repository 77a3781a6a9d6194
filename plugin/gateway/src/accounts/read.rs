//! Reading one account: one linearizable read, and its segments when the whole history is wanted.
//!
//! The document decides what the history is, its segments never change: they can be read after it, at any revision.

use bytes::Bytes;
use ledger::{Account, State};

use super::document;
use super::history::{Walk, whole};
use super::job::{Corrupt, Outcome, Progress};
use super::keys::{AccountKey, HistoryKeys};
use crate::engine::{Method, StoreId, read_document, read_one};

/// Bytes of segments that one summary may have, about 300,000 usual entries. Decoded and written out they take some ten
/// times as much, of which a VM does one at a time.
pub const MAX_HISTORY_BYTES: usize = 32 * 1024 * 1024;

/// What is wanted of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The account as its document says it is.
    Account,
    /// All its entries as well.
    History,
}

/// A read of one account.
#[derive(Debug)]
pub struct Read {
    key: AccountKey,
    wanted: Wanted,
    walk: Option<Walking>,
}

/// The history, read so far.
#[derive(Debug)]
struct Walking {
    account: Account,
    walk: Walk,
    segments: Vec<Bytes>,
    bytes: usize,
}

impl Read {
    /// Reads the account under `key`.
    #[must_use]
    pub const fn new(key: AccountKey, wanted: Wanted) -> Self {
        Self {
            key,
            wanted,
            walk: None,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.walk.as_ref().map_or(0, |walking| walking.bytes)
    }

    pub(super) fn next_call(&self) -> (Method, Bytes) {
        match &self.walk {
            None => (Method::Range, read_one(self.key.as_bytes())),
            Some(walking) => walking.walk.next_call(),
        }
    }

    pub(super) fn answered(&mut self, message: Bytes, store: &mut Option<StoreId>) -> Progress {
        if self.walk.is_some() {
            return self.walked(message);
        }
        let Ok(found) = read_document(self.key.as_bytes(), message) else {
            return Progress::Senseless;
        };
        *store = Some(found.store);
        let Some(found) = found.document else {
            return Progress::Done(Outcome::Read(None));
        };
        match document::decode(&found.value) {
            Ok(State::Live(account)) => self.found(account),
            Ok(State::Absent | State::Erased(_)) => Progress::Done(Outcome::Read(None)),
            Err(error) => self.corrupt(error),
        }
    }

    /// Asks for less after a failed call.
    pub(super) fn failed(&mut self) {
        if let Some(walking) = &mut self.walk {
            walking.walk.failed();
        }
    }

    fn found(&mut self, account: Account) -> Progress {
        match (self.wanted, account.archived().copied()) {
            (Wanted::Account, _) => Progress::Done(Outcome::Read(Some(Box::new(account)))),
            (Wanted::History, None) => self.complete(account, &[]),
            (Wanted::History, Some(archived)) => {
                let keys = HistoryKeys::of(&self.key);
                let walk = Walk::new(&keys, account.generation(), 1, archived.sequence);
                self.walk = Some(Walking {
                    account,
                    walk,
                    segments: Vec::new(),
                    bytes: 0,
                });
                Progress::Call
            }
        }
    }

    fn walked(&mut self, message: Bytes) -> Progress {
        let Some(walking) = &mut self.walk else {
            return Progress::Senseless;
        };
        let Ok(page) = walking.walk.answered(message) else {
            return Progress::Senseless;
        };
        for segment in page.segments {
            walking.bytes = walking.bytes.saturating_add(segment.len());
            walking.segments.push(segment);
        }
        if walking.bytes > MAX_HISTORY_BYTES {
            return Progress::Done(Outcome::HistoryTooLong);
        }
        if page.more {
            return Progress::Call;
        }
        match self.walk.take() {
            Some(walking) => self.complete(walking.account, &walking.segments),
            None => Progress::Senseless,
        }
    }

    fn complete(&self, account: Account, segments: &[Bytes]) -> Progress {
        match whole(account, segments) {
            Ok(history) => Progress::Done(Outcome::History(Box::new(history))),
            Err(error) => self.corrupt(error),
        }
    }

    fn corrupt(&self, error: document::DocumentError) -> Progress {
        Progress::Done(Outcome::Corrupt(Corrupt::new(self.key.as_bytes(), error)))
    }
}
