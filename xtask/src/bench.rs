//! `cargo xtask bench`: measures what is asked for, prints a table of each, and leaves JSON where it is wanted.
//!
//! A missed bar is told, not an error: figures of a busy machine are nobody's fault. A failed request is an error.

use std::path::PathBuf;

use anyhow::ensure;
use bench::builds::Builds;
use bench::report::{Report, write_json};
use bench::{access, coherence, listing, memory, reads, writes};
use clap::{Args, ValueEnum};

use crate::{build, progress, toolchain};

/// What to measure, and how long.
#[derive(Debug, Args)]
pub struct Options {
    /// Which rows; without any all of them.
    #[arg(value_enum)]
    benchmarks: Vec<Benchmark>,
    /// Also writes every figure to that file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long one run of one row takes (default 3). `coherence` makes 1,000 session pairs for each second, 100,000 without it.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=60))]
    seconds: Option<u16>,
    /// How often each row runs, in turn with the others.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
    /// How many accounts `memory` reads (default 1,000,000) and `listing` lists (default 100,000).
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    accounts: Option<u64>,
}

/// What counts where the command line says nothing.
const SECONDS: u16 = 3;
const MEMORY_ACCOUNTS: u64 = 1_000_000;
const LISTING_ACCOUNTS: u64 = 100_000;
/// Session pairs of `coherence`: of a whole run, and of each second of a short one.
const PAIRS: u64 = 100_000;
const PAIRS_PER_SECOND: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Who may: signatures against Envoy's own filter, and floods of bad tokens.
    Access,
    /// A balance: against constants, an empty filter, and a native service behind Envoy.
    Reads,
    /// Durable writes on etcd and the embedded engine, against a native client of the same engine.
    Writes,
    /// Very many accounts through the cache: memory, and the speed of hits.
    Memory,
    /// Two gateways on three members of etcd: how old reads are, whether sessions see their writes, also while servers are killed.
    Coherence,
    /// A large tenant page by page: whether the last pages are as fast as the first, and everybody there exactly once.
    Listing,
}

impl Benchmark {
    /// Whether it needs more than the filter.
    fn needs_builds(self) -> bool {
        self != Self::Access
    }
}

/// Builds the filter and what it is compared with, measures and prints.
///
/// # Errors
/// When something cannot be built, installed or started, or a request of a measured load failed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // Before anything is started: builds, servers and clients end with us.
    testbed::stop_on_signals();
    let benchmarks = match options.benchmarks.as_slice() {
        [] => Benchmark::value_variants(),
        some => some,
    };
    toolchain::ensure_c_compiler()?;
    build::module()?;
    let builds = match benchmarks.iter().any(|one| one.needs_builds()) {
        false => None,
        true => Some(Builds {
            native: build::native()?,
            empty_filter: build::empty_filter()?,
        }),
    };
    progress(&format!("Envoy is {}", testbed::tools::envoy()?.display()));
    let wrk = testbed::tools::wrk()?;
    progress(&format!("wrk is {}", wrk.program().display()));
    let mut reports = Vec::new();
    for benchmark in benchmarks {
        let report = measure(*benchmark, options, builds.as_ref())?;
        println!("{}", report.table());
        reports.push(report);
        if let Some(path) = &options.json {
            // After each: what was measured is not lost when a later one fails.
            write_json(&reports, path)?;
            progress(&format!("every figure so far is in {}", path.display()));
        }
    }
    let failed: u64 = reports.iter().map(Report::failed).sum();
    ensure!(
        failed == 0,
        "{failed} requests failed that should not: the figures do not count"
    );
    Ok(())
}

fn measure(
    benchmark: Benchmark,
    options: &Options,
    builds: Option<&Builds>,
) -> anyhow::Result<Report> {
    let (seconds, rounds) = (options.seconds.unwrap_or(SECONDS), options.rounds);
    let builds = || anyhow::Context::context(builds.cloned(), "what is compared with is not built");
    match benchmark {
        Benchmark::Access => access::run(&access::Plan::full(seconds, rounds)),
        Benchmark::Reads => reads::run(&reads::Plan {
            seconds,
            rounds,
            builds: builds()?,
        }),
        Benchmark::Writes => writes::run(&writes::Plan {
            seconds,
            rounds,
            builds: builds()?,
        }),
        Benchmark::Memory => memory::run(&memory::Plan {
            seconds,
            rounds,
            accounts: options.accounts.unwrap_or(MEMORY_ACCOUNTS),
            builds: builds()?,
        }),
        Benchmark::Coherence => coherence::run(&coherence::Plan {
            pairs: options
                .seconds
                .map_or(PAIRS, |seconds| u64::from(seconds) * PAIRS_PER_SECOND),
            builds: builds()?,
        }),
        Benchmark::Listing => listing::run(&listing::Plan {
            accounts: options.accounts.unwrap_or(LISTING_ACCOUNTS),
            builds: builds()?,
        }),
    }
}
