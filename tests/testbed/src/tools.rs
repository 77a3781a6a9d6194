//! Finds the programs that are not ours, Envoy, etcd, wrk and Redis, and installs them when they are missing.
//!
//! The environment wins, then `PATH`, then a private copy under `target/tools`. What is installed is said on stderr; what
//! cannot be is an error that names the command to run.

mod apt;
mod envoy;
mod etcd;
mod packaged;
mod redis;
mod wrk;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use envoy::envoy;
pub(crate) use etcd::environment as etcd_environment;
pub use etcd::etcd;
pub use packaged::Packaged;
pub use redis::redis;
pub use wrk::wrk;

use crate::attend::attend_quietly;
use crate::{Error, Result, interrupted};

/// Between two looks at whether another process has finished installing.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Tells the developer what takes time.
fn progress(text: &str) {
    eprintln!("==> {text}");
}

/// The first executable file called `name` on `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Several test programs may want a tool at once: the one that holds `NAME.lock` in `tools` installs, the others wait.
/// Released on drop.
fn lock(tools: &Path, name: &str) -> Result<File> {
    std::fs::create_dir_all(tools).map_err(Error::file("create", tools))?;
    let path = tools.join(format!("{name}.lock"));
    let file = File::create(&path).map_err(Error::file("create", &path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
            Err(TryLockError::WouldBlock) if interrupted() => {
                return Err(Error::Interrupted {
                    what: format!("another process has installed {name}"),
                });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
        }
    }
}

/// Runs an installer; what it said is the error.
fn run(command: Command, name: &str) -> std::result::Result<(), String> {
    match attend_quietly(command) {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((status, words)) => Err(format!("{name} failed ({status}): {words}")),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// What `program arg` prints on stdout, if it runs and succeeds.
fn output_of(program: &Path, arg: &str) -> Option<String> {
    let output = Command::new(program).arg(arg).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
