//! The one place that knows how to start things: engines, gateways, issuers, development keys and the tools they need.
//!
//! It decides process groups, ports, readiness and how a process is ended; it refuses to know anything of reward points:
//! a gateway is ready when it answers, and what it answers is for the tests that use it. The end-to-end tests and
//! `cargo xtask up` start the same things through it, so what a developer sees is what is tested.
//!
//! Everything started here dies with its owner: on drop, and, should the owner be killed, by the kernel.

// One floor below, for others start processes too and must not know where this repository keeps things.
use processes::{http, process, spawn, sys, work_dir};

mod attend;
mod chance;
mod dev_keys;
mod engine;
mod gateway;
mod issuer;
mod members;
mod paths;
mod place;
mod plugin;
pub mod tools;

pub use attend::attend;
pub use chance::Chance;
pub use dev_keys::{Algorithm, DEV_ISSUER, DevKeys, TokenRequest};
pub use engine::{Engine, EngineBuilder, EngineKind};
pub use gateway::{Gateway, GatewayBuilder, GatewayKind};
pub use issuer::{Issuer, IssuerBuilder};
pub use members::{Members, MembersBuilder};
pub use paths::{
    cargo_target_dir, dev_dir, envoy_yaml, host_sim, planted_bugs_wasm, target_dir, wasm,
    workspace_root,
};
pub use place::Place;
pub use plugin::{committed_envoy, committed_plugin, dev_plugin, local_issuer};
pub use processes::{
    Command, ENGINE_CLUSTER, EnvoyConfig, Error, ISSUER_CLUSTER, Port, Process, Request, Response,
    Result, Stats, exchange, interrupted, raise_file_limit, stop_on_signals,
};
