//! What must be remembered for a day: operations and keys in documents, what is left of ended lives in the engine.
//!
//! A late retry of an old write is known by them alone. Whether a day has passed is judged by the clock that is furthest
//! ahead: whoever forgets earlier than that has no clock to excuse it.

use std::collections::HashSet;

use gateway::sweep::SKEW_MS;
use ledger::{Memory, REMEMBERED_MS, State, Timestamp};

use super::book::{Book, Life};
use super::commits::{Found, hash_of};
use crate::checks::Check;

/// Whether nobody needs any more what ended then, whatever the clock of whoever asks.
pub(super) const fn is_forgotten(ended_ms: i64, most_ms: i64) -> bool {
    most_ms.saturating_sub(ended_ms) > REMEMBERED_MS + SKEW_MS
}

/// What a document remembers besides its history.
pub(super) fn memory_of(state: &State) -> Option<&Memory> {
    match state {
        State::Live(account) => Some(account.memory()),
        State::Erased(tombstone) => Some(tombstone.memory()),
        State::Absent => None,
    }
}

impl Book {
    /// The next document is this, written at `now_ms`: it remembers what the one before it did.
    pub(super) fn remember(&mut self, state: State, now_ms: i64, found: &mut Found) {
        let before = std::mem::replace(&mut self.held, state);
        self.updated_at_ms = now_ms;
        let (Some(before), Some(now)) = (memory_of(&before), memory_of(&self.held)) else {
            return;
        };
        let lists = [
            (kept(&before.keys, &now.keys, now_ms, |it| it.at), "a key"),
            (
                kept(&before.retired, &now.retired, now_ms, |it| it.at),
                "an operation of an ended life",
            ),
            (
                kept(&before.histories, &now.histories, now_ms, |it| it.at),
                "the history of an ended life",
            ),
        ];
        for (is_kept, what) in lists {
            if !is_kept {
                let words = format!("{what} is not remembered, and was less than a day ago");
                found.wrong(Check::History, words);
            }
        }
    }

    /// This life has ended, at `now_ms` at the latest: what it did must be remembered now.
    pub(super) fn end_life(life: &mut Life, memory: &Memory, now_ms: i64, found: &mut Found) {
        let mut histories = memory.histories.iter();
        let history = histories.find(|it| it.generation == life.generation);
        life.ended_ms = Some(history.map_or(now_ms, |it| it.at.as_millis()));
        let archived = history.map_or(0, |it| it.archived);
        let retired: HashSet<u64> = memory
            .retired
            .iter()
            .map(|it| hash_of(&it.identity.id.as_str()))
            .collect();
        let held = usize::try_from(archived).unwrap_or(usize::MAX);
        let held = life.entries.get(held..).unwrap_or_default();
        let is_late = |done_ms: i64| now_ms.saturating_sub(done_ms) <= REMEMBERED_MS;
        let lost = held
            .iter()
            .find(|it| is_late(it.recorded_ms) && !retired.contains(&it.id));
        if archived < life.archived {
            let words = format!(
                "life {} ended, and of its {} entries in segments {archived} are remembered",
                life.generation, life.archived
            );
            found.wrong(Check::History, words);
        } else if let Some(lost) = lost {
            let words = format!(
                "life {} ended, and its operation {} is not remembered",
                life.generation, lost.number
            );
            found.wrong(Check::History, words);
        }
    }

    /// The document was removed, when no clock showed more than `most_ms`.
    pub(super) fn forget(&mut self, most_ms: i64, found: &mut Found) {
        let ended_ms = self.updated_at_ms;
        if !is_forgotten(ended_ms, most_ms) {
            let words = format!(
                "a tombstone was removed {} ms after it was written",
                most_ms.saturating_sub(ended_ms)
            );
            found.wrong(Check::History, words);
        }
        self.held = State::Absent;
    }
}

/// Whether all that was remembered less than a day ago still is, in its order.
fn kept<T: PartialEq>(before: &[T], now: &[T], now_ms: i64, at: impl Fn(&T) -> Timestamp) -> bool {
    let mut held = now.iter();
    before
        .iter()
        .filter(|it| now_ms.saturating_sub(at(it).as_millis()) <= REMEMBERED_MS)
        .all(|it| held.any(|other| other == it))
}
