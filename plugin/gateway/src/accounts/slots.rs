//! The last known documents, in the data that all workers share: where a write starts without reading first.
//!
//! A cache and nothing more. What is found here may be old; the engine's compare decides whether a commit stands, and a
//! refusal computed from it is confirmed by a read before it is told. Shared data can neither forget a key nor bound its
//! size, so there is a fixed number of slots and a document replaces whatever its slot held.

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::keys::AccountKey;
use crate::engine::{Change, StoreId};
use crate::feed::{HeldCopies, NotRefreshed};
use crate::host::{Host, Shared, When};

/// How many documents are held at most. With [`MAX_HELD_BYTES`] this bounds the memory at 32 MiB.
pub const SLOTS: u16 = 1024;

/// Documents over this size are not held: they cost more to copy than a read costs.
pub const MAX_HELD_BYTES: usize = 32 * 1024;

/// How often an install is tried again when other workers write the same slot at the same time.
const MAX_INSTALL_ATTEMPTS: usize = 4;

/// How often a refresh is. To give up puts every copy in doubt, so it is tried longer.
const MAX_REFRESH_ATTEMPTS: usize = 64;

/// Layout of a slot's value; another number is another generation of the filter and counts as empty.
const FORMAT: u8 = 2;

/// A document as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The store that it was seen in.
    pub store: StoreId,
    /// The revision at which it was seen.
    pub revision: i64,
    /// The encoded account document.
    pub document: Bytes,
}

/// The document last seen under `key` in `store`, if its slot still holds it. A document of another store is none: shared
/// data outlives a change of the engine, and there the same revision may be another document's.
pub fn look_up(host: &impl Host, key: &AccountKey, store: StoreId) -> Option<Known> {
    match host.shared_get(&slot_name(key.as_bytes())) {
        Shared::Held(value, _) => parse(&value)
            .filter(|(held, _)| *held == key.as_bytes())
            .map(|(_, known)| known)
            .filter(|known| known.store == store),
        Shared::Absent | Shared::Erased(_) => None,
    }
}

/// Remembers a committed document, unless its slot holds the same account at a newer revision.
pub fn install(host: &impl Host, key: &AccountKey, known: &Known) {
    if known.document.len() > MAX_HELD_BYTES {
        return;
    }
    let name = slot_name(key.as_bytes());
    let value = compose(key.as_bytes(), known);
    for _ in 0..MAX_INSTALL_ATTEMPTS {
        let when = match host.shared_get(&name) {
            Shared::Absent => When::Absent,
            Shared::Erased(version) => When::Version(version),
            Shared::Held(held, version) => {
                let newer = parse(&held).is_some_and(|(held_key, held)| {
                    held_key == key.as_bytes()
                        && held.store == known.store
                        && held.revision >= known.revision
                });
                if newer {
                    return;
                }
                When::Version(version)
            }
        };
        if host.shared_set(&name, &value, when).is_ok() {
            return;
        }
    }
}

/// The slots as the feed sees them.
#[derive(Debug, Clone, Copy)]
pub struct Slots;

impl HeldCopies for Slots {
    fn refresh(
        &self,
        host: &impl Host,
        key: &[u8],
        store: StoreId,
        change: &Change,
    ) -> Result<(), NotRefreshed> {
        let name = slot_name(key);
        for _ in 0..MAX_REFRESH_ATTEMPTS {
            let Shared::Held(held, version) = host.shared_get(&name) else {
                return Ok(());
            };
            let older = parse(&held).is_some_and(|(held_key, held)| {
                held_key == key && held.store == store && held.revision < change.revision
            });
            if !older {
                return Ok(());
            }
            let value = change
                .value
                .as_ref()
                .filter(|document| document.len() <= MAX_HELD_BYTES)
                .map(|document| {
                    let document = document.clone();
                    let revision = change.revision;
                    compose(
                        key,
                        &Known {
                            store,
                            revision,
                            document,
                        },
                    )
                })
                // An emptied slot holds nothing.
                .unwrap_or_default();
            if host
                .shared_set(&name, &value, When::Version(version))
                .is_ok()
            {
                return Ok(());
            }
        }
        Err(NotRefreshed)
    }
}

fn slot_name(key: &[u8]) -> String {
    let digest = hmac_sha256::Hash::hash(key);
    let number = digest
        .first_chunk()
        .map_or(0, |&pair| u16::from_be_bytes(pair))
        % SLOTS;
    format!("reward-points/document/{number}")
}

/// format, store, revision, length of the key, key, document
fn compose(key: &[u8], known: &Known) -> Vec<u8> {
    let key_length = u16::try_from(key.len()).unwrap_or(u16::MAX);
    let mut value = vec![FORMAT];
    value.extend_from_slice(&known.store.0.to_be_bytes());
    value.extend_from_slice(&known.revision.to_be_bytes());
    value.extend_from_slice(&key_length.to_be_bytes());
    value.extend_from_slice(key);
    value.extend_from_slice(&known.document);
    value
}

fn parse(value: &[u8]) -> Option<(&[u8], Known)> {
    let (&format, rest) = value.split_first()?;
    let (store, rest) = rest.split_first_chunk()?;
    let (revision, rest) = rest.split_first_chunk()?;
    let (&key_length, rest) = rest.split_first_chunk()?;
    let (key, document) = rest.split_at_checked(u16::from_be_bytes(key_length).into())?;
    (format == FORMAT).then(|| {
        let known = Known {
            store: StoreId(u64::from_be_bytes(*store)),
            revision: i64::from_be_bytes(*revision),
            document: Bytes::copy_from_slice(document),
        };
        (key, known)
    })
}
