//! The world: gateways with their workers, the engine, the servers, and everything that is on its way between them.
//!
//! Nothing waits for anything: the clock moves from one event to the next, and two things of one moment happen in the order
//! in which they were begun.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use gateway::engine_model::Engine;
use gateway::engine_model::watch::Watch;
use gateway::worker::TICK_MS;
use host::{CallResponse, Shared};

use super::guest::{self, Guest, Run, Start};
use super::requests::Open;
use crate::driver::{Ask, Behaviour, EngineState, Outcome, Request, Result, Setting, Trouble};

/// When a world begins unless a scenario says otherwise: 2027-01-15T08:00:00Z.
const START_MS: i64 = 1_800_000_000_000;
/// How far the ticks of workers are apart, in milliseconds, as those of a real gateway's threads are.
const PHASE_MS: i64 = 7;
/// Shorter spans pass tick by tick, in milliseconds.
const EXACT_MS: i64 = 600_000;
/// So much of a longer one does too, at its beginning and its end.
const REST_MS: i64 = 5_000;
/// In so many strides the rest of it passes.
const STRIDES: i64 = 100;
/// So much passes tick by tick after each.
const STRIDE_REST_MS: i64 = 300;

/// The world's clock; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Clock(Rc<Cell<i64>>);

impl Clock {
    pub(super) fn now_ms(&self) -> i64 {
        self.0.get()
    }
}

impl host::ports::Clock for Clock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.now_ms())
            .unwrap_or(0)
            .saturating_mul(1_000_000)
    }

    fn monotonic_ns(&self) -> u64 {
        self.now_ns()
    }
}

/// Which worker's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub gateway: usize,
    pub worker: usize,
}

/// One gateway.
pub(super) struct Gateway {
    pub shared: Arc<Shared>,
    pub workers: Vec<Worker>,
    pub log: Vec<String>,
    /// Requests that were sent to no worker of choice: they go to one after the other.
    pub turns: usize,
}

/// A worker's place and who is in it.
pub(super) struct Worker {
    pub guest: Box<dyn Guest>,
    /// Which one in this place; what was meant for an earlier one is dropped.
    pub life: u64,
    pub next_tick_ms: i64,
}

/// Something that will happen.
pub(super) enum Event {
    /// A call reaches the engine.
    ToEngine(EngineCall),
    /// A call to the engine has had its time.
    GivenUp { at: At, life: u64, token: u32 },
    /// Something reaches a worker.
    ToWorker { at: At, life: u64, what: News },
    /// The upstream answers, or the proxy in its place.
    Upstream {
        at: At,
        life: u64,
        stream: u32,
        answer: UpstreamAnswer,
    },
}

/// A call on its way to the engine.
pub(super) struct EngineCall {
    pub at: At,
    pub life: u64,
    pub token: u32,
    pub method: String,
    pub message: Vec<u8>,
}

/// What reaches a worker.
pub(super) enum News {
    Fetched {
        token: u32,
        response: Option<CallResponse>,
    },
    Message {
        token: u32,
        message: Vec<u8>,
    },
    Closed {
        token: u32,
        grpc_status: u32,
    },
    Queue {
        context: u32,
        queue: u32,
    },
}

/// What comes back of a request that was passed on.
pub(super) enum UpstreamAnswer {
    Server(crate::driver::Answer),
    Proxy { status: u16, body: &'static str },
}

/// See the module's text.
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) engine: Engine,
    pub(super) engine_state: EngineState,
    /// Calls that reached a frozen engine.
    pub(super) frozen: Vec<EngineCall>,
    pub(super) gateways: Vec<Gateway>,
    /// Open watches.
    pub(super) watches: BTreeMap<(At, u32), Watch>,
    /// Watches that a frozen engine was asked for.
    pub(super) frozen_watches: BTreeMap<(At, u32), Vec<u8>>,
    pub(super) upstream: Option<Behaviour>,
    pub(super) key_server: Option<Behaviour>,
    pub(super) seen_upstream: Vec<Request>,
    pub(super) seen_key_server: Vec<Request>,
    pub(super) open: BTreeMap<(At, u32), Open>,
    pub(super) done: BTreeMap<Ask, Outcome>,
    /// By time and order.
    events: BTreeMap<(i64, u64), Event>,
    last_number: u64,
    start: Start,
}

impl World {
    pub(super) fn start(setting: &Setting, start: Start) -> Result<Self> {
        let start_ms = setting.time_ms.unwrap_or(START_MS);
        let mut world = Self {
            clock: Clock(Rc::new(Cell::new(start_ms))),
            engine: Engine::default(),
            engine_state: EngineState::Up,
            frozen: Vec::new(),
            gateways: Vec::new(),
            watches: BTreeMap::new(),
            frozen_watches: BTreeMap::new(),
            upstream: None,
            key_server: None,
            seen_upstream: Vec::new(),
            seen_key_server: Vec::new(),
            open: BTreeMap::new(),
            done: BTreeMap::new(),
            events: BTreeMap::new(),
            last_number: 0,
            start,
        };
        for gateway in 0..setting.gateways {
            world.gateways.push(Gateway {
                shared: Arc::default(),
                workers: Vec::new(),
                log: Vec::new(),
                turns: 0,
            });
            for worker in 0..setting.workers {
                let at = At { gateway, worker };
                let worker = world.worker(at)?;
                world.gateways[gateway].workers.push(worker);
                world.carry_out(at)?;
            }
        }
        Ok(world)
    }

    /// A new worker for that place, which finds the shared data.
    pub(super) fn worker(&mut self, at: At) -> Result<Worker> {
        let life = self.number();
        let number = u32::try_from(at.worker).map_err(Trouble::of)?;
        let guest = self.start.guest(guest::Seat {
            shared: Arc::clone(&self.gateways[at.gateway].shared),
            clock: self.clock.clone(),
            number,
            seed: life,
        })?;
        Ok(Worker {
            guest,
            life,
            next_tick_ms: self.now_ms() + i64::from(TICK_MS) + PHASE_MS * i64::from(number),
        })
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn life(&self, at: At) -> u64 {
        self.gateways[at.gateway].workers[at.worker].life
    }

    pub(super) fn expect(&mut self, after_ms: i64, event: Event) {
        let due_ms = self.now_ms() + after_ms;
        let number = self.number();
        self.events.insert((due_ms, number), event);
    }

    pub(super) fn expect_news(&mut self, after_ms: i64, at: At, what: News) {
        let life = self.life(at);
        self.expect(after_ms, Event::ToWorker { at, life, what });
    }

    /// Lets time pass up to this moment.
    pub(super) fn advance_to(&mut self, until_ms: i64) -> Result<()> {
        while let Some(next_ms) = self.next_ms().filter(|&next_ms| next_ms <= until_ms) {
            self.clock.0.set(next_ms.max(self.now_ms()));
            self.happen()?;
        }
        self.clock.0.set(until_ms.max(self.now_ms()));
        Ok(())
    }

    /// Lets time pass up to this moment, tick by tick for a while, then in strides: a month has 52 million ticks, and
    /// between two strides everything that is due happens all the same.
    pub(super) fn leap_to(&mut self, until_ms: i64) -> Result<()> {
        if until_ms - self.now_ms() > EXACT_MS {
            self.advance_to(self.now_ms() + REST_MS)?;
            let stride_ms = (until_ms - REST_MS - self.now_ms()) / STRIDES;
            for _ in 0..STRIDES {
                self.clock.0.set(self.now_ms() + stride_ms - STRIDE_REST_MS);
                self.advance_to(self.now_ms() + STRIDE_REST_MS)?;
            }
        }
        self.advance_to(until_ms)
    }

    /// Lets the next thing happen.
    pub(super) fn step(&mut self) -> Result<()> {
        let next_ms = self
            .next_ms()
            .ok_or_else(|| Trouble("nothing will ever happen".to_owned()))?;
        self.advance_to(next_ms.max(self.now_ms()))
    }

    fn next_ms(&self) -> Option<i64> {
        let workers = self.gateways.iter().flat_map(|it| &it.workers);
        let ticks = workers.map(|worker| worker.next_tick_ms);
        let event = self.events.keys().next().map(|key| key.0);
        ticks.chain(event).min()
    }

    /// All that is due by now.
    fn happen(&mut self) -> Result<()> {
        let now_ms = self.now_ms();
        loop {
            if let Some(due) = self.events.first_entry()
                && due.key().0 <= now_ms
            {
                let event = due.remove();
                self.deliver(event)?;
                continue;
            }
            let Some(at) = self.who_is_due(now_ms) else {
                return Ok(());
            };
            self.gateways[at.gateway].workers[at.worker].next_tick_ms = now_ms + i64::from(TICK_MS);
            self.call(at, |guest| guest.tick())?;
        }
    }

    fn who_is_due(&self, now_ms: i64) -> Option<At> {
        for (gateway, it) in self.gateways.iter().enumerate() {
            let due = |worker: &Worker| worker.next_tick_ms <= now_ms;
            if let Some(worker) = it.workers.iter().position(due) {
                return Some(At { gateway, worker });
            }
        }
        None
    }

    fn deliver(&mut self, event: Event) -> Result<()> {
        match event {
            Event::ToEngine(call) => self.reach_engine(call),
            Event::GivenUp { at, life, token } => {
                // Whoever has had an answer does not look at this one; another life counts its calls anew.
                self.frozen
                    .iter_mut()
                    .filter(|it| (it.at, it.life, it.token) == (at, life, token))
                    .for_each(|it| it.life = 0);
                self.news(
                    at,
                    life,
                    News::Closed {
                        token,
                        grpc_status: UNAVAILABLE,
                    },
                )
            }
            Event::ToWorker { at, life, what } => self.news(at, life, what),
            Event::Upstream {
                at,
                life,
                stream,
                answer,
            } if life == self.life(at) => self.upstream_answers(at, stream, answer),
            Event::Upstream { .. } => Ok(()),
        }
    }

    fn news(&mut self, at: At, life: u64, what: News) -> Result<()> {
        if self.life(at) != life {
            return Ok(());
        }
        self.call(at, |guest| match what {
            News::Fetched { token, response } => guest.fetched(token, response),
            News::Message { token, message } => guest.message(token, message),
            News::Closed { token, grpc_status } => guest.closed(token, grpc_status),
            News::Queue { context, queue } => guest.queue_ready(context, queue),
        })
    }

    /// Calls into a worker and carries out what it wants. One that traps is lost and replaced.
    pub(super) fn call(
        &mut self,
        at: At,
        what: impl FnOnce(&mut dyn Guest) -> Run<()>,
    ) -> Result<()> {
        let worker = &mut self.gateways[at.gateway].workers[at.worker];
        match what(worker.guest.as_mut()) {
            Ok(()) => self.carry_out(at),
            Err(guest::Trap(words)) => {
                self.gateways[at.gateway].log.push(words.clone());
                Err(Trouble(format!("a worker's VM trapped: {words}")))
            }
        }
    }

    /// A worker is gone with all that it had under way; another takes its place.
    pub(super) fn lose(&mut self, at: At) -> Result<()> {
        let worker = self.worker(at)?;
        self.gateways[at.gateway].workers[at.worker] = worker;
        self.watches.retain(|(whose, _), _| *whose != at);
        self.frozen_watches.retain(|(whose, _), _| *whose != at);
        let lost: Vec<_> = self
            .open
            .keys()
            .filter(|key| key.0 == at)
            .copied()
            .collect();
        for key in lost {
            if let Some(open) = self.open.remove(&key) {
                self.done.insert(open.ask, Outcome::Nothing);
            }
        }
        self.carry_out(at)
    }
}

/// gRPC status of a call that was not answered: as Envoy has it, for a dead engine and a frozen one alike.
pub(super) const UNAVAILABLE: u32 = 14;
