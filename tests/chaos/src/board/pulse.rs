//! The longest time without a success.

use std::time::{Duration, Instant};

/// What succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// A write was acknowledged.
    Write,
    /// Anything else was answered for good: a read, a refusal.
    Other,
}

/// Longest times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// Without any success.
    pub(crate) any: Duration,
    /// Without an acknowledged write.
    pub(crate) write: Duration,
}

impl Gaps {
    /// The longer ones of both.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            any: self.any.max(other.any),
            write: self.write.max(other.write),
        }
    }
}

#[derive(Debug)]
pub(super) struct Pulse {
    last_any: Instant,
    last_write: Instant,
    longest: Gaps,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_any: now,
            last_write: now,
            longest: Gaps::default(),
        }
    }

    pub(super) fn beat(&mut self, success: Success, now: Instant) {
        self.longest = self.gaps(now);
        self.last_any = now;
        if success == Success::Write {
            self.last_write = now;
        }
    }

    /// Up to now, what lasts counted in.
    pub(super) fn gaps(&mut self, now: Instant) -> Gaps {
        self.longest.max(Gaps {
            any: now.saturating_duration_since(self.last_any),
            write: now.saturating_duration_since(self.last_write),
        })
    }

    /// Forgets what was; what lasts begins now.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_also_while_it_lasts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let gaps = |any, write| Gaps {
            any: Duration::from_secs(any),
            write: Duration::from_secs(write),
        };
        let mut pulse = Pulse::new(start);
        pulse.beat(Success::Write, at(2));
        pulse.beat(Success::Other, at(3));
        pulse.beat(Success::Other, at(6));
        assert_eq!(pulse.gaps(at(7)), gaps(3, 5));
        pulse.beat(Success::Write, at(11));
        assert_eq!(pulse.gaps(at(12)), gaps(5, 9));
        pulse.restart(at(12));
        assert_eq!(pulse.gaps(at(13)), gaps(1, 1));
    }
}
