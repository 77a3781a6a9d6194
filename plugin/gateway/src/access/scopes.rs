//! Scopes: which ones a token has.
//!
//! A scope is one whole word, compared byte for byte. The pseudo-scope `tenant=<t>` is taken out on the way in and never counts.

use super::error::Unauthenticated;
use crate::rules::scope::{TENANT_PREFIX, is_scope_byte};
use crate::strict_json::{Json, Object};

/// Most scopes of one token, the pseudo-scopes among them.
pub const MAX_SCOPES: usize = 512;

/// The claims that may hold the scopes. The first that is there decides; only the first must be a string.
const CLAIMS: [&str; 3] = ["scope", "scp", "scopes"];

/// The scopes of a token, without pseudo-scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// The scopes in the token's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether exactly this word is among them.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|held| held == scope)
    }
}

/// What the scope claim says.
#[derive(Default)]
pub(super) struct ScopeClaim {
    pub(super) scopes: Scopes,
    /// The values of all pseudo-scopes `tenant=<t>`.
    pub(super) tenants: Vec<String>,
}

impl ScopeClaim {
    pub(super) fn of(claims: &Object<'_>) -> Result<Self, Unauthenticated> {
        let malformed = Unauthenticated::MalformedScopes;
        let present = CLAIMS
            .into_iter()
            .find_map(|name| claims.get(name).map(|value| (name, value)));
        let mut claim = Self::default();
        match present {
            None => {}
            Some((_, Json::String(words))) => {
                for word in words.split(' ').filter(|word| !word.is_empty()) {
                    claim.add(word)?;
                }
            }
            Some((name, Json::Array(elements))) if name != "scope" => {
                for element in elements {
                    match element {
                        Json::String(word) => claim.add(word)?,
                        _ => return Err(malformed),
                    }
                }
            }
            Some(_) => return Err(malformed),
        }
        Ok(claim)
    }

    fn add(&mut self, word: &str) -> Result<(), Unauthenticated> {
        let held = self.scopes.0.len().saturating_add(self.tenants.len());
        if held >= MAX_SCOPES || word.is_empty() || !word.bytes().all(is_scope_byte) {
            return Err(Unauthenticated::MalformedScopes);
        }
        match word.strip_prefix(TENANT_PREFIX) {
            Some(tenant) => self.tenants.push(tenant.to_owned()),
            None => self.scopes.0.push(word.to_owned()),
        }
        Ok(())
    }
}
