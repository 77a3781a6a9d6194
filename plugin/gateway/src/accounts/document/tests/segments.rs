//! Segments: what comes back, what is refused.

use ledger::Corrupt;
use prost::Message;

use super::super::segment::{decode, encode};
use super::super::{DocumentError, proto};
use super::{archived, full};

fn whole() -> ledger::Segment {
    let [account, _] = full();
    archived(&account, 3).1
}

fn changed(change: impl FnOnce(&mut proto::HistorySegment)) -> Vec<u8> {
    let mut message = proto::HistorySegment::decode(&*encode(&whole())).expect("our own segment");
    change(&mut message);
    message.encode_to_vec()
}

#[test]
fn every_part_comes_back() {
    let bytes = encode(&whole());
    assert_eq!(decode(&bytes), Ok(whole()));
    assert_eq!(bytes, encode(&whole()), "the same bytes every time");
    let [account, _] = full();
    let (shorter, _) = archived(&account, 1);
    let (_, later) = archived(&shorter, 2);
    assert_eq!((later.first(), later.last()), (2, 3));
    assert_eq!(decode(&encode(&later)), Ok(later));
}

#[test]
fn what_is_no_segment_of_ours_is_refused() {
    let bytes = encode(&whole());
    let cases = [
        (Vec::new(), DocumentError::NoFormat),
        (bytes[2..].to_vec(), DocumentError::NoFormat),
        (
            [&[0x08, 2], &bytes[2..]].concat(),
            DocumentError::UnknownFormat { found: 2 },
        ),
        (
            [&bytes[..], &[0x7a, 1, 0]].concat(),
            DocumentError::UnknownContent,
        ),
        (
            changed(|m| m.generation = 0),
            DocumentError::Corrupt(Corrupt::Generation),
        ),
        (
            changed(|m| m.first = 0),
            DocumentError::Corrupt(Corrupt::Sequence { at: 0 }),
        ),
        (
            changed(|m| m.first = u64::MAX - 1),
            DocumentError::Corrupt(Corrupt::Sequence { at: u64::MAX }),
        ),
        (
            changed(|m| m.entries.clear()),
            DocumentError::Corrupt(Corrupt::Sequence { at: 0 }),
        ),
        (
            changed(|m| m.entries.swap(0, 1)),
            DocumentError::Corrupt(Corrupt::EntryTime { at: 2 }),
        ),
        (
            changed(|m| m.entries[1].points = 0),
            DocumentError::OutOfBounds("points"),
        ),
        (
            changed(|m| m.entries[1].kind = None),
            DocumentError::Missing("kind of an entry"),
        ),
    ];
    for (row, (bytes, expected)) in cases.into_iter().enumerate() {
        assert_eq!(decode(&bytes), Err(expected), "row {row}");
    }
    for end in 2..bytes.len() {
        if let Ok(segment) = decode(&bytes[..end]) {
            assert!(segment.last() < whole().last(), "cut off at {end}");
        }
    }
}
