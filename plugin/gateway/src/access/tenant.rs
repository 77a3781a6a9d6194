//! Whose points these are: the name of a tenant, and how a token tells it.
//!
//! A [`Tenant`] exists only where a verified token named it, by the configured pattern and letter by letter. The claim and the
//! pseudo-scope must not contradict each other; nothing in a request's path, query, body or headers is ever asked.

use std::fmt;
use std::sync::Arc;

use super::config::{MAX_NAME_BYTES, TenantConfig};
use super::error::Unauthenticated;
use crate::config_error::ConfigError;
use crate::strict_json::{Json, Object};

/// Longest tenant name that can be configured, in bytes.
pub const MAX_TENANT_BYTES: u32 = 64;

/// The name of a tenant, taken from a verified token. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A tenant for tests of this crate, without a token.
    #[cfg(test)]
    pub(crate) fn for_test(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a token names its tenant.
#[derive(Debug)]
pub(super) struct TenantRule {
    claim: String,
    length: std::ops::RangeInclusive<usize>,
    extra: Vec<u8>,
}

impl TenantRule {
    pub(super) fn new(config: &TenantConfig) -> Result<Self, ConfigError> {
        if config.claim.is_empty() || config.claim.len() > MAX_NAME_BYTES {
            let problem = format!("must have 1 to {MAX_NAME_BYTES} bytes");
            return Err(ConfigError::new("claim", problem));
        }
        if config.max_length > MAX_TENANT_BYTES {
            let problem = format!("must be at most {MAX_TENANT_BYTES}");
            return Err(ConfigError::new("max_length", problem));
        }
        if config.min_length == 0 || config.min_length > config.max_length {
            return Err(ConfigError::new("min_length", "must be 1 to max_length"));
        }
        let mut extra = Vec::new();
        for byte in config.extra_characters.bytes() {
            if !(byte.is_ascii_uppercase() || b"-_.~".contains(&byte)) || extra.contains(&byte) {
                let problem = "may hold each of A-Z - _ . ~ once";
                return Err(ConfigError::new("extra_characters", problem));
            }
            extra.push(byte);
        }
        let bound = |length: u32| usize::try_from(length).unwrap_or(0);
        Ok(Self {
            claim: config.claim.clone(),
            length: bound(config.min_length)..=bound(config.max_length),
            extra,
        })
    }

    /// The tenant that the claim or the one pseudo-scope names; both may, when they agree.
    pub(super) fn tenant(
        &self,
        claims: &Object<'_>,
        from_scopes: &[String],
    ) -> Result<Tenant, Unauthenticated> {
        let refused = Unauthenticated::NoTenant;
        let from_claim = match claims.get(&self.claim) {
            None => None,
            Some(Json::String(name)) => Some(&**name),
            Some(_) => return Err(refused),
        };
        let name = match (from_claim, from_scopes) {
            (Some(name), []) => name,
            (None, [name]) => name.as_str(),
            (Some(name), [same]) if name == same => name,
            _ => return Err(refused),
        };
        if self.matches(name) {
            Ok(Tenant(name.into()))
        } else {
            Err(refused)
        }
    }

    fn matches(&self, name: &str) -> bool {
        let mut bytes = name.bytes();
        self.length.contains(&name.len())
            && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
            && bytes.all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || self.extra.contains(&byte)
            })
    }
}
