//! What requests must bring and what is told of them: the checked rules of one configuration, ready to be asked.
//!
//! Built once per worker. Decides nothing itself: the rules do, and the exchange asks them.

use crate::api::cors::Cors;
use crate::config::{Config, DecisionLines, IdentityHeaders};
use crate::config_error::ConfigError;
use crate::rules::{OperationRules, Rules, tested_claims};

/// The rules of one configuration.
pub struct Policy {
    operations: OperationRules,
    rules: Rules,
    cors: Option<Cors>,
    identity_headers: IdentityHeaders,
    lines: DecisionLines,
    tested_claims: Vec<String>,
}

impl Policy {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`ConfigError`] with the path of the first bad field.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let operations = OperationRules::new(&config.operations, &config.operation_claims)?;
        let rules = Rules::new(&config.guarded_prefixes, &config.rules)?;
        Ok(Self {
            tested_claims: tested_claims(&rules, &operations)?,
            operations,
            rules,
            cors: config.cors.as_ref().map(Cors::new).transpose()?,
            identity_headers: config.identity_headers.clone(),
            lines: config.decision_log.lines,
        })
    }

    /// What the operations of the API require.
    #[must_use]
    pub const fn operations(&self) -> &OperationRules {
        &self.operations
    }

    /// The rules of all other routes.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What browsers are told, if anything.
    #[must_use]
    pub const fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// The headers that tell an upstream who is calling.
    #[must_use]
    pub const fn identity_headers(&self) -> &IdentityHeaders {
        &self.identity_headers
    }

    /// Which decisions are logged.
    #[must_use]
    pub const fn lines(&self) -> DecisionLines {
        self.lines
    }

    /// The claims that some rule tests.
    #[must_use]
    pub fn tested_claims(&self) -> &[String] {
        &self.tested_claims
    }
}
