//! The etcd server.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{apt, lock, on_path};
use crate::{Error, Result, target_dir};

const TOOL: &str = "etcd";
const PACKAGE: &str = "etcd-server";

/// The etcd server: `$ETCD`, else the one on `PATH`, else a private copy of the Debian package `etcd-server` under
/// `target/tools`, unpacked on first use. The package is not installed: that takes root and starts a daemon.
///
/// # Errors
/// [`Error::Tool`] with what helps.
pub fn etcd() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ETCD").filter(|value| !value.is_empty()) {
        let given = PathBuf::from(given);
        if runs(&given) {
            return Ok(given);
        }
        return Err(Error::Tool {
            tool: TOOL,
            reason: format!("$ETCD is {} and does not run", given.display()),
            remedy: "set ETCD to an etcd server, or unset it".to_owned(),
        });
    }
    match on_path("etcd").filter(|path| runs(path)) {
        Some(found) => Ok(found),
        None => private_copy(&target_dir().join("tools")),
    }
}

/// What etcd must find in its environment. 3.4 wants to be told that one knows it is on such a machine.
pub(crate) fn environment() -> Vec<(String, String)> {
    match std::env::consts::ARCH {
        "aarch64" => vec![("ETCD_UNSUPPORTED_ARCH".to_owned(), "arm64".to_owned())],
        _ => Vec::new(),
    }
}

fn private_copy(tools: &Path) -> Result<PathBuf> {
    let root = tools.join("etcd");
    let program = root.join("usr/bin/etcd");
    if runs(&program) {
        return Ok(program);
    }
    let _lock = lock(tools, "etcd")?;
    if !runs(&program) {
        apt::unpack(TOOL, &[PACKAGE], &root)?;
    }
    if runs(&program) {
        return Ok(program);
    }
    Err(Error::Tool {
        tool: TOOL,
        reason: format!("{} does not run on this machine", program.display()),
        remedy: "set ETCD to an etcd server".to_owned(),
    })
}

fn runs(program: &Path) -> bool {
    let mut version = Command::new(program);
    version.arg("--version").envs(environment());
    version.output().is_ok_and(|output| output.status.success())
}
