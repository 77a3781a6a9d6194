//! A short run of the real thing: every kind of fault once, and not one operation lost, doubled or invented. No figure is
//! looked at: this machine may be busy with anything.

use std::time::Duration;

use chaos::{Links, Plan, run};

/// Any would do: every round has all kinds. This one gives a failure the same order again.
const SEED: u64 = 6431;
const CLIENTS: usize = 64;

#[test]
fn nothing_is_lost_or_doubled_in_a_round_of_faults() {
    let plan = Plan {
        // As long as the round takes: about a minute and a half.
        duration: Duration::ZERO,
        rounds: 1,
        seed: SEED,
        clients: CLIENTS,
        links: Links::Best,
    };
    let report = run(&plan).unwrap_or_else(|error| panic!("{error:#}"));
    let table = report.table();
    assert!(report.is_clean(), "{table}");
    assert!(report.not_drawn().is_empty(), "{table}");
    assert!(report.injected() > 0, "{table}");
    assert!(report.acknowledged() > 0, "{table}");
    eprintln!("{table}");
}
