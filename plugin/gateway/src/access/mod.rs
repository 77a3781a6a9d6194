//! Who may: bearer tokens in, permits out.
//!
//! [`Access::verify`] turns a [`BearerToken`] into a [`VerifiedToken`] or says why not, [`VerifiedToken::identity_at`] asks the time, and
//! [`Identity::permit`] turns the identity into a [`Permit`], without which no account can be named. Cheap checks come first, then the
//! signature, then the clock: so only the holder of a genuine token is told that it has expired. Nothing here knows HTTP, keeps a
//! clock, fetches a key, or prints a token.

mod algorithm;
mod claims;
pub mod config;
mod der;
pub(crate) mod encoding;
mod error;
mod fetched;
mod identity;
mod issuer;
mod jwk;
mod jwks_uri;
mod kept_claims;
mod key_set;
mod native;
mod scopes;
mod self_test;
mod tenant;
mod token;
mod trust;
mod verified;
mod verifying_key;

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use claims::{MAX_NUMERIC_DATE, MAX_SUBJECT_BYTES, MAX_TOKEN_ID_BYTES};
pub use config::{IssuerConfig, RevokedConfig, TenantConfig};
pub use error::{Forbidden, Unauthenticated};
pub use fetched::{FetchedKeys, FetchedKeysError, MAX_FETCHED_BYTES, MAX_FETCHED_KEYS};
pub use identity::{Identity, Leave, Permit, ToldToUpstreams};
pub use issuer::{Issuer, IssuerId};
pub use jwks_uri::JwksUriConfig;
pub use kept_claims::{ClaimValue, MAX_CLAIM_TEXTS, MAX_KEPT_CLAIMS};
pub use key_set::{KeyId, KeySet};
pub use native::{Effort, NativeCrypto};
pub use scopes::{MAX_SCOPES, Scopes};
pub use tenant::{MAX_TENANT_BYTES, Tenant};
pub use token::{BearerToken, MAX_HEADER_BYTES, MAX_TOKEN_BYTES, SentToken};
pub use trust::Access;
pub use verified::{Rejected, VerifiedToken};
