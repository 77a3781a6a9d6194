//! From the ledger's facts to bytes.

use ledger::{
    Account, Archived, Entry, EntryId, EntryKind, Identity, Memory, OpenLot, Record,
    RetiredHistory, Segment, Tombstone,
};

use super::fields::{
    added, archived, document, entry as an_entry, entry_id, erased, identity as an_identity, live,
    open_lot, redeemed, retired_history, retired_operation, segment as a_segment, take, used_key,
};
use super::wire::{Field, Writer};
use super::{FORMAT, uuid};

pub(super) fn record(record: &Record) -> Vec<u8> {
    let mut out = Writer::new();
    out.number(document::FORMAT, FORMAT);
    match record {
        Record::Live(account) => out.message(document::LIVE, |out| write_live(out, account)),
        Record::Erased(tombstone) => {
            out.message(document::ERASED, |out| write_erased(out, tombstone));
        }
    }
    out.into_bytes()
}

pub(super) fn segment(format: u64, segment: &Segment) -> Vec<u8> {
    let mut out = Writer::new();
    out.number(a_segment::FORMAT, format);
    out.number(a_segment::GENERATION, segment.generation());
    out.number(a_segment::FIRST, segment.first());
    for entry in segment.entries() {
        out.message(a_segment::ENTRIES, |out| write_entry(out, entry));
    }
    out.into_bytes()
}

pub(super) fn entry(entry: &Entry) -> Vec<u8> {
    let mut out = Writer::new();
    write_entry(&mut out, entry);
    out.into_bytes()
}

fn write_live(out: &mut Writer, account: &Account) {
    out.number(live::GENERATION, account.generation());
    out.number(live::SEQUENCE, account.sequence());
    out.signed(live::CREATED_AT, Some(account.created_at().as_millis()));
    out.signed(live::UPDATED_AT, Some(account.updated_at().as_millis()));
    if let Some(opening) = account.opened_by() {
        write_identity(out, live::OPENED_BY, opening);
    }
    for lot in account.lots() {
        out.message(live::LOTS, |out| write_open_lot(out, lot));
    }
    for entry in account.entries() {
        out.message(live::ENTRIES, |out| write_entry(out, entry));
    }
    write_keys(out, live::KEYS, account.memory());
    write_retired(out, live::RETIRED, account.memory());
    if let Some(archived) = account.archived() {
        out.message(live::ARCHIVED, |out| write_archived(out, archived));
    }
    write_histories(out, live::HISTORIES, account.memory());
}

fn write_erased(out: &mut Writer, tombstone: &Tombstone) {
    out.number(erased::GENERATION, tombstone.generation());
    out.signed(erased::UPDATED_AT, Some(tombstone.updated_at().as_millis()));
    write_keys(out, erased::KEYS, tombstone.memory());
    write_retired(out, erased::RETIRED, tombstone.memory());
    write_histories(out, erased::HISTORIES, tombstone.memory());
}

fn write_archived(out: &mut Writer, of: &Archived) {
    out.number(archived::SEQUENCE, of.sequence);
    out.signed(archived::RECORDED_AT, Some(of.recorded_at.as_millis()));
    out.number(archived::BALANCE_AFTER, of.balance_after.get());
}

fn write_histories(out: &mut Writer, field: Field, memory: &Memory) {
    for history in &memory.histories {
        let RetiredHistory {
            generation,
            archived,
            at,
        } = *history;
        out.message(field, |out| {
            out.number(retired_history::GENERATION, generation);
            out.number(retired_history::ARCHIVED, archived);
            out.signed(retired_history::AT, Some(at.as_millis()));
        });
    }
}

fn write_open_lot(out: &mut Writer, lot: &OpenLot) {
    out.number(open_lot::SEQUENCE, lot.sequence);
    write_id(out, open_lot::ID, &lot.id);
    out.signed(open_lot::CREATED_AT, Some(lot.created_at.as_millis()));
    let valid_until = lot.valid_until.map(|time| time.as_millis());
    out.signed(open_lot::VALID_UNTIL, valid_until);
    out.number(open_lot::REMAINING, lot.remaining.get());
}

fn write_entry(out: &mut Writer, entry: &Entry) {
    write_identity(out, an_entry::IDENTITY, &entry.identity);
    out.signed(an_entry::RECORDED_AT, Some(entry.recorded_at.as_millis()));
    let is_backdated = entry.created_at != entry.recorded_at;
    let created_at = is_backdated.then_some(entry.created_at.as_millis());
    out.signed(an_entry::CREATED_AT, created_at);
    if let Some(description) = &entry.description {
        out.bytes(an_entry::DESCRIPTION, description.as_str().as_bytes());
    }
    out.number(an_entry::POINTS, entry.points.get());
    out.number(an_entry::BALANCE_AFTER, entry.balance_after.get());
    match &entry.kind {
        EntryKind::Added {
            reference_id,
            valid_until,
        } => out.message(an_entry::ADDED, |out| {
            if let Some(reference) = reference_id {
                out.bytes(added::REFERENCE_ID, reference.as_str().as_bytes());
            }
            let valid_until = valid_until.map(|time| time.as_millis());
            out.signed(added::VALID_UNTIL, valid_until);
        }),
        EntryKind::Redeemed { takes } => out.message(an_entry::REDEEMED, |out| {
            for taken in takes {
                out.message(redeemed::TAKES, |out| {
                    out.number(take::LOT, taken.lot);
                    out.number(take::POINTS, taken.points.get());
                });
            }
        }),
    }
}

fn write_id(out: &mut Writer, field: Field, id: &EntryId) {
    out.message(field, |out| {
        match id.uuid().or_else(|| uuid::to_bytes(id.as_str())) {
            Some(bytes) => out.bytes(entry_id::UUID, &bytes),
            None => out.bytes(entry_id::TEXT, id.as_str().as_bytes()),
        }
    });
}

fn write_identity(out: &mut Writer, field: Field, identity: &Identity) {
    out.message(field, |out| {
        write_id(out, an_identity::ID, &identity.id);
        if let Some(fingerprint) = &identity.fingerprint {
            out.bytes(an_identity::FINGERPRINT, &fingerprint.0);
        }
    });
}

fn write_keys(out: &mut Writer, field: Field, memory: &Memory) {
    for used in &memory.keys {
        out.message(field, |out| {
            out.bytes(used_key::DIGEST, &used.key.digest.0);
            out.bytes(used_key::REQUEST, &used.key.request.0);
            out.signed(used_key::AT, Some(used.at.as_millis()));
        });
    }
}

fn write_retired(out: &mut Writer, field: Field, memory: &Memory) {
    for retired in &memory.retired {
        out.message(field, |out| {
            write_identity(out, retired_operation::IDENTITY, &retired.identity);
            out.signed(retired_operation::AT, Some(retired.at.as_millis()));
        });
    }
}
