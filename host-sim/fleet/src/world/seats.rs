//! Gateways and the places of their VMs: starting, ticking, losing and replacing them.
//!
//! A trap takes all requests of a VM along; the next request brings a new one up, unless the last was started less than a
//! second ago, as Envoy's `FAIL_RELOAD` does. A VM that drains stays until its requests are over and it has said so.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use host::ports::Seeded;
use host::{Address, DEFAULT_RELOAD_BACKOFF_MS, ORDERED_TRAP, Setting, Shared, Trapped, Vm};
use serde_json::json;

use super::{Coming, World};
use crate::checks::Check;
use crate::clock::GatewayClock;
use crate::faults::Fate;
use crate::random::mix;

/// How often a VM is ticked, in microseconds: what the filter asks for.
const TICK_US: u64 = 50_000;

/// How far apart the VMs' ticks are, in microseconds.
const PHASE_US: u64 = 7_300;

/// One gateway's process.
pub(super) struct Gateway {
    pub(super) clock: GatewayClock,
    pub(super) shared: Arc<Shared>,
    /// The place of each worker's VM now.
    pub(super) slots: Vec<usize>,
    /// Until when it does not reach the engine.
    pub(super) cut_until_us: u64,
    /// Until when its watches are told nothing.
    pub(super) stalled_until_us: u64,
    /// Until when what its watch is told takes longer, and by how much.
    pub(super) lags_until_us: u64,
    pub(super) lags_by_us: u64,
}

impl Gateway {
    pub(super) fn new(clock: GatewayClock) -> Self {
        Self {
            clock,
            shared: Arc::default(),
            slots: Vec::new(),
            cut_until_us: 0,
            stalled_until_us: 0,
            lags_until_us: 0,
            lags_by_us: 0,
        }
    }
}

/// The place of a VM.
pub(super) struct Seat {
    pub(super) gateway: usize,
    pub(super) vm: Option<Vm>,
    /// Which VM in this place; what was meant for an earlier one is dropped.
    pub(super) life: u64,
    started_us: u64,
    /// Requests that this VM has.
    pub(super) open: usize,
    /// What becomes of its next calls.
    pub(super) fates: VecDeque<Fate>,
    pub(super) draining: Draining,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Draining {
    No,
    /// It gets no more requests.
    Serving,
    /// It was told to end, and has not said that it has.
    Ending,
    Ended,
}

impl World<'_> {
    /// Starts every VM.
    pub(super) fn begin(&mut self) {
        for gateway in 0..self.gateways.len() {
            for _ in 0..self.plan.profile.vms() {
                let seat = self.new_seat(gateway);
                self.gateways[gateway].slots.push(seat);
                self.bring_up(seat);
            }
        }
    }

    pub(super) fn new_seat(&mut self, gateway: usize) -> usize {
        self.seats.push(Seat {
            gateway,
            vm: None,
            life: 0,
            started_us: 0,
            open: 0,
            fates: VecDeque::new(),
            draining: Draining::No,
        });
        self.seats.len() - 1
    }

    /// A new VM in that place, which finds the shared data.
    pub(super) fn bring_up(&mut self, place: usize) {
        let now_us = self.now_us();
        let seat = &mut self.seats[place];
        seat.life += 1;
        seat.started_us = now_us;
        let (life, gateway) = (seat.life, &self.gateways[seat.gateway]);
        let random = mix(&[self.plan.profile.seed, place as u64, life, now_us]);
        let setting = Setting {
            plugin: Arc::clone(&self.plugin),
            shared: Arc::clone(&gateway.shared),
            address: Address(u32::try_from(place).unwrap_or(u32::MAX)),
            clock: Rc::new(gateway.clock.clone()),
            random: Box::new(Seeded::new(random)),
        };
        match Vm::start(&self.program, setting) {
            Ok(vm) => seat.vm = Some(vm),
            Err(failure) => {
                let words = format!("a VM does not start: {failure}");
                self.auditor.violated(Check::Trap, now_us, None, words);
                return;
            }
        }
        self.trace.line(now_us, "vm-up", || json!({ "vm": place }));
        let phase_us = PHASE_US * (place as u64 % 6);
        self.expect(TICK_US + phase_us, Coming::Tick(place, life));
        self.carry_out(place);
    }

    /// Whether there is a VM for a new request there, now or again.
    pub(super) fn ready(&mut self, place: usize) -> bool {
        let seat = &self.seats[place];
        if seat.vm.is_none() {
            if self.now_us() < seat.started_us + DEFAULT_RELOAD_BACKOFF_MS * 1000 {
                return false;
            }
            self.bring_up(place);
        }
        self.seats[place].vm.is_some()
    }

    pub(super) fn lives(&self, place: usize, life: u64) -> bool {
        let seat = &self.seats[place];
        seat.life == life && seat.vm.is_some()
    }

    pub(super) fn tick(&mut self, place: usize, life: u64) {
        if !self.lives(place, life) {
            return;
        }
        self.expect(TICK_US, Coming::Tick(place, life));
        self.call_vm(place, Vm::tick);
        self.go_on_draining(place);
    }

    /// Calls into a VM that runs, and carries out what it wants. A trap that nobody ordered is a violation.
    pub(super) fn call_vm(
        &mut self,
        place: usize,
        what: impl FnOnce(&mut Vm) -> Result<(), Trapped>,
    ) {
        let Some(vm) = self.seats[place].vm.as_mut() else {
            return;
        };
        let result = what(vm);
        self.after_call(place, result);
    }

    pub(super) fn after_call(&mut self, place: usize, result: Result<(), Trapped>) {
        self.carry_out(place);
        let Err(trapped) = result else { return };
        if !trapped.0.contains(ORDERED_TRAP) {
            let words = format!("VM {place} trapped: {trapped}");
            let now_us = self.now_us();
            self.auditor.violated(Check::Trap, now_us, None, words);
        }
        self.lose(place);
    }

    /// The VM is gone with all that it had under way.
    pub(super) fn lose(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        if seat.vm.take().is_none() {
            return;
        }
        if seat.draining != Draining::No {
            seat.draining = Draining::Ended;
        }
        let now_us = self.now_us();
        self.trace
            .line(now_us, "vm-lost", || json!({ "vm": place }));
        self.streams.retain(|at, _| at.0 != place);
        let mut lost: Vec<u32> = self
            .open
            .keys()
            .filter(|it| it.0 == place)
            .map(|it| it.1)
            .collect();
        lost.sort_unstable();
        for stream in lost {
            self.over(place, stream, None);
        }
    }

    /// A worker gets a new configuration: a new VM for what comes, while the old one finishes what it has.
    pub(super) fn drain(&mut self, gateway: usize, worker: usize) {
        let old = self.gateways[gateway].slots[worker];
        let new = self.new_seat(gateway);
        self.gateways[gateway].slots[worker] = new;
        self.seats[old].draining = match self.seats[old].vm {
            Some(_) => Draining::Serving,
            None => Draining::Ended,
        };
        let now_us = self.now_us();
        self.trace
            .line(now_us, "drain", || json!({ "vm": old, "new_vm": new }));
        self.bring_up(new);
        self.go_on_draining(old);
    }

    /// Tells a VM that drains to end when its requests are over, and lets it go when it has.
    pub(super) fn go_on_draining(&mut self, place: usize) {
        let seat = &mut self.seats[place];
        if seat.draining == Draining::Serving && seat.open == 0 {
            self.end(place);
        }
        let seat = &mut self.seats[place];
        if seat.draining == Draining::Ended && seat.vm.take().is_some() {
            self.streams.retain(|at, _| at.0 != place);
            let now_us = self.now_us();
            self.trace
                .line(now_us, "vm-ended", || json!({ "vm": place }));
        }
    }

    /// Tells a VM to end. Whether it has nothing under way.
    pub(super) fn end(&mut self, place: usize) -> bool {
        let Some(vm) = self.seats[place].vm.as_mut() else {
            return true;
        };
        let ended = vm.begin_shutdown();
        let seat = &mut self.seats[place];
        seat.draining = match ended {
            Ok(true) => Draining::Ended,
            _ => Draining::Ending,
        };
        self.after_call(place, ended.clone().map(|_| ()));
        matches!(ended, Ok(true))
    }

    /// The process of a gateway ends and starts again.
    pub(super) fn restart(&mut self, gateway: usize) {
        for place in 0..self.seats.len() {
            if self.seats[place].gateway == gateway {
                self.lose(place);
            }
        }
        let it = &mut self.gateways[gateway];
        it.shared = Arc::default();
        let now_us = self.now_us();
        self.trace
            .line(now_us, "gateway-restart", || json!({ "gateway": gateway }));
        for place in self.gateways[gateway].slots.clone() {
            self.bring_up(place);
        }
    }
}
