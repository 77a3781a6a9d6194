//! `cargo xtask chaos`: kills, freezes, fills and cuts off real processes under load, and prints what came of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;
use chaos::{Links, Plan};
use clap::Args;

use crate::{build, progress, toolchain};

/// How long, how many, and by which seed.
#[derive(Debug, Args)]
pub struct Options {
    /// For how many minutes clients work and faults come.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    minutes: u16,
    /// Repeats the order of faults and what clients do (default: another one each time; it is printed).
    #[arg(long)]
    seed: Option<u64>,
    /// How many clients work at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    clients: u16,
    /// Cuts links by relays between gateways and members, also where network namespaces are possible.
    #[arg(long)]
    relays: bool,
}

/// Builds the filter, unless `$REWARD_POINTS_WASM` names one, runs, and prints the table.
///
/// # Errors
/// When something cannot be built, installed or started, does not work again after a fault, or anything was found wrong.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // Before anything is started: all of it ends with us.
    testbed::stop_on_signals();
    toolchain::ensure_c_compiler()?;
    match std::env::var_os("REWARD_POINTS_WASM").filter(|given| !given.is_empty()) {
        Some(_) => drop(testbed::wasm()?),
        None => drop(build::module()?),
    }
    progress(&format!("Envoy is {}", testbed::tools::envoy()?.display()));
    progress(&format!("etcd is {}", testbed::tools::etcd()?.display()));
    let plan = Plan {
        duration: Duration::from_secs(60 * u64::from(options.minutes)),
        rounds: 0,
        seed: options.seed.unwrap_or_else(some_seed),
        clients: usize::from(options.clients),
        links: if options.relays {
            Links::Relays
        } else {
            Links::Best
        },
    };
    progress(&format!("the seed is {}", plan.seed));
    let report = chaos::run(&plan)?;
    println!("{}", report.table());
    ensure!(
        report.is_clean(),
        "something is wrong or failed, see the table"
    );
    Ok(())
}

/// Short enough to be typed again.
fn some_seed() -> u64 {
    const SEEDS: u128 = 1_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |since| since.as_nanos() / 1000 % SEEDS);
    u64::try_from(nanos).unwrap_or(0)
}
