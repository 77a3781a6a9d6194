//! What can go wrong with keys. No error carries a key.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure names what was attempted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or a file in it could not be read or written.
    #[error("{what} {path}: {source}")]
    File {
        /// The attempt, as in "read" or "create".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// Others than the owner may look at private keys.
    #[error(
        "{path} holds private keys and others may use it (mode {mode:o}): run `chmod go-rwx` on it"
    )]
    Exposed {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// One more key would be more than [`MAX_KEYS`](crate::MAX_KEYS).
    #[error("{path} holds {limit} keys already, and no more are kept: drop old ones first")]
    Full {
        /// The folder.
        path: PathBuf,
        /// How many it may hold.
        limit: usize,
    },
    /// A key could not be made, understood or used.
    #[error("{what}: {reason}")]
    Key {
        /// The attempt.
        what: String,
        /// The library's answer.
        reason: String,
    },
}

impl Error {
    /// For `map_err`: a failed file operation.
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { what, path, source }
    }

    /// For `map_err`: a failed operation on a key.
    pub(crate) fn key(what: impl Into<String>) -> impl FnOnce(jwt_simple::Error) -> Self {
        let what = what.into();
        move |error| Self::Key {
            what,
            reason: error.to_string(),
        }
    }

    /// Whether a file was looked for that is not there: another process may just have removed it.
    #[must_use]
    pub fn is_missing_file(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}
