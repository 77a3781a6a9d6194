//! The Redis server: what the benchmark's native service keeps points in.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{apt, lock, on_path};
use crate::{Error, Result, target_dir};

const TOOL: &str = "redis-server";
/// The server (a link), the program that it links to, and the libraries of it that few machines have.
const PACKAGES: [&str; 5] = [
    "redis-server",
    "redis-tools",
    "liblzf1",
    "libjemalloc2",
    "libatomic1",
];

/// Where the server is, and what its private copy needs to run.
#[derive(Clone, Debug)]
pub struct Redis {
    program: PathBuf,
    /// Where the private copy's libraries are.
    libraries: Option<PathBuf>,
}

impl Redis {
    /// The program file.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// What it must find in its environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let libraries = self.libraries.iter();
        let pairs = libraries.map(|dir| ("LD_LIBRARY_PATH".to_owned(), dir.display().to_string()));
        pairs.collect()
    }

    fn runs(&self) -> bool {
        let mut version = Command::new(&self.program);
        version.arg("--version").envs(self.environment());
        version
            .output()
            .is_ok_and(|output| output.stdout.starts_with(b"Redis server "))
    }
}

/// The Redis server: `$REDIS_SERVER`, else the one on `PATH`, else a private copy of the Debian package `redis-server`
/// under `target/tools`, unpacked on first use. The package is not installed: that takes root and starts a daemon.
///
/// # Errors
/// [`Error::Tool`] with what helps.
pub fn redis() -> Result<Redis> {
    let by_itself = |program: PathBuf| Redis {
        program,
        libraries: None,
    };
    if let Some(given) = std::env::var_os("REDIS_SERVER").filter(|value| !value.is_empty()) {
        let given = by_itself(PathBuf::from(given));
        if given.runs() {
            return Ok(given);
        }
        return Err(Error::Tool {
            tool: TOOL,
            reason: format!(
                "$REDIS_SERVER is {} and does not run",
                given.program.display()
            ),
            remedy: "set REDIS_SERVER to a Redis server, or unset it".to_owned(),
        });
    }
    match on_path(TOOL).map(by_itself).filter(Redis::runs) {
        Some(found) => Ok(found),
        None => private_copy(&target_dir().join("tools").join("redis")),
    }
}

fn private_copy(root: &Path) -> Result<Redis> {
    if let Some(copy) = copy_in(root) {
        return Ok(copy);
    }
    let _lock = lock(root.parent().unwrap_or(root), "redis")?;
    if let Some(copy) = copy_in(root) {
        return Ok(copy);
    }
    apt::unpack(TOOL, &PACKAGES, root)?;
    copy_in(root).ok_or_else(|| Error::Tool {
        tool: TOOL,
        reason: format!("what is in {} does not run on this machine", root.display()),
        remedy:
            "install it (on Debian as root: apt-get install redis-server) or name it in $REDIS_SERVER"
                .to_owned(),
    })
}

/// The private copy, when it is there and runs.
fn copy_in(root: &Path) -> Option<Redis> {
    // `usr/lib/x86_64-linux-gnu` or another machine's name.
    let machines = std::fs::read_dir(root.join("usr/lib")).ok()?;
    machines
        .flatten()
        .map(|entry| Redis {
            program: root.join("usr/bin/redis-server"),
            libraries: Some(entry.path()),
        })
        .find(Redis::runs)
}
