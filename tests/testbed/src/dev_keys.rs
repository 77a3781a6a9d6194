//! Development tokens without an issuer, signed with the newest keys of a folder: one RS256, one ES256, one EdDSA.
//!
//! The keys stay on this machine. How they are made and kept is known in `signing-keys`; an issuer on the same folder
//! publishes them and may add newer ones.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
pub use signing_keys::Algorithm;
use signing_keys::{KeyFolder, SigningKey, random_id};

use crate::{Error, Result, dev_dir};

/// The issuer of development tokens.
pub const DEV_ISSUER: &str = "https://issuer.localhost/dev";
/// The header `typ` of a plain token.
const TOKEN_TYPE: &str = "JWT";
/// Bounds on a tenant's length; the same as the gateway's own defaults.
const TENANT_LENGTH: std::ops::RangeInclusive<usize> = 3..=16;

/// What a usual token says.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Claim `iss`.
    pub issuer: String,
    /// Claim `tenant`: `^[a-z][a-z0-9]{2,15}$`.
    pub tenant: String,
    /// Claim `scope`: words separated by one space.
    pub scope: String,
    /// Claim `sub`.
    pub subject: String,
    /// Seconds from now to `exp`.
    pub expires_in_seconds: u64,
    /// The key that signs.
    pub algorithm: Algorithm,
}

impl TokenRequest {
    /// The scopes to view and to manage.
    pub const DEFAULT_SCOPE: &str =
        "rewardspoints.rewardpoints_view rewardspoints.rewardpoints_manage";
    /// Seconds for which a token holds unless told otherwise.
    pub const DEFAULT_EXPIRES_IN_SECONDS: u64 = 3600;
    /// The subject unless told otherwise.
    pub const DEFAULT_SUBJECT: &str = "developer";

    /// A token for `tenant` to view and manage for an hour.
    #[must_use]
    pub fn new(tenant: &str) -> Self {
        Self {
            issuer: DEV_ISSUER.to_owned(),
            tenant: tenant.to_owned(),
            scope: Self::DEFAULT_SCOPE.to_owned(),
            subject: Self::DEFAULT_SUBJECT.to_owned(),
            expires_in_seconds: Self::DEFAULT_EXPIRES_IN_SECONDS,
            algorithm: Algorithm::Es256,
        }
    }
}

/// The newest key of each algorithm.
#[derive(Debug)]
pub struct DevKeys {
    keys: Vec<SigningKey>,
}

impl DevKeys {
    /// The keys that `cargo xtask up` and `cargo xtask token` share, under `target/dev/keys`. Their public halves are left
    /// in `target/dev/jwks.json`, for whoever configures a gateway by hand.
    ///
    /// # Errors
    /// As [`DevKeys::open`].
    pub fn shared() -> Result<Self> {
        Self::shared_in(&dev_dir())
    }

    /// Where the shared keys are, for an issuer to sign with.
    #[must_use]
    pub fn shared_dir() -> PathBuf {
        keys_in(&dev_dir())
    }

    /// As [`DevKeys::shared`], under `dir` instead of `target/dev`.
    ///
    /// # Errors
    /// As [`DevKeys::open`].
    pub fn shared_in(dir: &Path) -> Result<Self> {
        let keys = Self::open(&keys_in(dir))?;
        publish(&dir.join("jwks.json"), &keys.jwks())?;
        Ok(keys)
    }

    /// The newest keys in `dir`, made there when missing.
    ///
    /// # Errors
    /// [`Error::Keys`] when they cannot be made, written, read or understood.
    pub fn open(dir: &Path) -> Result<Self> {
        let folder = KeyFolder::open(dir)?;
        let keys = Algorithm::ALL.map(|algorithm| folder.newest(algorithm));
        Ok(Self {
            keys: keys.into_iter().collect::<std::result::Result<_, _>>()?,
        })
    }

    /// The public halves as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(SigningKey::public_jwk).collect();
        json!({ "keys": keys })
    }

    /// A token as asked for, issued now, with a random `jti`.
    ///
    /// # Errors
    /// [`Error::BadToken`] for a tenant, scope or lifetime that no gateway takes; [`Error::Keys`] when signing fails.
    pub fn token(&self, request: &TokenRequest) -> Result<String> {
        check(request)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let claims = json!({
            "iss": request.issuer,
            "sub": request.subject,
            "iat": now,
            "exp": now.saturating_add(request.expires_in_seconds),
            "tenant": request.tenant,
            "scope": request.scope,
            "jti": random_id(),
        });
        self.sign(request.algorithm, claims)
    }

    /// Signs exactly `claims`, sensible or not: for tests of refusals.
    ///
    /// # Errors
    /// [`Error::Keys`] when signing fails.
    pub fn sign(&self, algorithm: Algorithm, claims: Value) -> Result<String> {
        let found = self.keys.iter().find(|key| key.algorithm() == algorithm);
        let key = found
            .ok_or_else(|| Error::BadToken(format!("there is no key for {}", algorithm.name())))?;
        Ok(key.sign(TOKEN_TYPE, claims)?)
    }
}

fn check(request: &TokenRequest) -> Result<()> {
    let tenant = request.tenant.as_bytes();
    let shape = tenant.first().is_some_and(u8::is_ascii_lowercase)
        && tenant
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !shape || !TENANT_LENGTH.contains(&tenant.len()) {
        return Err(Error::BadToken(format!(
            "tenant {:?}: a tenant is 3 to 16 characters, a-z and 0-9, and starts with a letter",
            request.tenant
        )));
    }
    if request.expires_in_seconds == 0 {
        return Err(Error::BadToken(
            "a token must hold for at least one second".to_owned(),
        ));
    }
    if request
        .scope
        .split_whitespace()
        .any(|word| word.starts_with("tenant="))
    {
        return Err(Error::BadToken(
            "the tenant is a claim of its own here, not a scope".to_owned(),
        ));
    }
    Ok(())
}

fn keys_in(dir: &Path) -> PathBuf {
    dir.join("keys")
}

/// Writes the public set whole or not at all. What is there already is left alone.
fn publish(path: &Path, jwks: &Value) -> Result<()> {
    let text = format!("{jwks:#}\n");
    if std::fs::read_to_string(path).is_ok_and(|held| held == text) {
        return Ok(());
    }
    let draft = path.with_extension(format!("{}.{}", std::process::id(), random_id()));
    std::fs::write(&draft, text).map_err(Error::file("write", &draft))?;
    std::fs::rename(&draft, path).map_err(Error::file("write", path))
}
