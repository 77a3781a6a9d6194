//! The document: what comes back, what is refused, how large it is.

mod formats;
mod properties;
mod segments;

use ledger::{
    Applied, Description, EntryId, Fingerprint, Identity, KeyDigest, KeyUse, Looked, NewLot,
    Operation, OperationMark, Points, Record, Redemption, ReferenceId, Segment, State, Timestamp,
    apply,
};
use prost::Message;

use super::{DocumentError, decode, encode, proto, uuid};

const NOW: i64 = 1_683_829_938_591;
const YEAR: i64 = 365 * 24 * 3_600_000;
/// The first millisecond after the calendar.
const YEAR_10000: i64 = 253_402_300_800_000;

fn t(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time within the calendar")
}

fn uuid_like(number: u8) -> String {
    format!("{number:08x}-1bad-4cab-8dab-0123456789ab")
}

fn mark(id: &str, fingerprint: Option<u8>, key: Option<u8>) -> OperationMark {
    OperationMark {
        identity: Identity {
            id: EntryId::new(id).expect("an id within bounds"),
            fingerprint: fingerprint.map(|byte| Fingerprint([byte; 16])),
        },
        key: key.map(|byte| KeyUse {
            digest: KeyDigest([byte; 16]),
            request: Fingerprint([byte; 16]),
        }),
    }
}

fn lot(points: u64) -> NewLot {
    NewLot {
        reference_id: None,
        description: None,
        points: Points::new(points).expect("points within bounds"),
        created_at: None,
        valid_until: None,
        validity_months: None,
    }
}

fn add(mark: OperationMark, points: u64) -> Operation {
    let lot = lot(points);
    Operation::Add { mark, lot }
}

fn redeem(mark: OperationMark, points: u64) -> Operation {
    let redemption = Redemption {
        description: Some(Description::new("spent").expect("a short text")),
        points: Points::new(points).expect("points within bounds"),
        created_at: None,
    };
    Operation::Redeem { mark, redemption }
}

/// What the operations leave, those refused left out; one is done every second.
fn after(operations: &[Operation]) -> Option<Record> {
    let mut record = None;
    for (second, operation) in (0_i64..).zip(operations) {
        let state = record.clone().map_or(State::Absent, State::from);
        if let Ok(Applied::Changed(next)) = apply(
            &state,
            operation,
            &Looked::nothing(operation),
            t(NOW + second * 1000),
        ) {
            record = Some(next);
        }
    }
    record
}

fn record(operations: &[Operation]) -> Record {
    after(operations).expect("something was written")
}

/// The account without its oldest entries, and the segment that they are.
fn archived(record: &Record, count: usize) -> (Record, Segment) {
    let State::Live(account) = State::from(record.clone()) else {
        panic!("an account");
    };
    let segment = account.oldest(count).expect("as many entries");
    let account = account.archive(&segment).expect("its own entries");
    (Record::Live(account), segment)
}

/// An account and a tombstone with every part that a document can have.
fn full() -> [Record; 2] {
    let start = NewLot {
        reference_id: Some(ReferenceId::new("order-1").expect("a short text")),
        description: Some(Description::new("").expect("a short text")),
        created_at: Some(t(NOW - 5)),
        valid_until: Some(t(NOW + YEAR)),
        ..lot(100)
    };
    let operations = [
        add(mark("first life", Some(1), Some(1)), 5),
        Operation::Delete {
            mark: mark(&uuid_like(1), None, None),
        },
        Operation::Create {
            mark: mark(&uuid_like(2), None, Some(2)),
            start: None,
        },
        Operation::Add {
            mark: mark("own id", Some(3), None),
            lot: start,
        },
        add(mark(&uuid_like(4), None, Some(4)), 7),
        redeem(mark(&uuid_like(5).to_uppercase(), Some(5), None), 104),
        Operation::Delete {
            mark: mark(&uuid_like(6), None, None),
        },
    ];
    [record(&operations[..6]), record(&operations)].map(|record| in_second_life(&record))
}

/// The record with the number that its life had when all lives were counted from 1.
fn in_second_life(record: &Record) -> Record {
    let bytes = changed(record, |message| match &mut message.state {
        Some(proto::account_document::State::Live(live)) => live.generation = 2,
        Some(proto::account_document::State::Erased(erased)) => erased.generation = 2,
        None => panic!("a document without a state"),
    });
    match decode(&bytes) {
        Ok(State::Live(account)) => Record::Live(account),
        Ok(State::Erased(tombstone)) => Record::Erased(tombstone),
        other => panic!("{other:?}"),
    }
}

/// The document with one thing changed in the message.
fn changed(record: &Record, change: impl FnOnce(&mut proto::AccountDocument)) -> Vec<u8> {
    let mut message = proto::AccountDocument::decode(&*encode(record)).expect("our own document");
    change(&mut message);
    message.encode_to_vec()
}

fn live(message: &mut proto::AccountDocument) -> &mut proto::Live {
    match &mut message.state {
        Some(proto::account_document::State::Live(live)) => live,
        _ => panic!("the document of an account"),
    }
}

fn erased(message: &mut proto::AccountDocument) -> &mut proto::Erased {
    match &mut message.state {
        Some(proto::account_document::State::Erased(erased)) => erased,
        _ => panic!("the document of a tombstone"),
    }
}

#[test]
fn every_part_comes_back() {
    for record in full() {
        let bytes = encode(&record);
        assert_eq!(decode(&bytes), Ok(State::from(record.clone())));
        assert_eq!(bytes, encode(&record), "the same bytes every time");
    }
}

#[test]
fn a_typical_account_is_small() {
    let mut operations = Vec::new();
    for number in 0..6 {
        operations.push(Operation::Add {
            mark: mark(&uuid_like(number), None, None),
            lot: NewLot {
                description: Some(Description::new("Welcome bonus").expect("a short text")),
                valid_until: Some(t(NOW + YEAR)),
                ..lot(1000)
            },
        });
    }
    operations.push(redeem(mark(&uuid_like(10), None, None), 2500));
    operations.push(redeem(mark(&uuid_like(11), None, Some(1)), 500));
    let size = encode(&record(&operations)).len();
    assert!(size <= 800, "{size} bytes for 8 entries and 3 open lots");
}

#[test]
fn a_tombstone_is_hardly_larger_than_the_account_was() {
    let mut operations: Vec<_> = (0..50)
        .map(|n| add(mark(&uuid_like(n), Some(n), Some(n)), 1))
        .collect();
    let live = encode(&record(&operations)).len();
    operations.push(Operation::Delete {
        mark: mark(&uuid_like(99), None, None),
    });
    assert!(encode(&record(&operations)).len() < live);
}

#[test]
fn other_formats_are_told_apart_from_garbage() {
    let bytes = encode(&full()[0]);
    let of_format = |format: u8| [&[0x08, format], &bytes[2..]].concat();
    let cases = [
        (Vec::new(), DocumentError::NoFormat),
        (vec![0x08], DocumentError::NoFormat),
        (vec![0x08, 0xff], DocumentError::NoFormat),
        (bytes[2..].to_vec(), DocumentError::NoFormat),
        (b"{}".to_vec(), DocumentError::NoFormat),
        (of_format(0), DocumentError::UnknownFormat { found: 0 }),
        (of_format(3), DocumentError::UnknownFormat { found: 3 }),
        (
            vec![0x08, 3, 0xff, 0xff],
            DocumentError::UnknownFormat { found: 3 },
        ),
        (vec![0x08, 1], DocumentError::Missing("state")),
        (vec![0x08, 2], DocumentError::Missing("state")),
    ];
    for (bytes, expected) in cases {
        assert_eq!(decode(&bytes), Err(expected), "{bytes:?}");
    }
    for end in 2..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "cut off at {end}");
    }
}

#[test]
fn what_would_be_lost_is_refused() {
    let [account, _] = full();
    let bytes = encode(&account);
    let cases = [
        ("an unknown field", [&bytes[..], &[0x7a, 1, 0]].concat()),
        ("the format twice", [&[0x08, 1], &bytes[..]].concat()),
        (
            "a longer form of the format",
            [&[0x08, 0x81, 0], &bytes[2..]].concat(),
        ),
        (
            "a creation time that goes without saying",
            changed(&account, |message| {
                let entry = &mut live(message).entries[1];
                entry.created_at = entry.recorded_at;
            }),
        ),
        (
            "a UUID as text",
            changed(&account, |message| {
                let id = live(message).entries[1]
                    .identity
                    .as_mut()
                    .and_then(|i| i.id.as_mut());
                let text = proto::entry_id::Value::Text(uuid_like(4));
                id.expect("an id").value = Some(text);
            }),
        ),
    ];
    for (what, bytes) in cases {
        assert_eq!(decode(&bytes), Err(DocumentError::UnknownContent), "{what}");
    }
}

type Change = fn(&mut proto::AccountDocument);

#[test]
fn missing_and_impossible_parts_are_named() {
    use DocumentError::{Corrupt, Missing, OutOfBounds};
    let [account, tombstone] = full();
    let on_account: Vec<(DocumentError, Change)> = vec![
        (Missing("state"), |m| m.state = None),
        (Corrupt(ledger::Corrupt::Generation), |m| {
            live(m).generation = 0
        }),
        (Missing("creation time"), |m| live(m).created_at = None),
        (Missing("time of the last write"), |m| {
            live(m).updated_at = None
        }),
        (OutOfBounds("creation time"), |m| {
            live(m).created_at = Some(i64::MIN)
        }),
        (OutOfBounds("time of the last write"), |m| {
            live(m).updated_at = Some(YEAR_10000)
        }),
        (Corrupt(ledger::Corrupt::Sequence { at: 4 }), |m| {
            live(m).sequence = 4
        }),
        (Corrupt(ledger::Corrupt::Sequence { at: 3 }), |m| {
            live(m).entries.clear()
        }),
        (Missing("id"), |m| {
            live(m).opened_by = Some(proto::Identity::default())
        }),
        (Missing("id"), |m| live(m).lots[0].id = None),
        (Missing("creation time of a lot"), |m| {
            live(m).lots[0].created_at = None
        }),
        (OutOfBounds("end of a lot"), |m| {
            live(m).lots[0].valid_until = Some(i64::MAX)
        }),
        (OutOfBounds("points"), |m| live(m).lots[0].remaining = 0),
        (Corrupt(ledger::Corrupt::OpenLots), |m| {
            live(m).lots[0].remaining = 1
        }),
        (Corrupt(ledger::Corrupt::OpenLots), |m| live(m).lots.clear()),
        (Missing("operation of an entry"), |m| {
            live(m).entries[0].identity = None
        }),
        (Missing("time of an entry"), |m| {
            live(m).entries[0].recorded_at = None
        }),
        (Missing("kind of an entry"), |m| {
            live(m).entries[0].kind = None
        }),
        (OutOfBounds("points"), |m| {
            live(m).entries[0].points = 1 << 31
        }),
        (OutOfBounds("balance"), |m| {
            live(m).entries[0].balance_after = 1 << 53
        }),
        (Corrupt(ledger::Corrupt::BalanceAfter { at: 1 }), |m| {
            live(m).entries[0].balance_after = 1
        }),
        (OutOfBounds("description"), |m| {
            live(m).entries[0].description = Some("x".repeat(4097))
        }),
        (OutOfBounds("fingerprint"), |m| {
            let identity = live(m).entries[0].identity.as_mut().expect("an operation");
            identity.fingerprint = Some(vec![1; 15]);
        }),
        (OutOfBounds("id"), |m| {
            let value = Some(proto::entry_id::Value::Text("x".repeat(129)));
            live(m).lots[0].id = Some(proto::EntryId { value });
        }),
        (OutOfBounds("id"), |m| {
            let value = Some(proto::entry_id::Value::Uuid(vec![1; 17]));
            live(m).lots[0].id = Some(proto::EntryId { value });
        }),
        (OutOfBounds("digest of a key"), |m| {
            live(m).keys[0].digest.clear()
        }),
        (OutOfBounds("request of a key"), |m| {
            live(m).keys[0].request.push(1)
        }),
        (Missing("time of a key"), |m| live(m).keys[0].at = None),
        (Missing("retired operation"), |m| {
            live(m).retired[0].identity = None
        }),
        (Missing("time of a retired operation"), |m| {
            live(m).retired[0].at = None
        }),
        (Corrupt(ledger::Corrupt::MemoryOrder), |m| {
            live(m).retired[0].at = live(m).retired[1].at.map(|at| at + 1)
        }),
    ];
    let on_tombstone: Vec<(DocumentError, Change)> = vec![
        (Corrupt(ledger::Corrupt::Generation), |m| {
            erased(m).generation = 0
        }),
        (Missing("time of the deletion"), |m| {
            erased(m).updated_at = None
        }),
        (Corrupt(ledger::Corrupt::MemoryOrder), |m| {
            erased(m).updated_at = Some(0)
        }),
        (Missing("time of a key"), |m| erased(m).keys[0].at = None),
    ];
    for (record, cases) in [(account, on_account), (tombstone, on_tombstone)] {
        for (row, (expected, change)) in cases.into_iter().enumerate() {
            assert_eq!(
                decode(&changed(&record, change)),
                Err(expected),
                "row {row}"
            );
        }
    }
}

#[test]
fn only_the_canonical_text_of_a_uuid_is_shortened() {
    let cases = [
        ("0123abcd-1bad-4cab-8dab-0123456789ab", true),
        ("00000000-0000-0000-0000-000000000000", true),
        ("0123ABCD-1bad-4cab-8dab-0123456789ab", false),
        ("0123abcd1bad4cab8dab0123456789ab", false),
        ("0123abcd-1bad-4cab-8dab-0123456789a", false),
        ("0123abcd-1bad-4cab-8dab-0123456789abc", false),
        ("0123abcd-1bad-4cab-8dab00123456789ab", false),
        ("0123abcd-1bad-4cab-8dab-0123456789ag", false),
        ("0123abcd01bad-4cab-8dab-0123456789ab", false),
        ("-123abcd-1bad-4cab-8dab-0123456789ab", false),
        ("{123abcd-1bad-4cab-8dab-0123456789a}", false),
        ("ü123abc-1bad-4cab-8dab-0123456789ab", false),
        ("", false),
    ];
    for (text, is_short) in cases {
        let back = uuid::to_bytes(text).map(ledger::EntryId::from_uuid);
        let back = back.as_ref().map(ledger::EntryId::as_str);
        assert_eq!(back, is_short.then_some(text), "{text:?}");
    }
}
