//! The place of the store's file: its folder, who may work in it, and how a new file comes to its name.
//!
//! A name is given only to a file that is whole, and outlives a power cut together with every folder above it. Knows
//! nothing of what is in the file.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use super::OpenError;

/// Name of the one file in the data directory.
const FILE_NAME: &str = "engine.redb";
/// Its name until it is whole.
const NEW_FILE_NAME: &str = "engine.redb.new";

/// A data directory in which nobody else opens or makes a store as long as this lives.
pub struct Place {
    data_dir: PathBuf,
    /// Folders that had to be made, innermost first.
    made: Vec<PathBuf>,
    _locked: File,
}

impl Place {
    /// Makes the directory when missing, and takes it.
    pub fn take(data_dir: &Path) -> Result<Place, OpenError> {
        let error = |source| OpenError::Directory {
            path: data_dir.to_owned(),
            source,
        };
        let data_dir = std::path::absolute(data_dir).map_err(error)?;
        let is_missing = |folder: &&Path| !folder.exists();
        let made = data_dir.ancestors().take_while(is_missing);
        let made = made.map(Path::to_owned).collect();
        std::fs::create_dir_all(&data_dir).map_err(error)?;
        let folder = File::open(&data_dir).map_err(error)?;
        match folder.try_lock() {
            // Some network file systems lock no folders; the lock on the file itself is left there.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(data_dir)),
        }
        let place = Place {
            data_dir,
            made,
            _locked: folder,
        };
        // A start that was cut short may have given the file its name and not come to put that on disk: a power cut would
        // take the name back, and with it all that is acknowledged from now on.
        sync(&place.data_dir).map_err(error)?;
        for above in place.data_dir.ancestors().skip(1) {
            // A folder that was there may be closed to us.
            let _ = sync(above);
        }
        place.clear().map_err(error)?;
        Ok(place)
    }

    /// The store's file.
    pub fn file(&self) -> PathBuf {
        self.data_dir.join(FILE_NAME)
    }

    /// Where a new file is made.
    pub fn new_file(&self) -> PathBuf {
        self.data_dir.join(NEW_FILE_NAME)
    }

    /// Gives the new file, which is whole and on disk, its name.
    pub fn adopt(&self) -> Result<(), OpenError> {
        let error = |source| OpenError::Directory {
            path: self.data_dir.clone(),
            source,
        };
        std::fs::rename(self.new_file(), self.file()).map_err(error)?;
        sync(&self.data_dir).map_err(error)?;
        for above in self.data_dir.ancestors().skip(1) {
            let synced = sync(above);
            // A folder that was there may be closed to us; then whoever made it has to see to it.
            if self.made.iter().any(|made| made.parent() == Some(above)) {
                synced.map_err(error)?;
            }
        }
        Ok(())
    }

    /// Removes what a start that was cut short left behind.
    fn clear(&self) -> std::io::Result<()> {
        let gone = |error: &Error| error.kind() == ErrorKind::NotFound;
        match std::fs::remove_file(self.new_file()) {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
