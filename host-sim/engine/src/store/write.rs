//! Writing: one commit on disk carries a group of transactions, each with a revision of its own.
//!
//! `Group` is the disk's transaction, `Writing` one client's transaction in it. What to write is decided elsewhere;
//! here it is put into the three tables so that the rules of the layout hold.

use redb::{Durability, ReadableTable, Table, WriteTransaction};

use super::compact::Amount;
use super::{
    CURRENT, Change, FormerKey, HISTORY, META, Progress, SUPERSEDED, Store, Version, View, meta,
    progress,
};
use crate::refusal::Fault;

type CurrentTable<'t> = Table<'t, &'static [u8], &'static [u8]>;
type FormerTable<'t> = Table<'t, FormerKey, &'static [u8]>;

/// The tables of one commit in the making.
pub struct Group<'t> {
    current: CurrentTable<'t>,
    pub(super) superseded: FormerTable<'t>,
    pub(super) history: Table<'t, (i64, u32), &'static [u8]>,
    meta: Table<'t, &'static str, i64>,
    /// How far the store has come with what this group wrote so far.
    pub(super) progress: Progress,
    /// What the rows of `superseded` and `history` take.
    pub(super) retained_bytes: u64,
    /// What this group has added to them.
    pub(super) written: Amount,
}

impl Store {
    /// Runs `work` in one disk transaction and has it on disk before this returns. An error leaves nothing behind.
    pub fn commit<R>(
        &self,
        work: impl FnOnce(&mut Group<'_>) -> Result<R, Fault>,
    ) -> Result<(R, Progress), Fault> {
        let mut transaction: WriteTransaction = self.database().begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let done = {
            let mut group = Group::open(&transaction)?;
            let before = (group.progress, group.retained_bytes);
            let result = work(&mut group)?;
            group.save(before)?;
            (result, group.progress)
        };
        transaction.commit()?;
        Ok(done)
    }
}

impl<'t> Group<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        let meta = transaction.open_table(META)?;
        Ok(Group {
            current: transaction.open_table(CURRENT)?,
            superseded: transaction.open_table(SUPERSEDED)?,
            history: transaction.open_table(HISTORY)?,
            progress: progress(&meta)?,
            retained_bytes: retained_bytes(&meta)?,
            written: Amount::default(),
            meta,
        })
    }

    fn save(&mut self, (before, retained_bytes): (Progress, u64)) -> Result<(), Fault> {
        if self.progress.revision != before.revision {
            self.meta.insert(meta::REVISION, self.progress.revision)?;
        }
        if self.progress.compacted != before.compacted {
            self.meta.insert(meta::COMPACTED, self.progress.compacted)?;
        }
        if self.retained_bytes != retained_bytes {
            let counter = i64::try_from(self.retained_bytes).unwrap_or(i64::MAX);
            self.meta.insert(meta::RETAINED_BYTES, counter)?;
        }
        Ok(())
    }

    /// Begins one client's transaction. It takes a revision only if it changes something, at `Writing::end`.
    pub fn begin(&mut self) -> Writing<'_, 't> {
        Writing {
            changes: 0,
            group: self,
        }
    }
}

/// One client's transaction.
pub struct Writing<'g, 't> {
    group: &'g mut Group<'t>,
    changes: u32,
}

impl<'t> Writing<'_, 't> {
    /// The keys as this transaction has left them so far.
    pub fn view(&self) -> View<'_, CurrentTable<'t>, FormerTable<'t>> {
        View::new(&self.group.current, &self.group.superseded)
    }

    /// How far the store had come before this transaction.
    pub fn before(&self) -> Progress {
        self.group.progress
    }

    /// The revision that a reader inside this transaction is told: the next one, once something changed.
    pub fn revision(&self) -> i64 {
        let begun = self.group.progress.revision;
        if self.changes == 0 {
            begun
        } else {
            begun.saturating_add(1)
        }
    }

    /// Gives `key` a value. Returns the revision that this transaction writes.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<i64, Fault> {
        let revision = self.group.progress.revision.saturating_add(1);
        let former = self.former(key)?;
        let (create_revision, version) = match Version::decode_former(&former)? {
            Some(former) => (former.create_revision, former.version.saturating_add(1)),
            None => (revision, 1),
        };
        let row = Version {
            create_revision,
            mod_revision: revision,
            version,
            value,
        };
        self.group.current.insert(key, row.encode().as_slice())?;
        self.record(Change::Put, key, &former)?;
        Ok(revision)
    }

    /// Removes `key`, which must exist.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Fault> {
        let former = self.former(key)?;
        self.group.current.remove(key)?;
        self.record(Change::Delete, key, &former)
    }

    /// Ends the transaction: from here on its revision, if it took one, is the newest of the group.
    pub fn end(self) -> i64 {
        let revision = self.revision();
        self.group.progress.revision = revision;
        revision
    }

    fn former(&self, key: &[u8]) -> Result<Vec<u8>, Fault> {
        let row = self.group.current.get(key)?;
        Ok(row.map(|row| row.value().to_vec()).unwrap_or_default())
    }

    fn record(&mut self, change: Change, key: &[u8], former: &[u8]) -> Result<(), Fault> {
        let revision = self.group.progress.revision.saturating_add(1);
        let group = &mut self.group;
        group
            .superseded
            .insert((key, revision, self.changes), former)?;
        group
            .history
            .insert((revision, self.changes), change.encode(key).as_slice())?;
        group.remember(Amount::of_change(key, former.len()));
        self.changes = self.changes.saturating_add(1);
        Ok(())
    }
}

/// A file that was written before this was counted has no counter: what it held then is left to the other bound.
fn retained_bytes(meta: &impl ReadableTable<&'static str, i64>) -> Result<u64, Fault> {
    let counter = meta.get(meta::RETAINED_BYTES)?.map(|row| row.value());
    Ok(counter.map_or(0, |bytes| u64::try_from(bytes).unwrap_or(0)))
}
