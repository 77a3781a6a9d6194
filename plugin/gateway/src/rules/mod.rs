//! What a request must bring: the configured rules for routes that the filter guards but does not serve, and the
//! requirements of the operations that it serves.
//!
//! Pure decisions over a method, a raw path and closures that say what a token holds. Refuses to know tokens, replies and
//! headers: what a missing scope or an ambiguous path is answered with is decided where a request's life is.

pub mod config;
mod operations;
pub(crate) mod path;
mod pattern;
mod requirement;
pub mod scope;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use config::{Mode, OperationsConfig, RuleConfig};
pub use operations::{OperationRule, OperationRules};
pub use path::{Ambiguity, MAX_PATH_BYTES, MAX_PATH_SEGMENTS};
pub use requirement::{ClaimTest, ClaimView, Requirement, Unmet};
pub use table::{Allow, Match, Rule, Rules};

use crate::config_error::ConfigError;

/// Different claims that all rules together may test: each of them is kept for every remembered token.
pub const MAX_TESTED_CLAIMS: usize = 16;

/// The names of all claims that any rule tests, in alphabetical order and each once.
///
/// # Errors
/// [`ConfigError`] when there are more than [`MAX_TESTED_CLAIMS`] together.
pub fn tested_claims(
    rules: &Rules,
    operations: &OperationRules,
) -> Result<Vec<String>, ConfigError> {
    let names: BTreeSet<String> = rules
        .tested_claims()
        .into_iter()
        .chain(operations.tested_claims())
        .collect();
    if names.len() > MAX_TESTED_CLAIMS {
        let problem = format!(
            "all rules and operations together test {} claims, at most {MAX_TESTED_CLAIMS} may be",
            names.len()
        );
        return Err(ConfigError::new("rules", problem));
    }
    Ok(names.into_iter().collect())
}

/// Notes the claims of one requirement among the distinct ones of its list.
///
/// # Errors
/// [`ConfigError`] at the first claim that is one too many.
fn note_claims(
    names: &mut BTreeSet<String>,
    requirement: &Requirement,
    path: &str,
) -> Result<(), ConfigError> {
    for test in requirement.claims() {
        names.insert(test.claim().to_owned());
        if names.len() > MAX_TESTED_CLAIMS {
            let problem = format!("more than {MAX_TESTED_CLAIMS} different claims are tested");
            return Err(ConfigError::new(path, problem));
        }
    }
    Ok(())
}
