//! Whether these bytes were signed by that key: the only place that touches cryptography.
//!
//! Keys are accepted by `jwt-simple`'s policy (modulus size, exponent, points on the curve, no weak Edwards keys) and checked by the
//! primitives it stands on, over the bytes as they arrived: its own token check would parse header and claims a second time, by
//! other rules. [`verify_signature`] is the seam for a host that verifies natively. Nothing here knows what a token says.

use jwt_simple::algorithms::{Edwards25519PublicKey, P256PublicKey, RSAPublicKey};
use p256::ecdsa::signature::Verifier as _;
use rsa::signature::Verifier as _;
use serde::Deserialize;
use std::fmt;

/// A signature algorithm that issuers may be configured with, by its JOSE name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The JOSE name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of exactly this name, letter case included. `Ed25519` (RFC 9864) is another name of `EdDSA` here, since that
    /// is the only curve there is.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|known| known.name() == name),
        }
    }
}

/// A public key, ready to verify with. Its type decides the algorithm: there is no key that serves two.
pub(super) enum VerifyingKey {
    Rs256(rsa::pkcs1v15::VerifyingKey<rsa::sha2::Sha256>),
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_compact::PublicKey),
}

impl VerifyingKey {
    /// An RSA key from its modulus and exponent, big-endian. `None` unless the modulus is odd and has 2048 to 4096 bits, and the
    /// exponent is 65537.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let accepted = RSAPublicKey::from_components(modulus, exponent)
            .ok()?
            .to_components();
        let modulus = rsa::BigUint::from_bytes_be(&accepted.n);
        let exponent = rsa::BigUint::from_bytes_be(&accepted.e);
        let key = rsa::RsaPublicKey::new(modulus, exponent).ok()?;
        Some(Self::Rs256(rsa::pkcs1v15::VerifyingKey::new(key)))
    }

    /// A P-256 key from an uncompressed point. `None` when it is not one of the curve.
    pub(super) fn p256(point: &[u8]) -> Option<Self> {
        let accepted = P256PublicKey::from_bytes(point).ok()?;
        Some(Self::Es256(*accepted.as_ref()))
    }

    /// An Ed25519 key from its 32 bytes. `None` when they are no key, or a weak one.
    pub(super) fn ed25519(bytes: &[u8]) -> Option<Self> {
        let accepted = Edwards25519PublicKey::from_bytes(bytes).ok()?;
        Some(Self::EdDsa(*accepted.as_ref()))
    }

    /// The one algorithm this key is for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithm().name())
    }
}

/// Whether `signature` is `key`'s over `signing_input` by `algorithm`. `false` also when the key is for another algorithm.
///
/// A signature has exactly one accepted length: that of the modulus (RS256), 64 bytes of r and s (ES256, never DER), 64 (EdDSA).
pub(super) fn verify_signature(
    key: &VerifyingKey,
    algorithm: Algorithm,
    signing_input: &[u8],
    signature: &[u8],
) -> bool {
    match (algorithm, key) {
        (Algorithm::Rs256, VerifyingKey::Rs256(key)) => {
            rsa::pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(signing_input, &signature).is_ok())
        }
        (Algorithm::Es256, VerifyingKey::Es256(key)) => {
            p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signing_input, &signature).is_ok())
        }
        (Algorithm::EdDsa, VerifyingKey::EdDsa(key)) => {
            ed25519_compact::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(signing_input, &signature).is_ok())
        }
        _ => false,
    }
}
