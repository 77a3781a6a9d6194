//! wrk, a client that keeps a number of connections busy from one thread and says how fast they were answered.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{apt, lock, on_path};
use crate::{Error, Result, target_dir};

const TOOL: &str = "wrk";
/// The program, and the interpreter of its scripts, which few machines have.
const PACKAGES: [&str; 2] = ["wrk", "libluajit-5.1-2"];

/// Where wrk is, and what its private copy needs to run.
#[derive(Clone, Debug)]
pub struct Wrk {
    program: PathBuf,
    /// Where the private copy's libraries are.
    libraries: Option<PathBuf>,
}

impl Wrk {
    /// A command that runs it, without arguments yet.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// The program file.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `wrk --version` says its name, and ends with a failure.
    fn runs(&self) -> bool {
        let output = self.command().arg("--version").output();
        output.is_ok_and(|output| output.stdout.starts_with(b"wrk "))
    }
}

/// wrk: `$WRK`, else the one on `PATH`, else a private copy of the Debian package `wrk` under `target/tools`, unpacked on
/// first use.
///
/// # Errors
/// [`Error::Tool`] with what helps.
pub fn wrk() -> Result<Wrk> {
    let by_itself = |program: PathBuf| Wrk {
        program,
        libraries: None,
    };
    if let Some(given) = std::env::var_os("WRK").filter(|value| !value.is_empty()) {
        let given = by_itself(PathBuf::from(given));
        if given.runs() {
            return Ok(given);
        }
        return Err(Error::Tool {
            tool: TOOL,
            reason: format!("$WRK is {} and does not run", given.program.display()),
            remedy: "set WRK to a wrk, or unset it".to_owned(),
        });
    }
    match on_path("wrk").map(by_itself).filter(Wrk::runs) {
        Some(found) => Ok(found),
        None => private_copy(&target_dir().join("tools").join("wrk")),
    }
}

fn private_copy(root: &Path) -> Result<Wrk> {
    if let Some(copy) = copy_in(root) {
        return Ok(copy);
    }
    let _lock = lock(root.parent().unwrap_or(root), "wrk")?;
    if let Some(copy) = copy_in(root) {
        return Ok(copy);
    }
    apt::unpack(TOOL, &PACKAGES, root)?;
    copy_in(root).ok_or_else(|| Error::Tool {
        tool: TOOL,
        reason: format!("what is in {} does not run on this machine", root.display()),
        remedy: "install it (on Debian as root: apt-get install wrk) or name it in $WRK".to_owned(),
    })
}

/// The private copy, when it is there and runs.
fn copy_in(root: &Path) -> Option<Wrk> {
    // `usr/lib/x86_64-linux-gnu` or another machine's name.
    let machines = std::fs::read_dir(root.join("usr/lib")).ok()?;
    machines
        .flatten()
        .map(|entry| Wrk {
            program: root.join("usr/bin/wrk"),
            libraries: Some(entry.path()),
        })
        .find(Wrk::runs)
}
