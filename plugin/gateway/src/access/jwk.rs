//! One JSON Web Key (RFC 7517, RFC 7518 section 6) and whether it may check an issuer's signatures, and by which algorithms.
//!
//! The key's type, its `alg`, `use` and `key_ops` and the issuer's list of algorithms must all agree. It does not know where the
//! text came from, except that a secret may only come from where it is allowed.

use super::algorithm::{Algorithm, AlgorithmSet};
use super::config::{JwkConfig, MAX_NAME_BYTES};
use super::encoding::base64url;
use super::verifying_key::{SECRET_BYTES, VerifyingKey};
use crate::config_error::ConfigError;

/// Longest base64url member of a key; a 4096-bit modulus takes 683 characters.
const MAX_MEMBER_BYTES: usize = 1024;
/// The accepted sizes of an RSA modulus, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// The one accepted RSA exponent, 65537, big-endian.
const RSA_EXPONENT: &[u8] = &[1, 0, 1];
/// Bytes of a P-256 coordinate and of an Ed25519 key.
const SHORT_COORDINATE_BYTES: usize = 32;
/// Bytes of a P-384 coordinate.
const LONG_COORDINATE_BYTES: usize = 48;

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Written by the operator: the only place for a secret.
    Configuration,
    /// Published by the issuer.
    Fetched,
}

/// A key of an issuer.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) kid: Option<String>,
    /// Its own `alg`.
    pub(super) restriction: Option<Algorithm>,
    /// What it may be used for: by its type, its `alg`, and the issuer's list. Not empty.
    pub(super) serves: AlgorithmSet,
    pub(super) key: VerifyingKey,
}

impl Key {
    /// Checks a key of an issuer that signs with `issuer`.
    ///
    /// # Errors
    /// The member that is wrong.
    pub(super) fn from_jwk(
        jwk: &JwkConfig,
        issuer: AlgorithmSet,
        source: Source,
    ) -> Result<Self, ConfigError> {
        if jwk.kty == "oct" {
            require_secrets_allowed(issuer, source)?;
        }
        refuse_private_members(jwk)?;
        check_purpose(jwk)?;
        let kid = match &jwk.kid {
            Some(kid) if kid.is_empty() || kid.len() > MAX_NAME_BYTES => {
                let problem = format!("must have 1 to {MAX_NAME_BYTES} bytes");
                return Err(ConfigError::new("kid", problem));
            }
            kid => kid.clone(),
        };
        let key = match jwk.kty.as_str() {
            "RSA" => rsa_key(jwk)?,
            "EC" => ec_key(jwk)?,
            "OKP" => ed25519_key(jwk)?,
            "oct" => secret(jwk)?,
            other => {
                let problem =
                    format!("key type {other:?} is not supported; RSA, EC, OKP and oct are");
                return Err(ConfigError::new("kty", problem));
            }
        };
        let (restriction, serves) = uses(jwk, key.algorithms(), issuer)?;
        Ok(Self {
            kid,
            restriction,
            serves,
            key,
        })
    }

    /// Whether both are the same key under the same name for the same use.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.kid == other.kid && self.restriction == other.restriction && self.key.is(&other.key)
    }
}

fn require_secrets_allowed(issuer: AlgorithmSet, source: Source) -> Result<(), ConfigError> {
    if source == Source::Fetched {
        return Err(ConfigError::new(
            "kty",
            "a secret that was published is none",
        ));
    }
    if !issuer.contains(Algorithm::Hs256) {
        let problem = "\"oct\" is for HS256, which the issuer's algorithms do not include";
        return Err(ConfigError::new("kty", problem));
    }
    Ok(())
}

fn refuse_private_members(jwk: &JwkConfig) -> Result<(), ConfigError> {
    let is_secret = jwk.kty == "oct";
    let private = [
        ("d", jwk.d.is_some()),
        ("p", jwk.p.is_some()),
        ("q", jwk.q.is_some()),
        ("dp", jwk.dp.is_some()),
        ("dq", jwk.dq.is_some()),
        ("qi", jwk.qi.is_some()),
        ("oth", jwk.oth.is_some()),
        ("k", jwk.k.is_some() && !is_secret),
    ];
    match private.into_iter().find(|(_, present)| *present) {
        None => Ok(()),
        Some((name, _)) => {
            let problem =
                "is private: only public keys belong here, and this one should be replaced";
            Err(ConfigError::new(name, problem))
        }
    }
}

fn check_purpose(jwk: &JwkConfig) -> Result<(), ConfigError> {
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(ConfigError::new("use", "must be \"sig\""));
    }
    if let Some(operations) = &jwk.key_ops
        && !operations.iter().any(|operation| operation == "verify")
    {
        return Err(ConfigError::new("key_ops", "must hold \"verify\""));
    }
    Ok(())
}

/// The algorithm that `alg` restricts the key to, and all that it may then be used for.
fn uses(
    jwk: &JwkConfig,
    of_key: AlgorithmSet,
    of_issuer: AlgorithmSet,
) -> Result<(Option<Algorithm>, AlgorithmSet), ConfigError> {
    let restriction = match &jwk.alg {
        None => None,
        Some(alg) => {
            let known = Algorithm::from_name(alg);
            let Some(fitting) = known.filter(|known| of_key.contains(*known)) else {
                let names = of_key.names();
                let problem = format!("{alg:?} does not fit this key, which is for {names}");
                return Err(ConfigError::new("alg", problem));
            };
            Some(fitting)
        }
    };
    let wanted = restriction.map_or(of_key, |algorithm| AlgorithmSet::of(&[algorithm]));
    let serves = wanted.intersection(of_issuer);
    if serves.is_empty() {
        let member = if restriction.is_some() { "alg" } else { "kty" };
        let names = wanted.names();
        let problem = format!("the issuer's algorithms do not include {names}");
        return Err(ConfigError::new(member, problem));
    }
    Ok((restriction, serves))
}

fn rsa_key(jwk: &JwkConfig) -> Result<VerifyingKey, ConfigError> {
    let modulus = member("n", jwk.n.as_deref())?;
    let exponent = member("e", jwk.e.as_deref())?;
    let bits = bit_length(&modulus);
    if !RSA_BITS.contains(&bits) {
        let (least, most) = RSA_BITS.into_inner();
        let problem = format!("the modulus has {bits} bits; {least} to {most} are accepted");
        return Err(ConfigError::new("n", problem));
    }
    if exponent != RSA_EXPONENT {
        return Err(ConfigError::new("e", "must be 65537 (\"AQAB\")"));
    }
    VerifyingKey::rsa(&modulus, &exponent)
        .ok_or_else(|| ConfigError::new("n", "is not the modulus of an RSA key"))
}

fn ec_key(jwk: &JwkConfig) -> Result<VerifyingKey, ConfigError> {
    type NewKey = fn(&[u8], &[u8]) -> Option<VerifyingKey>;
    let (new_key, coordinate_bytes): (NewKey, usize) = match jwk.crv.as_deref() {
        Some("P-256") => (VerifyingKey::p256, SHORT_COORDINATE_BYTES),
        Some("P-384") => (VerifyingKey::p384, LONG_COORDINATE_BYTES),
        _ => {
            let problem = "must be \"P-256\" or \"P-384\" for this key type";
            return Err(ConfigError::new("crv", problem));
        }
    };
    let x = coordinate("x", jwk.x.as_deref(), coordinate_bytes)?;
    let y = coordinate("y", jwk.y.as_deref(), coordinate_bytes)?;
    new_key(&x, &y).ok_or_else(|| ConfigError::new("x", "x and y are not a point of the curve"))
}

fn ed25519_key(jwk: &JwkConfig) -> Result<VerifyingKey, ConfigError> {
    if jwk.crv.as_deref() != Some("Ed25519") {
        let problem = "must be \"Ed25519\" for this key type";
        return Err(ConfigError::new("crv", problem));
    }
    VerifyingKey::ed25519(&coordinate("x", jwk.x.as_deref(), SHORT_COORDINATE_BYTES)?)
        .ok_or_else(|| ConfigError::new("x", "is no Ed25519 key, or a weak one"))
}

fn secret(jwk: &JwkConfig) -> Result<VerifyingKey, ConfigError> {
    let secret = member("k", jwk.k.as_deref())?;
    VerifyingKey::secret(secret).ok_or_else(|| {
        let (least, most) = SECRET_BYTES.into_inner();
        let problem = format!("must be a secret of {least} to {most} bytes");
        ConfigError::new("k", problem)
    })
}

fn coordinate(name: &str, text: Option<&str>, length: usize) -> Result<Vec<u8>, ConfigError> {
    let bytes = member(name, text)?;
    if bytes.len() != length {
        let problem = format!("has {} bytes instead of {length}", bytes.len());
        return Err(ConfigError::new(name, problem));
    }
    Ok(bytes)
}

fn member(name: &str, text: Option<&str>) -> Result<Vec<u8>, ConfigError> {
    let text = text.ok_or_else(|| ConfigError::new(name, "is missing"))?;
    if text.is_empty() || text.len() > MAX_MEMBER_BYTES {
        let problem = format!("must have 1 to {MAX_MEMBER_BYTES} characters");
        return Err(ConfigError::new(name, problem));
    }
    base64url(text.as_bytes())
        .ok_or_else(|| ConfigError::new(name, "is not base64url without padding"))
}

fn bit_length(big_endian: &[u8]) -> usize {
    let mut significant = big_endian.iter().copied().skip_while(|byte| *byte == 0);
    match significant.next() {
        None => 0,
        Some(first) => {
            let leading = usize::try_from(first.leading_zeros()).unwrap_or(0);
            let rest = significant.count();
            rest.saturating_add(1)
                .saturating_mul(8)
                .saturating_sub(leading)
        }
    }
}
