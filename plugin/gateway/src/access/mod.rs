//! Who may: bearer tokens in, permits out.
//!
//! [`Access::authenticate`] turns an `Authorization` value into an [`Identity`] or says why not; [`Identity::permit`] turns that into a
//! [`Permit`], without which no account can be named. Cheap checks come first, then the signature, then the clock: so only the
//! holder of a genuine token is told that it has expired. Nothing here knows HTTP, keeps a clock, or prints a token.

mod claims;
pub mod config;
mod encoding;
mod error;
mod identity;
mod key_set;
mod scopes;
mod signature;
mod tenant;
mod token;
mod trust;

#[cfg(test)]
pub(crate) mod test_support;
#[cfg(test)]
mod tests;

pub use claims::{MAX_NUMERIC_DATE, MAX_SUBJECT_BYTES};
pub use config::{IssuerConfig, TenantConfig};
pub use error::{Forbidden, Unauthenticated};
pub use identity::{Identity, Permit};
pub use key_set::KeySet;
pub use scopes::{MANAGE, MAX_SCOPES, ScopeSet, Scopes, VIEW, is_scope};
pub use signature::Algorithm;
pub use tenant::{MAX_TENANT_BYTES, Tenant};
pub use token::{BearerToken, MAX_HEADER_BYTES, MAX_TOKEN_BYTES};
pub use trust::{Access, UnknownIssuer, VerifiedToken};
