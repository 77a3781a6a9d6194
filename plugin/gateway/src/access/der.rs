//! The little DER (ITU-T X.690) that a native check wants: public keys as `SubjectPublicKeyInfo`, ECDSA signatures as two integers.
//!
//! Writes only, and only what is listed here; every length is that of a key or a signature, far below 64 KiB. Reads nothing, so
//! nothing foreign is ever parsed here.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// `rsaEncryption` with its NULL parameters (RFC 3279, section 2.3.1).
const RSA_ALGORITHM: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// `id-ecPublicKey` on `secp256r1` (RFC 5480, section 2.1.1).
const P256_ALGORITHM: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
/// `id-ecPublicKey` on `secp384r1` (RFC 5480, section 2.1.1).
const P384_ALGORITHM: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x22,
];

/// What a point begins with whose coordinates are both there (SEC 1, section 2.3.3).
const UNCOMPRESSED: &[u8] = &[4];

/// An RSA key from its modulus and exponent, big-endian.
pub(super) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = element(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
    public_key(RSA_ALGORITHM, &[&key])
}

/// A P-256 key from the coordinates of its point.
pub(super) fn p256_public_key(x: &[u8], y: &[u8]) -> Vec<u8> {
    public_key(P256_ALGORITHM, &[UNCOMPRESSED, x, y])
}

/// A P-384 key from the coordinates of its point.
pub(super) fn p384_public_key(x: &[u8], y: &[u8]) -> Vec<u8> {
    public_key(P384_ALGORITHM, &[UNCOMPRESSED, x, y])
}

/// An ECDSA signature (RFC 3279, section 2.2.3) from r and s, big-endian and of one length, one behind the other.
pub(super) fn ecdsa_signature(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    element(SEQUENCE, &[&integer(r), &integer(s)])
}

fn public_key(algorithm: &[u8], key: &[&[u8]]) -> Vec<u8> {
    const NO_UNUSED_BITS: &[u8] = &[0];
    let key = element(BIT_STRING, &[&[NO_UNUSED_BITS], key].concat());
    element(SEQUENCE, &[algorithm, &key])
}

/// A number that is not negative, in as few bytes as its sign bit allows.
fn integer(big_endian: &[u8]) -> Vec<u8> {
    let first = big_endian.iter().position(|byte| *byte != 0);
    let significant = first.and_then(|first| big_endian.get(first..));
    match significant {
        None => element(INTEGER, &[&[0]]),
        Some(bytes @ [0x80..=0xff, ..]) => element(INTEGER, &[&[0], bytes]),
        Some(bytes) => element(INTEGER, &[bytes]),
    }
}

fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let length = length.to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0);
    let length = significant
        .and_then(|first| length.get(first..))
        .unwrap_or(&[0]);
    let mut bytes = vec![tag];
    if !matches!(length, [0..0x80]) {
        // The long form: how many bytes the length takes, then those.
        bytes.push(0x80 | u8::try_from(length.len()).unwrap_or(0));
    }
    bytes.extend_from_slice(length);
    for part in contents {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers_are_minimal() {
        let of = |length: usize| {
            let content = vec![7; length];
            element(SEQUENCE, &[&content])[..5.min(length + 2)].to_vec()
        };
        assert_eq!(of(0), [0x30, 0]);
        assert_eq!(of(127)[..2], [0x30, 127]);
        assert_eq!(of(128)[..3], [0x30, 0x81, 128]);
        assert_eq!(of(255)[..3], [0x30, 0x81, 255]);
        assert_eq!(of(256)[..4], [0x30, 0x82, 1, 0]);
        for (number, expected) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0x7f], &[2, 1, 0x7f]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[0, 0x80], &[2, 2, 0, 0x80]),
            (&[0, 0, 1, 0], &[2, 2, 1, 0]),
        ] {
            assert_eq!(integer(number), expected, "{number:?}");
        }
        assert_eq!(
            ecdsa_signature(&[0, 1, 0xff, 0]),
            [0x30, 8, 2, 1, 1, 2, 3, 0, 0xff, 0]
        );
    }
}
