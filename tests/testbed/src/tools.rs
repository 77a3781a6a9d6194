//! Finds the programs that are not ours, Envoy and etcd, and installs them when they are missing.
//!
//! The environment wins, then `PATH`, then a private copy (Envoy) or the system's package (etcd). What is installed is
//! said on stderr; what cannot be is an error that names the command to run.

mod apt;
mod envoy;
mod etcd;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use envoy::envoy;
pub use etcd::etcd;

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

/// What `program arg` prints on stdout, if it runs and succeeds.
fn output_of(program: &Path, arg: &str) -> Option<String> {
    let output = Command::new(program).arg(arg).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
