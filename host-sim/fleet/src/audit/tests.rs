//! Every check finds what it is there for: worlds of a few commits and answers, made up by hand, each with one lie in it.

use engine_model::{Method, Model};
use etcd_wire::{PutRequest, RequestOp, TxnRequest, request_op};
use gateway::accounts::document;
use ledger::{
    Account as Held, AccountParts, Applied, Description, EntryId, EntryKind, Fingerprint, Identity,
    Looked, NewLot, OperationMark, Points, Record, Redemption, State, Take, Timestamp, apply,
};
use prost::Message as _;

use super::{Answer, Asked, Auditor};
use crate::checks::Check;
use crate::clock::{GatewayClock, START_MS, Time};
use crate::named::Set;
use crate::plan::Settings;
use crate::plan::{Account, Event, Kind, Name, Operation, Plan, Recency, What, Wish};

const ACCOUNT: Account = Account {
    tenant: 0,
    customer: 7,
};

const ADD: Kind = Kind::Add {
    points: 100,
    valid_ms: None,
};
const REDEEM: Kind = Kind::Redeem { points: 30 };
const BOUNDED: Kind = Kind::Balance(Recency::Bounded);

/// An auditor, an engine, and one account in it that is written by the ledger itself.
struct Scene {
    auditor: Auditor,
    model: Model,
    time: Time,
    clock: GatewayClock,
    state: State,
    operations: Vec<Operation>,
}

fn operation(number: u32, kind: Kind, named: Name) -> Operation {
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
    fn of(kinds: &[(Kind, Name)]) -> Self {
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
            operations,
        };
        scene.pass(1_000);
        scene
    }

    fn pass(&self, ms: u64) {
        self.time.move_to(self.time.now_us() + ms * 1_000);
    }

    fn asks(&mut self, number: u32) -> Asked {
        self.asks_with(number, 0)
    }

    fn asks_with(&mut self, number: u32, session: i64) -> Asked {
        let operation = self.operations[number as usize - 1].clone();
        let now_us = self.time.now_us();
        self.auditor.asked(&operation, 0, session, now_us)
    }

    fn is_told(&mut self, asked: &Asked, answer: &Answer) {
        let operation = self.operations[asked.number as usize - 1].clone();
        let now_us = self.time.now_us();
        self.auditor.answered(asked, &operation, answer, now_us);
    }

    fn puts(&mut self, key: &str, value: Vec<u8>) -> i64 {
        let put = PutRequest {
            key: key.to_owned().into(),
            value: value.into(),
            ..PutRequest::default()
        };
        let request = TxnRequest {
            success: vec![RequestOp {
                request: Some(request_op::Request::RequestPut(put)),
            }],
            ..TxnRequest::default()
        };
        let before = self.model.revision();
        let message = request.encode_to_vec().into();
        self.model.execute(Method::Txn, message).expect("a put");
        let changes: Vec<_> = self.model.changes_after(before).cloned().collect();
        for change in &changes {
            self.auditor.committed(change, self.time.now_us());
        }
        self.model.revision()
    }

    fn holds(&mut self, record: &Record) -> i64 {
        let (tenant, customer) = (ACCOUNT.tenant_name(), ACCOUNT.customer_name());
        let key = format!("/points/1/account/{tenant}/123/{customer}");
        self.puts(&key, document::encode(record))
    }

    /// The engine does this operation, as it should.
    fn does(&mut self, number: u32) -> i64 {
        self.does_as(number, number)
    }

    /// The same under another number's id.
    fn does_as(&mut self, number: u32, id: u32) -> i64 {
        let operation = ledger_operation(&self.operations[number as usize - 1], id);
        let now_ms = START_MS + (self.time.now_us() / 1000).cast_signed();
        let now = Timestamp::from_millis(now_ms).expect("a time");
        let looked = Looked::nothing(&operation);
        let applied = apply(&self.state, &operation, &looked, now).expect("not refused");
        let Applied::Changed(record) = applied else {
            panic!("{applied:?}");
        };
        self.state = record.clone().into();
        self.holds(&record)
    }

    /// An operation from its request to its answer, as it should be.
    fn goes_well(&mut self, number: u32) -> i64 {
        let asked = self.asks(number);
        self.pass(5);
        let revision = self.does(number);
        self.pass(5);
        self.is_told(&asked, &done(revision));
        revision
    }

    /// The account, with something else about it.
    fn changed(&self, change: impl FnOnce(&mut AccountParts)) -> Record {
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
    fn finds(&mut self, check: Check) {
        let found = self.auditor.take_violation();
        assert_eq!(found.as_ref().map(|it| it.check), Some(check), "{found:?}");
    }

    #[track_caller]
    fn finds_nothing(&mut self) {
        self.auditor.finish(self.time.now_us());
        assert_eq!(self.auditor.take_violation(), None);
    }
}

fn ledger_operation(operation: &Operation, id: u32) -> ledger::Operation {
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

fn answer(status: u16) -> Answer {
    Answer {
        status,
        revision: None,
        source: None,
        age_s: None,
        replayed: false,
        body: Vec::new(),
    }
}

fn done(revision: i64) -> Answer {
    Answer {
        revision: Some(revision),
        ..answer(201)
    }
}

fn from_engine(balance: u64) -> Answer {
    Answer {
        source: Some("engine".to_owned()),
        body: balance.to_string().into_bytes(),
        ..answer(200)
    }
}

fn from_copy(balance: u64, age_s: u64) -> Answer {
    Answer {
        source: Some("cache".to_owned()),
        age_s: Some(age_s),
        ..from_engine(balance)
    }
}

fn insufficient(wanted: u64, active: u64) -> Answer {
    let detail = format!("Cannot redeem {wanted} points: only {active} are active");
    Answer {
        body: serde_json::json!({ "detail": detail })
            .to_string()
            .into_bytes(),
        ..answer(400)
    }
}

fn adds(number: usize) -> Vec<(Kind, Name)> {
    (1..).map(|it| (ADD, Name::Id(it))).take(number).collect()
}

#[test]
fn what_is_right_is_found_right() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (BOUNDED, Name::Nothing),
        (Kind::Delete, Name::Nothing),
        (REDEEM, Name::Id(5)),
    ]);
    scene.goes_well(1);
    scene.goes_well(2);
    let read = scene.asks(3);
    scene.is_told(&read, &from_engine(70));
    let delete = scene.asks(4);
    let revision = scene.does(4);
    let deleted = Answer {
        status: 200,
        ..done(revision)
    };
    scene.is_told(&delete, &deleted);
    let redeem = scene.asks(5);
    scene.is_told(&redeem, &answer(404));
    scene.finds_nothing();
}

#[test]
fn a_lot_that_is_used_out_of_turn() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (ADD, Name::Id(2)),
        (REDEEM, Name::Id(3)),
    ]);
    scene.goes_well(1);
    scene.goes_well(2);
    let _ = scene.asks(3);
    scene.pass(5);
    let before = scene.state.clone();
    scene.does(3);
    scene.finds_nothing_wrong_yet();
    // The same once more, in another world: the second lot first.
    let mut other = Scene::of(&[
        (ADD, Name::Id(1)),
        (ADD, Name::Id(2)),
        (REDEEM, Name::Id(3)),
    ]);
    other.goes_well(1);
    other.goes_well(2);
    let _ = other.asks(3);
    other.pass(5);
    other.state = scene.state.clone();
    assert_ne!(before, scene.state);
    let record = other.changed(|parts| {
        let thirty = Points::new(30).expect("points");
        if let Some(EntryKind::Redeemed { takes }) = parts.entries.last_mut().map(|it| &mut it.kind)
        {
            *takes = vec![Take {
                lot: 2,
                points: thirty,
            }];
        }
        parts.lots[0].remaining = Points::new(100).expect("points");
        parts.lots[1].remaining = Points::new(70).expect("points");
    });
    other.holds(&record);
    other.finds(Check::Fold);
}

impl Scene {
    #[track_caller]
    fn finds_nothing_wrong_yet(&mut self) {
        assert_eq!(self.auditor.take_violation(), None);
    }
}

#[test]
fn a_document_that_is_none() {
    let mut scene = Scene::of(&adds(1));
    scene.goes_well(1);
    let key = format!(
        "/points/1/account/{}/123/{}",
        ACCOUNT.tenant_name(),
        ACCOUNT.customer_name()
    );
    scene.puts(&key, b"\xff".to_vec());
    scene.finds(Check::Fold);
}

#[test]
fn an_entry_that_changes() {
    let mut scene = Scene::of(&adds(2));
    scene.goes_well(1);
    let record = scene.changed(|parts| {
        parts.entries[0].description = Some(Description::new("o2").expect("a text"));
    });
    scene.holds(&record);
    scene.finds(Check::History);
}

#[test]
fn an_entry_that_vanishes() {
    let mut scene = Scene::of(&adds(2));
    scene.goes_well(1);
    let before = scene.state.clone();
    scene.goes_well(2);
    if let State::Live(account) = before {
        scene.holds(&Record::Live(account));
    }
    scene.finds(Check::History);
}

#[test]
fn an_operation_that_is_done_twice() {
    let mut scene = Scene::of(&adds(2));
    let _ = scene.asks(1);
    scene.does(1);
    scene.finds_nothing_wrong_yet();
    scene.does_as(1, 2);
    scene.finds(Check::ExactlyOnce);
}

#[test]
fn an_operation_that_is_done_after_it_was_refused() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (ADD, Name::Id(3)),
    ]);
    let redeem = scene.asks(2);
    scene.is_told(&redeem, &answer(404));
    scene.goes_well(1);
    scene.does(2);
    scene.finds(Check::ExactlyOnce);
}

#[test]
fn an_operation_that_is_done_after_nobody_heard_of_it() {
    let mut scene = Scene::of(&adds(1));
    let asked = scene.asks(1);
    scene.auditor.unknown(&asked);
    scene.does(1);
    scene.finds_nothing();
}

#[test]
fn an_account_that_is_deleted_twice_at_one_request() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (Kind::Delete, Name::Nothing),
        (ADD, Name::Id(3)),
    ]);
    scene.goes_well(1);
    let _ = scene.asks(2);
    scene.does(2);
    scene.goes_well(3);
    scene.finds_nothing_wrong_yet();
    scene.does_as(2, 99);
    scene.finds(Check::ExactlyOnce);
}

#[test]
fn an_acknowledgement_of_nothing() {
    let mut scene = Scene::of(&adds(2));
    let revision = scene.goes_well(1);
    let asked = scene.asks(2);
    scene.is_told(&asked, &done(revision));
    scene.finds(Check::Acknowledged);
}

#[test]
fn an_acknowledgement_with_a_revision_of_nothing() {
    let mut scene = Scene::of(&adds(1));
    let asked = scene.asks(1);
    let revision = scene.does(1);
    scene.is_told(&asked, &done(revision + 1));
    scene.finds(Check::Acknowledged);
}

#[test]
fn other_points_than_were_asked_for() {
    let mut scene = Scene::of(&adds(1));
    let _ = scene.asks(1);
    scene.operations[0].kind = Kind::Add {
        points: 99,
        valid_ms: None,
    };
    scene.does(1);
    scene.finds(Check::Acknowledged);
}

#[test]
fn a_refusal_that_was_never_true() {
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (REDEEM, Name::Id(2))]);
    scene.goes_well(1);
    scene.pass(5);
    let asked = scene.asks(2);
    scene.is_told(&asked, &answer(404));
    scene.finds(Check::Refused);
    let asked = scene.asks(2);
    scene.is_told(&asked, &insufficient(30, 20));
    scene.finds(Check::Refused);
}

#[test]
fn a_refusal_between_two_changes_of_one_commit() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (Kind::Redeem { points: 80 }, Name::Id(2)),
        (REDEEM, Name::Id(3)),
        (ADD, Name::Id(4)),
    ]);
    scene.goes_well(1);
    let (first, second, third) = (scene.asks(2), scene.asks(3), scene.asks(4));
    // Both are in one document, and the refusal between them.
    for number in [2, 4] {
        let operation = ledger_operation(
            &scene.operations[number - 1],
            u32::try_from(number).expect("few"),
        );
        let now = Timestamp::from_millis(START_MS + 1_020).expect("a time");
        let applied = apply(&scene.state, &operation, &Looked::nothing(&operation), now);
        let Ok(Applied::Changed(record)) = applied else {
            panic!("{applied:?}");
        };
        scene.state = record.into();
    }
    let State::Live(account) = scene.state.clone() else {
        panic!("there is an account");
    };
    let revision = scene.holds(&Record::Live(account));
    scene.is_told(&first, &done(revision));
    scene.is_told(&third, &done(revision));
    scene.is_told(&second, &insufficient(30, 20));
    scene.finds_nothing();
}

#[test]
fn another_answer_than_before() {
    let mut scene = Scene::of(&adds(1));
    scene.goes_well(1);
    let again = scene.asks(1);
    scene.is_told(&again, &answer(409));
    assert!(scene.auditor.violation.is_some());
    let mut scene = Scene::of(&[(ADD, Name::Key)]);
    let revision = scene.goes_well(1);
    let again = scene.asks(1);
    scene.is_told(&again, &done(revision));
    scene.finds(Check::SameAnswer);
}

#[test]
fn an_answer_of_the_engine_that_is_old() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (BOUNDED, Name::Nothing),
    ]);
    scene.goes_well(1);
    scene.goes_well(2);
    scene.pass(1);
    let read = scene.asks(3);
    scene.is_told(&read, &from_engine(100));
    scene.finds(Check::Strict);
}

#[test]
fn a_copy_that_is_too_old() {
    for (passed_ms, set_back_ms, then_ms, age_s, found) in [
        (900, 0, 0, 0, None),
        (1_500, 0, 0, 0, Some(Check::Bounded)),
        // The clock was set back meanwhile: then so much more is allowed.
        (1_500, 600, 0, 0, None),
        (400, 600, 1_100, 0, None),
        (1_700, 600, 0, 0, Some(Check::Bounded)),
        // Before what is shown was replaced, so it does not count.
        (0, 600, 1_700, 0, Some(Check::Bounded)),
        // Older than the bound, and says so.
        (1_500, 0, 0, 2, Some(Check::Source)),
    ] {
        let mut scene = Scene::of(&[
            (ADD, Name::Id(1)),
            (REDEEM, Name::Id(2)),
            (BOUNDED, Name::Nothing),
        ]);
        scene.goes_well(1);
        // Another gateway's.
        let asked = scene.asks(2);
        scene.does(2);
        scene.auditor.unknown(&asked);
        scene.pass(passed_ms);
        scene.clock.step(-set_back_ms);
        scene.pass(then_ms);
        let read = scene.asks(3);
        scene.is_told(&read, &from_copy(100, age_s));
        let violation = scene.auditor.take_violation().map(|it| it.check);
        assert_eq!(violation, found, "{passed_ms} {set_back_ms} {then_ms}");
    }
}

#[test]
fn a_copy_that_lacks_what_its_gateway_has_acknowledged() {
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (BOUNDED, Name::Nothing),
    ]);
    scene.goes_well(1);
    scene.goes_well(2);
    scene.pass(1);
    let read = scene.asks(3);
    scene.is_told(&read, &from_copy(100, 0));
    scene.finds(Check::OwnWrites);
}

#[test]
fn an_answer_that_lacks_the_revision_that_was_asked_for() {
    let session = Kind::Balance(Recency::Session);
    let mut scene = Scene::of(&[
        (ADD, Name::Id(1)),
        (REDEEM, Name::Id(2)),
        (session, Name::Nothing),
    ]);
    scene.goes_well(1);
    let asked = scene.asks(2);
    let revision = scene.does(2);
    scene.auditor.unknown(&asked);
    scene.pass(1);
    let read = scene.asks_with(3, revision);
    scene.is_told(&read, &from_copy(100, 0));
    scene.finds(Check::Session);
}

#[test]
fn a_strict_read_from_a_copy() {
    let strict = Kind::Balance(Recency::Strict);
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (strict, Name::Nothing)]);
    scene.goes_well(1);
    let read = scene.asks(2);
    scene.is_told(&read, &from_copy(100, 0));
    scene.finds(Check::Source);
}

#[test]
fn a_list_that_lacks_an_account() {
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (Kind::List, Name::Nothing)]);
    scene.goes_well(1);
    scene.pass(1);
    let list = scene.asks(2);
    let empty = Answer {
        body: b"[]".to_vec(),
        ..answer(200)
    };
    scene.is_told(&list, &empty);
    scene.finds(Check::Listing);
}

#[test]
fn an_entry_of_another_account() {
    let mut scene = Scene::of(&adds(1));
    let _ = scene.asks(1);
    scene.operations[0].number = 2;
    scene.does(1);
    scene.finds(Check::Isolation);
}

#[test]
fn a_request_without_an_answer() {
    let mut scene = Scene::of(&adds(1));
    let _ = scene.asks(1);
    scene.auditor.finish(scene.time.now_us());
    scene.finds(Check::Answered);
}

#[test]
fn an_answer_that_the_api_does_not_have() {
    let mut scene = Scene::of(&[(ADD, Name::Id(1)), (BOUNDED, Name::Nothing)]);
    let asked = scene.asks(1);
    scene.is_told(&asked, &answer(500));
    scene.finds(Check::Status);
    let read = scene.asks(2);
    scene.is_told(&read, &answer(500));
    scene.finds(Check::Status);
}

#[test]
fn what_nobody_wants_to_know_is_not_told() {
    let mut scene = Scene::of(&adds(1));
    scene.auditor.checks = Set::all().without(&[Check::Status]);
    let asked = scene.asks(1);
    scene.is_told(&asked, &answer(500));
    scene.finds_nothing();
}
