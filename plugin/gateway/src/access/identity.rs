//! Who a verified token speaks for, and what that one is permitted.
//!
//! A [`Permit`] is the only way on: everything that touches an account demands one, and only this module makes them.

use std::sync::Arc;

use super::error::Forbidden;
use super::kept_claims::{ClaimValue, KeptClaims};
use super::scopes::{ScopeSet, Scopes};
use super::tenant::Tenant;

/// Who a verified token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(super) tenant: Tenant,
    pub(super) scopes: Scopes,
    pub(super) subject: Option<Arc<str>>,
    pub(super) claims: KeptClaims,
}

impl Identity {
    // Its tenant is not to be had here: whoever names an account needs a permit.

    /// The scopes it was given.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Its `sub`, at most [`MAX_SUBJECT_BYTES`](super::MAX_SUBJECT_BYTES) long, without control characters.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The value of a claim, if it is one of those that [`Access`](super::Access) was told to keep, and of a type that is kept.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&ClaimValue> {
        self.claims.get(name)
    }

    /// Permits an operation that accepts any of `acceptable`. `tenant_header` is what the request itself says about its tenant, if
    /// anything; it can only contradict the token, never choose.
    ///
    /// # Errors
    /// [`Forbidden`]: no acceptable scope, or another tenant in the header.
    pub fn permit(
        &self,
        acceptable: &ScopeSet,
        tenant_header: Option<&[u8]>,
    ) -> Result<Permit, Forbidden> {
        let scope = acceptable
            .iter()
            .find(|scope| self.scopes.contains(scope))
            .ok_or(Forbidden::MissingScope)?;
        if tenant_header.is_some_and(|named| named != self.tenant.as_str().as_bytes()) {
            return Err(Forbidden::TenantMismatch);
        }
        Ok(Permit {
            tenant: self.tenant.clone(),
            subject: self.subject.clone(),
            scope,
        })
    }
}

/// Leave to do one operation for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    tenant: Tenant,
    subject: Option<Arc<str>>,
    scope: &'static str,
}

impl Permit {
    /// The tenant whose accounts may be touched, and no other's.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Who asked, when the token says so.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The scope that sufficed.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        self.scope
    }

    /// A permit for tests of this crate, without a token.
    #[cfg(test)]
    pub(crate) fn for_test(tenant: &str) -> Self {
        Self {
            tenant: Tenant::for_test(tenant),
            subject: None,
            scope: "test",
        }
    }
}
