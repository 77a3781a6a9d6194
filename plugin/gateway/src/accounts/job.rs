//! What the worker may do with any job, and what a job may come to.

use bytes::Bytes;
use ledger::{Account, History, Refusal};

use super::document::DocumentError;
use super::list::{List, Listing};
use super::read::Read;
use super::write::Write;
use crate::engine::{Method, StoreId};
use crate::host::Host;

/// One question or change, carried through as many calls as it takes.
#[derive(Debug)]
pub enum Job {
    /// Reads one account.
    Read(Read),
    /// Changes one account.
    Write(Write),
    /// Lists a tenant's accounts.
    List(List),
}

/// What a job wants after an answer.
#[derive(Debug)]
pub enum Progress {
    /// Make [`Job::next_call`] now.
    Call,
    /// The answer makes no sense: its outcome is as unknown as that of no answer.
    Senseless,
    /// The job is over.
    Done(Outcome),
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// The account as it stands, if there is one.
    Read(Option<Box<Account>>),
    /// The account with its whole history.
    History(Box<History>),
    /// The history is longer than one answer may be.
    HistoryTooLong,
    /// The change is durable.
    Written(Written),
    /// The change was refused, on the ground of a linearizable read.
    Refused(Refusal),
    /// The tenant's accounts.
    Listed(Listing),
    /// The listing would pass a limit; it has to be asked for in pages.
    ListTooLong,
    /// The tenant has more accounts than a listing looks at.
    TooManyAccounts,
    /// Not known to be done within the budget of time.
    Unavailable,
    /// The engine holds something that is no account document. Nothing was changed.
    Corrupt(Box<Corrupt>),
}

/// A document that cannot be read, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    /// The engine's key.
    pub key: String,
    /// Why it cannot be read.
    pub error: DocumentError,
}

impl Corrupt {
    /// The report of `error` in the document under `key`.
    #[must_use]
    pub fn new(key: &[u8], error: DocumentError) -> Box<Self> {
        let key = String::from_utf8_lossy(key).into_owned();
        Box::new(Self { key, error })
    }
}

/// A durable change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// By this request, or by an earlier one with the same id.
    Done,
    /// By an earlier request with the same idempotency key.
    ReplayedByKey,
}

impl Job {
    /// Prepares the first call, when the job's turn has come. `store` is the one that last answered.
    pub fn begin(&mut self, store: Option<StoreId>, host: &impl Host) {
        if let (Self::Write(job), Some(store)) = (self, store) {
            job.begin(store, host);
        }
    }

    /// Bytes that the job holds besides its own small size: what a worker's memory is bounded by.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Read(job) => job.held_bytes(),
            Self::Write(job) => job.held_bytes(),
            Self::List(job) => job.held_bytes(),
        }
    }

    /// The call that the job waits for. The same bytes every time until an answer is taken, so that a call of unknown
    /// outcome can be repeated.
    #[must_use]
    pub fn next_call(&self) -> (Method, Bytes) {
        match self {
            Self::Read(job) => job.next_call(),
            Self::Write(job) => job.next_call(),
            Self::List(job) => job.next_call(),
        }
    }

    /// Takes the engine's answer to the last call. Notes in `store` which store gave it.
    pub fn answered(
        &mut self,
        message: Bytes,
        store: &mut Option<StoreId>,
        host: &impl Host,
    ) -> Progress {
        match self {
            Self::Read(job) => job.answered(message, store),
            Self::Write(job) => job.answered(message, store, host),
            Self::List(job) => job.answered(message),
        }
    }

    /// Whether the last call may have changed something.
    #[must_use]
    pub const fn is_committing(&self) -> bool {
        matches!(self, Self::Write(job) if job.is_committing())
    }

    /// Takes note that the last call's outcome is unknown, before it is repeated.
    pub fn failed(&mut self, grpc_status: u32) {
        match self {
            Self::Read(job) => job.failed(),
            Self::Write(job) => job.failed(),
            Self::List(job) => job.failed(grpc_status),
        }
    }
}
