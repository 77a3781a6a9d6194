//! History that leaves an account: the oldest entries go, in one piece, and a checkpoint stays.
//!
//! Only entries that the account itself has can leave it, and only its oldest ones: what is kept elsewhere is always
//! 1, 2, 3, ... without a gap. When they go and where they are kept is not known here. An entry never changes, so a
//! segment that was made from any state of a life of the account is true of that life for ever.

use std::sync::Arc;

use crate::{Account, Balance, Corrupt, Entry, Timestamp};

/// Where the history of an account leaves off elsewhere: the newest entry that has left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Archived {
    /// The entry's sequence number; all up to it have left.
    pub sequence: u64,
    /// The now of the entry's write.
    pub recorded_at: Timestamp,
    /// The active balance right after the entry.
    pub balance_after: Balance,
}

impl Archived {
    fn at(entry: &Entry) -> Archived {
        Archived {
            sequence: entry.sequence,
            recorded_at: entry.recorded_at,
            balance_after: entry.balance_after,
        }
    }
}

/// Entries of one life of an account that follow one another: one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    generation: u64,
    first: u64,
    newest: Archived,
    entries: Vec<Arc<Entry>>,
}

impl Segment {
    /// Entries of the life `generation`, in the order of writing.
    ///
    /// # Errors
    /// The first invariant that they break: none at all, numbers with a gap, times that run backwards.
    pub fn new(generation: u64, entries: Vec<Arc<Entry>>) -> Result<Segment, Corrupt> {
        if generation == 0 {
            return Err(Corrupt::Generation);
        }
        let (Some(oldest), Some(newest)) = (entries.first(), entries.last()) else {
            return Err(Corrupt::Sequence { at: 0 });
        };
        let first = oldest.sequence;
        if first == 0 {
            return Err(Corrupt::Sequence { at: 0 });
        }
        let mut earlier = oldest.recorded_at;
        let mut at = first;
        for entry in &entries {
            if entry.sequence != at || at == u64::MAX {
                return Err(Corrupt::Sequence { at });
            }
            if entry.recorded_at < earlier || entry.created_at > entry.recorded_at {
                return Err(Corrupt::EntryTime { at });
            }
            earlier = entry.recorded_at;
            at = at.saturating_add(1);
        }
        Ok(Segment {
            generation,
            first,
            newest: Archived::at(newest),
            entries,
        })
    }

    /// Which life of the account.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The sequence number of the oldest entry.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The sequence number of the newest entry.
    pub fn last(&self) -> u64 {
        self.newest.sequence
    }

    /// The entries in the order of writing.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> + Clone {
        self.entries.iter().map(|entry| entry.as_ref())
    }

    pub(crate) fn into_entries(self) -> Vec<Arc<Entry>> {
        self.entries
    }
}

/// A segment is not the account's next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotItsNext {
    /// It is of another life, or leaves a gap behind what has left before, or goes on past the account's newest entry:
    /// one of the two is not the newest.
    Elsewhere,
    /// It has other entries than the account has under the same numbers.
    Differs,
}

impl Account {
    /// The account's `count` oldest entries of those that it still holds, as a segment; none when it has fewer or `count`
    /// is 0.
    pub fn oldest(&self, count: usize) -> Option<Segment> {
        let entries = self.entries.get(..count)?;
        Segment::new(self.generation, entries.to_vec()).ok()
    }

    /// The account without the entries of `segment`, which are kept elsewhere from now on. The account itself when they
    /// have left before.
    ///
    /// # Errors
    /// [`NotItsNext`]; the segment is not to be referred to by this account.
    pub fn archive(mut self, segment: &Segment) -> Result<Account, NotItsNext> {
        let left = self.archived.map_or(0, |archived| archived.sequence);
        if segment.generation != self.generation {
            return Err(NotItsNext::Elsewhere);
        }
        if segment.last() <= left {
            return Ok(self);
        }
        let count = segment.entries.len();
        let Some(oldest) = self.entries.get(..count) else {
            return Err(NotItsNext::Elsewhere);
        };
        if Some(segment.first) != left.checked_add(1) {
            return Err(NotItsNext::Elsewhere);
        }
        if oldest != segment.entries {
            return Err(NotItsNext::Differs);
        }
        self.entries.drain(..count);
        self.archived = Some(segment.newest);
        Ok(self)
    }
}
