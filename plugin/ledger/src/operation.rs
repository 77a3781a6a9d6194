//! What can be asked of an account, and how an operation is told from its own repetition.
//!
//! Every operation carries a mark. Digests in it are opaque here: whoever makes them decides what they cover, and only
//! equality counts. Whether a mark is already known is decided in `memory`.

use crate::{Description, EntryId, Points, ReferenceId, Timestamp};

/// A digest of a request: its operation kind and everything of its payload that has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// A digest of an idempotency key together with the operation kind it was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest(pub [u8; 16]);

/// Who an operation is: its id, and for an id chosen by the client the fingerprint of its request.
///
/// Two identities are the same operation when both parts are equal. An id without fingerprint was generated, at random,
/// for one operation: the same one seen twice is our own write, sent again after an unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The id of the entry that the operation writes, if it writes one.
    pub id: EntryId,
    /// None when the id was generated.
    pub fingerprint: Option<Fingerprint>,
}

impl Identity {
    /// An id that was generated for this one operation.
    pub fn generated(id: EntryId) -> Identity {
        Identity {
            id,
            fingerprint: None,
        }
    }

    /// An id that the client chose, with the fingerprint of its request.
    pub fn given(id: EntryId, fingerprint: Fingerprint) -> Identity {
        Identity {
            id,
            fingerprint: Some(fingerprint),
        }
    }
}

/// An idempotency key and the request that it was sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyUse {
    /// Which key.
    pub digest: KeyDigest,
    /// Which request.
    pub request: Fingerprint,
}

/// All by which an operation is recognised when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperationMark {
    /// Its id, always present.
    pub identity: Identity,
    /// The idempotency key that came with it, if any.
    pub key: Option<KeyUse>,
}

/// Points to be added.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewLot {
    /// A label for the reader.
    pub reference_id: Option<ReferenceId>,
    /// A text for the reader.
    pub description: Option<Description>,
    /// How many points.
    pub points: Points,
    /// When the lot counts as created, at most now; none means now. Set only where backdating is allowed.
    pub created_at: Option<Timestamp>,
    /// The first moment at which the lot no longer counts; in the past it makes an expired lot.
    pub valid_until: Option<Timestamp>,
    /// The site's setting, used when `valid_until` is none; none here too means that the lot never expires.
    pub validity_months: Option<u32>,
}

/// Points to be redeemed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redemption {
    /// A text for the reader.
    pub description: Option<Description>,
    /// How many points, at most the active balance.
    pub points: Points,
    /// When the redemption counts as created, at most now; none means now. Set only where backdating is allowed.
    pub created_at: Option<Timestamp>,
}

/// One write on one customer's account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Opens the account, with a first lot or empty. The mark's id becomes the id of the first lot's entry.
    Create {
        /// By which the operation is recognised.
        mark: OperationMark,
        /// The first lot.
        start: Option<NewLot>,
    },
    /// Adds a lot; opens the account when there is none.
    Add {
        /// By which the operation is recognised; its id becomes the entry's.
        mark: OperationMark,
        /// What is added.
        lot: NewLot,
    },
    /// Takes points out of the open lots.
    Redeem {
        /// By which the operation is recognised; its id becomes the entry's.
        mark: OperationMark,
        /// What is redeemed.
        redemption: Redemption,
    },
    /// Removes the account with its history.
    Delete {
        /// By which the operation is recognised.
        mark: OperationMark,
    },
}

impl Operation {
    /// By which the operation is recognised.
    pub fn mark(&self) -> &OperationMark {
        match self {
            Operation::Create { mark, .. }
            | Operation::Add { mark, .. }
            | Operation::Redeem { mark, .. }
            | Operation::Delete { mark } => mark,
        }
    }
}
