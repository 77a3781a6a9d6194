//! What is there now: accounts by the API itself, the engine's keys, what servers were asked, counters, log.
//!
//! Counters and logs lag behind a little, so these are looked at until they are as expected, within a bound.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::compare::{self, Difference, Members, differ};
use crate::context::Context;
use crate::driver::{Answer, Outcome, Place, Request, Result, Service, Stage, Trouble};
use crate::format::{AccountExpect, Check, EngineExpect, SeenExpect};
use crate::judge;
use crate::template::{Pattern, shown};
use crate::tokens::TENANT;

/// For how long counters, logs and servers may lag, in milliseconds.
const LAG_MS: i64 = 3_000;
/// What has not changed for so long, several ticks of a worker, is what it is; in milliseconds.
const SETTLED_MS: i64 = 150;
/// Counters that change all the time are taken as they are after so many readings.
const MOST_READINGS: usize = 10;

/// Everything under this belongs to one tenant.
const ACCOUNTS: &str = "/points/1/account/";
const HISTORY: &str = "/points/1/history/";

/// What counters were at the beginning.
pub type Baseline = BTreeMap<String, u64>;

/// The differences between what is there and what was expected.
///
/// # Errors
/// When it cannot be looked at, or an expectation makes no sense.
pub fn check(check: &Check, baseline: &Baseline, context: &Context<'_>) -> Result<Vec<Difference>> {
    let until_ms = context.on_stage(|stage| stage.now_ms()) + LAG_MS;
    let mut differences = loop {
        let mut lagging = Vec::new();
        if let Some(expected) = &check.upstream {
            upstream(expected, context, &mut lagging)?;
        }
        if let Some(expected) = &check.key_fetches {
            let seen = context.on_stage(|stage| stage.seen(Service::KeyServer))?;
            judge::count("key fetches", expected, seen.len() as u64, &mut lagging);
        }
        for (name, expected) in &check.metrics {
            let value = context.on_stage(|stage| stage.metric(0, name))?;
            let grown = value.saturating_sub(baseline.get(name).copied().unwrap_or(0));
            judge::count(&format!("metric {name}"), expected, grown, &mut lagging);
        }
        log(check, context, &mut lagging)?;
        let now_ms = context.on_stage(|stage| stage.now_ms());
        if lagging.is_empty() || now_ms >= until_ms {
            break lagging;
        }
        context.on_stage(|stage| stage.linger())?;
    };
    // After the counters: looking at an account is a request too.
    for (customer, expected) in &check.accounts {
        account(TENANT, customer, expected, context, &mut differences)?;
    }
    for (tenant, accounts) in &check.accounts_of {
        for (customer, expected) in accounts {
            account(tenant, customer, expected, context, &mut differences)?;
        }
    }
    if let Some(expected) = &check.engine {
        engine(expected, context, &mut differences)?;
    }
    Ok(differences)
}

/// The counters that are looked at, as they are now: what was counted before may still be on its way, so they are read until
/// they stay as they are.
///
/// # Errors
/// When they cannot be looked at.
pub fn baseline<'a>(
    checks: impl Iterator<Item = &'a Check>,
    stage: &mut dyn Stage,
) -> Result<Baseline> {
    let names: BTreeSet<&String> = checks.flat_map(|check| check.metrics.keys()).collect();
    let read = |stage: &mut dyn Stage| -> Result<Baseline> {
        let each = names
            .iter()
            .map(|name| Ok(((*name).clone(), stage.metric(0, name)?)));
        each.collect()
    };
    let mut baseline = read(stage)?;
    for _ in 0..MOST_READINGS {
        if names.is_empty() {
            break;
        }
        let until_ms = stage.now_ms() + SETTLED_MS;
        while stage.now_ms() < until_ms {
            stage.linger()?;
        }
        let before = std::mem::replace(&mut baseline, read(stage)?);
        if before == baseline {
            break;
        }
    }
    Ok(baseline)
}

/// The summary of an account, straight from the engine; none: there is no account.
fn summary(tenant: &str, customer: &str, context: &Context<'_>) -> Result<Option<Value>> {
    let token = context.token_for(tenant).map_err(Trouble)?;
    let request = Request {
        method: "GET".to_owned(),
        path: format!("/reward-points/customer/{}/summary", escaped(customer)).into_bytes(),
        headers: vec![
            (
                "authorization".to_owned(),
                format!("Bearer {token}").into_bytes(),
            ),
            ("cache-control".to_owned(), b"no-cache".to_vec()),
        ],
        ..Request::default()
    };
    let outcome = context.on_stage(|stage| {
        let ask = stage.begin(Place::default(), &request)?;
        stage.finish(ask)
    })?;
    match outcome {
        Outcome::Answer(Answer {
            status: 200, body, ..
        }) => serde_json::from_slice(&body).map(Some).map_err(Trouble::of),
        Outcome::Answer(Answer { status: 404, .. }) => Ok(None),
        other => Err(Trouble(format!(
            "the summary of {customer:?} cannot be looked at: {}",
            judge::whole(&other)
        ))),
    }
}

/// A path segment that stands for this id.
pub fn escaped(customer: &str) -> String {
    customer
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

fn account(
    tenant: &str,
    customer: &str,
    expected: &AccountExpect,
    context: &Context<'_>,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let place = match tenant {
        TENANT => format!("account {customer}"),
        other => format!("account {customer} of {other}"),
    };
    let got = summary(tenant, customer, context)?;
    match (expected, got) {
        (AccountExpect::None(()), None) => {}
        (AccountExpect::None(()), Some(got)) => differ(differences, place, "none", got),
        (AccountExpect::Balance(points), None) => {
            differ(
                differences,
                place,
                format!("a balance of {points}"),
                "no account",
            );
        }
        (AccountExpect::Summary(_), None) => differ(differences, place, "an account", "none"),
        (AccountExpect::Balance(points), Some(got)) => {
            if got["activePoints"] != *points {
                differ(
                    differences,
                    format!("{place}, balance"),
                    points,
                    &got["activePoints"],
                );
            }
        }
        (AccountExpect::Summary(expected), Some(got)) => {
            let place = format!("{place} ");
            compare::json(
                &place,
                expected,
                &got,
                Members::AtLeast,
                context,
                differences,
            )
            .map_err(Trouble)?;
        }
    }
    Ok(())
}

fn engine(
    expected: &EngineExpect,
    context: &Context<'_>,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let tenant = context.tenant(expected.tenant.as_deref().unwrap_or(TENANT));
    let prefix = |below: &str| format!("{below}{tenant}/").into_bytes();
    let documents = context.on_stage(|stage| stage.keys(&prefix(ACCOUNTS)))?;
    if let Some(expected) = &expected.documents {
        judge::count(
            "documents in the engine",
            expected,
            documents.len() as u64,
            differences,
        );
    }
    if let Some(expected) = &expected.writes {
        let writes = documents.iter().map(|it| it.writes).sum();
        judge::count("writes of documents", expected, writes, differences);
    }
    if let Some(expected) = &expected.segments {
        let segments = context.on_stage(|stage| stage.keys(&prefix(HISTORY)))?;
        judge::count(
            "segments of history",
            expected,
            segments.len() as u64,
            differences,
        );
    }
    Ok(())
}

fn upstream(
    expected: &[SeenExpect],
    context: &Context<'_>,
    differences: &mut Vec<Difference>,
) -> Result<()> {
    let seen = context.on_stage(|stage| stage.seen(Service::Upstream))?;
    let line = |it: &Request| format!("{} {}", it.method, shown(&it.path));
    if seen.len() != expected.len() {
        let all: Vec<String> = seen.iter().map(line).collect();
        let wanted: Vec<&str> = expected.iter().map(|it| it.request.as_str()).collect();
        let listed = |all: &[&str]| match all {
            [] => "nothing".to_owned(),
            all => all.join(", "),
        };
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        differ(
            differences,
            "requests to the upstream",
            listed(&wanted),
            listed(&all),
        );
        return Ok(());
    }
    for (number, (expected, seen)) in expected.iter().zip(&seen).enumerate() {
        let place = format!("request {number} to the upstream");
        compare::text(
            &place,
            &expected.request,
            line(seen).as_bytes(),
            context,
            differences,
        )
        .map_err(Trouble)?;
        let mut of_fields = Vec::new();
        for (kind, expected, got) in [
            ("header", &expected.headers, &seen.headers),
            ("trailer", &expected.trailers, &seen.trailers),
        ] {
            judge::fields(kind, expected, got, context, &mut of_fields).map_err(Trouble)?;
        }
        for mut difference in of_fields {
            difference.place = format!("{place}, {}", difference.place);
            differences.push(difference);
        }
        if let Some(body) = &expected.body {
            let place = format!("{place}, body");
            compare::text(&place, body, &seen.body.concat(), context, differences)
                .map_err(Trouble)?;
        }
    }
    Ok(())
}

fn log(check: &Check, context: &Context<'_>, differences: &mut Vec<Difference>) -> Result<()> {
    if check.log.is_empty() && check.log_lacks.is_empty() {
        return Ok(());
    }
    let lines = context.on_stage(|stage| stage.log(0))?;
    let patterns = |texts: &[String]| -> Result<Vec<Pattern>> {
        texts
            .iter()
            .map(|it| Pattern::parse(it, context).map_err(Trouble))
            .collect()
    };
    for texts in &check.log {
        let wanted = patterns(texts.all())?;
        let has = |line: &&String| wanted.iter().all(|it| it.is_in(line.as_bytes()));
        if !lines.iter().any(|line| has(&line)) {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            let expected = format!("a line with {}", wanted.join(" and "));
            differ(differences, "log", expected, lines.join("\n"));
        }
    }
    for unwanted in patterns(&check.log_lacks)? {
        if let Some(line) = lines.iter().find(|line| unwanted.is_in(line.as_bytes())) {
            differ(differences, "log", format!("nowhere {unwanted}"), line);
        }
    }
    Ok(())
}
