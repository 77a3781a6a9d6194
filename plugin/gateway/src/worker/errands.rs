//! Jobs that take many calls of their own: a few at a time, each repeated after a pause when it came to nothing.

use std::collections::{BTreeMap, VecDeque};

use ledger::Looked;

use super::lines::{FIRST_PAUSE_MS, MAX_PAUSE_MS};
use super::numbers::Numbers;
use crate::accounts::errand::Errand;
use crate::accounts::job::{Outcome, Progress};
use crate::accounts::line::{Seat, Settled};
use crate::accounts::list::indexes::Indexes;
use crate::accounts::placement::Placement;
use crate::config::EngineConfig;
use crate::engine::{Answer, Call, CallId};
use crate::host::{Counter, Host};

/// Walks of each kind through the history of one account that one worker makes at a time; more of them wait. Each may hold as much as
/// one answer may have.
const MAX_WALKS: usize = 8;

/// The running errands of one worker.
pub(super) struct Errands {
    clusters: Vec<String>,
    placement: Placement,
    call_timeout_ms: u32,
    budget_ms: i64,
    errands: BTreeMap<u64, Running>,
    /// Of which errand's strand each call is.
    in_flight: BTreeMap<CallId, (u64, usize)>,
    /// Who wants to make a call: an errand's strand.
    ready: Vec<(u64, usize)>,
    recalls: Places,
    looks: Places,
    held_bytes: usize,
    indexes: Indexes,
    settled: Vec<Settled>,
    looked: Vec<(u64, Looked)>,
}

/// Walks of one kind: a change never waits behind summaries.
#[derive(Default)]
struct Places {
    /// Those that wait for others to end.
    waiting: VecDeque<u64>,
    taken: usize,
}

struct Running {
    errand: Errand,
    deadline_ms: i64,
    /// One for each call that it may have under way.
    strands: Vec<Strand>,
    /// This one's part of all that is held.
    held_bytes: usize,
}

struct Strand {
    next_pause_ms: i64,
    wait: Wait,
}

/// What a strand of an errand waits for, besides its deadline.
enum Wait {
    /// Other walks to end.
    Place,
    /// Something to do.
    Work,
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
            recalls: Places::default(),
            looks: Places::default(),
            held_bytes: 0,
            indexes: Indexes::default(),
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

    /// Whether a call may be made now, or somebody be woken.
    pub(super) const fn is_ready(&self) -> bool {
        !self.ready.is_empty() || !self.settled.is_empty()
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
    pub(super) fn begin(&mut self, mut errand: Errand, seat: Seat, now_ms: i64) {
        let ticket = seat.ticket;
        if let Errand::List(list) = &mut errand
            && let Some(outcome) = list.start(&mut self.indexes, now_ms)
        {
            self.settled.push(Settled { ticket, outcome });
            return;
        }
        let strand = || Strand {
            next_pause_ms: FIRST_PAUSE_MS,
            wait: Wait::Place,
        };
        let running = Running {
            strands: std::iter::repeat_with(strand)
                .take(errand.strands())
                .collect(),
            errand,
            deadline_ms: seat.deadline_ms,
            held_bytes: 0,
        };
        let places = match running.errand {
            Errand::List(_) => None,
            Errand::Recall(_) => Some(&mut self.recalls),
            Errand::Look(_) => Some(&mut self.looks),
        };
        let waits = places.map(|places| places.waiting.push_back(ticket));
        self.errands.insert(ticket, running);
        match waits {
            Some(()) => self.fill(),
            None => self.begin_all(ticket),
        }
    }

    /// Lets all strands of an errand begin.
    fn begin_all(&mut self, ticket: u64) {
        let Some(running) = self.errands.get_mut(&ticket) else {
            return;
        };
        for (number, strand) in running.strands.iter_mut().enumerate() {
            strand.wait = Wait::Turn;
            self.ready.push((ticket, number));
        }
    }

    /// Lets walks begin that waited for a place.
    fn fill(&mut self) {
        let mut begun = Vec::new();
        for places in [&mut self.recalls, &mut self.looks] {
            while places.taken < MAX_WALKS
                && let Some(ticket) = places.waiting.pop_front()
            {
                if self.errands.contains_key(&ticket) {
                    places.taken = places.taken.saturating_add(1);
                    begun.push(ticket);
                }
            }
        }
        for ticket in begun {
            self.begin_all(ticket);
        }
    }

    /// Forgets one whose client has left, or which is over.
    pub(super) fn forget(&mut self, ticket: u64) {
        let Some(running) = self.errands.remove(&ticket) else {
            return;
        };
        self.held_bytes = self.held_bytes.saturating_sub(running.held_bytes);
        let mut placed = true;
        for strand in &running.strands {
            match strand.wait {
                Wait::Answer(call) => drop(self.in_flight.remove(&call)),
                Wait::Place => placed = false,
                Wait::Work | Wait::Turn | Wait::Pause(_) => {}
            }
        }
        let places = match running.errand {
            Errand::List(_) => return,
            Errand::Recall(_) => &mut self.recalls,
            Errand::Look(_) => &mut self.looks,
        };
        if placed {
            places.taken = places.taken.saturating_sub(1);
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
        for (ticket, number) in std::mem::take(&mut self.ready) {
            let Some(running) = self.errands.get_mut(&ticket) else {
                continue;
            };
            let ask = running.errand.next_call(number, self.placement);
            let held_bytes = running.errand.held_bytes();
            self.held_bytes = self
                .held_bytes
                .saturating_sub(running.held_bytes)
                .saturating_add(held_bytes);
            running.held_bytes = held_bytes;
            let Some(strand) = running.strands.get_mut(number) else {
                continue;
            };
            strand.wait = Wait::Work;
            let Some(ask) = ask else {
                continue;
            };
            let Some(cluster) = self.clusters.get(ask.place) else {
                continue;
            };
            let id = numbers.call();
            strand.wait = Wait::Answer(id);
            self.in_flight.insert(id, (ticket, number));
            let left_ms = running.deadline_ms.saturating_sub(now_ms);
            let most_ms = i64::from(self.call_timeout_ms);
            host.count(Counter::EngineCalls);
            calls.push(Call {
                id,
                cluster: cluster.clone(),
                method: ask.method,
                message: ask.message,
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
        let Some((ticket, number)) = self.in_flight.remove(&call) else {
            return false;
        };
        let Some(running) = self.errands.get_mut(&ticket) else {
            return false;
        };
        let errand = &mut running.errand;
        let (mut progress, grpc_status) = match answer {
            Answer::Message(message) => (errand.answered(number, message), 0),
            Answer::Unknown { grpc_status } => (Progress::Senseless, grpc_status),
        };
        if let Errand::List(list) = errand
            && let Some(index) = list.take_made()
        {
            self.indexes.put(index, now_ms);
        }
        if matches!(progress, Progress::Senseless) {
            host.count(Counter::EngineFailures);
            progress = errand.failed(number, grpc_status);
        }
        let Some(strand) = running.strands.get_mut(number) else {
            return true;
        };
        match progress {
            Progress::Call => {
                strand.next_pause_ms = FIRST_PAUSE_MS;
                strand.wait = Wait::Work;
                if running.errand.is_long() {
                    running.deadline_ms = now_ms.saturating_add(self.budget_ms);
                }
                // There may be more to do now than this strand alone can.
                for (number, strand) in running.strands.iter_mut().enumerate() {
                    if matches!(strand.wait, Wait::Work) {
                        strand.wait = Wait::Turn;
                        self.ready.push((ticket, number));
                    }
                }
            }
            Progress::Senseless => pause(strand, now_ms),
            Progress::Again => {
                if let Errand::List(list) = &running.errand {
                    self.indexes.forget(list.tenant());
                }
                // Each from its own pause on: the first of them finds out whether it goes well now.
                self.ready.retain(|(it, _)| *it != ticket);
                for strand in &mut running.strands {
                    if let Wait::Answer(call) = strand.wait {
                        self.in_flight.remove(&call);
                    }
                    pause(strand, now_ms);
                }
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
        self.indexes.expire(now_ms);
        let mut late = Vec::new();
        for (&ticket, running) in &mut self.errands {
            if now_ms >= running.deadline_ms {
                late.push(ticket);
                continue;
            }
            for (number, strand) in running.strands.iter_mut().enumerate() {
                if matches!(strand.wait, Wait::Pause(until) if now_ms >= until) {
                    strand.wait = Wait::Turn;
                    self.ready.push((ticket, number));
                }
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

/// Lets a strand pause, the longer the more often its calls came to nothing.
fn pause(strand: &mut Strand, now_ms: i64) {
    strand.wait = Wait::Pause(now_ms.saturating_add(strand.next_pause_ms));
    strand.next_pause_ms = strand.next_pause_ms.saturating_mul(2).min(MAX_PAUSE_MS);
}
