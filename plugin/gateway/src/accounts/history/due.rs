//! Which entries leave a document, and how they are cut into segments.
//!
//! Where a segment ends depends on the entries alone, never on how many of them a gateway happens to see: all gateways cut
//! the same history at the same places.

use ledger::{Account, Entry, EntryKind, Segment};

/// Entries of one segment at most.
pub const SEGMENT_ENTRIES: usize = 64;

/// Bytes of one segment's entries at most, unless it is one entry alone.
pub const SEGMENT_BYTES: usize = 16 * 1024;

/// Newest entries that stay in the document while they are small: a retry finds its operation there without a look into
/// segments.
pub const KEPT_ENTRIES: usize = 32;

/// Bytes of entries that may stay in the document whatever their number.
pub const TAIL_BYTES: usize = SEGMENT_BYTES;

/// Segments that one write may put: a document from a time when nothing left it gets smaller from write to write.
pub const MAX_SEGMENTS_A_WRITE: usize = 4;

/// What an entry takes at most besides its texts and takes.
const ENTRY_BYTES: usize = 96;

/// What one take of a redemption takes at most.
const TAKE_BYTES: usize = 20;

/// The segments that the account's oldest entries are to be moved into before its next document is written, oldest first;
/// none most of the time. `account` is as a document says it is that the engine held, with no change of its own.
#[must_use]
pub fn due(account: &Account) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    if next_cut(account).is_none() {
        return segments;
    }
    let mut account = account.clone();
    while segments.len() < MAX_SEGMENTS_A_WRITE {
        let Some(count) = next_cut(&account) else {
            break;
        };
        let Some(segment) = account.oldest(count) else {
            break;
        };
        match account.clone().archive(&segment) {
            Ok(shorter) => account = shorter,
            Err(_) => break,
        }
        segments.push(segment);
    }
    segments
}

/// How many entries the next segment has, if it is due.
fn next_cut(account: &Account) -> Option<usize> {
    let weights = account.entries().map(weight);
    let all = weights
        .clone()
        .fold(0_usize, |sum, weight| sum.saturating_add(weight));
    let is_long = account.entries().len() >= SEGMENT_ENTRIES.saturating_add(KEPT_ENTRIES);
    if !is_long && all <= TAIL_BYTES {
        return None;
    }
    let mut bytes = 0_usize;
    for (count, weight) in weights.enumerate() {
        bytes = bytes.saturating_add(weight);
        if count > 0 && (count == SEGMENT_ENTRIES || bytes > SEGMENT_BYTES) {
            return Some(count);
        }
    }
    None
}

/// At least the bytes that an entry takes where it is stored.
pub(super) fn weight(entry: &Entry) -> usize {
    let description = entry.description.as_ref().map_or(0, |it| it.as_str().len());
    let kind = match &entry.kind {
        EntryKind::Added { reference_id, .. } => {
            reference_id.as_ref().map_or(0, |it| it.as_str().len())
        }
        EntryKind::Redeemed { takes } => takes.len().saturating_mul(TAKE_BYTES),
    };
    ENTRY_BYTES
        .saturating_add(entry.identity.id.as_str().len())
        .saturating_add(description)
        .saturating_add(kind)
}
