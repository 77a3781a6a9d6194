//! The gateway's own copy of accounts, in the data that all workers share: what reads are answered from and where writes
//! start without reading first.
//!
//! A cache and nothing more. Of each account there is a small front (which revision, live or not, the balance and for how
//! long it holds) and, apart from it, the document. Newer revisions replace older ones, never the other way round, however
//! many workers write at the same time. Shared data can neither forget nor bound, so the number of entries is fixed by
//! `cache_bytes`, and accounts push each other out. How current a copy is, is the caller's to say, by an epoch; what a
//! copy is good for, too.

mod documents;
mod fronts;
mod layout;
mod near;
mod record;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use self::fronts::Offer;
pub use self::layout::{CACHE_BYTES, DEFAULT_CACHE_BYTES, MAX_HELD_BYTES};
use self::layout::{Class, Layout};
pub use self::near::Near;
pub use self::record::{Front, Standing};
use super::keys::AccountDigest;
use crate::engine::StoreId;
use crate::host::{Host, Shared, SharedVersion, When};

/// How often a write to an entry is tried when other workers write the same entry at the same time. Each failure is another
/// worker's success within the few microseconds between a read and a write, so this many in a row do not happen.
const MAX_ATTEMPTS: usize = 16;

/// An account as it was seen, to be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountCopy<'a> {
    /// The store that it was seen in.
    pub store: StoreId,
    /// The epoch of the feed by which the copy is kept current; 0: by none. Such a copy is a base for writes, nothing more.
    pub epoch: u32,
    /// The revision of the last change; of an account that is not there, the store's revision when that was seen.
    pub revision: i64,
    /// What there is.
    pub standing: Standing,
    /// The encoded document, of a live account or of a tombstone; none: it is not copied. Over [`MAX_HELD_BYTES`] it is
    /// not copied either.
    pub document: Option<&'a [u8]>,
}

/// A document as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The store that it was seen in.
    pub store: StoreId,
    /// The revision of its last change.
    pub revision: i64,
    /// The encoded account document.
    pub document: Bytes,
}

/// What has become of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The account is held as it was given.
    Held,
    /// A newer state of the account is held, and stays.
    Newer,
    /// The account is not held, and this was only for one that is.
    NotHeld,
    /// Given up, because other workers were faster each time: an older state may still be held.
    GivenUp,
}

/// Whose copies are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// This gateway uses the account.
    InUse,
    /// Only if the account is held already.
    IfHeld,
}

/// The copies in shared data, as one configuration lays them out. Holds nothing itself.
#[derive(Debug)]
pub struct Copies {
    layout: Layout,
}

impl Copies {
    /// The copies that take at most `cache_bytes` of the host's memory, within [`CACHE_BYTES`]. Another number is another
    /// set of entries.
    #[must_use]
    pub fn new(cache_bytes: u64) -> Self {
        Self {
            layout: Layout::new(cache_bytes),
        }
    }

    /// The front of an account, if it is held: one read of shared data, and no document is decoded.
    #[must_use]
    pub fn front(&self, host: &impl Host, account: &AccountDigest) -> Option<Front> {
        match host.shared_get(&self.layout.front_name(account)) {
            Shared::Held(set, _) => fronts::find(&set, account),
            Shared::Absent | Shared::Erased(_) => None,
        }
    }

    /// What changes whenever the front of this account does, and perhaps when it does not; none before the first time.
    /// Whoever took it before [`Self::front`] and finds the same again has a front that is still as it was.
    fn version(&self, host: &impl Host, account: &AccountDigest) -> Option<SharedVersion> {
        match host.shared_get(self.layout.stripe_name(account)) {
            Shared::Erased(version) => Some(version),
            // It never has content, unless somebody else writes under our names.
            Shared::Absent | Shared::Held(..) => None,
        }
    }

    /// Writes what `next` makes of the entry with an account's front, and makes it known that it was written. Returns false
    /// when it was given up.
    fn replace_front(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        next: impl FnMut(&[u8]) -> Option<Vec<u8>>,
    ) -> bool {
        let replaced = replace(host, &self.layout.front_name(account), next);
        if matches!(replaced, Replaced::Written) {
            // Behind the write, and before anybody is told of it: whoever sees the new version reads the new front.
            host.shared_touch(self.layout.stripe_name(account));
        }
        !matches!(replaced, Replaced::GivenUp)
    }

    /// The document that a front belongs to, if it is held: one read of shared data.
    #[must_use]
    pub fn document(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        front: &Front,
    ) -> Option<Bytes> {
        let name = self.layout.document_name(front.class?, account);
        let Shared::Held(value, _) = host.shared_get(&name) else {
            return None;
        };
        let held = documents::parse(&value)?;
        let same = held.account == account.as_bytes()
            && held.store == front.store
            && held.revision == front.revision;
        same.then(|| Bytes::copy_from_slice(held.document))
    }

    /// The document last seen of an account in `store`, if it is still held. A document of another store is none: shared
    /// data outlives a change of the engine, and there the same revision may be another document's.
    #[must_use]
    pub fn look_up(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        store: StoreId,
    ) -> Option<Known> {
        let front = self.front(host, account).filter(|it| it.store == store)?;
        let document = self.document(host, account, &front)?;
        Some(Known {
            store,
            revision: front.revision,
            document,
        })
    }

    /// Copies an account that this gateway uses. Others may be pushed out for it.
    ///
    /// A copy of another store is replaced; of the same store, an older one is. The greater epoch counts, and of the same
    /// revision the balance that holds later.
    pub fn install(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        copy: &AccountCopy<'_>,
    ) -> Kept {
        self.put(host, account, copy, Wanted::InUse)
    }

    /// The same for an account that is held already, without pushing others out: for changes that somebody else made.
    pub fn refresh(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        copy: &AccountCopy<'_>,
    ) -> Kept {
        self.put(host, account, copy, Wanted::IfHeld)
    }

    /// Raises the epoch of an account that is held at exactly this revision to what `epoch` answers, if it answers one.
    /// Returns whether it is held so, in this epoch or a later one.
    ///
    /// `epoch` is asked when the entry was read, and the entry is written only if it is still as it was read: whatever
    /// `epoch` looks at, the copy was there all the time since.
    #[must_use]
    pub fn confirm(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        store: StoreId,
        revision: i64,
        mut epoch: impl FnMut() -> Option<u32>,
    ) -> bool {
        let mut confirmed = false;
        let written = self.replace_front(host, account, |set| {
            confirmed = false;
            let held = fronts::find(set, account)
                .filter(|it| it.store == store && it.revision == revision)?;
            let epoch = epoch()?;
            confirmed = true;
            let raised = Front { epoch, ..held };
            match held.epoch < epoch {
                true => fronts::replaced(set, account, &raised),
                false => None,
            }
        });
        confirmed && written
    }

    fn put(
        &self,
        host: &impl Host,
        account: &AccountDigest,
        copy: &AccountCopy<'_>,
        wanted: Wanted,
    ) -> Kept {
        let document = copy.document.and_then(|document| {
            let class = Class::of(document.len())?;
            Some((class, document))
        });
        let front = Front {
            store: copy.store,
            epoch: copy.epoch,
            revision: copy.revision,
            standing: copy.standing,
            class: document.map(|(class, _)| class),
        };
        // The front first: it decides whether this is news. Until the document follows, the two disagree, and the document
        // counts as not held.
        let mut kept = Kept::GivenUp;
        let written = self.replace_front(host, account, |set| {
            match fronts::offer(set, account, &front, wanted) {
                Offer::Set(set) => {
                    kept = Kept::Held;
                    Some(set)
                }
                Offer::Leave(reason) => {
                    kept = reason;
                    None
                }
            }
        });
        if !written {
            return Kept::GivenUp;
        }
        if kept == Kept::Held
            && let Some((class, document)) = document
        {
            let name = self.layout.document_name(class, account);
            let new = documents::Held {
                account: account.as_bytes(),
                store: copy.store,
                revision: copy.revision,
                document,
            };
            // Given up or left to another account, it is not held; the front still is.
            replace(host, &name, |held| documents::offer(held, &new, wanted));
        }
        kept
    }
}

/// What has become of an entry.
enum Replaced {
    Written,
    /// It was to stay.
    Stays,
    /// Others were faster each time.
    GivenUp,
}

/// Writes what `next` makes of an entry (of nothing, when there is none), again if others write in between. `next` answers
/// none when the entry is to stay.
fn replace(
    host: &impl Host,
    name: &str,
    mut next: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Replaced {
    for _ in 0..MAX_ATTEMPTS {
        let (held, when) = match host.shared_get(name) {
            Shared::Absent => (Vec::new(), When::Absent),
            Shared::Erased(version) => (Vec::new(), When::Version(version)),
            Shared::Held(value, version) => (value, When::Version(version)),
        };
        let Some(value) = next(&held) else {
            return Replaced::Stays;
        };
        if host.shared_set(name, &value, when).is_ok() {
            return Replaced::Written;
        }
    }
    Replaced::GivenUp
}
