//! One trusted issuer: its rules, checked once, and the keys it has at the moment.
//!
//! Decides whether a configured issuer makes sense. What a token says and whether it is genuine is decided in `trust`.

use super::algorithm::{Algorithm, AlgorithmSet};
use super::claims::{MAX_NUMERIC_DATE, MAX_SUBJECT_BYTES};
use super::config::{
    IssuerConfig, MAX_AUDIENCES, MAX_LEEWAY_SECONDS, MAX_LIFETIME_SECONDS, MAX_NAME_BYTES,
    MAX_REVOKED, RevokedConfig,
};
use super::jwks_uri::JwksUriConfig;
use super::key_set::{HeldKeys, KeySet};
use crate::config_error::ConfigError;

/// Names an issuer of one [`Access`](super::Access): its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId(pub(super) usize);

impl IssuerId {
    /// Its place in the configuration, from 0; under [`MAX_ISSUERS`](super::config::MAX_ISSUERS).
    #[must_use]
    pub fn index(self) -> u8 {
        u8::try_from(self.0).unwrap_or(u8::MAX)
    }
}

/// A trusted issuer.
#[derive(Debug)]
pub struct Issuer {
    pub(super) name: String,
    pub(super) audiences: Vec<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) leeway_ms: i64,
    pub(super) max_lifetime_ms: Option<i64>,
    jwks_uri: Option<JwksUriConfig>,
    /// None: not fetched yet, or withdrawn.
    pub(super) keys: Option<HeldKeys>,
}

impl Issuer {
    /// Its name, as tokens carry it in `iss`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The algorithms it signs with.
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// Where it publishes its keys, unless they are configured.
    #[must_use]
    pub const fn jwks_uri(&self) -> Option<&JwksUriConfig> {
        self.jwks_uri.as_ref()
    }

    /// Whether it has keys at the moment.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// The issuer, and its keys when they are configured.
    pub(super) fn new(config: &IssuerConfig) -> Result<(Self, Option<KeySet>), ConfigError> {
        check_name(&config.issuer).map_err(|error| error.within("issuer"))?;
        if config.audiences.len() > MAX_AUDIENCES {
            let problem = format!("must hold at most {MAX_AUDIENCES}");
            return Err(ConfigError::new("audiences", problem));
        }
        for (index, audience) in config.audiences.iter().enumerate() {
            check_name(audience).map_err(|error| error.within(&format!("audiences[{index}]")))?;
        }
        let listed = |known: &Algorithm| config.algorithms.contains(known);
        let distinct = Algorithm::ALL.iter().filter(|known| listed(known)).count();
        if distinct == 0 || distinct != config.algorithms.len() {
            let problem = "must hold at least one, and each once";
            return Err(ConfigError::new("algorithms", problem));
        }
        if config.leeway_seconds > MAX_LEEWAY_SECONDS {
            let problem = format!("must be at most {MAX_LEEWAY_SECONDS}");
            return Err(ConfigError::new("leeway_seconds", problem));
        }
        let lifetime = config.max_lifetime_seconds;
        if lifetime.is_some_and(|seconds| !(1..=MAX_LIFETIME_SECONDS).contains(&seconds)) {
            let problem = format!("must be 1 to {MAX_LIFETIME_SECONDS}");
            return Err(ConfigError::new("max_lifetime_seconds", problem));
        }
        check_revoked(&config.revoked).map_err(|error| error.within("revoked"))?;
        let keys = configured_keys(config)?;
        let milliseconds = |seconds: u32| i64::from(seconds).saturating_mul(1000);
        let issuer = Self {
            name: config.issuer.clone(),
            audiences: config.audiences.clone(),
            algorithms: config.algorithms.clone(),
            leeway_ms: milliseconds(config.leeway_seconds),
            max_lifetime_ms: lifetime.map(milliseconds),
            jwks_uri: config.jwks_uri.clone(),
            keys: None,
        };
        Ok((issuer, keys))
    }
}

/// The keys of an issuer that has them in its configuration; none for one that publishes them.
fn configured_keys(config: &IssuerConfig) -> Result<Option<KeySet>, ConfigError> {
    match (&config.jwks, &config.jwks_uri) {
        (Some(jwks), None) => KeySet::from_jwks(jwks, &config.algorithms)
            .map(Some)
            .map_err(|error| error.within("jwks")),
        (None, Some(uri)) => {
            uri.check().map_err(|error| error.within("jwks_uri"))?;
            if AlgorithmSet::of(&config.algorithms).contains(Algorithm::Hs256) {
                let problem = "HS256 needs a key in `jwks`: a secret that is published is none";
                return Err(ConfigError::new("algorithms", problem));
            }
            Ok(None)
        }
        (Some(_), Some(_)) => {
            let problem = "only one of `jwks` and `jwks_uri` may be given";
            Err(ConfigError::new("jwks_uri", problem))
        }
        (None, None) => {
            let problem = "one of `jwks` and `jwks_uri` must be given";
            Err(ConfigError::new("jwks", problem))
        }
    }
}

fn check_revoked(config: &RevokedConfig) -> Result<(), ConfigError> {
    for (field, values) in [("jti", &config.jti), ("sub", &config.sub)] {
        if values.len() > MAX_REVOKED {
            let problem = format!("must hold at most {MAX_REVOKED}");
            return Err(ConfigError::new(field, problem));
        }
        for (index, value) in values.iter().enumerate() {
            if value.is_empty() || value.len() > MAX_SUBJECT_BYTES {
                let problem = format!("must have 1 to {MAX_SUBJECT_BYTES} bytes");
                return Err(ConfigError::new(format!("{field}[{index}]"), problem));
            }
        }
    }
    if config.issued_before.is_some_and(|it| it > MAX_NUMERIC_DATE) {
        let problem = format!("must be at most {MAX_NUMERIC_DATE}, in seconds");
        return Err(ConfigError::new("issued_before", problem));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        let problem = format!("must have 1 to {MAX_NAME_BYTES} bytes");
        return Err(ConfigError::new("", problem));
    }
    Ok(())
}
