//! Reading the whole history of an account whose document was read: its segments never change, so they can be read after
//! it, at any revision.

use bytes::Bytes;
use ledger::Account;

use super::{Walk, whole};
use crate::accounts::job::{Corrupt, Outcome, Progress};
use crate::accounts::keys::{AccountKey, HistoryKeys};
use crate::engine::Method;

/// Bytes of segments that one summary may have, about 300,000 usual entries. Decoded and written out they take some ten
/// times as much, of which a VM does one at a time.
pub const MAX_HISTORY_BYTES: usize = 32 * 1024 * 1024;

/// A walk through all of an account's segments.
#[derive(Debug)]
pub struct Recall {
    key: AccountKey,
    account: Account,
    walk: Walk,
    segments: Vec<Bytes>,
    bytes: usize,
}

impl Recall {
    /// Reads what has left `account`, the one under `key`; none when nothing has.
    #[must_use]
    pub fn of(key: &AccountKey, account: &Account) -> Option<Self> {
        let archived = account.archived()?;
        let keys = HistoryKeys::of(key);
        Some(Self {
            walk: Walk::new(&keys, account.generation(), 1, archived.sequence),
            key: key.clone(),
            account: account.clone(),
            segments: Vec::new(),
            bytes: 0,
        })
    }

    /// The account whose history is read.
    #[must_use]
    pub const fn key(&self) -> &AccountKey {
        &self.key
    }

    /// Bytes that it holds besides its own small size.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.bytes
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
        for segment in page.segments {
            self.bytes = self.bytes.saturating_add(segment.len());
            self.segments.push(segment);
        }
        if self.bytes > MAX_HISTORY_BYTES {
            return Progress::Done(Outcome::HistoryTooLong);
        }
        if page.more {
            return Progress::Call;
        }
        let segments = std::mem::take(&mut self.segments);
        Progress::Done(match whole(self.account.clone(), &segments) {
            Ok(history) => Outcome::History(Box::new(history)),
            Err(error) => Outcome::Corrupt(Corrupt::new(self.key.as_bytes(), error)),
        })
    }
}
