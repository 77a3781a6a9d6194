//! What an exchange may ask a worker for, and what it may come to.

use std::rc::Rc;

use ledger::{Account, History, Looked, Operation, Refusal};

use super::document::DocumentError;
use super::keys::AccountKey;
use super::list::{List, Listing};
use super::terms::Terms;

/// One question or change, carried through as many calls as it takes.
#[derive(Debug)]
pub enum Job {
    /// Reads one account, on these terms.
    Read(AccountKey, Wanted, Terms),
    /// Changes one account.
    Change(AccountKey, Operation),
    /// Lists a tenant's accounts.
    List(Box<List>),
}

/// What is wanted of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The account as its document says it is.
    Account,
    /// All its entries as well.
    History,
}

/// What a job with calls of its own wants after an answer.
#[derive(Debug)]
pub enum Progress {
    /// Make the next call.
    Call,
    /// The answer makes no sense: its outcome is as unknown as that of no answer.
    Senseless,
    /// What is under way is of no use any more: it begins again.
    Again,
    /// The job is over.
    Done(Outcome),
    /// The history was looked through: the change can be judged.
    Looked(Box<Looked>),
}

/// How a job ended.
#[derive(Debug)]
pub enum Outcome {
    /// The account as it stands, if there is one.
    Read {
        /// The account.
        account: Option<Rc<Account>>,
        /// The revision of its last change; 0 when the engine holds nothing under its key.
        revision: i64,
    },
    /// The account with its whole history.
    History(Box<History>),
    /// The history is longer than one answer may be.
    HistoryTooLong,
    /// The change is durable.
    Written {
        /// By what.
        written: Written,
        /// A revision at which the account has the change.
        revision: i64,
    },
    /// The change was refused, on the ground of a linearizable read.
    Refused(Refusal),
    /// The tenant's accounts.
    Listed(Listing),
    /// The listing would pass a limit; it has to be asked for in pages.
    ListTooLong,
    /// The tenant has more accounts than a listing looks at.
    TooManyAccounts,
    /// The first call came to nothing, and whoever asked wants to know at once; it may be asked again.
    Failing,
    /// Not known to be done within the budget of time.
    Unavailable,
    /// The engine holds something that is no account document. Nothing was changed.
    Corrupt(Box<Corrupt>),
}

/// A document that cannot be read, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    /// The engine's key, for a line of the log: control characters in it are escaped.
    pub key: String,
    /// Why it cannot be read.
    pub error: DocumentError,
}

impl Corrupt {
    /// The report of `error` in the document under `key`.
    #[must_use]
    pub fn new(key: &[u8], error: DocumentError) -> Box<Self> {
        // Whoever can write to the engine must not be able to write lines of the log.
        let key = String::from_utf8_lossy(key).escape_debug().to_string();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_report_makes_no_line_of_its_own() {
        for (key, told) in [
            (
                &b"/points/1/account/acme/0ab/caf%C3%A9"[..],
                "/points/1/account/acme/0ab/caf%C3%A9",
            ),
            (b"a\r\nb", "a\\r\\nb"),
            (b"\x1b[2J\0", "\\u{1b}[2J\\0"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(Corrupt::new(key, DocumentError::ForeignKey).key, told);
        }
    }
}
