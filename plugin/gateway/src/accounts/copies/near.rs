//! The fronts that one VM has read lately, kept in its own memory: reading one again costs no bytes from the host.
//!
//! Decides when such a front still is what shared data holds: while the version of its stripe is the one that was seen before
//! the front was read. Whoever writes a front changes that version after the write and before the write is told to
//! anybody, so whatever a reader may have heard of, it also finds here. Knows nothing of what a front is good for.

use std::cell::RefCell;

use ledger::Timestamp;

use super::{Copies, Front};
use crate::accounts::keys::AccountDigest;
use crate::host::{Host, SharedVersion};

/// Fronts that a VM keeps, about 150 bytes each. An account has one place, by its digest.
const PLACES: usize = 2_048;

/// A front is read anew after so many milliseconds whatever the version says. A VM that traps between the two calls of a
/// write leaves a change that nobody is told of; this bounds how long it is missed.
const MAX_AGE_MS: i64 = 250;

/// The fronts that one VM has read.
#[derive(Debug)]
pub struct Near {
    places: RefCell<Vec<Option<Held>>>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    account: AccountDigest,
    version: SharedVersion,
    read_at: Timestamp,
    front: Front,
}

impl Default for Near {
    fn default() -> Self {
        Self {
            places: RefCell::new(vec![None; PLACES]),
        }
    }
}

impl Near {
    /// What [`Copies::front`] answers, without asking for it where that is not needed.
    #[must_use]
    pub fn front(
        &self,
        copies: &Copies,
        host: &impl Host,
        account: &AccountDigest,
        now: Timestamp,
    ) -> Option<Front> {
        // Before the front: what changes in between is then read anew next time.
        let Some(version) = copies.version(host, account) else {
            return copies.front(host, account);
        };
        // Borrowed already only if a host called back into the module, which no host may.
        let Ok(mut places) = self.places.try_borrow_mut() else {
            return copies.front(host, account);
        };
        let place = places.get_mut(place_of(account))?;
        if let Some(held) = place
            && held.account == *account
            && held.version == version
            && (0..MAX_AGE_MS).contains(&now.as_millis().saturating_sub(held.read_at.as_millis()))
        {
            return Some(held.front);
        }
        let front = copies.front(host, account);
        // An account that is not held leaves the place to whoever has it.
        if let Some(front) = front {
            *place = Some(Held {
                account: *account,
                version,
                read_at: now,
                front,
            });
        }
        front
    }
}

/// By other bytes of the digest than those that choose entries of shared data.
fn place_of(account: &AccountDigest) -> usize {
    let [.., high, low] = *account.as_bytes();
    usize::from(u16::from_be_bytes([high, low])) % PLACES
}
