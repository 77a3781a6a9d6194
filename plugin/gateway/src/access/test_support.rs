//! Signed tokens and permits for the tests of this crate. The keys are the published examples of RFC 7515 and RFC 8037.

use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use p256::ecdsa::signature::Signer as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde_json::{Value, json};
use std::sync::OnceLock;

use super::encoding::base64url;
use super::{Access, Algorithm, Identity, IssuerConfig, Permit, TenantConfig, Unauthenticated};

pub(crate) const ISSUER: &str = "https://issuer.test";
pub(crate) const NOW_SECONDS: i64 = 1_750_000_000;
pub(crate) const NOW_MS: i64 = NOW_SECONDS * 1000;

pub(crate) const RSA_N: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs",
    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV",
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
);
const RSA_P: &str = concat!(
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPG",
    "BY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
);
const RSA_Q: &str = concat!(
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA",
    "-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
);
pub(crate) const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
pub(crate) const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const P256_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
pub(crate) const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// The name of the key for `algorithm` in [`access`].
pub(crate) fn kid(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256 => "rsa-1",
        Algorithm::Es256 => "p256-1",
        Algorithm::EdDsa => "ed25519-1",
    }
}

pub(crate) fn jwk(algorithm: Algorithm) -> Value {
    let mut jwk = match algorithm {
        Algorithm::Rs256 => json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
        Algorithm::Es256 => json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y}),
        Algorithm::EdDsa => json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X}),
    };
    jwk["kid"] = json!(kid(algorithm));
    jwk["alg"] = json!(algorithm.name());
    jwk["use"] = json!("sig");
    jwk
}

/// One issuer with one key for each algorithm.
pub(crate) fn issuer_json() -> Value {
    json!({
        "issuer": ISSUER,
        "algorithms": ["RS256", "ES256", "EdDSA"],
        "jwks": {"keys": Algorithm::ALL.map(jwk)},
    })
}

pub(crate) fn issuer(json: Value) -> IssuerConfig {
    serde_json::from_value(json).expect("an issuer's configuration")
}

/// Access with the issuer of [`issuer_json`] and the default tenant rule.
pub(crate) fn access() -> Access {
    Access::new(&[issuer(issuer_json())], &TenantConfig::default()).expect("a good configuration")
}

/// Claims of a token that [`access`] accepts at [`NOW_MS`].
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "employee-7",
        "tenant": "acme",
        "scope": "rewardspoints.rewardpoints_view rewardspoints.rewardpoints_manage",
        "iat": NOW_SECONDS - 10,
        "exp": NOW_SECONDS + 3600,
    })
}

/// [`claims`] with some replaced, or removed by `null`.
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object of claims") {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlSafeNoPadding::encode_to_string(bytes).expect("base64url")
}

/// The raw JOSE signature over `input`.
pub(crate) fn signature(algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
    match algorithm {
        Algorithm::Rs256 => rsa_key().sign(input).to_vec(),
        Algorithm::Es256 => {
            let key = p256::ecdsa::SigningKey::from_slice(&decode(P256_D)).expect("a scalar");
            let signature: p256::ecdsa::Signature = key.sign(input);
            signature.to_bytes().to_vec()
        }
        Algorithm::EdDsa => {
            let seed = ed25519_compact::Seed::from_slice(&decode(ED25519_D)).expect("a seed");
            let pair = ed25519_compact::KeyPair::from_seed(seed);
            pair.sk.sign(input, None).to_vec()
        }
    }
}

fn rsa_key() -> &'static rsa::pkcs1v15::SigningKey<rsa::sha2::Sha256> {
    static KEY: OnceLock<rsa::pkcs1v15::SigningKey<rsa::sha2::Sha256>> = OnceLock::new();
    KEY.get_or_init(|| {
        let number = |text| rsa::BigUint::from_bytes_be(&decode(text));
        let key = rsa::RsaPrivateKey::from_p_q(number(RSA_P), number(RSA_Q), 65_537_u32.into());
        rsa::pkcs1v15::SigningKey::new(key.expect("the example's primes"))
    })
}

fn decode(text: &str) -> Vec<u8> {
    base64url(text.as_bytes()).expect("base64url")
}

/// A compact token of exactly these texts, signed by the key for `algorithm` whatever the header says.
pub(crate) fn sign(algorithm: Algorithm, header: &str, claims: &str) -> String {
    let input = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let signature = signature(algorithm, input.as_bytes());
    format!("{input}.{}", encode(&signature))
}

/// A token of these claims with the header an issuer would give it.
pub(crate) fn token(algorithm: Algorithm, claims: &Value) -> String {
    let header = json!({"alg": algorithm.name(), "typ": "JWT", "kid": kid(algorithm)});
    sign(algorithm, &header.to_string(), &claims.to_string())
}

pub(crate) fn authenticate(access: &Access, token: &str) -> Result<Identity, Unauthenticated> {
    access.authenticate(Some(format!("Bearer {token}").as_bytes()), NOW_MS)
}

/// What [`access`] makes of a token with these claims, signed with the fastest key.
pub(crate) fn authenticate_claims(claims: &Value) -> Result<Identity, Unauthenticated> {
    authenticate(&access(), &token(Algorithm::EdDsa, claims))
}

/// A permit for `tenant`, without a token.
pub(crate) fn permit(tenant: &str) -> Permit {
    Permit::for_test(tenant)
}
