//! Where an issuer publishes its keys, and how often they are asked for.
//!
//! Shapes and bounds only: a URI is accepted when it can be taken apart in one way and put into a request without being changed.
//! Fetching is somebody else's.

use serde::Deserialize;

use crate::config_error::ConfigError;

/// Longest name of a cluster, in bytes.
const MAX_CLUSTER_BYTES: usize = 128;
/// Longest URI, in bytes.
const MAX_URI_BYTES: usize = 1024;
/// Longest time for which keys may be used that could not be renewed, in seconds: thirty days.
const MAX_AGE_SECONDS: u32 = 2_592_000;

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwksUriConfig {
    /// The cluster that reaches it, 1 to 128 printable ASCII characters. It is the cluster that decides about TLS.
    pub cluster: String,
    /// The whole URI, `http://` or `https://`, at most 1024 bytes; no user, no fragment.
    pub uri: String,
    /// After how long a fetch is given up, in milliseconds; 10 to 10000.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u32,
    /// How often the keys are fetched, in seconds; 1 to 86400.
    #[serde(default = "default_refresh_seconds")]
    pub refresh_seconds: u32,
    /// The least time between two fetches that are caused by unknown key ids, in seconds; 1 to 3600.
    #[serde(default = "default_refetch_seconds")]
    pub refetch_seconds: u32,
    /// For how long keys may be used that could not be fetched again, in seconds; `refresh_seconds` to thirty days.
    #[serde(default = "default_max_age_seconds")]
    pub max_age_seconds: u32,
}

const fn default_timeout_ms() -> u32 {
    1000
}

const fn default_refresh_seconds() -> u32 {
    300
}

/// Less than a request waits for a key.
const fn default_refetch_seconds() -> u32 {
    5
}

const fn default_max_age_seconds() -> u32 {
    86_400
}

impl JwksUriConfig {
    /// Host and port, for `:authority`. Empty when the URI is none.
    #[must_use]
    pub fn authority(&self) -> &str {
        split(&self.uri).map_or("", |(authority, _)| authority)
    }

    /// Path and query, for `:path`. Empty when the URI is none.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        split(&self.uri).map_or("", |(_, path)| path)
    }

    /// # Errors
    /// The first field that is out of bounds.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let is_printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if self.cluster.is_empty()
            || self.cluster.len() > MAX_CLUSTER_BYTES
            || !self.cluster.bytes().all(is_printable)
        {
            let problem = format!("must be 1 to {MAX_CLUSTER_BYTES} printable ASCII characters");
            return Err(ConfigError::new("cluster", problem));
        }
        if self.uri.len() > MAX_URI_BYTES {
            let problem = format!("must have at most {MAX_URI_BYTES} bytes");
            return Err(ConfigError::new("uri", problem));
        }
        if !split(&self.uri).is_some_and(|(authority, path)| {
            is_authority(authority) && path.bytes().all(is_path_byte)
        }) {
            let problem = "must be http://authority/path or https://authority/path, without user \
                           and fragment, other characters percent-encoded";
            return Err(ConfigError::new("uri", problem));
        }
        check_range("timeout_ms", self.timeout_ms, 10..=10_000)?;
        check_range("refresh_seconds", self.refresh_seconds, 1..=86_400)?;
        check_range("refetch_seconds", self.refetch_seconds, 1..=3600)?;
        let ages = self.refresh_seconds..=MAX_AGE_SECONDS;
        check_range("max_age_seconds", self.max_age_seconds, ages)
    }
}

/// Authority, and path with query.
fn split(uri: &str) -> Option<(&str, &str)> {
    let rest = uri
        .strip_prefix("https://")
        .or_else(|| uri.strip_prefix("http://"))?;
    rest.split_at_checked(rest.find('/')?)
}

/// A host by name or address, with or without a port (RFC 3986, section 3.2), without a user.
fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((address, port)) => (address, port),
            None => return false,
        },
        None => match authority.find(':') {
            Some(colon) => authority.split_at(colon),
            None => (authority, ""),
        },
    };
    let is_host_byte = |byte: u8| match authority.starts_with('[') {
        true => byte.is_ascii_hexdigit() || b":.".contains(&byte),
        false => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
    };
    let is_port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
    };
    !host.is_empty() && host.bytes().all(is_host_byte) && is_port
}

/// A character of a path or a query (RFC 3986, sections 3.3 and 3.4).
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/?".contains(&byte)
}

fn check_range(
    name: &str,
    value: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let problem = format!("{value} is not in {} to {}", range.start(), range.end());
    Err(ConfigError::new(name, problem))
}
