//! Whom we trust: the configured issuers, and the one path from a token to an identity.
//!
//! [`Access::verify`] does all that does not depend on the clock, so its result may be kept for the token's bytes until the issuer's
//! keys change; [`VerifiedToken::identity_at`] does the rest, every time.

use std::fmt;

use super::claims::{Claims, Validity};
use super::config::{
    IssuerConfig, MAX_AUDIENCES, MAX_ISSUERS, MAX_LEEWAY_SECONDS, MAX_NAME_BYTES, TenantConfig,
};
use super::error::Unauthenticated;
use super::identity::Identity;
use super::key_set::KeySet;
use super::scopes::ScopeClaim;
use super::signature::{Algorithm, verify_signature};
use super::tenant::TenantRule;
use super::token::{BearerToken, Header, MAX_NESTING, Parts};
use crate::config_error::ConfigError;
use crate::strict_json::parse_object;

/// Decides who a request speaks for.
#[derive(Debug)]
pub struct Access {
    issuers: Vec<Issuer>,
    tenant: TenantRule,
}

#[derive(Debug)]
struct Issuer {
    name: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    leeway_ms: i64,
    keys: KeySet,
}

/// A token whose signature and claims are right; only the clock has not been asked.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    identity: Identity,
    validity: Validity,
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
}

/// No issuer of that name is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownIssuer;

impl fmt::Display for UnknownIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such issuer is configured")
    }
}

impl std::error::Error for UnknownIssuer {}

impl Access {
    /// Checks the configuration and prepares every key.
    ///
    /// # Errors
    /// The path of the first bad field, from the configuration's root: `issuers[0].jwks.keys[1].n`.
    pub fn new(issuers: &[IssuerConfig], tenant: &TenantConfig) -> Result<Self, ConfigError> {
        if issuers.is_empty() || issuers.len() > MAX_ISSUERS {
            let problem = format!("must hold 1 to {MAX_ISSUERS} issuers");
            return Err(ConfigError::new("issuers", problem));
        }
        let mut trusted: Vec<Issuer> = Vec::with_capacity(issuers.len());
        for (index, config) in issuers.iter().enumerate() {
            let within = |error: ConfigError| error.within(&format!("issuers[{index}]"));
            let issuer = Issuer::new(config).map_err(within)?;
            if trusted.iter().any(|earlier| earlier.name == issuer.name) {
                let problem = "another issuer has the same name";
                return Err(within(ConfigError::new("issuer", problem)));
            }
            trusted.push(issuer);
        }
        Ok(Self {
            issuers: trusted,
            tenant: TenantRule::new(tenant).map_err(|error| error.within("tenant"))?,
        })
    }

    /// The identity behind the value of a request's one `Authorization` header, at `now_ms` (milliseconds since the epoch).
    ///
    /// # Errors
    /// The first reason of [`Unauthenticated`] that applies.
    pub fn authenticate(
        &self,
        authorization: Option<&[u8]>,
        now_ms: i64,
    ) -> Result<Identity, Unauthenticated> {
        let verified = self.verify(BearerToken::from_authorization(authorization)?)?;
        verified.identity_at(now_ms)?;
        Ok(verified.identity)
    }

    /// All of [`Access::authenticate`] that does not depend on the clock.
    ///
    /// # Errors
    /// The first reason of [`Unauthenticated`] that applies, never one about time.
    pub fn verify(&self, token: BearerToken<'_>) -> Result<VerifiedToken, Unauthenticated> {
        let parts = Parts::of(token)?;
        let header = Header::of(&parts.header)?;
        let object = parse_object(&parts.claims, MAX_NESTING)
            .map_err(|_| Unauthenticated::MalformedClaims)?;
        let claims = Claims::of(&object)?;
        let issuer = self.issuer(claims.issuer)?;
        if !issuer.algorithms.contains(&header.algorithm) {
            return Err(Unauthenticated::AlgorithmNotAllowed);
        }
        if !issuer.audiences.is_empty() && !claims.is_for_any_of(&issuer.audiences) {
            return Err(Unauthenticated::WrongAudience);
        }
        let scope_claim = ScopeClaim::of(&object)?;
        let tenant = self.tenant.tenant(&object, &scope_claim.tenants)?;
        let validity = Validity::new(&claims, issuer.leeway_ms)?;
        let key = issuer.keys.select(header.kid, header.algorithm)?;
        if !verify_signature(key, header.algorithm, parts.signing_input, &parts.signature) {
            return Err(Unauthenticated::BadSignature);
        }
        Ok(VerifiedToken {
            identity: Identity {
                tenant,
                scopes: scope_claim.scopes,
                subject: claims.subject.map(Into::into),
            },
            validity,
        })
    }

    /// Puts a new key set in the place of an issuer's old one. Tokens verified with the old one and kept must be forgotten.
    ///
    /// # Errors
    /// [`UnknownIssuer`], and nothing is changed.
    pub fn replace_keys(&mut self, issuer: &str, keys: KeySet) -> Result<(), UnknownIssuer> {
        let known = self.issuers.iter_mut().find(|known| known.name == issuer);
        known.ok_or(UnknownIssuer)?.keys = keys;
        Ok(())
    }

    fn issuer(&self, name: Option<&str>) -> Result<&Issuer, Unauthenticated> {
        let known = |issuer: &&Issuer| Some(issuer.name.as_str()) == name;
        self.issuers
            .iter()
            .find(known)
            .ok_or(Unauthenticated::UnknownIssuer)
    }
}

impl Issuer {
    fn new(config: &IssuerConfig) -> Result<Self, ConfigError> {
        check_name(&config.issuer).map_err(|error| error.within("issuer"))?;
        if config.audiences.len() > MAX_AUDIENCES {
            let problem = format!("must hold at most {MAX_AUDIENCES}");
            return Err(ConfigError::new("audiences", problem));
        }
        for (index, audience) in config.audiences.iter().enumerate() {
            check_name(audience).map_err(|error| error.within(&format!("audiences[{index}]")))?;
        }
        let listed = |known: &Algorithm| config.algorithms.contains(known);
        let distinct = Algorithm::ALL.iter().filter(|known| listed(known)).count();
        if distinct == 0 || distinct != config.algorithms.len() {
            let problem = "must hold at least one, and each once";
            return Err(ConfigError::new("algorithms", problem));
        }
        if config.leeway_seconds > MAX_LEEWAY_SECONDS {
            let problem = format!("must be at most {MAX_LEEWAY_SECONDS}");
            return Err(ConfigError::new("leeway_seconds", problem));
        }
        Ok(Self {
            name: config.issuer.clone(),
            audiences: config.audiences.clone(),
            algorithms: config.algorithms.clone(),
            leeway_ms: i64::from(config.leeway_seconds).saturating_mul(1000),
            keys: KeySet::from_jwks(&config.jwks, &config.algorithms)
                .map_err(|error| error.within("jwks"))?,
        })
    }
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        let problem = format!("must have 1 to {MAX_NAME_BYTES} bytes");
        return Err(ConfigError::new("", problem));
    }
    Ok(())
}
