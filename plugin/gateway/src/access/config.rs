//! What an operator writes about access: the trusted issuers with their keys, and what a tenant's name looks like.
//!
//! The shapes only; whether the values make sense is decided when [`Access`](super::Access) is built from them, where every error
//! names the path of the bad field. Members of a key set that nobody here knows are ignored, as its standard demands.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fmt;

use super::algorithm::Algorithm;
use super::jwks_uri::JwksUriConfig;

/// Most issuers that can be configured.
pub const MAX_ISSUERS: usize = 16;
/// Most audiences of one issuer.
pub const MAX_AUDIENCES: usize = 32;
/// Most keys of one issuer.
pub const MAX_KEYS: usize = 32;
/// Longest issuer name, audience, claim name and `kid`, in bytes.
pub const MAX_NAME_BYTES: usize = 512;
/// Most seconds of leeway an issuer may be given.
pub const MAX_LEEWAY_SECONDS: u32 = 300;
/// The longest life that an issuer's tokens may be limited to, in seconds: a year.
pub const MAX_LIFETIME_SECONDS: u32 = 31_536_000;

/// Most token ids, and most subjects, that the configuration of one issuer may revoke.
pub const MAX_REVOKED: usize = 10_000;

/// One trusted issuer of tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Its name, exactly as tokens carry it in `iss`.
    pub issuer: String,
    /// Acceptable values of `aud`; empty: `aud` is not looked at.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The algorithms it signs with; at least one.
    pub algorithms: Vec<Algorithm>,
    /// How far its clock and ours may be apart, in seconds; at most [`MAX_LEEWAY_SECONDS`].
    #[serde(default = "default_leeway_seconds")]
    pub leeway_seconds: u32,
    /// How long its tokens may live from `iat` to `exp`, in seconds, 1 to [`MAX_LIFETIME_SECONDS`]; none: not looked at.
    #[serde(default)]
    pub max_lifetime_seconds: Option<u32>,
    /// Its keys. Either these or [`IssuerConfig::jwks_uri`].
    #[serde(default)]
    pub jwks: Option<JwksConfig>,
    /// Where it publishes its keys.
    #[serde(default)]
    pub jwks_uri: Option<JwksUriConfig>,
    /// Which of its tokens are refused although they are genuine.
    #[serde(default)]
    pub revoked: RevokedConfig,
}

/// Tokens of one issuer that are refused although they are genuine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevokedConfig {
    /// Values of `jti`, at most [`MAX_REVOKED`].
    pub jti: Vec<String>,
    /// Values of `sub`, at most [`MAX_REVOKED`].
    pub sub: Vec<String>,
    /// Tokens issued before this, in seconds since the epoch, and those that do not say when they were issued.
    pub issued_before: Option<u64>,
}

fn default_leeway_seconds() -> u32 {
    30
}

/// A JSON Web Key Set (RFC 7517) with public signature keys, and secrets for HS256, only.
#[derive(Debug, Clone, Deserialize)]
pub struct JwksConfig {
    /// The keys, at most [`MAX_KEYS`].
    pub keys: Vec<JwkConfig>,
}

/// One JSON Web Key as it was written. Private members of public keys are noticed, never kept.
#[derive(Clone, Default, Deserialize)]
pub struct JwkConfig {
    /// Key type: `RSA`, `EC`, `OKP` or `oct`.
    pub kty: String,
    /// The key's name, unique for its issuer.
    #[serde(default)]
    pub kid: Option<String>,
    /// The only algorithm the key is for.
    #[serde(default)]
    pub alg: Option<String>,
    /// Must be `sig` when present.
    #[serde(default, rename = "use")]
    pub usage: Option<String>,
    /// Must hold `verify` when present.
    #[serde(default)]
    pub key_ops: Option<Vec<String>>,
    /// Curve of `EC` and `OKP` keys.
    #[serde(default)]
    pub crv: Option<String>,
    /// Modulus of an `RSA` key, base64url.
    #[serde(default)]
    pub n: Option<String>,
    /// Exponent of an `RSA` key, base64url.
    #[serde(default)]
    pub e: Option<String>,
    /// First coordinate of an `EC` key, or the whole `OKP` key, base64url.
    #[serde(default)]
    pub x: Option<String>,
    /// Second coordinate of an `EC` key, base64url.
    #[serde(default)]
    pub y: Option<String>,
    /// The secret of an `oct` key, base64url. Never printed.
    #[serde(default)]
    pub(super) k: Option<String>,
    #[serde(default)]
    pub(super) d: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) p: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) q: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) dp: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) dq: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) qi: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) oth: Option<IgnoredAny>,
}

impl fmt::Debug for JwkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwkConfig")
            .field("kty", &self.kty)
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .finish_non_exhaustive()
    }
}

/// Where a token names its tenant, and what such a name looks like: a lower-case letter, then lower-case letters, digits and
/// `extra_characters`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantConfig {
    /// The claim that holds it.
    pub claim: String,
    /// Shortest name, in characters; at least 1.
    pub min_length: u32,
    /// Longest name, in characters; at most [`MAX_TENANT_BYTES`](super::MAX_TENANT_BYTES).
    pub max_length: u32,
    /// Characters allowed after the first besides lower-case letters and digits: any of `A-Z`, `-`, `_`, `.`, `~`.
    pub extra_characters: String,
}

impl Default for TenantConfig {
    fn default() -> Self {
        Self {
            claim: "tenant".to_owned(),
            min_length: 3,
            max_length: 16,
            extra_characters: String::new(),
        }
    }
}
