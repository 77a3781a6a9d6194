//! Restoring an account from facts that were stored: nothing is believed, every invariant is checked again.
//!
//! What a stored document looks like is not known here; only whether the facts in it can have come from `apply`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::entry::is_valid_at;
use crate::{Account, Entry, EntryKind, Identity, Memory, OpenLot, Take, Timestamp, Tombstone};

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
    /// The whole history in the order of writing.
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
    /// Entries are numbered 1, 2, 3, ... in their order.
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
    /// Keys and retired operations stand in the order of their times, none after the last write.
    MemoryOrder,
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
        if parts.opened_by.is_none() && parts.entries.is_empty() {
            return Err(Corrupt::Opening);
        }
        check_entries(&parts)?;
        check_lots(&parts)?;
        check_memory(&parts.memory, parts.updated_at)?;
        Ok(Account {
            generation: parts.generation,
            created_at: parts.created_at,
            updated_at: parts.updated_at,
            opened_by: parts.opened_by,
            lots: parts.lots,
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
        check_memory(&parts.memory, parts.updated_at)?;
        Ok(Tombstone {
            generation: parts.generation,
            updated_at: parts.updated_at,
            memory: parts.memory,
        })
    }
}

fn check_entries(parts: &AccountParts) -> Result<(), Corrupt> {
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    ids.extend(parts.opened_by.iter().map(|opening| opening.id.as_str()));
    let mut earlier = parts.created_at;
    for (at, entry) in (1_u64..).zip(&parts.entries) {
        if entry.sequence != at {
            return Err(Corrupt::Sequence { at });
        }
        let recorded = entry.recorded_at;
        if recorded < earlier || recorded > parts.updated_at || entry.created_at > recorded {
            return Err(Corrupt::EntryTime { at });
        }
        earlier = recorded;
        if !ids.insert(entry.identity.id.as_str()) {
            return Err(Corrupt::DuplicateId { at });
        }
    }
    Ok(())
}

/// Compares the open lots with what the history leaves open at the last write.
fn check_lots(parts: &AccountParts) -> Result<(), Corrupt> {
    let replay = Replay::of(&parts.entries)?;
    let expected = replay
        .lots
        .iter()
        .flatten()
        .filter(|lot| lot.left > 0 && is_valid_at(lot.valid_until, parts.updated_at));
    if expected.count() != parts.lots.len() {
        return Err(Corrupt::OpenLots);
    }
    // As many as expected, each one expected, none twice (the order is strict): they are the same.
    let mut earlier: Option<&OpenLot> = None;
    for lot in &parts.lots {
        let leftover = replay.lot(lot.sequence).ok_or(Corrupt::OpenLots)?;
        let is_same = leftover.left == lot.remaining.get()
            && leftover.valid_until == lot.valid_until
            && leftover.entry.created_at == lot.created_at
            && leftover.entry.identity.id == lot.id;
        if !is_same || !lot.is_valid_at(parts.updated_at) {
            return Err(Corrupt::OpenLots);
        }
        if earlier.is_some_and(|e| e.consumption_order() >= lot.consumption_order()) {
            return Err(Corrupt::LotOrder);
        }
        earlier = Some(lot);
    }
    Ok(())
}

/// What the history leaves of a lot.
struct Leftover<'a> {
    entry: &'a Entry,
    valid_until: Option<Timestamp>,
    left: u64,
}

/// The history lived through again, entry by entry.
#[derive(Default)]
struct Replay<'a> {
    /// One element per entry, none where the entry is a redemption.
    lots: Vec<Option<Leftover<'a>>>,
    active: u64,
    /// Which part of `active` ends when.
    expiring: BTreeMap<Timestamp, u64>,
}

impl<'a> Replay<'a> {
    fn of(entries: &'a [Entry]) -> Result<Replay<'a>, Corrupt> {
        let mut replay = Replay::default();
        for entry in entries {
            let at = entry.sequence;
            replay.expire(entry.recorded_at);
            let lot = match &entry.kind {
                EntryKind::Added { valid_until, .. } => Some(replay.add(entry, *valid_until)),
                EntryKind::Redeemed { takes } => {
                    replay.redeem(entry, takes).ok_or(Corrupt::Takes { at })?;
                    None
                }
            };
            replay.lots.push(lot);
            if replay.active != entry.balance_after.get() {
                return Err(Corrupt::BalanceAfter { at });
            }
        }
        Ok(replay)
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(first) = self.expiring.first_entry()
            && !is_valid_at(Some(*first.key()), now)
        {
            self.active = self.active.saturating_sub(first.remove());
        }
    }

    fn add(&mut self, entry: &'a Entry, valid_until: Option<Timestamp>) -> Leftover<'a> {
        let left = entry.points.get();
        if is_valid_at(valid_until, entry.recorded_at) {
            self.active = self.active.saturating_add(left);
            if let Some(end) = valid_until {
                let ending = self.expiring.entry(end).or_default();
                *ending = ending.saturating_add(left);
            }
        }
        Leftover {
            entry,
            valid_until,
            left,
        }
    }

    /// None when the redemption cannot have taken this.
    fn redeem(&mut self, entry: &Entry, takes: &[Take]) -> Option<()> {
        let mut wanted = entry.points.get();
        let mut previous_left = 0_u64;
        for take in takes {
            let lot = self.lots.get_mut(index_of(take.lot)?)?.as_mut()?;
            // A lot is left only when it is empty; so none is visited twice either.
            if !is_valid_at(lot.valid_until, entry.recorded_at) || previous_left > 0 {
                return None;
            }
            let taken = take.points.get();
            lot.left = lot.left.checked_sub(taken)?;
            previous_left = lot.left;
            wanted = wanted.checked_sub(taken)?;
            self.active = self.active.checked_sub(taken)?;
            if let Some(end) = lot.valid_until {
                let ending = self.expiring.get_mut(&end)?;
                *ending = ending.checked_sub(taken)?;
            }
        }
        (wanted == 0).then_some(())
    }

    fn lot(&self, sequence: u64) -> Option<&Leftover<'a>> {
        self.lots.get(index_of(sequence)?)?.as_ref()
    }
}

fn index_of(sequence: u64) -> Option<usize> {
    usize::try_from(sequence.checked_sub(1)?).ok()
}

fn check_memory(memory: &Memory, updated_at: Timestamp) -> Result<(), Corrupt> {
    let keys = memory.keys.iter().map(|used| used.at);
    let retired = memory.retired.iter().map(|retired| retired.at);
    let is_ordered =
        keys.chain([updated_at]).is_sorted() && retired.chain([updated_at]).is_sorted();
    is_ordered.then_some(()).ok_or(Corrupt::MemoryOrder)
}
