//! Signed tokens and permits for the tests of this crate. The keys are the published examples of RFC 7515 (A.1 to A.3), RFC 6979
//! (A.2.6) and RFC 8037. Whatever is looked at here is looked at by both verifiers, and they have to agree.

use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use p256::ecdsa::signature::Signer as _;
use rsa::sha2::{Digest as _, Sha256, Sha384, Sha512};
use serde_json::{Value, json};
use std::sync::OnceLock;

use super::algorithm::Scheme;
use super::encoding::base64url;
use super::{
    Access, Algorithm, BearerToken, Effort, Identity, IssuerConfig, NativeCrypto, Permit, Rejected,
    TenantConfig, Unauthenticated, VerifiedToken,
};
use crate::host::Hash;
use crate::test_support::host::TestHost;

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
pub(crate) const P384_X: &str = "7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT";
pub(crate) const P384_Y: &str = "gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg";
const P384_D: &str = "a509rS4bjBwFsZh1tmWfTeI8O2Z78pe6mqR3QHhxN9iW1XJOTHCoJfhyyepg0u31";
pub(crate) const HMAC_K: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
pub(crate) const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// The name of the key for `algorithm` in [`access`].
pub(crate) fn kid(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256 => "rsa-1",
        Algorithm::Rs384 => "rsa-2",
        Algorithm::Rs512 => "rsa-3",
        Algorithm::Ps256 => "rsa-4",
        Algorithm::Ps384 => "rsa-5",
        Algorithm::Ps512 => "rsa-6",
        Algorithm::Es256 => "p256-1",
        Algorithm::Es384 => "p384-1",
        Algorithm::EdDsa => "ed25519-1",
        Algorithm::Hs256 => "hmac-1",
    }
}

/// The key for `algorithm`, restricted to it. All RSA keys are the same key under other names.
pub(crate) fn jwk(algorithm: Algorithm) -> Value {
    let mut jwk = match algorithm.scheme() {
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
        Scheme::Ecdsa(Hash::Sha256) => {
            json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y})
        }
        Scheme::Ecdsa(_) => json!({"kty": "EC", "crv": "P-384", "x": P384_X, "y": P384_Y}),
        Scheme::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X}),
        Scheme::HmacSha256 => json!({"kty": "oct", "k": HMAC_K}),
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
        "algorithms": Algorithm::ALL.map(Algorithm::name),
        "jwks": {"keys": Algorithm::ALL.map(jwk)},
    })
}

pub(crate) fn issuer(json: Value) -> IssuerConfig {
    serde_json::from_value(json).expect("an issuer's configuration")
}

/// Access with the issuer of [`issuer_json`] and the default tenant rule.
pub(crate) fn access() -> Access {
    access_of([issuer_json()])
}

/// Access with these issuers and the default tenant rule.
pub(crate) fn access_of<const N: usize>(issuers: [Value; N]) -> Access {
    Access::new(&issuers.map(issuer), &TenantConfig::default(), &[]).expect("a good configuration")
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
    match algorithm.scheme() {
        Scheme::RsaPkcs1(hash) => {
            let padding = match hash {
                Hash::Sha256 => rsa::Pkcs1v15Sign::new::<Sha256>(),
                Hash::Sha384 => rsa::Pkcs1v15Sign::new::<Sha384>(),
                Hash::Sha512 => rsa::Pkcs1v15Sign::new::<Sha512>(),
            };
            let signature = rsa_key().sign(padding, &hashed(hash, input));
            signature.expect("a key that is large enough")
        }
        Scheme::RsaPss(hash) => {
            let salt_bytes = match hash {
                Hash::Sha256 => 32,
                Hash::Sha384 => 48,
                Hash::Sha512 => 64,
            };
            pss_signature(hash, salt_bytes, input)
        }
        Scheme::Ecdsa(Hash::Sha256) => {
            let key = p256::ecdsa::SigningKey::from_slice(&decode(P256_D)).expect("a scalar");
            let signature: p256::ecdsa::Signature = key.sign(input);
            signature.to_bytes().to_vec()
        }
        Scheme::Ecdsa(_) => {
            let key = p384::ecdsa::SigningKey::from_slice(&decode(P384_D)).expect("a scalar");
            let signature: p384::ecdsa::Signature = key.sign(input);
            signature.to_bytes().to_vec()
        }
        Scheme::Ed25519 => {
            let seed = ed25519_compact::Seed::from_slice(&decode(ED25519_D)).expect("a seed");
            let pair = ed25519_compact::KeyPair::from_seed(seed);
            pair.sk.sign(input, None).to_vec()
        }
        Scheme::HmacSha256 => hmac_sha256::HMAC::mac(input, decode(HMAC_K)).to_vec(),
    }
}

/// A PSS signature with a salt of any length.
pub(crate) fn pss_signature(hash: Hash, salt_bytes: usize, input: &[u8]) -> Vec<u8> {
    let padding = match hash {
        Hash::Sha256 => rsa::Pss::new_with_salt::<Sha256>(salt_bytes),
        Hash::Sha384 => rsa::Pss::new_with_salt::<Sha384>(salt_bytes),
        Hash::Sha512 => rsa::Pss::new_with_salt::<Sha512>(salt_bytes),
    };
    let signature = rsa_key().sign_with_rng(&mut FixedSalt, padding, &hashed(hash, input));
    signature.expect("a key that is large enough")
}

fn hashed(hash: Hash, input: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(input).to_vec(),
        Hash::Sha384 => Sha384::digest(input).to_vec(),
        Hash::Sha512 => Sha512::digest(input).to_vec(),
    }
}

/// The same salt every time, so that a test does the same every time.
struct FixedSalt;

impl rsa::rand_core::CryptoRng for FixedSalt {}

impl rsa::rand_core::RngCore for FixedSalt {
    fn next_u32(&mut self) -> u32 {
        7
    }

    fn next_u64(&mut self) -> u64 {
        7
    }

    fn fill_bytes(&mut self, salt: &mut [u8]) {
        salt.fill(7);
    }

    fn try_fill_bytes(&mut self, salt: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(salt);
        Ok(())
    }
}

fn rsa_key() -> &'static rsa::RsaPrivateKey {
    static KEY: OnceLock<rsa::RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let number = |text| rsa::BigUint::from_bytes_be(&decode(text));
        let key = rsa::RsaPrivateKey::from_p_q(number(RSA_P), number(RSA_Q), 65_537_u32.into());
        key.expect("the example's primes")
    })
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
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

/// All that a host of these tests checks natively.
pub(crate) fn native() -> NativeCrypto {
    static NATIVE: OnceLock<NativeCrypto> = OnceLock::new();
    *NATIVE.get_or_init(|| NativeCrypto::detect(&TestHost::alone()))
}

/// What comes of a token, by both verifiers: they agree, or the test fails.
pub(crate) fn verify(access: &Access, token: BearerToken<'_>) -> Result<VerifiedToken, Rejected> {
    let host = TestHost::alone();
    let natively = access.verify(token, native(), &host);
    let computed = access.verify(token, NativeCrypto::none(), &host);
    let told = |outcome: &Result<VerifiedToken, Rejected>| match outcome {
        Ok(verified) => Ok((verified.identity.clone(), verified.issuer(), verified.key())),
        Err(rejected) => Err((rejected.reason, rejected.issuer)),
    };
    assert_eq!(told(&natively), told(&computed), "natively and computed");
    let effort = match &computed {
        Ok(verified) => verified.effort(),
        Err(rejected) => rejected.effort,
    };
    assert_ne!(effort, Effort::Native, "nothing native was asked for");
    natively
}

/// Who a request speaks for, by the value of its `Authorization` header.
pub(crate) fn authenticate_at(
    access: &Access,
    authorization: Option<&[u8]>,
    now_ms: i64,
) -> Result<Identity, Unauthenticated> {
    let token = BearerToken::from_authorization(authorization)?;
    let verified = verify(access, token).map_err(|rejected| rejected.reason)?;
    verified.identity_at(now_ms).cloned()
}

pub(crate) fn authenticate(access: &Access, token: &str) -> Result<Identity, Unauthenticated> {
    authenticate_at(access, Some(format!("Bearer {token}").as_bytes()), NOW_MS)
}

/// What [`access`] makes of a token with these claims, signed with the fastest key.
pub(crate) fn authenticate_claims(claims: &Value) -> Result<Identity, Unauthenticated> {
    authenticate(&access(), &token(Algorithm::EdDsa, claims))
}

/// A permit for `tenant`, without a token.
pub(crate) fn permit(tenant: &str) -> Permit {
    Permit::for_test(tenant)
}
