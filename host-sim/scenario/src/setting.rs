//! From a scenario and the usual configuration to what a driver starts: patched, with keys that tokens can be signed with.

use std::path::Path;

use serde_json::{Value, json};

use crate::driver::{Setting, Trouble};
use crate::format::{Check, Scenario, Step};
use crate::load::Loaded;
use crate::tokens;

/// The issuer of [`usual_configuration`].
const ISSUER: &str = "https://issuer.example/";

/// What scenarios start from unless another configuration is given: one issuer, three sites, one engine. The deny-list of
/// the engine does not count, so that a gateway without an engine answers for what it is.
#[must_use]
pub fn usual_configuration() -> Value {
    json!({
        "issuers": [{ "issuer": ISSUER, "algorithms": ["ES256", "EdDSA", "RS256"] }],
        "revocation": { "from_engine": false },
        "sites": { "main": {}, "yearly": { "validity_in_months": 12 }, "monthly": { "validity_in_months": 1 } },
        "engine": { "clusters": ["points-engine"] },
    })
}

/// Reads a configuration of the filter: JSON or YAML, the filter's own or, by its `static_resources`, a whole one of Envoy.
///
/// # Errors
/// When it cannot be read, or is neither.
pub fn read_configuration(path: &Path) -> Result<Value, Trouble> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble(format!("{}: {error}", path.display())))?;
    let document: Value = serde_saphyr::from_str(&text)
        .map_err(|error| Trouble(format!("{}: {error}", path.display())))?;
    if document.get("static_resources").is_some() {
        let envoy = processes::EnvoyConfig::read(path).map_err(Trouble::of)?;
        return envoy.plugin().cloned().map_err(Trouble::of);
    }
    if document.get("issuers").is_none() {
        return Err(Trouble(format!(
            "{}: no configuration of the filter: it has no `issuers`",
            path.display()
        )));
    }
    Ok(document)
}

/// What a scenario is played on.
///
/// # Errors
/// When its configuration cannot be read, or keys not be made.
pub fn setting(loaded: &Loaded, usual: &Value) -> Result<Setting, Trouble> {
    let scenario = &loaded.scenario;
    let given = &scenario.given;
    let mut configuration = match &given.configuration_file {
        Some(file) => {
            let beside = loaded.path.parent().unwrap_or(Path::new("."));
            read_configuration(&beside.join(file))?
        }
        None => usual.clone(),
    };
    if let Some(patch) = &given.configuration {
        merge(&mut configuration, patch);
    }
    let rsa = given
        .tokens
        .values()
        .any(|it| it.algorithm.as_deref() == Some("RS256"));
    let mut fetches_keys = false;
    let issuers = configuration["issuers"].as_array_mut();
    for issuer in issuers.into_iter().flatten() {
        if issuer.get("jwks_uri").is_some() {
            fetches_keys = true;
        } else {
            let keys = tokens::own_keys(issuer, rsa).map_err(Trouble)?;
            issuer["jwks"] = json!({ "keys": keys });
        }
    }
    let time_ms = match &given.time {
        None => None,
        Some(text) => Some(
            ledger::Timestamp::parse_rfc3339(text)
                .ok_or_else(|| {
                    let at = format!("{}:{}", loaded.path.display(), loaded.line("/given/time"));
                    Trouble(format!("{at}: given.time: {text:?} is no time of RFC 3339"))
                })?
                .as_millis(),
        ),
    };
    let fresh = given.fresh_gateway || fetches_keys;
    Ok(Setting {
        configuration,
        gateways: given.gateways.unwrap_or(crate::load::DEFAULT_GATEWAYS),
        workers: given.workers.unwrap_or(crate::load::DEFAULT_WORKERS),
        time_ms,
        alone: fresh || is_noticed(scenario),
        fresh,
    })
}

/// Whether others on the same gateway would notice it, or disturb it.
fn is_noticed(scenario: &Scenario) -> bool {
    let given = &scenario.given;
    let looks = |check: &Check| {
        check.upstream.is_some()
            || check.key_fetches.is_some()
            || !check.metrics.is_empty()
            || !check.log.is_empty()
            || !check.log_lacks.is_empty()
    };
    let acts = |step: &Step| {
        step.engine.is_some()
            || step.upstream.is_some()
            || step.key_server.is_some()
            || step.lose_worker.is_some()
            || step.check.as_ref().is_some_and(looks)
    };
    given.upstream.is_some()
        || given.key_server.is_some()
        || given.engine.is_some()
        || scenario.when.iter().any(acts)
        || scenario.then.as_ref().is_some_and(looks)
}

/// JSON Merge Patch (RFC 7396), with one addition: an object whose names are all numbers changes items of a list.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if let Value::Array(items) = target
        && !patch.is_empty()
        && patch
            .keys()
            .all(|name| name.parse::<usize>().is_ok_and(|at| at < items.len()))
    {
        for (name, change) in patch {
            if let Some(item) = name.parse().ok().and_then(|at: usize| items.get_mut(at)) {
                merge(item, change);
            }
        }
        return;
    }
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else {
        return;
    };
    for (name, change) in patch {
        if change.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_those_of_the_standard_and_reach_into_lists() {
        let cases = [
            (json!({"a": 1}), json!({"a": 2}), json!({"a": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": null}), json!({"b": 2})),
            (
                json!({"a": [1]}),
                json!({"a": [2, 3]}),
                json!({"a": [2, 3]}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!({"a": {"c": {"d": null, "e": 1}}}),
                json!({"a": {"b": 1, "c": {"e": 1}}}),
            ),
            (
                json!({"l": [{"a": 1}, {"b": 1}]}),
                json!({"l": {"1": {"b": 2}}}),
                json!({"l": [{"a": 1}, {"b": 2}]}),
            ),
            (
                json!({"l": [1]}),
                json!({"l": {"1": 2}}),
                json!({"l": {"1": 2}}),
            ),
        ];
        for (mut target, patch, expected) in cases {
            merge(&mut target, &patch);
            assert_eq!(target, expected, "{patch}");
        }
    }
}
