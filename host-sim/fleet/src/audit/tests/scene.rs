//! A world made up by hand: one account that the ledger itself writes, and an auditor that is shown and told things.

use engine_model::{Method, Model};
use etcd_wire::{DeleteRangeRequest, PutRequest, RequestOp, TxnRequest, request_op};
use gateway::accounts::document;
use ledger::{
    Account as Held, AccountParts, Applied, Description, EntryId, Fingerprint, Identity, Looked,
    NewLot, OperationMark, Points, Record, Redemption, Segment, State, Timestamp, apply,
};
use prost::Message as _;

use crate::audit::{Answer, Asked, Auditor};
use crate::checks::Check;
use crate::clock::{GatewayClock, START_MS, Time};
use crate::named::Set;
use crate::plan::Settings;
use crate::plan::{Account, Event, Kind, Name, Operation, Plan, Recency, What, Wish};

pub(super) const ACCOUNT: Account = Account {
    tenant: 0,
    customer: 7,
};

pub(super) const ADD: Kind = Kind::Add {
    points: 100,
    valid_ms: None,
};
pub(super) const REDEEM: Kind = Kind::Redeem { points: 30 };
pub(super) const BOUNDED: Kind = Kind::Balance(Recency::Bounded);

/// An auditor, an engine, and one account in it that is written by the ledger itself.
pub(super) struct Scene {
    pub(super) auditor: Auditor,
    pub(super) model: Model,
    pub(super) time: Time,
    pub(super) clock: GatewayClock,
    pub(super) state: State,
    /// What has left the account's document.
    pub(super) segments: Vec<Segment>,
    pub(super) operations: Vec<Operation>,
}

pub(super) fn operation(number: u32, kind: Kind, named: Name) -> Operation {
    Operation {
        number,
        client: 0,
        account: ACCOUNT,
        gateway: 0,
        worker: 0,
        kind,
        named,
        body_after_us: 0,
        echoes: 0,
    }
}

impl Scene {
    /// The operations are numbered from 1 on.
    pub(super) fn of(kinds: &[(Kind, Name)]) -> Self {
        let mut plan = Plan::draw(&Wish {
            seed: 1,
            gateways: 1,
            workers: 1,
            operations: 0,
            faults: Set::none(),
            settings: Settings::new(),
        });
        plan.profile.max_staleness_ms = 1_000;
        let operations: Vec<Operation> = kinds
            .iter()
            .zip(1..)
            .map(|(&(kind, named), number)| operation(number, kind, named))
            .collect();
        plan.events = operations
            .iter()
            .map(|it| Event {
                at_us: 0,
                what: What::Operation(it.clone()),
            })
            .collect();
        let time = Time::default();
        let clock = GatewayClock::new(&time, 0);
        let scene = Self {
            auditor: Auditor::new(&plan, &Set::all(), vec![clock.clone()]),
            model: Model::new(5),
            time,
            clock,
            state: State::Absent,
            segments: Vec::new(),
            operations,
        };
        scene.pass(1_000);
        scene
    }

    /// Points are added, some are redeemed, and then somebody reads.
    pub(super) fn read_after_two(read: Kind) -> Self {
        Self::of(&[
            (ADD, Name::Id(1)),
            (REDEEM, Name::Id(2)),
            (read, Name::Nothing),
        ])
    }

    pub(super) fn pass(&self, ms: u64) {
        self.time.move_to(self.time.now_us() + ms * 1_000);
    }

    pub(super) fn asks(&mut self, number: u32) -> Asked {
        self.asks_with(number, 0)
    }

    pub(super) fn asks_with(&mut self, number: u32, session: i64) -> Asked {
        let operation = self.operations[number as usize - 1].clone();
        let now_us = self.time.now_us();
        self.auditor.asked(&operation, 0, session, now_us)
    }

    pub(super) fn is_told(&mut self, asked: &Asked, answer: &Answer) {
        let operation = self.operations[asked.number as usize - 1].clone();
        let now_us = self.time.now_us();
        self.auditor.answered(asked, &operation, answer, now_us);
    }

    pub(super) fn puts(&mut self, key: &str, value: Vec<u8>) -> i64 {
        let put = PutRequest {
            key: key.to_owned().into(),
            value: value.into(),
            ..PutRequest::default()
        };
        self.writes(request_op::Request::RequestPut(put))
    }

    pub(super) fn removes(&mut self, key: &str) -> i64 {
        let key = DeleteRangeRequest {
            key: key.to_owned().into(),
            ..DeleteRangeRequest::default()
        };
        self.writes(request_op::Request::RequestDeleteRange(key))
    }

    fn writes(&mut self, write: request_op::Request) -> i64 {
        let request = TxnRequest {
            success: vec![RequestOp {
                request: Some(write),
            }],
            ..TxnRequest::default()
        };
        let before = self.model.revision();
        let message = request.encode_to_vec().into();
        self.model.execute(Method::Txn, message).expect("a write");
        let changes: Vec<_> = self.model.changes_after(before).cloned().collect();
        for change in &changes {
            self.auditor.committed(change, self.time.now_us());
        }
        self.model.revision()
    }

    pub(super) fn holds(&mut self, record: &Record) -> i64 {
        self.puts(&key(), document::encode(record))
    }

    /// The engine does this operation, as it should.
    pub(super) fn does(&mut self, number: u32) -> i64 {
        self.does_as(number, number)
    }

    /// The same under another number's id.
    pub(super) fn does_as(&mut self, number: u32, id: u32) -> i64 {
        let record = self.decides(number, id);
        self.holds(&record)
    }

    /// What the ledger makes of it, which the engine does not hold yet.
    pub(super) fn decides(&mut self, number: u32, id: u32) -> Record {
        let operation = ledger_operation(&self.operations[number as usize - 1], id);
        let now_ms = START_MS + (self.time.now_us() / 1000).cast_signed();
        let now = Timestamp::from_millis(now_ms).expect("a time");
        let mut looked = Looked::nothing(&operation);
        for segment in &self.segments {
            looked.look_through(segment).expect("in their order");
        }
        let applied = apply(&self.state, &operation, &looked, now).expect("not refused");
        let Applied::Changed(record) = applied else {
            panic!("{applied:?}");
        };
        self.state = record.clone().into();
        record
    }

    /// An operation from its request to its answer, as it should be.
    pub(super) fn goes_well(&mut self, number: u32) -> i64 {
        let asked = self.asks(number);
        self.pass(5);
        let revision = self.does(number);
        self.pass(5);
        self.is_told(&asked, &done(revision));
        revision
    }

    /// The account, with something else about it.
    pub(super) fn changed(&self, change: impl FnOnce(&mut AccountParts)) -> Record {
        let State::Live(account) = self.state.clone() else {
            panic!("there is an account");
        };
        let mut parts = AccountParts {
            generation: account.generation(),
            created_at: account.created_at(),
            updated_at: account.updated_at(),
            opened_by: account.opened_by().cloned(),
            lots: account.lots().to_vec(),
            archived: account.archived().copied(),
            entries: account.entries().cloned().collect(),
            memory: account.memory().clone(),
        };
        change(&mut parts);
        Record::Live(Held::from_parts(parts).expect("the ledger takes it for possible"))
    }

    #[track_caller]
    pub(super) fn finds(&mut self, check: Check) {
        let found = self.auditor.take_violation();
        assert_eq!(found.as_ref().map(|it| it.check), Some(check), "{found:?}");
    }

    #[track_caller]
    pub(super) fn finds_nothing_wrong_yet(&mut self) {
        assert_eq!(self.auditor.take_violation(), None);
    }

    #[track_caller]
    pub(super) fn finds_nothing(&mut self) {
        self.auditor.finish(self.time.now_us());
        assert_eq!(self.auditor.take_violation(), None);
    }
}

/// The key of the account's document.
pub(super) fn key() -> String {
    let (tenant, customer) = (ACCOUNT.tenant_name(), ACCOUNT.customer_name());
    format!("/points/1/account/{tenant}/123/{customer}")
}

/// The key of a segment of the account.
pub(super) fn segment_key(generation: u64, first: u64) -> String {
    let (tenant, customer) = (ACCOUNT.tenant_name(), ACCOUNT.customer_name());
    format!("/points/1/history/{tenant}/123/{customer}/{generation}/{first}")
}

pub(super) fn ledger_operation(operation: &Operation, id: u32) -> ledger::Operation {
    let id = EntryId::new(crate::wire::id(id)).expect("an id");
    let mark = OperationMark {
        identity: Identity::given(id, Fingerprint([1; 16])),
        key: None,
    };
    let text = crate::wire::description(operation.number);
    let description = Some(Description::new(text).expect("a text"));
    let points = |points: u32| Points::new(points.into()).expect("points");
    match operation.kind {
        Kind::Add { points: it, .. } => ledger::Operation::Add {
            mark,
            lot: NewLot {
                reference_id: None,
                description,
                points: points(it),
                created_at: None,
                valid_until: None,
                validity_months: None,
            },
        },
        Kind::Redeem { points: it } => ledger::Operation::Redeem {
            mark,
            redemption: Redemption {
                description,
                points: points(it),
                created_at: None,
            },
        },
        Kind::Delete => ledger::Operation::Delete { mark },
        other => panic!("no story has {other:?}"),
    }
}

pub(super) fn answer(status: u16) -> Answer {
    Answer {
        status,
        revision: None,
        source: None,
        age_s: None,
        replayed: false,
        body: Vec::new(),
    }
}

pub(super) fn done(revision: i64) -> Answer {
    Answer {
        revision: Some(revision),
        ..answer(201)
    }
}

pub(super) fn from_engine(balance: u64) -> Answer {
    Answer {
        source: Some("engine".to_owned()),
        body: balance.to_string().into_bytes(),
        ..answer(200)
    }
}

pub(super) fn from_copy(balance: u64, age_s: u64) -> Answer {
    Answer {
        source: Some("cache".to_owned()),
        age_s: Some(age_s),
        ..from_engine(balance)
    }
}

pub(super) fn insufficient(wanted: u64, active: u64) -> Answer {
    let detail = format!("Cannot redeem {wanted} points: only {active} are active");
    Answer {
        body: serde_json::json!({ "detail": detail })
            .to_string()
            .into_bytes(),
        ..answer(400)
    }
}

pub(super) fn adds(number: usize) -> Vec<(Kind, Name)> {
    (1..).map(|it| (ADD, Name::Id(it))).take(number).collect()
}
