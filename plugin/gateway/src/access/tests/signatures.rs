//! Signature checks against published examples and against every key of the wrong kind.

use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike as _, ES256KeyPair, Ed25519KeyPair,
    EdDSAKeyPairLike as _,
};
use serde_json::json;

use crate::access::signature::{VerifyingKey, verify_signature};
use crate::access::test_support::*;
use crate::access::{Access, Algorithm, TenantConfig, Unauthenticated, encoding::base64url};

fn decode(text: &str) -> Vec<u8> {
    base64url(text.as_bytes()).unwrap()
}

fn key(algorithm: Algorithm) -> VerifyingKey {
    match algorithm {
        Algorithm::Rs256 => VerifyingKey::rsa(&decode(RSA_N), &[1, 0, 1]),
        Algorithm::Es256 => {
            VerifyingKey::p256(&[&[4][..], &decode(P256_X), &decode(P256_Y)].concat())
        }
        Algorithm::EdDsa => VerifyingKey::ed25519(&decode(ED25519_X)),
    }
    .unwrap()
}

/// (algorithm, signing input, signature) as RFC 7515 A.2, A.3 and RFC 8037 A.4 print them.
const EXAMPLES: [(Algorithm, &str, &str); 3] = [
    (
        Algorithm::Rs256,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        concat!(
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t",
            "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j",
            "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ",
            "Ge77Rw",
        ),
    ),
    (
        Algorithm::Es256,
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    (
        Algorithm::EdDsa,
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
];

#[test]
fn the_published_examples_verify_and_only_with_their_own_key_and_algorithm() {
    for (of_example, input, signature) in EXAMPLES {
        let signature = decode(signature);
        for named in Algorithm::ALL {
            for of_key in Algorithm::ALL {
                let verified = verify_signature(&key(of_key), named, input.as_bytes(), &signature);
                let expected = named == of_example && of_key == of_example;
                assert_eq!(verified, expected, "{of_example:?} {named:?} {of_key:?}");
            }
        }
    }
}

#[test]
fn every_changed_bit_and_every_other_length_is_refused() {
    for (algorithm, input, signature) in EXAMPLES {
        let (key, input, signature) = (key(algorithm), input.as_bytes(), decode(signature));
        let accepts =
            |input: &[u8], signature: &[u8]| verify_signature(&key, algorithm, input, signature);
        assert!(accepts(input, &signature));
        // One bit in every byte: enough for the slower algorithms.
        for at in 0..signature.len() {
            let mut changed = signature.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(!accepts(input, &changed), "{algorithm:?} byte {at}");
        }
        let mut other_input = input.to_vec();
        other_input[3] ^= 1;
        assert!(!accepts(&other_input, &signature));
        assert!(!accepts(b"", &signature));
        let padded = [&[0][..], &signature].concat();
        let longer = [&signature[..], &[0]].concat();
        let shorter = &signature[..signature.len() - 1];
        for wrong in [
            &padded[..],
            &longer,
            shorter,
            b"",
            &vec![0; signature.len()],
        ] {
            assert!(
                !accepts(input, wrong),
                "{algorithm:?} {} bytes",
                wrong.len()
            );
        }
        assert!(!accepts(input, &vec![0xff; signature.len()]));
    }
}

#[test]
fn es256_takes_r_and_s_never_der() {
    let raw = decode(EXAMPLES[1].2);
    let der = p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der();
    let input = EXAMPLES[1].1.as_bytes();
    assert!(!verify_signature(
        &key(Algorithm::Es256),
        Algorithm::Es256,
        input,
        der.as_bytes()
    ));
}

#[test]
fn tokens_made_by_another_library_are_understood() {
    let es256 = ES256KeyPair::generate().with_key_id("theirs-1");
    let ed25519 = Ed25519KeyPair::generate().with_key_id("theirs-2");
    let keys: Vec<serde_json::Value> = [es256.public_key().to_jwk(), ed25519.public_key().to_jwk()]
        .iter()
        .map(|jwk| serde_json::from_str(jwk).unwrap())
        .collect();
    let config =
        json!({"issuer": "them", "algorithms": ["ES256", "EdDSA"], "jwks": {"keys": keys}});
    let access = Access::new(&[issuer(config)], &TenantConfig::default()).unwrap();
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
    ] {
        let authorization = format!("Bearer {token}");
        let at = |now_ms| access.authenticate(Some(authorization.as_bytes()), now_ms);
        let identity = at(issued_at(&token)).unwrap();
        assert_eq!(identity.tenant.as_str(), "acme");
        assert_eq!(identity.scopes().iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            at(issued_at(&token) + 3_600_000),
            Err(Unauthenticated::Expired)
        );
    }
}
