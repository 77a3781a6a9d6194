//! Why a request was not carried out, in etcd's own codes and words: clients match on both.
//!
//! Knows nothing of how a refusal is found, only how it is said.

use tonic::{Code, Status};

/// A request that changed nothing. Declared in the order in which the causes are looked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A key is empty.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// An unknown sort order or target.
    #[error("etcdserver: invalid sort option")]
    InvalidSortOption,
    /// `ignore_value` together with a value.
    #[error("etcdserver: value is provided")]
    ValueProvided,
    /// `ignore_lease` together with a lease.
    #[error("etcdserver: lease is provided")]
    LeaseProvided,
    /// More operations than `MAX_TXN_OPERATIONS`.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOps,
    /// One transaction writes a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// A writing request over `MAX_REQUEST_BYTES`.
    #[error("etcdserver: request is too large")]
    RequestTooLarge,
    /// An operation without content, or `ignore_value` on a key that does not exist.
    #[error("etcdserver: key not found")]
    KeyNotFound,
    /// Leases are not part of this engine: none exists.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// The revision asked for is gone.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// The revision asked for has not happened yet.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// A queue is full; nothing was done.
    #[error("etcdserver: too many requests")]
    TooManyRequests,
    /// The answer would pass `MAX_ANSWER_BYTES`; ask with a limit.
    #[error("etcdserver: answer is too large, use a limit")]
    AnswerTooLarge,
    /// The engine is stopping; whether the request was carried out is not known.
    #[error("etcdserver: server stopped")]
    Stopped,
}

impl Refusal {
    /// The gRPC code that etcd gives this refusal.
    pub fn code(&self) -> Code {
        match self {
            Refusal::EmptyKey
            | Refusal::InvalidSortOption
            | Refusal::ValueProvided
            | Refusal::LeaseProvided
            | Refusal::TooManyOps
            | Refusal::DuplicateKey
            | Refusal::RequestTooLarge
            | Refusal::KeyNotFound => Code::InvalidArgument,
            Refusal::LeaseNotFound => Code::NotFound,
            Refusal::Compacted | Refusal::FutureRevision => Code::OutOfRange,
            Refusal::TooManyRequests | Refusal::AnswerTooLarge => Code::ResourceExhausted,
            Refusal::Stopped => Code::Unavailable,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        Status::new(refusal.code(), refusal.to_string())
    }
}

/// What keeps a request from an answer: the request itself, or the disk.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The request cannot be carried out as it stands; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed; whether a write is on disk is not known.
    #[error("etcdserver: storage failed: {0}")]
    Storage(String),
}

/// Every error of the storage library ends a request the same way.
macro_rules! storage_faults {
    ($($source:ty),*) => {$(
        impl From<$source> for Fault {
            fn from(error: $source) -> Fault {
                Fault::Storage(error.to_string())
            }
        }
    )*};
}
storage_faults!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::SetDurabilityError
);

impl From<Fault> for Status {
    fn from(fault: Fault) -> Status {
        match fault {
            Fault::Refused(refusal) => refusal.into(),
            storage @ Fault::Storage(_) => Status::unavailable(storage.to_string()),
        }
    }
}
