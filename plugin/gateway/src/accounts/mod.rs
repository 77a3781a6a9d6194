//! The accounts: where they live, what a document says, and the jobs that read, change and list them.
//!
//! What waits for one account is a [`line`]; a [`list`] of accounts has calls of its own. They decide what an answer of the
//! engine means; how calls are put together, repeated and given up is the worker's.

pub mod copies;
pub mod document;
pub mod errand;
mod fold;
pub mod history;
pub mod job;
pub mod keys;
pub mod line;
pub mod list;
pub mod marks;
pub mod placement;
pub mod terms;
