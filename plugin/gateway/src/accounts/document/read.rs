//! From bytes to the ledger's facts, which the ledger then checks as a whole.

use ledger::{
    Account, AccountParts, Archived, Balance, Corrupt, Description, Entry, EntryId, EntryKind,
    Fingerprint, Identity, KeyDigest, KeyUse, Memory, OpenLot, Points, ReferenceId, RetiredHistory,
    RetiredOperation, Segment, State, Take, Timestamp, Tombstone, TombstoneParts, UsedKey,
};

use super::fields::{
    added, archived, document, entry as an_entry, entry_id, erased, identity as an_identity, live,
    open_lot, redeemed, retired_history, retired_operation, segment as a_segment, take, used_key,
};
use super::wire::{Field, Reader};
use super::{DocumentError, WHOLE_FORMAT, uuid};

type Read<T> = Result<T, DocumentError>;

pub(super) fn state(bytes: &[u8]) -> Read<State> {
    let mut reader = Reader::new(bytes);
    let format = reader.number(document::FORMAT)?;
    let may_refer_to_segments = format != WHOLE_FORMAT;
    let state = if let Some(stored) = reader.message(document::LIVE)? {
        State::Live(read_live(stored, may_refer_to_segments)?)
    } else if let Some(stored) = reader.message(document::ERASED)? {
        State::Erased(read_erased(stored, may_refer_to_segments)?)
    } else {
        reader.end()?;
        return Err(DocumentError::Missing("state"));
    };
    reader.end()?;
    Ok(state)
}

/// What stands behind the format.
pub(super) enum Stored<'a> {
    Live(Reader<'a>),
    Erased,
}

/// Looks no further than whether it is an account.
pub(super) fn stored(bytes: &[u8]) -> Read<Stored<'_>> {
    let mut reader = Reader::new(bytes);
    reader.number(document::FORMAT)?;
    let stored = match reader.message(document::LIVE)? {
        Some(stored) => Some(Stored::Live(stored)),
        None => reader.message(document::ERASED)?.map(|_| Stored::Erased),
    };
    reader.end()?;
    stored.ok_or(DocumentError::Missing("state"))
}

/// What an account's document says of its lives, without its lots and entries.
pub(super) struct Outline {
    pub(super) generation: u64,
    pub(super) created_at: Timestamp,
    pub(super) archived: Option<Archived>,
    pub(super) histories: Vec<RetiredHistory>,
}

pub(super) fn outline(mut reader: Reader<'_>) -> Read<Outline> {
    let generation = reader.number(live::GENERATION)?;
    reader.number(live::SEQUENCE)?;
    let created_at = time(reader.signed(live::CREATED_AT)?, "creation time")?;
    reader.signed(live::UPDATED_AT)?;
    for field in [
        live::OPENED_BY,
        live::LOTS,
        live::ENTRIES,
        live::KEYS,
        live::RETIRED,
    ] {
        reader.skip(field)?;
    }
    let archived = read_archived(&mut reader)?;
    let histories = reader.messages(live::HISTORIES, read_history)?;
    reader.end()?;
    Ok(Outline {
        generation,
        created_at,
        archived,
        histories,
    })
}

pub(super) fn segment(bytes: &[u8]) -> Read<Segment> {
    let mut reader = Reader::new(bytes);
    reader.number(a_segment::FORMAT)?;
    let generation = reader.number(a_segment::GENERATION)?;
    let mut at = reader.number(a_segment::FIRST)?;
    let entries = reader.messages(a_segment::ENTRIES, |reader| {
        let entry = read_entry(at, reader);
        at = at.saturating_add(1);
        entry.map(Into::into)
    })?;
    reader.end()?;
    Segment::new(generation, entries).map_err(DocumentError::Corrupt)
}

fn read_live(mut reader: Reader<'_>, may_refer_to_segments: bool) -> Read<Account> {
    let generation = reader.number(live::GENERATION)?;
    let sequence = reader.number(live::SEQUENCE)?;
    let created_at = reader.signed(live::CREATED_AT)?;
    let updated_at = reader.signed(live::UPDATED_AT)?;
    let opened_by = read_identity(&mut reader, live::OPENED_BY)?;
    let lots = reader.messages(live::LOTS, read_open_lot)?;
    let mut entries = reader.messages(live::ENTRIES, |reader| read_entry(0, reader))?;
    let keys = reader.messages(live::KEYS, read_key)?;
    let retired = reader.messages(live::RETIRED, read_retired)?;
    let archived = read_archived(&mut reader)?;
    let histories = reader.messages(live::HISTORIES, read_history)?;
    reader.end()?;
    if !may_refer_to_segments && (archived.is_some() || !histories.is_empty()) {
        return Err(DocumentError::UnknownContent);
    }
    // The first is the next one behind those that have left, the newest is number `sequence`.
    let mut at = archived.map_or(0, |archived| archived.sequence);
    for entry in &mut entries {
        at = at.saturating_add(1);
        entry.sequence = at;
    }
    if at != sequence {
        return Err(DocumentError::Corrupt(Corrupt::Sequence { at: sequence }));
    }
    let parts = AccountParts {
        generation,
        created_at: time(created_at, "creation time")?,
        updated_at: time(updated_at, "time of the last write")?,
        opened_by,
        lots,
        archived,
        entries,
        memory: Memory {
            keys,
            retired,
            histories,
        },
    };
    Account::from_parts(parts).map_err(DocumentError::Corrupt)
}

fn read_erased(mut reader: Reader<'_>, may_refer_to_segments: bool) -> Read<Tombstone> {
    let generation = reader.number(erased::GENERATION)?;
    let updated_at = reader.signed(erased::UPDATED_AT)?;
    let keys = reader.messages(erased::KEYS, read_key)?;
    let retired = reader.messages(erased::RETIRED, read_retired)?;
    let histories = reader.messages(erased::HISTORIES, read_history)?;
    reader.end()?;
    if !may_refer_to_segments && !histories.is_empty() {
        return Err(DocumentError::UnknownContent);
    }
    let parts = TombstoneParts {
        generation,
        updated_at: time(updated_at, "time of the deletion")?,
        memory: Memory {
            keys,
            retired,
            histories,
        },
    };
    Tombstone::from_parts(parts).map_err(DocumentError::Corrupt)
}

fn read_archived(reader: &mut Reader<'_>) -> Read<Option<Archived>> {
    let Some(mut reader) = reader.message(live::ARCHIVED)? else {
        return Ok(None);
    };
    let sequence = reader.number(archived::SEQUENCE)?;
    let recorded_at = reader.signed(archived::RECORDED_AT)?;
    let balance_after = reader.number(archived::BALANCE_AFTER)?;
    reader.end()?;
    Ok(Some(Archived {
        sequence,
        recorded_at: time(recorded_at, "time of an archived entry")?,
        balance_after: balance(balance_after)?,
    }))
}

fn read_entry(sequence: u64, reader: &mut Reader<'_>) -> Read<Entry> {
    let identity = read_identity(reader, an_entry::IDENTITY)?;
    let recorded_at = reader.signed(an_entry::RECORDED_AT)?;
    let created_at = reader.signed(an_entry::CREATED_AT)?;
    let description = reader.text(an_entry::DESCRIPTION)?;
    let stored_points = reader.number(an_entry::POINTS)?;
    let balance_after = reader.number(an_entry::BALANCE_AFTER)?;
    let kind = read_kind(reader)?;
    let recorded_at = time(recorded_at, "time of an entry")?;
    let created_at = optional_time(created_at, "creation time of an entry")?;
    if created_at == Some(recorded_at) {
        return Err(DocumentError::UnknownContent);
    }
    let description = description.map(Description::new).transpose();
    Ok(Entry {
        sequence,
        identity: identity.ok_or(DocumentError::Missing("operation of an entry"))?,
        recorded_at,
        created_at: created_at.unwrap_or(recorded_at),
        description: description.map_err(|_| DocumentError::OutOfBounds("description"))?,
        points: points(stored_points)?,
        balance_after: balance(balance_after)?,
        kind: kind.ok_or(DocumentError::Missing("kind of an entry"))?,
    })
}

fn read_kind(reader: &mut Reader<'_>) -> Read<Option<EntryKind>> {
    if let Some(mut reader) = reader.message(an_entry::ADDED)? {
        let reference = reader.text(added::REFERENCE_ID)?;
        let valid_until = reader.signed(added::VALID_UNTIL)?;
        reader.end()?;
        let reference = reference.map(ReferenceId::new).transpose();
        return Ok(Some(EntryKind::Added {
            reference_id: reference.map_err(|_| DocumentError::OutOfBounds("reference"))?,
            valid_until: optional_time(valid_until, "end of a lot")?,
        }));
    }
    let Some(mut reader) = reader.message(an_entry::REDEEMED)? else {
        return Ok(None);
    };
    let takes = reader.messages(redeemed::TAKES, |reader| {
        Ok(Take {
            lot: reader.number(take::LOT)?,
            points: points(reader.number(take::POINTS)?)?,
        })
    })?;
    reader.end()?;
    Ok(Some(EntryKind::Redeemed { takes }))
}

fn read_open_lot(reader: &mut Reader<'_>) -> Read<OpenLot> {
    let sequence = reader.number(open_lot::SEQUENCE)?;
    let id = read_id(reader, open_lot::ID)?;
    let created_at = reader.signed(open_lot::CREATED_AT)?;
    let valid_until = reader.signed(open_lot::VALID_UNTIL)?;
    let remaining = reader.number(open_lot::REMAINING)?;
    Ok(OpenLot {
        sequence,
        id,
        created_at: time(created_at, "creation time of a lot")?,
        valid_until: optional_time(valid_until, "end of a lot")?,
        remaining: points(remaining)?,
    })
}

fn read_key(reader: &mut Reader<'_>) -> Read<UsedKey> {
    let key = reader.implicit_bytes(used_key::DIGEST)?;
    let request = reader.implicit_bytes(used_key::REQUEST)?;
    let at = reader.signed(used_key::AT)?;
    Ok(UsedKey {
        key: KeyUse {
            digest: KeyDigest(digest(key, "digest of a key")?),
            request: Fingerprint(digest(request, "request of a key")?),
        },
        at: time(at, "time of a key")?,
    })
}

fn read_retired(reader: &mut Reader<'_>) -> Read<RetiredOperation> {
    let identity = read_identity(reader, retired_operation::IDENTITY)?;
    let at = reader.signed(retired_operation::AT)?;
    Ok(RetiredOperation {
        identity: identity.ok_or(DocumentError::Missing("retired operation"))?,
        at: time(at, "time of a retired operation")?,
    })
}

fn read_history(reader: &mut Reader<'_>) -> Read<RetiredHistory> {
    let generation = reader.number(retired_history::GENERATION)?;
    let archived = reader.number(retired_history::ARCHIVED)?;
    let at = reader.signed(retired_history::AT)?;
    Ok(RetiredHistory {
        generation,
        archived,
        at: time(at, "end of a life")?,
    })
}

fn read_identity(reader: &mut Reader<'_>, field: Field) -> Read<Option<Identity>> {
    let Some(mut reader) = reader.message(field)? else {
        return Ok(None);
    };
    let id = read_id(&mut reader, an_identity::ID)?;
    let fingerprint = reader.bytes(an_identity::FINGERPRINT)?;
    reader.end()?;
    let fingerprint = fingerprint.map(|bytes| digest(bytes, "fingerprint"));
    Ok(Some(Identity {
        id,
        fingerprint: fingerprint.transpose()?.map(Fingerprint),
    }))
}

fn read_id(reader: &mut Reader<'_>, field: Field) -> Read<EntryId> {
    let stored = reader.message(field)?;
    let mut reader = stored.ok_or(DocumentError::Missing("id"))?;
    let id = if let Some(bytes) = reader.bytes(entry_id::UUID)? {
        EntryId::from_uuid(digest(bytes, "id")?)
    } else {
        let text = reader.text(entry_id::TEXT)?;
        let text = text.ok_or(DocumentError::Missing("id"))?;
        // The short form is the only one for a UUID.
        if uuid::to_bytes(text).is_some() {
            return Err(DocumentError::UnknownContent);
        }
        EntryId::new(text).map_err(|_| DocumentError::OutOfBounds("id"))?
    };
    reader.end()?;
    Ok(id)
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
