//! The values of `Authorization` that are sent: good tokens by the thousand, and four kinds that are refused.
//!
//! A refused one is as long as a good one of the same algorithm, so that a flood of it costs the network, and Envoy's
//! reading of headers, the same whatever kind it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};
use testbed::{Algorithm, DEV_ISSUER, DevKeys, TokenRequest};

use crate::load::{PATH, Stamped};

/// Whom the tokens are for.
pub(crate) const AUDIENCE: &str = "reward-points";
/// Tenants that tokens are for, unless told otherwise.
pub(crate) const TENANTS: usize = 50;
/// The tokens outlast any run.
const LIFETIME_SECONDS: u64 = 24 * 3600;
/// A flood's tokens are made from so many; a stamp tells each sent one from all others.
const FLOOD_TEMPLATES: usize = 512;
/// What a flood's tokens pretend to be signed with: of all signatures this one takes longest to check natively.
const FLOOD_ALGORITHM: Algorithm = Algorithm::Es256;
/// Characters of a key's thumbprint.
const KEY_ID_LENGTH: usize = 43;
/// Digits of base64url.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What is refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No bearer token at all: the plainest 401 that there is.
    Plain,
    /// A known key's id and a signature that is not its.
    WrongSignature,
    /// An id of a key that nobody has.
    UnknownKey,
    /// Not a token, in one of several ways.
    Malformed,
}

impl Refused {
    /// Plain ones first: the others are compared with them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Plain,
        Self::WrongSignature,
        Self::UnknownKey,
        Self::Malformed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain 401",
            Self::WrongSignature => "wrong signature",
            Self::UnknownKey => "unknown kid",
            Self::Malformed => "malformed",
        }
    }
}

/// The name of a tenant.
pub(crate) fn tenant(index: usize) -> String {
    format!("acme{index:02}")
}

/// `count` distinct good ones of so many tenants in turn. Signing takes its time, so all CPUs share it.
pub(crate) fn valid(
    keys: &DevKeys,
    algorithm: Algorithm,
    count: usize,
    tenants: usize,
) -> anyhow::Result<Vec<String>> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = |thread: usize| -> anyhow::Result<Vec<String>> {
        let mine = (0..count).filter(|index| index % threads == thread);
        mine.map(|index| Ok(bearer(&token(keys, algorithm, index, tenants)?)))
            .collect()
    };
    let parts = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || part(thread)))
            .collect();
        let ended = running.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.collect::<Result<Vec<_>, _>>()
    });
    let parts = parts.map_err(|_| anyhow::anyhow!("a signing thread panicked"))?;
    let parts = parts.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    Ok(parts.concat())
}

/// A good one whose scope permits nothing here.
pub(crate) fn without_scope(keys: &DevKeys) -> anyhow::Result<String> {
    let mut claims = claims(0, 1)?;
    claims["scope"] = json!("rewardspoints.rewardpoints_viewer other");
    Ok(bearer(&keys.sign(Algorithm::Es256, claims)?))
}

/// Requests for a flood of that kind.
pub(crate) fn flood(keys: &DevKeys, kind: Refused) -> anyhow::Result<Arc<[Stamped]>> {
    let authorizations = refused(keys, kind, FLOOD_TEMPLATES)?;
    let requests = authorizations
        .iter()
        .map(|authorization| Stamped::new(PATH, authorization));
    requests.collect()
}

/// `count` distinct refused ones of that kind.
pub(crate) fn refused(keys: &DevKeys, kind: Refused, count: usize) -> anyhow::Result<Vec<String>> {
    let token = token(keys, FLOOD_ALGORITHM, 0, TENANTS)?;
    (0..count).map(|index| spoil(&token, kind, index)).collect()
}

/// Makes a refused one of a good token, as long as that.
fn spoil(token: &str, kind: Refused, index: usize) -> anyhow::Result<String> {
    let (signed, signature) = token.rsplit_once('.').context("a token has parts")?;
    let (header, claims) = signed.split_once('.').context("a token has parts")?;
    // Differs by the index also where no stamp is put in.
    let tail = format!("{index:08}A");
    let kept = signature.len().saturating_sub(tail.len());
    let wrong = format!("{}{tail}", signature.get(..kept).unwrap_or_default());
    let spoiled = match (kind, index % 3) {
        (Refused::Plain, _) => {
            let length = "Bearer ".len() + token.len() - "Basic ".len();
            let rest = length.saturating_sub(tail.len());
            return Ok(format!("Basic {}{tail}", "A".repeat(rest)));
        }
        (Refused::WrongSignature, _) => format!("{signed}.{wrong}"),
        (Refused::UnknownKey, _) => {
            let id = format!("{index:0KEY_ID_LENGTH$}");
            let json = json!({ "alg": FLOOD_ALGORITHM.name(), "typ": "JWT", "kid": id });
            format!(
                "{}.{claims}.{wrong}",
                base64url(json.to_string().as_bytes())
            )
        }
        // One part only.
        (Refused::Malformed, 0) => format!("{header}A{claims}A{wrong}"),
        // A header that is no JSON.
        (Refused::Malformed, 1) => format!("{}.{claims}.{wrong}", "A".repeat(header.len())),
        // A character that no part may hold.
        (Refused::Malformed, _) => {
            let rest = header.get(1..).unwrap_or_default();
            format!("+{rest}.{claims}.{wrong}")
        }
    };
    Ok(bearer(&spoiled))
}

/// A token as identity providers issue them.
fn token(
    keys: &DevKeys,
    algorithm: Algorithm,
    index: usize,
    tenants: usize,
) -> anyhow::Result<String> {
    Ok(keys.sign(algorithm, claims(index, tenants)?)?)
}

fn claims(index: usize, tenants: usize) -> anyhow::Result<Value> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.context("a clock after 1970")?.as_secs();
    Ok(json!({
        "iss": DEV_ISSUER,
        "sub": format!("auth0|66f1c0de{index:016x}"),
        "aud": [AUDIENCE],
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": format!("3f1d2c4b-9a7e-4d05-8c1b-{index:012x}"),
        "tenant": tenant(index % tenants.max(1)),
        "scope": TokenRequest::DEFAULT_SCOPE,
    }))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Without padding, as in tokens.
fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let padded = three.iter().chain([&0; 2]).take(3);
        let bits = padded.fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let digits = (0..=three.len()).map(|digit| bits >> (18 - 6 * digit) & 63);
        text.extend(digits.map(|digit| char::from(DIGITS[digit])));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn parts_are_encoded_as_in_tokens() {
        let cases: [(&[u8], &str); 5] = [
            (b"", ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (&[0xFB, 0xFF, 0xFE, 0x3F], "-__-Pw"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(base64url(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn good_tokens_differ_and_are_of_the_size_that_providers_issue() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = DevKeys::open(&dir.path().join("keys")).expect("keys");
        let tokens = valid(&keys, Algorithm::Es256, 10, TENANTS).expect("tokens");
        assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 10);
        let rsa = valid(&keys, Algorithm::Rs256, 1, TENANTS).expect("a token");
        assert!((700..=900).contains(&rsa[0].len()), "{}", rsa[0].len());
    }

    #[test]
    fn refused_ones_differ_and_are_as_long_as_good_ones() {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = DevKeys::open(&dir.path().join("keys")).expect("keys");
        let good = bearer(&token(&keys, FLOOD_ALGORITHM, 0, TENANTS).expect("a token"));
        for kind in Refused::ALL {
            let made = refused(&keys, kind, 30).expect("refused ones");
            assert_eq!(made.iter().collect::<HashSet<_>>().len(), 30, "{kind:?}");
            for one in &made {
                let difference = one.len().abs_diff(good.len());
                assert!(difference <= 2, "{kind:?}: {difference} in {one}");
            }
        }
    }
}
