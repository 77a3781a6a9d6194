//! Whether an answer, or a request that a server saw, is what was expected.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::compare::{self, Difference, Members, differ};
use crate::context::{Context, unhex};
use crate::driver::{Answer, Outcome};
use crate::format::{Count, Expect, HeaderExpect};
use crate::template::{Pattern, shown};

/// How much of a body is shown.
const SHOWN_BYTES: usize = 2_000;

/// The differences between an outcome and what was expected.
///
/// # Errors
/// What is wrong with the expectation, for people.
pub fn outcome(
    expect: &Expect,
    outcome: &Outcome,
    context: &Context<'_>,
) -> Result<Vec<Difference>, String> {
    let mut differences = Vec::new();
    let answer = match outcome {
        Outcome::Nothing => {
            if !expect.no_answer {
                differ(
                    &mut differences,
                    "answer",
                    "one",
                    "none: the connection ended, or its worker was lost",
                );
            }
            return Ok(differences);
        }
        Outcome::Answer(answer) if expect.no_answer => {
            differ(&mut differences, "answer", "none", brief(answer));
            return Ok(differences);
        }
        Outcome::Answer(answer) => answer,
    };
    if let Some(status) = expect.status
        && status != answer.status
    {
        differ(&mut differences, "status", status, answer.status);
    }
    for (kind, expected, got) in [
        ("header", &expect.headers, &answer.headers),
        ("trailer", &expect.trailers, &answer.trailers),
    ] {
        fields(kind, expected, got, context, &mut differences)?;
    }
    if let Some(body) = &expect.body {
        compare::text("body", body, &answer.body, context, &mut differences)?;
    }
    for (expected, members) in [
        (&expect.json, Members::Exactly),
        (&expect.json_has, Members::AtLeast),
    ] {
        let Some(expected) = expected else { continue };
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(got) => compare::json("body ", expected, &got, members, context, &mut differences)?,
            Err(error) => differ(
                &mut differences,
                "body",
                "JSON",
                format!("{} ({error})", body_of(&answer.body)),
            ),
        }
    }
    for text in expect.contains.iter().flat_map(|it| it.all()) {
        let pattern = Pattern::parse(text, context)?;
        if !pattern.is_in(&answer.body) {
            let expected = format!("something with {pattern}");
            differ(&mut differences, "body", expected, body_of(&answer.body));
        }
    }
    if let Some(hex) = &expect.hex
        && unhex(hex).as_deref() != Some(&answer.body)
    {
        let got: String = answer
            .body
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        differ(&mut differences, "body in hex", hex, got);
    }
    Ok(differences)
}

/// Compares headers or trailers; `kind` is which.
///
/// # Errors
/// What is wrong with the expectation, for people.
pub fn fields(
    kind: &str,
    expected: &BTreeMap<String, HeaderExpect>,
    got: &[(String, Vec<u8>)],
    context: &Context<'_>,
    differences: &mut Vec<Difference>,
) -> Result<(), String> {
    for (name, expected) in expected {
        let name = name.to_ascii_lowercase();
        let values: Vec<&[u8]> = got
            .iter()
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value.as_slice())
            .collect();
        let place = format!("{kind} {name}");
        let all = || match values.as_slice() {
            [] => "none".to_owned(),
            values => values
                .iter()
                .map(|it| shown(it))
                .collect::<Vec<_>>()
                .join(" | "),
        };
        let wanted: Vec<&String> = match expected {
            HeaderExpect::Present(true) => {
                if values.is_empty() {
                    differ(differences, place, "any value", "none");
                }
                continue;
            }
            HeaderExpect::Present(false) | HeaderExpect::Absent(()) => Vec::new(),
            HeaderExpect::Value(value) => vec![value],
            HeaderExpect::Values(values) => values.iter().collect(),
        };
        let patterns: Vec<Pattern> = wanted
            .iter()
            .map(|it| Pattern::parse(it, context))
            .collect::<Result<_, _>>()?;
        let same = patterns.len() == values.len()
            && patterns
                .iter()
                .zip(&values)
                .all(|(pattern, value)| pattern.matches(value));
        if !same {
            let wanted = match patterns.as_slice() {
                [] => "none".to_owned(),
                some => some
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" | "),
            };
            differ(differences, place, wanted, all());
        }
    }
    Ok(())
}

/// Compares a number.
pub fn count(place: &str, expected: &Count, got: u64, differences: &mut Vec<Difference>) {
    match expected {
        Count::Exactly(wanted) if *wanted == got => {}
        Count::Exactly(wanted) => differ(differences, place, wanted, got),
        Count::Within { at_least, at_most } => {
            if let Some(least) = at_least
                && got < *least
            {
                differ(differences, place, format!("at least {least}"), got);
            }
            if let Some(most) = at_most
                && got > *most
            {
                differ(differences, place, format!("at most {most}"), got);
            }
        }
    }
}

/// The part of an answer that `save` names.
///
/// # Errors
/// When there is no such part.
pub fn part(answer: &Answer, what: &str) -> Result<Vec<u8>, String> {
    match what.split_once(':').unwrap_or((what, "")) {
        ("status", _) => Ok(answer.status.to_string().into_bytes()),
        ("body", _) => Ok(answer.body.clone()),
        ("header", name) => {
            let found = answer
                .headers
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name));
            found
                .map(|(_, value)| value.clone())
                .ok_or_else(|| format!("the answer has no header {name}"))
        }
        ("json", pointer) => {
            let body: Value = serde_json::from_slice(&answer.body)
                .map_err(|error| format!("the body is not JSON: {error}"))?;
            match body.pointer(pointer) {
                Some(Value::String(text)) => Ok(text.clone().into_bytes()),
                Some(other) => Ok(other.to_string().into_bytes()),
                None => Err(format!("the body has nothing at {pointer:?}")),
            }
        }
        _ => Err(format!("{what:?} is no part of an answer")),
    }
}

/// An answer in one line.
#[must_use]
pub fn brief(answer: &Answer) -> String {
    format!("{} {}", answer.status, body_of(&answer.body))
}

/// An answer as it came.
#[must_use]
pub fn whole(outcome: &Outcome) -> String {
    let Outcome::Answer(answer) = outcome else {
        return "no answer".to_owned();
    };
    let mut text = answer.status.to_string();
    for (name, value) in &answer.headers {
        text.push_str(&format!("\n{name}: {}", shown(value)));
    }
    if !answer.body.is_empty() {
        text.push_str(&format!("\n\n{}", body_of(&answer.body)));
    }
    for (name, value) in &answer.trailers {
        text.push_str(&format!("\n{name}: {}", shown(value)));
    }
    text
}

fn body_of(body: &[u8]) -> String {
    match body.get(..SHOWN_BYTES) {
        Some(beginning) if body.len() > SHOWN_BYTES => {
            format!("{}… ({} bytes)", shown(beginning), body.len())
        }
        _ if body.is_empty() => "nothing".to_owned(),
        _ => shown(body),
    }
}
