//! Fuzz targets for every parser of foreign bytes: what a client, an issuer, an engine, an operator or another worker may
//! send. Each asserts more than that nothing panics.
//!
//! Knows what must hold of a parser, not how inputs are found: `cargo xtask fuzz` runs a target under libFuzzer, and the
//! tests of this crate replay seeds, corpora and crashes without it. `docs/fuzzing.md` is the manual.

pub mod accounts;
pub mod host;
pub mod json;
pub mod signing;
pub mod steps;
pub mod target;
pub mod targets;

pub use target::{Seen, Target};
