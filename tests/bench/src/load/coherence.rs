//! Clients of two gateways at once, `bench-native coherence`: started, watched, and asked for what they have seen.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testbed::Process;

use super::wrk::result_of;

/// How long all session pairs may take. A machine that is slower is not measured with it.
const PAIRS_BOUND: Duration = Duration::from_secs(1200);

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Coherence<'a> {
    /// `bench-native`.
    pub program: PathBuf,
    /// The gateway that is written through.
    pub write_to: SocketAddr,
    /// The gateway that is read through.
    pub read_from: SocketAddr,
    /// The header's value.
    pub authorization: &'a str,
    /// What the ids of its customers begin with.
    pub prefix: &'a str,
    /// Accounts that are written and read, besides those of the sessions.
    pub accounts: u16,
    /// Writes a second.
    pub writes_per_second: u32,
    /// Session pairs to be done before it may end.
    pub pairs: u64,
    /// Staler reads are counted.
    pub bound: Duration,
}

/// Clients at work. Dropped, they end too.
#[derive(Debug)]
pub struct Running {
    process: Process,
    _work: TempDir,
}

/// What they have seen.
#[derive(Debug)]
pub struct Seen {
    counts: Value,
    /// What they said besides: reads over the bound, sessions that were stale.
    pub words: Vec<String>,
}

impl Coherence<'_> {
    /// Starts them.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(&self) -> anyhow::Result<Running> {
        let work = tempfile::tempdir().context("make a directory")?;
        let options = [
            ("--write-to", self.write_to.to_string()),
            ("--read-from", self.read_from.to_string()),
            ("--authorization", self.authorization.to_owned()),
            ("--prefix", self.prefix.to_owned()),
            ("--accounts", self.accounts.to_string()),
            ("--writes-per-second", self.writes_per_second.to_string()),
            ("--pairs", self.pairs.to_string()),
            ("--bound-ms", self.bound.as_millis().to_string()),
        ];
        let options = options
            .into_iter()
            .flat_map(|(name, value)| [name.into(), value.into()]);
        let process = Process::start(testbed::Command {
            name: "bench-native coherence".to_owned(),
            program: self.program.clone(),
            args: std::iter::once("coherence".into()).chain(options).collect(),
            env: Vec::new(),
            log: work.path().join("client.log"),
        })?;
        Ok(Running {
            process,
            _work: work,
        })
    }
}

impl Running {
    /// Waits until all pairs are done, ends them, and tells what they have seen.
    ///
    /// # Errors
    /// When they end by themselves, take too long, or were answered what none of their requests may be answered.
    pub fn finish(mut self) -> anyhow::Result<Seen> {
        self.process.wait_for_line("paired ", PAIRS_BOUND)?;
        self.process.stop();
        let log = self.process.log();
        let counts = result_of(&log)?;
        let unexpected = counts["unexpected"].as_object();
        ensure!(
            unexpected.is_some_and(serde_json::Map::is_empty),
            "requests were answered otherwise than they may be: {}",
            counts["unexpected"]
        );
        let words = log.lines().filter(|line| !line.starts_with("result "));
        let words = words.filter(|line| !line.starts_with("paired "));
        Ok(Seen {
            counts,
            words: words.map(str::to_owned).collect(),
        })
    }
}

impl Seen {
    /// The count at that place of the client's result.
    ///
    /// # Errors
    /// When there is none.
    pub fn count(&self, pointer: &str) -> anyhow::Result<f64> {
        let count = self.counts.pointer(pointer).and_then(Value::as_u64);
        let count = count.with_context(|| format!("no {pointer} in {}", self.counts))?;
        Ok(count as f64)
    }
}
