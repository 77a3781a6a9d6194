//! Whom we trust: the configured issuers, and the one path from a token to an identity.
//!
//! [`Access::verify`] does all that does not depend on the clock, so its result may be kept for the token's bytes for as long as the
//! issuer has the key; [`VerifiedToken::identity_at`] does the rest, every time. Keys that are fetched come in by
//! [`Access::replace_keys`]; when to fetch them is decided elsewhere.

use super::claims::{Claims, Validity};
use super::config::{IssuerConfig, MAX_ISSUERS, TenantConfig};
use super::error::Unauthenticated;
use super::identity::Identity;
use super::issuer::{Issuer, IssuerId};
use super::kept_claims::KeptNames;
use super::key_set::{HeldKeys, KeyId, KeySet};
use super::native::{Effort, NativeCrypto, verify_signature};
use super::scopes::ScopeClaim;
use super::tenant::TenantRule;
use super::token::{BearerToken, Header, MAX_NESTING, Parts};
use super::verified::{Rejected, VerifiedToken};
use crate::config_error::ConfigError;
use crate::host::Host;
use crate::strict_json::parse_object;

/// Decides who a request speaks for.
#[derive(Debug)]
pub struct Access {
    issuers: Vec<Issuer>,
    tenant: TenantRule,
    kept: KeptNames,
    /// Ids given to keys so far.
    last_key: u64,
}

impl Access {
    /// Checks the configuration and prepares every key. Of a verified token, the claims named by `kept_claims` can be asked for by
    /// [`Identity::claim`]; repeated names count once, at most [`MAX_KEPT_CLAIMS`](super::MAX_KEPT_CLAIMS).
    ///
    /// # Errors
    /// The path of the first bad field, from the configuration's root: `issuers[0].jwks.keys[1].n`. Names of claims have no field of
    /// their own: their path is empty.
    pub fn new(
        issuers: &[IssuerConfig],
        tenant: &TenantConfig,
        kept_claims: &[String],
    ) -> Result<Self, ConfigError> {
        if issuers.is_empty() || issuers.len() > MAX_ISSUERS {
            let problem = format!("must hold 1 to {MAX_ISSUERS} issuers");
            return Err(ConfigError::new("issuers", problem));
        }
        let mut access = Self {
            issuers: Vec::with_capacity(issuers.len()),
            tenant: TenantRule::new(tenant).map_err(|error| error.within("tenant"))?,
            kept: KeptNames::new(kept_claims)?,
            last_key: 0,
        };
        for (index, config) in issuers.iter().enumerate() {
            let within = |error: ConfigError| error.within(&format!("issuers[{index}]"));
            let (issuer, keys) = Issuer::new(config).map_err(within)?;
            let mut earlier = access.issuers.iter();
            if earlier.any(|earlier| earlier.name == issuer.name) {
                let problem = "another issuer has the same name";
                return Err(within(ConfigError::new("issuer", problem)));
            }
            access.issuers.push(issuer);
            if let Some(keys) = keys {
                access.replace_keys(IssuerId(index), keys);
            }
        }
        Ok(access)
    }

    /// The issuers, in the order of the configuration.
    pub fn issuers(&self) -> impl Iterator<Item = (IssuerId, &Issuer)> {
        let numbered = self.issuers.iter().enumerate();
        numbered.map(|(index, issuer)| (IssuerId(index), issuer))
    }

    /// All that is to be known of a token without asking the clock. Signatures are checked by the host where `native` says so, and
    /// computed where it does not or where the host does not answer.
    ///
    /// # Errors
    /// The first reason of [`Unauthenticated`] that applies, never one about time, with the issuer as soon as it is known.
    pub fn verify(
        &self,
        token: BearerToken<'_>,
        native: NativeCrypto,
        host: &impl Host,
    ) -> Result<VerifiedToken, Rejected> {
        let mut look = Look {
            issuer: None,
            effort: Effort::Cheap,
        };
        self.look(token, native, host, &mut look)
            .map_err(|reason| Rejected {
                reason,
                issuer: look.issuer,
                effort: look.effort,
            })
    }

    fn look(
        &self,
        token: BearerToken<'_>,
        native: NativeCrypto,
        host: &impl Host,
        look: &mut Look,
    ) -> Result<VerifiedToken, Unauthenticated> {
        let parts = Parts::of(token)?;
        let members = parts.header()?;
        let header = Header::of(&members)?;
        let object = parse_object(&parts.claims, MAX_NESTING)
            .map_err(|_| Unauthenticated::MalformedClaims)?;
        let claims = Claims::of(&object)?;
        let (issuer_id, issuer) = self.issuer(claims.issuer)?;
        look.issuer = Some(issuer_id);
        if !issuer.algorithms.contains(&header.algorithm) {
            return Err(Unauthenticated::AlgorithmNotAllowed);
        }
        if !issuer.audiences.is_empty() && !claims.is_for_any_of(&issuer.audiences) {
            return Err(Unauthenticated::WrongAudience);
        }
        let scope_claim = ScopeClaim::of(&object)?;
        let tenant = self.tenant.tenant(&object, &scope_claim.tenants)?;
        let validity = Validity::new(&claims, issuer.leeway_ms)?;
        if let Some(max_lifetime_ms) = issuer.max_lifetime_ms {
            claims.check_lifetime(max_lifetime_ms)?;
        }
        let keys = issuer.keys.as_ref();
        let keys = keys.ok_or(Unauthenticated::KeysUnavailable)?;
        let (key_id, key) = keys.select(header.kid, header.algorithm)?;
        let (genuine, effort) = verify_signature(
            host,
            native,
            key,
            header.algorithm,
            parts.signing_input,
            &parts.signature,
        );
        look.effort = effort;
        if !genuine {
            return Err(Unauthenticated::BadSignature);
        }
        Ok(VerifiedToken {
            identity: Identity {
                tenant,
                scopes: scope_claim.scopes,
                subject: claims.subject.map(Into::into),
                claims: self.kept.keep(&object),
            },
            validity,
            issuer: issuer_id,
            key: key_id,
            token_id: claims.token_id.map(Into::into),
            issued_ms: claims.issued_ms,
            effort,
        })
    }

    /// Puts a new key set in the place of an issuer's old one. A key that has the same name, the same `alg` and the same material as
    /// an old one keeps its id; what was verified with it stays so. Ids of keys that are gone are never given again.
    pub fn replace_keys(&mut self, issuer: IssuerId, keys: KeySet) {
        let Some(issuer) = self.issuers.get_mut(issuer.0) else {
            return;
        };
        let last_key = &mut self.last_key;
        // At a million keys a second, this counter lasts for half a million years.
        let fresh = || {
            *last_key = last_key.saturating_add(1);
            KeyId(*last_key)
        };
        let none = HeldKeys::default();
        let old = issuer.keys.as_ref().unwrap_or(&none);
        issuer.keys = Some(old.replaced_by(keys, fresh));
    }

    /// Takes an issuer's keys away: its tokens are refused until it has new ones.
    pub fn withdraw_keys(&mut self, issuer: IssuerId) {
        if let Some(issuer) = self.issuers.get_mut(issuer.0) {
            issuer.keys = None;
        }
    }

    /// How many keys the issuer has.
    #[must_use]
    pub fn key_count(&self, issuer: IssuerId) -> usize {
        let issuer = self.issuers.get(issuer.0);
        let keys = issuer.and_then(|issuer| issuer.keys.as_ref());
        keys.map_or(0, HeldKeys::count)
    }

    /// Whether the issuer still has this key.
    #[must_use]
    pub fn holds_key(&self, issuer: IssuerId, key: KeyId) -> bool {
        let issuer = self.issuers.get(issuer.0);
        let keys = issuer.and_then(|issuer| issuer.keys.as_ref());
        keys.is_some_and(|keys| keys.contains(key))
    }

    fn issuer(&self, name: Option<&str>) -> Result<(IssuerId, &Issuer), Unauthenticated> {
        self.issuers()
            .find(|(_, issuer)| Some(issuer.name.as_str()) == name)
            .ok_or(Unauthenticated::UnknownIssuer)
    }
}

/// What is known about a look at a token, however it ends.
struct Look {
    issuer: Option<IssuerId>,
    effort: Effort,
}
