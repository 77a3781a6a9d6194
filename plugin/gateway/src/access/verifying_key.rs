//! A key that signatures are checked with, and the check in computed form: the only place that touches cryptography.
//!
//! Keys are accepted by `jwt-simple`'s policy (modulus size, exponent, points on the curve, no weak Edwards keys) and checked by the
//! primitives it stands on, over the bytes as they arrived: its own token check would parse header and claims a second time, by
//! other rules. Points are built from their coordinates: `jwt-simple` would bring along how to decompress them. Everything that is hashed before it is checked is hashed by one implementation, which keeps the module small.
//! Nothing here knows what a token says, or who may be asked to check instead.

use jwt_simple::algorithms::{Edwards25519PublicKey, RSAPublicKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::elliptic_curve::point::AffineCoordinates as _;
use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
use rsa::traits::PublicKeyParts as _;
use std::borrow::Cow;
use std::fmt;

use super::algorithm::{Algorithm, AlgorithmSet, Scheme};
use super::der;
use crate::host::Hash;

/// The accepted lengths of an HMAC secret, in bytes: not below the hash's (RFC 7518, section 3.2).
pub(super) const SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=512;

/// Length of an HMAC, in bytes.
const HMAC_BYTES: usize = 32;

/// A key, ready to verify with. What it is made of decides which algorithms it can serve.
pub(super) struct VerifyingKey {
    material: Material,
    /// `SubjectPublicKeyInfo` of the keys that a host may be able to check with; empty for the others.
    public_key_der: Vec<u8>,
}

enum Material {
    Rsa(rsa::RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519_compact::PublicKey),
    Secret(Vec<u8>),
}

impl VerifyingKey {
    /// An RSA key from its modulus and exponent, big-endian. `None` unless the modulus is odd and has 2048 to 4096 bits, and the
    /// exponent is 65537.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let accepted = RSAPublicKey::from_components(modulus, exponent)
            .ok()?
            .to_components();
        let public_key_der = der::rsa_public_key(&accepted.n, &accepted.e);
        let modulus = rsa::BigUint::from_bytes_be(&accepted.n);
        let exponent = rsa::BigUint::from_bytes_be(&accepted.e);
        let key = rsa::RsaPublicKey::new(modulus, exponent).ok()?;
        Some(Self {
            material: Material::Rsa(key),
            public_key_der,
        })
    }

    /// A P-256 key from the coordinates of its point, 32 bytes each. `None` when it is not one of the curve.
    pub(super) fn p256(x: &[u8], y: &[u8]) -> Option<Self> {
        let coordinate = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
        let (x, y) = (coordinate(x)?, coordinate(y)?);
        let point: Option<_> = p256::AffinePoint::from_coordinates(&x.into(), &y.into()).into();
        Some(Self {
            material: Material::P256(p256::ecdsa::VerifyingKey::from_affine(point?).ok()?),
            public_key_der: der::p256_public_key(&x, &y),
        })
    }

    /// A P-384 key from the coordinates of its point, 48 bytes each. `None` when it is not one of the curve.
    pub(super) fn p384(x: &[u8], y: &[u8]) -> Option<Self> {
        let coordinate = |bytes: &[u8]| <[u8; 48]>::try_from(bytes).ok();
        let (x, y) = (coordinate(x)?, coordinate(y)?);
        let point: Option<_> = p384::AffinePoint::from_coordinates(&x.into(), &y.into()).into();
        Some(Self {
            material: Material::P384(p384::ecdsa::VerifyingKey::from_affine(point?).ok()?),
            public_key_der: der::p384_public_key(&x, &y),
        })
    }

    /// An Ed25519 key from its 32 bytes. `None` when they are no key, or a weak one.
    pub(super) fn ed25519(bytes: &[u8]) -> Option<Self> {
        let accepted = Edwards25519PublicKey::from_bytes(bytes).ok()?;
        Some(Self {
            material: Material::Ed25519(*accepted.as_ref()),
            public_key_der: Vec::new(),
        })
    }

    /// A secret for HMAC. `None` unless it has [`SECRET_BYTES`].
    pub(super) fn secret(bytes: Vec<u8>) -> Option<Self> {
        SECRET_BYTES.contains(&bytes.len()).then_some(Self {
            material: Material::Secret(bytes),
            public_key_der: Vec::new(),
        })
    }

    /// All that a key of this kind can serve.
    pub(super) const fn algorithms(&self) -> AlgorithmSet {
        match self.material {
            Material::Rsa(_) => AlgorithmSet::RSA,
            Material::P256(_) => AlgorithmSet::of(&[Algorithm::Es256]),
            Material::P384(_) => AlgorithmSet::of(&[Algorithm::Es384]),
            Material::Ed25519(_) => AlgorithmSet::of(&[Algorithm::EdDsa]),
            Material::Secret(_) => AlgorithmSet::of(&[Algorithm::Hs256]),
        }
    }

    /// Whether both are the same key.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (&self.material, &other.material) {
            (Material::Secret(one), Material::Secret(another)) => one == another,
            (Material::Ed25519(one), Material::Ed25519(another)) => **one == **another,
            // All others have this form, and it names their kind; a key without it is equal to none with it.
            _ => !self.public_key_der.is_empty() && self.public_key_der == other.public_key_der,
        }
    }

    /// DER of the `SubjectPublicKeyInfo`; empty when no host checks with keys of this kind.
    pub(super) fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    /// `signature` as a host takes it. `None` when it cannot be a signature by this key: another length than the modulus' (RSA), than r
    /// and s together (ECDSA, never DER), than 64 (Ed25519) or 32 (HMAC), or r or s not from 1 to below the curve's order. Whatever
    /// a library makes of such a signature, it is refused before one sees it.
    pub(super) fn well_formed<'a>(&self, signature: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let of_length = |length| (signature.len() == length).then_some(Cow::Borrowed(signature));
        let der = || Cow::Owned(der::ecdsa_signature(signature));
        match &self.material {
            Material::Rsa(key) => of_length(key.size()),
            Material::P256(_) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok()
                .then(der),
            Material::P384(_) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok()
                .then(der),
            Material::Ed25519(_) => of_length(ed25519_compact::Signature::BYTES),
            Material::Secret(_) => of_length(HMAC_BYTES),
        }
    }

    /// Whether `signature` is this key's over `text` by `algorithm`, computed here. `false` also when the key cannot serve it.
    ///
    /// A signature has exactly one accepted length: that of the modulus (RSA), that of r and s (ECDSA, never DER), 64 (EdDSA),
    /// 32 (HMAC). A PSS salt has exactly the length of the hash (RFC 7518, section 3.5).
    pub(super) fn verify(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        if !self.algorithms().contains(algorithm) {
            return false;
        }
        match (&self.material, algorithm.scheme()) {
            (Material::Rsa(key), Scheme::RsaPkcs1(hash)) => {
                let padding = match hash {
                    Hash::Sha256 => rsa::Pkcs1v15Sign::new::<Sha256>(),
                    Hash::Sha384 => rsa::Pkcs1v15Sign::new::<Sha384>(),
                    Hash::Sha512 => rsa::Pkcs1v15Sign::new::<Sha512>(),
                };
                key.verify(padding, &digest(hash, text), signature).is_ok()
            }
            (Material::Rsa(key), Scheme::RsaPss(hash)) => {
                let padding = match hash {
                    Hash::Sha256 => rsa::Pss::new::<Sha256>(),
                    Hash::Sha384 => rsa::Pss::new::<Sha384>(),
                    Hash::Sha512 => rsa::Pss::new::<Sha512>(),
                };
                // This way of asking does not compare with the modulus, and a number over it is another spelling of a signature.
                rsa::BigUint::from_bytes_be(signature) < *key.n()
                    && key.verify(padding, &digest(hash, text), signature).is_ok()
            }
            (Material::P256(key), Scheme::Ecdsa(hash)) => {
                p256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_prehash(&digest(hash, text), &signature).is_ok()
                })
            }
            (Material::P384(key), Scheme::Ecdsa(hash)) => {
                p384::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_prehash(&digest(hash, text), &signature).is_ok()
                })
            }
            (Material::Ed25519(key), Scheme::Ed25519) => {
                ed25519_compact::Signature::from_slice(signature)
                    .is_ok_and(|signature| key.verify(text, &signature).is_ok())
            }
            // The comparison takes as long for any wrong code of this length.
            (Material::Secret(secret), Scheme::HmacSha256) => {
                <&[u8; HMAC_BYTES]>::try_from(signature)
                    .is_ok_and(|code| hmac_sha256::HMAC::verify(text, secret, code))
            }
            _ => false,
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.algorithms().names())
    }
}

fn digest(hash: Hash, text: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(text).to_vec(),
        Hash::Sha384 => Sha384::digest(text).to_vec(),
        Hash::Sha512 => Sha512::digest(text).to_vec(),
    }
}
