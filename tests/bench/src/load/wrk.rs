//! wrk as the closed-loop load: a number of connections, each with one request on the way at any time, for some seconds.
//!
//! It says how many were answered, how fast, and how many failed in any way; an answer of 400 or more is a failure, for
//! every request of this load is a good one.

use std::io::{Read as _, Seek as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;
use testbed::tools::Packaged;

use super::{PATH, Requests};

/// The script that sends what the file holds.
const SCRIPT: &str = include_str!("wrk.lua");
/// One thread is one CPU's worth of client; the other CPU is the server's.
const THREADS: &str = "-t1";
/// An answer that takes longer has failed.
const TIMEOUT: &str = "10s";
/// What the line with the counts starts with.
const RESULT: &str = "result ";

/// Requests to be sent over and over.
#[derive(Debug)]
pub struct Closed {
    wrk: Packaged,
    connections: u16,
    requests: Requests,
    script: NamedTempFile,
    templates: NamedTempFile,
    /// Requests that were answered so far: each run goes on where the last one ended.
    sent: AtomicU64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedCount {
    /// Answers.
    pub answered: u64,
    /// Of them or beside them, what was refused, cut off or late.
    pub failed: u64,
    /// How long it ran.
    pub elapsed: Duration,
    /// Half of the answers came within this many microseconds.
    pub p50_us: f64,
    /// 99 of 100 answers came within this many microseconds.
    pub p99_us: f64,
}

impl Closed {
    /// `connections` connections that send `requests`.
    ///
    /// # Errors
    /// When wrk cannot be had or the files for it cannot be written.
    pub fn new(connections: u16, requests: Requests) -> anyhow::Result<Self> {
        let mut templates = NamedTempFile::new().context("make a file")?;
        templates
            .write_all(requests.file().as_bytes())
            .context("write the requests")?;
        let mut script = NamedTempFile::new().context("make a file")?;
        script
            .write_all(SCRIPT.as_bytes())
            .context("write wrk's script")?;
        Ok(Self {
            wrk: testbed::tools::wrk()?,
            connections,
            requests,
            script,
            templates,
            sent: AtomicU64::new(0),
        })
    }

    /// Loads `server` for `seconds`, which bounds it.
    ///
    /// # Errors
    /// When wrk does not start, fails, or says nothing that can be read.
    pub fn run(&self, server: SocketAddr, seconds: u16) -> anyhow::Result<ClosedCount> {
        let mut command = self.wrk.command();
        command
            .args([THREADS, "--timeout", TIMEOUT])
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{seconds}s"))
            .args([Path::new("-s"), self.script.path()])
            .arg(format!("http://{server}{PATH}"))
            .args([Path::new("--"), self.templates.path()])
            .arg(self.requests.numbers().to_string())
            .arg(self.requests.each().to_string())
            .arg(self.sent.load(Ordering::Relaxed).to_string());
        let count = parse(&words_of(command, "wrk")?)?;
        self.sent.fetch_add(count.answered, Ordering::Relaxed);
        Ok(count)
    }

    /// Requests that were answered so far, in all runs.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Runs a client to its end and returns what it said.
pub(super) fn words_of(mut command: Command, name: &str) -> anyhow::Result<String> {
    let mut output = tempfile::tempfile().context("make a file")?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(output.try_clone().context("share a file")?)
        .stderr(output.try_clone().context("share a file")?);
    let status = testbed::attend(command).with_context(|| format!("start {name}"))?;
    ensure!(!testbed::interrupted(), "interrupted");
    let mut text = String::new();
    let read = output
        .rewind()
        .and_then(|()| output.read_to_string(&mut text));
    read.with_context(|| format!("read what {name} said"))?;
    ensure!(
        status.success(),
        "{name} failed ({status}): {}",
        text.trim()
    );
    Ok(text)
}

/// The JSON of the line `result {...}`.
pub(super) fn result_of(text: &str) -> anyhow::Result<Value> {
    let line = text.lines().find_map(|line| line.strip_prefix(RESULT));
    let parsed = line
        .context("no result")
        .and_then(|line| serde_json::from_str(line).context("a bad result"));
    parsed.with_context(|| format!("a client said: {}", text.trim()))
}

/// The counts of wrk, or of a client that says them the same way.
pub(super) fn parse(text: &str) -> anyhow::Result<ClosedCount> {
    let counts = result_of(text)?;
    let count = |name: &str| counts[name].as_u64().with_context(|| format!("no {name}"));
    let answered = count("requests")?;
    ensure!(answered > 0, "not one answer");
    let mut failed = 0;
    for kind in ["status", "connect", "read", "write", "timeout"] {
        failed += count(kind)?;
    }
    Ok(ClosedCount {
        answered,
        failed,
        elapsed: Duration::from_micros(count("duration_us")?),
        p50_us: count("p50_us")? as f64,
        p99_us: count("p99_us")? as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_and_every_kind_of_failure_counts() {
        let said = "Running 1s test\nresult {\"requests\":1000,\"duration_us\":1000500,\"p50_us\":300,\"p99_us\":900,\
                    \"status\":1,\"connect\":2,\"read\":4,\"write\":8,\"timeout\":16}\n";
        let count = parse(said).expect("counts");
        assert_eq!((count.answered, count.failed), (1000, 31));
        assert_eq!(count.elapsed, Duration::from_micros(1_000_500));
        assert_eq!((count.p50_us, count.p99_us), (300.0, 900.0));
        assert!(parse("unable to connect").is_err());
        assert!(parse(&said.replace("1000,", "0,")).is_err());
    }
}
