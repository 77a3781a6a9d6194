//! Writing one segment: only where there is none, and taking over the one that is there.
//!
//! Repeating the call is harmless: it finds its own segment.

use bytes::Bytes;
use ledger::{Account, NotItsNext, Segment};

use crate::accounts::document::{DocumentError, segment};
use crate::accounts::keys::HistoryKeys;
use crate::engine::{CommitAnswer, MalformedAnswer, Method, compare_and_put, read_commit};

/// A segment on its way into the engine.
#[derive(Debug)]
pub struct Put {
    key: Vec<u8>,
    segment: Segment,
    message: Bytes,
}

/// What came of it.
#[derive(Debug)]
pub enum Answered {
    /// The engine holds this segment: a document that is committed from now on may refer to it.
    Kept(Segment),
    /// Another segment stands there, with entries that the base does not know yet: it is not the newest.
    BaseIsOld,
    /// What stands there is not history of this account.
    Corrupt(DocumentError),
}

impl Put {
    /// Puts `segment` of the account whose segments stand under `keys`.
    #[must_use]
    pub fn new(keys: &HistoryKeys, segment: Segment) -> Self {
        let key = keys.segment(segment.generation(), segment.first());
        let message = compare_and_put(&key, 0, segment::encode(&segment).into());
        Self {
            key,
            segment,
            message,
        }
    }

    /// The engine's key of the segment.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The call: the same bytes every time.
    #[must_use]
    pub fn call(&self) -> (Method, Bytes) {
        (Method::Txn, self.message.clone())
    }

    /// Bytes that are held for it.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.message.len()
    }

    /// Reads the answer. `base` is the account whose entries these are, without those of segments before this one.
    ///
    /// # Errors
    /// [`MalformedAnswer`]: the outcome is unknown, and the call is to be repeated.
    pub fn answered(&self, base: &Account, message: Bytes) -> Result<Answered, MalformedAnswer> {
        let stands = match read_commit(&self.key, message)? {
            CommitAnswer::Applied { .. } => return Ok(Answered::Kept(self.segment.clone())),
            CommitAnswer::Conflict(found) => found.document.ok_or(MalformedAnswer)?,
        };
        let stands = match segment::decode(&stands.value) {
            Ok(stands) => stands,
            Err(error) => return Ok(Answered::Corrupt(error)),
        };
        if stands == self.segment {
            return Ok(Answered::Kept(stands));
        }
        let is_its_place = stands.generation() == self.segment.generation()
            && stands.first() == self.segment.first();
        Ok(match base.clone().archive(&stands) {
            _ if !is_its_place => Answered::Corrupt(DocumentError::ForeignKey),
            Ok(_) => Answered::Kept(stands),
            Err(NotItsNext::Elsewhere) => Answered::BaseIsOld,
            Err(NotItsNext::Differs) => {
                let at = stands.first();
                Answered::Corrupt(DocumentError::Corrupt(ledger::Corrupt::Segments { at }))
            }
        })
    }
}
