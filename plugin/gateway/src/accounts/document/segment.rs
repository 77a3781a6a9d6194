//! The history segment: the bytes in which the engine keeps entries that have left an account's document.
//!
//! As strict as the document: canonical when written, refused when read with anything in it that this gateway would not
//! write. Whether segments fit together and meet their account is the ledger's to check.

use ledger::Segment;

use super::{DocumentError, check_format, read, write};

/// The only format of a segment.
const FORMAT: u64 = 1;

/// The bytes of a segment.
#[must_use]
pub fn encode(segment: &Segment) -> Vec<u8> {
    write::segment(FORMAT, segment)
}

/// How many bytes an entry takes in a document or a segment, without the few that say how long it is.
#[must_use]
pub fn entry_bytes(entry: &ledger::Entry) -> usize {
    write::entry(entry).len()
}

/// Reads a segment.
///
/// # Errors
/// The first reason for which it is not one of ours.
pub fn decode(bytes: &[u8]) -> Result<Segment, DocumentError> {
    check_format(bytes, &[FORMAT])?;
    read::segment(bytes)
}
