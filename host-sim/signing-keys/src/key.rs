//! One key: made, written down, read again, and signing.
//!
//! A key's id is the thumbprint of its public half (RFC 7638), so a gateway that holds older keys refuses newer tokens by
//! `kid`, not by signature.

use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike as _, ES256KeyPair, Ed25519KeyPair, EdDSAKeyPairLike as _, RS256KeyPair,
    RSAKeyPairLike as _,
};
use jwt_simple::claims::JWTClaims;
use jwt_simple::common::HeaderOptions;
use serde_json::Value;

use crate::{Error, Result};

/// Bits of an RSA key.
const RSA_BITS: usize = 2048;

/// Which signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All that keys can be made for.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The name in a token's `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with that `alg`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// A private key with its id.
pub struct SigningKey {
    pair: Pair,
    id: String,
}

enum Pair {
    // Twice as large as the others.
    Rs256(Box<RS256KeyPair>),
    Es256(ES256KeyPair),
    EdDsa(Ed25519KeyPair),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm().name(), self.id)
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// [`Error::Key`] when the library cannot make one.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        Ok(Self::of(match algorithm {
            Algorithm::Rs256 => Pair::Rs256(Box::new(
                RS256KeyPair::generate(RSA_BITS).map_err(Error::key("make an RSA key"))?,
            )),
            Algorithm::Es256 => Pair::Es256(ES256KeyPair::generate()),
            Algorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::generate()),
        }))
    }

    /// Reads what [`SigningKey::private_jwk`] wrote.
    ///
    /// # Errors
    /// [`Error::Key`] when `jwk` is no private key of that kind.
    pub fn from_private_jwk(algorithm: Algorithm, jwk: &str) -> Result<Self> {
        let failed = || Error::key(format!("read a private key for {}", algorithm.name()));
        Ok(Self::of(match algorithm {
            Algorithm::Rs256 => {
                Pair::Rs256(Box::new(RS256KeyPair::from_jwk(jwk).map_err(failed())?))
            }
            Algorithm::Es256 => Pair::Es256(ES256KeyPair::from_jwk(jwk).map_err(failed())?),
            Algorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::from_jwk(jwk).map_err(failed())?),
        }))
    }

    fn of(pair: Pair) -> Self {
        let id = match &pair {
            Pair::Rs256(pair) => pair.jwk_thumbprint(),
            Pair::Es256(pair) => pair.jwk_thumbprint(),
            Pair::EdDsa(pair) => pair.jwk_thumbprint(),
        };
        let pair = match pair {
            Pair::Rs256(pair) => Pair::Rs256(Box::new(pair.with_key_id(&id))),
            Pair::Es256(pair) => Pair::Es256(pair.with_key_id(&id)),
            Pair::EdDsa(pair) => Pair::EdDsa(pair.with_key_id(&id)),
        };
        Self { pair, id }
    }

    /// The same key under another `kid`, as an issuer may name it that does not use thumbprints.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        let pair = match self.pair {
            Pair::Rs256(pair) => Pair::Rs256(Box::new(pair.with_key_id(id))),
            Pair::Es256(pair) => Pair::Es256(pair.with_key_id(id)),
            Pair::EdDsa(pair) => Pair::EdDsa(pair.with_key_id(id)),
        };
        Self {
            pair,
            id: id.to_owned(),
        }
    }

    /// Its `kid`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rs256(_) => Algorithm::Rs256,
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// All of it as a JWK (RFC 7517). For the folder alone.
    pub(crate) fn private_jwk(&self) -> String {
        match &self.pair {
            Pair::Rs256(pair) => pair.to_jwk(),
            Pair::Es256(pair) => pair.to_jwk(),
            Pair::EdDsa(pair) => pair.to_jwk(),
        }
    }

    /// The public half as a JWK with `kid`, `alg` and `use`.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let jwk = match &self.pair {
            Pair::Rs256(pair) => pair.public_key().to_jwk(),
            Pair::Es256(pair) => pair.public_key().to_jwk(),
            Pair::EdDsa(pair) => pair.public_key().to_jwk(),
        };
        // The library writes JSON.
        serde_json::from_str(&jwk).unwrap_or_default()
    }

    /// Signs exactly `claims`, under a header with `alg`, `kid` and `typ`.
    ///
    /// # Errors
    /// [`Error::Key`] when signing fails.
    pub fn sign(&self, token_type: &str, claims: Value) -> Result<String> {
        let claims = JWTClaims {
            issued_at: None,
            expires_at: None,
            invalid_before: None,
            issuer: None,
            subject: None,
            audiences: None,
            jwt_id: None,
            nonce: None,
            custom: claims,
        };
        let header = HeaderOptions {
            content_type: None,
            signature_type: Some(token_type.to_owned()),
        };
        let signed = match &self.pair {
            Pair::Rs256(pair) => pair.sign_with_options(claims, &header),
            Pair::Es256(pair) => pair.sign_with_options(claims, &header),
            Pair::EdDsa(pair) => pair.sign_with_options(claims, &header),
        };
        signed.map_err(Error::key(format!(
            "sign a token with {}",
            self.algorithm().name()
        )))
    }

    /// The bare signature over `bytes`, for tokens that no library makes. Ed25519 alone: it needs nothing but the key.
    #[must_use]
    pub fn sign_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::EdDsa(pair) => Some(pair.key_pair().as_ref().sk.sign(bytes, None).to_vec()),
            Pair::Rs256(_) | Pair::Es256(_) => None,
        }
    }
}
