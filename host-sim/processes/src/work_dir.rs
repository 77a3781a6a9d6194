//! A directory for one process's logs, configuration and data: given by the caller and kept, or temporary.
//!
//! A temporary one is removed on drop, except while a test fails: then it stays and is named on stderr.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Error, Result};

/// See the module's text.
#[derive(Debug)]
pub enum WorkDir {
    /// The caller's.
    Kept(PathBuf),
    /// Our own, until it is dropped.
    Temporary(Option<TempDir>),
}

impl WorkDir {
    /// `given`, created when missing, or a fresh temporary directory.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be made.
    pub fn open(given: Option<&Path>) -> Result<Self> {
        match given {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(Error::file("create", path))?;
                Ok(Self::Kept(path.to_path_buf()))
            }
            None => {
                let made = tempfile::Builder::new().prefix("reward-points-").tempdir();
                let made =
                    made.map_err(Error::file("create a directory in", std::env::temp_dir()))?;
                Ok(Self::Temporary(Some(made)))
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(Some(dir)) => dir.path(),
            Self::Temporary(None) => Path::new("."),
        }
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Self::Temporary(dir) = self
            && let Some(dir) = dir.take()
        {
            eprintln!("kept for a look: {}", dir.keep().display());
        }
    }
}
