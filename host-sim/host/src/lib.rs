//! A proxy-wasm host on wasmtime, faithful to Envoy.
//!
//! [`Vm`] is one instance of a module. It is deterministic: calls, a clock and random bytes go in, [`Effect`]s come out;
//! it opens no socket and starts no timer. [`Worker`] replaces a VM that trapped. [`Shared`] is what all VMs of a process
//! see of each other. The `serve` module drives all of this with real connections; a simulation can drive it with a seed.
//!
//! The rules are Envoy's; `docs/host-facts.md` lists which, and the test that shows each.

pub mod abi;
pub mod effects;
pub mod headers;
mod imports;
pub mod metrics;
pub mod plugin;
pub mod ports;
pub mod serve;
pub mod shared;
mod signature;
mod state;
mod stream;
mod vm;
mod worker;

pub use abi::LogLevel;
pub use effects::{Effect, GrpcTarget, HttpCall};
pub use headers::Headers;
pub use plugin::{LoadError, Plugin, Program};
pub use shared::{Address, Registrant, Shared};
pub use state::{CallResponse, MAX_MEMORY_BYTES, ORDERED_TRAP};
pub use stream::StreamInfo;
pub use vm::{Setting, StartError, StartFailure, Trapped, Vm};
pub use worker::{
    Collected, DEFAULT_RELOAD_BACKOFF_MS, Lost, RandomSource, VM_RELOADS, VM_TRAPS, Worker,
};
