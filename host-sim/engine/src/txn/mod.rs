//! What a Range and a Txn mean: etcd's rules, over any view of the store.
//!
//! `check` refuses malformed requests without looking at the store, `path` decides every compare of a transaction
//! before anything is written, `range` answers reads, `apply` writes. None of them knows disk, queue or wire.

mod apply;
mod check;
mod intervals;
mod path;
mod range;

pub use apply::{answer, apply};
pub use check::{check_range, check_txn, is_read_only};
pub use path::Path;
pub use range::range;
