//! The end: nothing goes wrong any more, everybody gets an answer, and every worker must be able to go.

use std::collections::BTreeMap;

use gateway::host::Counter;

use super::World;
use super::seats::Draining;
use crate::checks::Check;

/// How long clients may need until the last of them knows what became of its operation, in microseconds.
const SETTLING_US: u64 = 120_000_000;

/// For how long the world is looked at after the last answer, in microseconds: what nobody waits for must end too.
const QUIET_US: u64 = 4_000_000;

/// A slice of that time.
const SLICE_US: u64 = 100_000;

/// A VM takes no more, in bytes: twice what the largest world here needs.
const MAX_VM_BYTES: usize = 64 << 20;

/// Shared data beside the copies: records, the deny-list, the indexes of names. Bytes.
const MAX_OTHER_SHARED_BYTES: usize = 1 << 20;

/// Items that may wait in the queues of one gateway: each VM rings its bell once before it is heard, and a VM that was lost
/// leaves its ring behind.
const MAX_QUEUED: usize = 1_000;

impl World<'_> {
    pub(super) fn rest(&mut self) {
        for seat in &mut self.seats {
            seat.fates.clear();
            if let Some(vm) = seat.vm.as_mut() {
                vm.trap_never();
            }
        }
        let end_us = self.now_us() + SETTLING_US;
        while (!self.open.is_empty() || self.pausing > 0)
            && self.now_us() < end_us
            && !self.is_over()
        {
            self.run_until(self.now_us() + SLICE_US);
        }
        let now_us = self.now_us();
        if (!self.open.is_empty() || self.pausing > 0) && !self.is_over() {
            let words = format!(
                "{} requests still wait, {} are to be sent again",
                self.open.len(),
                self.pausing
            );
            self.auditor.violated(Check::Answered, now_us, None, words);
        }
        self.check_that_some_was_done();
        self.last_reads();
        self.run_until(self.now_us() + QUIET_US);
        if self.is_over() {
            return;
        }
        self.auditor.finish(self.time.now_us());
        self.check_memory();
        self.end_all();
    }

    /// With nothing under way, no VM has a reason to stay.
    fn end_all(&mut self) {
        let now_us = self.now_us();
        for place in 0..self.seats.len() {
            let seat = &mut self.seats[place];
            if seat.vm.is_none() {
                continue;
            }
            let stays = match seat.draining {
                Draining::Ending => true,
                _ => !self.end(place),
            };
            if stays && !self.is_over() {
                let words = format!("VM {place} holds jobs although nobody waits for any");
                self.auditor.violated(Check::Rest, now_us, None, words);
            }
        }
    }

    fn check_memory(&mut self) {
        let now_us = self.now_us();
        let mut found = Vec::new();
        for (place, seat) in self.seats.iter().enumerate() {
            let bytes = seat.vm.as_ref().map_or(0, host::Vm::memory_bytes);
            if bytes > MAX_VM_BYTES {
                found.push(format!("VM {place} has taken {bytes} bytes"));
            }
        }
        let copies = usize::try_from(self.plan.profile.cache_bytes).unwrap_or(usize::MAX);
        for (number, gateway) in self.gateways.iter().enumerate() {
            let bytes = gateway.shared.data.held_bytes();
            if bytes > copies + MAX_OTHER_SHARED_BYTES {
                found.push(format!(
                    "gateway {number} holds {bytes} bytes of shared data"
                ));
            }
            let queued = gateway.shared.queues.waiting();
            if queued > MAX_QUEUED {
                found.push(format!(
                    "{queued} items wait in the queues of gateway {number}"
                ));
            }
        }
        for words in found {
            self.auditor.violated(Check::Memory, now_us, None, words);
        }
    }

    /// What the filter counted, over all gateways.
    pub(super) fn counters(&self) -> BTreeMap<&'static str, u64> {
        let sum = |name: &str| {
            let name = format!("wasmcustom.{name}");
            let values = self
                .gateways
                .iter()
                .filter_map(|it| it.shared.metrics.value(&name));
            values.sum()
        };
        let names = Counter::ALL.iter().map(|it| it.name());
        names.map(|name| (name, sum(name))).collect()
    }
}
