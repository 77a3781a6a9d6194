//! What lies on disk, and how it is opened.
//!
//! | table | key | value |
//! |---|---|---|
//! | `current` | key | counters and value of the newest version; deleted keys are not here |
//! | `superseded` | (key, revision, sub) | the version that this change ended; empty when there was none |
//! | `history` | (revision, sub) | what this change was and of which key |
//! | `meta` | name | format, revision, compacted revision, retained bytes, cluster, member, term |
//!
//! Reading the newest version is one look-up. The version at a revision R is the first row of `superseded` past R,
//! else `current`. Compacting to C removes the rows of both lower tables before C: nothing has to be kept back,
//! because `current` stands alone. A value is therefore stored once while it is the newest and moved once.

mod compact;
mod keys;
mod open;
mod place;
mod record;
mod view;
mod write;

pub use compact::Retention;
pub use keys::Keys;
pub use open::OpenError;
pub use record::{Change, Version};
pub use view::{FormerKey, Moment, Scan, View};
pub use write::{Group, Writing};

use std::path::{Path, PathBuf};

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use crate::refusal::Fault;

pub(crate) const CURRENT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("current");
pub(crate) const SUPERSEDED: TableDefinition<'_, FormerKey, &[u8]> =
    TableDefinition::new("superseded");
pub(crate) const HISTORY: TableDefinition<'_, (i64, u32), &[u8]> = TableDefinition::new("history");
pub(crate) const META: TableDefinition<'_, &str, i64> = TableDefinition::new("meta");

/// Layout of the tables. A file with another number is refused.
pub(crate) const FORMAT: i64 = 1;
/// Names of the rows of `meta`.
pub(crate) mod meta {
    pub const FORMAT: &str = "format";
    pub const REVISION: &str = "revision";
    pub const COMPACTED: &str = "compacted";
    pub const RETAINED_BYTES: &str = "retained_bytes";
    pub const CLUSTER: &str = "cluster";
    pub const MEMBER: &str = "member";
    pub const TERM: &str = "term";
}

/// Who answers: the same for the life of a data directory, but for the term, which grows at each opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Never 0.
    pub cluster_id: u64,
    /// Never 0.
    pub member_id: u64,
    /// From 1.
    pub term: u64,
}

/// The open store. Its file is released when the last handle is dropped.
#[derive(Debug)]
pub struct Store {
    database: Database,
    path: PathBuf,
    identity: Identity,
    /// Dropped after the database: whoever waits on the other end may open the file again.
    _released: oneshot::Sender<()>,
}

/// How far the store has come, as one snapshot knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The newest main revision; 1 when nothing was ever written.
    pub revision: i64,
    /// The oldest revision that can be read; -1 when nothing was ever compacted.
    pub compacted: i64,
}

impl Store {
    /// Who answers.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A consistent picture of everything that was committed before this call.
    pub fn snapshot(&self) -> Result<Snapshot, Fault> {
        let transaction = self.database.begin_read()?;
        let progress = progress(&transaction.open_table(META)?)?;
        Ok(Snapshot {
            current: transaction.open_table(CURRENT)?,
            superseded: transaction.open_table(SUPERSEDED)?,
            history: transaction.open_table(HISTORY)?,
            progress,
        })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

/// The tables as they were at one moment; later writes do not show.
pub struct Snapshot {
    current: ReadOnlyTable<&'static [u8], &'static [u8]>,
    superseded: ReadOnlyTable<FormerKey, &'static [u8]>,
    history: ReadOnlyTable<(i64, u32), &'static [u8]>,
    progress: Progress,
}

/// A view over a snapshot.
pub type SnapshotView<'s> =
    View<'s, ReadOnlyTable<&'static [u8], &'static [u8]>, ReadOnlyTable<FormerKey, &'static [u8]>>;

impl Snapshot {
    /// How far the store had come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The keys and their versions.
    pub fn view(&self) -> SnapshotView<'_> {
        View::new(&self.current, &self.superseded)
    }

    /// Changes from revision `from` on, oldest first.
    pub fn history(
        &self,
        from: i64,
        mut row: impl FnMut(Moment, Change, &[u8]) -> Result<Scan, Fault>,
    ) -> Result<(), Fault> {
        for found in self.history.range::<(i64, u32)>((from, 0)..)? {
            let (moment, line) = found?;
            let (revision, sub) = moment.value();
            let (change, key) = Change::decode(line.value())?;
            if row(Moment { revision, sub }, change, key)? == Scan::Stop {
                break;
            }
        }
        Ok(())
    }
}

fn progress(table: &impl ReadableTable<&'static str, i64>) -> Result<Progress, Fault> {
    let read = |name: &str| -> Result<Option<i64>, Fault> {
        Ok(table.get(name)?.map(|value| value.value()))
    };
    Ok(Progress {
        revision: read(meta::REVISION)?.unwrap_or(open::FIRST_REVISION),
        compacted: read(meta::COMPACTED)?.unwrap_or(open::NEVER_COMPACTED),
    })
}
