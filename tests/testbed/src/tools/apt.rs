//! Installs a Debian package, which takes root. A package that is already there is no work and no error.

use std::process::Command;

use super::{on_path, progress};
use crate::{Error, Result};

/// Installs `package` for the sake of `tool`.
pub(super) fn install(tool: &'static str, package: &str) -> Result<()> {
    let failed = |reason: String| Error::Tool {
        tool,
        reason,
        remedy: format!("install it as root: apt-get update && apt-get install -y {package}"),
    };
    let Some(apt) = on_path("apt-get") else {
        return Err(failed(
            "missing, and there is no apt-get to install it with".to_owned(),
        ));
    };
    let id = Command::new("id").arg("-u").output();
    if !id.is_ok_and(|output| output.stdout.trim_ascii() == b"0") {
        return Err(failed("missing, and installing it takes root".to_owned()));
    }
    progress(&format!("installing the Debian package {package}"));
    for args in [vec!["update", "-q"], vec!["install", "-y", "-q", package]] {
        let output = Command::new(&apt)
            .args(&args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .map_err(|error| failed(format!("apt-get: {error}")))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(failed(format!(
                "apt-get {} failed: {words}",
                args.join(" ")
            )));
        }
    }
    Ok(())
}
