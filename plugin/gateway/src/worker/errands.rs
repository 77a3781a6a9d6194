//! Jobs that take many calls of their own: one call at a time each, repeated after a pause when it came to nothing.

use std::collections::BTreeMap;

use super::lines::{FIRST_PAUSE_MS, MAX_PAUSE_MS};
use super::numbers::Numbers;
use crate::accounts::job::{Outcome, Progress};
use crate::accounts::line::{Seat, Settled};
use crate::accounts::list::List;
use crate::config::EngineConfig;
use crate::engine::{Answer, Call, CallId};
use crate::host::{Counter, Host};

/// The running lists of one worker.
pub(super) struct Errands {
    cluster: String,
    call_timeout_ms: u32,
    /// A long list may take many calls; its time is counted from one answer to the next.
    budget_ms: i64,
    errands: BTreeMap<u64, Errand>,
    in_flight: BTreeMap<CallId, u64>,
    /// Who wants to make a call.
    ready: Vec<u64>,
    held_bytes: usize,
    settled: Vec<Settled>,
}

struct Errand {
    list: List,
    deadline_ms: i64,
    next_pause_ms: i64,
    wait: Wait,
    /// This one's part of all that is held.
    held_bytes: usize,
}

/// What an errand waits for, besides its deadline.
enum Wait {
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
            cluster: engine.cluster().to_owned(),
            call_timeout_ms: engine.call_timeout_ms,
            budget_ms: engine.read_budget_ms.into(),
            errands: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            ready: Vec::new(),
            held_bytes: 0,
            settled: Vec::new(),
        }
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.errands.len()
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

    /// Begins a list.
    pub(super) fn begin(&mut self, list: List, seat: Seat) {
        let errand = Errand {
            list,
            deadline_ms: seat.deadline_ms,
            next_pause_ms: FIRST_PAUSE_MS,
            wait: Wait::Turn,
            held_bytes: 0,
        };
        self.errands.insert(seat.ticket, errand);
        self.ready.push(seat.ticket);
    }

    /// Forgets one whose client has left.
    pub(super) fn forget(&mut self, ticket: u64) {
        if let Some(errand) = self.errands.remove(&ticket) {
            self.held_bytes = self.held_bytes.saturating_sub(errand.held_bytes);
            if let Wait::Answer(call) = errand.wait {
                self.in_flight.remove(&call);
            }
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
            let Some(errand) = self.errands.get_mut(&ticket) else {
                continue;
            };
            let id = numbers.call();
            let (method, message) = errand.list.next_call();
            let held_bytes = errand.list.held_bytes();
            self.held_bytes = self
                .held_bytes
                .saturating_sub(errand.held_bytes)
                .saturating_add(held_bytes);
            errand.held_bytes = held_bytes;
            errand.wait = Wait::Answer(id);
            self.in_flight.insert(id, ticket);
            let left_ms = errand.deadline_ms.saturating_sub(now_ms);
            let most_ms = i64::from(self.call_timeout_ms);
            host.count(Counter::EngineCalls);
            calls.push(Call {
                id,
                cluster: self.cluster.clone(),
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
        let Some(errand) = self.errands.get_mut(&ticket) else {
            return false;
        };
        let (progress, grpc_status) = match answer {
            Answer::Message(message) => (errand.list.answered(message), 0),
            Answer::Unknown { grpc_status } => (Progress::Senseless, grpc_status),
        };
        match progress {
            Progress::Call => {
                errand.next_pause_ms = FIRST_PAUSE_MS;
                errand.deadline_ms = now_ms.saturating_add(self.budget_ms);
                errand.wait = Wait::Turn;
                self.ready.push(ticket);
            }
            Progress::Senseless => {
                errand.list.failed(grpc_status);
                host.count(Counter::EngineFailures);
                errand.wait = Wait::Pause(now_ms.saturating_add(errand.next_pause_ms));
                errand.next_pause_ms = errand.next_pause_ms.saturating_mul(2).min(MAX_PAUSE_MS);
            }
            Progress::Done(outcome) => self.settle(ticket, outcome),
        }
        true
    }

    /// Ends pauses that are over, and errands that are out of time.
    pub(super) fn tick(&mut self, now_ms: i64) {
        let mut late = Vec::new();
        for (&ticket, errand) in &mut self.errands {
            if now_ms >= errand.deadline_ms {
                late.push(ticket);
            } else if matches!(errand.wait, Wait::Pause(until) if now_ms >= until) {
                errand.wait = Wait::Turn;
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
