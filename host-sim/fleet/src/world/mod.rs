//! The world of one seed: gateways with their VMs, one engine, clients, and one queue of all that is on its way.
//!
//! Single-threaded, under virtual time of microseconds; two things of the same moment happen in the order in which they
//! were begun. What is planned comes from the [`Plan`]; all other chance (how long a message takes, which worker a client
//! tries next) is drawn from what it is about, not from how much was drawn before, so that a plan with an event less runs
//! the same way as far as it can. What is right is for the [`Auditor`] to say: the world only tells it what happened.

mod agenda;
mod clients;
mod effects;
mod engine;
mod last;
mod mishaps;
mod patience;
mod rest;
mod seats;
mod streams;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use engine_model::Model;
use host::{CallResponse, Plugin, Program};
use serde_json::json;

use self::agenda::{Agenda, Coming};
use self::clients::Open;
use self::engine::Engine;
use self::seats::{Gateway, Seat};
use self::streams::Stream;
use crate::audit::Auditor;
use crate::checks::{Check, Violation};
use crate::clock::{GatewayClock, Time};
use crate::faults::Fate;
use crate::named::Set;
use crate::plan::{Operation, Plan, What};
use crate::random::mix;
use crate::trace::Trace;
use crate::wire;

/// The identity of the engine's store.
const STORE: u64 = 0x0f1e_2d3c;

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// What does not hold, if anything.
    pub violation: Option<Violation>,
    /// Requests that were answered.
    pub answers: u64,
    /// How often each status was answered; 0: the VM was lost.
    pub statuses: std::collections::BTreeMap<u16, u64>,
    /// Changes that the engine made.
    pub changes: u64,
    /// How much time passed, in microseconds.
    pub elapsed_us: u64,
    /// What happened, if it was to be kept.
    pub trace: Trace,
    /// The filter's counters, summed over the gateways.
    pub counters: std::collections::BTreeMap<&'static str, u64>,
}

pub(crate) struct World<'p> {
    plan: &'p Plan,
    /// Operations by their number, with the time for which they were planned.
    operations: HashMap<u32, (u64, &'p Operation)>,
    /// What is asked for when all is over.
    last: &'p [Operation],
    program: Program,
    plugin: Arc<Plugin>,
    tokens: Vec<String>,
    time: Time,
    agenda: Agenda,
    engine: Engine,
    gateways: Vec<Gateway>,
    seats: Vec<Seat>,
    streams: HashMap<(usize, u32), Stream>,
    /// Requests under way, by VM and stream.
    open: HashMap<(usize, u32), Open>,
    /// Requests by the time at which they came, whether they are answered or not: who waits too long is found here.
    waiting: VecDeque<(u64, usize, u32, u64)>,
    lists_waiting: VecDeque<(u64, usize, u32, u64)>,
    /// The revision that a client has reached in an account.
    sessions: HashMap<(u32, crate::plan::Account), i64>,
    /// Operations that wait to be sent again.
    pausing: usize,
    next_open: u64,
    auditor: Auditor,
    trace: Trace,
    statuses: std::collections::BTreeMap<u16, u64>,
}

impl<'p> World<'p> {
    pub(crate) fn new(
        plan: &'p Plan,
        last: &'p [Operation],
        program: &Program,
        checks: &Set<Check>,
        trace: Trace,
    ) -> Self {
        let profile = &plan.profile;
        let time = Time::default();
        let plugin = Plugin {
            plugin_configuration: wire::configuration(profile).to_string().into_bytes(),
            clusters: [wire::ENGINE_CLUSTER.to_owned()].into(),
            native_signatures: false,
            log_level: host::LogLevel::Warn,
            ..Plugin::default()
        };
        let clocks: Vec<GatewayClock> = (0..profile.gateways)
            .map(|it| {
                let ahead_ms = profile.skew_ms.get(it).copied().unwrap_or(0);
                GatewayClock::new(&time, ahead_ms)
            })
            .collect();
        let operations: HashMap<u32, (u64, &Operation)> = plan
            .events
            .iter()
            .filter_map(|event| match &event.what {
                What::Operation(it) => Some((it.number, (event.at_us, it))),
                What::Fault(_) => None,
            })
            .chain(last.iter().map(|it| (it.number, (0, it))))
            .collect();
        let auditor = Auditor::new(plan, checks, clocks.clone());
        Self {
            plan,
            operations,
            last,
            program: program.clone(),
            plugin: Arc::new(plugin),
            tokens: (0..profile.tenants).map(wire::token).collect(),
            time,
            agenda: Agenda::default(),
            engine: Engine::new(Model::new(STORE)),
            gateways: clocks.into_iter().map(Gateway::new).collect(),
            seats: Vec::new(),
            streams: HashMap::new(),
            open: HashMap::new(),
            waiting: VecDeque::new(),
            lists_waiting: VecDeque::new(),
            sessions: HashMap::new(),
            pausing: 0,
            next_open: 0,
            auditor,
            trace,
            statuses: std::collections::BTreeMap::new(),
        }
    }

    /// Runs the whole plan, calls `progress` with each answer, and comes to rest.
    pub(crate) fn run(mut self, progress: &mut dyn FnMut()) -> Run {
        let mut answered = 0;
        self.begin();
        for event in &self.plan.events {
            self.run_until(event.at_us);
            if self.is_over() {
                break;
            }
            match &event.what {
                What::Operation(operation) => self.ask(operation, event.at_us, 0),
                What::Fault(fault) => self.mishap(*fault),
            }
            let now = self.auditor.answers();
            (answered..now).for_each(|_| progress());
            answered = now;
        }
        if !self.is_over() {
            self.rest();
        }
        (answered..self.auditor.answers()).for_each(|_| progress());
        self.finish()
    }

    fn finish(mut self) -> Run {
        let violation = self.auditor.take_violation();
        if let Some(violation) = &violation {
            let (at_us, shown) = (violation.at_us, violation.to_string());
            self.trace
                .line(at_us, "violation", || json!({ "words": shown }));
        }
        let counters = self.counters();
        Run {
            violation,
            answers: self.auditor.answers(),
            statuses: self.statuses,
            changes: self.auditor.changes(),
            elapsed_us: self.time.now_us(),
            trace: self.trace,
            counters,
        }
    }

    fn now_us(&self) -> u64 {
        self.time.now_us()
    }

    fn is_over(&self) -> bool {
        self.auditor.has_violation()
    }

    /// Whether two runs may differ here: a number from what it is about.
    fn chance(&self, parts: [u64; 3]) -> u64 {
        mix(&[
            self.plan.profile.seed,
            self.now_us(),
            parts[0],
            parts[1],
            parts[2],
        ])
    }

    /// How long a message is on its way between a gateway and the engine.
    fn latency_us(&self, parts: [u64; 3]) -> u64 {
        let (least, most) = self.plan.profile.latency_us;
        let span = u64::from(most - least);
        // Most are quick, a few take as long as it gets.
        let drawn = self.chance(parts);
        let (one, two) = (drawn % (span + 1), (drawn >> 32) % (span + 1));
        u64::from(least) + one.min(two)
    }

    fn expect(&mut self, after_us: u64, thing: Coming) {
        self.agenda.add(self.now_us() + after_us, thing);
    }

    /// Lets everything happen up to this moment.
    fn run_until(&mut self, until_us: u64) {
        while !self.is_over()
            && let Some((due_us, thing)) = self.agenda.next_until(until_us)
        {
            self.time.move_to(due_us.max(self.now_us()));
            self.happen(thing);
            self.look_for_hanging();
        }
        self.time.move_to(until_us.max(self.now_us()));
    }

    fn happen(&mut self, thing: Coming) {
        match thing {
            Coming::Tick(seat, life) => self.tick(seat, life),
            Coming::QueueReady {
                seat,
                context,
                queue,
            } => self.call_vm(seat, |vm| vm.queue_ready(context, queue)),
            Coming::Call(call) => self.arrive(call),
            Coming::Answer { caller, answer } => self.answer(caller, answer),
            Coming::NoConnection { seat, life, token } => {
                if self.lives(seat, life) {
                    self.call_vm(seat, |vm| {
                        vm.http_call_response(token, None::<CallResponse>)
                    });
                }
            }
            Coming::Watch {
                seat,
                life,
                token,
                message,
            } => self.watch(seat, life, token, message),
            Coming::StreamMessage {
                seat,
                life,
                token,
                message,
            } => self.stream_message(seat, life, token, message),
            Coming::Tell { seat, life, token } => self.tell(seat, life, token),
            Coming::StreamClosed {
                seat,
                life,
                token,
                status,
            } => self.stream_closed(seat, life, token, status),
            Coming::EngineUp(start) => self.engine.comes_up(start),
            Coming::Body {
                seat,
                life,
                stream,
                body,
            } => {
                if self.lives(seat, life) && self.open.contains_key(&(seat, stream)) {
                    self.call_vm(seat, |vm| vm.request_body(stream, &body, true));
                }
            }
            Coming::Again { number, attempt } => {
                self.pausing -= 1;
                if let Some(&(at_us, operation)) = self.operations.get(&number) {
                    self.ask(operation, at_us, attempt);
                }
            }
        }
    }

    /// The fate of the next call of a VM, if something is to become of it.
    fn take_fate(&mut self, seat: usize) -> Option<Fate> {
        self.seats.get_mut(seat)?.fates.pop_front()
    }
}
