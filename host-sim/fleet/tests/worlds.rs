//! Whole worlds, from their seeds: all holds in them, they are the same every time, and what fails in one is made small, is
//! written down and fails again.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use fleet::{
    Check, FaultKind, Name, Plan, Progress, Record, Search, Set, Settings, Trace, What, Wish,
    explore, run, shrink,
};
use host::Program;

/// The filter, compiled once for all tests.
fn program() -> &'static Program {
    static COMPILED: OnceLock<Program> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let wasm = testbed::wasm().expect("the filter is built");
        Program::load(&wasm).expect("it compiles")
    })
}

fn wish(seed: u64, operations: u32, faults: Set<FaultKind>) -> Wish {
    Wish {
        seed,
        gateways: 2,
        workers: 2,
        operations,
        faults,
        settings: Settings::new(),
    }
}

fn search(seeds: std::ops::Range<u64>, operations: u32, faults: Set<FaultKind>) -> Search {
    Search {
        seeds,
        gateways: 2,
        workers: 2,
        operations,
        faults,
        settings: Settings::new(),
        checks: Set::all(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[test]
fn everything_holds_whatever_goes_wrong() {
    let explored = explore(
        &search(1..25, 400, Set::all()),
        program(),
        &Progress::default(),
    );
    assert_eq!(explored.failed, None);
    assert_eq!(explored.seeds, 24);
    // It went through something: writes were done and refused, reads came from copies, calls were sent again.
    for status in [200, 201, 400, 404, 409, 503] {
        let often = explored.statuses.get(&status).copied().unwrap_or(0);
        assert!(often > 10, "{status}: {often} of {:?}", explored.statuses);
    }
    for counter in [
        "commit.resends",
        "commit.conflicts",
        "feed.takeovers",
        "feed.doubts",
    ] {
        let name = format!("reward_points.{counter}");
        let often = explored.counters.get(name.as_str()).copied().unwrap_or(0);
        assert!(often > 10, "{counter}: {often} of {:?}", explored.counters);
    }
}

#[test]
fn everything_holds_when_nothing_goes_wrong() {
    let explored = explore(
        &search(100..104, 400, Set::none()),
        program(),
        &Progress::default(),
    );
    assert_eq!(explored.failed, None);
    // Then everybody gets an answer at once.
    assert_eq!(explored.statuses.get(&503), None, "{:?}", explored.statuses);
    assert_eq!(explored.statuses.get(&0), None, "{:?}", explored.statuses);
}

/// The filter asks an engine that is not there, so that all it ever says is 503, which is the right answer to every request.
#[test]
fn a_fleet_that_does_nothing_is_found() {
    let engine = serde_json::json!({
        "clusters": ["nowhere"],
        "call_timeout_ms": 200,
        "write_budget_ms": 1_000,
        "read_budget_ms": 1_000,
    });
    for check in [Check::Answered, Check::Rest] {
        let idle = Search {
            settings: Settings::from_iter([("engine".to_owned(), engine.clone())]),
            checks: Set::of(&[check]),
            ..search(1..2, 100, Set::none())
        };
        let explored = explore(&idle, program(), &Progress::default());
        let (_, violation) = explored.failed.expect("it does nothing");
        assert_eq!(violation.check, check);
        assert_eq!(explored.statuses.get(&201), None);
    }
}

#[test]
fn the_same_seed_leaves_the_same_trace() {
    let trace = |seed| {
        let plan = Plan::draw(&wish(seed, 300, Set::all()));
        let ran = run(&plan, program(), &Set::all(), Trace::kept(), &mut || ());
        Record::write(&plan, &Set::all(), &ran).expect("it can be written")
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}

/// An engine that breaks its promise stands for every bug: what it makes fail must be found, made small and fail again.
#[test]
fn what_fails_is_made_small_and_fails_again() {
    let broken = search(1..40, 300, Set::of(&[FaultKind::StaleRead]));
    let explored = explore(&broken, program(), &Progress::default());
    let (seed, violation) = explored
        .failed
        .expect("an engine that reads from the past is found");
    assert!(
        [Check::Strict, Check::Refused, Check::OwnWrites].contains(&violation.check),
        "{violation}"
    );
    let plan = Plan::draw(&broken.wish(seed));
    let time = Duration::from_secs(600);
    let shrunk = shrink(&plan, &violation, program(), time, &mut |_| ());
    assert_eq!(shrunk.violation.check, violation.check);
    let left = &shrunk.plan.events;
    assert!(left.len() < 15, "{} events are left", left.len());
    let stale = left.iter().filter(|it| matches!(it.what, What::Fault(_)));
    assert_eq!(
        stale.count(),
        1,
        "without the fault nothing fails: {left:?}"
    );

    let checks = Set::of(&[violation.check]);
    let ran = run(&shrunk.plan, program(), &checks, Trace::kept(), &mut || ());
    assert_eq!(ran.violation.as_ref(), Some(&shrunk.violation));
    let written = Record::write(&shrunk.plan, &checks, &ran).expect("it can be written");
    let read = Record::read(&written).expect("it can be read");
    assert_eq!(read.plan, shrunk.plan);
    let again = run(
        &read.plan,
        program(),
        &read.checks,
        Trace::kept(),
        &mut || (),
    );
    let written_again = Record::write(&read.plan, &read.checks, &again).expect("it can be written");
    assert_eq!(written_again, written, "to the byte");

    // Without the check it is not found: the check is what finds it.
    let others = Set::all().without(&[violation.check]);
    let blind = run(
        &shrunk.plan,
        program(),
        &others,
        Trace::default(),
        &mut || (),
    );
    assert_eq!(blind.violation, None);
}

/// Who had to send an operation again before it was answered sends it again after the answer too.
#[test]
fn what_was_sent_again_is_echoed() {
    let faults = Set::all().without(&[FaultKind::ClientLeaves]);
    let mut echoed = 0;
    for seed in 1..9 {
        let plan = Plan::draw(&wish(seed, 300, faults.clone()));
        let ran = run(&plan, program(), &Set::all(), Trace::kept(), &mut || ());
        assert_eq!(ran.violation, None);
        let mut replies: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
        for line in ran.trace.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            if line["event"] == "reply" {
                let number = line["operation"].as_u64().expect("a number");
                let is_known = ![0, 503].contains(&line["status"].as_u64().expect("a status"));
                replies.entry(number).or_default().push(is_known);
            }
        }
        for event in &plan.events {
            let What::Operation(operation) = &event.what else {
                continue;
            };
            let replies = &replies[&operation.number.into()];
            let known = replies.iter().filter(|it| **it).count();
            let is_echoed = operation.echoes == 1 && operation.named != Name::Nothing;
            let wanted = 1 + usize::from(is_echoed);
            assert!(known <= wanted, "{operation:?}: {replies:?}");
            if replies.len() < 8 && operation.named != Name::Nothing {
                assert_eq!(known, wanted, "{operation:?}: {replies:?}");
                echoed += usize::from(is_echoed && !replies[0]);
            }
        }
    }
    assert!(
        echoed > 0,
        "nothing was sent again both before and after its answer"
    );
}

#[test]
fn what_is_no_record_is_refused() {
    for (text, words) in [
        ("", "there is no first line"),
        ("{}", "line 1: missing field `fleet`"),
    ] {
        let error = Record::read(text).expect_err("no record").to_string();
        assert!(error.starts_with(words), "{error}");
    }
    let plan = Plan::draw(&wish(1, 5, Set::none()));
    let ran = run(&plan, program(), &Set::none(), Trace::default(), &mut || ());
    let written = Record::write(&plan, &Set::none(), &ran).expect("it can be written");
    // Another format is refused as such, whatever else its first line lacks.
    for other in [
        written.replacen("\"fleet\":2", "\"fleet\":1", 1),
        "{\"fleet\":1}".to_owned(),
    ] {
        let error = Record::read(&other)
            .expect_err("another format")
            .to_string();
        assert!(error.contains("format 1"), "{error}");
    }
    let unknown = written.replacen("\"quiet_us\":", "\"noise_us\":1,\"quiet_us\":", 1);
    let error = Record::read(&unknown)
        .expect_err("a field that nobody knows")
        .to_string();
    assert!(error.contains("unknown field `noise_us`"), "{error}");
    let elsewhere = written
        .replacen("\"gateway\":0", "\"gateway\":9", 1)
        .replacen("\"gateway\":1", "\"gateway\":9", 1);
    let error = Record::read(&elsewhere)
        .expect_err("no such gateway")
        .to_string();
    assert!(error.contains("not there"), "{error}");
}
