//! A history lived through again, entry by entry: whether it is one that `apply` can have written, and what it leaves.
//!
//! It begins with nothing, or at a checkpoint. What stood open at a checkpoint is not stored: it follows from what is
//! open now and from what was taken since. Only a lot that expired since is not known by itself; all of them together are
//! what the checkpoint's balance has over the others, and they must be gone when the last write is reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::entry::is_valid_at;
use crate::{Archived, Corrupt, Entry, EntryId, EntryKind, Identity, OpenLot, Take, Timestamp};

/// What a history is checked against. `entries` gives all from the checkpoint on, in the order of writing, every time.
pub(crate) struct Facts<'a, E> {
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) opened_by: Option<&'a Identity>,
    pub(crate) lots: &'a [OpenLot],
    pub(crate) archived: Option<Archived>,
    pub(crate) entries: E,
}

/// Checks that the entries are a history and that the open lots are those which it leaves.
pub(crate) fn check_history<'a, E, I>(facts: &Facts<'a, E>) -> Result<(), Corrupt>
where
    E: Fn() -> I,
    I: Iterator<Item = &'a Entry>,
{
    check_entries(facts)?;
    check_lots(facts)
}

fn check_entries<'a, E, I>(facts: &Facts<'a, E>) -> Result<(), Corrupt>
where
    E: Fn() -> I,
    I: Iterator<Item = &'a Entry>,
{
    let mut ids: BTreeSet<&EntryId> = BTreeSet::new();
    ids.extend(facts.opened_by.iter().map(|opening| &opening.id));
    let mut earlier = facts.created_at;
    let mut left = 0_u64;
    if let Some(archived) = facts.archived {
        let at = archived.sequence;
        if at == 0 {
            return Err(Corrupt::Sequence { at });
        }
        if archived.recorded_at < earlier || archived.recorded_at > facts.updated_at {
            return Err(Corrupt::EntryTime { at });
        }
        earlier = archived.recorded_at;
        left = at;
        let lots = facts.lots.iter().filter(|lot| lot.sequence <= left);
        for lot in lots {
            if !ids.insert(&lot.id) {
                return Err(Corrupt::DuplicateId { at: lot.sequence });
            }
        }
    }
    for entry in (facts.entries)() {
        let at = left.saturating_add(1);
        if entry.sequence != at || at == u64::MAX {
            return Err(Corrupt::Sequence { at });
        }
        left = at;
        let recorded = entry.recorded_at;
        if recorded < earlier || recorded > facts.updated_at || entry.created_at > recorded {
            return Err(Corrupt::EntryTime { at });
        }
        earlier = recorded;
        if !ids.insert(&entry.identity.id) {
            return Err(Corrupt::DuplicateId { at });
        }
    }
    Ok(())
}

/// Compares the open lots with what the history leaves open at the last write.
fn check_lots<'a, E, I>(facts: &Facts<'a, E>) -> Result<(), Corrupt>
where
    E: Fn() -> I,
    I: Iterator<Item = &'a Entry>,
{
    let replay = Replay::of(facts)?;
    let left_open = replay
        .lots
        .iter()
        .flatten()
        .filter(|lot| lot.left > 0 && is_valid_at(lot.valid_until, facts.updated_at));
    let earlier_open = replay.earlier.values().filter(|lot| lot.open.is_some());
    let expected = left_open.count().saturating_add(earlier_open.count());
    if expected != facts.lots.len() {
        return Err(Corrupt::OpenLots);
    }
    // As many as expected, each one expected, none twice (the order is strict): they are the same.
    let mut earlier: Option<&OpenLot> = None;
    for lot in facts.lots {
        if !replay.leaves(lot) || !lot.is_valid_at(facts.updated_at) {
            return Err(Corrupt::OpenLots);
        }
        if earlier.is_some_and(|e| e.consumption_order() >= lot.consumption_order()) {
            return Err(Corrupt::LotOrder);
        }
        earlier = Some(lot);
    }
    Ok(())
}

/// What the history leaves of a lot of which it has the entry.
struct Leftover<'a> {
    id: &'a EntryId,
    created_at: Timestamp,
    valid_until: Option<Timestamp>,
    left: u64,
}

/// A lot from before the checkpoint.
#[derive(Default)]
struct Earlier<'a> {
    /// As it is open still.
    open: Option<&'a OpenLot>,
    /// What the entries take of it that were not reached yet.
    to_be_taken: u64,
}

impl Earlier<'_> {
    fn left_open(&self) -> u64 {
        self.open.map_or(0, |lot| lot.remaining.get())
    }
}

#[derive(Default)]
struct Replay<'a> {
    /// The sequence number of the checkpoint.
    begin: u64,
    earlier: BTreeMap<u64, Earlier<'a>>,
    /// What lots from before the checkpoint still have to lose by expiring.
    to_expire: u64,
    /// One element per entry, none where the entry is a redemption.
    lots: Vec<Option<Leftover<'a>>>,
    active: u64,
    /// Which part of `active` ends when, of lots of which the history has the entry.
    expiring: BTreeMap<Timestamp, u64>,
}

impl<'a> Replay<'a> {
    fn of<E, I>(facts: &Facts<'a, E>) -> Result<Replay<'a>, Corrupt>
    where
        E: Fn() -> I,
        I: Iterator<Item = &'a Entry>,
    {
        let mut replay = Replay::default();
        if let Some(archived) = facts.archived {
            replay.begin_at(archived, facts.lots, (facts.entries)())?;
        }
        let mut last = facts.archived.map(|archived| archived.recorded_at);
        for entry in (facts.entries)() {
            replay.live_through(entry)?;
            last = Some(entry.recorded_at);
        }
        // Nothing expires between a write and itself.
        if replay.to_expire > 0 && last == Some(facts.updated_at) {
            return Err(Corrupt::OpenLots);
        }
        Ok(replay)
    }

    fn begin_at(
        &mut self,
        archived: Archived,
        lots: &'a [OpenLot],
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<(), Corrupt> {
        self.begin = archived.sequence;
        for lot in lots.iter().filter(|lot| lot.sequence <= self.begin) {
            let is_possible = lot.sequence > 0 && lot.created_at <= archived.recorded_at;
            let earlier = Earlier {
                open: Some(lot),
                to_be_taken: 0,
            };
            if !is_possible || self.earlier.insert(lot.sequence, earlier).is_some() {
                return Err(Corrupt::OpenLots);
            }
        }
        for entry in entries {
            let at = entry.sequence;
            let EntryKind::Redeemed { takes } = &entry.kind else {
                continue;
            };
            for take in takes.iter().filter(|take| take.lot <= archived.sequence) {
                if take.lot == 0 {
                    return Err(Corrupt::Takes { at });
                }
                let lot = self.earlier.entry(take.lot).or_default();
                lot.to_be_taken = lot.to_be_taken.saturating_add(take.points.get());
            }
        }
        self.active = archived.balance_after.get();
        let known = self.earlier.values().fold(0_u64, |sum, lot| {
            sum.saturating_add(lot.left_open())
                .saturating_add(lot.to_be_taken)
        });
        self.to_expire = self.active.checked_sub(known).ok_or(Corrupt::OpenLots)?;
        Ok(())
    }

    fn live_through(&mut self, entry: &'a Entry) -> Result<(), Corrupt> {
        let at = entry.sequence;
        self.expire(entry.recorded_at);
        let lot = match &entry.kind {
            EntryKind::Added { valid_until, .. } => Some(self.add(entry, *valid_until)),
            EntryKind::Redeemed { takes } => {
                self.redeem(entry, takes).ok_or(Corrupt::Takes { at })?;
                None
            }
        };
        self.lots.push(lot);
        // What is missing must be of lots from before the checkpoint that have expired meanwhile.
        let expired = self.active.checked_sub(entry.balance_after.get());
        self.to_expire = expired
            .and_then(|expired| self.to_expire.checked_sub(expired))
            .ok_or(Corrupt::BalanceAfter { at })?;
        self.active = entry.balance_after.get();
        Ok(())
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(first) = self.expiring.first_entry()
            && !is_valid_at(Some(*first.key()), now)
        {
            self.active = self.active.saturating_sub(first.remove());
        }
    }

    fn add(&mut self, entry: &'a Entry, valid_until: Option<Timestamp>) -> Leftover<'a> {
        let left = entry.points.get();
        if is_valid_at(valid_until, entry.recorded_at) {
            self.active = self.active.saturating_add(left);
            if let Some(end) = valid_until {
                let ending = self.expiring.entry(end).or_default();
                *ending = ending.saturating_add(left);
            }
        }
        Leftover {
            id: &entry.identity.id,
            created_at: entry.created_at,
            valid_until,
            left,
        }
    }

    /// None when the redemption cannot have taken this.
    fn redeem(&mut self, entry: &Entry, takes: &[Take]) -> Option<()> {
        let mut wanted = entry.points.get();
        let mut previous_left = 0_u64;
        for take in takes {
            // A lot is left only when it is empty; so none is visited twice either.
            if previous_left > 0 {
                return None;
            }
            let taken = take.points.get();
            previous_left = self.take(take, entry.recorded_at)?;
            wanted = wanted.checked_sub(taken)?;
            self.active = self.active.checked_sub(taken)?;
        }
        (wanted == 0).then_some(())
    }

    /// What is left of the lot: of one from before the checkpoint, at least.
    fn take(&mut self, take: &Take, now: Timestamp) -> Option<u64> {
        let taken = take.points.get();
        if take.lot <= self.begin {
            let lot = self.earlier.get_mut(&take.lot)?;
            lot.to_be_taken = lot.to_be_taken.checked_sub(taken)?;
            return Some(lot.to_be_taken.saturating_add(lot.left_open()));
        }
        let place = self.place_of(take.lot)?;
        let lot = self.lots.get_mut(place)?.as_mut()?;
        if !is_valid_at(lot.valid_until, now) {
            return None;
        }
        lot.left = lot.left.checked_sub(taken)?;
        if let Some(end) = lot.valid_until {
            let ending = self.expiring.get_mut(&end)?;
            *ending = ending.checked_sub(taken)?;
        }
        Some(lot.left)
    }

    /// Whether the history leaves this lot just as it is.
    fn leaves(&self, lot: &OpenLot) -> bool {
        if lot.sequence <= self.begin {
            return self.earlier.contains_key(&lot.sequence);
        }
        let place = self.place_of(lot.sequence);
        let leftover = place.and_then(|place| self.lots.get(place)?.as_ref());
        leftover.is_some_and(|leftover| {
            leftover.left == lot.remaining.get()
                && leftover.valid_until == lot.valid_until
                && leftover.created_at == lot.created_at
                && leftover.id == &lot.id
        })
    }

    fn place_of(&self, sequence: u64) -> Option<usize> {
        let place = sequence.checked_sub(self.begin)?.checked_sub(1)?;
        usize::try_from(place).ok()
    }
}
