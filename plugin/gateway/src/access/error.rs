//! The two refusals of access control: a caller that is not known (`Unauthenticated`), and one that may not (`Forbidden`).
//!
//! Both are free of HTTP. `Unauthenticated` tells a client almost nothing and an operator a fixed word; neither ever holds a
//! byte of a token or of a key. Variants stand in the order in which they are decided: the first that applies wins.

use std::fmt;

/// Why a request carries no identity. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unauthenticated {
    /// No `Authorization` header.
    NoCredentials,
    /// Another scheme than `Bearer`, or `Bearer` with nothing after it.
    NotBearer,
    /// The token is longer than [`MAX_TOKEN_BYTES`](super::MAX_TOKEN_BYTES).
    TokenTooLarge,
    /// Not three base64url segments.
    MalformedToken,
    /// The token's header is not a plain JSON object of the expected members.
    MalformedHeader,
    /// The header demands an extension (`crit`); none is known here.
    CriticalExtension,
    /// `alg` names no algorithm that is implemented; `none` is one of those.
    UnknownAlgorithm,
    /// The claims are not a plain JSON object, or a claim that matters has the wrong type or an absurd value.
    MalformedClaims,
    /// No `iss`, or no such issuer is configured.
    UnknownIssuer,
    /// The issuer does not sign with this algorithm.
    AlgorithmNotAllowed,
    /// The token is not meant for any of the issuer's configured audiences.
    WrongAudience,
    /// The scopes have a wrong type, a character no scope may have, or there are too many.
    MalformedScopes,
    /// No tenant, several, two that differ, or one that is no tenant's name.
    NoTenant,
    /// No `exp`.
    NoExpiry,
    /// No `iat`, from an issuer whose tokens may not live for ever.
    NoIssuedAt,
    /// From `iat` to `exp` it is longer than the issuer's tokens may live.
    LifetimeTooLong,
    /// The issuer's keys have not been fetched yet, or are too old. Not the client's fault.
    KeysUnavailable,
    /// `kid` names no key of the issuer.
    UnknownKey,
    /// No `kid`, and not exactly one key of the issuer fits the algorithm.
    AmbiguousKey,
    /// The key named by `kid` is not for this algorithm.
    KeyAlgorithmMismatch,
    /// The signature is not the key's over this token.
    BadSignature,
    /// The token was a good one, and has been revoked.
    Revoked,
    /// `nbf` lies ahead.
    NotYetValid,
    /// `iat` lies ahead.
    IssuedInFuture,
    /// `exp` has passed; everything else about the token was right.
    Expired,
}

impl Unauthenticated {
    /// Whether a bearer token was sent at all: then the challenge says `error="invalid_token"`.
    #[must_use]
    pub const fn token_sent(self) -> bool {
        !matches!(self, Self::NoCredentials | Self::NotBearer)
    }

    /// Whether the token was a good one in its time. Only told of tokens whose signature was verified.
    #[must_use]
    pub const fn expired(self) -> bool {
        matches!(self, Self::Expired)
    }

    /// Whether the gateway is to blame and not the token, about which nothing is known then: a later try may succeed.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }

    /// A fixed word for the operator's log and counters; not for clients.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoCredentials => "no_credentials",
            Self::NotBearer => "not_bearer",
            Self::TokenTooLarge => "token_too_large",
            Self::MalformedToken => "malformed_token",
            Self::MalformedHeader => "malformed_header",
            Self::CriticalExtension => "critical_extension",
            Self::UnknownAlgorithm => "unknown_algorithm",
            Self::MalformedClaims => "malformed_claims",
            Self::UnknownIssuer => "unknown_issuer",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::WrongAudience => "wrong_audience",
            Self::MalformedScopes => "malformed_scopes",
            Self::NoTenant => "no_tenant",
            Self::NoExpiry => "no_expiry",
            Self::NoIssuedAt => "no_issued_at",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::KeysUnavailable => "keys_unavailable",
            Self::UnknownKey => "unknown_key",
            Self::AmbiguousKey => "ambiguous_key",
            Self::KeyAlgorithmMismatch => "key_algorithm_mismatch",
            Self::BadSignature => "bad_signature",
            Self::Revoked => "revoked",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Unauthenticated {}

/// Why a caller may not do what it asks, whoever it is or although it is known. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forbidden {
    /// No token is let in here.
    Denied,
    /// No rule is for this, and what no rule is for is refused here.
    NoRule,
    /// The token has none of the acceptable scopes, or not all that are needed.
    MissingScope,
    /// A claim of the token does not have one of the values that are needed.
    ClaimMismatch,
    /// The request names another tenant than the token's.
    TenantMismatch,
}

impl Forbidden {
    /// A fixed word for the operator's log and counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NoRule => "no_rule",
            Self::MissingScope => "missing_scope",
            Self::ClaimMismatch => "claim_mismatch",
            Self::TenantMismatch => "tenant_mismatch",
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Forbidden {}
