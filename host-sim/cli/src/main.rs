//! The `host-sim` command: the gateway without Envoy (`serve`), the embedded engine alone (`engine`), an issuer of
//! development tokens (`issuer`), the list of tokens that are good no longer (`revoke`), scenarios (`run`), and whole fleets
//! of gateways under simulated time (`explore`).
//!
//! Standard output carries the one documented line of each, when it is ready, or what was asked for; everything else goes
//! to standard error.
//! Exit codes: 0 after a stop that was asked for, 1 when something failed, 2 for a command line that makes no sense.

mod embedded;
mod exploring;
mod gateway;
mod issuing;
mod revoke;
mod scenarios;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "host-sim",
    version,
    about = "Runs the gateway's wasm filter, its engine or an issuer of tokens, without Envoy"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the filter over HTTP/1.1 and HTTP/2; prints `ready http://IP:PORT`.
    Serve(gateway::Arguments),
    /// Run the embedded engine alone; prints `ready IP:PORT`.
    Engine(embedded::Arguments),
    /// Run an issuer of development tokens; prints `ready http://IP:PORT`. SIGHUP rotates its key.
    Issuer(issuing::Arguments),
    /// Say in the engine which tokens are good no longer, or list what was said.
    Revoke(revoke::Arguments),
    /// Simulate a fleet of gateways from a seed, with faults, and look for what does not hold.
    Explore(exploring::Arguments),
    /// Play scenarios on the core, on the module in wasmtime and on Envoy.
    Run(scenarios::Arguments),
}

/// What ends the command with exit code 1.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Gateway(#[from] gateway::Failure),
    #[error(transparent)]
    Engine(#[from] embedded::Failure),
    #[error(transparent)]
    Issuer(#[from] issuing::Failure),
    #[error(transparent)]
    Revoke(#[from] revoke::Failure),
    #[error(transparent)]
    Explore(#[from] exploring::Failure),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        // It has said all, and its exit code says whether every scenario went well.
        Command::Run(arguments) => return scenarios::run(&arguments),
        Command::Serve(arguments) => gateway::run(arguments).map_err(Failure::from),
        Command::Engine(arguments) => embedded::run(arguments).map_err(Failure::from),
        Command::Issuer(arguments) => issuing::run(arguments).map_err(Failure::from),
        Command::Revoke(arguments) => revoke::run(arguments).map_err(Failure::from),
        Command::Explore(arguments) => exploring::explore_fleet(arguments).map_err(Failure::from),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("host-sim: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line that others wait for, or read.
#[allow(
    clippy::print_stdout,
    reason = "the documented line of a command-line tool"
)]
fn announce(line: &str) {
    use std::io::Write as _;
    println!("{line}");
    // Whoever started us may have closed the pipe; the service goes on.
    let _ = std::io::stdout().flush();
}
