//! The Redis server: what the benchmark's native service keeps points in.

use super::packaged::{Packaged, Recipe};
use crate::Result;

const REDIS: Recipe = Recipe {
    program: "redis-server",
    folder: "redis",
    variable: "REDIS_SERVER",
    // The server (a link), the program that it links to, and libraries.
    packages: &[
        "redis-server",
        "redis-tools",
        "liblzf1",
        "libjemalloc2",
        "libatomic1",
    ],
    says: "Redis server ",
};

/// The Redis server: `$REDIS_SERVER`, else the one on `PATH`, else a private copy of the Debian package `redis-server`
/// under `target/tools`, unpacked on first use. The package is not installed: that takes root and starts a daemon.
///
/// # Errors
/// [`crate::Error::Tool`] with what helps.
pub fn redis() -> Result<Packaged> {
    REDIS.find()
}
