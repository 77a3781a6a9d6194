//! Whether a signature is good: RSA (PKCS#1 v1.5) and ECDSA over P-256 and P-384, with the limits and words of Envoy's
//! BoringSSL.
//!
//! Knows no protobuf, no module and no token: a key, a hash's name, a text and a signature go in.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rsa::pkcs8::SubjectPublicKeyInfoRef;
use rsa::pkcs8::der::asn1::ObjectIdentifier;
use rsa::pkcs8::der::pem::decode_vec;
use rsa::pkcs8::der::{Decode as _, Reader as _, SliceReader};
use rsa::sha2::{Sha224, Sha256, Sha384, Sha512};
use rsa::traits::PublicKeyParts as _;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha1::{Digest as _, Sha1};

/// `rsaEncryption`.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey`.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1`.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `secp384r1`.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Bits of the shortest RSA modulus that BoringSSL takes.
const MIN_RSA_BITS: usize = 512;
/// Bits of the longest.
const MAX_RSA_BITS: usize = 8_192;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// Bytes in a full line of base64, by RFC 7468.
const PEM_LINE_BYTES: usize = 64;

/// A key that signatures are checked against.
#[derive(Debug)]
pub(crate) enum PublicKey {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

/// Why a signature does not count, in Envoy's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0} is not supported.")]
    Hash(String),
    #[error("Failed to initialize digest verify.")]
    Key,
    #[error("Failed to verify digest. Error code: 0")]
    Signature,
}

impl PublicKey {
    /// From a SubjectPublicKeyInfo; what stands behind it is not looked at. `None`: no key, or one of another kind.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(der).ok()?;
        let info: SubjectPublicKeyInfoRef<'_> = reader.decode().ok()?;
        let bits = info.subject_public_key.as_bytes()?;
        match info.algorithm.oid {
            RSA => rsa_key(bits).map(Self::Rsa),
            EC => match info.algorithm.parameters_oid().ok()? {
                P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(bits)
                    .ok()
                    .map(Self::P256),
                P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(bits)
                    .ok()
                    .map(Self::P384),
                _ => None,
            },
            _ => None,
        }
    }

    /// From the first `PUBLIC KEY` in a text. `None` as for [`PublicKey::from_der`].
    pub fn from_pem(pem: &str) -> Option<Self> {
        let (_, rest) = pem.split_once(BEGIN)?;
        let (body, _) = rest.split_once(END)?;
        // BoringSSL takes lines of any length, our decoder only those of the standard.
        let body: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let mut strict = BEGIN.as_bytes().to_vec();
        for line in body.chunks(PEM_LINE_BYTES) {
            strict.push(b'\n');
            strict.extend_from_slice(line);
        }
        strict.push(b'\n');
        strict.extend_from_slice(END.as_bytes());
        let (_, der) = decode_vec(&strict).ok()?;
        Self::from_der(&der)
    }
}

fn rsa_key(bits: &[u8]) -> Option<RsaPublicKey> {
    let parts = rsa::pkcs1::RsaPublicKey::from_der(bits).ok()?;
    let number = |part: rsa::pkcs1::UintRef<'_>| rsa::BigUint::from_bytes_be(part.as_bytes());
    let key = RsaPublicKey::new_with_max_size(
        number(parts.modulus),
        number(parts.public_exponent),
        MAX_RSA_BITS,
    );
    key.ok().filter(|key| key.n().bits() >= MIN_RSA_BITS)
}

/// Without a key no signature is good; the hash is looked at first.
///
/// # Errors
/// [`Refusal`], in the order in which Envoy looks.
pub(crate) fn verify(
    hash: &str,
    key: Option<&PublicKey>,
    signature: &[u8],
    text: &[u8],
) -> Result<(), Refusal> {
    let (digest, padding) = match hash.to_ascii_lowercase().as_str() {
        "sha1" => (Sha1::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha1>()),
        "sha224" => (Sha224::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha224>()),
        "sha256" => (Sha256::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha256>()),
        "sha384" => (Sha384::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha384>()),
        "sha512" => (Sha512::digest(text).to_vec(), Pkcs1v15Sign::new::<Sha512>()),
        _ => return Err(Refusal::Hash(hash.to_owned())),
    };
    let good = match key.ok_or(Refusal::Key)? {
        PublicKey::Rsa(key) => key.verify(padding, &digest, signature).is_ok(),
        PublicKey::P256(key) => p256::ecdsa::Signature::from_der(signature)
            .and_then(|signature| key.verify_prehash(&padded::<32>(&digest), &signature))
            .is_ok(),
        PublicKey::P384(key) => p384::ecdsa::Signature::from_der(signature)
            .and_then(|signature| key.verify_prehash(&padded::<48>(&digest), &signature))
            .is_ok(),
    };
    if good {
        Ok(())
    } else {
        Err(Refusal::Signature)
    }
}

/// The same number in at least as many bytes as the curve's field has: our curves refuse a hash that is much shorter,
/// BoringSSL takes it as the number that it is.
fn padded<const FIELD: usize>(digest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; FIELD.saturating_sub(digest.len())];
    bytes.extend_from_slice(digest);
    bytes
}
