//! The public keys of one issuer: which are accepted from a configured key set, and which one a token means.
//!
//! A set is built whole or refused whole, with the path of the member that is wrong, and replaced as a whole: whoever fetches
//! keys later makes a new set. It does not know where its text came from, and never holds a private member.

use super::config::{JwkConfig, JwksConfig, MAX_KEYS, MAX_NAME_BYTES};
use super::encoding::base64url;
use super::error::Unauthenticated;
use super::signature::{Algorithm, VerifyingKey};
use crate::config_error::ConfigError;

/// Longest base64url member of a key; a 4096-bit modulus takes 683 characters.
const MAX_MEMBER_BYTES: usize = 1024;
/// The accepted sizes of an RSA modulus, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// The one accepted RSA exponent, 65537, big-endian.
const RSA_EXPONENT: &[u8] = &[1, 0, 1];
/// Bytes of a P-256 coordinate and of an Ed25519 key.
const COORDINATE_BYTES: usize = 32;

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    kid: Option<String>,
    key: VerifyingKey,
}

impl KeySet {
    /// Builds the set of an issuer that signs with `algorithms`.
    ///
    /// # Errors
    /// The path, from the key set down, of the first member that cannot be used.
    pub fn from_jwks(jwks: &JwksConfig, algorithms: &[Algorithm]) -> Result<Self, ConfigError> {
        if jwks.keys.is_empty() || jwks.keys.len() > MAX_KEYS {
            let problem = format!("must hold 1 to {MAX_KEYS} keys");
            return Err(ConfigError::new("keys", problem));
        }
        let mut keys: Vec<Key> = Vec::with_capacity(jwks.keys.len());
        for (index, jwk) in jwks.keys.iter().enumerate() {
            let within = |error: ConfigError| error.within(&format!("keys[{index}]"));
            let key = Key::from_jwk(jwk, algorithms).map_err(within)?;
            if key.kid.is_some() && keys.iter().any(|earlier| earlier.kid == key.kid) {
                return Err(within(ConfigError::new(
                    "kid",
                    "another key has the same name",
                )));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// The key that a token means: the one named, else the only one for the algorithm.
    pub(super) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, Unauthenticated> {
        match kid {
            Some(_) => {
                let mut named = self.0.iter().filter(|key| key.kid.as_deref() == kid);
                let key = &named.next().ok_or(Unauthenticated::UnknownKey)?.key;
                if key.algorithm() == algorithm {
                    Ok(key)
                } else {
                    Err(Unauthenticated::KeyAlgorithmMismatch)
                }
            }
            None => {
                let mut fitting = self.0.iter().filter(|key| key.key.algorithm() == algorithm);
                match (fitting.next(), fitting.next()) {
                    (Some(key), None) => Ok(&key.key),
                    _ => Err(Unauthenticated::AmbiguousKey),
                }
            }
        }
    }
}

impl Key {
    fn from_jwk(jwk: &JwkConfig, algorithms: &[Algorithm]) -> Result<Self, ConfigError> {
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
            "EC" => p256_key(jwk)?,
            "OKP" => ed25519_key(jwk)?,
            other => {
                let problem = format!("key type {other:?} is not supported; RSA, EC and OKP are");
                return Err(ConfigError::new("kty", problem));
            }
        };
        check_algorithm(jwk, key.algorithm(), algorithms)?;
        Ok(Self { kid, key })
    }
}

fn refuse_private_members(jwk: &JwkConfig) -> Result<(), ConfigError> {
    for (name, member) in [("d", jwk.d), ("p", jwk.p), ("q", jwk.q), ("k", jwk.k)] {
        if member.is_some() {
            let problem =
                "is private: only public keys belong here, and this one should be replaced";
            return Err(ConfigError::new(name, problem));
        }
    }
    Ok(())
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

fn check_algorithm(
    jwk: &JwkConfig,
    of_key: Algorithm,
    of_issuer: &[Algorithm],
) -> Result<(), ConfigError> {
    if let Some(alg) = &jwk.alg
        && Algorithm::from_name(alg) != Some(of_key)
    {
        let problem = format!(
            "{alg:?} does not fit this key, which is for {}",
            of_key.name()
        );
        return Err(ConfigError::new("alg", problem));
    }
    if !of_issuer.contains(&of_key) {
        let member = if jwk.alg.is_some() { "alg" } else { "kty" };
        let problem = format!("the issuer's algorithms do not include {}", of_key.name());
        return Err(ConfigError::new(member, problem));
    }
    Ok(())
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

fn p256_key(jwk: &JwkConfig) -> Result<VerifyingKey, ConfigError> {
    require_curve(jwk, "P-256")?;
    const UNCOMPRESSED: u8 = 4;
    let mut point = vec![UNCOMPRESSED];
    point.extend_from_slice(&coordinate("x", jwk.x.as_deref())?);
    point.extend_from_slice(&coordinate("y", jwk.y.as_deref())?);
    VerifyingKey::p256(&point)
        .ok_or_else(|| ConfigError::new("x", "x and y are not a point of P-256"))
}

fn ed25519_key(jwk: &JwkConfig) -> Result<VerifyingKey, ConfigError> {
    require_curve(jwk, "Ed25519")?;
    VerifyingKey::ed25519(&coordinate("x", jwk.x.as_deref())?)
        .ok_or_else(|| ConfigError::new("x", "is no Ed25519 key, or a weak one"))
}

fn require_curve(jwk: &JwkConfig, accepted: &str) -> Result<(), ConfigError> {
    match jwk.crv.as_deref() {
        Some(crv) if crv == accepted => Ok(()),
        _ => Err(ConfigError::new(
            "crv",
            format!("must be {accepted:?} for this key type"),
        )),
    }
}

fn coordinate(name: &str, text: Option<&str>) -> Result<Vec<u8>, ConfigError> {
    let bytes = member(name, text)?;
    if bytes.len() != COORDINATE_BYTES {
        let problem = format!("has {} bytes instead of {COORDINATE_BYTES}", bytes.len());
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
