//! Every scenario of `tests/scenarios`, on every driver; and that the table beside them names each of them and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use scenario::driver::Driver;
use scenario::drivers::envoy::{Envoy, Programs};
use scenario::drivers::simulated::{Core, Wasm};
use scenario::load::SCHEMA;
use scenario::play::Verdict;
use scenario::run;
use scenario::setting::usual_configuration;

/// Scenarios at a time.
const JOBS: usize = 2;

fn folder() -> PathBuf {
    testbed::workspace_root().join("tests/scenarios")
}

fn all_pass(driver: Box<dyn Driver>) {
    let scenarios = run::find(&[folder()]).unwrap_or_else(|error| panic!("{error}"));
    let name = driver.name();
    let excused = scenarios
        .iter()
        .filter(|it| it.scenario.not_on.contains_key(name))
        .count();
    let played = run::run(
        &scenarios,
        &[driver],
        &usual_configuration(),
        JOBS,
        |_, _, _| {},
    );
    let failures: Vec<String> = played
        .iter()
        .filter_map(|one| match &one.verdict {
            Verdict::Failed(failure) => Some(format!(
                "{}:{}: {}\n{}",
                one.path.display(),
                failure.line,
                failure.place,
                failure.words
            )),
            _ => None,
        })
        .collect();
    assert!(failures.is_empty(), "{name}\n{}", failures.join("\n\n"));
    let tally = run::tally(&played, name);
    assert_eq!(tally.cannot_run, excused, "{name}");
    assert_eq!(tally.passed + excused, scenarios.len(), "{name}");
}

#[test]
fn on_the_core() {
    all_pass(Box::new(Core));
}

#[test]
fn on_the_module_in_wasmtime() {
    let wasm = testbed::wasm().expect("the filter is built");
    all_pass(Box::new(Wasm::load(&wasm).expect("it compiles")));
}

#[test]
fn on_envoy() {
    let programs = Programs {
        envoy: testbed::tools::envoy().expect("Envoy"),
        host_sim: testbed::host_sim().expect("host-sim is built"),
        wasm: testbed::wasm().expect("the filter is built"),
        envoy_config: testbed::envoy_yaml(),
    };
    all_pass(Box::new(
        Envoy::new(programs).expect("its programs are there"),
    ));
}

/// The files of all scenarios, relative to their folder.
fn files(below: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(below).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            let name = path.strip_prefix(folder()).expect("below the folder");
            found.insert(name.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn the_table_names_every_scenario_and_nothing_else() {
    let mut there = BTreeSet::new();
    files(&folder(), &mut there);
    let table = std::fs::read_to_string(folder().join("README.md")).expect("the table");
    let named: BTreeSet<String> = table
        .split('`')
        .filter(|it| it.ends_with(".yaml") && !it.contains('*'))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = there.difference(&named).collect();
    assert!(missing.is_empty(), "no row names {missing:?}");
    let gone: Vec<_> = named.difference(&there).collect();
    assert!(gone.is_empty(), "rows name what is not there: {gone:?}");
}

#[test]
fn the_schema_beside_the_scenarios_is_the_one_that_is_checked() {
    let beside = std::fs::read_to_string(folder().join("schema.json")).expect("the schema");
    assert!(
        beside == SCHEMA,
        "copy host-sim/scenario/src/schema.json to tests/scenarios/schema.json"
    );
}
