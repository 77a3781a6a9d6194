//! Benchmarks whose rows are compared side by side in one run.
//!
//! A figure of this machine says little, a ratio of two figures taken in turn within one run says much: so every row is
//! measured in several rounds, A B A B, and told as a median with its spread, with the servers' CPU time beside it. This
//! crate decides how to load ([`load`]), what is loaded ([`subject`]), how it is measured ([`measure`], [`run`]) and how it is told
//! ([`report`]); each benchmark is one module with its rows ([`access`],
//! [`reads`], [`writes`], [`memory`], [`coherence`], [`listing`]). It refuses to judge: a missed bar is printed,
//! not an error. What is an error is a request that failed, for then the figures mean something else than they say.

pub mod access;
mod asking;
pub mod builds;
pub mod coherence;
mod gates;
pub mod listing;
pub mod load;
pub mod measure;
pub mod memory;
pub mod placement;
pub mod reads;
pub mod report;
pub mod run;
pub mod servers;
pub mod subject;
mod tokens;
pub mod writes;

/// Tells the developer what takes time.
fn progress(text: &str) {
    eprintln!("==> {text}");
}
