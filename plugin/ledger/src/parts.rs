//! Restoring an account from facts that were stored: nothing is believed, every invariant is checked again.
//!
//! What a stored document looks like is not known here; only whether the facts in it can have come from `apply`.

use std::fmt;
use std::sync::Arc;

use crate::replay::{Facts, check_history};
use crate::{Account, Archived, Entry, Identity, Memory, OpenLot, Timestamp, Tombstone};

/// The facts of a live account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountParts {
    /// Which life of the account this is, from 1.
    pub generation: u64,
    /// The now of the write that began this life.
    pub created_at: Timestamp,
    /// The now of the last write.
    pub updated_at: Timestamp,
    /// The operation that opened the account empty, if it was.
    pub opened_by: Option<Identity>,
    /// The lots that are open, in the order of consumption.
    pub lots: Vec<OpenLot>,
    /// The newest entry that has left the account, if any has.
    pub archived: Option<Archived>,
    /// The history behind `archived`, in the order of writing.
    pub entries: Vec<Entry>,
    /// Keys used lately and operations of earlier lives.
    pub memory: Memory,
}

/// The facts of a deleted account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TombstoneParts {
    /// Which life of the account ended, from 1.
    pub generation: u64,
    /// The now of the deletion.
    pub updated_at: Timestamp,
    /// Keys used lately and operations of the lives that ended.
    pub memory: Memory,
}

/// Which invariant stored facts break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrupt {
    /// Generations count from 1.
    Generation,
    /// The last write cannot come before the first.
    UpdatedBeforeCreated,
    /// Only an account with entries can do without the operation that opened it empty.
    Opening,
    /// Entries are numbered 1, 2, 3, ... in their order, on from those that have left.
    Sequence {
        /// The entry's place, from 1.
        at: u64,
    },
    /// The history cannot run backwards in time, nor leave the account's life; nothing is created in the future.
    EntryTime {
        /// The entry's sequence number.
        at: u64,
    },
    /// Two operations of one life cannot share an id.
    DuplicateId {
        /// The sequence number of the second one.
        at: u64,
    },
    /// A redemption takes exactly its points, from earlier lots that were valid and held as much.
    Takes {
        /// The entry's sequence number.
        at: u64,
    },
    /// The balance after an entry must be that of its lots.
    BalanceAfter {
        /// The entry's sequence number.
        at: u64,
    },
    /// The open lots must be those that the history leaves open.
    OpenLots,
    /// The open lots must stand in the order of consumption.
    LotOrder,
    /// What is remembered stands in the order of its times, none after the last write; histories are those of ended lives.
    MemoryOrder,
    /// Segments follow one another from the first entry of this life up to what has left the account.
    Segments {
        /// Where they do not: the first entry of a segment, or the last of all of them.
        at: u64,
    },
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Corrupt::Generation => write!(f, "the generation is 0"),
            Corrupt::UpdatedBeforeCreated => write!(f, "updated before it was created"),
            Corrupt::Opening => write!(f, "nothing says how the account was opened"),
            Corrupt::Sequence { at } => write!(f, "entry {at} has another sequence number"),
            Corrupt::EntryTime { at } => write!(f, "entry {at} is out of the order of time"),
            Corrupt::DuplicateId { at } => write!(f, "entry {at} has the id of an earlier one"),
            Corrupt::Takes { at } => write!(f, "entry {at} takes what its lots do not have"),
            Corrupt::BalanceAfter { at } => write!(f, "entry {at} has a wrong balance"),
            Corrupt::OpenLots => write!(f, "the open lots are not those of the history"),
            Corrupt::LotOrder => write!(f, "the open lots are out of order"),
            Corrupt::MemoryOrder => write!(f, "remembered operations are out of order"),
            Corrupt::Segments { at } => {
                write!(f, "the segments of its history do not meet at {at}")
            }
        }
    }
}

impl std::error::Error for Corrupt {}

impl Account {
    /// Restores an account.
    ///
    /// # Errors
    /// The first invariant that the facts break.
    pub fn from_parts(parts: AccountParts) -> Result<Account, Corrupt> {
        if parts.generation == 0 {
            return Err(Corrupt::Generation);
        }
        if parts.updated_at < parts.created_at {
            return Err(Corrupt::UpdatedBeforeCreated);
        }
        if parts.opened_by.is_none() && parts.entries.is_empty() && parts.archived.is_none() {
            return Err(Corrupt::Opening);
        }
        check_history(&Facts {
            created_at: parts.created_at,
            updated_at: parts.updated_at,
            opened_by: parts.opened_by.as_ref(),
            lots: &parts.lots,
            archived: parts.archived,
            entries: || parts.entries.iter(),
        })?;
        check_memory(&parts.memory, parts.generation, parts.updated_at)?;
        Ok(Account {
            generation: parts.generation,
            created_at: parts.created_at,
            updated_at: parts.updated_at,
            opened_by: parts.opened_by,
            lots: parts.lots,
            archived: parts.archived,
            entries: parts.entries.into_iter().map(Arc::new).collect(),
            memory: parts.memory,
        })
    }
}

impl Tombstone {
    /// Restores a tombstone.
    ///
    /// # Errors
    /// The first invariant that the facts break.
    pub fn from_parts(parts: TombstoneParts) -> Result<Tombstone, Corrupt> {
        if parts.generation == 0 {
            return Err(Corrupt::Generation);
        }
        let next = parts.generation.saturating_add(1);
        check_memory(&parts.memory, next, parts.updated_at)?;
        Ok(Tombstone {
            generation: parts.generation,
            updated_at: parts.updated_at,
            memory: parts.memory,
        })
    }
}

/// `life` is the generation that has not ended: histories are remembered of earlier ones only.
fn check_memory(memory: &Memory, life: u64, updated_at: Timestamp) -> Result<(), Corrupt> {
    let keys = memory.keys.iter().map(|used| used.at);
    let retired = memory.retired.iter().map(|retired| retired.at);
    let histories = memory.histories.iter().map(|history| history.at);
    let generations = memory.histories.iter().map(|history| history.generation);
    let is_ordered = keys.chain([updated_at]).is_sorted()
        && retired.chain([updated_at]).is_sorted()
        && histories.chain([updated_at]).is_sorted()
        && [0]
            .into_iter()
            .chain(generations)
            .chain([life])
            .is_sorted_by(|earlier, later| earlier < later)
        && memory.histories.iter().all(|history| history.archived > 0);
    is_ordered.then_some(()).ok_or(Corrupt::MemoryOrder)
}
