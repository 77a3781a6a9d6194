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
        // One that comes while another of its kind still holds does not cut it short.
        let later = |until_us: &mut u64, ms: u32| {
            *until_us = (now_us + u64::from(ms) * 1000).max(*until_us);
        };
        // The longer delay, as long as one of them holds.
        let longer = |by_us: &mut u64, until_us: u64, ms: u32| {
            let before = if until_us > now_us { *by_us } else { 0 };
            *by_us = before.max(u64::from(ms) * 1000);
        };
        let engine = &mut self.engine;
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
                engine.is_up = false;
                engine.starts += 1;
                later(&mut engine.down_until_us, down_ms);
                let (start, wait_us) = (engine.starts, engine.down_until_us - now_us);
                self.break_watches(None, UNAVAILABLE);
                self.expect(wait_us, Coming::EngineUp(start));
            }
            Fault::LeaderLoss { for_ms } => later(&mut engine.leaderless_until_us, for_ms),
            Fault::SlowDisk { for_ms, delay_ms } => {
                longer(&mut engine.slow_by_us, engine.slow_until_us, delay_ms);
                later(&mut engine.slow_until_us, for_ms);
            }
            Fault::StaleRead { for_ms, behind } => {
                let holds = engine.stale_until_us > now_us;
                engine.stale_by = if holds {
                    engine.stale_by.max(behind)
                } else {
                    behind
                };
                later(&mut engine.stale_until_us, for_ms);
            }
            Fault::Compaction { keep } => {
                let revision = engine.model.revision() - keep;
                engine.model.compact(revision);
            }
            Fault::WatchBreak { gateway, status } => self.break_watches(Some(gateway), status),
            Fault::WatchStall { gateway, for_ms } => {
                later(&mut self.gateways[gateway].stalled_until_us, for_ms);
            }
            Fault::WatchLag {
                gateway,
                for_ms,
                by_ms,
            } => {
                let it = &mut self.gateways[gateway];
                longer(&mut it.lags_by_us, it.lags_until_us, by_ms);
                later(&mut it.lags_until_us, for_ms);
            }
            Fault::Partition { gateway, for_ms } => {
                later(&mut self.gateways[gateway].cut_until_us, for_ms);
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
