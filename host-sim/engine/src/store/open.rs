//! Opening a data directory: creating what is missing, refusing what is not ours.
//!
//! Everything that can be wrong with a file is found here, before the first request.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, ReadableTable, StorageError, TableHandle};
use tokio::sync::oneshot;

use super::place::Place;
use super::{CURRENT, FORMAT, HISTORY, Identity, META, SUPERSEDED, Store, meta};

/// An empty store is at revision 1, as etcd's: the first write makes revision 2.
pub(super) const FIRST_REVISION: i64 = 1;
/// etcd's mark for "no compaction yet".
pub(super) const NEVER_COMPACTED: i64 = -1;

/// Why a data directory cannot be used. Each says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or entered.
    #[error("data directory {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process serves this directory.
    #[error("{0} is in use by another engine; stop it or choose another data directory")]
    InUse(PathBuf),
    /// The file is damaged, or is not a database.
    #[error("{path} is damaged or was not written by this engine: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A database, but of another program or another version of this one.
    #[error("{path} has format {found}, this engine reads format {FORMAT}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The number found; 0 when there was none.
        found: i64,
    },
    /// The disk failed, or the file cannot be read or written.
    #[error("{path}: {reason}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// What the storage library said.
        reason: String,
    },
}

impl Store {
    /// Opens the store in `data_dir`, which is created when missing. The receiver hears when the file is free again.
    pub fn open(
        data_dir: &Path,
        cache_bytes: usize,
    ) -> Result<(Store, oneshot::Receiver<()>), OpenError> {
        let place = Place::take(data_dir)?;
        let path = place.file();
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        explain_checks(&mut builder, &path);
        // Looked for, not tried: a file without content is damage and not a new store.
        let is_new = !path.exists();
        let opened = if is_new {
            builder.create(place.new_file())
        } else {
            builder.open(&path)
        };
        let database = opened.map_err(|error| database_error(&path, error))?;
        let identity = prepare(&database, &path)?;
        if is_new {
            place.adopt()?;
        }
        let (released, free) = oneshot::channel();
        let store = Store {
            database,
            path,
            identity,
            _released: released,
        };
        Ok((store, free))
    }
}

/// Makes the tables of a new file, checks those of an old one, and begins a new term.
fn prepare(database: &Database, path: &Path) -> Result<Identity, OpenError> {
    let storage = |error: redb::Error| match error {
        redb::Error::Corrupted(reason) => OpenError::Damaged {
            path: path.to_owned(),
            reason,
        },
        other => OpenError::Storage {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    };
    let transaction = database
        .begin_write()
        .map_err(|error| storage(error.into()))?;
    let names: Vec<String> = transaction
        .list_tables()
        .map_err(|error| storage(error.into()))?
        .map(|table| table.name().to_owned())
        .collect();
    if !names.is_empty() && !names.iter().any(|name| name == META.name()) {
        return Err(OpenError::Format {
            path: path.to_owned(),
            found: 0,
        });
    }
    let identity = (|| -> Result<Result<Identity, i64>, redb::Error> {
        let mut table = transaction.open_table(META)?;
        let read = |table: &redb::Table<'_, &'static str, i64>, name: &str| {
            Ok::<_, StorageError>(table.get(name)?.map(|row| row.value()))
        };
        match read(&table, meta::FORMAT)? {
            Some(FORMAT) => {}
            Some(other) => return Ok(Err(other)),
            None if names.is_empty() => {
                table.insert(meta::FORMAT, FORMAT)?;
                table.insert(meta::REVISION, FIRST_REVISION)?;
                table.insert(meta::CLUSTER, random_id())?;
                table.insert(meta::MEMBER, random_id())?;
            }
            None => return Ok(Err(0)),
        }
        let term = read(&table, meta::TERM)?.unwrap_or(0).saturating_add(1);
        table.insert(meta::TERM, term)?;
        transaction.open_table(CURRENT)?;
        transaction.open_table(SUPERSEDED)?;
        transaction.open_table(HISTORY)?;
        let id = |name| Ok::<_, StorageError>(read(&table, name)?.unwrap_or(1).cast_unsigned());
        Ok(Ok(Identity {
            cluster_id: id(meta::CLUSTER)?,
            member_id: id(meta::MEMBER)?,
            term: term.cast_unsigned(),
        }))
    })()
    .map_err(storage)?
    .map_err(|found| OpenError::Format {
        path: path.to_owned(),
        found,
    })?;
    transaction
        .commit()
        .map_err(|error| storage(error.into()))?;
    Ok(identity)
}

/// A number that two stores do not share. The system seeds the standard hasher at random; uniqueness is all that
/// is needed here, secrecy is not.
fn random_id() -> i64 {
    (RandomState::new().hash_one(std::process::id()) | 1).cast_signed()
}

/// A store that was not closed in order is checked whole, which can take minutes: the wait needs a word.
fn explain_checks(builder: &mut Builder, path: &Path) {
    let path = path.to_owned();
    let said = Cell::new(false);
    builder.set_repair_callback(move |_| {
        if !said.replace(true) {
            eprintln!(
                "engine: {} was not closed in order and is being checked; the larger it is the longer this takes",
                path.display()
            );
        }
    });
}

fn database_error(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse(path),
        DatabaseError::Storage(StorageError::Corrupted(reason)) => {
            OpenError::Damaged { path, reason }
        }
        // The library reports a file that does not begin with its mark as invalid data.
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() == std::io::ErrorKind::InvalidData =>
        {
            let reason = source.to_string();
            OpenError::Damaged { path, reason }
        }
        other => OpenError::Storage {
            path,
            reason: other.to_string(),
        },
    }
}
