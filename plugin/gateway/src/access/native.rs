//! Who checks a signature: the host where it can and has shown that it does it right, the module itself otherwise.
//!
//! A host's verdict and the computed one must never differ, so a signature is brought into the host's form only after the checks
//! of form that the computed way makes too. Knows no key set and no token.

use super::algorithm::{Algorithm, AlgorithmSet, Scheme};
use super::self_test;
use super::verifying_key::VerifyingKey;
use crate::host::{Hash, Host, NativeVerdict, SignatureCheck};

/// What looking at a token cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// No signature was checked: some microseconds.
    Cheap,
    /// The host checked a signature: tens of microseconds.
    Native,
    /// A signature was checked by the module itself: up to a millisecond.
    Computed,
}

/// The algorithms whose signatures the host checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NativeCrypto(AlgorithmSet);

impl NativeCrypto {
    /// None: everything is computed.
    #[must_use]
    pub const fn none() -> Self {
        Self(AlgorithmSet::EMPTY)
    }

    /// Asks the host about signatures whose verdict is known, right ones and wrong ones, and takes every algorithm that it
    /// judged right each time. A host that calls everything genuine, or knows the hash but not the curve, is not trusted.
    #[must_use]
    pub fn detect(host: &impl Host) -> Self {
        let mut trusted = AlgorithmSet::EMPTY;
        for algorithm in Algorithm::ALL {
            if native_hash(algorithm).is_some() && self_test::passes(algorithm, host) {
                trusted = trusted.with(algorithm);
            }
        }
        Self(trusted)
    }

    /// Whether the host checks signatures of this algorithm.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0.contains(algorithm)
    }
}

/// The hash to name to a host, for the algorithms that one may check. Envoy knows neither PSS nor Ed25519; HMAC is not worth a call.
const fn native_hash(algorithm: Algorithm) -> Option<Hash> {
    match algorithm.scheme() {
        Scheme::RsaPkcs1(hash) | Scheme::Ecdsa(hash) => Some(hash),
        Scheme::RsaPss(_) | Scheme::Ed25519 | Scheme::HmacSha256 => None,
    }
}

/// What the host says about a signature by `key` that is in the form it takes.
pub(super) fn ask(
    host: &impl Host,
    key: &VerifyingKey,
    algorithm: Algorithm,
    text: &[u8],
    signature: &[u8],
) -> NativeVerdict {
    match native_hash(algorithm) {
        Some(hash) if key.algorithms().contains(algorithm) => {
            host.check_signature(&SignatureCheck {
                hash,
                public_key_der: key.public_key_der(),
                signature,
                text,
            })
        }
        _ => NativeVerdict::Unavailable,
    }
}

/// Whether `signature` is `key`'s over `text` by `algorithm`, and what it cost to find out.
pub(super) fn verify_signature(
    host: &impl Host,
    native: NativeCrypto,
    key: &VerifyingKey,
    algorithm: Algorithm,
    text: &[u8],
    signature: &[u8],
) -> (bool, Effort) {
    let Some(host_form) = key.well_formed(signature) else {
        return (false, Effort::Cheap);
    };
    if native.contains(algorithm) {
        match ask(host, key, algorithm, text, &host_form) {
            NativeVerdict::Genuine => return (true, Effort::Native),
            NativeVerdict::Wrong => return (false, Effort::Native),
            NativeVerdict::Unavailable => {}
        }
    }
    (key.verify(algorithm, text, signature), Effort::Computed)
}
