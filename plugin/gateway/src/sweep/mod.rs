//! The sweeper: removes what is left of deleted accounts when nothing remembers it any more.
//!
//! It walks slowly over all accounts of a cluster, page by page, one call at a time, and knows no more of them than the
//! page it is at. Of a tombstone that is old enough the segments go first, then the tombstone; of an account that was
//! begun anew, the segments of its ended lives. Pure: a tick or an answer comes in, at most one call goes out. Who may
//! sweep is decided outside; several at a time do no harm.
//!
//! # Why nothing is lost that counts
//!
//! - *Old enough* is 24 hours after the end of a life, and [`SKEW_MS`] more for clocks that differ. By then no gateway
//!   takes an operation of that life for known, so none looks into its segments; a walk that had begun earlier has long
//!   run out of time. What a document says of ended lives is in the order of their ends.
//! - Every removal compares the revision of the document that it was judged by. A write in between makes it fail, and the
//!   account is judged anew on the next walk. Repeated after an unknown outcome it removes the same, or nothing.
//! - Segments go before their tombstone: it is what leads here. A sweeper that ends in between leaves the tombstone to the next.
//!
//! # Why a write beside it is safe
//!
//! A commit compares with the revision that it was computed from. One computed from the tombstone fails once that is gone
//! (the revision of a key that is not there is 0, and revisions never come again), and is computed anew from nothing. An
//! operation is then new that was done before only if that was forgotten: its id and its key are older than 24 hours. The
//! same holds for a write of an account that is not there, begun before the deleted one came into being and delivered a day
//! late: nothing tells it from a client that sends it again so late.
//!
//! # Why the next life is not taken for the one before
//!
//! A segment of an ended life may be put after its life was swept, by a call of unknown outcome. Lives are therefore not
//! counted from 1 again: one that begins where nothing is remembered is numbered by its time in milliseconds
//! ([`ledger::Account::generation`]), at least a day past the number of any life before it: those began earlier, and went
//! up by one with each deletion. So a late segment, and a late removal, bears a number that no later life has, unless a
//! clock goes wrong by more than a day and hits the millisecond; then a history that does not fit together is refused, not
//! taken. A segment that came so late stays as long as the account has no life, and then until a deletion is swept again.

mod due;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::VecDeque;

use bytes::Bytes;

pub use self::due::SKEW_MS;
use self::due::{Remains, remains};
use self::walk::{Walk, Walked};
use crate::engine::{
    Answer, MalformedAnswer, Method, Removed, read_keys, read_page, read_range, read_removal,
    remove_document, remove_range,
};
use crate::gate::Moment;
use crate::host::{Counter, Host};

/// For how long a VM that may sweep waits before it begins, in milliseconds: what has just started has better to do.
pub const START_AFTER_MS: i64 = 60_000;

/// The pause between two walks, in milliseconds; few accounts are walked over in no time.
pub const REST_MS: i64 = 60 * 60 * 1000;

/// Accounts of one page. With a page a second, a million take three hours.
pub const PAGE_ACCOUNTS: i64 = 100;

/// Segments removed in one call at most: one entry of the engine's log.
pub const REMOVED_SEGMENTS: i64 = 128;

/// The pause after a call that came to nothing, in milliseconds.
const FAILURE_PAUSE_MS: i64 = 10_000;

/// After how long a call counts as failed that was never answered, in milliseconds: longer than any may be configured to
/// take.
const NO_ANSWER_MS: i64 = 120_000;

/// The sweeper of one cluster, as one VM has it.
#[derive(Debug)]
pub struct Sweeper {
    cluster: String,
    interval_ms: u32,
    walk: Walk,
    /// What became of it with the last page.
    walked: Walked,
    page_accounts: i64,
    /// What the last page brought; the first one is being removed.
    found: VecDeque<Remains>,
    step: Step,
    /// When the call that is under way was made, in milliseconds of the steady clock.
    asked_ms: Option<i64>,
    /// When the next call is due, in milliseconds of the steady clock; none: this VM may not sweep.
    due_ms: Option<i64>,
}

/// What the next call is for, or the one under way.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// The next page of accounts.
    Page,
    /// Which segments there are.
    Look,
    /// Removing those from `start` to `end`, not included.
    Segments { start: Vec<u8>, end: Vec<u8> },
    /// Removing the tombstone.
    Tombstone,
}

impl Sweeper {
    /// A sweeper of this cluster, with so many milliseconds between pages; 0: it never sweeps.
    #[must_use]
    pub fn new(cluster: &str, interval_ms: u32) -> Self {
        Self {
            cluster: cluster.to_owned(),
            interval_ms,
            walk: Walk::new(),
            walked: Walked::On,
            page_accounts: PAGE_ACCOUNTS,
            found: VecDeque::new(),
            step: Step::Page,
            asked_ms: None,
            due_ms: None,
        }
    }

    /// The cluster that is swept.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The call to make, if one is due and this VM may sweep. There is none while another is under way.
    pub fn tick(&mut self, now: Moment, may_sweep: bool) -> Option<(Method, Bytes)> {
        if let Some(asked_ms) = self.asked_ms {
            if now.steady_ms.saturating_sub(asked_ms) <= NO_ANSWER_MS {
                return None;
            }
            self.failed(now);
        }
        if !may_sweep || self.interval_ms == 0 {
            self.due_ms = None;
            return None;
        }
        let first_ms = now.steady_ms.saturating_add(START_AFTER_MS);
        if now.steady_ms < *self.due_ms.get_or_insert(first_ms) {
            return None;
        }
        let call = self.call()?;
        self.asked_ms = Some(now.steady_ms);
        Some(call)
    }

    /// The call of this step: the same bytes every time.
    fn call(&self) -> Option<(Method, Bytes)> {
        let found = self.found.front();
        Some(match &self.step {
            Step::Page => {
                let (start, end) = self.walk.range();
                let page = read_range(start, end, self.page_accounts, 0);
                (Method::Range, page)
            }
            Step::Look => {
                let Remains { start, end, .. } = found?;
                let keys = read_keys(start, end, REMOVED_SEGMENTS, 0);
                (Method::Range, keys)
            }
            Step::Segments { start, end } => {
                let Remains { key, revision, .. } = found?;
                (Method::Txn, remove_range(key, *revision, start, end))
            }
            Step::Tombstone => {
                let Remains { key, revision, .. } = found?;
                (Method::Txn, remove_document(key, *revision))
            }
        })
    }

    /// Takes the answer to the call that is under way.
    pub fn answered(&mut self, answer: Answer, now: Moment, host: &impl Host) {
        if self.asked_ms.is_none() {
            return;
        }
        let read = match answer {
            Answer::Message(message) => self.read(message, now, host),
            Answer::Unknown { .. } => Err(MalformedAnswer),
        };
        match read {
            Ok(step) => {
                self.asked_ms = None;
                self.step = step;
                let pause_ms = match (&self.step, self.walked) {
                    (Step::Page, Walked::Round) => REST_MS.max(self.interval_ms.into()),
                    (Step::Page, Walked::On) => self.interval_ms.into(),
                    (Step::Page, Walked::Past)
                    | (Step::Look | Step::Segments { .. } | Step::Tombstone, _) => 0,
                };
                self.due_ms = Some(now.steady_ms.saturating_add(pause_ms));
            }
            Err(MalformedAnswer) => self.failed(now),
        }
    }

    /// What comes next.
    fn read(
        &mut self,
        message: Bytes,
        now: Moment,
        host: &impl Host,
    ) -> Result<Step, MalformedAnswer> {
        match self.step {
            Step::Page => {
                let page = read_page(message)?;
                self.walked = self.walk.took(&page)?;
                let judged = page.documents.iter().map(|it| remains(it, now.wall_ms));
                self.found = judged.flatten().collect();
                // One that had to be made smaller grows again.
                self.page_accounts = self.page_accounts.saturating_mul(2).min(PAGE_ACCOUNTS);
                Ok(self.next_found())
            }
            Step::Look => {
                let keys = read_page(message)?.documents;
                let Some(found) = self.found.front() else {
                    return Ok(Step::Page);
                };
                let range = found.start.as_slice()..found.end.as_slice();
                // What follows is a removal: an answer to another question must not become one.
                if keys.iter().any(|it| !range.contains(&it.key.as_ref())) {
                    return Err(MalformedAnswer);
                }
                Ok(match (keys.first(), keys.last()) {
                    (Some(first), Some(last)) => Step::Segments {
                        start: first.key.to_vec(),
                        end: just_behind(&last.key),
                    },
                    _ if found.whole => Step::Tombstone,
                    _ => self.after_this(),
                })
            }
            Step::Segments { .. } => match read_removal(message)? {
                Removed::Keys(removed) => {
                    for _ in 0..removed.min(REMOVED_SEGMENTS) {
                        host.count(Counter::SweptSegments);
                    }
                    Ok(Step::Look)
                }
                Removed::Changed => Ok(self.after_this()),
            },
            Step::Tombstone => {
                if let Removed::Keys(1..) = read_removal(message)? {
                    host.count(Counter::SweptTombstones);
                }
                Ok(self.after_this())
            }
        }
    }

    /// Done with this one.
    fn after_this(&mut self) -> Step {
        self.found.pop_front();
        self.next_found()
    }

    fn next_found(&self) -> Step {
        match self.found.is_empty() {
            true => Step::Page,
            false => Step::Look,
        }
    }

    /// The same again after a pause; less of it, in case it was too much.
    fn failed(&mut self, now: Moment) {
        self.asked_ms = None;
        self.due_ms = Some(now.steady_ms.saturating_add(FAILURE_PAUSE_MS));
        self.page_accounts = self.page_accounts.checked_div(2).unwrap_or(1).max(1);
        if self.step == Step::Page {
            self.walk.failed();
        }
    }
}

/// The key right behind this one.
fn just_behind(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}
