//! The one place that knows how to start things: engines, gateways, issuers, development keys and the tools they need.
//!
//! It decides process groups, ports, readiness and how a process is ended; it refuses to know anything of reward points:
//! a gateway is ready when it answers, and what it answers is for the tests that use it. The end-to-end tests and
//! `cargo xtask up` start the same things through it, so what a developer sees is what is tested.
//!
//! Everything started here dies with its owner: on drop, and, should the owner be killed, by the kernel.

mod attend;
mod dev_keys;
mod engine;
mod envoy_config;
mod error;
mod gateway;
mod http;
mod issuer;
mod members;
mod paths;
mod plugin;
mod ports;
mod process;
mod spawn;
mod stats;
mod sys;
pub mod tools;
mod work_dir;

pub use attend::attend;
pub use dev_keys::{Algorithm, DEV_ISSUER, DevKeys, TokenRequest};
pub use engine::{Engine, EngineBuilder, EngineKind};
pub use envoy_config::{ENGINE_CLUSTER, EnvoyConfig, ISSUER_CLUSTER};
pub use error::{Error, Result};
pub use gateway::{Gateway, GatewayBuilder, GatewayKind};
pub use http::{Request, Response, exchange};
pub use issuer::{Issuer, IssuerBuilder};
pub use members::Members;
pub use paths::{
    cargo_target_dir, dev_dir, envoy_yaml, host_sim, target_dir, wasm, workspace_root,
};
pub use plugin::{committed_plugin, dev_plugin, local_issuer};
pub use ports::Port;
pub use process::{Command, Process};
pub use stats::Stats;
pub use sys::{interrupted, raise_file_limit, stop_on_signals};
