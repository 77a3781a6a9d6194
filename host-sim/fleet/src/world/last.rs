//! The last reads: when all is over and the engine is there, every worker answers again.

use super::World;
use crate::checks::Check;
use crate::plan::Operation;

/// How long a worker may need until it lets somebody in, in microseconds: the longest pause between two looks at the
/// deny-list (30 s), set back by a clock (20 s), and the time for a look.
const SHUT_US: u64 = 60_000_000;

/// The pause before it is asked again.
const PAUSE_US: u64 = 500_000;

/// A slice of the time that an answer takes.
const SLICE_US: u64 = 10_000;

/// Of so many additions in calm times, one at least must be acknowledged.
const MANY: usize = 10;

impl World<'_> {
    pub(super) fn last_reads(&mut self) {
        self.run_until(self.outages_end_us().max(self.now_us()));
        let until_us = self.now_us() + SHUT_US;
        let mut left: Vec<&Operation> = self.last.iter().collect();
        while !self.is_over() {
            for read in &left {
                self.ask_once(read);
            }
            while !self.open.is_empty() && !self.is_over() {
                self.run_until(self.now_us() + SLICE_US);
            }
            left.retain(|it| self.auditor.answered_so_far(it.number) == 0);
            let Some(shut) = left.first() else { return };
            let now_us = self.now_us();
            if now_us > until_us {
                let words = format!(
                    "worker {} of gateway {} has answered no strict read for {} s, with nothing wrong",
                    shut.worker,
                    shut.gateway,
                    SHUT_US / 1_000_000
                );
                self.auditor.violated(Check::Rest, now_us, None, words);
                return;
            }
            self.run_until(now_us + PAUSE_US);
        }
    }

    /// When nothing is wrong with the engine any more, nor between it and a gateway.
    fn outages_end_us(&self) -> u64 {
        let of_engine = [
            self.engine.down_until_us,
            self.engine.leaderless_until_us,
            self.engine.slow_until_us,
            self.engine.stale_until_us,
        ];
        let of_gateways = self
            .gateways
            .iter()
            .flat_map(|it| [it.cut_until_us, it.stalled_until_us, it.lags_until_us]);
        of_engine.into_iter().chain(of_gateways).max().unwrap_or(0)
    }

    /// A fleet that does nothing does nothing wrong.
    pub(super) fn check_that_some_was_done(&mut self) {
        let calm = self.plan.calm_additions();
        let is_done = |number: &u32| self.auditor.has_acknowledged(*number);
        if calm.len() >= MANY && !calm.iter().any(is_done) {
            let words = format!(
                "of {} additions while nothing was wrong with the engine none was acknowledged",
                calm.len()
            );
            let now_us = self.now_us();
            self.auditor.violated(Check::Answered, now_us, None, words);
        }
    }
}
