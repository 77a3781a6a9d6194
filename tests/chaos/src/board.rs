//! What everybody taking part tells and looks at while it happens: counts, the time since the last success, whether most
//! members are there, and what was found wrong.
//!
//! It counts and compares moments; it refuses to know what was asked, and judges nothing but what it is told.

mod pulse;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pulse::Pulse;
pub(crate) use pulse::{Gaps, Success};

use crate::GATEWAYS;
use crate::connection::Broken;

/// Findings that are kept word for word; all are counted.
const MAX_FINDINGS: usize = 40;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Operations acknowledged.
    Acknowledged,
    /// Of these, by a gateway that found them done.
    FoundDone,
    /// Operations refused for good.
    Refused,
    /// Operations that were not known to be done or not at some time.
    Unknown,
    /// Operations refused while an earlier copy might still come.
    LeftOpen,
    /// Requests sent again.
    Retried,
    /// Balances and summaries read as configured.
    BoundedReads,
    /// Read strictly.
    StrictReads,
    /// Read with a session's revision.
    SessionReads,
    /// Answers that said that they were stale.
    StaleReads,
    /// Answered 503.
    Unavailable,
    /// Nobody was reached.
    Unsent,
    /// Cut off in the middle.
    Cut,
    /// Not answered in time.
    Silent,
}

impl Count {
    pub(crate) const ALL: [Self; 14] = [
        Self::Acknowledged,
        Self::FoundDone,
        Self::Refused,
        Self::Unknown,
        Self::LeftOpen,
        Self::Retried,
        Self::BoundedReads,
        Self::StrictReads,
        Self::SessionReads,
        Self::StaleReads,
        Self::Unavailable,
        Self::Unsent,
        Self::Cut,
        Self::Silent,
    ];
}

/// What was counted up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts([u64; Count::ALL.len()]);

impl Counts {
    pub(crate) fn of(&self, count: Count) -> u64 {
        self.0.get(count as usize).copied().unwrap_or(0)
    }
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    gateway: usize,
    quorum: u64,
    drain: u64,
}

/// The board.
#[derive(Debug)]
pub(crate) struct Board {
    start: Instant,
    counts: [AtomicU64; Count::ALL.len()],
    pulse: Mutex<Pulse>,
    /// Odd while most members are known to be gone.
    quorum: AtomicU64,
    /// Of each gateway: odd while it drains.
    drains: [AtomicU64; GATEWAYS],
    on_the_way: [AtomicU64; GATEWAYS],
    findings: Mutex<Vec<String>>,
    found: AtomicU64,
    is_over: AtomicBool,
}

impl Board {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            counts: Default::default(),
            pulse: Mutex::new(Pulse::new(start)),
            quorum: AtomicU64::new(0),
            drains: Default::default(),
            on_the_way: Default::default(),
            findings: Mutex::default(),
            found: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        }
    }

    /// Since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn count(&self, count: Count) {
        if let Some(counter) = self.counts.get(count as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (to, from) in counts.0.iter_mut().zip(&self.counts) {
            *to = from.load(Ordering::Relaxed);
        }
        counts
    }

    /// Something was answered as it should be.
    pub(crate) fn succeeded(&self, success: Success) {
        self.pulse(|pulse, now| pulse.beat(success, now));
    }

    /// From now on the longest times without a success are measured anew.
    pub(crate) fn measure_gaps(&self) {
        self.pulse(Pulse::restart);
    }

    /// The longest times without a success since [`Board::measure_gaps`].
    pub(crate) fn gaps(&self) -> Gaps {
        self.pulse(|pulse, now| pulse.gaps(now))
    }

    fn pulse<T>(&self, work: impl FnOnce(&mut Pulse, Instant) -> T) -> T {
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut pulse, Instant::now())
    }

    /// Most members are gone, or are to be there again from now on.
    pub(crate) fn quorum_changes(&self) {
        self.quorum.fetch_add(1, Ordering::SeqCst);
    }

    /// The gateway begins to drain, or has ended.
    pub(crate) fn drain_changes(&self, gateway: usize) {
        if let Some(drain) = self.drains.get(gateway) {
            drain.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Requests that the gateway has not answered.
    pub(crate) fn on_the_way(&self, gateway: usize) -> u64 {
        let count = self.on_the_way.get(gateway);
        count.map_or(0, |count| count.load(Ordering::SeqCst))
    }

    /// A request leaves for that gateway.
    pub(crate) fn leaves(&self, gateway: usize) -> Ticket {
        if let Some(count) = self.on_the_way.get(gateway) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ticket {
            gateway,
            quorum: self.quorum.load(Ordering::SeqCst),
            drain: self.drain(gateway),
        }
    }

    /// Its end. Tells whether most members were gone all the while.
    pub(crate) fn ends<T>(&self, ticket: Ticket, outcome: &Result<T, Broken>) -> bool {
        let Ticket { gateway, .. } = ticket;
        if let Some(count) = self.on_the_way.get(gateway) {
            count.fetch_sub(1, Ordering::SeqCst);
        }
        if let Err(broken) = outcome {
            self.count(match broken {
                Broken::Unsent => Count::Unsent,
                Broken::Cut => Count::Cut,
                Broken::Silent => Count::Silent,
            });
            let drain = self.drain(gateway);
            if *broken != Broken::Unsent && ticket.drain + 1 == drain && drain % 2 == 1 {
                let name = crate::gateway_name(gateway);
                self.find(format!(
                    "a request was on its way when {name} began to drain, and got no answer ({broken:?})"
                ));
            }
        }
        ticket.quorum % 2 == 1 && ticket.quorum == self.quorum.load(Ordering::SeqCst)
    }

    fn drain(&self, gateway: usize) -> u64 {
        let drain = self.drains.get(gateway);
        drain.map_or(0, |drain| drain.load(Ordering::SeqCst))
    }

    /// Something is wrong.
    pub(crate) fn find(&self, what: String) {
        self.found.fetch_add(1, Ordering::SeqCst);
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < MAX_FINDINGS {
            let at = self.now().as_secs_f64();
            findings.push(format!("{at:7.2} s  {what}"));
        }
    }

    /// How much was found wrong.
    pub(crate) fn found(&self) -> u64 {
        self.found.load(Ordering::SeqCst)
    }

    /// The first of what was found wrong.
    pub(crate) fn findings(&self) -> Vec<String> {
        let findings = self.findings.lock();
        findings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No client begins anything more.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_suspect_only_when_most_members_were_gone_all_the_while() {
        let board = Board::new();
        let answered = |ticket| board.ends(ticket, &Ok(()));
        let before = board.leaves(0);
        board.quorum_changes();
        let within = board.leaves(0);
        let until_after = board.leaves(1);
        assert_eq!([before, within].map(answered), [false, true]);
        board.quorum_changes();
        assert!(!answered(until_after));
        assert_eq!([0, 1].map(|gateway| board.on_the_way(gateway)), [0, 0]);
    }

    #[test]
    fn a_drain_answers_what_was_on_its_way_when_it_began() {
        let board = Board::new();
        let [early, answered] = [board.leaves(1), board.leaves(1)];
        board.drain_changes(1);
        let late = board.leaves(1);
        board.ends(answered, &Ok(()));
        board.ends::<()>(late, &Err(Broken::Cut));
        assert_eq!(board.found(), 0);
        board.ends::<()>(early, &Err(Broken::Cut));
        assert_eq!(board.found(), 1, "{:?}", board.findings());
        assert_eq!(board.counts().of(Count::Cut), 2);
    }
}
