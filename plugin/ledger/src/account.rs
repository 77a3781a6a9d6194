//! The state of one customer's account, and what can be read from it.
//!
//! An [`Account`] comes into being only through `apply` or, from a stored document, through `parts`: both leave its
//! invariants true. Reading never looks at a clock earlier than the last write, so no reading goes back behind it.

use std::sync::Arc;

use crate::{Archived, Balance, Entry, Identity, Memory, OpenLot, Timestamp};

/// The most open lots that an account may have, counting the operations of earlier lives that it still remembers: of what
/// cannot leave an account, all that grows with its use. How many entries it has had is not bounded.
pub const MAX_OPEN_LOTS: usize = 10_000;

/// What there is for one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing, and nothing remembered.
    Absent,
    /// An account.
    Live(Account),
    /// A deleted account, of which some operations are still remembered.
    Erased(Tombstone),
}

impl State {
    /// The now of a write: the clock, but never before the last write. A slow clock cannot revive an expired lot or
    /// reorder the history.
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        match self {
            State::Absent => clock,
            State::Live(account) => clock.max(account.updated_at),
            State::Erased(tombstone) => clock.max(tombstone.updated_at),
        }
    }

    /// The account, when there is one.
    pub fn live(&self) -> Option<&Account> {
        match self {
            State::Live(account) => Some(account),
            State::Absent | State::Erased(_) => None,
        }
    }
}

/// What a write leaves behind: a state that is there to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An account.
    Live(Account),
    /// A deleted account.
    Erased(Tombstone),
}

impl From<Record> for State {
    fn from(record: Record) -> State {
        match record {
            Record::Live(account) => State::Live(account),
            Record::Erased(tombstone) => State::Erased(tombstone),
        }
    }
}

/// The number of a life that begins at `now` where nothing is known of an earlier one: its milliseconds, 1 at least. An
/// earlier life may have been forgotten; whatever may still arrive late of that one bears a smaller number, for it began
/// earlier and each of its successors, numbered by one more, took a write of its own.
pub(crate) fn first_generation(now: Timestamp) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(1).max(1)
}

/// Whether the life with this number that began at `created_at` began over a tombstone: an earlier one may have left history
/// behind.
pub fn is_later_life(generation: u64, created_at: Timestamp) -> bool {
    generation > 1 && generation != first_generation(created_at)
}

/// One life of a customer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub(crate) generation: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) opened_by: Option<Identity>,
    pub(crate) lots: Vec<OpenLot>,
    pub(crate) archived: Option<Archived>,
    // Shared, because a state is cloned for every write and entries never change.
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) memory: Memory,
}

impl Account {
    /// Which life of the account this is: one more after each deletion that is remembered. The first is numbered by its
    /// time, in milliseconds; 1 in accounts from before that rule.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The sequence number of the newest entry; 0 while there is none.
    pub fn sequence(&self) -> u64 {
        let left = self.archived.map_or(0, |archived| archived.sequence);
        self.entries.last().map_or(left, |entry| entry.sequence)
    }

    /// The now of the write that began this life.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The now of the last write.
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The operation that opened the account empty. None when it was opened by its first entry's operation.
    pub fn opened_by(&self) -> Option<&Identity> {
        self.opened_by.as_ref()
    }

    /// The lots with points left that had not expired at the last write, in the order of consumption.
    pub fn lots(&self) -> &[OpenLot] {
        &self.lots
    }

    /// The newest entry that has left the account, if any has.
    pub fn archived(&self) -> Option<&Archived> {
        self.archived.as_ref()
    }

    /// The entries that have not left the account, in the order of writing.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> + Clone {
        self.entries.iter().map(|entry| entry.as_ref())
    }

    /// Keys used lately and operations of earlier lives.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The active points.
    pub fn balance(&self, clock: Timestamp) -> Balance {
        self.active_at(clock.max(self.updated_at))
    }

    /// When the balance changes next if nothing is written: the earliest expiry of a lot that still counts.
    pub fn next_change_at(&self, clock: Timestamp) -> Option<Timestamp> {
        let now = clock.max(self.updated_at);
        let mut valid = self.lots.iter().filter(|lot| lot.is_valid_at(now));
        valid.next().and_then(|lot| lot.valid_until)
    }

    /// The active points, and the time around `clock` for which they are what they are if nothing is written.
    pub fn balance_span(&self, clock: Timestamp) -> BalanceSpan {
        let now = clock.max(self.updated_at);
        let ends = self.lots.iter().filter_map(|lot| lot.valid_until);
        BalanceSpan {
            balance: self.active_at(now),
            // What expired before the last write is not among the lots any more, so without an end there is no earlier
            // reading that would be another.
            since: ends.filter(|end| *end <= now).max(),
            until: self.next_change_at(clock),
        }
    }

    pub(crate) fn active_at(&self, now: Timestamp) -> Balance {
        let valid = self.lots.iter().filter(|lot| lot.is_valid_at(now));
        let sum = valid.fold(0_u64, |sum, lot| sum.saturating_add(lot.remaining.get()));
        // Writes and restoring keep the sum of the open lots within bounds; the maximum is never taken.
        Balance::new(sum).unwrap_or(Balance::MAX)
    }
}

/// A balance that can be told without its account, as long as it holds: from `since` on, and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalanceSpan {
    /// The active points.
    pub balance: Balance,
    /// The latest expiry that is past; none: the balance was this at any earlier clock reading.
    pub since: Option<Timestamp>,
    /// The next expiry; none: nothing changes it but a write.
    pub until: Option<Timestamp>,
}

impl BalanceSpan {
    /// The balance at `clock`; none when its account has to be asked, for it is another then.
    pub fn at(&self, clock: Timestamp) -> Option<Balance> {
        let begun = self.since.is_none_or(|since| since <= clock);
        let ended = self.until.is_some_and(|until| until <= clock);
        (begun && !ended).then_some(self.balance)
    }
}

/// What is left of a deleted account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    pub(crate) generation: u64,
    pub(crate) updated_at: Timestamp,
    pub(crate) memory: Memory,
}

impl Tombstone {
    /// Which life of the account ended.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The now of the deletion.
    pub fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// Keys used lately and operations of the lives that ended.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }
}
