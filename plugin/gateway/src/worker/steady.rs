//! Time for budgets and pauses: it follows the wall clock but never runs backward.
//!
//! The host offers the wall clock alone. One that is set back by an hour would keep every deadline and every pause
//! waiting for that hour; here it only stands still from one reading to the next. One that is set forward ends budgets
//! early, which costs an answer and nothing else.

use crate::gate::Moment;
use crate::host::Host;

/// Milliseconds that only grow.
#[derive(Debug, Default)]
pub(super) struct SteadyClock {
    last_ms: i64,
    /// By how much the wall clock was set back, all in all.
    lead_ms: i64,
}

impl SteadyClock {
    /// Now, never before an earlier reading.
    pub(super) fn now_ms(&mut self, host: &impl Host) -> i64 {
        self.moment(host).steady_ms
    }

    /// Now, by the wall clock and by this one.
    pub(super) fn moment(&mut self, host: &impl Host) -> Moment {
        let wall_ms = host.now().as_millis();
        let now_ms = wall_ms.saturating_add(self.lead_ms);
        let set_back_ms = self.last_ms.saturating_sub(now_ms).max(0);
        self.lead_ms = self.lead_ms.saturating_add(set_back_ms);
        self.last_ms = now_ms.max(self.last_ms);
        Moment {
            wall_ms,
            steady_ms: self.last_ms,
        }
    }
}
