//! One entry of documents: one account's, and which.
//!
//! Decides whether a document replaces what is there. There is no second place for it: the host copies a whole value for
//! every look, so a second document beside the first would be paid for by everybody, and what is gained by one more hit is a
//! read of the engine saved. Whether a document is the one wanted, its front says.

use super::Wanted;
use super::layout::DOCUMENT_HEAD_BYTES;
use super::record::DIGEST_BYTES;
use crate::engine::StoreId;

/// A document and what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held<'a> {
    /// The account's digest.
    pub(super) account: &'a [u8; DIGEST_BYTES],
    pub(super) store: StoreId,
    pub(super) revision: i64,
    pub(super) document: &'a [u8],
}

/// What is in an entry; none when it is empty or not ours.
pub(super) fn parse(value: &[u8]) -> Option<Held<'_>> {
    let (account, rest) = value.split_first_chunk()?;
    let (store, rest) = rest.split_first_chunk()?;
    let (revision, document) = rest.split_first_chunk()?;
    Some(Held {
        account,
        store: StoreId(u64::from_be_bytes(*store)),
        revision: i64::from_be_bytes(*revision),
        document,
    })
}

/// The entry after a document was offered to it; none: it stays as it is.
pub(super) fn offer(value: &[u8], new: &Held<'_>, wanted: Wanted) -> Option<Vec<u8>> {
    if let Some(held) = parse(value) {
        let same_account = held.account == new.account;
        let newer = held.store == new.store && held.revision >= new.revision;
        if (same_account && newer) || (!same_account && wanted == Wanted::IfHeld) {
            return None;
        }
    }
    let mut out = Vec::with_capacity(DOCUMENT_HEAD_BYTES.saturating_add(new.document.len()));
    out.extend_from_slice(new.account);
    out.extend_from_slice(&new.store.0.to_be_bytes());
    out.extend_from_slice(&new.revision.to_be_bytes());
    out.extend_from_slice(new.document);
    Some(out)
}
