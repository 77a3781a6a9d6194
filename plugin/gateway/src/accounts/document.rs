//! The account document: the bytes in which the engine keeps one customer's account.
//!
//! Writing is canonical: the same state always gives the same bytes. Reading is strict: a document of another format, with
//! anything in it that this gateway would not write back, with a part missing, or with facts that the ledger's rules
//! cannot have produced is refused with the reason. Nothing is repaired. What the facts mean is the ledger's to know;
//! where the bytes are kept is the caller's.

mod fields;
mod read;
pub mod segment;
#[cfg(test)]
mod tests;
mod uuid;
mod wire;
mod write;

use std::fmt;

use ledger::{Corrupt, Record, State};

use self::read::Stored;
use self::wire::Reader;

/// The messages of `proto/account.proto`, as a library reads and writes them.
#[cfg(test)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/rewardpoints.v1.rs"));
}

/// The most bytes that a document may have: a batch of writes has to stay within what the engine takes in one request,
/// 1.5 MiB for etcd. Only open lots and what is remembered for a day bring a document near it; history moves into segments
/// long before.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// What only redemptions may use of [`MAX_DOCUMENT_BYTES`]: an account whose document is full can be used up. It holds
/// the newest entries, a redemption from many lots and the keys of some hundred requests.
pub const REDEEM_RESERVE_BYTES: usize = 64 * 1024;

/// The format that is written.
const FORMAT: u64 = 2;

/// The format before it, which is read as well: no history has left such a document.
const WHOLE_FORMAT: u64 = 1;

/// The first byte of a document: the tag of `format`.
const FORMAT_TAG: u8 = 0x08;

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// It stands under a key that is no account's.
    ForeignKey,
    /// The document does not begin with a format version.
    NoFormat,
    /// The document is of another format, probably written by a newer gateway.
    UnknownFormat {
        /// Its version.
        found: u64,
    },
    /// The bytes are not the message that the format says: why.
    Malformed(&'static str),
    /// The document has something in it that would be lost if it was written again.
    UnknownContent,
    /// A part is missing.
    Missing(&'static str),
    /// A value is outside its bounds.
    OutOfBounds(&'static str),
    /// The facts break an invariant of the ledger.
    Corrupt(Corrupt),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DocumentError::ForeignKey => write!(f, "document under a key that is no account's"),
            DocumentError::NoFormat => write!(f, "account document without a format version"),
            DocumentError::UnknownFormat { found } => {
                write!(f, "account document of unknown format {found}")
            }
            DocumentError::Malformed(error) => write!(f, "malformed account document: {error}"),
            DocumentError::UnknownContent => write!(f, "account document with unknown content"),
            DocumentError::Missing(part) => write!(f, "account document without {part}"),
            DocumentError::OutOfBounds(part) => {
                write!(f, "account document with {part} out of bounds")
            }
            DocumentError::Corrupt(broken) => write!(f, "corrupt account document: {broken}"),
        }
    }
}

impl std::error::Error for DocumentError {}

/// The document of an account or of its tombstone. Its size is for the caller to judge, by [`MAX_DOCUMENT_BYTES`].
#[must_use]
pub fn encode(record: &Record) -> Vec<u8> {
    write::record(record)
}

/// Whether a document is an account's, not a tombstone's. Looks no further: cheaper than [`decode`], for counting.
///
/// # Errors
/// As for [`decode`], of what has to be looked at.
pub fn is_live(bytes: &[u8]) -> Result<bool, DocumentError> {
    check_format(bytes, &[FORMAT, WHOLE_FORMAT])?;
    Ok(matches!(read::stored(bytes)?, Stored::Live(_)))
}

/// The life and the newest entry up to which an account's history is in segments, if any of it is. Looks no further.
///
/// # Errors
/// As for [`decode`], of what has to be looked at.
pub fn archived(bytes: &[u8]) -> Result<Option<(u64, u64)>, DocumentError> {
    check_format(bytes, &[FORMAT, WHOLE_FORMAT])?;
    let Stored::Live(live) = read::stored(bytes)? else {
        return Ok(None);
    };
    let outline = read::outline(live)?;
    let archived = outline.archived.map(|archived| archived.sequence);
    Ok(archived.map(|archived| (outline.generation, archived)))
}

/// Which lives a document tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lives {
    /// An account in a life that began where nothing was known of an earlier one.
    First,
    /// An account in a later life.
    Later {
        /// The life that it is in.
        generation: u64,
        /// The ended lives of which history is remembered, by generation, each with its end in milliseconds since 1970.
        remembered: Vec<(u64, i64)>,
    },
    /// A tombstone.
    Ended,
}

/// Which lives a document tells of. Looks no further: cheaper than [`decode`].
///
/// # Errors
/// As for [`decode`], of what has to be looked at.
pub fn lives(bytes: &[u8]) -> Result<Lives, DocumentError> {
    check_format(bytes, &[FORMAT, WHOLE_FORMAT])?;
    let Stored::Live(live) = read::stored(bytes)? else {
        return Ok(Lives::Ended);
    };
    let outline = read::outline(live)?;
    if !ledger::is_later_life(outline.generation, outline.created_at) {
        return Ok(Lives::First);
    }
    let histories = outline.histories.iter();
    let remembered = histories.map(|history| (history.generation, history.at.as_millis()));
    Ok(Lives::Later {
        generation: outline.generation,
        remembered: remembered.collect(),
    })
}

/// Reads a document.
///
/// # Errors
/// The first reason for which it is not one of ours.
pub fn decode(bytes: &[u8]) -> Result<State, DocumentError> {
    check_format(bytes, &[FORMAT, WHOLE_FORMAT])?;
    read::state(bytes)
}

/// In any form: what is of another format is told by its number.
fn check_format(bytes: &[u8], known: &[u64]) -> Result<(), DocumentError> {
    let Some((&FORMAT_TAG, rest)) = bytes.split_first() else {
        return Err(DocumentError::NoFormat);
    };
    match Reader::new(rest).any_varint() {
        Some(found) if known.contains(&found) => Ok(()),
        Some(found) => Err(DocumentError::UnknownFormat { found }),
        None => Err(DocumentError::NoFormat),
    }
}
