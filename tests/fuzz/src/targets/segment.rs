//! The history segment: what is taken is written back as itself, and its entries follow one another.

use gateway::accounts::document::segment::{decode, encode, entry_bytes};

use crate::accounts::{documents, segments};
use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "segment",
    about: "a history segment: written back as itself, its entries numbered without gaps",
    max_len: 4096,
    dictionary: "none",
    seeds,
    run,
};

fn run(bytes: &[u8]) -> Seen {
    let read = bounded("segment", bytes.len(), 3_000, || decode(bytes));
    let Ok(segment) = read else {
        return Seen::Refused;
    };
    let again = encode(&segment);
    assert_eq!(again, bytes, "written back");
    let read = decode(&again).expect("what was written");
    assert_eq!(read, segment, "read again");
    let numbers: Vec<u64> = segment.entries().map(|entry| entry.sequence).collect();
    let expected: Vec<u64> = (segment.first()..=segment.last()).collect();
    assert!(!numbers.is_empty() && segment.first() > 0);
    assert_eq!(numbers, expected);
    let entries: usize = segment.entries().map(entry_bytes).sum();
    assert!(entries < bytes.len(), "entries are longer than all of it");
    Seen::Accepted
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = segments();
    seeds.extend(documents().into_iter().take(2));
    seeds
}
