//! One worker VM: what it asks of the engine, for whom, how often, and when it gives up.
//!
//! Exchanges hand in jobs; the worker turns them into calls for the shell to make and, when a job is over, into exchanges
//! to wake. It decides order, repetition and time. What an answer means is the job's; what a client is told, the
//! exchange's.
//!
//! How to drive it: after every [`crate::exchange::Exchange::advance`], [`Worker::answered`], [`Worker::fetched`] and
//! [`Worker::tick`], carry out all of [`Worker::take_calls`] and [`Worker::take_fetches`] and wake all of
//! [`Worker::take_woken`]. Call [`Worker::tick`] every [`TICK_MS`].

mod steady;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::BTreeMap;
use std::rc::Rc;

use self::steady::SteadyClock;
use self::turns::{Next, Turns};
use crate::accounts::job::{Job, Outcome, Progress};
use crate::accounts::keys::AccountKey;
use crate::config::Config;
use crate::config_error::ConfigError;
use crate::engine::{Answer, Call, CallId, Method, StoreId};
use crate::gate::{Admission, Fetch, FetchId, Fetched, Gate, NotAdmitted};
use crate::host::{Counter, Host};
use crate::policy::Policy;
use crate::wake::{ExchangeId, News, Woken};

/// How often a shell calls [`Worker::tick`], in milliseconds: the resolution of pauses and deadlines.
pub const TICK_MS: u32 = 50;

/// Jobs that one worker carries at a time; one more is refused at once. About 2 KiB each, besides [`MAX_HELD_BYTES`].
pub const MAX_JOBS: usize = 8192;

/// Lists that one worker makes at a time; one more is refused at once. Each may hold as much as the configuration allows
/// an answer to have, and as much again while it is written out; a VM has 1 GiB in all.
pub const MAX_LISTS: usize = 4;

/// Bytes of documents that the jobs of one worker hold before it refuses more. Documents may be large, so their number
/// alone bounds nothing.
pub const MAX_HELD_BYTES: usize = 256 * 1024 * 1024;

/// The pause before a call of unknown outcome is repeated, in milliseconds; it doubles from try to try.
const FIRST_PAUSE_MS: i64 = 25;

/// The longest such pause, in milliseconds.
const MAX_PAUSE_MS: i64 = 400;

/// The worker carries as many jobs as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// The state of one worker VM. Nothing in it outlives the VM, and nothing has to.
pub struct Worker {
    config: Config,
    policy: Rc<Policy>,
    gate: Gate,
    /// The call that reads the deny-list, if one is under way.
    listing: Option<CallId>,
    /// Running jobs by ticket. Tickets rise, so this is the order of arrival.
    jobs: BTreeMap<u64, Running>,
    /// Which job waits for a call.
    calls_in_flight: BTreeMap<CallId, u64>,
    /// Writes of the same account, one running, the others waiting in the order of their arrival.
    writes: BTreeMap<AccountKey, Turns>,
    /// The job of each exchange that waits.
    tickets: BTreeMap<ExchangeId, u64>,
    lists: usize,
    held_bytes: usize,
    /// The store that last answered.
    store: Option<StoreId>,
    last_number: u64,
    clock: SteadyClock,
    calls: Vec<Call>,
    fetches: Vec<Fetch>,
    woken: Vec<Woken>,
}

struct Running {
    exchange: ExchangeId,
    job: Job,
    /// In milliseconds of the worker's steady clock.
    deadline: i64,
    pause_ms: i64,
    wait: Wait,
    /// This job's part of the worker's `held_bytes`.
    held_bytes: usize,
}

/// What wakes a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// The answer to this call, or the deadline.
    Answer(CallId),
    /// The next tick at or after this moment of the steady clock, in milliseconds.
    Pause(i64),
    /// The end of an earlier write of the same account, or the deadline.
    Turn,
}

impl Worker {
    /// A worker for this configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration's keys or rules cannot be used.
    pub fn new(config: Config, host: &impl Host) -> Result<Self, ConfigError> {
        let policy = Policy::new(&config)?;
        let gate = Gate::new(&config, policy.tested_claims(), host)?;
        Ok(Self {
            config,
            policy: Rc::new(policy),
            gate,
            listing: None,
            jobs: BTreeMap::new(),
            calls_in_flight: BTreeMap::new(),
            writes: BTreeMap::new(),
            tickets: BTreeMap::new(),
            lists: 0,
            held_bytes: 0,
            store: None,
            last_number: 0,
            clock: SteadyClock::default(),
            calls: Vec::new(),
            fetches: Vec::new(),
            woken: Vec::new(),
        })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What requests must bring, and what is told of them.
    #[must_use]
    pub fn policy(&self) -> Rc<Policy> {
        Rc::clone(&self.policy)
    }

    /// The token behind the value of a request's one `Authorization` header.
    ///
    /// # Errors
    /// [`NotAdmitted`]; after `Wait` the exchange is woken, and this is to be called again.
    pub fn authenticate(
        &mut self,
        exchange: ExchangeId,
        authorization: Option<&[u8]>,
        host: &impl Host,
    ) -> Result<Admission, NotAdmitted> {
        let now = self.clock.moment(host);
        self.gate.authenticate(exchange, authorization, now, host)
    }

    /// Takes the calls to make.
    #[must_use]
    pub fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// Takes the documents to fetch.
    #[must_use]
    pub fn take_fetches(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.fetches)
    }

    /// Whether there are calls to make.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Takes the exchanges to wake.
    #[must_use]
    pub fn take_woken(&mut self) -> Vec<Woken> {
        std::mem::take(&mut self.woken)
    }

    /// Whether nothing is under way: a VM may go now without leaving anybody waiting.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Begins a job for an exchange, which is woken when it is over.
    ///
    /// # Errors
    /// [`Overloaded`] when [`MAX_JOBS`], [`MAX_LISTS`] or [`MAX_HELD_BYTES`] is reached; nothing was begun.
    pub fn submit(
        &mut self,
        exchange: ExchangeId,
        job: Job,
        host: &impl Host,
    ) -> Result<(), Overloaded> {
        let is_list = matches!(job, Job::List(_));
        if self.jobs.len() >= MAX_JOBS
            || self.held_bytes >= MAX_HELD_BYTES
            || (is_list && self.lists >= MAX_LISTS)
        {
            return Err(Overloaded);
        }
        let ticket = self.number();
        let runs_now = match &job {
            Job::Write(write) => self
                .writes
                .entry(write.key().clone())
                .or_default()
                .arrive(ticket),
            Job::Read(_) | Job::List(_) => true,
        };
        self.lists = self.lists.saturating_add(usize::from(is_list));
        self.tickets.insert(exchange, ticket);
        let deadline = self.clock.now_ms(host).saturating_add(self.budget_ms(&job));
        self.jobs.insert(
            ticket,
            Running {
                exchange,
                job,
                deadline,
                pause_ms: FIRST_PAUSE_MS,
                wait: Wait::Turn,
                held_bytes: 0,
            },
        );
        if runs_now {
            self.begin(ticket, host);
        }
        Ok(())
    }

    /// Takes the answer to a call. A late, unknown or repeated answer changes nothing.
    pub fn answered(&mut self, call: CallId, answer: Answer, host: &impl Host) {
        if self.listing == Some(call) {
            self.listing = None;
            let now = self.clock.moment(host);
            self.gate.listed(answer, now, host);
            self.serve_gate();
            return;
        }
        let Some(ticket) = self.calls_in_flight.remove(&call) else {
            host.count(Counter::LateAnswers);
            return;
        };
        let Some(running) = self.jobs.get_mut(&ticket) else {
            host.count(Counter::LateAnswers);
            return;
        };
        let (progress, grpc_status) = match answer {
            Answer::Message(message) => {
                let progress = running.job.answered(message, &mut self.store, host);
                (progress, 0)
            }
            Answer::Unknown { grpc_status } => (Progress::Senseless, grpc_status),
        };
        match progress {
            Progress::Call => {
                running.pause_ms = FIRST_PAUSE_MS;
                let now = self.clock.now_ms(host);
                if let Job::List(_) | Job::Read(_) = running.job {
                    // A long list or history may take many calls; its time is counted from one answer to the next.
                    let budget_ms = i64::from(self.config.engine.read_budget_ms);
                    running.deadline = now.saturating_add(budget_ms);
                }
                if now < running.deadline {
                    self.call(ticket, host);
                } else {
                    self.finish(ticket, Outcome::Unavailable, host);
                }
            }
            Progress::Senseless => {
                running.job.failed(grpc_status);
                host.count(Counter::EngineFailures);
                let until = self.clock.now_ms(host).saturating_add(running.pause_ms);
                running.wait = Wait::Pause(until);
                running.pause_ms = running.pause_ms.saturating_mul(2).min(MAX_PAUSE_MS);
            }
            Progress::Done(outcome) => self.finish(ticket, outcome, host),
        }
    }

    /// Takes the answer to a fetch. A late, unknown or repeated answer changes nothing.
    pub fn fetched(&mut self, fetch: FetchId, answer: Fetched, host: &impl Host) {
        let now = self.clock.moment(host);
        self.gate.fetched(fetch, answer, now, host);
        self.serve_gate();
    }

    /// Carries out what the gate wants.
    fn serve_gate(&mut self) {
        let wants = self.gate.take_wants();
        self.fetches.extend(wants.fetches);
        let woken = wants.woken.into_iter().map(|exchange| Woken {
            exchange,
            news: News::Access,
        });
        self.woken.extend(woken);
        if let Some(message) = wants.range {
            let id = CallId(self.number());
            self.listing = Some(id);
            self.calls.push(Call {
                id,
                cluster: self.config.engine.cluster().to_owned(),
                method: Method::Range,
                message,
                timeout_ms: self.config.engine.call_timeout_ms,
            });
        }
    }

    /// Repeats what has paused long enough, gives up what has run out of time, and keeps keys and deny-list fresh.
    pub fn tick(&mut self, host: &impl Host) {
        let moment = self.clock.moment(host);
        self.gate.tick(moment, host);
        self.serve_gate();
        let now = moment.steady_ms;
        let mut due = Vec::new();
        let mut expired = Vec::new();
        for (&ticket, running) in &self.jobs {
            if now >= running.deadline {
                expired.push(ticket);
            } else if matches!(running.wait, Wait::Pause(until) if now >= until) {
                due.push(ticket);
            }
        }
        for ticket in expired {
            self.finish(ticket, Outcome::Unavailable, host);
        }
        for ticket in due {
            if let Some(running) = self.jobs.get(&ticket)
                && matches!(running.wait, Wait::Pause(_))
            {
                if running.job.is_committing() {
                    host.count(Counter::CommitResends);
                }
                self.call(ticket, host);
            }
        }
    }

    /// Takes note that an exchange's client has left. Reads end; a write goes on, it may have been applied already.
    pub fn gone(&mut self, exchange: ExchangeId) {
        self.gate.gone(exchange);
        let Some(&ticket) = self.tickets.get(&exchange) else {
            return;
        };
        let is_write = |running: &Running| matches!(running.job, Job::Write(_));
        if self.jobs.get(&ticket).is_some_and(is_write) {
            return;
        }
        self.remove(ticket);
    }

    /// Makes the job's next call.
    fn call(&mut self, ticket: u64, host: &impl Host) {
        let id = CallId(self.number());
        let Some(running) = self.jobs.get_mut(&ticket) else {
            return;
        };
        let (method, message) = running.job.next_call();
        let left_ms = running.deadline.saturating_sub(self.clock.now_ms(host));
        let most_ms = i64::from(self.config.engine.call_timeout_ms);
        running.wait = Wait::Answer(id);
        let held_bytes = running.job.held_bytes();
        self.held_bytes = self
            .held_bytes
            .saturating_sub(running.held_bytes)
            .saturating_add(held_bytes);
        running.held_bytes = held_bytes;
        self.calls_in_flight.insert(id, ticket);
        host.count(Counter::EngineCalls);
        self.calls.push(Call {
            id,
            cluster: self.config.engine.cluster().to_owned(),
            method,
            message,
            timeout_ms: u32::try_from(left_ms.clamp(1, most_ms)).unwrap_or(1),
        });
    }

    fn finish(&mut self, ticket: u64, outcome: Outcome, host: &impl Host) {
        let Some(running) = self.remove(ticket) else {
            return;
        };
        self.woken.push(Woken {
            exchange: running.exchange,
            news: News::Outcome(outcome),
        });
        if let Job::Write(write) = &running.job {
            self.next_turn(write.key(), ticket, host);
        }
    }

    fn remove(&mut self, ticket: u64) -> Option<Running> {
        let running = self.jobs.remove(&ticket)?;
        if let Wait::Answer(call) = running.wait {
            self.calls_in_flight.remove(&call);
        }
        self.tickets.remove(&running.exchange);
        self.held_bytes = self.held_bytes.saturating_sub(running.held_bytes);
        if matches!(running.job, Job::List(_)) {
            self.lists = self.lists.saturating_sub(1);
        }
        Some(running)
    }

    /// Begins the account's next write, if the one that ended was the running one.
    fn next_turn(&mut self, key: &AccountKey, ended: u64, host: &impl Host) {
        let now = self.clock.now_ms(host);
        let Some(turns) = self.writes.get_mut(key) else {
            return;
        };
        let jobs = &self.jobs;
        // One that is out of time is not begun: it would be answered 503 and change the account all the same.
        let in_time = |ticket: u64| jobs.get(&ticket).is_some_and(|it| now < it.deadline);
        match turns.end(ended, in_time) {
            Next::Begin(ticket) => self.begin(ticket, host),
            Next::Nothing => drop(self.writes.remove(key)),
            Next::StillRunning => {}
        }
    }

    /// Makes a job's first call.
    fn begin(&mut self, ticket: u64, host: &impl Host) {
        if let Some(running) = self.jobs.get_mut(&ticket) {
            running.job.begin(self.store, host);
            self.call(ticket, host);
        }
    }

    fn budget_ms(&self, job: &Job) -> i64 {
        i64::from(match job {
            Job::Write(_) => self.config.engine.write_budget_ms,
            Job::Read(_) | Job::List(_) => self.config.engine.read_budget_ms,
        })
    }

    fn number(&mut self) -> u64 {
        self.last_number = self.last_number.wrapping_add(1);
        self.last_number
    }
}
