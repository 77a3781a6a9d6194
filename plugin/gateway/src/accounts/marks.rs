//! By what an operation is recognised when it comes again: its id, and digests of its request and idempotency key.
//!
//! Digests cover everything of a request that has an effect, and nothing that a configuration adds to it: the same
//! request stays the same across a change of a site's settings.

#[cfg(test)]
mod tests;

use ledger::{
    EntryId, Fingerprint, Identity, KeyDigest, KeyUse, NewLot, OperationMark, Redemption, Timestamp,
};

use crate::host::{Host, NoRandomness};
use crate::planted::{Bug, is_planted};

/// What a write does: part of every digest, so that one key or id never stands for two kinds of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Opening an account.
    Create,
    /// Adding points.
    Add,
    /// Redeeming points.
    Redeem,
    /// Removing an account.
    Delete,
}

/// A digest of a request in the making.
pub struct RequestDigest(hmac_sha256::Hash);

impl RequestDigest {
    /// Begins with what every request has.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let mut digest = Self(hmac_sha256::Hash::new());
        // The number of this layout of digests: they are stored.
        digest.field(Some(b"1"));
        digest.field(Some(kind.name()));
        digest
    }

    /// Adds the site and the lot of a request that adds points.
    #[must_use]
    pub fn lot(mut self, site: &str, lot: Option<&NewLot>) -> Self {
        self.field(Some(site.as_bytes()));
        if let Some(lot) = lot {
            self.field(Some(&lot.points.get().to_be_bytes()));
            self.field(lot.reference_id.as_ref().map(|it| it.as_str().as_bytes()));
            self.field(lot.description.as_ref().map(|it| it.as_str().as_bytes()));
            self.time(lot.valid_until);
            self.time(lot.created_at);
        }
        self
    }

    /// Adds what a redemption says.
    #[must_use]
    pub fn redemption(mut self, redemption: &Redemption) -> Self {
        self.field(Some(&redemption.points.get().to_be_bytes()));
        let description = redemption.description.as_ref();
        self.field(description.map(|it| it.as_str().as_bytes()));
        self.time(redemption.created_at);
        self
    }

    /// The mark of the operation: the client's own id or a new random one, and the key if one was sent.
    ///
    /// # Errors
    /// [`NoRandomness`] when an id is needed and cannot be made.
    pub fn mark(
        mut self,
        kind: Kind,
        id: Option<EntryId>,
        key: Option<&[u8]>,
        host: &impl Host,
    ) -> Result<OperationMark, NoRandomness> {
        self.field(id.as_ref().map(|id| id.as_str().as_bytes()));
        let request = Fingerprint(shortened(self.0));
        let id = id.filter(|_| !is_planted(Bug::ClientIdIgnored));
        Ok(OperationMark {
            identity: match id {
                Some(id) => Identity::given(id, request),
                None => Identity::generated(random_id(host)?),
            },
            key: key.map(|key| KeyUse {
                digest: key_digest(kind, key),
                request,
            }),
        })
    }

    fn time(&mut self, time: Option<Timestamp>) {
        let millis = time.map(|time| time.as_millis().to_be_bytes());
        self.field(millis.as_ref().map(<[u8; 8]>::as_slice));
    }

    /// Every field carries its length, and an absent one differs from an empty one: no two requests hash the same input.
    fn field(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.0.update([0]),
            Some(value) => {
                self.0.update([1]);
                let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
                self.0.update(length.to_be_bytes());
                self.0.update(value);
            }
        }
    }
}

impl Kind {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Create => b"create",
            Self::Add => b"add",
            Self::Redeem => b"redeem",
            Self::Delete => b"delete",
        }
    }
}

/// The scope of a key is tenant, customer and kind; the first two are the document's own.
fn key_digest(kind: Kind, key: &[u8]) -> KeyDigest {
    let mut digest = RequestDigest(hmac_sha256::Hash::new());
    digest.field(Some(b"key"));
    digest.field(Some(kind.name()));
    digest.field(Some(key));
    KeyDigest(shortened(digest.0))
}

/// Half of SHA-256: two different requests of one account meet with a chance of 2^-64 after 2^32 requests.
fn shortened(hash: hmac_sha256::Hash) -> [u8; 16] {
    let digest = hash.finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

/// A random UUID (RFC 9562, version 4).
fn random_id(host: &impl Host) -> Result<EntryId, NoRandomness> {
    let mut bytes = [0; 16];
    host.random(&mut bytes)?;
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    Ok(EntryId::from_uuid(bytes))
}
