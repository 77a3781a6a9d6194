//! Writing one segment: only where there is none, and taking over the one that is there.
//!
//! Repeating the call is harmless: it finds its own segment.

use ledger::{Account, NotItsNext, Segment};

use crate::accounts::document::{DocumentError, segment};
use crate::accounts::keys::HistoryKeys;
use crate::engine::{Commit, CommitAnswer};

/// A segment on its way into the engine.
#[derive(Debug)]
pub struct Put {
    key: Vec<u8>,
    segment: Segment,
    commit: Commit,
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
        let commit = Commit::new(&key, 0, segment::encode(&segment).into());
        Self {
            key,
            segment,
            commit,
        }
    }

    /// The engine's key of the segment.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The request: the same every time.
    #[must_use]
    pub const fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Takes the answer. `base` is the account whose entries these are, without those of segments before this one. None: it
    /// makes no sense, and the request is to be repeated.
    #[must_use]
    pub fn answered(&self, base: &Account, answer: CommitAnswer) -> Option<Answered> {
        let stands = match answer {
            CommitAnswer::Applied { .. } => return Some(Answered::Kept(self.segment.clone())),
            CommitAnswer::Conflict(found) => found.document?,
        };
        let stands = match segment::decode(&stands.value) {
            Ok(stands) => stands,
            Err(error) => return Some(Answered::Corrupt(error)),
        };
        if stands == self.segment {
            return Some(Answered::Kept(stands));
        }
        let is_its_place = stands.generation() == self.segment.generation()
            && stands.first() == self.segment.first();
        Some(match base.clone().archive(&stands) {
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
