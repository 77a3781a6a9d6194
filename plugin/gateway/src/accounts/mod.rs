//! The accounts: where they live, what a document says, and the jobs that read, change and list them.
//!
//! A job is a small state machine that asks the engine one thing at a time. It decides what an answer means; how calls
//! are made, repeated and given up is the worker's.

pub mod document;
pub mod history;
pub mod job;
pub mod keys;
pub mod list;
pub mod marks;
pub mod read;
pub mod slots;
pub mod write;
