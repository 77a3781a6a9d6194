//! Faults as they come.

use serde_json::json;

use super::engine::UNAVAILABLE;
use super::{Coming, World};
use crate::faults::Fault;

impl World<'_> {
    pub(super) fn mishap(&mut self, fault: Fault) {
        let now_us = self.now_us();
        self.trace
            .line(now_us, "fault", || json!({ "fault": fault }));
        let until = |ms: u32| now_us + u64::from(ms) * 1000;
        match fault {
            Fault::Call {
                gateway,
                worker,
                fate,
            } => {
                let seat = self.gateways[gateway].slots[worker];
                self.seats[seat].fates.push_back(fate);
            }
            Fault::ClientLeaves { number, again } => self.leave(number, again),
            Fault::EngineRestart { down_ms } => {
                self.engine.is_up = false;
                self.engine.starts += 1;
                self.engine.leaderless_until_us = 0;
                self.break_watches(None, UNAVAILABLE);
                self.expect(u64::from(down_ms) * 1000, Coming::EngineUp);
            }
            Fault::LeaderLoss { for_ms } => self.engine.leaderless_until_us = until(for_ms),
            Fault::SlowDisk { for_ms, delay_ms } => {
                self.engine.slow_until_us = until(for_ms);
                self.engine.slow_by_us = u64::from(delay_ms) * 1000;
            }
            Fault::StaleRead { for_ms, behind } => {
                self.engine.stale_until_us = until(for_ms);
                self.engine.stale_by = behind;
            }
            Fault::Compaction { keep } => {
                let revision = self.engine.model.revision() - keep;
                self.engine.model.compact(revision);
            }
            Fault::WatchBreak { gateway, status } => self.break_watches(Some(gateway), status),
            Fault::WatchStall { gateway, for_ms } => {
                self.gateways[gateway].stalled_until_us = until(for_ms);
            }
            Fault::WatchLag {
                gateway,
                for_ms,
                by_ms,
            } => {
                self.gateways[gateway].lags_until_us = until(for_ms);
                self.gateways[gateway].lags_by_us = u64::from(by_ms) * 1000;
            }
            Fault::Partition { gateway, for_ms } => {
                self.gateways[gateway].cut_until_us = until(for_ms);
            }
            Fault::VmLost { gateway, worker } => {
                let seat = self.gateways[gateway].slots[worker];
                self.lose(seat);
            }
            Fault::VmTrap {
                gateway,
                worker,
                host_calls,
            } => {
                let seat = self.gateways[gateway].slots[worker];
                if let Some(vm) = self.seats[seat].vm.as_mut() {
                    vm.trap_after(host_calls);
                }
            }
            Fault::Drain { gateway, worker } => self.drain(gateway, worker),
            Fault::GatewayRestart { gateway } => self.restart(gateway),
            Fault::ClockStep { gateway, by_ms } => self.gateways[gateway].clock.step(by_ms),
        }
    }

    /// The watches of a gateway break, or all.
    fn break_watches(&mut self, gateway: Option<usize>, status: u32) {
        let of = |seat: usize| gateway.is_none_or(|it| self.seats[seat].gateway == it);
        let mut broken: Vec<(usize, u32)> =
            self.streams.keys().filter(|it| of(it.0)).copied().collect();
        broken.sort_unstable();
        for (seat, token) in broken {
            let life = self.seats[seat].life;
            self.stream_closed(seat, life, token, status);
        }
    }
}
