//! Scenarios: given, when, then in YAML, played unchanged on the core, on the module in wasmtime, and on Envoy.
//!
//! A scenario is one behaviour in one file (`docs/scenarios.md`). [`load`] reads it or says where it is wrong, [`setting`]
//! makes of it what a gateway is started with, [`play`] carries it out on a [`driver::Driver`], [`run`] does that with
//! many of them. What Envoy, wasmtime and the core are is known in [`drivers`] alone.
//!
//! It stands above the host and the core and below `tests/`, since people run scenarios against their own configuration
//! with nothing but the programs: so it starts Envoy by `processes` and needs no part of this repository's test bed.

pub mod check;
pub mod compare;
pub mod context;
pub mod driver;
pub mod drivers;
pub mod duration;
pub mod format;
pub mod judge;
pub mod junit;
pub mod load;
pub mod play;
pub mod run;
pub mod setting;
pub mod template;
pub mod tokens;
