//! One scenario on one stage, step by step, to its end or to the first step that went otherwise.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check::{self, Baseline, escaped};
use crate::compare::{Difference, differ};
use crate::context::Context;
use crate::driver::{
    Answer, Ask, Behaviour, Canned, Driver, Outcome, Place, Request, Service, Setting, Trouble,
};
use crate::format::{AccountSpec, Check, Expect, KeyServerSpec, Revocation, ServerSpec, Step};
use crate::judge;
use crate::load::{Loaded, needs, readable};
use crate::template::{expand, expand_json};
use crate::tokens::{self, CLERK, NOBODY};

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
    if let Some(need) = needs(scenario).into_iter().find(|need| driver.cannot(*need)) {
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
            self.account(tokens::TENANT, customer, spec).map_err(at(&place))?;
        }
        for (tenant, accounts) in &given.accounts_of {
            for (customer, spec) in accounts {
                let place = format!("/given/accounts_of/{}/{}", segment(tenant), segment(customer));
                self.account(tenant, customer, spec).map_err(at(&place))?;
            }
        }
        if let Some(state) = given.engine {
            self.context
                .on_stage(|stage| stage.engine(state))
                .map_err(at("/given/engine"))?;
        }
        let checks = scenario.when.iter().filter_map(|step| step.check.as_ref());
        let checks = checks.chain(scenario.then.as_ref());
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
            ended.map_err(|trouble| At::new("/when", format!("the request {name:?}: {trouble}")))?;
        }
        if let Some(then) = &scenario.then {
            self.check(then, "/then")?;
        }
        self.context.on_stage(|stage| stage.is_well()).map_err(at(""))
    }

    fn step(&mut self, step: &Step, place: &str) -> Result<(), At> {
        let on_stage = |what: &mut dyn FnMut(&mut dyn crate::driver::Stage) -> Result<(), Trouble>| {
            self.context.on_stage(|stage| what(stage)).map_err(at(place))
        };
        if step.send.is_some() || step.raw.is_some() {
            self.send(step, place)
        } else if let Some(name) = &step.finish {
            let Some((ask, said)) = self.under_way.remove(name) else {
                return Err(At::new(place, format!("no request {name:?} is under way")));
            };
            let outcome = self.context.on_stage(|stage| stage.finish(ask)).map_err(at(place))?;
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
            let begun = self.context.on_stage(|stage| stage.begin(where_to, &request));
            let ask = begun.map_err(at(place))?;
            self.under_way.insert(name.clone(), (ask, said));
            return Ok(());
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
            let late = until_ms.is_none_or(|until| self.context.on_stage(|stage| stage.now_ms()) >= until);
            if judged.is_ok() || late {
                return judged;
            }
            self.context.on_stage(|stage| stage.linger()).map_err(at(place))?;
        }
    }

    fn together(&mut self, steps: &[Step], then: Option<&Expect>, place: &str) -> Result<(), At> {
        let mut asks = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let place = format!("{place}/together/{number}");
            for time in 1..=step.times.unwrap_or(1) {
                self.context.number(step.times.map(|_| time));
                let (where_to, request) = self.request(step).map_err(at(&place))?;
                let begun = self.context.on_stage(|stage| stage.begin(where_to, &request));
                asks.push((begun.map_err(at(&place))?, step, said(step, &request), place.clone()));
            }
        }
        self.context.number(None);
        let mut statuses = BTreeMap::<String, usize>::new();
        for (ask, step, said, place) in asks {
            let outcome = self.context.on_stage(|stage| stage.finish(ask)).map_err(at(&place))?;
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
                    let each = all.iter().map(|(status, many)| format!("{many} × {status}"));
                    each.collect::<Vec<_>>().join(", ")
                };
                differ(&mut differences, "statuses", listed(expected), listed(&statuses));
                Err(At::new(&format!("{place}/then/statuses"), listing(&differences)))
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

    fn request(&self, step: &Step) -> Result<(Place, Request), String> {
        let place = Place {
            gateway: step.gateway.unwrap_or(0),
            worker: step.worker,
        };
        let expanded = |text: &str| expand(text, self.context);
        if let Some(raw) = &step.raw {
            let request = Request {
                raw: Some(expanded(raw)?),
                ..Request::default()
            };
            return Ok((place, request));
        }
        let send = step.send.as_deref().unwrap_or_default();
        let (method, path) = send.split_once(' ').unwrap_or((send, "/"));
        let mut request = Request {
            method: method.to_owned(),
            path: expanded(path)?,
            http2: step.http == Some(2),
            ..Request::default()
        };
        let name = step.token.as_deref().unwrap_or(CLERK);
        if name != NOBODY {
            let token = self.context.token(name)?.text;
            let value = format!("Bearer {token}").into_bytes();
            request.headers.push(("authorization".to_owned(), value));
        }
        if let Some(json) = &step.json {
            let body = expand_json(json, self.context)?.to_string();
            request.headers.push(("content-type".to_owned(), b"application/json".to_vec()));
            request.body = vec![body.into_bytes()];
        }
        for (name, values) in &step.headers {
            let name = name.to_ascii_lowercase();
            if matches!(name.as_str(), "content-type") {
                request.headers.retain(|(own, _)| *own != name);
            }
            for value in values.all() {
                request.headers.push((name.clone(), expanded(value)?));
            }
        }
        if let Some(body) = &step.body {
            request.body = vec![expanded(body)?];
        }
        for part in step.parts.iter().flatten() {
            request.body.push(expanded(part)?);
        }
        for (name, value) in &step.trailers {
            request.trailers.push((name.to_ascii_lowercase(), expanded(value)?));
        }
        Ok((place, request))
    }

    /// Makes an account by the API, as any client would.
    fn account(&self, tenant: &str, customer: &str, spec: &AccountSpec) -> Result<(), String> {
        let token = self.context.token_for(tenant)?;
        let path = format!("/reward-points/customer/{}", escaped(customer));
        let (added, redeemed) = match spec {
            AccountSpec::Points(0) => (Vec::new(), Vec::new()),
            AccountSpec::Points(points) => (vec![json!({ "points": points })], Vec::new()),
            AccountSpec::Entries { added, redeemed } => (added.clone(), redeemed.clone()),
        };
        let mut requests = Vec::new();
        if added.is_empty() {
            requests.push((path.clone(), None));
        }
        let added = added.into_iter().map(|it| (format!("{path}/addPoints"), Some(it)));
        let redeemed = redeemed.into_iter().map(|it| (format!("{path}/redeemPoints"), Some(it)));
        requests.extend(added.chain(redeemed));
        for (path, body) in requests {
            let mut request = Request {
                method: "POST".to_owned(),
                path: path.into_bytes(),
                headers: vec![("authorization".to_owned(), format!("Bearer {token}").into_bytes())],
                ..Request::default()
            };
            if let Some(body) = &body {
                let json = expand_json(body, self.context)?.to_string();
                request.headers.push(("content-type".to_owned(), b"application/json".to_vec()));
                request.body = vec![json.into_bytes()];
            }
            let outcome = self
                .context
                .on_stage(|stage| {
                    let ask = stage.begin(Place::default(), &request)?;
                    stage.finish(ask)
                })
                .map_err(|trouble| trouble.to_string())?;
            if !matches!(&outcome, Outcome::Answer(answer) if matches!(answer.status, 200 | 201)) {
                let body = body.unwrap_or(Value::Null);
                return Err(format!("the gateway does not make it so: {body}\n{}", judge::whole(&outcome)));
            }
        }
        Ok(())
    }

    fn upstream(&self, spec: &ServerSpec) -> Result<(), String> {
        let everything = vec![crate::format::ServerAnswer::default()];
        let answers = spec.answers.clone().unwrap_or(everything);
        let answers: Result<Vec<Canned>, String> = answers
            .iter()
            .map(|it| {
                let headers = it.headers.iter().map(|(name, value)| {
                    Ok((name.to_ascii_lowercase(), expand(value, self.context)?))
                });
                let answer = Answer {
                    status: it.status.unwrap_or(200),
                    headers: headers.collect::<Result<_, String>>()?,
                    body: expand(it.body.as_deref().unwrap_or_default(), self.context)?,
                };
                Ok(Canned {
                    path: it.path.clone().unwrap_or_default(),
                    answer: (!it.silent).then_some(answer),
                })
            })
            .collect();
        let behaviour = Behaviour {
            up: !spec.down,
            answers: answers?,
        };
        let served = self.context.on_stage(|stage| stage.serve(Service::Upstream, behaviour));
        served.map_err(|trouble| trouble.to_string())
    }

    /// Every issuer with a `jwks_uri` has its document at the path of that.
    fn key_server(&self, spec: &KeyServerSpec) -> Result<(), String> {
        let issuers = self.context.configuration()["issuers"].as_array();
        let mut answers = Vec::new();
        for issuer in issuers.into_iter().flatten() {
            let Some(uri) = issuer["jwks_uri"]["uri"].as_str() else { continue };
            let path = uri.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
            let own = vec![tokens::OWN.to_owned()];
            let mut keys = Vec::new();
            for name in spec.publishes.as_ref().unwrap_or(&own) {
                if name == tokens::OWN {
                    keys.extend(tokens::own_keys(issuer, false)?);
                } else {
                    keys.push(tokens::named_key(name, issuer)?);
                }
            }
            let body = spec.body.clone().unwrap_or_else(|| json!({ "keys": keys }).to_string());
            let answer = Answer {
                status: spec.status.unwrap_or(200),
                headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
                body: body.into_bytes(),
            };
            answers.push(Canned {
                path: path.unwrap_or("/").to_owned(),
                answer: (!spec.silent).then_some(answer),
            });
        }
        if answers.is_empty() {
            return Ok(());
        }
        let behaviour = Behaviour {
            up: !spec.down,
            answers,
        };
        let served = self.context.on_stage(|stage| stage.serve(Service::KeyServer, behaviour));
        served.map_err(|trouble| trouble.to_string())
    }

    /// Puts entries of the deny-list into the engine, or takes them away; `docs/revocation.md` says where they stand.
    fn mark(&self, revocation: &Revocation, present: bool) -> Result<(), String> {
        let named = [(&revocation.token, "jti"), (&revocation.subject_of, "sub")];
        for (name, kind) in named {
            let Some(name) = name else { continue };
            let token = self.context.token(name)?;
            let value = if kind == "jti" { &token.id } else { &token.subject };
            let key = format!("/points/1/revoked/{}/{kind}/{}", escaped(&token.issuer), escaped(value));
            let marked = self.context.on_stage(|stage| stage.mark(key.as_bytes(), present));
            marked.map_err(|trouble| trouble.to_string())?;
        }
        Ok(())
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
