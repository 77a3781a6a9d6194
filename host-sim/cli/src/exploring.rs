//! `host-sim explore`: a fleet of gateways from a seed, as often as is wanted, until something does not hold.
//!
//! What is found goes to standard output; progress to standard error, as a line that is written over when that is a
//! terminal, else as a line every few seconds.

mod progress;

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fleet::{
    Check, Explored, FaultKind, Named, Plan, Progress, Record, Search, Set, Trace, Violation,
    explore, run, shrink,
};
use host::Program;

use crate::announce;

/// Where a failure is written when no other file is named.
const DEFAULT_TRACE: &str = "fleet-failure.jsonl";

/// Command line of `host-sim explore`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = meanings())]
pub struct Arguments {
    /// The filter.
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// The first seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many seeds.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Operations of clients for each seed.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    operations: u32,
    /// Gateways.
    #[arg(long, value_name = "G", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=16))]
    gateways: u64,
    /// Workers of each gateway.
    #[arg(long, value_name = "W", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=16))]
    workers: u64,
    /// What may go wrong: `all`, `none`, or names with commas between; `--help` lists them.
    #[arg(long, value_name = "LIST", default_value = "all")]
    faults: Set<FaultKind>,
    /// A member of the filter's configuration, as NAME=JSON, in place of what the seed draws; may be given several times.
    #[arg(long, value_name = "NAME=JSON", value_parser = setting)]
    set: Vec<(String, serde_json::Value)>,
    /// A check not to make; may be given several times.
    #[arg(long, value_name = "CHECK", value_parser = Check::named)]
    without: Vec<Check>,
    /// Worlds that run at the same time [default: as many as there are cores].
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u64).range(1..=1_024))]
    threads: Option<u64>,
    /// For how many seconds at most a failing plan is made smaller; 0: not at all.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    shrink: u64,
    /// Where a failing plan and what happened in it are written [default: fleet-failure.jsonl]. Of a single seed it is
    /// written in any case when this is given.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Run the plan in this file again, as an earlier failure left it, say whether it fails as recorded, and write what
    /// happens to the file of `--trace`, if there is one.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

/// Why exploring ended with a failure.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something does not hold; it was told on standard output.
    #[error("{0}")]
    Violated(Violation),
    /// The module.
    #[error(transparent)]
    Load(#[from] host::LoadError),
    /// A file.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is to be run again.
    #[error("{path}: {source}", path = path.display())]
    Record {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: fleet::BadRecord,
    },
    /// Writing a record.
    #[error("the record cannot be written: {0}")]
    Write(#[from] serde_json::Error),
}

fn meanings() -> String {
    fn list<T: Named>(out: &mut String) {
        for it in T::all() {
            let _ = writeln!(out, "  {:<16} {}", it.name(), it.meaning());
        }
    }
    let mut out = "Faults:\n".to_owned();
    list::<FaultKind>(&mut out);
    out.push_str("\nChecks:\n");
    list::<Check>(&mut out);
    out.push_str("\nExit codes: 0 when everything holds, 1 when something does not, 2 for a command line that makes no sense.");
    out
}

/// Explores, or runs a failure again.
///
/// # Errors
/// [`Failure`]
pub fn explore_fleet(arguments: Arguments) -> Result<(), Failure> {
    let program = Program::load(&arguments.wasm)?;
    match &arguments.replay {
        Some(path) => again(path, &arguments, &program),
        None => search(&arguments, &program),
    }
}

fn setting(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("is not NAME=JSON")?;
    let value =
        serde_json::from_str(value).map_err(|error| format!("`{value}` is no JSON: {error}"))?;
    Ok((name.to_owned(), value))
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn search(arguments: &Arguments, program: &Program) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let search = Search {
        seeds: arguments.seed..arguments.seed.saturating_add(arguments.seeds),
        gateways: count(arguments.gateways),
        workers: count(arguments.workers),
        operations: arguments.operations,
        faults: arguments.faults.clone(),
        settings: arguments.set.iter().cloned().collect(),
        checks: Set::all().without(&arguments.without),
        threads: arguments.threads.map_or(cores, count),
    };
    let (began, progress) = (Instant::now(), Progress::default());
    let explored = std::thread::scope(|scope| {
        let shown = scope.spawn(|| progress::show(&search, &progress));
        let explored = explore(&search, program, &progress);
        progress
            .stop
            .store(true, std::sync::atomic::Ordering::Relaxed);
        shown.thread().unpark();
        explored
    });
    announce(&summary(&explored, began.elapsed()));
    let Some((seed, violation)) = explored.failed else {
        if arguments.seeds == 1 && arguments.trace.is_some() {
            let plan = Plan::draw(&search.wish(arguments.seed));
            write(&plan, &search.checks, trace(arguments), program)?;
        }
        return Ok(());
    };
    announce(&format!("seed {seed} fails: {violation}"));
    let plan = Plan::draw(&search.wish(seed));
    let (plan, checks) = smaller(plan, &violation, arguments, &search.checks, program);
    let recurs = write(&plan, &checks, trace(arguments), program)?;
    if recurs.is_none() {
        announce(
            "it did not fail again when it was written down: the run depends on something that is not in its seed",
        );
    }
    Err(Failure::Violated(recurs.unwrap_or(violation)))
}

fn trace(arguments: &Arguments) -> &Path {
    let named = arguments.trace.as_deref();
    named.unwrap_or_else(|| Path::new(DEFAULT_TRACE))
}

/// A failing plan with fewer events, and what to look at in it.
fn smaller(
    plan: Plan,
    violation: &Violation,
    arguments: &Arguments,
    checks: &Set<Check>,
    program: &Program,
) -> (Plan, Set<Check>) {
    if arguments.shrink == 0 {
        return (plan, checks.clone());
    }
    let interactive = std::io::stderr().is_terminal();
    let all = plan.events.len();
    let mut told = |smaller: &Plan| {
        if interactive {
            eprint!(
                "\rshrinking: {} of {all} events left\u{1b}[K",
                smaller.events.len()
            );
        }
    };
    let time = Duration::from_secs(arguments.shrink);
    let shrunk = shrink(&plan, violation, program, time, &mut told);
    if interactive {
        eprintln!();
    }
    announce(&format!(
        "shrunk from {all} to {} events in {} tries",
        shrunk.plan.events.len(),
        shrunk.tries
    ));
    (shrunk.plan, Set::of(&[violation.check]))
}

/// Runs a plan and writes down what happens.
fn write(
    plan: &Plan,
    checks: &Set<Check>,
    path: &Path,
    program: &Program,
) -> Result<Option<Violation>, Failure> {
    let ran = run(plan, program, checks, Trace::kept(), &mut || ());
    let record = Record::write(plan, checks, &ran)?;
    std::fs::write(path, record).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    announce(&format!("what happened is in {}", path.display()));
    Ok(ran.violation)
}

fn again(path: &Path, arguments: &Arguments, program: &Program) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    let record = Record::read(&text).map_err(|source| Failure::Record {
        path: path.to_owned(),
        source,
    })?;
    let checks = record.checks.clone().without(&arguments.without);
    let violation = match &arguments.trace {
        Some(path) => write(&record.plan, &checks, path, program)?,
        None => run(&record.plan, program, &checks, Trace::default(), &mut || ()).violation,
    };
    if violation.is_none() {
        announce("everything holds");
    }
    announce(&match &record.violation {
        it if *it == violation => "as recorded".to_owned(),
        None => "not as recorded: there everything held".to_owned(),
        Some(recorded) => format!("not as recorded: {recorded}"),
    });
    violation.map_or(Ok(()), |it| Err(Failure::Violated(it)))
}

fn summary(explored: &Explored, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let mut out = format!(
        "{} seeds, {} operations, {} requests, {} commits, {} s simulated, in {seconds:.1} s: {:.0} operations/s\nanswers:",
        explored.seeds,
        explored.operations,
        explored.answers,
        explored.changes,
        explored.elapsed_us / 1_000_000,
        explored.operations as f64 / seconds.max(0.001),
    );
    for (status, number) in &explored.statuses {
        let _ = match status {
            0 => write!(out, " none {number}"),
            status => write!(out, " {status} {number}"),
        };
    }
    out.push_str("\ncounters:");
    for (name, number) in explored.counters.iter().filter(|it| *it.1 > 0) {
        let name = name.strip_prefix("reward_points.").unwrap_or(name);
        let _ = write!(out, " {name} {number}");
    }
    out
}
