//! Attempts to have a token checked by another algorithm, another key or other text than its issuer meant.

use serde_json::{Value, json};

use crate::access::Algorithm::{self, EdDsa, Es256, Hs256, Ps256, Rs256};
use crate::access::Unauthenticated::{
    self, AlgorithmNotAllowed, AmbiguousKey, BadSignature, KeyAlgorithmMismatch, MalformedHeader,
    MalformedToken, UnknownAlgorithm,
};
use crate::access::test_support::*;
use crate::access::{Access, der};

fn access_with(algorithms: &[Algorithm], keys: &[Value]) -> Access {
    let algorithms: Vec<&str> = algorithms.iter().map(|it| it.name()).collect();
    access_of([json!({"issuer": ISSUER, "algorithms": algorithms, "jwks": {"keys": keys}})])
}

fn without_alg(algorithm: Algorithm) -> Value {
    let mut key = jwk(algorithm);
    key.as_object_mut().unwrap().remove("alg");
    key
}

fn outcome(access: &Access, signer: Algorithm, header: &Value) -> Option<Unauthenticated> {
    let token = sign(signer, &header.to_string(), &claims().to_string());
    authenticate(access, &token).err()
}

#[test]
fn an_rsa_key_without_alg_serves_what_the_issuer_lists_and_no_more() {
    let rsa: Vec<Algorithm> = Algorithm::ALL[..6].to_vec();
    for listed in [&rsa[..], &rsa[..1], &rsa[3..4], &rsa[2..5]] {
        let access = access_with(listed, &[without_alg(Rs256)]);
        for signer in &rsa {
            for named in Algorithm::ALL {
                for kid in [Some("rsa-1"), None] {
                    let mut header = json!({"alg": named.name()});
                    if let Some(kid) = kid {
                        header["kid"] = json!(kid);
                    }
                    let expected = match (listed.contains(&named), named == *signer) {
                        (false, _) => Some(AlgorithmNotAllowed),
                        (true, false) => Some(BadSignature),
                        (true, true) => None,
                    };
                    let outcome = outcome(&access, *signer, &header);
                    assert_eq!(outcome, expected, "{listed:?} {signer:?} {header}");
                }
            }
        }
    }
}

#[test]
fn an_rsa_key_with_alg_serves_only_that() {
    for restricted in &Algorithm::ALL[..6] {
        let mut key = jwk(*restricted);
        key["kid"] = json!("it");
        let access = access_with(&Algorithm::ALL[..6], &[key]);
        for named in &Algorithm::ALL[..6] {
            let header = json!({"alg": named.name(), "kid": "it"});
            let expected = (named != restricted).then_some(KeyAlgorithmMismatch);
            assert_eq!(
                outcome(&access, *named, &header),
                expected,
                "{restricted:?} {named:?}"
            );
            let header = json!({"alg": named.name()});
            let expected = (named != restricted).then_some(AmbiguousKey);
            assert_eq!(
                outcome(&access, *named, &header),
                expected,
                "{restricted:?} {named:?}"
            );
        }
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    // Everything an attacker could take for the secret: the published forms of the keys.
    let point = [&[4][..], &decode(P256_X), &decode(P256_Y)].concat();
    let spki = der::rsa_public_key(&decode(RSA_N), &[1, 0, 1]);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        encode(&spki)
    );
    let secrets: [&[u8]; 9] = [
        &spki,
        pem.as_bytes(),
        &decode(RSA_N),
        RSA_N.as_bytes(),
        &der::p256_public_key(&point[1..33], &point[33..]),
        &point,
        &decode(ED25519_X),
        ED25519_X.as_bytes(),
        b"",
    ];
    let public: Vec<Algorithm> = Algorithm::ALL[..9].to_vec();
    let public_keys: Vec<Value> = public.iter().map(|it| jwk(*it)).collect();
    let only_public = access_with(&public, &public_keys);
    let everything = access();
    let mut hs_listed = public.clone();
    hs_listed.push(Hs256);
    let listed_without_secret = access_with(&hs_listed, &public_keys);
    for secret in secrets {
        for kid in Algorithm::ALL
            .map(|it| Some(kid(it)))
            .into_iter()
            .chain([None])
        {
            for alg in ["HS256", "hs256", "HS384", "HS512", "none", "None", "NONE"] {
                let mut header = json!({"alg": alg});
                if let Some(kid) = kid {
                    header["kid"] = json!(kid);
                }
                let (header, claims) = (header.to_string(), claims().to_string());
                let input = format!(
                    "{}.{}",
                    encode(header.as_bytes()),
                    encode(claims.as_bytes())
                );
                let code = hmac_sha256::HMAC::mac(input.as_bytes(), secret);
                let token = format!("{input}.{}", encode(&code));
                let refused = |access: &Access| authenticate(access, &token).err();
                if alg != "HS256" {
                    assert_eq!(refused(&everything), Some(UnknownAlgorithm), "{header}");
                    continue;
                }
                assert_eq!(refused(&only_public), Some(AlgorithmNotAllowed), "{header}");
                let expected = match kid {
                    None => AmbiguousKey,
                    Some("hmac-1") => Unauthenticated::UnknownKey,
                    Some(_) => KeyAlgorithmMismatch,
                };
                assert_eq!(refused(&listed_without_secret), Some(expected), "{header}");
                let expected = match kid {
                    None | Some("hmac-1") => BadSignature,
                    Some(_) => KeyAlgorithmMismatch,
                };
                assert_eq!(refused(&everything), Some(expected), "{header}");
            }
        }
    }
}

#[test]
fn an_unsigned_token_has_no_form_that_passes() {
    let access = access();
    let claims = encode(claims().to_string().as_bytes());
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = encode(json!({ "alg": alg }).to_string().as_bytes());
        for (signature, expected) in [
            ("", MalformedToken),
            ("AA", UnknownAlgorithm),
            ("bm9uZQ", UnknownAlgorithm),
        ] {
            let token = format!("{header}.{claims}.{signature}");
            assert_eq!(
                authenticate(&access, &token).err(),
                Some(expected),
                "{alg} {signature}"
            );
        }
    }
    for algorithm in Algorithm::ALL {
        let header = encode(
            json!({"alg": algorithm.name(), "kid": kid(algorithm)})
                .to_string()
                .as_bytes(),
        );
        let token = format!("{header}.{claims}.AA");
        assert_eq!(
            authenticate(&access, &token).err(),
            Some(BadSignature),
            "{algorithm:?}"
        );
        let token = format!("{header}.{claims}.");
        assert_eq!(
            authenticate(&access, &token).err(),
            Some(MalformedToken),
            "{algorithm:?}"
        );
    }
}

#[test]
fn kinds_of_tokens() {
    let access = access();
    let table: Vec<(Value, Option<Unauthenticated>)> = vec![
        (json!({"typ": "JWT"}), None),
        (json!({"typ": "jwt"}), None),
        (json!({"typ": "at+jwt"}), None),
        (json!({"typ": "application/at+jwt"}), None),
        (json!({"typ": "application/jwt"}), None),
        (json!({"typ": "JOSE"}), Some(MalformedHeader)),
        (json!({"typ": "secevent+jwt"}), Some(MalformedHeader)),
        (json!({"typ": "jwt "}), Some(MalformedHeader)),
        (json!({"typ": ""}), Some(MalformedHeader)),
        (json!({"typ": ["JWT"]}), Some(MalformedHeader)),
        (json!({"cty": "JWT"}), None),
        (json!({"cty": "anything"}), None),
        (json!({"b64": false}), None),
        (
            json!({"b64": false, "crit": ["b64"]}),
            Some(Unauthenticated::CriticalExtension),
        ),
        (
            json!({"crit": "exp"}),
            Some(Unauthenticated::CriticalExtension),
        ),
        (
            json!({"jku": "https://evil.example/jwks", "x5u": "file:///etc/passwd"}),
            None,
        ),
        (json!({"jwk": jwk(EdDsa), "x5c": [7], "x5t#S256": {}}), None),
    ];
    for algorithm in [Rs256, Ps256, Es256, Algorithm::Es384, EdDsa, Hs256] {
        for (members, expected) in &table {
            let mut header = members.clone();
            header["alg"] = json!(algorithm.name());
            header["kid"] = json!(kid(algorithm));
            assert_eq!(outcome(&access, algorithm, &header), *expected, "{header}");
        }
    }
}

#[test]
fn a_payload_that_was_signed_without_encoding_is_not_read_as_encoded() {
    // RFC 7797: with b64 false the signature is over the payload itself. That is never how it is checked here.
    let access = access();
    for algorithm in [Rs256, Es256, EdDsa, Hs256] {
        let header = json!({"alg": algorithm.name(), "kid": kid(algorithm), "b64": false});
        let header = encode(header.to_string().as_bytes());
        let claims = claims().to_string();
        let signature = signature(algorithm, format!("{header}.{claims}").as_bytes());
        let token = format!(
            "{header}.{}.{}",
            encode(claims.as_bytes()),
            encode(&signature)
        );
        assert_eq!(
            authenticate(&access, &token).err(),
            Some(BadSignature),
            "{algorithm:?}"
        );
    }
}

#[test]
fn signatures_of_other_forms_are_refused_in_a_token_too() {
    let access = access();
    for algorithm in Algorithm::ALL {
        let good = token(algorithm, &claims());
        let (signed, encoded) = good.rsplit_once('.').unwrap();
        let signature = decode(encoded);
        let with = |signature: &[u8]| format!("{signed}.{}", encode(signature));
        let refused = |token: &str| authenticate(&access, token).err();
        assert_eq!(refused(&good), None);
        let mut forms = vec![
            [&signature[..], &[0]].concat(),
            [&[0][..], &signature].concat(),
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            signature.iter().rev().copied().collect(),
            vec![0; signature.len()],
        ];
        if matches!(algorithm, Es256 | Algorithm::Es384) {
            forms.push(der::ecdsa_signature(&signature));
        }
        for form in forms {
            assert_eq!(refused(&with(&form)), Some(BadSignature), "{algorithm:?}");
        }
        for respelled in [
            format!("{good}="),
            format!("{good}=="),
            format!("{good}A"),
            format!("{good}."),
        ] {
            let outcome = refused(&respelled);
            assert!(
                matches!(outcome, Some(MalformedToken | BadSignature)),
                "{algorithm:?} {outcome:?}"
            );
        }
        // Spare bits in the last character are another spelling of the same bytes.
        if encoded.len() % 4 != 0 {
            let last = good.chars().next_back().unwrap();
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let next = alphabet.find(last).unwrap() + 1;
            let respelled = format!("{}{}", &good[..good.len() - 1], &alphabet[next..=next]);
            assert_eq!(refused(&respelled), Some(MalformedToken), "{algorithm:?}");
        }
    }
}
