//! A short run of the real thing: as many kinds of faults as there is time for, and not one operation lost, doubled or
//! invented. No figure is looked at: this machine may be busy with anything.

use std::time::Duration;

use chaos::{Links, Plan, run};

/// Always the same order of faults, in which very different ones come first: an Envoy killed, cut off and drained, the leader
/// cut off and killed, a disk full, no quorum. What a slow machine has no time for is of a kind with these.
const SEED: u64 = 6431;
/// With the time that starting and checking takes, about a minute.
const DURATION: Duration = Duration::from_secs(40);
const CLIENTS: usize = 64;

#[test]
fn nothing_is_lost_or_doubled_in_a_minute_of_faults() {
    let plan = Plan {
        duration: DURATION,
        seed: SEED,
        clients: CLIENTS,
        links: Links::Best,
    };
    let report = run(&plan).unwrap_or_else(|error| panic!("{error:#}"));
    let table = report.table();
    assert!(report.is_clean(), "{table}");
    assert!(report.injected() > 0, "{table}");
    assert!(report.acknowledged() > 0, "{table}");
    eprintln!("{table}");
}
