//! The heartbeat: a key of this gateway's own in the watched range, which its feed's holder rewrites again and again.
//!
//! When it comes back on the watch, everything that was committed before it was sent has come before it: that is all that
//! a feed knows of time. Its compare also notices a store that has lost history: a key that is at an older revision than
//! the engine once said. What follows from either is [`super::Feed`]'s.

use bytes::Bytes;

use super::record::Holder;
use crate::accounts::keys;
use crate::engine::{Answer, Commit, CommitAnswer, StoreId, read_commit};
use crate::gate::Moment;

/// For how long a heartbeat that the engine has acknowledged may be on its way back, in milliseconds; a watch that has
/// not told of it by then is taken for dead. Under load it stands in line behind what was committed before.
pub const SILENCE_MS: i64 = 2_000;

/// The heartbeat of one holder.
#[derive(Debug, Default)]
pub(super) struct Beat {
    /// When the next is due, in milliseconds of the steady clock.
    next_ms: i64,
    sent: u64,
    flying: Option<Flying>,
}

/// One that was sent and has not come back.
#[derive(Debug)]
struct Flying {
    value: Bytes,
    base: i64,
    sent: Moment,
    outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The call has not ended.
    Pending,
    /// The engine has made the put.
    Applied,
    /// It may or may not make it yet.
    Unknown,
}

/// What a tick asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Send one.
    Send,
    /// One is made and never came: the watch is dead.
    Silence,
}

/// What the answer to a heartbeat's call means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// The key is at this revision: the next heartbeat starts from there.
    At(i64),
    /// The store is another, or has lost what it once acknowledged.
    HistoryLost,
}

impl Beat {
    /// What is to be done at `now`, with calls that end after `call_timeout_ms` at the latest.
    pub(super) fn due(&self, now: Moment, call_timeout_ms: u32) -> Due {
        let Some(flying) = &self.flying else {
            return self.when_due(now);
        };
        let age_ms = now.steady_ms.saturating_sub(flying.sent.steady_ms);
        match flying.outcome {
            Outcome::Applied if age_ms > SILENCE_MS => Due::Silence,
            Outcome::Applied => Due::Nothing,
            // A shell answers every call; one that did not must not end the heartbeat for good.
            Outcome::Pending if age_ms <= i64::from(call_timeout_ms).saturating_add(SILENCE_MS) => {
                Due::Nothing
            }
            Outcome::Pending | Outcome::Unknown => self.when_due(now),
        }
    }

    fn when_due(&self, now: Moment) -> Due {
        match now.steady_ms >= self.next_ms {
            true => Due::Send,
            false => Due::Nothing,
        }
    }

    /// The message of the next heartbeat: `me` puts the key of that name if it still is at `base`.
    pub(super) fn send(
        &mut self,
        me: &Holder,
        name: &[u8; 16],
        base: i64,
        interval_ms: i64,
        now: Moment,
    ) -> Bytes {
        self.sent = self.sent.wrapping_add(1);
        let mut value = me.to_vec();
        value.extend_from_slice(&self.sent.to_be_bytes());
        let value = Bytes::from(value);
        self.next_ms = now.steady_ms.saturating_add(interval_ms);
        self.flying = Some(Flying {
            value: value.clone(),
            base,
            sent: now,
            outcome: Outcome::Pending,
        });
        Commit::new(keys::heartbeat(name).as_bytes(), base, value).message()
    }

    /// Takes the answer to the call of the last heartbeat.
    pub(super) fn answered(
        &mut self,
        answer: Answer,
        name: &[u8; 16],
        store: StoreId,
        now: Moment,
    ) -> Verdict {
        // It has come back before its call has ended.
        let Some(flying) = &mut self.flying else {
            return Verdict::Fine;
        };
        let commit = match answer {
            Answer::Message(message) => read_commit(keys::heartbeat(name).as_bytes(), message),
            Answer::Unknown { .. } => {
                flying.outcome = Outcome::Unknown;
                return Verdict::Fine;
            }
        };
        match commit {
            Ok(CommitAnswer::Applied { store: it, .. }) if it != store => Verdict::HistoryLost,
            Ok(CommitAnswer::Conflict(found)) if found.store != store => Verdict::HistoryLost,
            Ok(CommitAnswer::Applied { .. }) => {
                flying.outcome = Outcome::Applied;
                Verdict::Fine
            }
            Ok(CommitAnswer::Conflict(found)) => {
                let revision = found.document.map_or(0, |document| document.revision);
                if revision < flying.base {
                    return Verdict::HistoryLost;
                }
                // An earlier one of unknown outcome was made after all, or another holder's.
                self.flying = None;
                self.next_ms = now.steady_ms;
                Verdict::At(revision)
            }
            Err(_) => {
                flying.outcome = Outcome::Unknown;
                Verdict::Fine
            }
        }
    }

    /// Takes what the watch says stands under the key now. Some: when it was sent, in milliseconds of the wall clock.
    pub(super) fn came(&mut self, value: Option<&Bytes>) -> Option<i64> {
        let flying = self.flying.take_if(|flying| Some(&flying.value) == value)?;
        Some(flying.sent.wall_ms)
    }

    /// The watch is another one, which may not tell of what was sent before: the next one is due.
    pub(super) fn restart(&mut self, now: Moment) {
        self.flying = None;
        self.next_ms = now.steady_ms;
    }
}
