//! The auditor: told of every request, every answer and every commit, it says what does not hold.
//!
//! Its witness is the engine's own order of commits: whatever is told to a client is compared with what the engine held at
//! the time, so nothing has to be searched for, and each event costs about the same however long the run. It decodes
//! documents with the gateway's own decoder, which is strict about what it takes, and then folds every history itself. It
//! knows nothing of VMs, calls and faults.

mod answers;
mod book;
mod commits;
mod deletions;
mod lists;
mod lives;
mod memory;
mod reads;
mod refusals;
mod told;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use host::Headers;
use serde_json::{Value, json};

pub use self::book::{Book, Standing, Version};
use self::told::Told;
use crate::checks::{Check, Violation};
use crate::clock::GatewayClock;
use crate::named::Set;
use crate::plan::{Account, Kind, Operation, Plan, Recency, What};

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Of which operation.
    pub number: u32,
    /// About which account.
    pub account: Account,
    /// To which gateway.
    pub gateway: usize,
    /// When.
    pub asked_us: u64,
    /// The revision that was asked for; 0: none.
    pub session: i64,
    /// The newest revision of this account that this gateway had told anybody of.
    pub own: i64,
    /// The engine's revision.
    pub revision: i64,
}

/// An answer as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `x-points-revision`
    pub revision: Option<i64>,
    /// `x-points-source`
    pub source: Option<String>,
    /// `age`
    pub age_s: Option<u64>,
    /// Whether it says `idempotency-replayed: true`.
    pub replayed: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// What a head and a body say.
    #[must_use]
    pub fn new(head: &Headers, body: Vec<u8>) -> Self {
        let text = |name: &str| head.get(name).and_then(|it| std::str::from_utf8(it).ok());
        Self {
            status: text(":status").and_then(|it| it.parse().ok()).unwrap_or(0),
            revision: text("x-points-revision").and_then(|it| it.parse().ok()),
            source: text("x-points-source").map(str::to_owned),
            age_s: text("age").and_then(|it| it.parse().ok()),
            replayed: text("idempotency-replayed") == Some("true"),
            body,
        }
    }

    /// For somebody to read.
    #[must_use]
    pub fn shown(&self) -> Value {
        /// Longer bodies are cut.
        const MOST: usize = 300;
        let body = self.body.get(..MOST).unwrap_or(&self.body);
        json!({
            "status": self.status,
            "revision": self.revision,
            "source": self.source,
            "age_s": self.age_s,
            "replayed": self.replayed,
            "body": String::from_utf8_lossy(body),
        })
    }
}

/// See the module's text.
#[derive(Debug)]
pub struct Auditor {
    checks: Set<Check>,
    violation: Option<Violation>,
    clocks: Vec<GatewayClock>,
    max_staleness_ms: u64,
    operations: HashMap<u32, Operation>,
    told: HashMap<u32, Told>,
    books: HashMap<Account, Book>,
    /// Commits of accounts, in their order.
    log: Vec<(i64, Account)>,
    /// The engine's revision.
    revision: i64,
    answers: u64,
    changes: u64,
}

impl Auditor {
    /// Of a world with this plan and these clocks, one for each gateway.
    #[must_use]
    pub fn new(plan: &Plan, checks: &Set<Check>, clocks: Vec<GatewayClock>) -> Self {
        let operations = plan.events.iter().filter_map(|event| match &event.what {
            What::Operation(it) => Some((it.number, it.clone())),
            What::Fault(_) => None,
        });
        Self {
            checks: checks.clone(),
            violation: None,
            clocks,
            max_staleness_ms: plan.profile.max_staleness_ms.into(),
            operations: operations.collect(),
            told: HashMap::new(),
            books: HashMap::new(),
            log: Vec::new(),
            revision: 1,
            answers: 0,
            changes: 0,
        }
    }

    /// Says that something does not hold, unless nobody wants to know, or something was wrong before.
    pub fn violated(&mut self, check: Check, at_us: u64, account: Option<Account>, words: String) {
        if self.checks.has(check) && self.violation.is_none() {
            self.violation = Some(Violation {
                check,
                at_us,
                account: account.map(|it| (it.tenant, it.customer)),
                words,
            });
        }
    }

    /// A request has not exactly one answer.
    pub fn answered_twice(&mut self, at_us: u64, words: String) {
        self.violated(Check::Answered, at_us, None, words);
    }

    /// Whether something does not hold.
    #[must_use]
    pub const fn has_violation(&self) -> bool {
        self.violation.is_some()
    }

    /// Takes what does not hold.
    pub fn take_violation(&mut self) -> Option<Violation> {
        self.violation.take()
    }

    /// How many requests had an end.
    #[must_use]
    pub const fn answers(&self) -> u64 {
        self.answers
    }

    /// How many changes the engine made, heartbeats among them.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// A request is sent, and there is somebody to take it.
    pub fn asked(
        &mut self,
        operation: &Operation,
        gateway: usize,
        session: i64,
        at_us: u64,
    ) -> Asked {
        let told = self.told.entry(operation.number).or_default();
        told.begin(at_us);
        let book = self.books.entry(operation.account).or_default();
        if operation.kind == Kind::Delete {
            book.deletions.asked(operation.number, at_us);
        }
        let wants_session = matches!(
            operation.kind,
            Kind::Balance(Recency::Session) | Kind::Summary(Recency::Session)
        );
        Asked {
            number: operation.number,
            account: operation.account,
            gateway,
            asked_us: at_us,
            session: if wants_session { session } else { 0 },
            own: book.told_by(gateway),
            revision: self.revision,
        }
    }

    /// A request ended before anybody had taken it.
    pub const fn turned_away(&mut self) {
        self.answers += 1;
    }

    /// A request ended without an answer that says what became of it.
    pub fn unknown(&mut self, asked: &Asked) {
        self.answers += 1;
        if let Some(told) = self.told.get_mut(&asked.number) {
            told.end_unknown();
        }
    }

    /// A request was answered, with anything but 503.
    pub fn answered(&mut self, asked: &Asked, operation: &Operation, answer: &Answer, at_us: u64) {
        self.answers += 1;
        if operation.kind.is_write() {
            self.write_answered(asked, operation, answer, at_us);
        } else if operation.kind == Kind::List {
            self.list_answered(asked, answer, at_us);
        } else {
            self.read_answered(asked, operation, answer, at_us);
        }
        let told = self.told.entry(asked.number).or_default();
        told.end(answer.status);
        if let (Kind::Delete, Some(book)) = (operation.kind, self.books.get_mut(&asked.account)) {
            book.deletions.answered(asked.number);
        }
    }

    /// How often an operation was answered, with anything but 503.
    #[must_use]
    pub fn answered_so_far(&self, number: u32) -> u32 {
        self.told.get(&number).map_or(0, |it| it.answered)
    }

    /// Whether an operation was acknowledged.
    #[must_use]
    pub fn has_acknowledged(&self, number: u32) -> bool {
        self.told.get(&number).is_some_and(|it| it.acknowledged)
    }

    /// The end: what must have happened by now.
    pub fn finish(&mut self, at_us: u64) {
        let open = self.told.iter().filter(|(_, told)| told.is_open());
        let first = open.map(|(number, _)| *number).min();
        if let Some(number) = first {
            let words = format!("operation {number} was never answered");
            self.violated(Check::Answered, at_us, None, words);
        }
    }

    /// The most that any clock has shown so far, in milliseconds since 1970.
    fn most_ms(&self, at_us: u64) -> i64 {
        let shown = self.clocks.iter().map(|it| it.settings().shown(0, at_us).1);
        shown.max().unwrap_or(0)
    }

    /// What a gateway's clock may have shown, in milliseconds since 1970.
    fn shown(&self, gateway: usize, from_us: u64, to_us: u64) -> (i64, i64) {
        let settings = self.clocks.get(gateway).map(GatewayClock::settings);
        settings.map_or((0, 0), |it| it.shown(from_us, to_us))
    }
}
