//! One scenario on one stage, step by step, to its end or to the first step that went otherwise.

mod making;

use std::collections::BTreeMap;

use crate::check::{self, Baseline};
use crate::compare::{Difference, differ};
use crate::context::Context;
use crate::driver::{Ask, Driver, Outcome, Place, Request, Setting, Trouble};
use crate::format::{Check, Expect, Step};
use crate::judge;
use crate::load::{Loaded, needs, readable};
use crate::tokens::{self, CLERK};

/// How a play ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// Otherwise.
    Failed(Failure),
    /// It was not played, for this reason that the scenario gives.
    CannotRun(String),
}

/// What went otherwise, and where that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line in the file.
    pub line: u64,
    /// Where in the document.
    pub place: String,
    /// What was expected and what came, or what broke.
    pub words: String,
}

/// A failure at a JSON pointer.
struct At {
    pointer: String,
    words: String,
}

impl At {
    fn new(pointer: &str, words: impl Into<String>) -> Self {
        Self {
            pointer: pointer.to_owned(),
            words: words.into(),
        }
    }
}

/// For `map_err`: at this place.
fn at<E: ToString>(pointer: &str) -> impl FnOnce(E) -> At {
    move |error| At::new(pointer, error.to_string())
}

/// Plays a scenario.
pub fn play(loaded: &Loaded, setting: &Setting, driver: &dyn Driver) -> Verdict {
    let scenario = &loaded.scenario;
    if let Some(reason) = scenario.not_on.get(driver.name()) {
        return Verdict::CannotRun(reason.clone());
    }
    let failed = |failed: At| {
        Verdict::Failed(Failure {
            line: loaded.line(&failed.pointer),
            place: readable(&failed.pointer),
            words: failed.words,
        })
    };
    if let Some(need) = needs(scenario)
        .into_iter()
        .find(|need| driver.cannot(*need))
    {
        return failed(At::new(
            "/not_on",
            format!(
                "the scenario {}, which {} cannot: give the reason under `not_on.{}`, or do without",
                need.words(),
                driver.name(),
                driver.name()
            ),
        ));
    }
    let stage = match driver.open(setting) {
        Ok(stage) => stage,
        Err(trouble) => return failed(At::new("/given", trouble.to_string())),
    };
    let context = Context::new(stage, &scenario.given.tokens, &setting.configuration);
    let mut play = Play {
        context: &context,
        under_way: BTreeMap::new(),
        baseline: Baseline::new(),
    };
    match play.all(loaded) {
        Ok(()) => Verdict::Passed,
        Err(wrong) => failed(wrong),
    }
}

struct Play<'a> {
    context: &'a Context<'a>,
    under_way: BTreeMap<String, (Ask, String)>,
    baseline: Baseline,
}

impl Play<'_> {
    fn all(&mut self, loaded: &Loaded) -> Result<(), At> {
        let scenario = &loaded.scenario;
        let given = &scenario.given;
        if let Some(spec) = &given.upstream {
            self.upstream(spec).map_err(at("/given/upstream"))?;
        }
        self.key_server(&given.key_server.clone().unwrap_or_default())
            .map_err(at("/given/key_server"))?;
        for (customer, spec) in &given.accounts {
            let place = format!("/given/accounts/{}", segment(customer));
            self.account(tokens::TENANT, customer, spec)
                .map_err(at(&place))?;
        }
        for (tenant, accounts) in &given.accounts_of {
            for (customer, spec) in accounts {
                let place = format!(
                    "/given/accounts_of/{}/{}",
                    segment(tenant),
                    segment(customer)
                );
                self.account(tenant, customer, spec).map_err(at(&place))?;
            }
        }
        if let Some(state) = given.engine {
            self.context
                .on_stage(|stage| stage.engine(state))
                .map_err(at("/given/engine"))?;
        }
        let checks = scenario.checks().map(|(_, check)| check);
        self.baseline = self
            .context
            .on_stage(|stage| check::baseline(checks, stage))
            .map_err(at("/given"))?;
        for (number, step) in scenario.when.iter().enumerate() {
            self.step(step, &format!("/when/{number}"))?;
        }
        for (name, (ask, _)) in std::mem::take(&mut self.under_way) {
            // Nobody said what comes of it, but the gateway has to come to an end with it.
            let ended = self.context.on_stage(|stage| stage.finish(ask));
            ended
                .map_err(|trouble| At::new("/when", format!("the request {name:?}: {trouble}")))?;
        }
        if let Some(then) = &scenario.then {
            self.check(then, "/then")?;
        }
        self.context
            .on_stage(|stage| stage.is_well())
            .map_err(at(""))
    }

    fn step(&mut self, step: &Step, place: &str) -> Result<(), At> {
        let on_stage =
            |what: &mut dyn FnMut(&mut dyn crate::driver::Stage) -> Result<(), Trouble>| {
                self.context
                    .on_stage(|stage| what(stage))
                    .map_err(at(place))
            };
        if step.send.is_some() || step.raw.is_some() {
            self.send(step, place)
        } else if let Some(name) = &step.finish {
            let Some((ask, said)) = self.under_way.remove(name) else {
                return Err(At::new(place, format!("no request {name:?} is under way")));
            };
            let outcome = self
                .context
                .on_stage(|stage| stage.finish(ask))
                .map_err(at(place))?;
            self.judge(step.then.as_ref(), &outcome, &said, place)
        } else if let Some(name) = &step.leave {
            let Some((ask, _)) = self.under_way.remove(name) else {
                return Err(At::new(place, format!("no request {name:?} is under way")));
            };
            on_stage(&mut |stage| stage.leave(ask))
        } else if let Some(steps) = &step.together {
            self.together(steps, step.then.as_ref(), place)
        } else if let Some(span) = step.pass {
            on_stage(&mut |stage| stage.pass(span.ms))
        } else if let Some(state) = step.engine {
            on_stage(&mut |stage| stage.engine(state))
        } else if let Some(spec) = &step.upstream {
            self.upstream(spec).map_err(at(place))
        } else if let Some(spec) = &step.key_server {
            self.key_server(spec).map_err(at(place))
        } else if let Some(worker) = step.lose_worker {
            let place = Place {
                gateway: step.gateway.unwrap_or(0),
                worker: Some(worker),
            };
            on_stage(&mut |stage| stage.lose_worker(place))
        } else if let Some(revocation) = &step.revoke {
            self.mark(revocation, true).map_err(at(place))
        } else if let Some(revocation) = &step.take_back {
            self.mark(revocation, false).map_err(at(place))
        } else if let Some(check) = &step.check {
            self.check(check, &format!("{place}/check"))
        } else {
            Err(At::new(place, "does nothing"))
        }
    }

    fn send(&mut self, step: &Step, place: &str) -> Result<(), At> {
        let (where_to, request) = self.request(step).map_err(at(place))?;
        let said = said(step, &request);
        if let Some(name) = &step.begin {
            let begun = self
                .context
                .on_stage(|stage| stage.begin(where_to, &request));
            let ask = begun.map_err(at(place))?;
            self.under_way.insert(name.clone(), (ask, said));
            // The next step finds it under way, not on its way to the gateway.
            return self
                .context
                .on_stage(|stage| stage.linger())
                .map_err(at(place));
        }
        let within = step.then.as_ref().and_then(|it| it.within);
        let until_ms = within.map(|span| {
            let now_ms = self.context.on_stage(|stage| stage.now_ms());
            now_ms.saturating_add(i64::try_from(span.ms).unwrap_or(i64::MAX))
        });
        loop {
            let outcome = self
                .context
                .on_stage(|stage| {
                    let ask = stage.begin(where_to, &request)?;
                    stage.finish(ask)
                })
                .map_err(at(place))?;
            let judged = self.judge(step.then.as_ref(), &outcome, &said, place);
            let late =
                until_ms.is_none_or(|until| self.context.on_stage(|stage| stage.now_ms()) >= until);
            if judged.is_ok() || late {
                return judged;
            }
            self.context
                .on_stage(|stage| stage.linger())
                .map_err(at(place))?;
        }
    }

    fn together(&mut self, steps: &[Step], then: Option<&Expect>, place: &str) -> Result<(), At> {
        let mut asks = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let place = format!("{place}/together/{number}");
            for time in 1..=step.times.unwrap_or(1) {
                self.context.number(step.times.map(|_| time));
                let (where_to, request) = self.request(step).map_err(at(&place))?;
                let begun = self
                    .context
                    .on_stage(|stage| stage.begin(where_to, &request));
                asks.push((
                    begun.map_err(at(&place))?,
                    step,
                    said(step, &request),
                    place.clone(),
                ));
            }
        }
        self.context.number(None);
        let mut statuses = BTreeMap::<String, usize>::new();
        for (ask, step, said, place) in asks {
            let outcome = self
                .context
                .on_stage(|stage| stage.finish(ask))
                .map_err(at(&place))?;
            let status = match &outcome {
                Outcome::Answer(answer) => answer.status.to_string(),
                Outcome::Nothing => "no answer".to_owned(),
            };
            *statuses.entry(status).or_default() += 1;
            self.judge(step.then.as_ref(), &outcome, &said, &place)?;
        }
        match then.and_then(|then| then.statuses.as_ref()) {
            Some(expected) if *expected != statuses => {
                let mut differences = Vec::new();
                let listed = |all: &BTreeMap<String, usize>| {
                    let each = all
                        .iter()
                        .map(|(status, many)| format!("{many} × {status}"));
                    each.collect::<Vec<_>>().join(", ")
                };
                differ(
                    &mut differences,
                    "statuses",
                    listed(expected),
                    listed(&statuses),
                );
                Err(At::new(
                    &format!("{place}/then/statuses"),
                    listing(&differences),
                ))
            }
            _ => Ok(()),
        }
    }

    fn judge(
        &self,
        then: Option<&Expect>,
        outcome: &Outcome,
        said: &str,
        place: &str,
    ) -> Result<(), At> {
        let Some(expect) = then else { return Ok(()) };
        let place = format!("{place}/then");
        let differences = judge::outcome(expect, outcome, self.context).map_err(at(&place))?;
        if !differences.is_empty() {
            let whole = judge::whole(outcome).replace('\n', "\n    ");
            let words = format!("{}\n  {said}\n    {whole}", listing(&differences));
            return Err(At::new(&place, words));
        }
        if let Outcome::Answer(answer) = outcome {
            for (name, what) in &expect.save {
                let place = format!("{place}/save/{}", segment(name));
                let part = judge::part(answer, what).map_err(at(&place))?;
                self.context.save(name, part);
            }
        }
        Ok(())
    }

    fn check(&self, check: &Check, place: &str) -> Result<(), At> {
        let differences = check::check(check, &self.baseline, self.context).map_err(at(place))?;
        if differences.is_empty() {
            Ok(())
        } else {
            Err(At::new(place, listing(&differences)))
        }
    }
}

/// A name as a segment of a JSON pointer.
fn segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A request in a few words.
fn said(step: &Step, request: &Request) -> String {
    match &step.send {
        Some(_) => format!(
            "answer to {} {} as {}:",
            request.method,
            crate::template::shown(&request.path),
            step.token.as_deref().unwrap_or(CLERK)
        ),
        None => "answer:".to_owned(),
    }
}

fn listing(differences: &[Difference]) -> String {
    let lines: Vec<String> = differences.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
