//! What a token must hold: one of some scopes, every one of others, and claims with certain values.
//!
//! Decides whether that is so from two closures, and knows neither tokens nor identities. What is configured is checked
//! here too, for rules and operations alike.

use std::fmt;
use std::sync::Arc;

use super::config::{
    ClaimTestConfig, MAX_CLAIM_NAME_BYTES, MAX_CLAIM_TESTS, MAX_CLAIM_VALUE_BYTES,
    MAX_CLAIM_VALUES, MAX_SCOPE_BYTES, MAX_SCOPES_PER_LIST,
};
use super::scope::is_scope;
use crate::config_error::ConfigError;

/// What a token must hold. With nothing in it, any valid token will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    any_of: Arc<[String]>,
    all_of: Arc<[String]>,
    claims: Arc<[ClaimTest]>,
}

/// What is missing, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmet<'r> {
    /// None of these scopes is held.
    AnyOf(&'r [String]),
    /// This scope is not held, the first of those that must all be.
    AllOf(&'r str),
    /// The claim of this name is not there or has none of the values that pass.
    Claim(&'r str),
}

impl Unmet<'_> {
    /// A fixed word for the operator's log and counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::AnyOf(_) | Self::AllOf(_) => "missing_scope",
            Self::Claim(_) => "claim_mismatch",
        }
    }
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Unmet<'_> {}

/// The value of a claim, as far as it can be tested. A claim of any other type is as if it were not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimView<'a> {
    /// A string.
    Text(&'a str),
    /// An array of strings; one of them has to pass.
    Texts(&'a [String]),
    /// A boolean, tested as `true` or `false`.
    Bool(bool),
    /// An integer, tested as its decimal digits.
    Integer(i128),
}

/// A test of one claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimTest {
    claim: String,
    any_of: Vec<String>,
}

impl ClaimTest {
    /// The name of the claim.
    #[must_use]
    pub fn claim(&self) -> &str {
        &self.claim
    }

    /// Whether a value passes: compared byte for byte, whole.
    #[must_use]
    pub fn holds(&self, value: ClaimView<'_>) -> bool {
        let passes = |text: &str| self.any_of.iter().any(|accepted| accepted == text);
        match value {
            ClaimView::Text(text) => passes(text),
            ClaimView::Texts(texts) => texts.iter().any(|text| passes(text)),
            ClaimView::Bool(value) => passes(if value { "true" } else { "false" }),
            ClaimView::Integer(value) => passes(&value.to_string()),
        }
    }
}

impl Requirement {
    /// Checks configured lists.
    ///
    /// # Errors
    /// [`ConfigError`] with a path from the object that holds `any_of`, `all_of` and `claims`.
    pub(super) fn new(
        any_of: &[String],
        all_of: &[String],
        claims: &[ClaimTestConfig],
    ) -> Result<Self, ConfigError> {
        check_scopes("any_of", any_of)?;
        check_scopes("all_of", all_of)?;
        Ok(Self {
            any_of: any_of.into(),
            all_of: all_of.into(),
            claims: claim_tests("claims", claims)?.into(),
        })
    }

    /// A requirement of one of these scopes, for tests: not checked.
    #[cfg(test)]
    pub(crate) fn for_test(any_of: &[&str]) -> Self {
        Self {
            any_of: any_of.iter().map(|&scope| scope.to_owned()).collect(),
            all_of: [].into(),
            claims: [].into(),
        }
    }

    /// The same requirement with `tests` before its own.
    pub(super) fn with_claims_first(self, tests: &[ClaimTest]) -> Self {
        Self {
            claims: tests.iter().chain(self.claims.iter()).cloned().collect(),
            ..self
        }
    }

    /// Scopes of which one must be held, in the order in which refusals list them; empty: none need be.
    #[must_use]
    pub const fn any_of(&self) -> &Arc<[String]> {
        &self.any_of
    }

    /// Scopes which must all be held.
    #[must_use]
    pub const fn all_of(&self) -> &Arc<[String]> {
        &self.all_of
    }

    /// The scopes that a refusal names: those of which one is needed, then those that are needed besides.
    #[must_use]
    pub fn named_scopes(&self) -> Arc<[String]> {
        if self.all_of.is_empty() {
            return Arc::clone(&self.any_of);
        }
        self.any_of
            .iter()
            .chain(self.all_of.iter())
            .cloned()
            .collect()
    }

    /// The tests of claims, which must all hold.
    #[must_use]
    pub fn claims(&self) -> &[ClaimTest] {
        &self.claims
    }

    /// Whether a token with these scopes and claims will do. Yields the scope that sufficed, for the log: the first of
    /// `any_of` that is held, else the first of `all_of`; nothing where no scope is required.
    ///
    /// # Errors
    /// [`Unmet`]: what is missing first.
    pub fn check<'claims>(
        &self,
        has_scope: impl Fn(&str) -> bool,
        claim: impl Fn(&str) -> Option<ClaimView<'claims>>,
    ) -> Result<Option<&str>, Unmet<'_>> {
        let one = self.any_of.iter().find(|scope| has_scope(scope));
        if one.is_none() && !self.any_of.is_empty() {
            return Err(Unmet::AnyOf(&self.any_of));
        }
        if let Some(missing) = self.all_of.iter().find(|scope| !has_scope(scope)) {
            return Err(Unmet::AllOf(missing));
        }
        let holds = |test: &&ClaimTest| claim(&test.claim).is_some_and(|value| test.holds(value));
        if let Some(failed) = self.claims.iter().find(|test| !holds(test)) {
            return Err(Unmet::Claim(&failed.claim));
        }
        Ok(one.or(self.all_of.first()).map(String::as_str))
    }
}

/// Checks a list of claim tests at `path`.
pub(super) fn claim_tests(
    path: &str,
    tests: &[ClaimTestConfig],
) -> Result<Vec<ClaimTest>, ConfigError> {
    if tests.len() > MAX_CLAIM_TESTS {
        let problem = format!("at most {MAX_CLAIM_TESTS} claims may be tested");
        return Err(ConfigError::new(path, problem));
    }
    tests
        .iter()
        .enumerate()
        .map(|(index, test)| {
            claim_test(test).map_err(|error| error.within(&format!("{path}[{index}]")))
        })
        .collect()
}

fn claim_test(test: &ClaimTestConfig) -> Result<ClaimTest, ConfigError> {
    if !(1..=MAX_CLAIM_NAME_BYTES).contains(&test.claim.len()) {
        let problem = format!("must be 1 to {MAX_CLAIM_NAME_BYTES} bytes long");
        return Err(ConfigError::new("claim", problem));
    }
    if !(1..=MAX_CLAIM_VALUES).contains(&test.any_of.len()) {
        let problem = format!("1 to {MAX_CLAIM_VALUES} values must be given");
        return Err(ConfigError::new("any_of", problem));
    }
    for (index, value) in test.any_of.iter().enumerate() {
        if !(1..=MAX_CLAIM_VALUE_BYTES).contains(&value.len()) {
            let problem = format!("must be 1 to {MAX_CLAIM_VALUE_BYTES} bytes long");
            return Err(ConfigError::new(format!("any_of[{index}]"), problem));
        }
    }
    Ok(ClaimTest {
        claim: test.claim.clone(),
        any_of: test.any_of.clone(),
    })
}

fn check_scopes(path: &str, scopes: &[String]) -> Result<(), ConfigError> {
    if scopes.len() > MAX_SCOPES_PER_LIST {
        let problem = format!("at most {MAX_SCOPES_PER_LIST} scopes may be listed");
        return Err(ConfigError::new(path, problem));
    }
    for (index, scope) in scopes.iter().enumerate() {
        if scope.len() > MAX_SCOPE_BYTES || !is_scope(scope) {
            let problem = format!(
                "`{scope}` is no scope: 1 to {MAX_SCOPE_BYTES} visible ASCII characters without `\"` and `\\`, and \
                 never `tenant=`, which names a tenant"
            );
            return Err(ConfigError::new(format!("{path}[{index}]"), problem));
        }
    }
    Ok(())
}
