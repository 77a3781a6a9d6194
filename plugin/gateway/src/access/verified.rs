//! What came of looking at a token: a verified one, or a refusal with what it cost.
//!
//! Both are free of the token's bytes, so they may be kept and logged. Whether a verified token holds now is asked of it every time.

use super::claims::Validity;
use super::error::Unauthenticated;
use super::identity::Identity;
use super::issuer::IssuerId;
use super::key_set::KeyId;
use super::native::Effort;

/// A token whose signature and claims are right; only the clock has not been asked. It may be kept for the token's bytes for as
/// long as [`Access::holds_key`](super::Access::holds_key) says so of its key.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    pub(super) identity: Identity,
    pub(super) validity: Validity,
    pub(super) issuer: IssuerId,
    pub(super) key: KeyId,
    pub(super) token_id: Option<String>,
    pub(super) issued_ms: Option<i64>,
    pub(super) effort: Effort,
}

impl VerifiedToken {
    /// The identity, if the token holds at `now_ms` (milliseconds since the epoch).
    ///
    /// # Errors
    /// [`Unauthenticated::NotYetValid`], [`Unauthenticated::IssuedInFuture`] or [`Unauthenticated::Expired`].
    pub fn identity_at(&self, now_ms: i64) -> Result<&Identity, Unauthenticated> {
        self.validity.check(now_ms)?;
        Ok(&self.identity)
    }

    /// The identity, for whoever has asked the time already.
    #[must_use]
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Who issued it.
    #[must_use]
    pub const fn issuer(&self) -> IssuerId {
        self.issuer
    }

    /// The key that it was verified with.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// Its `jti`, 1 to [`MAX_TOKEN_ID_BYTES`](super::MAX_TOKEN_ID_BYTES) long, without control characters. Unique only for its issuer.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// Its `sub`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.identity.subject()
    }

    /// Its `iat`, in milliseconds since the epoch.
    #[must_use]
    pub const fn issued_ms(&self) -> Option<i64> {
        self.issued_ms
    }

    /// The first moment from which on it never holds again, in milliseconds since the epoch: `exp` and the issuer's leeway.
    #[must_use]
    pub const fn expires_ms(&self) -> i64 {
        self.validity.ends_ms()
    }

    /// What it cost to verify it.
    #[must_use]
    pub const fn effort(&self) -> Effort {
        self.effort
    }
}

/// A token that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// Why.
    pub reason: Unauthenticated,
    /// The issuer that the token names, once it is known to be one of the configured ones. Nothing proves that it is from there.
    pub issuer: Option<IssuerId>,
    /// What it cost to find out.
    pub effort: Effort,
}
