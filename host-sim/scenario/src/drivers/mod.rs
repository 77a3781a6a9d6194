//! The ways to run the gateway: its core as native code, the module in wasmtime, and Envoy.
//!
//! The first two share a world under a simulated clock ([`simulated`]); the third is real processes ([`envoy`]).

pub mod envoy;
pub mod simulated;

/// The names of all drivers, in the order in which they are played.
pub const NAMES: [&str; 3] = ["core", "wasm", "envoy"];
