//! How current reads are.

use serde::Deserialize;

use super::check_range;
use crate::config_error::ConfigError;

/// Bounds of the staleness that may be promised, in milliseconds. The feed proves several times in each such span how far it
/// has come.
const STALENESS_MS: std::ops::RangeInclusive<u32> = 250..=60_000;

/// The oldest copy that may be answered with when the engine does not answer, in milliseconds: a day.
const MAX_STALE_MS: u32 = 24 * 60 * 60 * 1000;

/// How current reads are, where a request does not ask for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadsConfig {
    /// How old a copy may be that a read is answered from, in milliseconds: what it lacks was committed at most so long ago.
    pub max_staleness_ms: u32,
    /// How old it may be when the engine does not answer, in milliseconds; 0: such a read is answered 503.
    pub stale_if_error_ms: u32,
    /// What a balance is answered from.
    pub balance: ReadMode,
    /// What a summary is answered from.
    pub summary: ReadMode,
}

/// What reads of one route are answered from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadMode {
    /// The gateway's own copy, when it is current enough; else the engine.
    #[default]
    Bounded,
    /// The engine.
    Strict,
}

impl Default for ReadsConfig {
    fn default() -> Self {
        Self {
            max_staleness_ms: 1000,
            stale_if_error_ms: 0,
            balance: ReadMode::default(),
            summary: ReadMode::default(),
        }
    }
}

impl ReadsConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("max_staleness_ms", self.max_staleness_ms, STALENESS_MS)?;
        check_range(
            "stale_if_error_ms",
            self.stale_if_error_ms,
            0..=MAX_STALE_MS,
        )
    }
}
