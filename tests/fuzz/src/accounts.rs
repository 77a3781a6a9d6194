//! Accounts for seeds: what the ledger leaves after a few operations, as the gateway stores it.

use std::sync::Arc;

use gateway::accounts::document::{encode, segment};
use gateway::accounts::keys::AccountDigest;
use ledger::{
    Applied, Description, EntryId, Fingerprint, Identity, KeyDigest, KeyUse, Looked, NewLot,
    Operation, OperationMark, Points, Record, Redemption, ReferenceId, Segment, State, Timestamp,
    apply,
};

use crate::host::NOW_MS;

/// This many milliseconds since the epoch.
///
/// # Panics
/// Outside the calendar.
#[must_use]
pub fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time within the calendar")
}

/// The engine's key of an account.
///
/// # Panics
/// When the names need escapes.
#[must_use]
pub fn key(tenant: &str, customer: &str) -> String {
    // The bucket follows from the names, by a rule that only the gateway knows; so it is looked for.
    (0..4096_u16)
        .map(|bucket| format!("/points/1/account/{tenant}/{bucket:03x}/{customer}"))
        .find(|key| AccountDigest::of_key(key.as_bytes()).is_some())
        .expect("a key in one of the buckets")
}

/// By which the operation of this number is recognised: odd ones have an id of their client's and a key.
#[must_use]
pub fn mark(number: u8) -> OperationMark {
    let given = number % 2 == 1;
    let identity = if given {
        let id = EntryId::new(format!("order-{number}")).expect("an id");
        Identity::given(id, Fingerprint([number; 16]))
    } else {
        Identity::generated(EntryId::from_uuid([number; 16]))
    };
    OperationMark {
        identity,
        key: given.then_some(KeyUse {
            digest: KeyDigest([number; 16]),
            request: Fingerprint([number; 16]),
        }),
    }
}

/// Adds points, which end after so many milliseconds.
#[must_use]
pub fn add(number: u8, points: u64, ends_after_ms: Option<i64>) -> Operation {
    Operation::Add {
        mark: mark(number),
        lot: NewLot {
            reference_id: ReferenceId::new("r").ok(),
            description: Description::new("bought").ok(),
            points: Points::new(points).expect("points"),
            created_at: None,
            valid_until: ends_after_ms.map(|ms| time(NOW_MS + ms)),
            validity_months: None,
        },
    }
}

/// Redeems points.
#[must_use]
pub fn redeem(number: u8, points: u64) -> Operation {
    Operation::Redeem {
        mark: mark(number),
        redemption: Redemption {
            description: Description::new("spent").ok(),
            points: Points::new(points).expect("points"),
            created_at: None,
        },
    }
}

/// Deletes the account.
#[must_use]
pub fn delete(number: u8) -> Operation {
    Operation::Delete { mark: mark(number) }
}

/// What the operations leave, one a second from [`NOW_MS`] on.
///
/// # Panics
/// When they leave nothing.
#[must_use]
pub fn after(operations: &[Operation]) -> Record {
    let mut record = None;
    for (second, operation) in (0_i64..).zip(operations) {
        let state = record.clone().map_or(State::Absent, State::from);
        let looked = Looked::nothing(operation);
        if let Ok(Applied::Changed(next)) =
            apply(&state, operation, &looked, time(NOW_MS + second * 1000))
        {
            record = Some(next);
        }
    }
    record.expect("something was written")
}

/// Records of each kind.
#[must_use]
pub fn records() -> Vec<Record> {
    let create = Operation::Create {
        mark: mark(0),
        start: None,
    };
    let busy = [
        create.clone(),
        add(1, 100, None),
        add(2, 50, Some(60_000)),
        redeem(3, 120),
        add(4, 7, Some(3_500)),
        redeem(6, 10),
    ];
    let ended = [&busy[..], &[delete(8)]].concat();
    let again = [&ended[..], &[add(9, 5, None), redeem(11, 5)]].concat();
    vec![
        after(&[create]),
        after(&[add(2, 2_147_483_647, None)]),
        after(&busy),
        after(&ended),
        after(&again),
    ]
}

/// An account whose oldest entries are in a segment, and the segment.
///
/// # Panics
/// Never: the account has entries.
#[must_use]
pub fn archived() -> (Record, Segment) {
    let record = after(&[
        add(1, 10, None),
        add(2, 20, None),
        redeem(4, 5),
        add(6, 1, None),
    ]);
    let Record::Live(account) = record else {
        panic!("an account");
    };
    let segment = account.oldest(2).expect("two entries");
    let shorter = account.archive(&segment).expect("its own oldest entries");
    (Record::Live(shorter), segment)
}

/// The documents of all these.
#[must_use]
pub fn documents() -> Vec<Vec<u8>> {
    let records = records();
    let archived = archived().0;
    records.iter().chain([&archived]).map(encode).collect()
}

/// Segments of those accounts.
#[must_use]
pub fn segments() -> Vec<Vec<u8>> {
    let segment = archived().1;
    let entries: Vec<_> = segment.entries().cloned().map(Arc::new).collect();
    let one = Segment::new(7, entries[..1].to_vec()).expect("one entry");
    vec![segment::encode(&segment), segment::encode(&one)]
}
