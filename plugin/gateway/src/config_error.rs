//! The one error of configuration: where the bad field is and what is wrong with it.

use std::fmt;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Path of the bad field from the configuration's root, e.g. `issuers[0].jwks.keys[1].n`.
    pub path: String,
    /// What is wrong with it, for an operator's log. Never holds key material.
    pub problem: String,
}

impl ConfigError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// The same error, seen from one level further up: `outer` is put in front of the path.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') {
            ""
        } else {
            "."
        };
        Self {
            path: format!("{outer}{joint}{}", self.path),
            problem: self.problem,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "configuration: {}", self.problem)
        } else {
            write!(f, "configuration field `{}`: {}", self.path, self.problem)
        }
    }
}

impl std::error::Error for ConfigError {}
