//! Short words for the tests: operations, and an account that is written and read like a story.
#![allow(dead_code, reason = "every test file uses its own part")]

use ledger::{
    Account, AccountParts, Applied, Balance, EntryId, EntryKind, Fingerprint, History, Identity,
    KeyDigest, KeyUse, Looked, NewLot, Operation, OperationMark, Points, Redemption, Refusal,
    Segment, State, Timestamp, apply,
};

/// A readable "now" for stories that do not care: 2023-05-11T18:32:18.591Z.
pub const NOON: i64 = 1_683_829_938_591;
/// The number of a life that begins at `NOON`.
pub const FIRST_LIFE: u64 = NOON.unsigned_abs();

/// One hour in milliseconds.
pub const HOUR: i64 = 3_600_000;

pub fn t(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time within the calendar")
}

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("an RFC 3339 time")
}

pub fn points(points: u64) -> Points {
    Points::new(points).expect("points within bounds")
}

pub fn id(text: &str) -> EntryId {
    EntryId::new(text).expect("an id within bounds")
}

/// An operation with a generated id and no key.
pub fn generated(text: &str) -> OperationMark {
    OperationMark {
        identity: Identity::generated(id(text)),
        key: None,
    }
}

/// An operation with the client's own id and no key.
pub fn given(text: &str, fingerprint: u8) -> OperationMark {
    OperationMark {
        identity: Identity::given(id(text), Fingerprint([fingerprint; 16])),
        key: None,
    }
}

pub fn keyed(mark: OperationMark, key: u8, request: u8) -> OperationMark {
    OperationMark {
        key: Some(KeyUse {
            digest: KeyDigest([key; 16]),
            request: Fingerprint([request; 16]),
        }),
        ..mark
    }
}

pub fn lot(amount: u64) -> NewLot {
    NewLot {
        reference_id: None,
        description: None,
        points: points(amount),
        created_at: None,
        valid_until: None,
        validity_months: None,
    }
}

pub fn lot_until(amount: u64, valid_until: i64) -> NewLot {
    NewLot {
        valid_until: Some(t(valid_until)),
        ..lot(amount)
    }
}

pub fn create(mark: OperationMark) -> Operation {
    Operation::Create { mark, start: None }
}

pub fn create_with(mark: OperationMark, lot: NewLot) -> Operation {
    Operation::Create {
        mark,
        start: Some(lot),
    }
}

pub fn add(mark: OperationMark, lot: NewLot) -> Operation {
    Operation::Add { mark, lot }
}

pub fn redeem(mark: OperationMark, amount: u64) -> Operation {
    redeem_at(mark, amount, None)
}

pub fn redeem_at(mark: OperationMark, amount: u64, created_at: Option<i64>) -> Operation {
    Operation::Redeem {
        mark,
        redemption: Redemption {
            description: None,
            points: points(amount),
            created_at: created_at.map(t),
        },
    }
}

pub fn delete(mark: OperationMark) -> Operation {
    Operation::Delete { mark }
}

/// What became of an operation, without the next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Changed,
    Replayed,
    Unchanged,
}

/// One customer's account over time.
#[derive(Debug, Clone)]
pub struct Story {
    pub state: State,
    /// What has left the account, of all its lives.
    pub segments: Vec<Segment>,
}

impl Story {
    pub fn new() -> Story {
        Story {
            state: State::Absent,
            segments: Vec::new(),
        }
    }

    /// A story in which all of this has happened, one operation a millisecond from `NOON`.
    pub fn of(operations: impl IntoIterator<Item = Operation>) -> Story {
        let mut story = Story::new();
        for (step, operation) in (0_i64..).zip(operations) {
            let outcome = story.run(&operation, NOON + step);
            assert_eq!(outcome, Ok(Outcome::Changed), "{operation:?}");
        }
        story
    }

    pub fn run(&mut self, operation: &Operation, clock: i64) -> Result<Outcome, Refusal> {
        // As after a write of unknown outcome: an operation may always have been done before.
        let mut looked = Looked::nothing(operation);
        looked.sent(&State::Absent);
        match self.apply(operation, looked, clock)? {
            Applied::Unseen(unseen) => panic!("{unseen:?} was looked through"),
            Applied::Changed(next) | Applied::Remembered(next) => {
                self.state = next.into();
                Ok(Outcome::Changed)
            }
            Applied::Replayed(_) => Ok(Outcome::Replayed),
            Applied::Unchanged => Ok(Outcome::Unchanged),
        }
    }

    /// Asks until everything that has to be looked through was looked through.
    pub fn apply(
        &self,
        operation: &Operation,
        mut looked: Looked,
        clock: i64,
    ) -> Result<Applied, Refusal> {
        loop {
            let applied = apply(&self.state, operation, &looked, t(clock))?;
            let Applied::Unseen(unseen) = applied else {
                return Ok(applied);
            };
            let mut segments = self.segments.iter();
            let segment = segments.find(|segment| {
                segment.generation() == unseen.generation && segment.first() == unseen.first
            });
            let segment = segment.expect("history begins where the look has come to");
            assert!(segment.last() <= unseen.last);
            assert_eq!(looked.look_through(segment), Ok(()));
        }
    }

    /// Moves the oldest entries out of the account, if it has as many.
    pub fn archive(&mut self, count: usize) {
        let State::Live(account) = &self.state else {
            return;
        };
        if let Some(segment) = account.oldest(count) {
            let account = account.clone().archive(&segment).expect("its own entries");
            self.state = State::Live(account);
            self.segments.push(segment);
        }
    }

    /// The account with all that has left it.
    pub fn history(&self) -> History {
        let account = self.account().clone();
        let generation = account.generation();
        let segments = self.segments.iter();
        let own = segments.filter(|segment| segment.generation() == generation);
        History::new(account, own.cloned()).expect("the whole history")
    }

    pub fn account(&self) -> &Account {
        self.state.live().expect("an account")
    }

    pub fn balance(&self, clock: i64) -> u64 {
        self.account().balance(t(clock)).get()
    }

    /// Of each lot: its id, what was used of it, and with what, as in `a 5 [r1 r2]`.
    pub fn used(&self, clock: i64) -> Vec<String> {
        let history = self.history();
        let summary = history.summary(t(clock));
        let line = |lot: &ledger::AddedView<'_>| {
            let with: Vec<_> = lot.used_with.iter().map(|id| id.as_str()).collect();
            format!(
                "{} {} [{}]",
                lot.id.as_str(),
                lot.used_points,
                with.join(" ")
            )
        };
        summary.added.iter().map(line).collect()
    }
}

/// The facts of an account, as a store would keep them.
pub fn parts_of(account: &Account) -> AccountParts {
    AccountParts {
        generation: account.generation(),
        created_at: account.created_at(),
        updated_at: account.updated_at(),
        opened_by: account.opened_by().cloned(),
        lots: account.lots().to_vec(),
        archived: account.archived().copied(),
        entries: account.entries().cloned().collect(),
        memory: account.memory().clone(),
    }
}

/// What must be true of every account at every time.
pub fn check_invariants(story: &Story, clock: Timestamp) {
    let account = story.account();
    let history = story.history();
    let summary = history.summary(clock);
    assert_eq!(
        summary.active,
        account.balance(clock),
        "balance and history"
    );
    assert!(summary.active <= Balance::MAX);
    for lot in &summary.added {
        assert!(lot.used_points <= lot.points.get(), "overdrawn: {lot:?}");
        assert_eq!(lot.used_points == 0, lot.used_with.is_empty());
    }
    for entry in history.entries() {
        if let EntryKind::Redeemed { takes } = &entry.kind {
            let sum: u64 = takes.iter().map(|take| take.points.get()).sum();
            assert_eq!(sum, entry.points.get(), "takes of {entry:?}");
        }
    }
    let times = summary.added.iter().map(|lot| lot.created_at);
    assert!(times.is_sorted());
    assert!(summary.redeemed.iter().map(|r| r.created_at).is_sorted());
    let restored = Account::from_parts(parts_of(account));
    assert_eq!(restored.as_ref(), Ok(account), "restoring");
}
