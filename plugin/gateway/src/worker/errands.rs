//! Jobs that take many calls of their own: one call at a time each, repeated after a pause when it came to nothing.

use std::collections::{BTreeMap, VecDeque};

use ledger::Looked;

use super::lines::{FIRST_PAUSE_MS, MAX_PAUSE_MS};
use super::numbers::Numbers;
use crate::accounts::errand::Errand;
use crate::accounts::job::{Outcome, Progress};
use crate::accounts::line::{Seat, Settled};
use crate::accounts::placement::Placement;
use crate::config::EngineConfig;
use crate::engine::{Answer, Call, CallId};
use crate::host::{Counter, Host};

/// Walks through the history of one account that one worker makes at a time; more of them wait. Each may hold as much as
/// one answer may have.
const MAX_WALKS: usize = 8;

/// The running errands of one worker.
pub(super) struct Errands {
    clusters: Vec<String>,
    placement: Placement,
    call_timeout_ms: u32,
    budget_ms: i64,
    errands: BTreeMap<u64, Running>,
    in_flight: BTreeMap<CallId, u64>,
    /// Who wants to make a call.
    ready: Vec<u64>,
    /// Walks that wait for others to end.
    waiting: VecDeque<u64>,
    walks: usize,
    held_bytes: usize,
    settled: Vec<Settled>,
    looked: Vec<(u64, Looked)>,
}

struct Running {
    errand: Errand,
    deadline_ms: i64,
    next_pause_ms: i64,
    wait: Wait,
    /// This one's part of all that is held.
    held_bytes: usize,
}

/// What an errand waits for, besides its deadline.
enum Wait {
    /// Other walks to end.
    Place,
    /// Its turn to make a call.
    Turn,
    /// The answer to this call.
    Answer(CallId),
    /// This moment of the steady clock, in milliseconds.
    Pause(i64),
}

impl Errands {
    pub(super) fn new(engine: &EngineConfig) -> Self {
        Self {
            clusters: engine.clusters.clone(),
            placement: engine.placement(),
            call_timeout_ms: engine.call_timeout_ms,
            budget_ms: engine.read_budget_ms.into(),
            errands: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            ready: Vec::new(),
            waiting: VecDeque::new(),
            walks: 0,
            held_bytes: 0,
            settled: Vec::new(),
            looked: Vec::new(),
        }
    }

    /// How many lists run.
    pub(super) fn lists(&self) -> usize {
        let lists = self.errands.values();
        lists.filter(|it| !it.errand.is_walk()).count()
    }

    /// Bytes that they hold.
    pub(super) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether a call may be made now.
    pub(super) const fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes who is settled.
    pub(super) fn take_settled(&mut self) -> Vec<Settled> {
        std::mem::take(&mut self.settled)
    }

    /// Takes what looks through history have brought, each with its request's number.
    pub(super) fn take_looked(&mut self) -> Vec<(u64, Looked)> {
        std::mem::take(&mut self.looked)
    }

    /// Begins an errand for the request with this seat; a walk perhaps not at once.
    pub(super) fn begin(&mut self, errand: Errand, seat: Seat) {
        let is_walk = errand.is_walk();
        let running = Running {
            errand,
            deadline_ms: seat.deadline_ms,
            next_pause_ms: FIRST_PAUSE_MS,
            wait: Wait::Place,
            held_bytes: 0,
        };
        self.errands.insert(seat.ticket, running);
        if is_walk {
            self.waiting.push_back(seat.ticket);
            self.fill();
        } else {
            self.make_ready(seat.ticket);
        }
    }

    fn make_ready(&mut self, ticket: u64) {
        if let Some(running) = self.errands.get_mut(&ticket) {
            running.wait = Wait::Turn;
            self.ready.push(ticket);
        }
    }

    /// Lets walks begin that waited for a place.
    fn fill(&mut self) {
        while self.walks < MAX_WALKS
            && let Some(ticket) = self.waiting.pop_front()
        {
            if self.errands.contains_key(&ticket) {
                self.walks = self.walks.saturating_add(1);
                self.make_ready(ticket);
            }
        }
    }

    /// Forgets one whose client has left, or which is over.
    pub(super) fn forget(&mut self, ticket: u64) {
        let Some(running) = self.errands.remove(&ticket) else {
            return;
        };
        self.held_bytes = self.held_bytes.saturating_sub(running.held_bytes);
        if let Wait::Answer(call) = running.wait {
            self.in_flight.remove(&call);
        }
        if running.errand.is_walk() && !matches!(running.wait, Wait::Place) {
            self.walks = self.walks.saturating_sub(1);
            self.fill();
        }
    }

    /// Makes the calls that may be made now.
    pub(super) fn calls(
        &mut self,
        numbers: &mut Numbers,
        now_ms: i64,
        host: &impl Host,
    ) -> Vec<Call> {
        let mut calls = Vec::new();
        for ticket in std::mem::take(&mut self.ready) {
            let Some(running) = self.errands.get_mut(&ticket) else {
                continue;
            };
            let place = running.errand.place(self.placement);
            let Some(cluster) = self.clusters.get(place) else {
                continue;
            };
            let id = numbers.call();
            let (method, message) = running.errand.next_call();
            let held_bytes = running.errand.held_bytes();
            self.held_bytes = self
                .held_bytes
                .saturating_sub(running.held_bytes)
                .saturating_add(held_bytes);
            running.held_bytes = held_bytes;
            running.wait = Wait::Answer(id);
            self.in_flight.insert(id, ticket);
            let left_ms = running.deadline_ms.saturating_sub(now_ms);
            let most_ms = i64::from(self.call_timeout_ms);
            host.count(Counter::EngineCalls);
            calls.push(Call {
                id,
                cluster: cluster.clone(),
                method,
                message,
                timeout_ms: u32::try_from(left_ms.clamp(1, most_ms)).unwrap_or(1),
            });
        }
        calls
    }

    /// Takes the answer to a call. Whether it was waited for.
    pub(super) fn answered(
        &mut self,
        call: CallId,
        answer: Answer,
        now_ms: i64,
        host: &impl Host,
    ) -> bool {
        let Some(ticket) = self.in_flight.remove(&call) else {
            return false;
        };
        let Some(running) = self.errands.get_mut(&ticket) else {
            return false;
        };
        let (progress, grpc_status) = match answer {
            Answer::Message(message) => (running.errand.answered(message), 0),
            Answer::Unknown { grpc_status } => (Progress::Senseless, grpc_status),
        };
        match progress {
            Progress::Call => {
                running.next_pause_ms = FIRST_PAUSE_MS;
                if running.errand.is_long() {
                    running.deadline_ms = now_ms.saturating_add(self.budget_ms);
                }
                running.wait = Wait::Turn;
                self.ready.push(ticket);
            }
            Progress::Senseless => {
                running.errand.failed(grpc_status);
                host.count(Counter::EngineFailures);
                running.wait = Wait::Pause(now_ms.saturating_add(running.next_pause_ms));
                running.next_pause_ms = running.next_pause_ms.saturating_mul(2).min(MAX_PAUSE_MS);
            }
            Progress::Done(outcome) => self.settle(ticket, outcome),
            Progress::Looked(looked) => {
                self.forget(ticket);
                self.looked.push((ticket, *looked));
            }
        }
        true
    }

    /// Ends pauses that are over, and errands that are out of time.
    pub(super) fn tick(&mut self, now_ms: i64) {
        let mut late = Vec::new();
        for (&ticket, running) in &mut self.errands {
            if now_ms >= running.deadline_ms {
                late.push(ticket);
            } else if matches!(running.wait, Wait::Pause(until) if now_ms >= until) {
                running.wait = Wait::Turn;
                self.ready.push(ticket);
            }
        }
        for ticket in late {
            self.settle(ticket, Outcome::Unavailable);
        }
    }

    fn settle(&mut self, ticket: u64, outcome: Outcome) {
        self.forget(ticket);
        self.settled.push(Settled { ticket, outcome });
    }
}
