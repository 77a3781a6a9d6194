//! The keys of one issuer: which one a token means, and which of a new set are old acquaintances.
//!
//! A configured set is built whole or refused whole, with the path of the member that is wrong; a fetched one is read by
//! [`super::fetched`]. Sets are replaced as a whole, and a key that stays keeps its id, so that what was verified with it stays verified.

use super::algorithm::{Algorithm, AlgorithmSet};
use super::config::{JwksConfig, MAX_KEYS};
use super::error::Unauthenticated;
use super::jwk::{Key, Source};
use super::verifying_key::VerifyingKey;
use crate::config_error::ConfigError;

/// A key, for as long as its issuer has it. Never given to another key in the life of an [`Access`](super::Access).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(super) u64);

/// A new set of keys for one issuer.
#[derive(Debug)]
pub struct KeySet(pub(super) Vec<Key>);

impl KeySet {
    /// Builds the set of an issuer that signs with `algorithms`, from its configuration.
    ///
    /// # Errors
    /// The path, from the key set down, of the first member that cannot be used.
    pub fn from_jwks(jwks: &JwksConfig, algorithms: &[Algorithm]) -> Result<Self, ConfigError> {
        if jwks.keys.is_empty() || jwks.keys.len() > MAX_KEYS {
            let problem = format!("must hold 1 to {MAX_KEYS} keys");
            return Err(ConfigError::new("keys", problem));
        }
        let algorithms = AlgorithmSet::of(algorithms);
        let mut keys: Vec<Key> = Vec::with_capacity(jwks.keys.len());
        for (index, jwk) in jwks.keys.iter().enumerate() {
            let within = |error: ConfigError| error.within(&format!("keys[{index}]"));
            let key = Key::from_jwk(jwk, algorithms, Source::Configuration).map_err(within)?;
            if key.kid.is_some() && keys.iter().any(|earlier| earlier.kid == key.kid) {
                return Err(within(ConfigError::new(
                    "kid",
                    "another key has the same name",
                )));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }
}

/// The keys that an issuer has, each with its id.
#[derive(Debug, Default)]
pub(super) struct HeldKeys(Vec<(KeyId, Key)>);

impl HeldKeys {
    /// `new` in the place of these. Keys that are in both keep their ids, the others get fresh ones from `fresh`.
    pub(super) fn replaced_by(&self, new: KeySet, mut fresh: impl FnMut() -> KeyId) -> Self {
        let mut held: Vec<(KeyId, Key)> = Vec::with_capacity(new.0.len());
        for key in new.0 {
            let is_free = |id: KeyId| !held.iter().any(|(taken, _)| *taken == id);
            let mut old = self.0.iter();
            let known = old.find(|(id, old)| old.is(&key) && is_free(*id));
            let id = known.map_or_else(&mut fresh, |(id, _)| *id);
            held.push((id, key));
        }
        Self(held)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a key is still among them.
    pub(super) fn contains(&self, id: KeyId) -> bool {
        self.0.iter().any(|(held, _)| *held == id)
    }

    /// The key that a token means: the one named, else the only one for the algorithm.
    pub(super) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(KeyId, &VerifyingKey), Unauthenticated> {
        let named = |key: &Key| kid.is_none() || key.kid.as_deref() == kid;
        let mut fitting = self
            .0
            .iter()
            .filter(|(_, key)| named(key) && key.serves.contains(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some((id, key)), None) => Ok((*id, &key.key)),
            (None, _) if kid.is_some() => {
                if self.0.iter().any(|(_, key)| named(key)) {
                    Err(Unauthenticated::KeyAlgorithmMismatch)
                } else {
                    Err(Unauthenticated::UnknownKey)
                }
            }
            _ => Err(Unauthenticated::AmbiguousKey),
        }
    }
}
