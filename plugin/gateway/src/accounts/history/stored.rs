//! An account's document with the segments that it refers to, as they came from the engine.
//!
//! Encoded: decoded they take several times the memory.

use bytes::Bytes;
use ledger::{Account, History, Segment, State};

use crate::accounts::document::{self, DocumentError, segment};

/// A document and its segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The account's document.
    pub document: Bytes,
    /// Its segments, in the order of their entries.
    pub segments: Vec<Bytes>,
}

impl Stored {
    /// The account with its whole history.
    ///
    /// # Errors
    /// The first reason for which it cannot be read, or for which document and segments do not fit together.
    pub fn history(&self) -> Result<History, DocumentError> {
        match document::decode(&self.document)? {
            State::Live(account) => whole(account, &self.segments),
            State::Absent | State::Erased(_) => Err(DocumentError::ForeignKey),
        }
    }
}

/// The account with its whole history, of which `segments` are what has left it.
///
/// # Errors
/// As for [`Stored::history`].
pub fn whole(account: Account, segments: &[Bytes]) -> Result<History, DocumentError> {
    let segments = segments.iter().map(|bytes| segment::decode(bytes));
    let segments: Vec<Segment> = segments.collect::<Result<_, _>>()?;
    History::new(account, segments).map_err(DocumentError::Corrupt)
}
