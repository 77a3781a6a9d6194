//! The rules of reward points: accounts, lots, redeeming, expiry, history. Pure.
//!
//! One function decides everything: [`apply`] takes the state of one customer's account, one [`Operation`] and a clock
//! reading, and answers with the next state, with "already done", or with a [`Refusal`]. Reading is three functions: the
//! balance of an [`Account`], for how long that balance holds by itself, and the summary of its whole [`History`]. Old
//! entries may be kept apart from the account, in [`Segment`]s.
//!
//! The crate knows no HTTP, no tenant, no storage and no clock; times and operation ids are handed in. Invariants: the
//! balance is the fold of the history and never negative; what a redemption took from its lots sums to its points; an
//! operation that is repeated has no second effect, also across a deletion; entries never change once written.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "a worker VM never traps: a trap loses every request in flight on that worker"
    )
)]

mod account;
mod amount;
mod apply;
mod archive;
mod entry;
mod history;
mod look;
mod memory;
mod operation;
mod parts;
pub mod planted;
mod replay;
mod summary;
mod text;
mod time;

pub use account::{Account, BalanceSpan, MAX_OPEN_LOTS, Record, State, Tombstone, is_later_life};
pub use amount::{Balance, Points};
pub use apply::{Applied, Refusal, Replay, apply};
pub use archive::{Archived, NotItsNext, Segment};
pub use entry::{Entry, EntryKind, OpenLot, Take};
pub use history::History;
pub use look::{Looked, OutOfOrder, Unseen};
pub use memory::{Memory, REMEMBERED_MS, RetiredHistory, RetiredOperation, UsedKey};
pub use operation::{
    Fingerprint, Identity, KeyDigest, KeyUse, NewLot, Operation, OperationMark, Redemption,
};
pub use parts::{AccountParts, Corrupt, TombstoneParts};
pub use summary::{AddedView, RedeemedView, Summary, summary};
pub use text::{Description, EntryId, InvalidText, ReferenceId};
pub use time::Timestamp;
