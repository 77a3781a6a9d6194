//! The feed: one watch of an engine for all VMs of a gateway, which keeps the copies of accounts in shared data current.
//!
//! Any VM's root may hold it, one at a time, by a lease in a record that all VMs share ([`Record`]). The holder brings
//! every change to the copy of its account, if there is one, and proves by a heartbeat how far in time it has come. Which
//! copies there are, how they are kept and what is answered from them is decided elsewhere; this decides when they count
//! as current. Pure: a tick, a message, an end or an answer comes in, [`Effect`]s go out.
//!
//! # What holds
//!
//! A copy that is **confirmed**, that is, that carries the record's epoch, holds every change of its account up to the
//! record's `seen`, and everything that was committed before `confirmed_ms`. Three rules make it so.
//!
//! 1. The feed announces before it acts: `working_to` = r, then every change up to r to the copies, then `seen` = r. Each
//!    announcement is a compare-and-set on a record that names the holder, so one that was replaced stops before it touches
//!    anything; what it had begun to bring is brought again by its successor, which goes on behind `seen`.
//! 2. A copy is put in unconfirmed (epoch 0), with the revision H of the store that answered. Then its slot is read back,
//!    then the record is read, and only if `working_to` <= H is its epoch set, by a compare-and-set against the slot as it
//!    was read back ([`may_confirm`]). Had the feed passed a change of that account newer than H without finding the copy,
//!    it would have announced it before, and the record would say so. What it announces later, it brings to a copy that is
//!    there: the compare proves that it was there all the time. (Without reading back, a copy could be driven out and put
//!    in again by a third VM in between, and the compare would not notice.)
//! 3. [`HeldCopies::refresh`] takes only newer revisions, and leaves the epoch as it is: a holder that was replaced may still
//!    be at it, with a change that its successor brought long ago, and must not confirm what the successor never saw. For
//!    the same reason a newer document that a commit puts over a confirmed copy of the same account, in one
//!    compare-and-set, may keep that copy's epoch.
//!
//! Under load a copy may miss its chance, since any account's change moves `working_to`: it is then read once more. Once
//! confirmed it stays so while it is held.
//!
//! # When in doubt
//!
//! The epoch is raised, and every copy has to be confirmed anew: on another store, on a compaction past `seen`, on a store
//! that is behind what it told once (a restored one, or a member that lags), on an answer that makes no sense or is too large,
//! on a copy that could not be refreshed, and after a pause of over [`RESUME_WITHIN_MS`]. A break or a change of holder alone
//! is none: the watch goes on behind `seen`, and what comes twice changes nothing.
//!
//! Epochs begin at a random number, so that a record of another cluster's name or layout never means the same epoch by
//! chance. Time is the wall clock of one machine; if it is set back by some amount, copies may be older by that amount than is said.

mod beat;
mod freshness;
mod held;
mod record;
#[cfg(test)]
mod tests;
mod watching;

use bytes::Bytes;

use self::beat::{Beat, Due, Verdict};
pub use self::freshness::{Freshness, may_confirm};
use self::record::Holder;
pub use self::record::{LEASE_MS, Record};
use crate::accounts::keys;
use crate::engine::{Answer, Change, StoreId, watch_range};
use crate::gate::Moment;
use crate::host::{Counter, Host, When};
use crate::planted::{Bug, is_planted};

/// Pauses between two openings of the watch, in milliseconds: the first, and the longest; they double.
const PAUSE_MS: (i64, i64) = (50, 1_000);

/// For how long an opening may go unanswered, in milliseconds.
const OPENING_MS: i64 = 2_000;

/// For how long, beyond the staleness that is allowed, the feed may have proved nothing and still go on where it was, in
/// milliseconds. Longer, and to begin anew is both quicker than to catch up and safe from an engine that was restored
/// from a backup in the meantime and has outrun what it had told.
pub const RESUME_WITHIN_MS: i64 = 10_000;

/// Heartbeats in the time that is allowed as staleness: one may be late without a gap.
const BEATS: i64 = 3;

/// gRPC status `RESOURCE_EXHAUSTED`: a message was too large, here or there. It would come again.
pub const TOO_LARGE: u32 = 8;

/// A copy is in the way that nobody could change in time: it may have missed a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRefreshed;

/// The copies that a gateway holds, as the feed needs them.
pub trait HeldCopies {
    /// Brings the account under `key` to this change, if a copy of it is held that is older and of this store: the new value
    /// in its place; when that is none, that there is nothing. Never puts in a copy and never changes an epoch.
    ///
    /// # Errors
    /// [`NotRefreshed`] when others wrote there each time: the feed then puts all copies in doubt.
    fn refresh(
        &self,
        host: &impl Host,
        key: &[u8],
        store: StoreId,
        change: &Change,
    ) -> Result<(), NotRefreshed>;
}

/// What the feed wants carried out, in this order. It has at most one stream and waits for at most one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Open a stream to `Watch/Watch` with this message.
    Open(Bytes),
    /// Close the stream; nothing more of it is to be told.
    Close,
    /// Make this `KV/Txn` call, in place of an earlier one that is not answered.
    Call(Bytes),
}

/// The feed of one cluster, as one VM sees it.
#[derive(Debug)]
pub struct Feed {
    cluster: String,
    name: String,
    max_staleness_ms: i64,
    call_timeout_ms: u32,
    /// Drawn when it is first needed.
    me: Option<Holder>,
    /// As last seen.
    record: Option<Record>,
    holding: Option<Holding>,
    /// Whether this VM is going and takes nothing over any more.
    retired: bool,
    effects: Vec<Effect>,
}

/// What only the holder knows.
#[derive(Debug)]
struct Holding {
    link: Link,
    pause_ms: i64,
    /// Whether the next watch begins anew, whatever the record says.
    anew: bool,
    beat: Beat,
}

/// The state of the watch. Times are milliseconds of the steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Down { until_ms: i64 },
    Opening { from: i64, until_ms: i64 },
    Up,
}

impl Feed {
    /// The feed of this cluster, held by nobody as far as is known. Both times in milliseconds.
    #[must_use]
    pub fn new(cluster: &str, max_staleness_ms: u32, call_timeout_ms: u32) -> Self {
        Self {
            cluster: cluster.to_owned(),
            name: record::name(cluster),
            max_staleness_ms: max_staleness_ms.into(),
            call_timeout_ms,
            me: None,
            record: None,
            holding: None,
            retired: false,
            effects: Vec::new(),
        }
    }

    /// The cluster that is watched.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Takes what is to be carried out.
    #[must_use]
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// How current the copies are, as of the last tick or message; none: the feed has not begun.
    #[must_use]
    pub fn freshness(&self) -> Option<Freshness> {
        self.record.as_ref().and_then(Freshness::of)
    }

    /// Whether this VM holds the feed.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.holding.is_some()
    }

    /// Looks at the record, takes the lease or renews it, opens the watch, sends the heartbeat: whatever is due.
    pub fn tick(&mut self, now: Moment, host: &impl Host) {
        if self.holding.is_none() {
            let (record, when) = record::read(host, &self.name);
            let free = record
                .as_ref()
                .is_none_or(|record| record.has_lapsed(now.wall_ms));
            self.record = record;
            if self.retired || !free || !self.take_over(now, host, when) {
                return;
            }
        } else if !self.keep(now, host) {
            return;
        }
        self.go_on(now, host);
    }

    fn take_over(&mut self, now: Moment, host: &impl Host, when: When) -> bool {
        let Some(me) = self.me.or_else(|| random(host)) else {
            // Without an own name there is no holding; another VM may have one.
            return false;
        };
        self.me = Some(me);
        let record = match &self.record {
            Some(record) => record.clone(),
            None => match random(host) {
                Some(beat) => Record::new(beat),
                None => return false,
            },
        };
        let record = Record {
            holder: me,
            lease_until_ms: now.wall_ms.saturating_add(LEASE_MS),
            ..record
        };
        if host.shared_set(&self.name, &record.encode(), when).is_err() {
            // Lost to another VM: the next tick shows which.
            return false;
        }
        self.record = Some(record);
        self.holding = Some(Holding {
            link: Link::Down {
                until_ms: now.steady_ms,
            },
            pause_ms: PAUSE_MS.0,
            anew: false,
            beat: Beat::default(),
        });
        host.count(Counter::FeedTakeovers);
        true
    }

    /// Sees that this VM still holds the lease, and renews it in time.
    fn keep(&mut self, now: Moment, host: &impl Host) -> bool {
        let (record, _) = record::read(host, &self.name);
        if !self.is_mine(record.as_ref()) {
            self.lose();
            return false;
        }
        let left_ms = record.map_or(0, |it| it.lease_until_ms.saturating_sub(now.wall_ms));
        if (LEASE_MS / 3 * 2..=LEASE_MS).contains(&left_ms) {
            return true;
        }
        self.change(now, host, |_| {})
    }

    fn is_mine(&self, record: Option<&Record>) -> bool {
        self.me.is_some() && record.map(|record| record.holder) == self.me
    }

    /// Changes the record, and renews the lease with it. False: another VM has taken over, and this one holds nothing any more.
    fn change(&mut self, now: Moment, host: &impl Host, change: impl FnOnce(&mut Record)) -> bool {
        let (record, when) = record::read(host, &self.name);
        if let Some(mut record) = record.filter(|record| self.is_mine(Some(record))) {
            record.lease_until_ms = now.wall_ms.saturating_add(LEASE_MS);
            change(&mut record);
            // Nobody else writes a record that is held, so a mismatch is a takeover.
            if host.shared_set(&self.name, &record.encode(), when).is_ok() {
                self.record = Some(record);
                return true;
            }
        }
        self.lose();
        false
    }

    fn lose(&mut self) {
        if let Some(holding) = self.holding.take()
            && !matches!(holding.link, Link::Down { .. })
        {
            self.effects.push(Effect::Close);
        }
    }

    /// Does what is due on the watch.
    fn go_on(&mut self, now: Moment, host: &impl Host) {
        let Some(holding) = &self.holding else {
            return;
        };
        match holding.link {
            Link::Down { until_ms } if now.steady_ms >= until_ms => self.open(now, host),
            Link::Opening { until_ms, .. } if now.steady_ms >= until_ms => self.hang_up(now),
            Link::Down { .. } | Link::Opening { .. } => {}
            Link::Up => match holding.beat.due(now, self.call_timeout_ms) {
                Due::Nothing => {}
                Due::Send => self.beat(now),
                Due::Silence => self.hang_up(now),
            },
        }
    }

    /// Opens the watch, behind what was seen if that is still to be had.
    fn open(&mut self, now: Moment, host: &impl Host) {
        let (Some(holding), Some(record)) = (&mut self.holding, &self.record) else {
            return;
        };
        let proved_ms_ago = now.wall_ms.saturating_sub(record.confirmed_ms);
        let most_ms = RESUME_WITHIN_MS.saturating_add(self.max_staleness_ms);
        let goes_on = !holding.anew && record.epoch != 0 && (0..=most_ms).contains(&proved_ms_ago);
        let from = match goes_on {
            true if is_planted(Bug::ResumeOffByOne) => record.seen.saturating_add(2),
            true => record.seen.saturating_add(1),
            false => 0,
        };
        holding.link = Link::Opening {
            from,
            until_ms: now.steady_ms.saturating_add(OPENING_MS),
        };
        let (start, end) = keys::fed_range();
        self.effects
            .push(Effect::Open(watch_range(&start, &end, from)));
        host.count(Counter::FeedOpenings);
    }

    /// Closes the watch and opens another after a pause.
    fn hang_up(&mut self, now: Moment) {
        self.effects.push(Effect::Close);
        self.is_down(now);
    }

    fn is_down(&mut self, now: Moment) {
        if let Some(holding) = &mut self.holding {
            holding.link = Link::Down {
                until_ms: now.steady_ms.saturating_add(holding.pause_ms),
            };
            holding.pause_ms = holding.pause_ms.saturating_mul(2).min(PAUSE_MS.1);
        }
    }

    /// Closes the watch and begins anew, after a pause or at once.
    fn doubt(&mut self, now: Moment, host: &impl Host, at_once: bool) {
        self.hang_up(now);
        if let Some(holding) = &mut self.holding {
            holding.anew = true;
        }
        if at_once {
            self.open(now, host);
        }
    }

    /// Takes note that the stream has ended, or could not be opened.
    pub fn closed(&mut self, grpc_status: u32, now: Moment) {
        self.is_down(now);
        if let Some(holding) = &mut self.holding {
            holding.anew |= grpc_status == TOO_LARGE;
        }
    }

    /// Sends the heartbeat.
    fn beat(&mut self, now: Moment) {
        let (Some(holding), Some(record), Some(me)) = (&mut self.holding, &self.record, &self.me)
        else {
            return;
        };
        let interval_ms = self.max_staleness_ms / BEATS;
        let (name, base) = (&record.beat, record.beat_revision);
        let message = holding.beat.send(me, name, base, interval_ms, now);
        self.effects.push(Effect::Call(message));
    }

    /// Takes the answer to the last call.
    pub fn answered(&mut self, answer: Answer, now: Moment, host: &impl Host) {
        let (Some(holding), Some(record)) = (&mut self.holding, &self.record) else {
            return;
        };
        if holding.link != Link::Up {
            return;
        }
        match holding
            .beat
            .answered(answer, &record.beat, record.store, now)
        {
            Verdict::Fine => {}
            Verdict::At(revision) => {
                self.change(now, host, |record| record.beat_revision = revision);
            }
            Verdict::HistoryLost => self.doubt(now, host, false),
        }
    }

    /// Gives up the lease, so that another VM need not wait for its end, and takes none any more.
    pub fn release(&mut self, now: Moment, host: &impl Host) {
        self.retired = true;
        if self.holding.is_some() {
            self.change(now, host, |record| {
                record.holder = [0; 16];
                record.lease_until_ms = 0;
            });
            self.lose();
        }
    }
}

fn random<const N: usize>(host: &impl Host) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    host.random(&mut bytes).ok()?;
    Some(bytes)
}
