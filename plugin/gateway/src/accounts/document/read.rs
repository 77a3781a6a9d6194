//! From the messages to the ledger's facts, which the ledger then checks as a whole.

use ledger::{
    Account, AccountParts, Archived, Balance, Corrupt, Description, Entry, EntryId, EntryKind,
    Fingerprint, Identity, KeyDigest, KeyUse, Memory, OpenLot, Points, ReferenceId, RetiredHistory,
    RetiredOperation, State, Take, Timestamp, Tombstone, TombstoneParts, UsedKey,
};

use super::{DocumentError, WHOLE_FORMAT, proto, uuid};

pub(super) fn state(document: proto::AccountDocument) -> Result<State, DocumentError> {
    use proto::account_document::State as Stored;
    let state = document.state.ok_or(DocumentError::Missing("state"))?;
    if document.format == WHOLE_FORMAT && refers_to_segments(&state) {
        return Err(DocumentError::UnknownContent);
    }
    match state {
        Stored::Live(stored) => live(stored),
        Stored::Erased(stored) => erased(stored),
    }
}

const fn refers_to_segments(state: &proto::account_document::State) -> bool {
    use proto::account_document::State as Stored;
    match state {
        Stored::Live(live) => live.archived.is_some() || !live.histories.is_empty(),
        Stored::Erased(erased) => !erased.histories.is_empty(),
    }
}

fn live(stored: proto::Live) -> Result<State, DocumentError> {
    let archived = stored.archived.map(archived).transpose()?;
    let behind = archived.map_or(0, |archived| archived.sequence);
    let parts = AccountParts {
        generation: stored.generation,
        created_at: time(stored.created_at, "creation time")?,
        updated_at: time(stored.updated_at, "time of the last write")?,
        opened_by: stored.opened_by.map(identity).transpose()?,
        lots: each(stored.lots, open_lot)?,
        archived,
        entries: entries(stored.entries, behind, stored.sequence)?,
        memory: memory(stored.keys, stored.retired, stored.histories)?,
    };
    let account = Account::from_parts(parts).map_err(DocumentError::Corrupt)?;
    Ok(State::Live(account))
}

fn erased(stored: proto::Erased) -> Result<State, DocumentError> {
    let parts = TombstoneParts {
        generation: stored.generation,
        updated_at: time(stored.updated_at, "time of the deletion")?,
        memory: memory(stored.keys, stored.retired, stored.histories)?,
    };
    let tombstone = Tombstone::from_parts(parts).map_err(DocumentError::Corrupt)?;
    Ok(State::Erased(tombstone))
}

fn archived(stored: proto::Archived) -> Result<Archived, DocumentError> {
    Ok(Archived {
        sequence: stored.sequence,
        recorded_at: time(stored.recorded_at, "time of an archived entry")?,
        balance_after: balance(stored.balance_after)?,
    })
}

/// Numbers the entries, of which the first is the next behind number `behind` and the newest number `sequence`.
fn entries(
    stored: Vec<proto::Entry>,
    behind: u64,
    sequence: u64,
) -> Result<Vec<Entry>, DocumentError> {
    let count = u64::try_from(stored.len()).unwrap_or(u64::MAX);
    if behind.checked_add(count) != Some(sequence) {
        return Err(DocumentError::Corrupt(Corrupt::Sequence { at: sequence }));
    }
    numbered(stored, behind.saturating_add(1))
}

/// Entries that follow one another from number `first`.
pub(super) fn numbered(stored: Vec<proto::Entry>, first: u64) -> Result<Vec<Entry>, DocumentError> {
    let mut at = first;
    each(stored, |stored| {
        let entry = entry(at, stored);
        at = at.saturating_add(1);
        entry
    })
}

fn entry(sequence: u64, stored: proto::Entry) -> Result<Entry, DocumentError> {
    let recorded_at = time(stored.recorded_at, "time of an entry")?;
    let created_at = optional_time(stored.created_at, "creation time of an entry")?;
    if created_at == Some(recorded_at) {
        return Err(DocumentError::UnknownContent);
    }
    let description = stored.description.map(Description::new).transpose();
    Ok(Entry {
        sequence,
        identity: stored
            .identity
            .ok_or(DocumentError::Missing("operation of an entry"))
            .and_then(identity)?,
        recorded_at,
        created_at: created_at.unwrap_or(recorded_at),
        description: description.map_err(|_| DocumentError::OutOfBounds("description"))?,
        points: points(stored.points)?,
        balance_after: balance(stored.balance_after)?,
        kind: kind(
            stored
                .kind
                .ok_or(DocumentError::Missing("kind of an entry"))?,
        )?,
    })
}

fn kind(stored: proto::entry::Kind) -> Result<EntryKind, DocumentError> {
    match stored {
        proto::entry::Kind::Added(added) => {
            let reference_id = added.reference_id.map(ReferenceId::new).transpose();
            Ok(EntryKind::Added {
                reference_id: reference_id.map_err(|_| DocumentError::OutOfBounds("reference"))?,
                valid_until: optional_time(added.valid_until, "end of a lot")?,
            })
        }
        proto::entry::Kind::Redeemed(redeemed) => Ok(EntryKind::Redeemed {
            takes: each(redeemed.takes, |take| {
                Ok(Take {
                    lot: take.lot,
                    points: points(take.points)?,
                })
            })?,
        }),
    }
}

fn open_lot(stored: proto::OpenLot) -> Result<OpenLot, DocumentError> {
    Ok(OpenLot {
        sequence: stored.sequence,
        id: id(stored.id)?,
        created_at: time(stored.created_at, "creation time of a lot")?,
        valid_until: optional_time(stored.valid_until, "end of a lot")?,
        remaining: points(stored.remaining)?,
    })
}

fn memory(
    keys: Vec<proto::UsedKey>,
    retired: Vec<proto::RetiredOperation>,
    histories: Vec<proto::RetiredHistory>,
) -> Result<Memory, DocumentError> {
    Ok(Memory {
        keys: each(keys, used_key)?,
        retired: each(retired, retired_operation)?,
        histories: each(histories, retired_history)?,
    })
}

fn used_key(stored: proto::UsedKey) -> Result<UsedKey, DocumentError> {
    Ok(UsedKey {
        key: KeyUse {
            digest: KeyDigest(digest(&stored.digest, "digest of a key")?),
            request: Fingerprint(digest(&stored.request, "request of a key")?),
        },
        at: time(stored.at, "time of a key")?,
    })
}

fn retired_operation(stored: proto::RetiredOperation) -> Result<RetiredOperation, DocumentError> {
    Ok(RetiredOperation {
        identity: stored
            .identity
            .ok_or(DocumentError::Missing("retired operation"))
            .and_then(identity)?,
        at: time(stored.at, "time of a retired operation")?,
    })
}

fn retired_history(stored: proto::RetiredHistory) -> Result<RetiredHistory, DocumentError> {
    Ok(RetiredHistory {
        generation: stored.generation,
        archived: stored.archived,
        at: time(stored.at, "end of a life")?,
    })
}

fn identity(stored: proto::Identity) -> Result<Identity, DocumentError> {
    let fingerprint = stored
        .fingerprint
        .map(|bytes| digest(&bytes, "fingerprint"));
    Ok(Identity {
        id: id(stored.id)?,
        fingerprint: fingerprint.transpose()?.map(Fingerprint),
    })
}

fn id(stored: Option<proto::EntryId>) -> Result<EntryId, DocumentError> {
    use proto::entry_id::Value;
    let value = stored.and_then(|id| id.value);
    match value.ok_or(DocumentError::Missing("id"))? {
        Value::Uuid(bytes) => Ok(EntryId::from_uuid(digest(&bytes, "id")?)),
        // The short form is the only one for a UUID.
        Value::Text(text) if uuid::to_bytes(&text).is_some() => Err(DocumentError::UnknownContent),
        Value::Text(text) => EntryId::new(text).map_err(|_| DocumentError::OutOfBounds("id")),
    }
}

fn digest(bytes: &[u8], part: &'static str) -> Result<[u8; 16], DocumentError> {
    <[u8; 16]>::try_from(bytes).map_err(|_| DocumentError::OutOfBounds(part))
}

fn points(stored: u64) -> Result<Points, DocumentError> {
    Points::new(stored).ok_or(DocumentError::OutOfBounds("points"))
}

fn balance(stored: u64) -> Result<Balance, DocumentError> {
    Balance::new(stored).ok_or(DocumentError::OutOfBounds("balance"))
}

fn time(stored: Option<i64>, part: &'static str) -> Result<Timestamp, DocumentError> {
    optional_time(stored, part)?.ok_or(DocumentError::Missing(part))
}

fn optional_time(
    stored: Option<i64>,
    part: &'static str,
) -> Result<Option<Timestamp>, DocumentError> {
    let Some(millis) = stored else {
        return Ok(None);
    };
    match Timestamp::from_millis(millis) {
        Some(time) => Ok(Some(time)),
        None => Err(DocumentError::OutOfBounds(part)),
    }
}

fn each<S, T>(
    stored: Vec<S>,
    read: impl FnMut(S) -> Result<T, DocumentError>,
) -> Result<Vec<T>, DocumentError> {
    stored.into_iter().map(read).collect()
}
