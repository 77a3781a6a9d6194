//! `bench-native`: the programs that the benchmark compares with, in one, built optimised and by the benchmark alone.
//!
//! `service` is what one would write instead of a filter: a points service behind Envoy, in memory or on Redis. `compares`
//! writes to an engine without any gateway. `engine` is the embedded engine, optimised as a release is; `fill` puts many
//! accounts into an engine; `coherence` writes through one gateway and reads through another. Standard output carries `ready ...`, `paired ...`
//! or `result {...}` and nothing else.

mod coherence;
mod compares;
mod embedded;
mod fill;
mod latency;
mod memory_store;
mod redis_store;
mod service;
mod store;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "bench-native",
    about = "What the gateway's benchmark compares with"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve points over HTTP/1.1, by tenant (`x-tenant`) and customer; prints `ready IP:PORT`.
    Service(service::Arguments),
    /// Run the embedded engine; prints `ready IP:PORT`.
    Engine(embedded::Arguments),
    /// Write to an engine, one compare-and-put after the other on each of many tasks; prints `result {...}`.
    Compares(compares::Arguments),
    /// Write through one gateway and read through another until SIGTERM; prints `paired all` and `result {...}`.
    Coherence(coherence::Arguments),
    /// Copy one account's document to many other accounts; prints `result {...}`.
    Fill(fill::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Service(arguments) => service::run(arguments).await,
            Command::Engine(arguments) => embedded::run(arguments).await,
            Command::Compares(arguments) => compares::run(arguments).await,
            Command::Coherence(arguments) => coherence::run(arguments).await,
            Command::Fill(arguments) => fill::run(arguments).await,
        }
    })
}

/// Says a line to whoever started this program.
#[allow(
    clippy::print_stdout,
    reason = "a command-line tool: stdout is for its results"
)]
fn say(line: &str) {
    println!("{line}");
}
