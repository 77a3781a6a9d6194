//! Two transcripts side by side, and what is known to differ.

use std::collections::{BTreeMap, BTreeSet};

use super::differences::{DIFFERENCES, Difference};

/// Where the documentation argues a difference.
const DOCUMENT: &str = include_str!("../../../../../docs/host-facts.md");
/// Under this heading.
const HEADING: &str = "## Where it differs";

/// What one gateway told: by phase and call, the status and what came with it.
#[derive(Default)]
pub struct Told(BTreeMap<String, String>);

impl Told {
    /// Adds the lines of one phase. The same call twice in one phase is told apart by its number.
    pub fn add(&mut self, text: &str) {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for line in text.lines() {
            let (call, answer) = line.split_once(" => ").unwrap_or((line, ""));
            let number = seen.entry(call).or_default();
            *number += 1;
            let key = match number {
                1 => call.to_owned(),
                _ => format!("{call} #{number}"),
            };
            self.0.insert(key, answer.to_owned());
        }
    }

    /// Adds what a client was answered.
    pub fn answer(&mut self, phase: &str, answer: &str) {
        self.0
            .insert(format!("{phase} client()"), answer.to_owned());
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The names of all calls that were made.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .filter_map(|key| call_of(key)?.split_once('('))
            .map(|(name, _)| name)
    }
}

/// The call of a key, without the phase before it: calls are one word up to their bracket.
fn call_of(key: &str) -> Option<&str> {
    let bracket = key.find('(')?;
    let start = key[..bracket].rfind(' ').map_or(0, |at| at + 1);
    Some(&key[start..])
}

/// Fails when the two differ in anything that is not known, and when something known does not differ.
pub fn compare(host: &Told, envoy: &Told) {
    let keys: BTreeSet<&String> = host.0.keys().chain(envoy.0.keys()).collect();
    let mut used = vec![0_usize; DIFFERENCES.len()];
    let mut unknown = Vec::new();
    for key in keys {
        let (here, there) = (host.0.get(key), envoy.0.get(key));
        if here == there {
            continue;
        }
        let [here, there] = [here, there].map(|told| told.map_or("nothing", String::as_str));
        let known = DIFFERENCES
            .iter()
            .position(|known| fits(known, key, here, there));
        match known {
            Some(at) => used[at] += 1,
            None => unknown.push(format!("{key}\n    here  {here}\n    Envoy {there}")),
        }
    }
    let gone: Vec<String> = DIFFERENCES
        .iter()
        .zip(&used)
        .filter(|(_, used)| **used == 0)
        .map(|(known, _)| format!("{} {}: {}", known.phase, known.call, known.envoy))
        .collect();
    for (known, used) in DIFFERENCES.iter().zip(&used) {
        eprintln!(
            "known to differ, {used} lines: {} {}",
            known.phase, known.call
        );
    }
    assert!(
        unknown.is_empty(),
        "{} lines differ:\n{}",
        unknown.len(),
        unknown.join("\n")
    );
    assert!(gone.is_empty(), "known to differ, and do not: {gone:#?}");
    let (_, argued) = DOCUMENT.split_once(HEADING).expect("the heading");
    for known in DIFFERENCES {
        let item = format!("- **{}**", known.argued);
        assert!(argued.contains(&item), "no {item} in the documentation");
    }
}

fn fits(known: &Difference, key: &str, here: &str, envoy: &str) -> bool {
    let Some(call) = call_of(key) else {
        return false;
    };
    let phase = key.strip_suffix(call).unwrap_or_default().trim_end();
    like(known.phase, phase)
        && like(known.call, call)
        && like(known.here, here)
        && like(known.envoy, envoy)
}

/// `*` in a pattern stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    let Some((beginning, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(beginning) else {
        return false;
    };
    while let Some((part, next)) = rest.split_once('*') {
        let Some((_, behind)) = text.split_once(part) else {
            return false;
        };
        (text, rest) = (behind, next);
    }
    text.ends_with(rest)
}
