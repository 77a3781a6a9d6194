//! What can be expected together: an expectation that would not be looked at is refused, so that nobody relies on it.

use gateway::access::Algorithm;
use gateway::host::{Counter, Gauge};

use crate::format::{Check, Expect, Scenario, Step};
use crate::load::schema::no_such;

/// What is wrong with what a step expects: by field, in words.
pub(super) fn of_answer(then: &Expect, step: &Step, inside: bool) -> Vec<(&'static str, String)> {
    let mut complaints = Vec::new();
    let mut complain = |field, words: String| complaints.push((field, words));
    if then.statuses.is_some() != step.together.is_some() {
        let words =
            "`statuses` is what is said of requests that are sent together, and nothing else is";
        complain("", words.to_owned());
    }
    let all = members(then);
    for (alone, field) in [("statuses", "/statuses"), ("no_answer", "/no_answer")] {
        let others: Vec<&str> = all.iter().copied().filter(|it| *it != alone).collect();
        if all.contains(&alone) && !others.is_empty() {
            let words = format!("stands alone: {} would not be looked at", others.join(", "));
            complain(field, words);
        }
    }
    if then.within.is_some() {
        if inside {
            let words = "what is sent together with others is sent once";
            complain("/within", words.to_owned());
        } else if step.send.is_none() {
            let words = "only what is sent can be sent again";
            complain("/within", words.to_owned());
        } else if all == ["within"] {
            let words = "says how long to wait, but not for what";
            complain("/within", words.to_owned());
        }
    }
    complaints
}

/// The names of all that is expected of an answer.
fn members(then: &Expect) -> Vec<&'static str> {
    let all = [
        ("status", then.status.is_some()),
        ("no_answer", then.no_answer),
        ("statuses", then.statuses.is_some()),
        ("headers", !then.headers.is_empty()),
        ("trailers", !then.trailers.is_empty()),
        ("body", then.body.is_some()),
        ("json", then.json.is_some()),
        ("json_has", then.json_has.is_some()),
        ("contains", then.contains.is_some()),
        ("hex", then.hex.is_some()),
        ("within", then.within.is_some()),
        ("save", !then.save.is_empty()),
    ];
    all.iter().filter(|it| it.1).map(|it| it.0).collect()
}

/// What a schema cannot say of a check.
pub(super) fn check(check: &Check, at: &str, complaints: &mut super::Complaints) {
    if let Some(engine) = &check.engine
        && engine.documents.is_none()
        && engine.writes.is_none()
        && engine.segments.is_none()
    {
        let words = "says whose, but not what: give it `documents`, `writes` or `segments`";
        complaints.push((format!("{at}/engine"), words.to_owned()));
    }
    // One that does not exist would be 0 for ever.
    for name in check.metrics.keys().filter(|name| !is_metric(name)) {
        let words = no_such("metric", name, Counter::ALL.iter().map(|it| it.name()));
        complaints.push((format!("{at}/metrics/{name}"), words));
    }
}

/// Whether the module has a counter or gauge of that name.
fn is_metric(name: &str) -> bool {
    // Gauges of issuers and clusters hold their place in the configuration, whatever that is here.
    let placed = || {
        let place = |part: &str| part.parse().unwrap_or(0);
        name.split('.').nth(2).map(place)
    };
    let is_gauge = |gauge: Gauge| gauge.name() == name;
    Counter::ALL.iter().any(|it| it.name() == name)
        || [Gauge::DenyListEntries, Gauge::DenyListAgeSeconds]
            .map(is_gauge)
            .contains(&true)
        || Algorithm::ALL
            .iter()
            .any(|it| is_gauge(Gauge::NativeSignatures(*it)))
        || placed().is_some_and(|place| {
            let gauges = [
                Gauge::KeyAgeSeconds,
                Gauge::KeyFetchResult,
                Gauge::Keys,
                Gauge::FeedEpoch,
                Gauge::FeedAgeMs,
            ];
            gauges.iter().any(|gauge| is_gauge(gauge(place)))
        })
}

/// Whether a scenario expects anything.
pub(super) fn are_there(scenario: &Scenario) -> bool {
    let expects = |step: &Step| step.then.is_some();
    let mut steps = scenario.when.iter();
    scenario.checks().next().is_some()
        || steps.any(|step| expects(step) || step.together.iter().flatten().any(expects))
}
