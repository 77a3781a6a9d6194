//! `host-sim run`: scenarios on one, two or three drivers, with progress, differences and a closing count.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use scenario::driver::{Driver, Trouble};
use scenario::drivers::envoy::{Envoy, Programs};
use scenario::drivers::simulated::{Core, Wasm};
use scenario::play::Verdict;
use scenario::run::{self, Played};
use scenario::{drivers, junit, load, setting};

/// Exit code when a scenario failed.
const FAILED: u8 = 1;
/// Exit code when nothing was played: a wrong file, a missing program, no scenario that can be played on the chosen drivers.
const WRONG: u8 = 2;

/// Command line of `host-sim run`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
A scenario is a YAML file that says how it begins (given), what happens (when) and what comes of it (then):

  scenario: points that are added can be read
  given:
    accounts: { alice: 100 }
  when:
    - send: POST /reward-points/customer/alice/addPoints
      json: { points: 50 }
      then: { status: 201 }
    - send: GET /reward-points/customer/alice
      then: { status: 200, body: '150' }

`host-sim run --schema` prints the JSON Schema of such files, for editors.

Drivers: `core` is the gateway's code without a host, `wasm` the module in wasmtime, both under a simulated clock; `envoy` is
a real Envoy with a real engine on this machine. A scenario that cannot be played on one of them says why (`not_on`), and is
counted apart. Tokens are signed with keys that stand in for those of the configuration's issuers.

The last lines are a count for each driver:

  core   103 passed, 0 failed, 2 cannot run here

Exit code: 0 all passed, 1 some failed, 2 nothing was played (a wrong file, a missing program, a wrong command line, or no
scenario that can be played on the chosen drivers).")]
pub struct Arguments {
    /// Files and folders; of a folder all .yaml and .yml files below it.
    #[arg(value_name = "PATH", required_unless_present = "schema")]
    paths: Vec<PathBuf>,
    /// Play on this driver; may be repeated. Without, on all of them.
    #[arg(long, value_name = "NAME", value_parser = drivers::NAMES)]
    driver: Vec<String>,
    /// The usual configuration of the filter, in place of a small one that is built in: the filter's own, JSON or YAML, or
    /// an Envoy configuration that holds it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The module, for `wasm` and `envoy`.
    #[arg(
        long,
        value_name = "FILE",
        env = "REWARD_POINTS_WASM",
        default_value = "target/plugin/reward_points.wasm"
    )]
    wasm: PathBuf,
    /// Envoy, for `envoy`; without a slash it is looked for on PATH.
    #[arg(long, value_name = "FILE", env = "ENVOY", default_value = "envoy")]
    envoy: PathBuf,
    /// The Envoy configuration that `envoy` starts from.
    #[arg(long, value_name = "FILE", default_value = "envoy/envoy.yaml")]
    envoy_config: PathBuf,
    /// Write what was played as JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How many scenarios are played at a time. Without, as many as there are processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Print the JSON Schema of scenarios, and play nothing.
    #[arg(long)]
    schema: bool,
}

/// Plays, and says how it went.
pub fn run(arguments: &Arguments) -> ExitCode {
    if arguments.schema {
        crate::announce(load::SCHEMA.trim_end());
        return ExitCode::SUCCESS;
    }
    match play(arguments) {
        Ok(code) => code,
        Err(words) => {
            eprintln!("host-sim: {words}");
            ExitCode::from(WRONG)
        }
    }
}

fn play(arguments: &Arguments) -> Result<ExitCode, String> {
    let began = Instant::now();
    let scenarios = run::find(&arguments.paths).map_err(|error| error.to_string())?;
    let usual = match &arguments.config {
        Some(path) => setting::read_configuration(path).map_err(|error| error.to_string())?,
        None => setting::usual_configuration(),
    };
    let chosen =
        |name: &&str| arguments.driver.is_empty() || arguments.driver.iter().any(|it| it == name);
    let names: Vec<&str> = drivers::NAMES
        .into_iter()
        .filter(|name| chosen(name))
        .collect();
    let drivers = names
        .iter()
        .map(|name| {
            driver(name, arguments).map_err(|trouble| format!("{name}: {trouble}{}", hint(name)))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or(processors, usize::from);
    let played = run::run(&scenarios, &drivers, &usual, jobs, tell);
    for one in &played {
        if let Verdict::Failed(failure) = &one.verdict {
            let words = failure.words.replace('\n', "\n  ");
            crate::announce(&format!(
                "\n{}:{}: {}\n  on {}: {}\n  {words}",
                one.path.display(),
                failure.line,
                failure.place,
                one.driver,
                one.scenario,
            ));
        }
    }
    for one in &played {
        if let Verdict::CannotRun(reason) = &one.verdict {
            crate::announce(&format!(
                "cannot run on {}: {}: {reason}",
                one.driver,
                one.path.display()
            ));
        }
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit::document(&played, &names))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    crate::announce(&format!(
        "\n{} scenarios in {:.1} s",
        scenarios.len(),
        began.elapsed().as_secs_f64()
    ));
    let mut code = ExitCode::SUCCESS;
    if played
        .iter()
        .all(|one| matches!(one.verdict, Verdict::CannotRun(_)))
    {
        eprintln!("host-sim: nothing was played: no scenario can be on the chosen drivers");
        code = ExitCode::from(WRONG);
    }
    for name in names {
        let tally = run::tally(&played, name);
        crate::announce(&format!(
            "{name:<6} {} passed, {} failed, {} cannot run here",
            tally.passed, tally.failed, tally.cannot_run
        ));
        if tally.failed > 0 {
            code = ExitCode::from(FAILED);
        }
    }
    Ok(code)
}

/// Progress: one line for each play, on standard error.
fn tell(played: &Played, done: usize, total: usize) {
    let word = match played.verdict {
        Verdict::Passed => "ok    ",
        Verdict::Failed(_) => "FAILED",
        Verdict::CannotRun(_) => "-     ",
    };
    // Whoever started us may have closed the pipe.
    let _ = writeln!(
        std::io::stderr(),
        "[{done}/{total}] {word} {:<5} {} ({} ms)",
        played.driver,
        played.path.display(),
        played.took.as_millis(),
    );
}

fn driver(name: &str, arguments: &Arguments) -> Result<Box<dyn Driver>, Trouble> {
    Ok(match name {
        "core" => Box::new(Core),
        "wasm" => Box::new(Wasm::load(&arguments.wasm)?),
        _ => Box::new(Envoy::new(Programs {
            envoy: on_path(&arguments.envoy),
            host_sim: std::env::current_exe().map_err(Trouble::of)?,
            wasm: std::path::absolute(&arguments.wasm).map_err(Trouble::of)?,
            envoy_config: arguments.envoy_config.clone(),
        })?),
    })
}

/// What helps when a driver's programs are not there.
fn hint(name: &str) -> &'static str {
    match name {
        "core" => "",
        "wasm" => {
            "\n  --wasm FILE or $REWARD_POINTS_WASM says where the module is; --driver chooses other drivers"
        }
        _ => {
            "\n  --envoy FILE or $ENVOY says where Envoy is, --envoy-config FILE what it starts from, --wasm FILE where the module \
             is; --driver chooses other drivers"
        }
    }
}

/// A program that is named without a folder, where the shell would find it.
fn on_path(program: &std::path::Path) -> PathBuf {
    let has_folder = program.components().count() > 1;
    let folders = std::env::var_os("PATH").filter(|_| !has_folder);
    let folders = folders.iter().flat_map(std::env::split_paths);
    let found = folders
        .map(|folder| folder.join(program))
        .find(|it| it.is_file());
    found.unwrap_or_else(|| program.to_owned())
}
