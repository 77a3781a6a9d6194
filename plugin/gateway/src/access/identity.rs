//! Who a verified token speaks for, and what that one is permitted.
//!
//! A [`Permit`] is the only way on: everything that touches an account demands one, and only this module makes them.

use std::sync::Arc;

use super::error::Forbidden;
use super::kept_claims::{ClaimValue, KeptClaims};
use super::scopes::Scopes;
use super::tenant::Tenant;
use crate::percent;
use crate::rules::{Mode, Requirement, Unmet};

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

    /// Its tenant's name, for logs.
    #[must_use]
    pub fn tenant_name(&self) -> &str {
        self.tenant.as_str()
    }

    /// Whether what the request itself says about its tenant, if anything, is what the token says. It can only contradict the
    /// token, never choose.
    ///
    /// # Errors
    /// [`Forbidden::TenantMismatch`]
    pub fn agrees_with(&self, tenant_header: Option<&[u8]>) -> Result<(), Forbidden> {
        match tenant_header {
            Some(named) if named != self.tenant.as_str().as_bytes() => {
                Err(Forbidden::TenantMismatch)
            }
            _ => Ok(()),
        }
    }

    /// Gives leave to do what demands `requirement`. In [`Mode::Report`] a requirement that is not met is told and not enforced;
    /// a tenant that is not the token's is refused always.
    ///
    /// # Errors
    /// [`Forbidden`]: a scope or claim is missing, or the request names another tenant.
    pub fn permit<'r>(
        &self,
        requirement: &'r Requirement,
        mode: Mode,
        tenant_header: Option<&[u8]>,
    ) -> Result<Leave<'r>, Forbidden> {
        let claim = |name: &str| self.claims.get(name).map(ClaimValue::view);
        let met = requirement.check(|scope| self.scopes.contains(scope), claim);
        let (scope, unmet) = match met {
            Ok(scope) => (scope, None),
            Err(unmet) => {
                let error = match unmet {
                    Unmet::AnyOf(_) | Unmet::AllOf(_) => Forbidden::MissingScope,
                    Unmet::Claim(_) => Forbidden::ClaimMismatch,
                };
                if mode == Mode::Enforce {
                    return Err(error);
                }
                (None, Some(error))
            }
        };
        self.agrees_with(tenant_header)?;
        Ok(Leave {
            permit: Permit {
                tenant: self.tenant.clone(),
            },
            scope,
            unmet,
        })
    }

    /// What an upstream is told about the caller, as values of headers.
    #[must_use]
    pub fn told_to_upstreams(&self) -> ToldToUpstreams {
        let scopes: Vec<&str> = self.scopes.iter().collect();
        ToldToUpstreams {
            tenant: self.tenant.as_str().to_owned(),
            scopes: scopes.join(" "),
            subject: self.subject.as_deref().map(header_value),
        }
    }
}

/// A text as the value of a header: visible ASCII as it stands, everything else percent-encoded, and `%` with it.
fn header_value(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_graphic() && character != '%' {
            value.push(character);
        } else {
            let mut bytes = [0; 4];
            value.push_str(&percent::encode(
                character.encode_utf8(&mut bytes).as_bytes(),
            ));
        }
    }
    value
}

/// What an upstream is told about a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldToUpstreams {
    /// The tenant's name.
    pub tenant: String,
    /// The scopes, separated by one space.
    pub scopes: String,
    /// The subject, if there is one: what is not visible ASCII, and `%`, is percent-encoded.
    pub subject: Option<String>,
}

/// Leave that was given, and on which ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave<'r> {
    /// The leave.
    pub permit: Permit,
    /// The scope that sufficed.
    pub scope: Option<&'r str>,
    /// What is missing, where it was only to be told.
    pub unmet: Option<Forbidden>,
}

/// Leave to do one operation for one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    tenant: Tenant,
}

impl Permit {
    /// The tenant whose accounts may be touched, and no other's.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// A permit for tests of this crate, without a token.
    #[cfg(test)]
    pub(crate) fn for_test(tenant: &str) -> Self {
        Self {
            tenant: Tenant::for_test(tenant),
        }
    }
}
