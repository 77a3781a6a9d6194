//! What can go wrong while starting, watching or asking a process.

use std::path::PathBuf;
use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every failure names what was attempted; those of processes carry the tail of their log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("{what} {path}: {source}")]
    File {
        /// The attempt, as in "read" or "create".
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("start {name} ({program}): {source}")]
    Start {
        /// What it is to us, as in "engine".
        name: String,
        /// The program file.
        program: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A process ended while it was needed.
    #[error("{name} ended ({status}) while waiting until {what}\n--- end of {log}\n{tail}")]
    Ended {
        /// What it is to us.
        name: String,
        /// What was waited for.
        what: String,
        /// How it ended.
        status: String,
        /// Its whole log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// A process did not get to where it was needed within the bound.
    #[error("{name}: not after {bound:?}: {what}\n--- end of {log}\n{tail}")]
    NotReady {
        /// What it is to us.
        name: String,
        /// What was waited for.
        what: String,
        /// How long it was waited for.
        bound: Duration,
        /// Its whole log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// SIGINT or SIGTERM came while something was being waited for.
    #[error("interrupted while waiting until {what}")]
    Interrupted {
        /// What was waited for.
        what: String,
    },
    /// The port is taken by another program.
    #[error(
        "port {port} of 127.0.0.1 is in use by another program: choose another port or stop that program"
    )]
    PortInUse {
        /// The port asked for.
        port: u16,
    },
    /// No free port was found in the range that the testbed uses.
    #[error("no free port in {first}..={last} of 127.0.0.1")]
    NoPort {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// An HTTP exchange failed before a whole answer was there.
    #[error("http {target}: {reason}")]
    Http {
        /// Address and path.
        target: String,
        /// What failed.
        reason: String,
    },
    /// A configuration file does not have the expected shape.
    #[error("{path}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What was missing or malformed.
        reason: String,
    },
    /// A key could not be made, read or used.
    #[error(transparent)]
    Keys(#[from] signing_keys::Error),
    /// A token was asked for that no gateway would accept.
    #[error("{0}")]
    BadToken(String),
    /// A tool is missing and could not be installed.
    #[error("{tool}: {reason}\n{remedy}")]
    Tool {
        /// The tool's name.
        tool: &'static str,
        /// Why it cannot be used.
        reason: String,
        /// What the reader can do.
        remedy: String,
    },
    /// Something that a build step makes is not there.
    #[error("{what} is missing at {path}: run `{command}`")]
    NotBuilt {
        /// The thing.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What makes it.
        command: &'static str,
    },
}

impl Error {
    /// For `map_err`: a failed file operation.
    pub fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
