//! What an account remembers of operations besides its history: keys used lately, and operations of earlier lives.
//!
//! The memory outlives a deletion: it passes into the tombstone and on into the next life, so that a late retry of an old
//! write is recognised and revives nothing. It decides what counts as known; what to answer is for `apply`.

use crate::{Identity, KeyUse, OperationMark, Timestamp};

/// How long a used key is remembered after its use, and an operation after the end of its life: 24 hours, in milliseconds.
pub const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

/// An idempotency key that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UsedKey {
    /// The key and its request.
    pub key: KeyUse,
    /// The now of the write.
    pub at: Timestamp,
}

/// An operation of a life of the account that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RetiredOperation {
    /// The operation.
    pub identity: Identity,
    /// The end of that life.
    pub at: Timestamp,
}

/// History that had left the account when its life ended. Whatever keeps it has to keep it as long as it is remembered:
/// the operations in it may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetiredHistory {
    /// Which life of the account ended.
    pub generation: u64,
    /// The newest entry that had left it: 1 at least.
    pub archived: u64,
    /// The end of that life.
    pub at: Timestamp,
}

/// Recent keys and retired operations, each list in ascending order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Keys used in this life and in earlier ones.
    pub keys: Vec<UsedKey>,
    /// Operations of earlier lives, deletions among them, but for those in `histories`.
    pub retired: Vec<RetiredOperation>,
    /// Where the older operations of earlier lives are, by generation.
    pub histories: Vec<RetiredHistory>,
}

impl Memory {
    /// The request that came with this key, while the key is remembered.
    pub(crate) fn request_of(&self, key: &KeyUse, now: Timestamp) -> Option<&KeyUse> {
        let known = |used: &&UsedKey| used.key.digest == key.digest && is_remembered(used.at, now);
        self.keys.iter().rev().find(known).map(|used| &used.key)
    }

    /// Whether this very operation was done in an earlier life.
    pub(crate) fn has_retired(&self, identity: &Identity, now: Timestamp) -> bool {
        let same = |retired: &RetiredOperation| {
            retired.identity == *identity && is_remembered(retired.at, now)
        };
        self.retired.iter().any(same)
    }

    /// This memory without what is too old at `now`, with the key of a write made at `now`.
    pub(crate) fn after_write(&self, mark: &OperationMark, now: Timestamp) -> Memory {
        let mut memory = self.clone();
        memory.keys.retain(|used| is_remembered(used.at, now));
        memory
            .retired
            .retain(|retired| is_remembered(retired.at, now));
        memory
            .histories
            .retain(|history| is_remembered(history.at, now));
        memory
            .keys
            .extend(mark.key.map(|key| UsedKey { key, at: now }));
        memory
    }

    /// Adds an operation, done at `done_at`, of the life that ends at `now`. One with a client's id however old it is: a
    /// retry that comes late finds no account to tell it from a new operation. A generated id comes again only from the
    /// gateway that made it, soon or never.
    pub(crate) fn retire(&mut self, identity: &Identity, done_at: Timestamp, now: Timestamp) {
        if Memory::retires(identity, done_at, now) {
            let identity = identity.clone();
            self.retired.push(RetiredOperation { identity, at: now });
        }
    }

    /// Whether an operation, done at `done_at`, of a life that ended at `end` is one that may come again.
    pub(crate) fn retires(identity: &Identity, done_at: Timestamp, end: Timestamp) -> bool {
        identity.fingerprint.is_some() || is_remembered(done_at, end)
    }
}

pub(crate) fn is_remembered(at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(at) <= REMEMBERED_MS
}
