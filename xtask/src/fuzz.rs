//! `cargo xtask fuzz`: builds the fuzz targets with coverage on the stable toolchain, and runs libFuzzer on them in turn.
//!
//! LLVM's coverage is a pass of the compiler and needs no nightly; only sanitizers would, and in code without `unsafe` they
//! would have little to find. What a target asserts is known in `tests/fuzz`; here is how it is built, where its inputs
//! come from and what is told of a run. `docs/fuzzing.md` is the manual.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::{cargo, progress, toolchain};

/// How long each target runs in `cargo xtask test`, in seconds.
const BOUNDED_SECONDS: u32 = 2;

/// After how many seconds one input counts as hanging.
const INPUT_TIMEOUT_SECONDS: u32 = 25;

/// How much memory a target may take, in MiB.
const MEMORY_MIB: u32 = 2048;

/// Files that a committed corpus may have (`tests/fuzz/tests/replay.rs` holds it to that).
const MAX_COMMITTED: usize = 40;

/// How many lines of a failed run are shown.
const SHOWN_LINES: usize = 40;

/// The compiler's flags: counters and a table of all edges for libFuzzer, operands of comparisons as hints, and a callback
/// at each edge, by which steps are counted.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-trace-pc",
];

/// Which targets to run, and how long.
#[derive(Debug, Args)]
pub struct Options {
    /// Which targets, in this order; without any all of them.
    targets: Vec<String>,
    /// How long each of them runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Only list the targets.
    #[arg(long)]
    list: bool,
    /// Instead of looking for more, put the fewest inputs that reach most of what was reached into the committed corpus.
    #[arg(long)]
    minimise: bool,
}

/// One target as the fuzzer tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    name: String,
    max_len: String,
    dictionary: String,
    about: String,
}

impl Target {
    /// A line of the fuzzer's list.
    fn of(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        Some(Self {
            name: fields.next()?,
            max_len: fields.next()?,
            dictionary: fields.next()?,
            about: fields.next()?,
        })
    }
}

/// Runs what is asked for.
///
/// # Errors
/// When the fuzzer cannot be built, a target is unknown, or an input was found that fails.
pub fn run(options: &Options) -> anyhow::Result<()> {
    testbed::stop_on_signals();
    let fuzzer = Fuzzer::build()?;
    let all = fuzzer.targets()?;
    if options.list {
        for target in all {
            println!("{:14} {}", target.name, target.about);
        }
        return Ok(());
    }
    let mut wanted = Vec::new();
    for name in &options.targets {
        let target = all.iter().find(|it| it.name == *name);
        let target = target.with_context(|| format!("no target {name:?}; --list lists them"))?;
        wanted.push(target.clone());
    }
    if wanted.is_empty() {
        wanted = all;
    }
    for target in &wanted {
        match options.minimise {
            true => fuzzer.minimise(target)?,
            false => fuzzer.look(target, options.seconds)?,
        }
    }
    Ok(())
}

/// Every target for a few seconds.
///
/// # Errors
/// As [`run`].
pub fn bounded() -> anyhow::Result<()> {
    let fuzzer = Fuzzer::build()?;
    for target in fuzzer.targets()? {
        fuzzer.look(&target, BOUNDED_SECONDS)?;
    }
    Ok(())
}

/// The built fuzzer, and where everything is that it reads and writes.
struct Fuzzer {
    program: PathBuf,
    /// Builds, corpora that grow, logs and failing inputs.
    work: PathBuf,
    /// What is committed.
    committed: PathBuf,
}

impl Fuzzer {
    fn build() -> anyhow::Result<Self> {
        toolchain::ensure_cxx_compiler()?;
        progress("building the fuzz targets (instrumented)");
        let work = testbed::target_dir().join("fuzz");
        let host = toolchain::host_target()?;
        // A target of its own keeps the flags from build scripts and macros, which nothing would link with the fuzzer.
        let mut build = cargo::command_in(
            &work,
            &[
                "build",
                "--package",
                "fuzz",
                "--bin",
                "fuzz",
                "--features",
                "libfuzzer",
                "--profile",
                "fuzz",
                "--target",
                &host,
            ],
        );
        build
            .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f"))
            .env_remove("RUSTFLAGS")
            .stdout(std::io::stderr());
        let status = testbed::attend(build).context("start cargo")?;
        ensure!(status.success(), "the fuzz targets do not build ({status})");
        Ok(Self {
            program: work.join(host).join("fuzz").join("fuzz"),
            committed: testbed::workspace_root().join("tests/fuzz"),
            work,
        })
    }

    fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let output = Command::new(&self.program)
            .env_remove("FUZZ_TARGET")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("start {}", self.program.display()))?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let targets: Vec<Target> = told.lines().filter_map(Target::of).collect();
        ensure!(!targets.is_empty(), "the fuzzer knows no target");
        Ok(targets)
    }

    /// Looks for inputs for so many seconds, and tells what came of it.
    fn look(&self, target: &Target, seconds: u32) -> anyhow::Result<()> {
        let own = self.directory("corpus", &target.name)?;
        let mut command = self.command(target)?;
        command.env("FUZZ_SEEDS", &own).arg(&own);
        for kind in ["corpus", "crashes"] {
            let committed = self.committed.join(kind).join(&target.name);
            if committed.is_dir() {
                command.arg(committed);
            }
        }
        command.args([
            format!("-max_total_time={seconds}"),
            format!("-max_len={}", target.max_len),
            "-print_final_stats=1".to_owned(),
        ]);
        let log = self.attend(command, target)?;
        let told = Told::of(&log).context("the fuzzer told nothing of its run")?;
        println!(
            "{:14} {:>9} inputs, {} edges, {} features, {} kept",
            target.name, told.inputs, told.edges, told.features, told.kept
        );
        Ok(())
    }

    /// Puts the fewest inputs that reach what all known ones reach, or as many of them as a corpus may have, in the place of
    /// the committed ones.
    fn minimise(&self, target: &Target) -> anyhow::Result<()> {
        let committed = self.committed.join("corpus").join(&target.name);
        let own = self.directory("corpus", &target.name)?;
        let fewest = self.directory("fewest", &target.name)?;
        std::fs::remove_dir_all(&fewest).context("empty the directory of the fewest")?;
        std::fs::create_dir_all(&fewest).context("make the directory of the fewest")?;
        let mut command = self.command(target)?;
        // Which edges, not how often each: that is what a replay can show.
        command.args(["-set_cover_merge=1", "-use_counters=0"]);
        command.arg(&fewest).arg(&own);
        if committed.is_dir() {
            command.arg(&committed);
        }
        self.attend(command, target)?;
        let mut files = files_of(&fewest)?;
        let found = files.len();
        // In the order in which they were chosen, the one that reaches most first.
        files.sort();
        files.truncate(MAX_COMMITTED);
        if committed.is_dir() {
            std::fs::remove_dir_all(&committed).context("empty the committed corpus")?;
        }
        std::fs::create_dir_all(&committed).context("make the committed corpus")?;
        for (_, file) in &files {
            let name = file.file_name().context("a file without a name")?;
            std::fs::copy(file, committed.join(name)).context("copy an input")?;
        }
        println!(
            "{:14} {} of {found} inputs committed",
            target.name,
            files.len()
        );
        Ok(())
    }

    /// A directory of one target below the working directory.
    fn directory(&self, kind: &str, target: &str) -> anyhow::Result<PathBuf> {
        let directory = self.work.join(kind).join(target);
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("make {}", directory.display()))?;
        Ok(directory)
    }

    fn command(&self, target: &Target) -> anyhow::Result<Command> {
        let failing = self.directory("failing", &target.name)?;
        let mut prefix = OsString::from("-artifact_prefix=");
        prefix.push(failing.join(""));
        let mut command = Command::new(&self.program);
        command
            .env("FUZZ_TARGET", &target.name)
            .env("RUST_BACKTRACE", "0")
            .arg(prefix)
            .args([
                format!("-timeout={INPUT_TIMEOUT_SECONDS}"),
                format!("-rss_limit_mb={MEMORY_MIB}"),
            ]);
        if target.dictionary != "none" {
            let file = format!("dictionaries/{}.dict", target.dictionary);
            let mut dictionary = OsString::from("-dict=");
            dictionary.push(self.committed.join(file));
            command.arg(dictionary);
        }
        Ok(command)
    }

    /// Runs the fuzzer to its end and returns what it said; that also stays in a file.
    fn attend(&self, mut command: Command, target: &Target) -> anyhow::Result<String> {
        let log = self.directory("logs", &target.name)?.join("last.log");
        let file = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file);
        let status = testbed::attend(command).context("start the fuzzer")?;
        let words = std::fs::read(&log).with_context(|| format!("read {}", log.display()))?;
        let words = String::from_utf8_lossy(&words).into_owned();
        if status.success() {
            return Ok(words);
        }
        let lines: Vec<&str> = words.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES)) {
            eprintln!("{line}");
        }
        bail!(
            "{} failed ({status}); the whole of it: {}; what to do: docs/fuzzing.md",
            target.name,
            log.display()
        )
    }
}

/// The files of a directory with the times of their writing.
fn files_of(directory: &Path) -> anyhow::Result<Vec<(std::time::SystemTime, PathBuf)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).context("list the fewest")? {
        let entry = entry.context("list the fewest")?;
        let written = entry.metadata().and_then(|it| it.modified());
        files.push((written.context("when it was written")?, entry.path()));
    }
    Ok(files)
}

/// What libFuzzer tells of a run.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    inputs: u64,
    edges: u64,
    features: u64,
    kept: u64,
}

impl Told {
    fn of(log: &str) -> Option<Self> {
        // `#1234 DONE   cov: 56 ft: 78 corp: 9/10b lim: 4096 exec/s: 11 rss: 12Mb`
        let last = log.lines().rfind(|line| line.contains(" cov: "))?;
        let number = |name: &str| {
            let behind = last.split_once(name)?.1;
            let digits = behind
                .trim_start()
                .split(|it: char| !it.is_ascii_digit())
                .next()?;
            digits.parse().ok()
        };
        let executed = log
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
        Some(Self {
            inputs: executed.trim().parse().ok()?,
            edges: number(" cov:")?,
            features: number(" ft:")?,
            kept: number(" corp:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_came_to_is_read_from_its_last_line() {
        let log = "INFO: Seed: 1\n#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 30Mb\n\
            #900\tDONE   cov: 56 ft: 78 corp: 9/10b lim: 4096 exec/s: 11 rss: 12Mb\n\
            Done 900 runs in 2 second(s)\nstat::number_of_executed_units: 900\n";
        let told = Told {
            inputs: 900,
            edges: 56,
            features: 78,
            kept: 9,
        };
        assert_eq!(Told::of(log), Some(told));
        assert_eq!(Told::of("ERROR: no interesting inputs were found"), None);
    }

    #[test]
    fn a_target_is_a_line_of_four_fields() {
        let target = Target::of("path\t2048\thttp\tone reading").expect("a target");
        assert_eq!((&*target.name, &*target.dictionary), ("path", "http"));
        assert_eq!(Target::of("warning: something"), None);
    }
}
