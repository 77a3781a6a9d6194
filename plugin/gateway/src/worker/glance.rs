//! Reading an account from the gateway's own copy: at once, without a job.

use bytes::Bytes;
use ledger::Timestamp;

use super::Worker;
use crate::accounts::copies::Front;
use crate::accounts::keys::AccountKey;
use crate::accounts::terms::Bound;
use crate::host::Host;
use crate::planted::{Bug, is_planted};

/// A copy that is as current as was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// What it says.
    pub front: Front,
    /// Whatever it lacks was committed at most so long ago, in milliseconds.
    pub age_ms: i64,
}

impl Worker {
    /// The account's copy, if there is one that is within `bound` at the time `now`: one or two
    /// reads of shared data, none when no copy at all is.
    #[must_use]
    pub fn glance(
        &self,
        key: &AccountKey,
        bound: Bound,
        now: Timestamp,
        host: &impl Host,
    ) -> Option<Glance> {
        // Taken before the copy is read: what is learned later may say more than the copy holds.
        let known = self.freshness(self.lines.lane_of(key))?;
        let age_ms = known.age_ms(now.as_millis(), bound.max_age_ms)?;
        let front = self.near.front(&self.copies, host, key.digest(), now)?;
        let current = known.covers(front.store, front.epoch);
        let recent = is_planted(Bug::SessionIgnored)
            || front.revision >= bound.at_least
            || known.seen >= bound.at_least;
        (current && recent).then_some(Glance { front, age_ms })
    }

    /// The document of a copy, if it is held too: one more read of shared data.
    #[must_use]
    pub fn document(&self, key: &AccountKey, glance: &Glance, host: &impl Host) -> Option<Bytes> {
        self.copies.document(host, key.digest(), &glance.front)
    }
}
