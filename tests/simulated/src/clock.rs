//! The clock of a simulated machine: it stands until it is moved, and its wall time can be set without time passing.

use std::cell::Cell;
use std::rc::Rc;

use host::ports::Clock;

/// Where every simulated machine's wall clock begins, in seconds since the epoch.
pub const START_SECONDS: u64 = 1_800_000_000;

/// Two hands: time that passes, and what the wall clock shows. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct SimulatedClock(Rc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    elapsed_ms: Cell<u64>,
    /// By how much the wall clock was set, all in all.
    set_by_ms: Cell<i64>,
}

impl SimulatedClock {
    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.0.elapsed_ms.get()
    }

    /// Moves time on to `elapsed_ms`.
    pub(crate) fn move_to(&self, elapsed_ms: u64) {
        assert!(elapsed_ms >= self.elapsed_ms(), "time never goes back");
        self.0.elapsed_ms.set(elapsed_ms);
    }

    /// Sets the wall clock back or forward; no time passes.
    pub(crate) fn set_by(&self, ms: i64) {
        self.0.set_by_ms.set(self.0.set_by_ms.get() + ms);
    }
}

impl Clock for SimulatedClock {
    fn now_ns(&self) -> u64 {
        let true_ms = START_SECONDS * 1_000 + self.elapsed_ms();
        true_ms.saturating_add_signed(self.0.set_by_ms.get()) * 1_000_000
    }

    fn monotonic_ns(&self) -> u64 {
        self.elapsed_ms() * 1_000_000
    }
}
