//! Signing keys for development and tests: one RS256, one ES256, one EdDSA, and tokens signed with them.
//!
//! The keys are made once per directory and stay on this machine, readable by their owner alone. A key's id is the
//! thumbprint of its public half, so a gateway that holds older keys refuses newer tokens by `kid`, not by signature.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jwt_simple::prelude::*;
use serde_json::{Value, json};

use crate::{Error, Result, dev_dir};

/// The issuer of development tokens.
pub const DEV_ISSUER: &str = "https://issuer.localhost/dev";
/// Bits of the RSA key.
const RSA_BITS: usize = 2048;
/// Bounds on a tenant's length; the same as the gateway's own defaults.
const TENANT_LENGTH: std::ops::RangeInclusive<usize> = 3..=16;

/// Which key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All that there are keys for.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a token's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

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

/// The three keys.
pub struct DevKeys {
    rs256: RS256KeyPair,
    es256: ES256KeyPair,
    ed25519: Ed25519KeyPair,
}

impl std::fmt::Debug for DevKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DevKeys")
    }
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

    /// As [`DevKeys::shared`], under `dir` instead of `target/dev`.
    ///
    /// # Errors
    /// As [`DevKeys::open`].
    pub fn shared_in(dir: &Path) -> Result<Self> {
        let keys = Self::open(&dir.join("keys"))?;
        publish(&dir.join("jwks.json"), &keys.jwks())?;
        Ok(keys)
    }

    /// The keys in `dir`, made there when missing.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Key`] when they cannot be made, written, read or understood.
    pub fn open(dir: &Path) -> Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(dir).map_err(Error::file("create", dir))?;
        let rs256 = load_or_make(&dir.join("rs256.private.jwk"), || {
            let pair = RS256KeyPair::generate(RSA_BITS).map_err(key_error("make an RSA key"))?;
            let id = pair.jwk_thumbprint();
            Ok(pair.with_key_id(&id).to_jwk())
        })?;
        let es256 = load_or_make(&dir.join("es256.private.jwk"), || {
            let pair = ES256KeyPair::generate();
            let id = pair.jwk_thumbprint();
            Ok(pair.with_key_id(&id).to_jwk())
        })?;
        let ed25519 = load_or_make(&dir.join("eddsa.private.jwk"), || {
            let pair = Ed25519KeyPair::generate();
            let id = pair.jwk_thumbprint();
            Ok(pair.with_key_id(&id).to_jwk())
        })?;
        let unreadable = |kind: &str| format!("read the {kind} key in {}", dir.display());
        Ok(Self {
            rs256: RS256KeyPair::from_jwk(&rs256).map_err(key_error(unreadable("RS256")))?,
            es256: ES256KeyPair::from_jwk(&es256).map_err(key_error(unreadable("ES256")))?,
            ed25519: Ed25519KeyPair::from_jwk(&ed25519).map_err(key_error(unreadable("EdDSA")))?,
        })
    }

    /// The public halves as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let public = [
            self.rs256.public_key().to_jwk(),
            self.es256.public_key().to_jwk(),
            self.ed25519.public_key().to_jwk(),
        ];
        let keys: Vec<Value> = public
            .iter()
            .filter_map(|jwk| serde_json::from_str(jwk).ok())
            .collect();
        json!({ "keys": keys })
    }

    /// A token as asked for, issued now, with a random `jti`.
    ///
    /// # Errors
    /// [`Error::BadToken`] for a tenant, scope or lifetime that no gateway takes; [`Error::Key`] when signing fails.
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
    /// [`Error::Key`] when signing fails.
    pub fn sign(&self, algorithm: Algorithm, claims: Value) -> Result<String> {
        let claims = JWTClaims {
            issued_at: None,
            expires_at: None,
            invalid_before: None,
            issuer: None,
            subject: None,
            audiences: None,
            jwt_id: None,
            nonce: None,
            custom: claims,
        };
        let signed = match algorithm {
            Algorithm::Rs256 => self.rs256.sign(claims),
            Algorithm::Es256 => self.es256.sign(claims),
            Algorithm::EdDsa => self.ed25519.sign(claims),
        };
        signed.map_err(key_error(format!("sign a token with {}", algorithm.name())))
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

/// The content of `path`; when there is none, `make`'s, written whole or not at all and never over another's.
fn load_or_make(path: &Path, make: impl FnOnce() -> Result<String>) -> Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map_err(Error::file("read", path)),
    }
    let made = make()?;
    let draft = path.with_extension(format!("{}.{}", std::process::id(), random_id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft);
    let mut file = file.map_err(Error::file("create", &draft))?;
    file.write_all(made.as_bytes())
        .map_err(Error::file("write", &draft))?;
    // A link fails where a rename would replace: of two processes that start at once, the first one's key holds.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft).map_err(Error::file("remove", &draft))?;
    match linked {
        Ok(()) => Ok(made),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::read_to_string(path).map_err(Error::file("read", path))
        }
        Err(error) => Err(Error::file("create", path)(error)),
    }
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

/// 128 random bits in hex.
fn random_id() -> String {
    let bytes = HS256Key::generate().to_bytes();
    bytes
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn key_error(what: impl Into<String>) -> impl FnOnce(jwt_simple::Error) -> Error {
    let what = what.into();
    move |error| Error::Key {
        what,
        reason: error.to_string(),
    }
}
