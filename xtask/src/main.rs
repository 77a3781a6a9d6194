//! Developer commands: `cargo xtask build | up | token | test | fuzz | bench | chaos`. Nothing needs to be installed first but Rust.
//!
//! What starts processes and knows tools is the crate `testbed`, shared with the end-to-end tests, and what is measured and
//! how is the crate `bench`, what is broken and checked is the crate `chaos`; here is only what a developer types and what they are told. stdout carries results, stderr carries progress.
#![allow(clippy::print_stdout, reason = "a command-line tool speaks on stdout")]

mod bench;
mod build;
mod cargo;
mod chaos;
mod fuzz;
mod test;
mod token;
mod toolchain;
mod unused_exports;
mod up;
mod wasm_shape;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of the reward-points gateway.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build the filter's wasm to target/plugin/reward_points.wasm, and check its imports and size.
    Build(build::Options),
    /// Start engine and gateway on this machine, and print a token and commands to try.
    Up(up::Options),
    /// Print a token for a tenant, signed with the development key, and nothing else.
    Token(token::Options),
    /// Everything that CI runs: format, lints, build, all tests. Installs Envoy, etcd and wrk when they are missing.
    Test,
    /// Fuzz the parsers of foreign bytes, coverage-guided: one target or all of them, each for some seconds.
    Fuzz(fuzz::Options),
    /// Compare the gateway's rows side by side under load, and print requests per second, CPU time and latency.
    Bench(bench::Options),
    /// Kill, freeze, fill up and cut off engine and gateways under load, and check every operation against the clients' books.
    Chaos(chaos::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Verb::Build(options) => build::wanted(options),
        Verb::Up(options) => up::run(&options),
        Verb::Token(options) => token::run(&options),
        // It has told already what failed: its closing line comes last.
        Verb::Test => return test::run(),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Chaos(options) => chaos::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Tells the developer what takes time, on stderr.
fn progress(text: &str) {
    eprintln!("==> {text}");
}
