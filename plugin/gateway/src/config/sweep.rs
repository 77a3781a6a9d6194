//! How what is left of deleted accounts is removed.

use serde::Deserialize;

use super::check_range;
use crate::config_error::ConfigError;

/// The longest pause, in milliseconds: an hour.
const MAX_INTERVAL_MS: u32 = 60 * 60 * 1000;

/// How what is left of deleted accounts is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SweepConfig {
    /// The pause between two pages of accounts that are looked at, in milliseconds; 0: nothing is ever removed.
    pub interval_ms: u32,
}

impl Default for SweepConfig {
    fn default() -> Self {
        Self { interval_ms: 1000 }
    }
}

impl SweepConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("interval_ms", self.interval_ms, 0..=MAX_INTERVAL_MS)
    }
}
