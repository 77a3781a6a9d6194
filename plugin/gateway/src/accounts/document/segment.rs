//! The history segment: the bytes in which the engine keeps entries that have left an account's document.
//!
//! As strict as the document: canonical when written, refused when read with anything in it that this gateway would not
//! write. Whether segments fit together and meet their account is the ledger's to check.

use std::sync::Arc;

use ledger::Segment;
use prost::Message;

use super::{DocumentError, check_format, proto, read, write};

/// The only format of a segment.
const FORMAT: u32 = 1;

/// The bytes of a segment.
#[must_use]
pub fn encode(segment: &Segment) -> Vec<u8> {
    proto::HistorySegment {
        format: FORMAT,
        generation: segment.generation(),
        first: segment.first(),
        entries: segment.entries().map(write::entry).collect(),
    }
    .encode_to_vec()
}

/// How many bytes an entry takes in a document or a segment, without the few that say how long it is.
#[must_use]
pub fn entry_bytes(entry: &ledger::Entry) -> usize {
    write::entry(entry).encoded_len()
}

/// Reads a segment.
///
/// # Errors
/// The first reason for which it is not one of ours.
pub fn decode(bytes: &[u8]) -> Result<Segment, DocumentError> {
    check_format(bytes, &[FORMAT])?;
    let message = proto::HistorySegment::decode(bytes).map_err(DocumentError::Malformed)?;
    if message.encoded_len() != bytes.len() {
        return Err(DocumentError::UnknownContent);
    }
    let entries = read::numbered(message.entries, message.first)?;
    let entries = entries.into_iter().map(Arc::new).collect();
    Segment::new(message.generation, entries).map_err(DocumentError::Corrupt)
}
