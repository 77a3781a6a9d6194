//! The signature algorithms there are, and sets of them.
//!
//! Names and kinds only. `none` is no algorithm, and the two kinds of RSA padding are told apart here and never mixed; keys and
//! signatures are known elsewhere.

use serde::Deserialize;

use crate::host::Hash;

/// A signature algorithm that issuers may be configured with, by its JOSE name (RFC 7518, section 3.1; RFC 8037 for `EdDSA`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSASSA-PSS with SHA-256, for the mask too, and a salt of 32 bytes.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PSS with SHA-384, for the mask too, and a salt of 48 bytes.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSASSA-PSS with SHA-512, for the mask too, and a salt of 64 bytes.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA over P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256: a secret that both sides have, so whoever can check a token can make one.
    #[serde(rename = "HS256")]
    Hs256,
}

/// What a signature of an algorithm consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// RSASSA-PKCS1-v1_5 over this hash.
    RsaPkcs1(Hash),
    /// RSASSA-PSS over this hash.
    RsaPss(Hash),
    /// ECDSA over the key's curve and this hash.
    Ecdsa(Hash),
    /// Ed25519 over the text itself.
    Ed25519,
    /// HMAC with SHA-256.
    HmacSha256,
}

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
        Self::Hs256,
    ];

    /// The JOSE name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of exactly this name, letter case included. `Ed25519` (RFC 9864) is another name of `EdDSA` here, since that
    /// is the only curve there is.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|known| known.name() == name),
        }
    }

    pub(super) const fn scheme(self) -> Scheme {
        match self {
            Self::Rs256 => Scheme::RsaPkcs1(Hash::Sha256),
            Self::Rs384 => Scheme::RsaPkcs1(Hash::Sha384),
            Self::Rs512 => Scheme::RsaPkcs1(Hash::Sha512),
            Self::Ps256 => Scheme::RsaPss(Hash::Sha256),
            Self::Ps384 => Scheme::RsaPss(Hash::Sha384),
            Self::Ps512 => Scheme::RsaPss(Hash::Sha512),
            Self::Es256 => Scheme::Ecdsa(Hash::Sha256),
            Self::Es384 => Scheme::Ecdsa(Hash::Sha384),
            Self::EdDsa => Scheme::Ed25519,
            Self::Hs256 => Scheme::HmacSha256,
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Self::Rs256 => 1,
            Self::Rs384 => 1 << 1,
            Self::Rs512 => 1 << 2,
            Self::Ps256 => 1 << 3,
            Self::Ps384 => 1 << 4,
            Self::Ps512 => 1 << 5,
            Self::Es256 => 1 << 6,
            Self::Es384 => 1 << 7,
            Self::EdDsa => 1 << 8,
            Self::Hs256 => 1 << 9,
        }
    }
}

/// A set of algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AlgorithmSet(u16);

impl AlgorithmSet {
    pub(super) const EMPTY: Self = Self(0);
    /// All that an RSA key can do.
    pub(super) const RSA: Self = Self::of(&[
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ]);

    pub(super) const fn of(algorithms: &[Algorithm]) -> Self {
        let mut set = Self::EMPTY;
        let mut rest = algorithms;
        while let [first, others @ ..] = rest {
            set = set.with(*first);
            rest = others;
        }
        set
    }

    pub(super) const fn with(self, algorithm: Algorithm) -> Self {
        Self(self.0 | algorithm.bit())
    }

    pub(super) const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    pub(super) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names, for an operator.
    pub(super) fn names(self) -> String {
        let contained = |algorithm: &Algorithm| self.contains(*algorithm);
        let contained = Algorithm::ALL.into_iter().filter(contained);
        contained
            .map(Algorithm::name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}
