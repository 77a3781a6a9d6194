//! `cargo xtask bench`: measures what is asked for, prints a table, and leaves JSON where it is wanted.
//!
//! A missed bar is told, not an error: figures of a busy machine are nobody's fault. A failed request is an error.

use std::path::PathBuf;

use anyhow::ensure;
use bench::access::{self, Plan};
use clap::{Args, ValueEnum};

use crate::{build, progress, toolchain};

/// What to measure, and how long.
#[derive(Debug, Args)]
pub struct Options {
    /// Which rows.
    #[arg(value_enum, default_value_t = Benchmark::Access)]
    benchmark: Benchmark,
    /// Also writes every figure to that file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long one run of one row takes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=60))]
    seconds: u16,
    /// How often each row runs, in turn with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Benchmark {
    /// Who may: signatures against Envoy's own filter, and floods of bad tokens.
    Access,
}

/// Builds the filter, measures and prints.
///
/// # Errors
/// When something cannot be built, installed or started, or a request of a measured load failed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // Before anything is started: builds, servers and clients end with us.
    testbed::stop_on_signals();
    toolchain::ensure_c_compiler()?;
    build::module()?;
    progress(&format!("Envoy is {}", testbed::tools::envoy()?.display()));
    let wrk = testbed::tools::wrk()?;
    progress(&format!("wrk is {}", wrk.program().display()));
    let report = match options.benchmark {
        Benchmark::Access => access::run(&Plan::full(options.seconds, options.rounds))?,
    };
    println!("{}", report.table());
    if let Some(path) = &options.json {
        report.write_json(path)?;
        progress(&format!("every figure is in {}", path.display()));
    }
    let failed = report.failed();
    ensure!(
        failed == 0,
        "{failed} requests failed that should not: the figures do not count"
    );
    Ok(())
}
