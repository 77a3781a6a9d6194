//! The one way in which an account changes.
//!
//! The order of the checks is the order of precedence: is the operation known, may its key and id be used, does the
//! state allow it, do the amounts and times. Nothing changes unless all pass. What a refusal looks like to a client, and
//! whether it has to be confirmed against the storage first, is not known here.

use std::sync::Arc;

use crate::account::first_generation;
use crate::entry::is_valid_at;
use crate::planted::takes_newest_first;
use crate::{
    Account, Balance, Entry, EntryKind, Identity, Looked, MAX_OPEN_LOTS, Memory, NewLot, OpenLot,
    Operation, OperationMark, Points, Record, Redemption, RetiredHistory, State, Take, Timestamp,
    Tombstone, Unseen,
};

/// What became of an operation that was not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// The operation changes the account: this is its next state.
    Changed(Record),
    /// The operation was done before; it has no effect now.
    Replayed(Replay),
    /// The operation was done before, as its id says; it has no effect now, but its key is new. This is the state that
    /// knows the key. Where it cannot be kept, the operation is done all the same.
    Remembered(Record),
    /// There was nothing to do: a deletion found no account.
    Unchanged,
    /// This cannot be told before that history was looked through; then to be asked again. It may take several turns.
    Unseen(Unseen),
}

/// By what an operation was recognised as done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// By its generated id, which no other operation has: this very write was made already, by an earlier try.
    Own,
    /// By its idempotency key.
    Key,
    /// By the id that the client chose.
    Id,
}

/// Why an operation is refused, in order of precedence: of several reasons the first is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The idempotency key was used for another request within the last 24 hours.
    KeyReused,
    /// The id belongs to another operation of this life of the account.
    IdReused,
    /// An account that exists cannot be created.
    AlreadyExists,
    /// There is no account.
    NotFound,
    /// More was to be redeemed than is active.
    Insufficient {
        /// What is active.
        active: Balance,
    },
    /// The balance would pass [`Balance::MAX`]; out of reach as long as [`MAX_OPEN_LOTS`] of the largest size stay below it.
    BalanceLimit,
    /// `created_at` lies after now.
    CreatedInFuture,
    /// The account already holds [`MAX_OPEN_LOTS`].
    AccountFull,
}

/// Applies one operation to the state of one customer's account, at `clock` or at the time of the last write, whichever
/// is later. `looked` is what is known about this operation in history that has left the account; what was looked up for
/// another operation counts as nothing.
///
/// # Errors
/// The first refusal, in order of precedence, that the operation meets; the state is then as if nothing had been asked.
pub fn apply(
    state: &State,
    operation: &Operation,
    looked: &Looked,
    clock: Timestamp,
) -> Result<Applied, Refusal> {
    let now = state.now(clock);
    let mark = operation.mark();
    let nothing = Looked::nothing(operation);
    let looked = match looked.is_of(&mark.identity) {
        true => looked,
        false => &nothing,
    };
    match recognise(state, mark, looked, now)? {
        Recognised::New => {}
        Recognised::Unseen(unseen) => return Ok(Applied::Unseen(unseen)),
        Recognised::Done(replay) => {
            return Ok(match remember_key(state, mark, replay, now) {
                Some(record) => Applied::Remembered(record),
                None => Applied::Replayed(replay),
            });
        }
    }
    match operation {
        Operation::Create { mark, start } => create(state, mark, start.as_ref(), now),
        Operation::Add { mark, lot } => add(state, mark, lot, now),
        Operation::Redeem { mark, redemption } => redeem(state, mark, redemption, now),
        Operation::Delete { mark } => Ok(delete(state, mark, now)),
    }
}

/// Whether an operation was done before.
enum Recognised {
    New,
    Done(Replay),
    Unseen(Unseen),
}

/// By what the operation is known as done before, in this life of the account or in an earlier one. A key or an id that
/// belongs to something else is refused; an id of an earlier life with another request is free again.
fn recognise(
    state: &State,
    mark: &OperationMark,
    looked: &Looked,
    now: Timestamp,
) -> Result<Recognised, Refusal> {
    let (account, memory) = match state {
        State::Absent => return Ok(Recognised::New),
        State::Live(account) => (Some(account), &account.memory),
        State::Erased(tombstone) => (None, &tombstone.memory),
    };
    let archived = account.and_then(|account| looked.holder_in(account.generation));
    let holder = account.and_then(|account| account.holder_of(&mark.identity));
    let holder = holder.or(archived);
    let same = holder == Some(&mark.identity)
        || memory.has_retired(&mark.identity, now)
        || looked.has_retired(memory, now);
    let is_generated = mark.identity.fingerprint.is_none();
    // What was found is certain, however much was not looked at.
    let unseen = match same {
        true => None,
        false => looked.unseen(state, now),
    };
    match unseen {
        Some(unseen) if is_generated => return Ok(Recognised::Unseen(unseen)),
        None if same && is_generated => return Ok(Recognised::Done(Replay::Own)),
        _ => {}
    }
    if let Some(key) = &mark.key
        && let Some(known) = memory.request_of(key, now)
    {
        return match known == key {
            true => Ok(Recognised::Done(Replay::Key)),
            false => Err(Refusal::KeyReused),
        };
    }
    match (unseen, holder) {
        (None, _) if same => Ok(Recognised::Done(Replay::Id)),
        (Some(unseen), _) => Ok(Recognised::Unseen(unseen)),
        (None, Some(_)) => Err(Refusal::IdReused),
        (None, None) => Ok(Recognised::New),
    }
}

/// What has to be kept when an operation that was recognised by its id came with a key of its own: from now on that key
/// stands for this request and for no other. Nothing else changes. Not on a tombstone: nothing bounds how many keys it
/// would be sent.
fn remember_key(
    state: &State,
    mark: &OperationMark,
    replay: Replay,
    now: Timestamp,
) -> Option<Record> {
    if replay != Replay::Id || mark.key.is_none() {
        return None;
    }
    let account = state.live()?;
    Some(Record::Live(account.at_write(mark, now)))
}

fn create(
    state: &State,
    mark: &OperationMark,
    start: Option<&NewLot>,
    now: Timestamp,
) -> Result<Applied, Refusal> {
    if state.live().is_some() {
        return Err(Refusal::AlreadyExists);
    }
    let mut account = begin(state, mark, now)?;
    match start {
        Some(lot) => account.add(&mark.identity, lot, now)?,
        None => {
            account.check_room()?;
            account.opened_by = Some(mark.identity.clone());
        }
    }
    Ok(Applied::Changed(Record::Live(account)))
}

fn add(
    state: &State,
    mark: &OperationMark,
    lot: &NewLot,
    now: Timestamp,
) -> Result<Applied, Refusal> {
    let mut account = match state {
        State::Live(account) => account.at_write(mark, now),
        State::Absent | State::Erased(_) => begin(state, mark, now)?,
    };
    account.add(&mark.identity, lot, now)?;
    Ok(Applied::Changed(Record::Live(account)))
}

fn redeem(
    state: &State,
    mark: &OperationMark,
    redemption: &Redemption,
    now: Timestamp,
) -> Result<Applied, Refusal> {
    let account = state.live().ok_or(Refusal::NotFound)?;
    let mut account = account.at_write(mark, now);
    account.redeem(&mark.identity, redemption, now)?;
    Ok(Applied::Changed(Record::Live(account)))
}

/// A deletion is never refused: the tombstone is smaller than the account, but for the deletion's own mark.
fn delete(state: &State, mark: &OperationMark, now: Timestamp) -> Applied {
    let Some(account) = state.live() else {
        return Applied::Unchanged;
    };
    let mut memory = account.memory.after_write(mark, now);
    if let Some(identity) = &account.opened_by {
        memory.retire(identity, account.created_at, now);
    }
    for entry in &account.entries {
        memory.retire(&entry.identity, entry.recorded_at, now);
    }
    memory.retire(&mark.identity, now, now);
    memory
        .histories
        .extend(account.archived.map(|archived| RetiredHistory {
            generation: account.generation,
            archived: archived.sequence,
            at: now,
        }));
    Applied::Changed(Record::Erased(Tombstone {
        generation: account.generation,
        updated_at: now,
        memory,
    }))
}

/// An empty account in the life after `state`, which is not live.
fn begin(state: &State, mark: &OperationMark, now: Timestamp) -> Result<Account, Refusal> {
    let (ended, memory) = match state {
        State::Erased(tombstone) => (
            tombstone.generation,
            tombstone.memory.after_write(mark, now),
        ),
        State::Absent | State::Live(_) => {
            let before_first = first_generation(now).saturating_sub(1);
            (before_first, Memory::default().after_write(mark, now))
        }
    };
    Ok(Account {
        generation: ended.checked_add(1).ok_or(Refusal::AccountFull)?,
        created_at: now,
        updated_at: now,
        opened_by: None,
        lots: Vec::new(),
        archived: None,
        entries: Vec::new(),
        memory,
    })
}

impl Account {
    /// The operation of this life that has the id of `identity`.
    fn holder_of(&self, identity: &Identity) -> Option<&Identity> {
        let written = self.entries.iter().map(|entry| &entry.identity);
        let mut all = self.opened_by.iter().chain(written);
        all.find(|known| known.id == identity.id)
    }

    /// A copy made ready for a write at `now`: without lots that have expired, with the write's key.
    fn at_write(&self, mark: &OperationMark, now: Timestamp) -> Account {
        let mut account = self.clone();
        account.updated_at = now;
        account.lots.retain(|lot| lot.is_valid_at(now));
        account.memory = self.memory.after_write(mark, now);
        account
    }

    fn add(&mut self, identity: &Identity, lot: &NewLot, now: Timestamp) -> Result<(), Refusal> {
        let valid_until = expiry(lot, now);
        let opens = is_valid_at(valid_until, now);
        let active = self.active_at(now);
        let balance_after = match opens {
            true => active.plus(lot.points).ok_or(Refusal::BalanceLimit)?,
            false => active,
        };
        let created_at = created(lot.created_at, now)?;
        self.check_room()?;
        let sequence = self.next_sequence()?;
        if opens {
            self.open(OpenLot {
                sequence,
                id: identity.id.clone(),
                created_at,
                valid_until,
                remaining: lot.points,
            });
        }
        self.entries.push(Arc::new(Entry {
            sequence,
            identity: identity.clone(),
            recorded_at: now,
            created_at,
            description: lot.description.clone(),
            points: lot.points,
            balance_after,
            kind: EntryKind::Added {
                reference_id: lot.reference_id.clone(),
                valid_until,
            },
        }));
        Ok(())
    }

    fn redeem(
        &mut self,
        identity: &Identity,
        redemption: &Redemption,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let active = self.active_at(now);
        let points = redemption.points;
        let balance_after = active
            .minus(points)
            .ok_or(Refusal::Insufficient { active })?;
        let created_at = created(redemption.created_at, now)?;
        let sequence = self.next_sequence()?;
        let takes = self.take(points);
        self.entries.push(Arc::new(Entry {
            sequence,
            identity: identity.clone(),
            recorded_at: now,
            created_at,
            description: redemption.description.clone(),
            points,
            balance_after,
            kind: EntryKind::Redeemed { takes },
        }));
        Ok(())
    }

    fn open(&mut self, lot: OpenLot) {
        let order = lot.consumption_order();
        let place = self
            .lots
            .partition_point(|earlier| earlier.consumption_order() < order);
        self.lots.insert(place, lot);
    }

    /// Takes points out of the lots in their order. The caller has seen that there are as many, all of them valid.
    fn take(&mut self, points: Points) -> Vec<Take> {
        let mut takes = Vec::new();
        let mut wanted = Some(points);
        let mut emptied = 0_usize;
        if takes_newest_first() {
            self.lots.reverse();
        }
        for lot in &mut self.lots {
            let Some(still) = wanted else { break };
            let taken = still.min(lot.remaining);
            takes.push(Take {
                lot: lot.sequence,
                points: taken,
            });
            wanted = still.minus(taken);
            match lot.remaining.minus(taken) {
                Some(left) => lot.remaining = left,
                None => emptied = emptied.saturating_add(1),
            }
        }
        // Only the last lot touched can have something left, so those emptied are the first ones.
        self.lots.drain(..emptied);
        if takes_newest_first() {
            self.lots.reverse();
        }
        takes
    }

    fn next_sequence(&self) -> Result<u64, Refusal> {
        self.sequence().checked_add(1).ok_or(Refusal::AccountFull)
    }

    fn check_room(&self) -> Result<(), Refusal> {
        let held = self.lots.len().saturating_add(self.memory.retired.len());
        match held < MAX_OPEN_LOTS {
            true => Ok(()),
            false => Err(Refusal::AccountFull),
        }
    }
}

fn created(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Refusal> {
    match asked {
        Some(time) if time > now => Err(Refusal::CreatedInFuture),
        Some(time) => Ok(time),
        None => Ok(now),
    }
}

fn expiry(lot: &NewLot, now: Timestamp) -> Option<Timestamp> {
    lot.valid_until.or_else(|| {
        let months = lot.validity_months?;
        // A validity that leaves the calendar ends with the calendar.
        Some(now.plus_months(months).unwrap_or(Timestamp::MAX))
    })
}
