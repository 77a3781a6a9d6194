//! What a schema cannot say: that a step does one thing, that its other fields belong to it, that names are known.

use std::collections::BTreeSet;

use crate::driver::Need;
use crate::format::{Scenario, Step};
use crate::tokens;

mod expectations;

type Complaints = Vec<(String, String)>;

/// Everything that is wrong, by JSON pointer.
pub(super) fn check(scenario: &Scenario) -> Complaints {
    let mut complaints = Complaints::new();
    let mut begun = BTreeSet::new();
    for (number, step) in scenario.when.iter().enumerate() {
        let at = format!("/when/{number}");
        check_step(scenario, step, &at, false, &mut complaints);
        if let Some(name) = &step.begin
            && !begun.insert(name.clone())
        {
            let words = format!("a request was begun under the name {name:?} before");
            complaints.push((format!("{at}/begin"), words));
        }
        for (field, name) in [("finish", &step.finish), ("leave", &step.leave)] {
            if let Some(name) = name
                && !begun.remove(name)
            {
                let words = format!("no request is under way that was begun as {name:?}");
                complaints.push((format!("{at}/{field}"), words));
            }
        }
    }
    let workers = scenario.given.workers.unwrap_or(DEFAULT_WORKERS);
    let gateways = scenario.given.gateways.unwrap_or(DEFAULT_GATEWAYS);
    for (at, step) in all_steps(scenario) {
        let numbers = [
            ("gateway", step.gateway, gateways),
            ("worker", step.worker, workers),
            ("lose_worker", step.lose_worker, workers),
        ];
        for (field, number, many) in numbers {
            if let Some(number) = number
                && number >= many
            {
                let words = format!("{number} is none of 0 to {}: there are {many}", many - 1);
                complaints.push((format!("{at}/{field}"), words));
            }
        }
    }
    for (at, check) in scenario.checks() {
        expectations::check(check, &at, &mut complaints);
    }
    if complaints.is_empty() && !expectations::are_there(scenario) {
        let words = "nothing is expected: give a step a `then`, or the scenario one";
        complaints.push(("/when".to_owned(), words.to_owned()));
    }
    complaints
}

/// Gateways unless a scenario says otherwise.
pub(crate) const DEFAULT_GATEWAYS: usize = 1;
/// Workers unless it does: the smallest number that shows what workers do to each other.
pub(crate) const DEFAULT_WORKERS: usize = 2;

/// What a scenario asks of a driver that not all of them have.
pub(crate) fn needs(scenario: &Scenario) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    if scenario.given.time.is_some() {
        needs.insert(Need::Clock);
    }
    for (_, step) in all_steps(scenario) {
        let wanted = [
            (step.pass.is_some(), Need::Clock),
            (step.worker.is_some(), Need::ChosenWorker),
            (step.lose_worker.is_some(), Need::LostWorker),
            (step.raw.is_some(), Need::Wire),
        ];
        needs.extend(wanted.iter().filter(|it| it.0).map(|it| it.1));
    }
    needs
}

fn all_steps(scenario: &Scenario) -> impl Iterator<Item = (String, &Step)> {
    let outer = scenario.when.iter().enumerate();
    outer.flat_map(|(number, step)| {
        let at = format!("/when/{number}");
        let inner = step.together.iter().flatten().enumerate();
        let inner: Vec<_> = inner
            .map(|(place, step)| (format!("{at}/together/{place}"), step))
            .collect();
        std::iter::once((at, step)).chain(inner)
    })
}

fn check_step(
    scenario: &Scenario,
    step: &Step,
    at: &str,
    inside: bool,
    complaints: &mut Complaints,
) {
    let mut complain = |field: &str, words: String| {
        complaints.push((format!("{at}{field}"), words));
    };
    let actions = actions(step);
    let action = match actions.as_slice() {
        [action] => *action,
        [] => {
            let words = "does nothing: give it `send`, or another of what a step can do";
            return complain("", words.to_owned());
        }
        several => return complain("", format!("does several things: {}", several.join(", "))),
    };
    if inside && !matches!(action, "send" | "raw") {
        return complain(
            "",
            format!("`{action}` cannot be done together with others"),
        );
    }
    for (field, belongs) in fields(step) {
        if !belongs.contains(&action) {
            complain(
                &format!("/{field}"),
                format!("does not belong to `{action}`"),
            );
        }
    }
    if step.times.is_some() && !inside {
        complain(
            "/times",
            "belongs to a request inside `together`".to_owned(),
        );
    }
    if step.begin.is_some() && (inside || step.then.is_some()) {
        let words = "the answer is looked at where it is waited for, by `finish`";
        complain("/begin", words.to_owned());
    }
    let bodies = [
        step.json.is_some(),
        step.body.is_some(),
        step.parts.is_some(),
    ];
    if bodies.iter().filter(|it| **it).count() > 1 {
        let words = "has several bodies: give it one of `json`, `body` and `parts`";
        complain("", words.to_owned());
    }
    if let Some(send) = &step.send
        && send
            .split_once(' ')
            .is_none_or(|(method, path)| method.is_empty() || path.is_empty())
    {
        complain(
            "/send",
            format!("{send:?} is not of the form `METHOD PATH`"),
        );
    }
    if let Some(name) = &step.token
        && !tokens::is_known(&scenario.given.tokens, name)
    {
        complain("/as", tokens::unknown(&scenario.given.tokens, name));
    }
    if let Some(then) = &step.then {
        for (field, words) in expectations::of_answer(then, step, inside) {
            complain(&format!("/then{field}"), words);
        }
    }
    for (place, inner) in step.together.iter().flatten().enumerate() {
        check_step(
            scenario,
            inner,
            &format!("{at}/together/{place}"),
            true,
            complaints,
        );
    }
}

/// What a step does.
fn actions(step: &Step) -> Vec<&'static str> {
    let all = [
        ("send", step.send.is_some()),
        ("raw", step.raw.is_some()),
        ("finish", step.finish.is_some()),
        ("leave", step.leave.is_some()),
        ("together", step.together.is_some()),
        ("pass", step.pass.is_some()),
        ("engine", step.engine.is_some()),
        ("upstream", step.upstream.is_some()),
        ("key_server", step.key_server.is_some()),
        ("lose_worker", step.lose_worker.is_some()),
        ("revoke", step.revoke.is_some()),
        ("take_back", step.take_back.is_some()),
        ("check", step.check.is_some()),
    ];
    all.iter().filter(|it| it.1).map(|it| it.0).collect()
}

/// The other fields that it has, and what they belong to.
fn fields(step: &Step) -> Vec<(&'static str, &'static [&'static str])> {
    const SENDS: &[&str] = &["send"];
    let all: [(&str, bool, &[&str]); 12] = [
        ("as", step.token.is_some(), SENDS),
        ("headers", !step.headers.is_empty(), SENDS),
        ("json", step.json.is_some(), SENDS),
        ("body", step.body.is_some(), SENDS),
        ("parts", step.parts.is_some(), SENDS),
        ("trailers", !step.trailers.is_empty(), SENDS),
        ("http", step.http.is_some(), SENDS),
        ("begin", step.begin.is_some(), SENDS),
        ("times", step.times.is_some(), SENDS),
        (
            "gateway",
            step.gateway.is_some(),
            &["send", "raw", "lose_worker"],
        ),
        ("worker", step.worker.is_some(), SENDS),
        (
            "then",
            step.then.is_some(),
            &["send", "raw", "finish", "together"],
        ),
    ];
    all.iter()
        .filter(|it| it.1)
        .map(|it| (it.0, it.2))
        .collect()
}
