//! Scopes as words: what one looks like, and which ones the API knows by name.
//!
//! A scope is one whole word, compared byte for byte. The pseudo-scope `tenant=<t>` names a tenant and never counts as one.

/// How a pseudo-scope begins that names a tenant.
pub(crate) const TENANT_PREFIX: &str = "tenant=";

/// Reading a tenant's points: any one of these, in the order in which refusals list them.
pub const VIEW: [&str; 2] = [
    "rewardspoints.rewardpoints_view",
    "saasag.rewardpoints_view",
];

/// Changing a tenant's points: any one of these. Does not imply [`VIEW`].
pub const MANAGE: [&str; 2] = [
    "rewardspoints.rewardpoints_manage",
    "saasag.rewardpoints_manage",
];

/// Whether a token can hold this word as a scope: at least one of the characters that RFC 6749 allows, and no pseudo-scope.
#[must_use]
pub fn is_scope(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(is_scope_byte) && !word.starts_with(TENANT_PREFIX)
}

/// The characters of a scope (RFC 6749, section 3.3): visible ASCII without `"` and `\`, so safe in any header.
pub(crate) fn is_scope_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}
