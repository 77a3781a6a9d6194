//! Several operations on one account as one change of its document.
//!
//! Operations are applied one after the other, each to what the one before it left; each has its own verdict, exactly as
//! if it had been made alone. What the verdicts are worth is not known here: they hold once the document they were
//! computed from is known to have been the account's at some moment after the operations arrived.

use bytes::Bytes;
use ledger::{
    Applied, EntryId, Identity, Looked, NewLot, Operation, Record, Refusal, Replay, Segment, State,
    Timestamp, Tombstone, TombstoneParts, Unseen,
};

use super::document::{self, MAX_DOCUMENT_BYTES, REDEEM_RESERVE_BYTES};
use super::job::Written;
use crate::planted::{Bug, is_planted};

/// Operations that one change takes at most: its verdicts wait for one answer, and one worker applies them in one go.
pub const MAX_FOLDED: usize = 64;

/// Bytes of texts in the operations of one change, after which no further one is taken: what is folded must not make a
/// document longer than what leaves it for a segment makes it shorter.
pub const FULL_FOLD_BYTES: usize = 8 * 1024;

/// One operation, and what is known of it besides.
#[derive(Debug)]
pub struct Folded<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// What is known of it in history that has left the document.
    pub looked: &'a Looked,
    /// Whether a commit of it was made whose outcome is not known, and only its client's own id tells it from a
    /// repetition.
    pub unsure: bool,
}

/// What becomes of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Done, by this request or by an earlier one.
    Written(Written),
    /// Refused.
    Refused(Refusal),
    /// Not judged: this has to be looked through first.
    Unseen(Unseen),
}

/// The verdicts on the first operations, and the document that makes them true.
#[derive(Debug)]
pub struct Fold {
    /// One for each operation that was taken, in their order; at least one if there was one.
    pub verdicts: Vec<Verdict>,
    /// What has to be committed; none: no operation changes anything.
    pub next: Option<Next>,
    /// Whether an operation was refused, or its key not remembered, only because the document would grow too large.
    pub too_large: bool,
}

/// The account after the operations.
#[derive(Debug)]
pub struct Next {
    /// The state.
    pub state: State,
    /// The state as it is kept.
    pub document: Bytes,
}

/// Applies as many of the operations as one document takes, in their order, at the time `clock`; and takes out of the
/// document what `kept` holds, segments of the base that the engine is known to have.
#[must_use]
pub fn fold(base: &State, operations: &[Folded<'_>], kept: &[Segment], clock: Timestamp) -> Fold {
    let mut most = most_folded(operations);
    loop {
        let (taken, _) = operations.split_at_checked(most).unwrap_or_default();
        match apply_all(base, taken, kept, clock) {
            Ok(fold) => return fold,
            Err(TooLarge) if most > 1 => most = most.checked_div(2).unwrap_or(1),
            // Alone it does not fit: it is done without its key being remembered, or refused.
            Err(TooLarge) => return alone_too_large(base, taken, clock),
        }
    }
}

fn most_folded(operations: &[Folded<'_>]) -> usize {
    let mut bytes = 0_usize;
    let before_full = operations.iter().take(MAX_FOLDED).take_while(|it| {
        let fits = bytes < FULL_FOLD_BYTES;
        bytes = bytes.saturating_add(text_bytes(it.operation));
        fits
    });
    before_full.count()
}

fn text_bytes(operation: &Operation) -> usize {
    let of_lot = |lot: &NewLot| {
        let description = lot.description.as_ref().map_or(0, |it| it.as_str().len());
        let reference = lot.reference_id.as_ref().map_or(0, |it| it.as_str().len());
        description.saturating_add(reference)
    };
    let texts = match operation {
        Operation::Create { start, .. } => start.as_ref().map_or(0, of_lot),
        Operation::Add { lot, .. } => of_lot(lot),
        Operation::Redeem { redemption, .. } => {
            let description = redemption.description.as_ref();
            description.map_or(0, |it| it.as_str().len())
        }
        Operation::Delete { .. } => 0,
    };
    texts.saturating_add(operation.mark().identity.id.as_str().len())
}

/// The document would pass [`MAX_DOCUMENT_BYTES`].
struct TooLarge;

fn apply_all(
    base: &State,
    operations: &[Folded<'_>],
    kept: &[Segment],
    clock: Timestamp,
) -> Result<Fold, TooLarge> {
    let mut verdicts = Vec::with_capacity(operations.len());
    let mut changed: Option<State> = None;
    for it in operations {
        let state = changed.as_ref().unwrap_or(base);
        let state = match is_planted(Bug::FoldForgets) {
            true => base,
            false => state,
        };
        let (verdict, next) = judge(state, it, clock);
        verdicts.push(verdict);
        if let Some(record) = next {
            changed = Some(record.into());
        }
    }
    // An account that is full can still be used up.
    let redeems = |it: &Folded<'_>| matches!(it.operation, Operation::Redeem { .. });
    let reserved = match operations.iter().all(redeems) {
        true => 0,
        false => REDEEM_RESERVE_BYTES,
    };
    let next = changed.and_then(|state| record(state, kept));
    let next = next.map(|record| keep(record, reserved)).transpose()?;
    Ok(Fold {
        verdicts,
        next,
        too_large: false,
    })
}

fn judge(state: &State, it: &Folded<'_>, clock: Timestamp) -> (Verdict, Option<Record>) {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let clock = match it.operation {
        Operation::Redeem { .. } if is_planted(Bug::RedeemsExpired) => {
            Timestamp::from_millis(clock.as_millis().saturating_sub(DAY_MS)).unwrap_or(clock)
        }
        _ => clock,
    };
    match ledger::apply(state, it.operation, it.looked, clock) {
        Ok(Applied::Replayed(_)) if is_planted(Bug::ReplayRefused) => {
            (Verdict::Refused(Refusal::IdReused), None)
        }
        Ok(Applied::Changed(Record::Erased(tombstone))) if is_planted(Bug::OwnIdsForgotten) => {
            let next = forgetful(&tombstone).unwrap_or(tombstone);
            (Verdict::Written(Written::Done), Some(Record::Erased(next)))
        }
        Ok(Applied::Changed(next) | Applied::Remembered(next)) => {
            (Verdict::Written(Written::Done), Some(next))
        }
        // A client's own id does not tell this request from an earlier one. One that was made with unknown outcome and
        // is found done was most likely done by that; the client asked once and is answered as if once.
        Ok(Applied::Replayed(Replay::Key)) if !it.unsure && !is_planted(Bug::ReplayNotSaid) => {
            (Verdict::Written(Written::ReplayedByKey), None)
        }
        Ok(Applied::Replayed(_) | Applied::Unchanged) => (Verdict::Written(Written::Done), None),
        Ok(Applied::Unseen(unseen)) => (Verdict::Unseen(unseen), None),
        Err(Refusal::IdReused) if is_planted(Bug::RefusedAndDone) => {
            let mut again = it.operation.clone();
            renew(&mut again);
            let next = match ledger::apply(state, &again, &Looked::nothing(&again), clock) {
                Ok(Applied::Changed(next)) => Some(next),
                _ => None,
            };
            (Verdict::Refused(Refusal::IdReused), next)
        }
        Err(refusal) => (Verdict::Refused(refusal), None),
    }
}

/// A tombstone is never too large: it is bounded by what an account may hold, and a deletion must always be possible.
fn keep(record: Record, reserved: usize) -> Result<Next, TooLarge> {
    let document = document::encode(&record);
    let taken = document.len().saturating_add(reserved);
    if matches!(record, Record::Live(_)) && taken > MAX_DOCUMENT_BYTES {
        return Err(TooLarge);
    }
    Ok(Next {
        state: record.into(),
        document: document.into(),
    })
}

/// The state to be kept, without the entries that segments hold. One that is not the account's next says nothing about it:
/// it is of another life, or the account has let go of it already.
fn record(state: State, kept: &[Segment]) -> Option<Record> {
    match state {
        State::Absent => None,
        State::Live(account) => Some(Record::Live(
            kept.iter().fold(account, |account, segment| {
                account.clone().archive(segment).unwrap_or(account)
            }),
        )),
        State::Erased(tombstone) => Some(Record::Erased(tombstone)),
    }
}

fn alone_too_large(base: &State, operations: &[Folded<'_>], clock: Timestamp) -> Fold {
    let verdict = |it: &Folded<'_>| match ledger::apply(base, it.operation, it.looked, clock) {
        Ok(Applied::Remembered(_)) => Verdict::Written(Written::Done),
        _ => Verdict::Refused(Refusal::AccountFull),
    };
    Fold {
        verdicts: operations.iter().map(verdict).collect(),
        next: None,
        too_large: true,
    }
}

/// Makes another operation of it that does the same: a mistake that is put in on purpose.
pub(super) fn renew(operation: &mut Operation) {
    let (Operation::Create { mark, .. }
    | Operation::Add { mark, .. }
    | Operation::Redeem { mark, .. }
    | Operation::Delete { mark }) = operation;
    let digest = hmac_sha256::Hash::hash(mark.identity.id.as_str().as_bytes());
    let id = EntryId::from_uuid(digest.first_chunk().copied().unwrap_or_default());
    mark.identity = Identity::generated(id);
    mark.key = None;
}

/// A tombstone that remembers clients' own ids alone: a mistake that is put in on purpose.
fn forgetful(tombstone: &Tombstone) -> Option<Tombstone> {
    let mut memory = tombstone.memory().clone();
    memory
        .retired
        .retain(|it| it.identity.fingerprint.is_some());
    let parts = TombstoneParts {
        generation: tombstone.generation(),
        updated_at: tombstone.updated_at(),
        memory,
    };
    Tombstone::from_parts(parts).ok()
}
