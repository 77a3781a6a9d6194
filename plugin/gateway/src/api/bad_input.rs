//! What can be wrong with a request's input, in order of precedence, and how a client is told.

use std::fmt;

use crate::accounts::keys::{CustomerIdError, MAX_CUSTOMER_ID_BYTES};
use crate::rules::Ambiguity;

/// Input that is answered with 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadInput {
    /// A header that makes sense only once was sent several times.
    RepeatedHeader(&'static str),
    /// A path that is not the API's can be read in more than one way.
    AmbiguousPath(Ambiguity),
    /// The customer id in the path.
    CustomerId(CustomerIdError),
    /// An escape in the path or query is malformed.
    MalformedEscape,
    /// A query parameter that makes sense only once was sent several times.
    RepeatedParameter(&'static str),
    /// A query parameter's value cannot be used.
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What it has to be.
        expected: String,
    },
    /// The `Idempotency-Key` is not 1 to 255 visible ASCII characters.
    IdempotencyKey,
    /// The `x-points-revision` is no revision.
    Revision,
    /// The body is no JSON as we read it; serde_json says where.
    Json(String),
    /// A field of the body cannot be used.
    Field {
        /// The field's name.
        name: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
    /// The customer id in the body is not the path's.
    CustomerIdMismatch,
    /// More was to be redeemed than is active.
    Insufficient {
        /// What was asked for.
        wanted: u64,
        /// What is active.
        active: u64,
    },
    /// The balance would pass its maximum.
    BalanceLimit,
    /// `createdAt` lies in the future.
    CreatedInFuture,
    /// The account has as many open lots as it can.
    AccountFull,
    /// The list would pass its limits.
    ListTooLong,
    /// The account's history is longer than one answer may be.
    HistoryTooLong,
    /// The tenant has more accounts than are looked at.
    TooManyAccounts,
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RepeatedHeader(name) => write!(f, "Header '{name}' was sent more than once"),
            Self::AmbiguousPath(_) => f.write_str("The path can be read in more than one way"),
            Self::CustomerId(error) => f.write_str(match error {
                CustomerIdError::Empty => "The customer id is empty",
                CustomerIdError::TooLong => {
                    return write!(
                        f,
                        "The customer id is longer than {MAX_CUSTOMER_ID_BYTES} bytes"
                    );
                }
                CustomerIdError::NotUtf8 => "The customer id is not UTF-8",
                CustomerIdError::ControlCharacter => "The customer id holds a control character",
            }),
            Self::MalformedEscape => f.write_str("The request target holds a malformed percent escape"),
            Self::RepeatedParameter(name) => {
                write!(f, "Query parameter '{name}' was sent more than once")
            }
            Self::Parameter { name, expected } => {
                write!(f, "Query parameter '{name}' must be {expected}")
            }
            Self::IdempotencyKey => {
                f.write_str("Header 'Idempotency-Key' must be 1 to 255 visible ASCII characters")
            }
            Self::Revision => {
                f.write_str("Header 'x-points-revision' must be a whole number from 1 to 2^63-1")
            }
            Self::Json(error) => write!(f, "The body is not valid JSON: {error}"),
            Self::Field { name, problem } => write!(f, "Field '{name}' {problem}"),
            Self::CustomerIdMismatch => {
                f.write_str("Field 'customerId' must equal the customer id of the path")
            }
            Self::Insufficient { wanted, active } => {
                write!(f, "Cannot redeem {wanted} points: only {active} are active")
            }
            Self::BalanceLimit => {
                write!(f, "The balance would pass {}", ledger::Balance::MAX.get())
            }
            Self::CreatedInFuture => f.write_str("Field 'createdAt' must not lie in the future"),
            Self::AccountFull => f.write_str("The account cannot hold more entries"),
            Self::HistoryTooLong => f.write_str("The account's history is too long for one answer"),
            Self::TooManyAccounts => f.write_str("The tenant has too many accounts to be listed"),
            Self::ListTooLong => f.write_str(
                "The list is too long for one answer: ask for pages with pageNumber and pageSize, or with next",
            ),
        }
    }
}
