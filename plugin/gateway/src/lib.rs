//! One request's life, without I/O: who may (`access`), what a request must bring (`rules`), what was asked (`api`), the
//! accounts (`accounts`), the engine's messages (`engine`). Bytes, time and randomness come in, decisions go out.
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

pub mod access;
pub mod accounts;
pub mod api;
pub mod config;
pub mod config_error;
pub mod engine;
#[cfg(any(test, feature = "engine-model"))]
#[cfg_attr(
    not(test),
    allow(
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "a model never runs in a worker VM: where it is used wrongly it is to say so"
    )
)]
pub mod engine_model;
pub mod exchange;
pub mod feed;
pub mod gate;
pub mod header_block;
pub mod host;
#[cfg(feature = "fuzzing")]
pub mod parsers;
mod percent;
pub mod planted;
pub mod policy;
pub mod rules;
mod strict_json;
pub mod sweep;
#[cfg(test)]
pub(crate) mod test_support;
pub mod wake;
pub mod worker;
