//! Time in a fleet: one true time for all, and the wall clock of each gateway, which may be ahead, behind, or set.
//!
//! Every setting of a clock is kept, so that it can be told afterwards what a gateway's clock may have shown between two
//! moments, and by how much it was set back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use host::ports::Clock;

/// Where every clock stands at the beginning, if it is right: milliseconds since 1970.
pub const START_MS: i64 = 1_800_000_000_000;

/// True time, in microseconds since the start. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Time(Rc<Cell<u64>>);

impl Time {
    /// Now.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.0.get()
    }

    /// Moves on.
    pub(crate) fn move_to(&self, us: u64) {
        debug_assert!(us >= self.now_us(), "time never goes back");
        self.0.set(us);
    }
}

/// The clocks of one gateway's machine. Clones share them.
#[derive(Debug, Clone)]
pub struct GatewayClock {
    time: Time,
    offset_ms: Rc<Cell<i64>>,
    settings: Rc<RefCell<Settings>>,
}

impl GatewayClock {
    /// One that is so far ahead.
    #[must_use]
    pub fn new(time: &Time, ahead_ms: i64) -> Self {
        Self {
            time: time.clone(),
            offset_ms: Rc::new(Cell::new(ahead_ms)),
            settings: Rc::new(RefCell::new(Settings::new(ahead_ms))),
        }
    }

    /// Sets the wall clock.
    pub fn step(&self, by_ms: i64) {
        self.offset_ms.set(self.offset_ms.get() + by_ms);
        let mut settings = self.settings.borrow_mut();
        settings.set(self.time.now_us(), by_ms);
    }

    /// What it showed when.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings.borrow().clone()
    }
}

impl Clock for GatewayClock {
    fn now_ns(&self) -> u64 {
        let shown_ms = (START_MS + self.offset_ms.get()).max(0);
        shown_ms.unsigned_abs() * 1_000_000 + self.time.now_us() * 1_000
    }

    fn monotonic_ns(&self) -> u64 {
        self.time.now_us() * 1_000
    }
}

/// All settings of one clock, by time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// When, in microseconds, and how far ahead the clock was from then on, in milliseconds.
    offsets: Vec<(u64, i64)>,
}

impl Settings {
    /// One that is so far ahead from the beginning on.
    #[must_use]
    pub fn new(ahead_ms: i64) -> Self {
        Self {
            offsets: vec![(0, ahead_ms)],
        }
    }

    /// The clock was set by so much.
    pub fn set(&mut self, at_us: u64, by_ms: i64) {
        let before = self.offsets.last().map_or(0, |it| it.1);
        self.offsets.push((at_us, before + by_ms));
    }

    /// What it may have shown between two moments, both included: least and most, in milliseconds since 1970.
    #[must_use]
    pub fn shown(&self, from_us: u64, to_us: u64) -> (i64, i64) {
        let shown = |at_us: u64, offset: i64| START_MS + offset + (at_us / 1000).cast_signed();
        let first = self.offsets.partition_point(|it| it.0 < from_us).max(1) - 1;
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        for (place, &(since_us, offset)) in self.offsets.iter().enumerate().skip(first) {
            if since_us > to_us {
                break;
            }
            let until_us = self.offsets.get(place + 1).map_or(u64::MAX, |it| it.0);
            least = least.min(shown(from_us.max(since_us), offset));
            most = most.max(shown(to_us.min(until_us), offset));
        }
        (least, most)
    }

    /// Since when at the earliest no more than `age_us` may have passed by this clock at the moment `at_us`. Each setting in
    /// between counts: one back lets more time pass than the clock shows, one forward less.
    #[must_use]
    pub fn since(&self, at_us: u64, age_us: u64) -> u64 {
        let mut longest_us = age_us;
        let mut set_ms = 0;
        for pair in self.offsets.windows(2).rev() {
            let [(_, before), (set_at_us, after)] = pair else {
                continue;
            };
            if *set_at_us > at_us {
                continue;
            }
            set_ms += after - before;
            let passed_us = age_us.saturating_add_signed(-set_ms * 1000);
            // Only if the setting lies within what has passed then.
            if at_us.saturating_sub(passed_us) <= *set_at_us {
                longest_us = longest_us.max(passed_us);
            }
        }
        at_us.saturating_sub(longest_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clock_showed_is_known_afterwards() {
        let mut settings = Settings::new(100);
        settings.set(5_000_000, -300);
        settings.set(6_000_000, 1_000);
        assert_eq!(
            settings.shown(0, 1_000_000),
            (START_MS + 100, START_MS + 1_100)
        );
        assert_eq!(
            settings.shown(4_000_000, 5_500_000),
            (START_MS + 4_100, START_MS + 5_300)
        );
        assert_eq!(
            settings.shown(7_000_000, 7_000_000),
            (START_MS + 7_800, START_MS + 7_800)
        );
    }

    #[test]
    fn a_clock_that_is_set_makes_ages_longer_or_shorter() {
        let mut settings = Settings::new(0);
        settings.set(5_000_000, -700);
        assert_eq!(settings.since(4_900_000, 250_000), 4_650_000);
        assert_eq!(settings.since(5_100_000, 250_000), 4_150_000);
        // Also when it was set longer ago than the age itself.
        assert_eq!(settings.since(5_600_000, 250_000), 4_650_000);
        assert_eq!(settings.since(6_000_000, 250_000), 5_750_000);
        settings.set(5_200_000, 700);
        assert_eq!(settings.since(5_300_000, 250_000), 5_050_000);
        assert_eq!(settings.since(5_440_000, 250_000), 5_190_000);
    }
}
