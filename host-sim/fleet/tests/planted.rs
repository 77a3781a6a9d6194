//! Every mistake that the test build of the filter can put in is found, and each within a bounded number of worlds.
//!
//! Without this nobody knew whether the checks look at anything. Which check finds which mistake first, and in
//! which world, is in `docs/fleet.md`, as `every_planted_bug_is_found` prints it; `matrix` tells which other checks would.

use std::sync::OnceLock;

use fleet::{Check, FaultKind, Named as _, Progress, Search, Set, Settings, explore};
use gateway::planted::Bug;
use host::Program;
use serde_json::json;

/// Worlds in which a mistake has to show, and operations of each.
const SEEDS: u64 = 200;
const OPERATIONS: u32 = 600;

/// Mistakes that show too seldom for so few worlds, and the test that finds them.
const ELSEWHERE: [(&str, &str); 1] = [(
    "confirmed_without_look",
    "gateway: feed::freshness::tests::a_copy_is_confirmed_only_when_the_feed_has_not_passed_it",
)];

/// The filter with mistakes in it, compiled once for all tests.
fn program() -> &'static Program {
    static COMPILED: OnceLock<Program> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let wasm = testbed::planted_bugs_wasm().expect("the filter with planted bugs is built");
        Program::load(&wasm).expect("it compiles")
    })
}

/// The worlds to look through for this mistake; none: with no mistake at all.
fn search(bug: Option<&str>, seeds: u64, checks: Set<Check>) -> Search {
    let settings = bug.map(|name| ("planted_bug".to_owned(), json!(name)));
    Search {
        seeds: 1..seeds + 1,
        gateways: 2,
        workers: 2,
        operations: OPERATIONS,
        faults: Set::<FaultKind>::all(),
        settings: Settings::from_iter(settings),
        checks,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

#[test]
fn every_planted_bug_is_found() {
    let mut survivors = Vec::new();
    for (_, name) in Bug::ALL {
        if ELSEWHERE.iter().any(|(it, _)| *it == name) {
            continue;
        }
        let search = search(Some(name), SEEDS, Set::all());
        match explore(&search, program(), &Progress::default()).failed {
            Some((seed, violation)) => eprintln!("{name:<24} seed {seed:>2}: {violation}"),
            None => survivors.push(name),
        }
    }
    assert_eq!(survivors, [""; 0], "not found in {SEEDS} worlds each");
}

#[test]
fn the_same_build_without_a_mistake_is_found_good() {
    let search = search(None, 6, Set::all());
    assert_eq!(
        explore(&search, program(), &Progress::default()).failed,
        None
    );
}

/// Which checks find which mistake: the one that does first is left out, until none does in twice as many worlds as the first one
/// took; and which mistakes would live on without each check, because no other finds them. Takes long: to be run by hand,
/// `cargo test -p fleet --test planted -- --ignored --nocapture`.
#[test]
#[ignore = "many minutes"]
fn matrix() {
    /// So many worlds at least.
    const LEAST: u64 = 40;
    let mut found = Vec::new();
    for (_, name) in Bug::ALL {
        if ELSEWHERE.iter().any(|(it, _)| *it == name) {
            continue;
        }
        let mut finders: Vec<Check> = Vec::new();
        let mut seeds = SEEDS;
        loop {
            let search = search(Some(name), seeds, Set::all().without(&finders));
            match explore(&search, program(), &Progress::default()).failed {
                Some((seed, violation)) => {
                    if finders.is_empty() {
                        seeds = SEEDS.min(LEAST.max(2 * seed));
                    }
                    finders.push(violation.check);
                }
                None => break,
            }
        }
        let names: Vec<&str> = finders.iter().map(|it| it.name()).collect();
        eprintln!("| `{name}` | {} |", names.join(", "));
        found.push((name, finders));
    }
    let mut idle = Vec::new();
    for check in Check::all() {
        let only = found.iter().filter(|(_, finders)| *finders == [*check]);
        let bugs: Vec<&str> = only.map(|(name, _)| *name).collect();
        eprintln!("| `{}` | {} |", check.name(), bugs.join(", "));
        if bugs.is_empty() {
            idle.push(check.name());
        }
    }
    assert_eq!(idle, [""; 0], "nothing would be missed without these");
}
