//! What an operator writes about rules: guarded prefixes, the table of rules, and what the operations of the API require.
//!
//! The shapes and their bounds only. Whether the values make sense is decided where [`Rules`](super::Rules) and
//! [`OperationRules`](super::OperationRules) are built from them; every error there names the bad field from the
//! configuration's root. An empty list means the same as none, except in `operations`, as said there.

use serde::Deserialize;

/// Most rules of the table.
pub const MAX_RULES: usize = 256;
/// Most guarded prefixes.
pub const MAX_GUARDED_PREFIXES: usize = 64;
/// Longest name of a rule, in bytes.
pub const MAX_RULE_NAME_BYTES: usize = 64;
/// Most methods of one rule.
pub const MAX_METHODS: usize = 16;
/// Longest method, in bytes.
pub const MAX_METHOD_BYTES: usize = 32;
/// Longest pattern or guarded prefix, in bytes.
pub const MAX_PATTERN_BYTES: usize = 512;
/// Most segments of a pattern or guarded prefix.
pub const MAX_PATTERN_SEGMENTS: usize = 32;
/// Most scopes of one list. All of a requirement's scopes are told in a refusal's header, so they are to fit into one.
pub const MAX_SCOPES_PER_LIST: usize = 32;
/// Longest scope, in bytes.
pub const MAX_SCOPE_BYTES: usize = 128;
/// Most claim tests of one list.
pub const MAX_CLAIM_TESTS: usize = 16;
/// Longest name of a claim, in bytes.
pub const MAX_CLAIM_NAME_BYTES: usize = 128;
/// Most values of one claim test.
pub const MAX_CLAIM_VALUES: usize = 32;
/// Longest value of a claim test, in bytes.
pub const MAX_CLAIM_VALUE_BYTES: usize = 256;

/// One rule of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Its name in logs: unique, 1 to [`MAX_RULE_NAME_BYTES`] of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// The methods it is for, compared byte for byte (RFC 9110, section 9.1): `GET` does not cover `HEAD`. Empty: any.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The pattern of its paths; `docs/configuration.md` has the syntax.
    pub path: String,
    /// Whom it lets through.
    pub allow: AllowConfig,
    /// Scopes of which a token must hold one; only with [`AllowConfig::Scopes`].
    #[serde(default)]
    pub any_of: Vec<String>,
    /// Scopes of which a token must hold every one; only with [`AllowConfig::Scopes`].
    #[serde(default)]
    pub all_of: Vec<String>,
    /// Tests of the token's claims, which must all hold; not with [`AllowConfig::Anonymous`] or [`AllowConfig::Denied`].
    #[serde(default)]
    pub claims: Vec<ClaimTestConfig>,
    /// What becomes of a request that the rule refuses.
    #[serde(default)]
    pub mode: Mode,
}

/// Whom a rule lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AllowConfig {
    /// A valid token with the rule's scopes, of which there is at least one.
    Scopes,
    /// Any valid token.
    Authenticated,
    /// Everybody, with a token or without.
    Anonymous,
    /// Nobody.
    Denied,
}

/// What becomes of a request that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is answered with the refusal.
    #[default]
    Enforce,
    /// It is let through, and the refusal is only logged and counted: for trying a rule out.
    Report,
}

/// A test of one claim of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimTestConfig {
    /// The name of a top-level claim, 1 to [`MAX_CLAIM_NAME_BYTES`] bytes.
    pub claim: String,
    /// The values that pass, 1 to [`MAX_CLAIM_VALUES`] of 1 to [`MAX_CLAIM_VALUE_BYTES`] bytes each.
    pub any_of: Vec<String>,
}

/// What the operations of the API require where that is not the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationsConfig {
    /// `GET /reward-points/customer/{customerId}`
    pub balance: OperationConfig,
    /// `GET /reward-points/customer/{customerId}/summary`
    pub summary: OperationConfig,
    /// `GET /reward-points/summaryBatch`
    pub summary_batch: OperationConfig,
    /// `POST /reward-points/customer/{customerId}`
    pub create: OperationConfig,
    /// `DELETE /reward-points/customer/{customerId}`
    pub delete: OperationConfig,
    /// `POST /reward-points/customer/{customerId}/addPoints`
    pub add_points: OperationConfig,
    /// `POST /reward-points/customer/{customerId}/redeemPoints`
    pub redeem_points: OperationConfig,
}

/// What one operation requires.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationConfig {
    /// Scopes of which a token must hold one. Absent: the operation's own pair of scopes. Empty: none of these, so that
    /// `all_of` alone decides, which then may not be empty.
    pub any_of: Option<Vec<String>>,
    /// Scopes of which a token must hold every one, besides.
    pub all_of: Vec<String>,
    /// Tests of the token's claims, besides those that are for all operations.
    pub claims: Vec<ClaimTestConfig>,
    /// What becomes of a request that the requirement refuses.
    pub mode: Mode,
}
