//! History that does not fit into a document: when it moves into segments, how they are written and read.
//!
//! How an entry moves. The writer has a *base*: a document of the account that the engine itself handed out for this write.
//! One from shared data will not do: after the engine was restored from a backup it may tell of what never was.
//! 1. [`due`] says which of the base's entries move, as segments.
//! 2. Each is put where there is none yet ([`Put`]); one that stands there already is taken over.
//! 3. The next document is computed from the base as always, then told of the segments ([`ledger::Account::archive`]) and
//!    committed with the base's revision as its compare.
//!
//! Why a document never refers to a segment that is not there or is not true:
//! - Entries never change, and a base was the engine's document at its revision, whether or not it still is: its entries are
//!   facts of that life of the account. So a segment is true of its life whoever wrote it and however old the base is by
//!   now; an entry of a commit whose outcome is not known is in no base.
//! - Where a segment begins and ends depends on the entries alone, so gateways that archive at the same time, from the same
//!   base or from different ones, write the same bytes under the same key. One of another version may cut differently; then
//!   its segment is taken over as it is, if it holds what the base holds. None is ever overwritten.
//! - The document is committed after its segments are there. A crash in between leaves a segment that no document refers to:
//!   it lies behind what has been archived, is not read, and is taken over by the next writer.
//! - The commit's compare covers the rest: if another writer archived, wrote or deleted meanwhile, it fails, and the next
//!   document is computed from what stands there. Segments that were put are still true; those that another writer's
//!   document already refers to are passed over ([`ledger::Account::archive`] answers that they have left).
//! - A deletion ends a life, and the life's number is part of every key: what is put late for an ended life is read by none
//!   but those who look for its operations, up to where its own document had referred to.
//!
//! Segments outlive what refers to them: those of an ended life are removed when no tombstone or document remembers it any
//! more (24 hours), and before the tombstone itself goes, see [`crate::sweep`]. Lives are numbered so that none has the number
//! of one before it, even if nothing is remembered of that. Therefore segments can be read at any revision, later than the document's too, and need no pinned one.

mod due;
mod look;
mod put;
mod recall;
mod stored;
#[cfg(test)]
mod tests;
mod walk;

pub use due::{
    KEPT_ENTRIES, MAX_SEGMENTS_A_WRITE, SEGMENT_BYTES, SEGMENT_ENTRIES, TAIL_BYTES, due,
};
pub use look::Look;
pub use put::{Answered, Put};
pub use recall::{MAX_HISTORY_BYTES, Recall};
pub use stored::{Stored, whole};
pub use walk::{Page, Walk};
