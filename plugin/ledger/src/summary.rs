//! The balance with the whole history behind it, as a function of the entries alone.
//!
//! What was used of a lot is not stored with it: it follows from what the redemptions took. So the summary can be made
//! from entries wherever they are kept, as long as all of one life are given in their order.

use crate::entry::is_valid_at;
use crate::{Balance, Description, Entry, EntryId, EntryKind, Points, ReferenceId, Timestamp};

/// The balance and the history of an account at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary<'a> {
    /// The active points.
    pub active: Balance,
    /// All lots, expired ones too, ascending by `created_at`, in the order of writing where that is equal.
    pub added: Vec<AddedView<'a>>,
    /// All redemptions, in the same order.
    pub redeemed: Vec<RedeemedView<'a>>,
}

/// A lot as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedView<'a> {
    /// The entry's id.
    pub id: &'a EntryId,
    /// A label, if one was given.
    pub reference_id: Option<&'a ReferenceId>,
    /// A text, if one was given.
    pub description: Option<&'a Description>,
    /// What was added.
    pub points: Points,
    /// When the lot counts as created.
    pub created_at: Timestamp,
    /// The first moment at which the lot no longer counts; none: it never expires.
    pub valid_until: Option<Timestamp>,
    /// The active balance right after the entry.
    pub balance_after: Balance,
    /// What redemptions took from the lot: 0 to `points`.
    pub used_points: u64,
    /// The ids of the redemptions that took from the lot, in the order of writing.
    pub used_with: Vec<&'a EntryId>,
}

/// A redemption as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemedView<'a> {
    /// The entry's id.
    pub id: &'a EntryId,
    /// A text, if one was given.
    pub description: Option<&'a Description>,
    /// What was redeemed.
    pub points: Points,
    /// When the redemption counts as created.
    pub created_at: Timestamp,
    /// The active balance right after the entry.
    pub balance_after: Balance,
}

/// The summary at `now` of all entries of one life of an account, given in the order of writing.
pub fn summary<'a>(entries: impl IntoIterator<Item = &'a Entry>, now: Timestamp) -> Summary<'a> {
    let mut added: Vec<AddedView<'a>> = Vec::new();
    // Of each lot, ascending: where it stands in `added` is where its number stands here.
    let mut numbers: Vec<u64> = Vec::new();
    let mut redeemed = Vec::new();
    for entry in entries {
        match &entry.kind {
            EntryKind::Added {
                reference_id,
                valid_until,
            } => {
                numbers.push(entry.sequence);
                added.push(added_view(entry, reference_id.as_ref(), *valid_until));
            }
            EntryKind::Redeemed { takes } => {
                redeemed.push(redeemed_view(entry));
                for take in takes {
                    let place = numbers.binary_search(&take.lot);
                    if let Ok(place) = place
                        && let Some(lot) = added.get_mut(place)
                    {
                        lot.used_points = lot.used_points.saturating_add(take.points.get());
                        lot.used_with.push(&entry.identity.id);
                    }
                }
            }
        }
    }
    // Stable: what was created at the same time stays in the order of writing.
    added.sort_by_key(|lot| lot.created_at);
    redeemed.sort_by_key(|redemption: &RedeemedView<'_>| redemption.created_at);
    let active = active(&added, now);
    Summary {
        active,
        added,
        redeemed,
    }
}

fn active(added: &[AddedView<'_>], now: Timestamp) -> Balance {
    let valid = added.iter().filter(|lot| is_valid_at(lot.valid_until, now));
    let sum = valid.fold(0_u64, |sum, lot| {
        sum.saturating_add(lot.points.get().saturating_sub(lot.used_points))
    });
    // Entries of one account never add up to more; the maximum is never taken.
    Balance::new(sum).unwrap_or(Balance::MAX)
}

fn added_view<'a>(
    entry: &'a Entry,
    reference_id: Option<&'a ReferenceId>,
    valid_until: Option<Timestamp>,
) -> AddedView<'a> {
    AddedView {
        id: &entry.identity.id,
        reference_id,
        description: entry.description.as_ref(),
        points: entry.points,
        created_at: entry.created_at,
        valid_until,
        balance_after: entry.balance_after,
        used_points: 0,
        used_with: Vec::new(),
    }
}

fn redeemed_view(entry: &Entry) -> RedeemedView<'_> {
    RedeemedView {
        id: &entry.identity.id,
        description: entry.description.as_ref(),
        points: entry.points,
        created_at: entry.created_at,
        balance_after: entry.balance_after,
    }
}
