//! The etcd server.

use std::path::PathBuf;

use super::{apt, on_path, output_of};
use crate::{Error, Result};

const TOOL: &str = "etcd";
const PACKAGE: &str = "etcd-server";

/// The etcd server: `$ETCD`, else the one on `PATH`, else the Debian package `etcd-server`, installed when we are root.
///
/// # Errors
/// [`Error::Tool`] with the command that helps.
pub fn etcd() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ETCD").filter(|value| !value.is_empty()) {
        let given = PathBuf::from(given);
        return match output_of(&given, "--version") {
            Some(_) => Ok(given),
            None => Err(Error::Tool {
                tool: TOOL,
                reason: format!("$ETCD is {} and does not run", given.display()),
                remedy: "set ETCD to an etcd server, or unset it".to_owned(),
            }),
        };
    }
    let working = || on_path("etcd").filter(|path| output_of(path, "--version").is_some());
    if let Some(found) = working() {
        return Ok(found);
    }
    apt::install(TOOL, PACKAGE)?;
    working().ok_or_else(|| Error::Tool {
        tool: TOOL,
        reason: format!("not on PATH although {PACKAGE} is installed"),
        remedy: "set ETCD to the server's program".to_owned(),
    })
}
