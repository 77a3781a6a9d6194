//! VMs that share data, the feed of each, one engine, and the copies as the feed sees them.
//!
//! A VM that sleeps gets neither ticks nor messages; what the engine has for it waits. Time moves only by [`Bench::pass`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use crate::access::test_support::NOW_MS;
use crate::engine::{Answer, Change, Method, StoreId};
use crate::feed::record::{self, Record};
use crate::feed::{Effect, Feed, HeldCopies, NotRefreshed};
use crate::gate::Moment;
use crate::host::Host;
use crate::test_support::engine::Engine;
use crate::test_support::engine::watch::Watch;
use crate::test_support::host::{SharedData, TestHost};
use crate::worker::TICK_MS;

pub(super) const CLUSTER: &str = "engine";
pub(super) const MAX_STALENESS_MS: u32 = 900;
pub(super) const CALL_TIMEOUT_MS: u32 = 1_000;
pub(super) const UNAVAILABLE: u32 = 14;

/// A key in the range of accounts.
pub(super) const ACCOUNT: &[u8] = b"/points/1/account/acme/fe1/614";

/// Remembers what it was told, and refuses when it is told to.
#[derive(Default)]
pub(super) struct Told {
    pub(super) changes: RefCell<Vec<(Bytes, StoreId, Change)>>,
    pub(super) refuses: Cell<bool>,
}

impl HeldCopies for Told {
    fn refresh(
        &self,
        _: &impl Host,
        key: &[u8],
        store: StoreId,
        change: &Change,
    ) -> Result<(), NotRefreshed> {
        let key = Bytes::copy_from_slice(key);
        self.changes.borrow_mut().push((key, store, change.clone()));
        match self.refuses.get() {
            true => Err(NotRefreshed),
            false => Ok(()),
        }
    }
}

/// One VM.
pub(super) struct Vm {
    pub(super) feed: Feed,
    pub(super) host: TestHost,
    pub(super) stream: Option<Watch>,
    /// The call that is not answered.
    pub(super) call: Option<Bytes>,
    pub(super) sleeps: bool,
    pub(super) openings: usize,
    pub(super) calls: usize,
}

pub(super) struct Bench {
    clock: Rc<Cell<i64>>,
    /// The steady clock, which nobody sets back.
    steady_ms: i64,
    pub(super) engine: Engine,
    /// Whether the engine can be reached.
    pub(super) down: bool,
    /// Whether the engine, though it answers calls, tells watches nothing.
    pub(super) mute: bool,
    pub(super) copies: Told,
    pub(super) vms: Vec<Vm>,
}

impl Bench {
    pub(super) fn new(vms: u64) -> Self {
        let clock = Rc::new(Cell::new(NOW_MS));
        let shared: Rc<RefCell<SharedData>> = Rc::default();
        let vm = |seed| Vm {
            feed: Feed::new(CLUSTER, MAX_STALENESS_MS, CALL_TIMEOUT_MS),
            host: TestHost::new(Rc::clone(&clock), Rc::clone(&shared), seed),
            stream: None,
            call: None,
            sleeps: false,
            openings: 0,
            calls: 0,
        };
        let vms = (1..=vms).map(vm).collect();
        Self {
            clock,
            steady_ms: 0,
            engine: Engine::default(),
            down: false,
            mute: false,
            copies: Told::default(),
            vms,
        }
    }

    /// With a feed that stands and has proved itself, held by the first VM.
    pub(super) fn standing(vms: u64) -> Self {
        let mut bench = Self::new(vms);
        bench.pass(100);
        assert_eq!(bench.holder(), Some(0));
        assert_ne!(bench.record().confirmed_ms, 0);
        bench
    }

    pub(super) fn now(&self) -> Moment {
        Moment {
            wall_ms: self.clock.get(),
            steady_ms: self.steady_ms,
        }
    }

    pub(super) fn set_back(&self, ms: i64) {
        self.clock.set(self.clock.get() - ms);
    }

    pub(super) fn record(&self) -> Record {
        record::read(&self.vms[0].host, &record::name(CLUSTER))
            .0
            .expect("a record")
    }

    pub(super) fn write(&self, record: &Record) {
        let mut shared = self.vms[0].host.shared.borrow_mut();
        shared.put(&record::name(CLUSTER), &record.encode());
    }

    pub(super) fn holder(&self) -> Option<usize> {
        let holding: Vec<usize> = (0..self.vms.len())
            .filter(|&vm| self.vms[vm].feed.holds() && !self.vms[vm].sleeps)
            .collect();
        assert!(holding.len() <= 1, "held twice: {holding:?}");
        holding.first().copied()
    }

    /// Revisions of accounts that the copies were told of.
    pub(super) fn told(&self) -> Vec<i64> {
        let changes = self.copies.changes.borrow();
        changes
            .iter()
            .map(|(_, _, change)| change.revision)
            .collect()
    }

    pub(super) fn tick(&mut self, vm: usize) {
        let now = self.now();
        let Vm { feed, host, .. } = &mut self.vms[vm];
        feed.tick(now, host);
        self.carry_out(vm);
    }

    pub(super) fn message(&mut self, vm: usize, message: Bytes) {
        let now = self.now();
        let Vm { feed, host, .. } = &mut self.vms[vm];
        feed.message(message, &self.copies, now, host);
        self.carry_out(vm);
    }

    pub(super) fn closed(&mut self, vm: usize, grpc_status: u32) {
        self.vms[vm].stream = None;
        let now = self.now();
        self.vms[vm].feed.closed(grpc_status, now);
        self.carry_out(vm);
    }

    pub(super) fn answered(&mut self, vm: usize, answer: Answer) {
        let now = self.now();
        let Vm { feed, host, .. } = &mut self.vms[vm];
        feed.answered(answer, now, host);
        self.carry_out(vm);
    }

    fn carry_out(&mut self, vm: usize) {
        for effect in self.vms[vm].feed.take_effects() {
            match effect {
                Effect::Open(message) => {
                    self.vms[vm].openings += 1;
                    assert!(self.vms[vm].stream.is_none(), "two streams");
                    if self.down {
                        self.closed(vm, UNAVAILABLE);
                        continue;
                    }
                    let (watch, created) = self.engine.watch("", message);
                    self.vms[vm].stream = Some(watch);
                    if !self.mute {
                        self.message(vm, created);
                    }
                }
                Effect::Close => self.vms[vm].stream = None,
                Effect::Call(message) => {
                    self.vms[vm].calls += 1;
                    self.vms[vm].call = Some(message);
                }
            }
        }
    }

    /// The engine carries out a VM's call and answers it.
    pub(super) fn answer(&mut self, vm: usize) {
        let Some(message) = self.vms[vm].call.take() else {
            return;
        };
        let answer = match self.down {
            true => Err(UNAVAILABLE),
            false => self.engine.execute(Method::Txn, &message),
        };
        let answer = match answer {
            Ok(message) => Answer::Message(message),
            Err(grpc_status) => Answer::Unknown { grpc_status },
        };
        self.answered(vm, answer);
    }

    /// The engine tells a VM's watch all that it has not told yet.
    pub(super) fn tell(&mut self, vm: usize) {
        let told = self.vms[vm].stream.as_mut();
        if let Some(message) = told.and_then(|watch| self.engine.tell(watch)) {
            self.message(vm, message);
        }
    }

    /// Answers and tells until there is nothing left.
    pub(super) fn settle(&mut self) {
        for vm in 0..self.vms.len() {
            if self.vms[vm].sleeps {
                continue;
            }
            self.answer(vm);
            if !self.mute && !self.down {
                self.tell(vm);
            }
        }
    }

    /// Moves both clocks, and nothing else happens.
    pub(super) fn forward(&mut self, ms: i64) {
        self.clock.set(self.clock.get() + ms);
        self.steady_ms += ms;
    }

    /// Lets this time pass, a whole number of ticks.
    pub(super) fn pass(&mut self, ms: i64) {
        let tick_ms = i64::from(TICK_MS);
        for _ in 0..ms / tick_ms {
            self.forward(tick_ms);
            for vm in 0..self.vms.len() {
                if !self.vms[vm].sleeps {
                    self.tick(vm);
                }
            }
            self.settle();
        }
    }
}
