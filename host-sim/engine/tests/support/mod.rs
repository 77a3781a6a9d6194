//! What the test binaries of this crate share.
#![allow(dead_code, reason = "each binary uses its own part")]

pub mod generate;
pub mod requests;
pub mod server;
pub mod watching;
