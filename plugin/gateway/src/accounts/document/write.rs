//! From the ledger's facts to the messages.

use ledger::{
    Account, Archived, Entry, EntryId, EntryKind, Identity, Memory, OpenLot, Record,
    RetiredHistory, Tombstone,
};

use super::{FORMAT, proto, uuid};

pub(super) fn document(record: &Record) -> proto::AccountDocument {
    use proto::account_document::State;
    let state = match record {
        Record::Live(account) => State::Live(live(account)),
        Record::Erased(tombstone) => State::Erased(erased(tombstone)),
    };
    proto::AccountDocument {
        format: FORMAT,
        state: Some(state),
    }
}

fn live(account: &Account) -> proto::Live {
    proto::Live {
        generation: account.generation(),
        sequence: account.sequence(),
        created_at: Some(account.created_at().as_millis()),
        updated_at: Some(account.updated_at().as_millis()),
        opened_by: account.opened_by().map(identity),
        lots: account.lots().iter().map(open_lot).collect(),
        entries: account.entries().map(entry).collect(),
        keys: keys(account.memory()),
        retired: retired(account.memory()),
        archived: account.archived().map(archived),
        histories: histories(account.memory()),
    }
}

fn erased(tombstone: &Tombstone) -> proto::Erased {
    proto::Erased {
        generation: tombstone.generation(),
        updated_at: Some(tombstone.updated_at().as_millis()),
        keys: keys(tombstone.memory()),
        retired: retired(tombstone.memory()),
        histories: histories(tombstone.memory()),
    }
}

fn archived(archived: &Archived) -> proto::Archived {
    proto::Archived {
        sequence: archived.sequence,
        recorded_at: Some(archived.recorded_at.as_millis()),
        balance_after: archived.balance_after.get(),
    }
}

fn histories(memory: &Memory) -> Vec<proto::RetiredHistory> {
    let history = |history: &RetiredHistory| proto::RetiredHistory {
        generation: history.generation,
        archived: history.archived,
        at: Some(history.at.as_millis()),
    };
    memory.histories.iter().map(history).collect()
}

fn open_lot(lot: &OpenLot) -> proto::OpenLot {
    proto::OpenLot {
        sequence: lot.sequence,
        id: Some(id(&lot.id)),
        created_at: Some(lot.created_at.as_millis()),
        valid_until: lot.valid_until.map(|time| time.as_millis()),
        remaining: lot.remaining.get(),
    }
}

pub(super) fn entry(entry: &Entry) -> proto::Entry {
    let is_backdated = entry.created_at != entry.recorded_at;
    proto::Entry {
        identity: Some(identity(&entry.identity)),
        recorded_at: Some(entry.recorded_at.as_millis()),
        created_at: is_backdated.then_some(entry.created_at.as_millis()),
        description: entry.description.as_ref().map(|d| d.as_str().to_owned()),
        points: entry.points.get(),
        balance_after: entry.balance_after.get(),
        kind: Some(kind(&entry.kind)),
    }
}

fn kind(kind: &EntryKind) -> proto::entry::Kind {
    match kind {
        EntryKind::Added {
            reference_id,
            valid_until,
        } => proto::entry::Kind::Added(proto::Added {
            reference_id: reference_id.as_ref().map(|r| r.as_str().to_owned()),
            valid_until: valid_until.map(|time| time.as_millis()),
        }),
        EntryKind::Redeemed { takes } => {
            let takes = takes.iter().map(|take| proto::Take {
                lot: take.lot,
                points: take.points.get(),
            });
            proto::entry::Kind::Redeemed(proto::Redeemed {
                takes: takes.collect(),
            })
        }
    }
}

fn id(id: &EntryId) -> proto::EntryId {
    use proto::entry_id::Value;
    let value = match id.uuid().or_else(|| uuid::to_bytes(id.as_str())) {
        Some(bytes) => Value::Uuid(bytes.to_vec()),
        None => Value::Text(id.as_str().to_owned()),
    };
    proto::EntryId { value: Some(value) }
}

fn identity(identity: &Identity) -> proto::Identity {
    proto::Identity {
        id: Some(id(&identity.id)),
        fingerprint: identity
            .fingerprint
            .map(|fingerprint| fingerprint.0.to_vec()),
    }
}

fn keys(memory: &Memory) -> Vec<proto::UsedKey> {
    let keys = memory.keys.iter().map(|used| proto::UsedKey {
        digest: used.key.digest.0.to_vec(),
        request: used.key.request.0.to_vec(),
        at: Some(used.at.as_millis()),
    });
    keys.collect()
}

fn retired(memory: &Memory) -> Vec<proto::RetiredOperation> {
    let retired = memory
        .retired
        .iter()
        .map(|retired| proto::RetiredOperation {
            identity: Some(identity(&retired.identity)),
            at: Some(retired.at.as_millis()),
        });
    retired.collect()
}
