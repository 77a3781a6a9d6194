//! wrk, a client that keeps a number of connections busy from one thread and says how fast they were answered.

use super::packaged::{Packaged, Recipe};
use crate::Result;

const WRK: Recipe = Recipe {
    program: "wrk",
    folder: "wrk",
    variable: "WRK",
    // The program, and the interpreter of its scripts.
    packages: &["wrk", "libluajit-5.1-2"],
    says: "wrk ",
};

/// wrk: `$WRK`, else the one on `PATH`, else a private copy of the Debian package `wrk` under `target/tools`, unpacked on
/// first use.
///
/// # Errors
/// [`crate::Error::Tool`] with what helps.
pub fn wrk() -> Result<Packaged> {
    WRK.find()
}
