//! Signature checks against published examples and against every key of the wrong kind, by both verifiers.

use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike as _, ECDSAP384KeyPairLike as _, ES256KeyPair,
    ES384KeyPair, Ed25519KeyPair, EdDSAKeyPairLike as _,
};
use serde_json::json;

use crate::access::algorithm::Scheme;
use crate::access::native::verify_signature;
use crate::access::test_support::*;
use crate::access::verifying_key::VerifyingKey;
use crate::access::{Algorithm, Effort, NativeCrypto, Unauthenticated};
use crate::host::Hash;
use crate::test_support::host::TestHost;

fn rsa(modulus: &str) -> VerifyingKey {
    VerifyingKey::rsa(&decode(modulus), &[1, 0, 1]).unwrap()
}

/// The key of `test_support` that can serve this algorithm.
fn key(algorithm: Algorithm) -> VerifyingKey {
    match algorithm.scheme() {
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => return rsa(RSA_N),
        Scheme::Ecdsa(Hash::Sha256) => VerifyingKey::p256(&decode(P256_X), &decode(P256_Y)),
        Scheme::Ecdsa(_) => VerifyingKey::p384(&decode(P384_X), &decode(P384_Y)),
        Scheme::Ed25519 => VerifyingKey::ed25519(&decode(ED25519_X)),
        Scheme::HmacSha256 => VerifyingKey::secret(decode(HMAC_K)),
    }
    .unwrap()
}

/// The verdict of both verifiers, which has to be the same.
fn accepts(key: &VerifyingKey, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
    let host = TestHost::alone();
    let by = |native| verify_signature(&host, native, key, algorithm, text, signature);
    let (natively, _) = by(native());
    let (computed, effort) = by(NativeCrypto::none());
    assert_eq!(natively, computed, "{algorithm:?}");
    assert_ne!(effort, Effort::Native, "nothing native was asked for");
    assert!(!computed || effort == Effort::Computed);
    computed
}

const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// The text of RFC 7520, section 4.
const FRODO: &str = concat!(
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUg",
    "cm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0",
    "IGJlIHN3ZXB0IG9mZiB0by4",
);

/// Modulus of the key of RFC 7520, section 3.4.
const BILBO_N: &str = concat!(
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRB",
    "SFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD",
    "1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_",
    "qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
);

/// One published example.
struct Example {
    source: &'static str,
    algorithm: Algorithm,
    key: fn() -> VerifyingKey,
    /// The encoded header, and the encoded payload.
    input: [&'static str; 2],
    signature: &'static str,
}

const EXAMPLES: [Example; 7] = [
    Example {
        source: "RFC 7515 A.1",
        algorithm: Algorithm::Hs256,
        key: || key(Algorithm::Hs256),
        input: ["eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", JOE],
        signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    },
    Example {
        source: "RFC 7515 A.2",
        algorithm: Algorithm::Rs256,
        key: || key(Algorithm::Rs256),
        input: ["eyJhbGciOiJSUzI1NiJ9", JOE],
        signature: concat!(
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t",
            "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j",
            "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ",
            "Ge77Rw"
        ),
    },
    Example {
        source: "RFC 7515 A.3",
        algorithm: Algorithm::Es256,
        key: || key(Algorithm::Es256),
        input: ["eyJhbGciOiJFUzI1NiJ9", JOE],
        signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    },
    Example {
        source: "RFC 8037 A.4",
        algorithm: Algorithm::EdDsa,
        key: || key(Algorithm::EdDsa),
        input: [
            "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        ],
        signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    },
    Example {
        source: "RFC 7520 4.1",
        algorithm: Algorithm::Rs256,
        key: || rsa(BILBO_N),
        input: [
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            FRODO,
        ],
        signature: concat!(
            "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi8",
            "4wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocS",
            "adnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJu",
            "shZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
        ),
    },
    Example {
        source: "RFC 7520 4.2",
        algorithm: Algorithm::Ps384,
        key: || rsa(BILBO_N),
        input: [
            "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
            FRODO,
        ],
        signature: concat!(
            "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItl",
            "lVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0",
            "TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0",
            "uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
        ),
    },
    Example {
        source: "RFC 7520 4.4",
        algorithm: Algorithm::Hs256,
        key: || {
            VerifyingKey::secret(decode("hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg")).unwrap()
        },
        input: [
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9",
            FRODO,
        ],
        signature: "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
    },
];

#[test]
fn published_examples_verify_and_only_by_their_own_algorithm() {
    for example in EXAMPLES {
        let (key, signature) = ((example.key)(), decode(example.signature));
        let input = example.input.join(".");
        for named in Algorithm::ALL {
            let verified = accepts(&key, named, input.as_bytes(), &signature);
            let expected = named == example.algorithm;
            assert_eq!(verified, expected, "{} as {named:?}", example.source);
        }
    }
}

/// RFC 6979, A.2.5 and A.2.6: the text "sample", the hash of the curve's own size.
#[test]
fn the_deterministic_signatures_of_rfc_6979_verify() {
    let p256 = hex(concat!(
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6",
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    ));
    let p384 = concat!(
        "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46",
        "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
    );
    let (x, y) = p256.split_at(32);
    let of_p256 = VerifyingKey::p256(x, y).unwrap();
    let signature = hex(concat!(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ));
    assert!(accepts(&of_p256, Algorithm::Es256, b"sample", &signature));
    assert!(accepts(
        &key(Algorithm::Es384),
        Algorithm::Es384,
        b"sample",
        &hex(p384)
    ));
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

const TEXT: &[u8] = b"eyJhbGciOiJub25lIn0.e30";

#[test]
fn every_signature_with_every_algorithm_and_every_key() {
    for signer in Algorithm::ALL {
        let signature = signature(signer, TEXT);
        for of_key in Algorithm::ALL {
            let key = key(of_key);
            for named in Algorithm::ALL {
                let same_kind = key.algorithms().contains(signer);
                let expected = named == signer && same_kind;
                let verified = accepts(&key, named, TEXT, &signature);
                assert_eq!(
                    verified, expected,
                    "{signer:?} as {named:?} by {of_key:?}'s key"
                );
            }
        }
    }
}

#[test]
fn every_changed_bit_and_every_other_length_is_refused() {
    for algorithm in Algorithm::ALL {
        let (key, signature) = (key(algorithm), signature(algorithm, TEXT));
        let accepts = |text: &[u8], signature: &[u8]| accepts(&key, algorithm, text, signature);
        assert!(accepts(TEXT, &signature));
        // One bit in every byte: enough for the slower algorithms.
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!accepts(TEXT, &changed), "{algorithm:?} byte {at}");
        }
        let mut other_text = TEXT.to_vec();
        other_text[3] ^= 1;
        assert!(!accepts(&other_text, &signature));
        assert!(!accepts(b"", &signature));
        let padded = [&[0][..], &signature].concat();
        let longer = [&signature[..], &[0]].concat();
        let shorter = &signature[..signature.len() - 1];
        let headless = &signature[1..];
        let twice = [&signature[..], &signature].concat();
        for wrong in [&padded[..], &longer, shorter, headless, &twice, b""] {
            assert!(!accepts(TEXT, wrong), "{algorithm:?} {} bytes", wrong.len());
        }
        for byte in [0, 0xff] {
            assert!(!accepts(TEXT, &vec![byte; signature.len()]), "{byte}");
        }
    }
}

#[test]
fn ecdsa_takes_r_and_s_in_range_and_never_der() {
    // The orders of the curves (SEC 2, sections 2.4.2 and 2.5.1).
    let orders = [
        (
            Algorithm::Es256,
            hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        ),
        (
            Algorithm::Es384,
            hex(
                "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
            ),
        ),
    ];
    for (algorithm, order) in orders {
        let (key, genuine) = (key(algorithm), signature(algorithm, TEXT));
        let (r, s) = genuine.split_at(order.len());
        let zero = vec![0; order.len()];
        let mut over = order.clone();
        *over.last_mut().unwrap() += 1;
        for (what, r, s) in [
            ("r 0", &zero[..], s),
            ("s 0", r, &zero[..]),
            ("both 0", &zero, &zero),
            ("r n", &order, s),
            ("s n", r, &order),
            ("r n+1", &over, s),
            ("s n+1", r, &over),
            ("swapped", s, r),
        ] {
            let wrong = [r, s].concat();
            assert!(
                !accepts(&key, algorithm, TEXT, &wrong),
                "{algorithm:?} {what}"
            );
        }
        let der = crate::access::der::ecdsa_signature(&genuine);
        assert!(!accepts(&key, algorithm, TEXT, &der));
        // s and n - s are both right by the standard; JOSE does not choose one.
        let mirrored = [r, &difference(&order, s)].concat();
        assert!(accepts(&key, algorithm, TEXT, &mirrored));
    }
}

fn difference(more: &[u8], less: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let mut digits: Vec<u8> = Vec::new();
    for (more, less) in more.iter().zip(less).rev() {
        let digit = i32::from(*more) - i32::from(*less) - borrowed;
        borrowed = i32::from(digit < 0);
        digits.push(digit.rem_euclid(256) as u8);
    }
    digits.reverse();
    digits
}

#[test]
fn a_pss_salt_has_the_length_of_the_hash() {
    let table = [
        (Algorithm::Ps256, Hash::Sha256, 32),
        (Algorithm::Ps384, Hash::Sha384, 48),
        (Algorithm::Ps512, Hash::Sha512, 64),
    ];
    for (algorithm, hash, right) in table {
        let key = key(algorithm);
        for salt_bytes in [0, 8, 20, right - 1, right, right + 1, 32, 48, 64, 126] {
            let signature = pss_signature(hash, salt_bytes, TEXT);
            let verified = accepts(&key, algorithm, TEXT, &signature);
            assert_eq!(verified, salt_bytes == right, "{algorithm:?} {salt_bytes}");
        }
    }
}

#[test]
fn a_number_over_the_modulus_is_no_other_spelling_of_a_signature() {
    for algorithm in Algorithm::ALL {
        if !matches!(algorithm.scheme(), Scheme::RsaPkcs1(_) | Scheme::RsaPss(_)) {
            continue;
        }
        let key = key(algorithm);
        // Some text whose signature leaves room for the modulus to be added within the same length.
        let spelled_again = (0_u32..).find_map(|number| {
            let text = number.to_string();
            let signature = signature(algorithm, text.as_bytes());
            let sum = rsa::BigUint::from_bytes_be(&signature)
                + rsa::BigUint::from_bytes_be(&decode(RSA_N));
            let sum = sum.to_bytes_be();
            (sum.len() == signature.len()).then_some((text, signature, sum))
        });
        let (text, signature, sum) = spelled_again.unwrap();
        assert!(accepts(&key, algorithm, text.as_bytes(), &signature));
        assert!(
            !accepts(&key, algorithm, text.as_bytes(), &sum),
            "{algorithm:?}"
        );
    }
}

#[test]
fn tokens_made_by_another_library_are_understood() {
    let es256 = ES256KeyPair::generate().with_key_id("theirs-1");
    let ed25519 = Ed25519KeyPair::generate().with_key_id("theirs-2");
    let es384 = ES384KeyPair::generate().with_key_id("theirs-3");
    let keys = [
        es256.public_key().to_jwk(),
        ed25519.public_key().to_jwk(),
        es384.public_key().to_jwk(),
    ];
    let keys = keys.map(|jwk| serde_json::from_str::<serde_json::Value>(&jwk).unwrap());
    let algorithms = ["ES256", "ES384", "EdDSA"];
    let config = json!({"issuer": "them", "algorithms": algorithms, "jwks": {"keys": keys}});
    let access = access_of([config]);
    let claims = || {
        let custom = json!({"tenant": "acme", "scp": ["a", "b"]});
        Claims::with_custom_claims(custom, Duration::from_mins(10)).with_issuer("them")
    };
    let issued_at = |token: &str| {
        let claims = token.split('.').nth(1).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&decode(claims)).unwrap();
        claims["iat"].as_i64().unwrap() * 1000
    };
    for token in [
        es256.sign(claims()).unwrap(),
        ed25519.sign(claims()).unwrap(),
        es384.sign(claims()).unwrap(),
    ] {
        let authorization = format!("Bearer {token}");
        let at = |now_ms| authenticate_at(&access, Some(authorization.as_bytes()), now_ms);
        let identity = at(issued_at(&token)).unwrap();
        assert_eq!(identity.tenant.as_str(), "acme");
        assert_eq!(identity.scopes().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            at(issued_at(&token) + 3_600_000),
            Err(Unauthenticated::Expired)
        );
    }
}
