//! Where history is cut, how it is put and walked through, and one that is long.

use bytes::Bytes;
use ledger::{
    Account, Applied, Corrupt, Description, EntryId, Fingerprint, Identity, Looked, NewLot,
    Operation, OperationMark, Points, Record, Redemption, ReferenceId, Segment, State, Timestamp,
};
use proptest::prelude::*;

use super::due::weight;
use super::{Answered, KEPT_ENTRIES, Put, SEGMENT_ENTRIES, Stored, TAIL_BYTES, due};
use crate::access::test_support::NOW_MS;
use crate::accounts::document::{self, DocumentError, segment};
use crate::accounts::keys::HistoryKeys;
use crate::engine::{CommitAnswer, Found, Method, StoreId, read_commit};
use crate::test_support::engine::Engine;
use crate::test_support::large::{key_of, put_segment};

const MINUTE: i64 = 60_000;

fn mark(id: String, is_given: bool) -> OperationMark {
    let fingerprint = is_given.then_some(Fingerprint([1; 16]));
    OperationMark {
        identity: Identity {
            id: EntryId::new(id).expect("an id"),
            fingerprint,
        },
        key: None,
    }
}

fn add(id: String, points: u64, description: usize) -> Operation {
    Operation::Add {
        mark: mark(id, true),
        lot: NewLot {
            reference_id: ReferenceId::new("r".repeat(description % 257)).ok(),
            description: Description::new("d".repeat(description)).ok(),
            points: Points::new(points).expect("points"),
            created_at: None,
            valid_until: Timestamp::from_millis(NOW_MS + 1_000_000 * MINUTE),
            validity_months: None,
        },
    }
}

fn redeem(id: String, points: u64) -> Operation {
    Operation::Redeem {
        mark: mark(id, false),
        redemption: Redemption {
            description: None,
            points: Points::new(points).expect("points"),
            created_at: None,
        },
    }
}

fn after(state: &State, operation: &Operation, minute: i64) -> Account {
    let now = Timestamp::from_millis(NOW_MS + minute * MINUTE).expect("a time");
    let state = state.clone();
    match ledger::apply(&state, operation, &Looked::nothing(operation), now) {
        Ok(Applied::Changed(Record::Live(account))) => account,
        other => panic!("not applied: {other:?}"),
    }
}

/// An account after these operations, from which nothing has left.
fn account_of(operations: &[Operation]) -> Account {
    let mut state = State::Absent;
    for (minute, operation) in (0..).zip(operations) {
        state = State::Live(after(&state, operation, minute));
    }
    state.live().expect("an account").clone()
}

fn ends(segments: &[Segment]) -> Vec<u64> {
    segments.iter().map(Segment::last).collect()
}

#[test]
fn entries_leave_when_there_are_many_or_they_are_large() {
    let of = |count: usize, description: usize| {
        let operations: Vec<_> = (0..count)
            .map(|number| add(format!("{number}"), 1, description))
            .collect();
        ends(&due(&account_of(&operations)))
    };
    let nothing: Vec<u64> = Vec::new();
    let many = SEGMENT_ENTRIES + KEPT_ENTRIES;
    assert_eq!(of(many - 1, 0), nothing);
    assert_eq!(of(many, 0), [64]);
    assert_eq!(of(many + 63, 0), [64]);
    assert_eq!(of(many + 64, 0), [64, 128]);
    assert_eq!(of(1000, 0), [64, 128, 192, 256]);
    // 4,096 bytes of description and 241 of reference: three fit into a segment.
    assert_eq!(of(3, 4096), nothing);
    assert_eq!(of(4, 4096), [3]);
    assert_eq!(of(8, 4096), [3, 6]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn all_gateways_cut_at_the_same_places_and_what_stays_is_small(
        sizes in prop::collection::vec(prop_oneof![3 => Just(0_usize), 1 => 0_usize..4097], 1..150),
        seen in prop::collection::vec(any::<prop::sample::Index>(), 3),
    ) {
        let operations: Vec<_> = (0..).zip(&sizes).map(|(number, size)| {
            let id = format!("{number}");
            match size % 3 {
                0 | 1 => add(id, 9, *size),
                _ => add(id, 1, *size),
            }
        }).collect();
        let cut_all = |mut account: Account| {
            let mut cuts = Vec::new();
            loop {
                let segments = due(&account);
                if segments.is_empty() {
                    return (account, cuts);
                }
                for segment in segments {
                    account = account.archive(&segment).expect("its own entries");
                    cuts.push(segment);
                }
            }
        };
        let whole = account_of(&operations);
        let (rest, cuts) = cut_all(whole.clone());
        let left: usize = rest.entries().map(weight).sum();
        prop_assert!(left <= TAIL_BYTES && rest.entries().len() < SEGMENT_ENTRIES + KEPT_ENTRIES);
        for entry in whole.entries() {
            let alone = Segment::new(1, vec![entry.clone().into()]).expect("a segment");
            prop_assert!(segment::encode(&alone).len() <= weight(entry));
        }
        // Whoever has seen less cuts no other way.
        for index in seen {
            let (_, early) = cut_all(account_of(&operations[..=index.index(operations.len())]));
            prop_assert_eq!(&early[..], &cuts[..early.len()]);
        }
    }
}

fn answer(engine: &mut Engine, put: &Put) -> CommitAnswer {
    let message = put.commit().message();
    let message = engine.execute(Method::Txn, &message).expect("an answer");
    read_commit(put.key(), message).expect("an answer")
}

#[test]
fn a_segment_is_put_once_and_what_stands_there_is_taken_over_if_it_is_true() {
    let operations: Vec<_> = (0..10).map(|n| add(format!("{n}"), 1, 0)).collect();
    let base = account_of(&operations[..8]);
    let key = key_of("614");
    let keys = HistoryKeys::of(&key);
    let mine = base.oldest(4).expect("four entries");
    let put = Put::new(&keys, mine.clone());
    assert_eq!(put.key(), keys.segment(base.generation(), 1));
    let kept = |answered| match answered {
        Some(Answered::Kept(segment)) => segment,
        other => panic!("not kept: {other:?}"),
    };
    // Twice the same.
    let mut engine = Engine::default();
    for _ in 0..2 {
        let message = answer(&mut engine, &put);
        assert_eq!(kept(put.answered(&base, message)), mine);
    }
    assert_eq!(engine.puts.len(), 1);
    // It stood in the way, and is not there: that makes no sense.
    let nothing = CommitAnswer::Conflict(Found {
        document: None,
        store: StoreId(1),
        revision: 1,
    });
    assert!(put.answered(&base, nothing).is_none());
    // What another one may have put there.
    let shorter = base.oldest(2).expect("two entries");
    let newer = account_of(&operations).oldest(9).expect("nine entries");
    let foreign = account_of(&[add("z".to_owned(), 1, 0)])
        .oldest(1)
        .expect("an entry");
    for there in [shorter.clone(), newer.clone(), foreign.clone()] {
        let mut engine = Engine::default();
        put_segment(&mut engine, &key, &there);
        let message = answer(&mut engine, &put);
        match put.answered(&base, message) {
            Some(Answered::Kept(segment)) => assert_eq!((&segment, &there), (&shorter, &shorter)),
            Some(Answered::BaseIsOld) => assert_eq!(there, newer),
            Some(Answered::Corrupt(error)) => {
                assert_eq!(there, foreign);
                let broken = Corrupt::Segments { at: 1 };
                assert_eq!(error, DocumentError::Corrupt(broken));
            }
            None => panic!("an answer"),
        }
    }
    for (nonsense, expected) in [
        (b"{}".to_vec(), DocumentError::NoFormat),
        (
            segment::encode(
                &base
                    .clone()
                    .archive(&mine)
                    .expect("its own")
                    .oldest(1)
                    .expect("one"),
            ),
            DocumentError::ForeignKey,
        ),
    ] {
        let mut engine = Engine::default();
        engine.put(put.key(), &nonsense);
        let message = answer(&mut engine, &put);
        match put.answered(&base, message) {
            Some(Answered::Corrupt(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_customer_with_a_hundred_thousand_entries() {
    let mut state = State::Absent;
    let mut segments: Vec<Bytes> = Vec::new();
    let mut largest = 0;
    // Every fourth entry spends what the three before it brought, but for one point of every 128.
    for number in 0..100_000_i64 {
        let id = format!("{number:08}-1bad-4cab-8dab-0123456789ab");
        let operation = match number % 4 {
            3 => redeem(id, 30 - u64::from(number % 128 == 127)),
            _ => {
                let operation = add(id, 10, 20);
                match operation {
                    Operation::Add { mut mark, lot } => {
                        mark.identity.fingerprint = None;
                        Operation::Add { mark, lot }
                    }
                    other => other,
                }
            }
        };
        let mut account = after(&state, &operation, number);
        if let Some(base) = state.live() {
            for kept in due(base) {
                account = account.archive(&kept).expect("its own entries");
                segments.push(segment::encode(&kept).into());
            }
        }
        // 67 has no factor in common with a segment's length: every length of the tail comes up.
        if number % 67 == 0 {
            let document = document::encode(&Record::Live(account.clone()));
            assert_eq!(
                document::decode(&document),
                Ok(State::Live(account.clone()))
            );
            largest = largest.max(document.len());
        }
        state = State::Live(account);
    }
    let account = state.live().expect("an account").clone();
    assert_eq!(account.sequence(), 100_000);
    assert!(largest < 12 * 1024, "{largest} bytes");
    assert_eq!(segments.len(), 1562);
    let document = document::encode(&Record::Live(account.clone())).into();
    let history = Stored { document, segments }.history().expect("a history");
    let now = Timestamp::from_millis(NOW_MS).expect("a time");
    let summary = history.summary(now);
    assert_eq!(summary.active, account.balance(now));
    assert_eq!(summary.active.get(), 100_000 / 128);
    assert_eq!(
        (summary.added.len(), summary.redeemed.len()),
        (75_000, 25_000)
    );
    let used: u64 = summary.added.iter().map(|lot| lot.used_points).sum();
    assert_eq!(used, 750_000 - summary.active.get());
}
