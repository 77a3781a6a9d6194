//! Rules and requirements, one row a case.

mod configuration;
mod paths;
mod properties;
mod requirements;
mod verdicts;

use serde_json::Value;

use super::{Match, OperationRules, Rules};
use crate::config_error::ConfigError;

/// Builds a table as it stands in a configuration, through the same path-telling reader.
fn table(guarded_prefixes: &[&str], rules: &Value) -> Result<Rules, ConfigError> {
    let prefixes: Vec<String> = guarded_prefixes.iter().map(|&it| it.to_owned()).collect();
    let rules: Vec<super::RuleConfig> = read("rules", rules)?;
    Rules::new(&prefixes, &rules)
}

fn operations(operations: &Value, claims: &Value) -> Result<OperationRules, ConfigError> {
    let operations: super::OperationsConfig = read("operations", operations)?;
    let claims: Vec<super::config::ClaimTestConfig> = read("operation_claims", claims)?;
    OperationRules::new(&operations, &claims)
}

fn read<T: serde::de::DeserializeOwned>(at: &str, value: &Value) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        ConfigError::new(path, error.into_inner().to_string()).within(at)
    })
}

/// The verdict in a word: a rule's name, or how it went without one.
fn verdict<'r>(rules: &'r Rules, method: &str, path: &[u8]) -> &'r str {
    match rules.judge(method.as_bytes(), path) {
        Match::Rule(rule) => rule.name(),
        Match::DefaultDeny => "DENY",
        Match::Unguarded => "PASS",
        Match::Ambiguous(_) => "AMBIGUOUS",
    }
}
