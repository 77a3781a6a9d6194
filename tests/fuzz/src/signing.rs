//! One issuer with its keys, and tokens that it has signed: the published examples of RFC 7515 (A.1, A.2), RFC 6979 and RFC 8037.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::access::{Access, Algorithm, TenantConfig};
use serde_json::{Value, json};

use crate::host::NOW_SECONDS;

/// The issuer.
pub const ISSUER: &str = "https://issuer.test";
/// The tenant of [`claims`].
pub const TENANT: &str = "acme";

const HMAC_K: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const P384_X: &str = "7DpOQVtOGaRWhhgCn0J_pdqai8SukuAuBqrlKGswDGTe-PDqkFWGYGSiVFFUgLwT";
const P384_Y: &str = "gBXZty19VyROqO-awMYhiWcIpZNn-d-59UyoSz8cnbEoiyMcOuDU_nNE_SUzJkcg";
const RSA_N: &str = concat!(
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs",
    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV",
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
);

/// What a token is signed with here: the algorithms that are fast enough for every input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// HS256, key `hmac-1`.
    Hmac,
    /// `EdDSA`, key `ed25519-1`.
    Ed25519,
}

impl Signer {
    /// The name of its algorithm.
    #[must_use]
    pub const fn algorithm(self) -> &'static str {
        match self {
            Self::Hmac => "HS256",
            Self::Ed25519 => "EdDSA",
        }
    }

    /// The name of its key.
    #[must_use]
    pub const fn kid(self) -> &'static str {
        match self {
            Self::Hmac => "hmac-1",
            Self::Ed25519 => "ed25519-1",
        }
    }

    /// A compact token of exactly these texts, whatever they say.
    #[must_use]
    pub fn sign(self, header: &[u8], claims: &[u8]) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        let signature = match self {
            Self::Hmac => hmac_sha256::HMAC::mac(&input, decode(HMAC_K)).to_vec(),
            Self::Ed25519 => {
                let seed = ed25519_compact::Seed::from_slice(&decode(ED25519_D));
                let pair = ed25519_compact::KeyPair::from_seed(seed.expect("a seed"));
                pair.sk.sign(&input, None).to_vec()
            }
        };
        format!("{input}.{}", encode(&signature))
    }

    /// The header that the issuer gives a token.
    #[must_use]
    pub fn header(self) -> String {
        json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.kid()}).to_string()
    }

    /// A good token.
    #[must_use]
    pub fn token(self) -> String {
        self.sign(self.header().as_bytes(), claims().to_string().as_bytes())
    }
}

/// Claims of a token that is good at [`crate::host::NOW_MS`].
#[must_use]
pub fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "employee-7",
        "jti": "token-1",
        "tenant": TENANT,
        "scope": "rewardspoints.rewardpoints_view rewardspoints.rewardpoints_manage",
        "iat": NOW_SECONDS - 10,
        "exp": NOW_SECONDS + 3600,
    })
}

/// A key for each kind of algorithm, in public form but for the secret of HS256.
#[must_use]
pub fn jwks() -> Value {
    json!({"keys": [
        {"kty": "oct", "k": HMAC_K, "kid": "hmac-1", "alg": "HS256"},
        {"kty": "OKP", "crv": "Ed25519", "x": ED25519_X, "kid": "ed25519-1", "use": "sig"},
        {"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y, "kid": "p256-1", "key_ops": ["verify"]},
        {"kty": "EC", "crv": "P-384", "x": P384_X, "y": P384_Y, "kid": "p384-1", "alg": "ES384"},
        {"kty": "RSA", "n": RSA_N, "e": "AQAB", "kid": "rsa-1", "alg": "RS256"},
    ]})
}

/// The issuer's configuration.
#[must_use]
pub fn issuer() -> Value {
    json!({"issuer": ISSUER, "algorithms": Algorithm::ALL.map(Algorithm::name), "jwks": jwks()})
}

/// Access that trusts the issuer.
///
/// # Panics
/// Never: the configuration is a good one.
#[must_use]
pub fn access() -> Access {
    let issuer = serde_json::from_value(issuer()).expect("an issuer's configuration");
    Access::new(&[issuer], &TenantConfig::default(), &["sub".to_owned()]).expect("good keys")
}

/// base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}
