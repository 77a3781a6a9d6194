//! One entry of fronts: those of up to [`WAYS`] accounts, one behind the other.
//!
//! Decides which front stays and which goes. They stand in the order in which this gateway last brought them in: the first
//! goes when a ninth comes. That keeps what is written and what is read anew here, costs no write on a read, and lets no
//! account stay for ever or be the one that always goes, as it would be by the oldest revision: that is a busy reader's
//! account that nobody changes. An entry that is not ours counts as empty.

use super::layout::{FRONT_BYTES, WAYS};
use super::record::{DIGEST_BYTES, Front};
use super::{Kept, Wanted};
use crate::accounts::keys::AccountDigest;
use crate::planted::{Bug, is_planted};

/// What is to be done with an entry to which a front is offered.
pub(super) enum Offer {
    /// Write this.
    Set(Vec<u8>),
    /// Leave it.
    Leave(Kept),
}

type Way = [u8; FRONT_BYTES];

/// The front of an account, if it is there.
pub(super) fn find(set: &[u8], account: &AccountDigest) -> Option<Front> {
    ways(set).iter().find_map(|way| front_of(way, account))
}

/// The entry with a front of an account that is there in another form, in the same place.
pub(super) fn replaced(set: &[u8], account: &AccountDigest, new: &Front) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(set.len());
    for way in ways(set) {
        if front_of(way, account).is_some() {
            push(&mut out, account, new);
        } else {
            out.extend_from_slice(way);
        }
    }
    (out != set).then_some(out)
}

/// The entry after a front was offered to it.
pub(super) fn offer(set: &[u8], account: &AccountDigest, new: &Front, wanted: Wanted) -> Offer {
    let held = find(set, account);
    let next = match held {
        None if wanted == Wanted::IfHeld => return Offer::Leave(Kept::NotHeld),
        Some(held)
            if held.store == new.store
                && held.revision > new.revision
                && !is_planted(Bug::OlderReplacesNewer) =>
        {
            return Offer::Leave(Kept::Newer);
        }
        Some(held) if held.store == new.store && held.revision == new.revision => {
            let next = held.joined(new);
            if next == held {
                return Offer::Leave(Kept::Held);
            }
            next
        }
        // The feed that keeps the older state current finds the account held all the while, and brings what is newer
        // still: its epoch goes on.
        Some(held) if held.store == new.store => Front {
            epoch: held.epoch.max(new.epoch),
            ..*new
        },
        _ => *new,
    };
    if wanted == Wanted::IfHeld {
        return replaced(set, account, &next).map_or(Offer::Leave(Kept::Held), Offer::Set);
    }
    let others: Vec<&Way> = ways(set)
        .iter()
        .filter(|way| !is_of(way, account))
        .collect();
    let too_many = others.len().saturating_add(1).saturating_sub(WAYS);
    let mut out = Vec::with_capacity(WAYS.saturating_mul(FRONT_BYTES));
    for way in others.into_iter().skip(too_many) {
        out.extend_from_slice(way);
    }
    push(&mut out, account, &next);
    Offer::Set(out)
}

/// The ways that are filled.
fn ways(set: &[u8]) -> &[Way] {
    match set.as_chunks() {
        (ways, []) => ways,
        _ => &[],
    }
}

fn is_of(way: &Way, account: &AccountDigest) -> bool {
    way.starts_with(account.as_bytes())
}

fn front_of(way: &Way, account: &AccountDigest) -> Option<Front> {
    let rest = way.strip_prefix(account.as_bytes())?;
    Front::read(rest.first_chunk()?)
}

fn push(out: &mut Vec<u8>, account: &AccountDigest, front: &Front) {
    out.extend_from_slice(account.as_bytes());
    front.write(out);
}

/// The digest and what a front has behind it make one way.
const _: () = assert!(DIGEST_BYTES + 8 + 4 + 8 + 2 + 8 + 8 + 8 == FRONT_BYTES);
