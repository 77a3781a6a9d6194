//! Random accounts written and read back, and random damage to their documents.

use ledger::{Description, NewLot, Operation, OperationMark, Record, ReferenceId, State};
use proptest::prelude::*;
use prost::Message;

use super::super::{decode, encode, proto, segment};
use super::{NOW, after, archived, lot, mark, record, redeem, t, uuid_like};

fn any_mark() -> impl Strategy<Value = OperationMark> {
    let id = prop_oneof!["[a-c]", "\\PC{1,20}", any::<u8>().prop_map(uuid_like)];
    (id, prop::option::of(0_u8..3), prop::option::of(0_u8..9))
        .prop_map(|(id, fingerprint, key)| mark(&id, fingerprint, key))
}

fn any_lot() -> impl Strategy<Value = NewLot> {
    let end = prop::option::of(NOW - 2000..NOW + 60_000);
    // Long before 1970, too.
    let created_at = prop::option::of(prop_oneof![NOW - 60_000..NOW, -60_000_000_000..0_i64]);
    let text = || prop::option::of("\\PC{0,9}");
    (1_u64..100, end, created_at, text(), text()).prop_map(
        |(points, end, created_at, description, reference)| NewLot {
            valid_until: end.map(t),
            created_at: created_at.map(t),
            description: description.and_then(|text| Description::new(text).ok()),
            reference_id: reference.and_then(|text| ReferenceId::new(text).ok()),
            ..lot(points)
        },
    )
}

fn any_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        1 => (any_mark(), prop::option::of(any_lot()))
            .prop_map(|(mark, start)| Operation::Create { mark, start }),
        5 => (any_mark(), any_lot()).prop_map(|(mark, lot)| Operation::Add { mark, lot }),
        4 => (any_mark(), 1_u64..150).prop_map(|(mark, points)| redeem(mark, points)),
        1 => any_mark().prop_map(|mark| Operation::Delete { mark }),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    prop::collection::vec(any_operation(), 1..25)
        .prop_filter_map("nothing was written", |operations| after(&operations))
}

fn again(state: State) -> Vec<u8> {
    match state {
        State::Absent => Vec::new(),
        State::Live(account) => encode(&Record::Live(account)),
        State::Erased(tombstone) => encode(&Record::Erased(tombstone)),
    }
}

proptest! {
    #[test]
    fn every_record_comes_back(record in any_record()) {
        let bytes = encode(&record);
        prop_assert_eq!(decode(&bytes), Ok(State::from(record)));
    }

    #[test]
    fn changed_bytes_are_refused_or_still_a_document(
        record in any_record(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&record);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(state) = decode(&bytes) {
            let whole_format = bytes[1] == 1;
            prop_assert_eq!(decode(&again(state.clone())), Ok(state.clone()));
            // There is one form only.
            prop_assert!(whole_format || again(state) == bytes);
        }
    }

    #[test]
    fn a_library_reads_and_writes_the_same(record in any_record()) {
        let bytes = encode(&record);
        let message = proto::AccountDocument::decode(&*bytes).expect("a message");
        prop_assert_eq!(message.encode_to_vec(), bytes);
        if let Record::Live(account) = &record && account.entries().len() > 1 {
            let (shorter, segment) = archived(&record, account.entries().len() / 2);
            let bytes = encode(&shorter);
            let message = proto::AccountDocument::decode(&*bytes).expect("a message");
            prop_assert_eq!(message.encode_to_vec(), bytes);
            let bytes = segment::encode(&segment);
            let message = proto::HistorySegment::decode(&*bytes).expect("a message");
            prop_assert_eq!(message.encode_to_vec(), bytes);
        }
    }

    #[test]
    fn what_a_library_finds_malformed_is_no_document(
        record in any_record(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&record);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let same = proto::AccountDocument::decode(&*bytes).is_ok_and(|it| it.encode_to_vec() == bytes);
        prop_assert!(same || decode(&bytes).is_err());
    }

    #[test]
    fn any_bytes_after_the_format_are_answered(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[0x08, 1], &tail[..]].concat();
        if let Ok(state) = decode(&bytes) {
            prop_assert_eq!(decode(&again(state.clone())), Ok(state));
        }
    }
}

#[test]
fn long_parts_are_as_a_library_writes_them() {
    // Their lengths take one byte, two and three.
    for length in [0, 1, 100, 127, 128, 200, 4096] {
        for entries in [1, 5, 90] {
            let operations: Vec<_> = (0..entries)
                .map(|number| Operation::Add {
                    mark: mark(&uuid_like(number), Some(number), None),
                    lot: NewLot {
                        description: Some(Description::new("x".repeat(length)).expect("a text")),
                        ..lot(1)
                    },
                })
                .collect();
            let record = record(&operations);
            let bytes = encode(&record);
            let message = proto::AccountDocument::decode(&*bytes).expect("a message");
            assert_eq!(message.encode_to_vec(), bytes, "{length}, {entries}");
            assert_eq!(decode(&bytes), Ok(State::from(record)));
        }
    }
}
