//! `cargo xtask test`: everything that CI runs, in an order that finds cheap faults first, and a count at the end.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};

use crate::build::{self, WASM_ONLY};
use crate::cargo;

/// How many steps there are.
const STEPS: usize = 7;

/// Runs all steps; stops at the first that fails.
///
/// # Errors
/// The failed step.
pub fn run() -> anyhow::Result<()> {
    let mut steps = Steps { done: 0 };
    steps.begin("tools: Envoy, etcd, the wasm target");
    build::ensure_target()?;
    let (envoy, etcd) = (testbed::tools::envoy()?, testbed::tools::etcd()?);
    println!("Envoy {}\netcd  {}", envoy.display(), etcd.display());

    steps.begin("format");
    cargo::run(&["fmt", "--all", "--check"])?;

    steps.begin("lints: host crates");
    let host = [
        "clippy",
        "--workspace",
        "--exclude",
        WASM_ONLY,
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    cargo::run(&host)?;
    steps.begin("lints: the filter");
    let filter = [
        "clippy",
        "--package",
        WASM_ONLY,
        "--target",
        "wasm32-wasip1",
        "--",
        "-D",
        "warnings",
    ];
    cargo::run(&filter)?;

    steps.begin("the filter's wasm: build and shape");
    let wasm = build::run()?;
    steps.begin("host-sim");
    let host_sim = build::host_sim()?;

    steps.begin("tests");
    tests(&Built {
        wasm,
        host_sim,
        envoy,
        etcd,
    })
}

/// Announces steps.
struct Steps {
    done: usize,
}

impl Steps {
    fn begin(&mut self, name: &str) {
        self.done += 1;
        println!("\n=== [{}/{STEPS}] {name}", self.done);
    }
}

/// What the tests are run against, absolute paths all.
struct Built {
    wasm: PathBuf,
    host_sim: PathBuf,
    envoy: PathBuf,
    etcd: PathBuf,
}

/// Runs all tests, passing their output on as it comes, and ends with the count.
fn tests(built: &Built) -> anyhow::Result<()> {
    let mut command = cargo::command(&[
        "test",
        "--workspace",
        "--exclude",
        WASM_ONLY,
        "--no-fail-fast",
    ]);
    let environment: [(&str, &Path); 4] = [
        ("REWARD_POINTS_WASM", &built.wasm),
        ("HOST_SIM", &built.host_sim),
        ("ENVOY", &built.envoy),
        ("ETCD", &built.etcd),
    ];
    let mut child = command
        .envs(environment)
        .stdout(Stdio::piped())
        .spawn()
        .context("start `cargo test`")?;
    let mut output = child.stdout.take().context("the output of `cargo test`")?;
    let mut count = Count::default();
    let mut buffer = [0_u8; 4096];
    loop {
        let length = output
            .read(&mut buffer)
            .context("read the output of `cargo test`")?;
        if length == 0 {
            break;
        }
        let chunk = &buffer[..length];
        count.read(chunk);
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(chunk)
            .and_then(|()| stdout.flush())
            .context("write to stdout")?;
    }
    let status = child.wait().context("wait for `cargo test`")?;
    count.finish();
    println!("\n{} passed, {} failed", count.passed, count.failed);
    ensure!(
        status.success() && count.failed == 0,
        "`cargo test` failed ({status})"
    );
    ensure!(count.passed > 0, "`cargo test` ran no test");
    Ok(())
}

/// Adds up the closing lines of test programs: `test result: ok. 3 passed; 0 failed; ...`.
#[derive(Debug, Default)]
struct Count {
    passed: u64,
    failed: u64,
    line: Vec<u8>,
}

impl Count {
    fn read(&mut self, chunk: &[u8]) {
        for byte in chunk {
            match byte {
                b'\n' => self.finish(),
                other => self.line.push(*other),
            }
        }
    }

    fn finish(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        let words: Vec<&str> = result
            .split([' ', ';', '.'])
            .filter(|word| !word.is_empty())
            .collect();
        for pair in words.windows(2) {
            let number = || pair[0].parse::<u64>().unwrap_or(0);
            match pair[1] {
                "passed" => self.passed += number(),
                "failed" => self.failed += number(),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_added_up_however_they_are_cut() {
        let output = b"running 2 tests\ntest a ... ok\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            test says ... 9 passed; 9 failed\n\
            test result: FAILED. 30 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s";
        for size in [1, 7, 4096] {
            let mut count = Count::default();
            output.chunks(size).for_each(|chunk| count.read(chunk));
            count.finish();
            assert_eq!((count.passed, count.failed), (32, 4), "in pieces of {size}");
        }
    }
}
