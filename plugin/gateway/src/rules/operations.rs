//! What each operation of the API requires: its own pair of scopes, unless the configuration says otherwise.
//!
//! Decides the requirement and what becomes of a refusal. An operation always requires some scope: a configuration that
//! takes all of them away is refused. Which operation a request is for is known to [`crate::api::route`] only.

use std::collections::BTreeSet;

use super::config::{ClaimTestConfig, Mode, OperationConfig, OperationsConfig};
use super::note_claims;
use super::requirement::{ClaimTest, Requirement, claim_tests};
use super::scope::{MANAGE, VIEW};
use crate::api::route::Operation;
use crate::config_error::ConfigError;

/// What one operation requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRule {
    /// What a token must hold.
    pub requirement: Requirement,
    /// What becomes of a request that the requirement refuses.
    pub mode: Mode,
    /// The operation's name in the configuration and in logs.
    pub name: &'static str,
}

/// The rules of all seven operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRules {
    balance: OperationRule,
    summary: OperationRule,
    summary_batch: OperationRule,
    create: OperationRule,
    delete: OperationRule,
    add_points: OperationRule,
    redeem_points: OperationRule,
}

impl OperationRules {
    /// Checks the configuration's `operations` and `operation_claims`; the latter are tested for every operation, before
    /// its own.
    ///
    /// # Errors
    /// [`ConfigError`] with the path from the configuration's root.
    pub fn new(
        operations: &OperationsConfig,
        operation_claims: &[ClaimTestConfig],
    ) -> Result<Self, ConfigError> {
        let for_all = claim_tests("operation_claims", operation_claims)?;
        let rule = |operation, config| {
            let name = name(operation);
            operation_rule(operation, config, &for_all)
                .map_err(|error| error.within(&format!("operations.{name}")))
        };
        let rules = Self {
            balance: rule(Operation::Balance, &operations.balance)?,
            summary: rule(Operation::Summary, &operations.summary)?,
            summary_batch: rule(Operation::SummaryBatch, &operations.summary_batch)?,
            create: rule(Operation::Create, &operations.create)?,
            delete: rule(Operation::Delete, &operations.delete)?,
            add_points: rule(Operation::AddPoints, &operations.add_points)?,
            redeem_points: rule(Operation::RedeemPoints, &operations.redeem_points)?,
        };
        let mut names = BTreeSet::new();
        for rule in rules.all() {
            let path = format!("operations.{}.claims", rule.name);
            note_claims(&mut names, &rule.requirement, &path)?;
        }
        Ok(rules)
    }

    /// The rule of one operation.
    #[must_use]
    pub const fn of(&self, operation: Operation) -> &OperationRule {
        match operation {
            Operation::Balance => &self.balance,
            Operation::Summary => &self.summary,
            Operation::SummaryBatch => &self.summary_batch,
            Operation::Create => &self.create,
            Operation::Delete => &self.delete,
            Operation::AddPoints => &self.add_points,
            Operation::RedeemPoints => &self.redeem_points,
        }
    }

    /// The names of the claims that are tested, in alphabetical order and each once.
    #[must_use]
    pub fn tested_claims(&self) -> Vec<String> {
        let names: BTreeSet<&str> = self
            .all()
            .into_iter()
            .flat_map(|rule| rule.requirement.claims())
            .map(ClaimTest::claim)
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }

    const fn all(&self) -> [&OperationRule; 7] {
        [
            &self.balance,
            &self.summary,
            &self.summary_batch,
            &self.create,
            &self.delete,
            &self.add_points,
            &self.redeem_points,
        ]
    }
}

/// The field of [`OperationsConfig`].
const fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Balance => "balance",
        Operation::Summary => "summary",
        Operation::SummaryBatch => "summary_batch",
        Operation::Create => "create",
        Operation::Delete => "delete",
        Operation::AddPoints => "add_points",
        Operation::RedeemPoints => "redeem_points",
    }
}

fn operation_rule(
    operation: Operation,
    config: &OperationConfig,
    for_all: &[ClaimTest],
) -> Result<OperationRule, ConfigError> {
    let own = if operation.is_read() { VIEW } else { MANAGE }.map(str::to_owned);
    let any_of = config.any_of.as_deref().unwrap_or(&own);
    if any_of.is_empty() && config.all_of.is_empty() {
        return Err(ConfigError::new(
            "any_of",
            "an operation must require some scope: leave `any_of` out for its own, or fill `all_of`",
        ));
    }
    let requirement = Requirement::new(any_of, &config.all_of, &config.claims)?;
    Ok(OperationRule {
        requirement: requirement.with_claims_first(for_all),
        mode: config.mode,
        name: name(operation),
    })
}
