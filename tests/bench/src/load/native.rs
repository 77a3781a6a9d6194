//! Clients of an engine without a gateway between: `bench-native compares`, and `bench-native fill`, which measures nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;

use super::ClosedCount;
use super::wrk::{parse, result_of, words_of};

/// One-key compare-and-puts, a number of them on the way at any time.
#[derive(Clone, Debug)]
pub struct Compares {
    /// `bench-native`.
    pub program: PathBuf,
    /// Tasks, each with one on the way.
    pub tasks: u16,
    /// HTTP/2 connections that they share.
    pub channels: u16,
    /// Whether all write the same key, and try again when they lost.
    pub hot: bool,
}

impl Compares {
    /// Loads the engine for `seconds`, on keys that no earlier run has written.
    ///
    /// # Errors
    /// When the client does not start or fails.
    pub fn run(&self, engine: SocketAddr, seconds: u16) -> anyhow::Result<ClosedCount> {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let mut command = Command::new(&self.program);
        command
            .args(["compares", "--engine", &engine.to_string()])
            .args(["--connections", &self.tasks.to_string()])
            .args(["--channels", &self.channels.to_string()])
            .args(["--seconds", &seconds.to_string()])
            .args(["--prefix", &format!("/bench/{run}/")]);
        if self.hot {
            command.arg("--hot");
        }
        parse(&words_of(command, "bench-native compares")?)
    }
}

/// Copies one account to many.
#[derive(Clone, Debug)]
pub struct Fill<'a> {
    /// `bench-native`.
    pub program: PathBuf,
    /// Whose accounts.
    pub tenant: &'a str,
    /// The customer whose document is copied.
    pub like: &'a str,
    /// What the new customers' ids begin with; 0, 1, … follow.
    pub customer_prefix: &'a str,
    /// How many.
    pub count: u64,
}

impl Fill<'_> {
    /// Puts them into the engine, and returns how many bytes a document has.
    ///
    /// # Errors
    /// When the client does not start or fails.
    pub fn run(&self, engine: SocketAddr) -> anyhow::Result<u64> {
        let mut command = Command::new(&self.program);
        command
            .args(["fill", "--engine", &engine.to_string()])
            .args(["--tenant", self.tenant, "--like", self.like])
            .args(["--customer-prefix", self.customer_prefix])
            .args(["--count", &self.count.to_string()]);
        let counts = result_of(&words_of(command, "bench-native fill")?)?;
        counts["bytes"].as_u64().context("no bytes")
    }
}
