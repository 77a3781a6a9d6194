//! Child processes, loopback ports, a plain HTTP client and variants of an Envoy configuration.
//!
//! It decides how a child is started, watched, frozen and ended for certain, and which places of an Envoy configuration are
//! changed. It refuses to know where programs and configurations are: whoever starts a gateway says so. It stands below
//! both of those who do: `testbed`, which knows this repository, and the drivers of scenarios, which run without it.

pub mod envoy;
pub mod envoy_config;
pub mod error;
pub mod http;
pub mod ports;
pub mod process;
pub mod spawn;
pub mod stats;
pub mod sys;
pub mod work_dir;

pub use envoy_config::{ENGINE_CLUSTER, EnvoyConfig, ISSUER_CLUSTER};
pub use error::{Error, Result};
pub use http::{Request, Response, exchange};
pub use ports::Port;
pub use process::{Command, Process};
pub use stats::Stats;
pub use sys::{interrupted, raise_file_limit, stop_on_signals};
pub use work_dir::WorkDir;
