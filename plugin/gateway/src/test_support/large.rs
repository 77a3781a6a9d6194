//! Accounts that would take a test too many requests to fill.

use ledger::{
    Account, AccountParts, Balance, Description, Entry, EntryId, EntryKind, Fingerprint, Identity,
    Memory, OpenLot, Points, Record, Segment, Timestamp,
};

use super::engine::Engine;
use crate::access::test_support::{NOW_MS, permit};
use crate::accounts::document::{self, segment};
use crate::accounts::history::SEGMENT_ENTRIES;
use crate::accounts::keys::{AccountKey, CustomerId, HistoryKeys};

/// An account of lots of one point, each of which has an id and a description of so many bytes.
fn account_of(lots: u64, id_bytes: usize, description_bytes: usize) -> Account {
    let now = Timestamp::from_millis(NOW_MS - 1000).expect("a time");
    let mut open = Vec::new();
    let mut entries = Vec::new();
    for sequence in 1..=lots {
        let id = EntryId::new(format!("{sequence:0id_bytes$}")).expect("an id");
        let points = Points::new(1).expect("points");
        open.push(OpenLot {
            sequence,
            id: id.clone(),
            created_at: now,
            valid_until: None,
            remaining: points,
        });
        entries.push(Entry {
            sequence,
            identity: Identity::generated(id),
            recorded_at: now,
            created_at: now,
            description: Description::new("x".repeat(description_bytes)).ok(),
            points,
            balance_after: Balance::new(sequence).expect("a balance"),
            kind: EntryKind::Added {
                reference_id: None,
                valid_until: None,
            },
        });
    }
    let parts = AccountParts {
        generation: 1,
        created_at: now,
        updated_at: now,
        opened_by: None,
        lots: open,
        archived: None,
        entries,
        memory: Memory::default(),
    };
    Account::from_parts(parts).expect("an account")
}

/// The key of a customer of the tests' tenant.
pub(crate) fn key_of(customer: &str) -> AccountKey {
    let customer = CustomerId::new(customer.into()).expect("a customer id");
    AccountKey::new(permit("acme").tenant(), &customer)
}

/// A document from a time when no history left it: so many entries, with descriptions of so many bytes.
pub(crate) fn long_document(entries: u64, description_bytes: usize) -> Vec<u8> {
    let account = account_of(entries, 6, description_bytes);
    let mut document = document::encode(&Record::Live(account));
    document[1] = 1;
    document
}

/// The same without descriptions, with ids that a client chose: `000001`, `000002` and so on.
pub(crate) fn long_document_with_given_ids(entries: u64) -> Vec<u8> {
    let account = account_of(entries, 6, 0);
    let given = |entry: &Entry| {
        let mut entry = entry.clone();
        entry.identity.fingerprint = Some(Fingerprint([7; 16]));
        entry
    };
    let parts = AccountParts {
        generation: 1,
        created_at: account.created_at(),
        updated_at: account.updated_at(),
        opened_by: None,
        lots: account.lots().to_vec(),
        archived: None,
        entries: account.entries().map(given).collect(),
        memory: Memory::default(),
    };
    let account = Account::from_parts(parts).expect("an account");
    document::encode(&Record::Live(account))
}

/// Puts an account with so many open lots, with long ids, all entries of which are in segments.
pub(crate) fn put_account_of_lots(engine: &mut Engine, customer: &str, lots: u64) {
    put_in_segments(engine, customer, account_of(lots, EntryId::MAX_BYTES, 0));
}

/// Puts an account with so many entries, with descriptions of so many bytes, all of which are in segments.
pub(crate) fn put_long_history(engine: &mut Engine, customer: &str, entries: u64, bytes: usize) {
    put_in_segments(engine, customer, account_of(entries, 6, bytes));
}

fn put_in_segments(engine: &mut Engine, customer: &str, mut account: Account) {
    let key = key_of(customer);
    while account.entries().len() > 0 {
        let count = account.entries().len().min(SEGMENT_ENTRIES);
        let oldest = account.oldest(count).expect("as many entries");
        put_segment(engine, &key, &oldest);
        account = account.archive(&oldest).expect("its own entries");
    }
    engine.put(key.as_bytes(), &document::encode(&Record::Live(account)));
}

/// Puts a segment past the API.
pub(crate) fn put_segment(engine: &mut Engine, account: &AccountKey, kept: &Segment) {
    let key = HistoryKeys::of(account).segment(kept.generation(), kept.first());
    engine.put(&key, &segment::encode(kept));
}
