//! `cargo xtask test`: everything that CI runs, in an order that finds cheap faults first, and a count at the end.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, ensure};

use crate::build::{self, WASM_ONLY};
use crate::{cargo, fuzz, toolchain};

/// How many steps there are.
const STEPS: usize = 9;

/// Runs all steps; stops at the first that fails. The last line on stdout is always the count of tests, and a step that
/// fails before any test ran counts as one failure.
pub fn run() -> ExitCode {
    let mut steps = Steps::default();
    let outcome = all(&mut steps);
    if let Err(error) = &outcome {
        eprintln!("error: {}: {error:#}", steps.current);
    }
    println!("\n{}", steps.count.closing_line(outcome.is_ok()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn all(steps: &mut Steps) -> anyhow::Result<()> {
    // Another test starts this very program. Asked for now, for a build may put a newer one in its place.
    let xtask = std::env::current_exe().context("find this program")?;
    steps.begin("tools: C and C++ compilers, rustfmt, clippy, the wasm target, Envoy, etcd, wrk");
    toolchain::ensure_c_compiler()?;
    toolchain::ensure_cxx_compiler()?;
    toolchain::ensure_components()?;
    toolchain::ensure_target()?;
    let (envoy, etcd) = (testbed::tools::envoy()?, testbed::tools::etcd()?);
    let wrk = testbed::tools::wrk()?;
    println!(
        "Envoy {}\netcd  {}\nwrk   {}",
        envoy.display(),
        etcd.display(),
        wrk.program().display()
    );

    steps.begin("format");
    cargo::run(&["fmt", "--all", "--check"])?;

    steps.begin("lints: host crates");
    let mut host = vec!["clippy", "--workspace"];
    host.extend(but_wasm());
    host.extend(["--all-targets", "--", "-D", "warnings"]);
    cargo::run(&host)?;
    steps.begin("lints: the filters");
    let mut filters = vec!["clippy", "--target", toolchain::WASM_TARGET];
    filters.extend(WASM_ONLY.iter().flat_map(|package| ["--package", *package]));
    filters.extend(["--", "-D", "warnings"]);
    cargo::run(&filters)?;

    steps.begin("the filter's wasm: build and shape");
    let wasm = build::run()?;
    steps.begin("the filter's wasm with planted bugs");
    let planted_bugs = build::planted_bugs()?;
    steps.begin("host-sim");
    let host_sim = build::host_sim()?;

    steps.begin("tests");
    let built = Built {
        wasm,
        planted_bugs,
        host_sim,
        xtask,
        envoy,
        etcd,
    };
    tests(&built, &mut steps.count)?;

    // Last, so that what the tests came to is told also when an input is found here that nobody has thought of.
    steps.begin("fuzzing, a few seconds a target");
    fuzz::bounded()
}

/// Options that leave out what is built for wasm alone.
fn but_wasm() -> impl Iterator<Item = &'static str> {
    WASM_ONLY.iter().flat_map(|package| ["--exclude", *package])
}

/// Announces steps, and holds what is to be said at the end.
#[derive(Debug, Default)]
struct Steps {
    done: usize,
    current: String,
    count: Count,
}

impl Steps {
    fn begin(&mut self, name: &str) {
        self.done += 1;
        self.current = format!("step [{}/{STEPS}] {name}", self.done);
        println!("\n=== [{}/{STEPS}] {name}", self.done);
    }
}

/// What the tests are run against, absolute paths all.
struct Built {
    wasm: PathBuf,
    planted_bugs: PathBuf,
    host_sim: PathBuf,
    xtask: PathBuf,
    envoy: PathBuf,
    etcd: PathBuf,
}

/// Runs all tests, passing their output on as it comes and counting them.
fn tests(built: &Built, count: &mut Count) -> anyhow::Result<()> {
    let mut args = vec!["test", "--workspace"];
    args.extend(but_wasm());
    args.push("--no-fail-fast");
    let mut command = cargo::command(&args);
    let environment: [(&str, &Path); 6] = [
        ("REWARD_POINTS_WASM", &built.wasm),
        ("PLANTED_BUGS_WASM", &built.planted_bugs),
        ("HOST_SIM", &built.host_sim),
        ("XTASK", &built.xtask),
        ("ENVOY", &built.envoy),
        ("ETCD", &built.etcd),
    ];
    let mut child = command
        .envs(environment)
        .stdout(Stdio::piped())
        .spawn()
        .context("start `cargo test`")?;
    let mut output = child.stdout.take().context("the output of `cargo test`")?;
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
    /// What is said last. A failure that no test program counted (it did not build, it crashed) is one.
    fn closing_line(&self, success: bool) -> String {
        let failed = match (success, self.failed) {
            (false, 0) => 1,
            (_, counted) => counted,
        };
        format!("{} passed, {failed} failed", self.passed)
    }

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

    #[test]
    fn a_failure_is_never_closed_with_none_failed() {
        let count = |passed, failed| Count {
            passed,
            failed,
            line: Vec::new(),
        };
        assert_eq!(count(3, 0).closing_line(true), "3 passed, 0 failed");
        assert_eq!(count(0, 0).closing_line(false), "0 passed, 1 failed");
        assert_eq!(count(3, 0).closing_line(false), "3 passed, 1 failed");
        assert_eq!(count(3, 2).closing_line(false), "3 passed, 2 failed");
    }
}
