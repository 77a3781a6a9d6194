//! Parsers of foreign bytes that are nobody's outside this crate, for `tests/fuzz`: reached as they are, deciding nothing.
//!
//! Exists only with the feature `fuzzing`, which no build of the wasm has. What a parser of the public surface reads is not
//! listed here again.

use crate::access::encoding;
use crate::feed;
use crate::gate::deny_list::{Entry, What};
use crate::gate::polled::record;
use crate::percent;
use crate::rules::Ambiguity;
use crate::rules::path::Path;
use crate::strict_json;

/// Every escape decoded once, strictly; none: one is malformed.
#[must_use]
pub fn percent_decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    percent::decode(bytes).ok()
}

/// The same for a part of a query, in which `+` is a space.
#[must_use]
pub fn query_decoded(bytes: &[u8]) -> Option<Vec<u8>> {
    percent::decode_query(bytes).ok()
}

/// All but unreserved characters as escapes.
#[must_use]
pub fn percent_encoded(bytes: &[u8]) -> String {
    percent::encode(bytes)
}

/// Canonical base64url without padding; none: it is not that.
#[must_use]
pub fn base64url(text: &[u8]) -> Option<Vec<u8>> {
    encoding::base64url(text)
}

/// One JSON object, strictly read; none: refused.
#[must_use]
pub fn strict_json(bytes: &[u8], max_nesting: usize) -> Option<serde_json::Value> {
    let object = strict_json::parse_object(bytes, max_nesting).ok()?;
    Some(object.into())
}

/// The decoded segments of a path that is not the API's.
///
/// # Errors
/// [`Ambiguity`]
pub fn path_segments(raw: &[u8]) -> Result<Vec<String>, Ambiguity> {
    Ok(Path::read(raw)?.segments().map(str::to_owned).collect())
}

/// A feed's shared record, read and written again; none: refused.
#[must_use]
pub fn feed_record(bytes: &[u8]) -> Option<Vec<u8>> {
    feed::Record::decode(bytes).map(|record| record.encode())
}

/// The shared record of what one VM fetches for all (keys, the deny-list), read and written again; none: refused.
#[must_use]
pub fn fetch_record(bytes: &[u8]) -> Option<Vec<u8>> {
    record::Record::decode(bytes).map(|record| record.encode())
}

/// What one key of the deny-list says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Whose tokens.
    pub issuer: String,
    /// Which.
    pub which: Which,
}

/// Which tokens a key of the deny-list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one with this `jti`.
    TokenId(String),
    /// Those of this `sub`.
    Subject(String),
    /// Those issued before this, in milliseconds since the epoch.
    IssuedBefore(i64),
}

/// A key of the engine's deny-list, without what all of them begin with; none: it makes no sense.
#[must_use]
pub fn deny_list_key(key: &[u8]) -> Option<Denied> {
    let entry = Entry::of(key)?;
    Some(Denied {
        issuer: entry.issuer,
        which: match entry.what {
            What::TokenId(id) => Which::TokenId(id.into()),
            What::Subject(subject) => Which::Subject(subject.into()),
            What::IssuedBefore(time_ms) => Which::IssuedBefore(time_ms),
        },
    })
}
