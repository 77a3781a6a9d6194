//! The records that the workers of a gateway share: the lease of the feed, and what is known of a fetch (keys, deny-list).
//!
//! The first byte chooses the kind. Taken means canonical: written again, the same bytes.

use gateway::parsers::{feed_record, fetch_record};

use crate::steps::bounded;
use crate::{Seen, Target};

pub(super) const TARGET: Target = Target {
    name: "records",
    about: "shared records (the feed's lease, a fetch's): taken if and only if they are as they would be written",
    max_len: 256,
    dictionary: "none",
    seeds,
    run,
};

/// Format, holder, heartbeat's name, epoch, store and five numbers.
const FEED_BYTES: usize = 1 + 16 + 16 + 4 + 8 + 5 * 8;
/// Format, ending, failures, two numbers and six times.
const FETCH_BYTES: usize = 1 + 1 + 4 + 2 * 8 + 6 * 8;

fn run(input: &[u8]) -> Seen {
    let Some((choice, record)) = input.split_first() else {
        return Seen::Refused;
    };
    let read =
        |call: fn(&[u8]) -> Option<Vec<u8>>| bounded("record", record.len(), 200, || call(record));
    let (again, expected) = match choice % 2 {
        0 => (
            read(feed_record),
            record.len() == FEED_BYTES && record[0] == 1,
        ),
        _ => {
            let good = record.len() == FETCH_BYTES && record[0] == 1 && record[1] <= 6;
            (read(fetch_record), good)
        }
    };
    assert_eq!(again.is_some(), expected, "by its form");
    assert!(
        again.as_deref().is_none_or(|it| it == record),
        "written again"
    );
    Seen::accepted(expected)
}

fn seeds() -> Vec<Vec<u8>> {
    let feed = [&[0, 1][..], &[7; FEED_BYTES - 1]].concat();
    let fetch = [&[1, 1, 3][..], &[9; FETCH_BYTES - 2]].concat();
    let longer = [&fetch[..], &[0]].concat();
    vec![feed.clone(), fetch, longer, feed[..40].to_vec()]
}
