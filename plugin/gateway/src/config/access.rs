//! The parts of the configuration that say how tokens are handled: how many are remembered, how revoked ones become known,
//! what upstreams are told, what is logged.

use serde::Deserialize;

use super::check_range;
use crate::config_error::ConfigError;

/// Verified tokens that one worker may be told to remember.
pub const MAX_CACHE_ENTRIES: usize = 1_000_000;
/// Bytes of them.
pub const MAX_CACHE_BYTES: usize = 256 * 1024 * 1024;
/// Bounds of the time between two looks at the engine's deny-list, in milliseconds.
const DENY_LIST_REFRESH_MS: std::ops::RangeInclusive<u32> = 100..=60_000;
/// Longest salt of a subject's hash, in bytes.
const MAX_SALT_BYTES: usize = 256;
/// Longest name of an identity header, in bytes.
const MAX_HEADER_NAME_BYTES: usize = 64;

/// Names that an identity header must not have: the gateway or the proxy reads or writes these itself.
const TAKEN_NAMES: [&str; 13] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "emporix-tenant",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "x-request-id",
    "x-total-count",
];

/// How tokens are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensConfig {
    /// Verified tokens that one worker remembers; 0: none.
    pub cache_entries: usize,
    /// Bytes that they may take.
    pub cache_bytes: usize,
    /// The share of one worker's time that may go into tokens that turn out bad, in percent.
    pub refused_share_percent: u32,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self {
            cache_entries: 16_384,
            cache_bytes: 32 * 1024 * 1024,
            refused_share_percent: 1,
        }
    }
}

impl TokensConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("cache_entries", self.cache_entries, 0..=MAX_CACHE_ENTRIES)?;
        check_range("cache_bytes", self.cache_bytes, 0..=MAX_CACHE_BYTES)?;
        check_range("refused_share_percent", self.refused_share_percent, 1..=100)
    }
}

/// How the gateway learns which tokens are revoked, besides what the issuers' own configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationConfig {
    /// Whether the engine has a list.
    pub from_engine: bool,
    /// The time between two looks at it, in milliseconds.
    pub refresh_ms: u32,
}

impl Default for RevocationConfig {
    fn default() -> Self {
        Self {
            from_engine: true,
            refresh_ms: 2_000,
        }
    }
}

impl RevocationConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        check_range("refresh_ms", self.refresh_ms, DENY_LIST_REFRESH_MS)
    }
}

/// The headers that tell an upstream who is calling. Only the gateway sets them: a client's copies are removed from every
/// request that is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityHeaders {
    /// The tenant.
    pub tenant: String,
    /// The scopes, separated by spaces.
    pub scopes: String,
    /// The subject.
    pub subject: String,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            tenant: "x-tenant".to_owned(),
            scopes: "x-scopes".to_owned(),
            subject: "x-subject".to_owned(),
        }
    }
}

impl IdentityHeaders {
    /// Whether a header of this name tells an upstream, or some servers behind one, who is calling. Case and the
    /// difference between `-` and `_` count for nothing: many servers fold both.
    #[must_use]
    pub fn covers(&self, name: &[u8]) -> bool {
        let same = |own: &String| {
            let fold = |byte: u8| match byte {
                b'_' => b'-',
                other => other.to_ascii_lowercase(),
            };
            own.len() == name.len() && own.bytes().zip(name).all(|(own, &it)| own == fold(it))
        };
        [&self.tenant, &self.scopes, &self.subject]
            .into_iter()
            .any(same)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let fields = [
            ("tenant", &self.tenant),
            ("scopes", &self.scopes),
            ("subject", &self.subject),
        ];
        for (place, (field, name)) in fields.into_iter().enumerate() {
            let fits = (1..=MAX_HEADER_NAME_BYTES).contains(&name.len())
                && name
                    .bytes()
                    .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-');
            if !fits {
                let problem =
                    format!("must be 1 to {MAX_HEADER_NAME_BYTES} of `a-z`, `0-9` and `-`");
                return Err(ConfigError::new(field, problem));
            }
            if TAKEN_NAMES.contains(&name.as_str()) || name.starts_with("x-envoy-") {
                return Err(ConfigError::new(field, "has a meaning of its own"));
            }
            if fields.iter().take(place).any(|(_, other)| *other == name) {
                return Err(ConfigError::new(field, "is another one's name too"));
            }
        }
        Ok(())
    }
}

/// What is logged of access decisions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecisionLogConfig {
    /// Which decisions.
    pub lines: DecisionLines,
    /// What a subject is hashed together with, so that the hash of a known name cannot be looked up.
    pub subject_salt: String,
}

impl DecisionLogConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bytes = self.subject_salt.len();
        check_range("subject_salt", bytes, 0..=MAX_SALT_BYTES)
            .map_err(|error| ConfigError::new(error.path, "is too long"))
    }
}

/// Which decisions are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionLines {
    /// Every one.
    #[default]
    All,
    /// Refusals, and what a rule in report mode would have refused.
    Refused,
    /// None; counters go on.
    None,
}
