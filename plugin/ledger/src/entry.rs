//! The history and the lots: plain facts, written once by `apply` and checked as a whole by `parts`.
//!
//! An entry never changes. What is left of a lot is kept apart, in an [`OpenLot`] that says all that redeeming needs, so
//! that no decision ever has to look an old entry up.

use crate::{Balance, Description, EntryId, Identity, Points, ReferenceId, Timestamp};

/// One line of an account's history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its place in the history of this life of the account: 1, 2, 3, ...
    pub sequence: u64,
    /// The operation that wrote it.
    pub identity: Identity,
    /// The now of the write; never runs backwards along the history.
    pub recorded_at: Timestamp,
    /// When it counts as created: `recorded_at`, or earlier when it was backdated.
    pub created_at: Timestamp,
    /// A text for the reader.
    pub description: Option<Description>,
    /// Points added or redeemed.
    pub points: Points,
    /// The active balance right after it.
    pub balance_after: Balance,
    /// Which way the points went.
    pub kind: EntryKind,
}

/// Which way an entry's points went.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A lot was added.
    Added {
        /// A label for the reader.
        reference_id: Option<ReferenceId>,
        /// The first moment at which the lot no longer counts; none: it never expires.
        valid_until: Option<Timestamp>,
    },
    /// Points were taken out of lots.
    Redeemed {
        /// From which lots, in the order of consumption; sums to the entry's points.
        takes: Vec<Take>,
    },
}

/// What a redemption took from one lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Take {
    /// The sequence number of the lot's entry.
    pub lot: u64,
    /// How much was taken.
    pub points: Points,
}

/// A lot with points left, as of the last write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenLot {
    /// The sequence number of the lot's entry.
    pub sequence: u64,
    /// The id of the lot's entry.
    pub id: EntryId,
    /// When the lot counts as created.
    pub created_at: Timestamp,
    /// The first moment at which the lot no longer counts; none: it never expires.
    pub valid_until: Option<Timestamp>,
    /// What is left of it.
    pub remaining: Points,
}

impl OpenLot {
    /// Whether the lot counts at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        is_valid_at(self.valid_until, now)
    }

    /// Lots are consumed in ascending order of this: what expires first, then what is oldest, then by id.
    pub(crate) fn consumption_order(&self) -> (bool, Option<Timestamp>, Timestamp, &EntryId) {
        let never_expires = self.valid_until.is_none();
        (never_expires, self.valid_until, self.created_at, &self.id)
    }
}

/// Whether something valid until `valid_until` still counts at `now`: up to, not including, that millisecond.
pub(crate) fn is_valid_at(valid_until: Option<Timestamp>, now: Timestamp) -> bool {
    valid_until.is_none_or(|end| end > now)
}
