//! A key set as an issuer publishes it: read leniently, as RFC 7517 (section 5) demands, because it changes without us.
//!
//! Keys that are not for this gateway are skipped and counted; only what leaves open which key is meant, or no key at all, refuses
//! the whole set. Decides nothing about when to fetch or what becomes of the old keys.

use std::fmt;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::config::JwkConfig;
use super::jwk::{Key, Source};
use super::key_set::KeySet;
use super::token::MAX_NESTING;
use crate::strict_json::{Json, Object, parse_object};

/// Longest fetched key set, in bytes.
pub const MAX_FETCHED_BYTES: usize = 64 * 1024;
/// Most keys of a fetched set, those that are skipped among them.
pub const MAX_FETCHED_KEYS: usize = 64;

/// Members that only private keys and secrets have. Whatever was published with one of them is no secret any more.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key set that can be used.
#[derive(Debug)]
pub struct FetchedKeys {
    /// The keys that can be used; at least one.
    pub keys: KeySet,
    /// How many others it held: of another type or size, for another use, for algorithms that the issuer is not configured
    /// with, malformed, or with private members.
    pub skipped: usize,
}

/// Why a fetched key set is not used at all. In the order in which it is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchedKeysError {
    /// Over [`MAX_FETCHED_BYTES`].
    TooLarge,
    /// Not a JSON object with an array `keys`, or an object in it names a member twice.
    NotAKeySet,
    /// Over [`MAX_FETCHED_KEYS`].
    TooManyKeys,
    /// Two keys of one name could serve the same algorithm.
    DuplicateKid,
    /// Every key was skipped, or there is none.
    NoUsableKey,
}

impl FetchedKeysError {
    /// A fixed word for the operator's log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotAKeySet => "not_a_key_set",
            Self::TooManyKeys => "too_many_keys",
            Self::DuplicateKid => "duplicate_kid",
            Self::NoUsableKey => "no_usable_key",
        }
    }
}

impl fmt::Display for FetchedKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for FetchedKeysError {}

impl KeySet {
    /// Reads the key set that an issuer, which signs with `algorithms`, has published.
    ///
    /// # Errors
    /// [`FetchedKeysError`].
    pub fn from_fetched(
        bytes: &[u8],
        algorithms: &[Algorithm],
    ) -> Result<FetchedKeys, FetchedKeysError> {
        if bytes.len() > MAX_FETCHED_BYTES {
            return Err(FetchedKeysError::TooLarge);
        }
        let set = parse_object(bytes, MAX_NESTING).map_err(|_| FetchedKeysError::NotAKeySet)?;
        let Some(Json::Array(published)) = set.get("keys") else {
            return Err(FetchedKeysError::NotAKeySet);
        };
        if published.len() > MAX_FETCHED_KEYS {
            return Err(FetchedKeysError::TooManyKeys);
        }
        let algorithms = AlgorithmSet::of(algorithms);
        let keys: Vec<Key> = published
            .iter()
            .filter_map(|key| usable(key, algorithms))
            .collect();
        let mut rest = keys.as_slice();
        while let [key, others @ ..] = rest {
            let could_be_meant_too = |other: &Key| {
                key.kid == other.kid && !key.serves.intersection(other.serves).is_empty()
            };
            if key.kid.is_some() && others.iter().any(could_be_meant_too) {
                return Err(FetchedKeysError::DuplicateKid);
            }
            rest = others;
        }
        if keys.is_empty() {
            return Err(FetchedKeysError::NoUsableKey);
        }
        Ok(FetchedKeys {
            skipped: published.len().saturating_sub(keys.len()),
            keys: Self(keys),
        })
    }
}

fn usable(key: &Json<'_>, algorithms: AlgorithmSet) -> Option<Key> {
    let Json::Object(members) = key else {
        return None;
    };
    let is_private = |name: &&str| members.get(name).is_some();
    if PRIVATE_MEMBERS.iter().any(is_private) {
        return None;
    }
    Key::from_jwk(&jwk(members)?, algorithms, Source::Fetched).ok()
}

/// The members that matter, if each that is there has the right type.
fn jwk(members: &Object<'_>) -> Option<JwkConfig> {
    let text = |name: &str| match members.get(name) {
        None => Some(None),
        Some(Json::String(text)) => Some(Some(text.clone().into_owned())),
        Some(_) => None,
    };
    let key_ops = match members.get("key_ops") {
        None => None,
        Some(Json::Array(operations)) => {
            let name = |operation: &Json<'_>| match operation {
                Json::String(name) => Some(name.clone().into_owned()),
                _ => None,
            };
            Some(operations.iter().map(name).collect::<Option<Vec<_>>>()?)
        }
        Some(_) => return None,
    };
    Some(JwkConfig {
        kty: text("kty")??,
        kid: text("kid")?,
        alg: text("alg")?,
        usage: text("use")?,
        key_ops,
        crv: text("crv")?,
        n: text("n")?,
        e: text("e")?,
        x: text("x")?,
        y: text("y")?,
        ..JwkConfig::default()
    })
}
