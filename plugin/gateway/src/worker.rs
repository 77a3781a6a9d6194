//! One worker VM: what it asks of the engine, for whom, how often, and when it gives up.
//!
//! Exchanges hand in jobs; the worker turns them into calls for the shell to make and, when a job is over, into exchanges
//! to wake. It decides what travels together, repetition and time. What an answer means is decided in `accounts`; what a
//! client is told, by the exchange.
//!
//! How to drive it: after every [`crate::exchange::Exchange::advance`], [`Worker::answered`], [`Worker::fetched`] and
//! [`Worker::tick`], carry out all of [`Worker::take_calls`], [`Worker::take_fetches`] and [`Worker::take_streams`] and wake
//! all of [`Worker::take_woken`]. Call [`Worker::tick`] every [`TICK_MS`].

mod ending;
mod errands;
mod feeds;
mod glance;
mod lane;
mod lines;
mod numbers;
mod pipe;
mod steady;
mod sweepers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use self::errands::Errands;
use self::feeds::Feeds;
pub use self::glance::Glance;
use self::lines::{LineId, Lines};
use self::numbers::Numbers;
use self::steady::SteadyClock;
use self::sweepers::Sweepers;
use crate::access::Tenant;
use crate::accounts::copies::{Copies, Near};
use crate::accounts::errand::Errand;
use crate::accounts::job::{Job, Outcome, Wanted};
use crate::accounts::keys::{AccountKey, CustomerId, Keys};
use crate::accounts::line::{Seat, Settled};
use crate::config::Config;
use crate::config_error::ConfigError;
use crate::engine::{Answer, Call, CallId, Method};
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

/// The worker carries as many jobs as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// The state of one worker VM. Nothing in it outlives the VM, and nothing has to.
pub struct Worker {
    config: Config,
    policy: Rc<Policy>,
    gate: Gate,
    feeds: Feeds,
    sweepers: Sweepers,
    /// The call that reads the deny-list, if one is under way.
    listing: Option<CallId>,
    /// Running jobs by ticket. Tickets rise, so this is the order of arrival.
    jobs: BTreeMap<u64, Running>,
    /// The job of each exchange that waits.
    tickets: BTreeMap<ExchangeId, u64>,
    copies: Rc<Copies>,
    near: Near,
    keys: Keys,
    lines: Lines,
    errands: Errands,
    numbers: Numbers,
    clock: SteadyClock,
    /// Calls for the gate; the others are made up when the shell takes them.
    calls: Vec<Call>,
    fetches: Vec<Fetch>,
    woken: Vec<Woken>,
}

struct Running {
    exchange: ExchangeId,
    place: Place,
    /// The account whose whole history is wanted.
    history: Option<AccountKey>,
    /// In milliseconds of the worker's steady clock.
    deadline_ms: i64,
}

/// Where a job waits.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Among those who read an account.
    Reads(LineId),
    /// Among those who change an account.
    Changes(LineId),
    /// It has calls of its own.
    Errand,
}

impl Worker {
    /// A worker for this configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration's keys or rules cannot be used.
    pub fn new(config: Config, host: &impl Host) -> Result<Self, ConfigError> {
        #[cfg(feature = "planted-bugs")]
        crate::planted::plant(config.planted_bug);
        let policy = Policy::new(&config)?;
        let gate = Gate::new(&config, policy.tested_claims(), host)?;
        let copies = Rc::new(Copies::new(config.cache_bytes));
        Ok(Self {
            lines: Lines::new(&config.engine, Rc::clone(&copies)),
            errands: Errands::new(&config.engine),
            feeds: Feeds::new(&config, Rc::clone(&copies)),
            sweepers: Sweepers::new(&config),
            copies,
            near: Near::default(),
            keys: Keys::default(),
            config,
            policy: Rc::new(policy),
            gate,
            listing: None,
            jobs: BTreeMap::new(),
            tickets: BTreeMap::new(),
            numbers: Numbers::default(),
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

    /// The key of one customer's account.
    #[must_use]
    pub fn account_key(&self, tenant: &Tenant, customer: &CustomerId) -> AccountKey {
        self.keys.of(tenant, customer)
    }

    /// Takes the calls to make: all that waits goes into as few as it fits into.
    #[must_use]
    pub fn take_calls(&mut self, host: &impl Host) -> Vec<Call> {
        let now_ms = self.clock.now_ms(host);
        let mut calls = std::mem::take(&mut self.calls);
        calls.extend(self.lines.calls(&mut self.numbers, now_ms, host));
        for (seat, look) in self.lines.take_looks() {
            self.errands
                .begin(Errand::Look(Box::new(look)), seat, now_ms);
        }
        calls.extend(self.errands.calls(&mut self.numbers, now_ms, host));
        self.wake_settled();
        calls
    }

    /// Takes the documents to fetch.
    #[must_use]
    pub fn take_fetches(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.fetches)
    }

    /// Whether there are calls to make.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        !self.calls.is_empty() || self.lines.is_ready() || self.errands.is_ready()
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
        let lists_full = matches!(job, Job::List(_)) && self.errands.lists() >= MAX_LISTS;
        let held_bytes = self.errands.held_bytes();
        let held_bytes = held_bytes.saturating_add(self.lines.held_bytes);
        if self.jobs.len() >= MAX_JOBS || held_bytes >= MAX_HELD_BYTES || lists_full {
            return Err(Overloaded);
        }
        let budget_ms = i64::from(match &job {
            Job::Change(..) => self.config.engine.write_budget_ms,
            Job::Read(..) | Job::List(_) => self.config.engine.read_budget_ms,
        });
        let now_ms = self.clock.now_ms(host);
        let seat = Seat {
            ticket: self.numbers.next(),
            deadline_ms: now_ms.saturating_add(budget_ms),
            impatient: matches!(&job, Job::Read(_, _, terms) if terms.fallback.is_some()),
        };
        let history = match &job {
            Job::Read(key, Wanted::History, _) => Some(key.clone()),
            _ => None,
        };
        let place = match job {
            Job::Read(key, ..) => Place::Reads(self.lines.read(key, seat)),
            Job::Change(key, operation) => Place::Changes(self.lines.change(key, seat, operation)),
            Job::List(list) => {
                self.errands.begin(Errand::List(list), seat, now_ms);
                Place::Errand
            }
        };
        self.tickets.insert(exchange, seat.ticket);
        self.jobs.insert(
            seat.ticket,
            Running {
                exchange,
                place,
                history,
                deadline_ms: seat.deadline_ms,
            },
        );
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
        let answer = self.feed_answered(call, answer, host);
        let Some(answer) = answer.and_then(|it| self.sweeper_answered(call, it, host)) else {
            return;
        };
        let now_ms = self.clock.now_ms(host);
        if !self.lines.answered(call, answer.clone(), now_ms, host)
            && !self.errands.answered(call, answer, now_ms, host)
        {
            host.count(Counter::LateAnswers);
        }
        self.wake_settled();
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
            let id = self.numbers.call();
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
        self.tick_feeds(moment, host);
        self.tick_sweepers(moment);
        let now_ms = moment.steady_ms;
        self.errands.tick(now_ms);
        self.lines.tick(now_ms, host);
        self.wake_settled();
        let in_line = |running: &Running| !matches!(running.place, Place::Errand);
        let late: Vec<u64> = self
            .jobs
            .iter()
            .filter(|(_, running)| in_line(running) && now_ms >= running.deadline_ms)
            .map(|(&ticket, _)| ticket)
            .collect();
        for ticket in late {
            self.forget(ticket);
            let outcome = Outcome::Unavailable;
            self.wake(Settled { ticket, outcome });
        }
    }
}
