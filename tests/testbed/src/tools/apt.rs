//! Debian packages: installed, which takes root, or only unpacked, which takes nothing and starts no daemon.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{on_path, progress, run};
use crate::{Error, Result};

/// Installs `package` for the sake of `tool`. A package that is already there is no work and no error.
pub(super) fn install(tool: &'static str, package: &str) -> Result<()> {
    let failed = |reason: String| Error::Tool {
        tool,
        reason,
        remedy: format!("install it as root: apt-get update && apt-get install -y {package}"),
    };
    let apt = apt_get().map_err(failed)?;
    if !are_root() {
        return Err(failed("missing, and installing it takes root".to_owned()));
    }
    progress(&format!("installing the Debian package {package}"));
    for args in [vec!["update", "-q"], vec!["install", "-y", "-q", package]] {
        let mut command = Command::new(&apt);
        command.args(&args).env("DEBIAN_FRONTEND", "noninteractive");
        run(command, &format!("apt-get {}", args.join(" "))).map_err(failed)?;
    }
    Ok(())
}

/// Puts the files of `packages` under `dir`, which appears whole or not at all. Root is needed only on a machine that has
/// no package lists yet. What they depend on is not followed: name what the machine may lack.
pub(super) fn unpack(tool: &'static str, packages: &[&str], dir: &Path) -> Result<()> {
    let names = packages.join(" ");
    let failed = |reason: String| Error::Tool {
        tool,
        reason: format!("missing, and the Debian package {names} cannot be unpacked: {reason}"),
        remedy: format!(
            "put {tool} on PATH, or run `apt-get update` as root once, so that the package can be downloaded"
        ),
    };
    let apt = apt_get().map_err(failed)?;
    let draft = dir.with_extension("new");
    if draft.exists() {
        std::fs::remove_dir_all(&draft).map_err(Error::file("remove", &draft))?;
    }
    std::fs::create_dir_all(&draft).map_err(Error::file("create", &draft))?;
    progress(&format!(
        "unpacking the Debian package {names} into {} (once)",
        dir.display()
    ));
    let download = || {
        let mut command = Command::new(&apt);
        command
            .args(["download", "-q"])
            .args(packages)
            .current_dir(&draft);
        run(command, &format!("apt-get download {names}"))
    };
    download()
        .or_else(|reason| {
            if !are_root() {
                return Err(reason);
            }
            progress("fetching the package lists (apt-get update)");
            let mut update = Command::new(&apt);
            update.args(["update", "-q"]);
            run(update, "apt-get update")?;
            download()
        })
        .map_err(failed)?;
    let archives = archives_in(&draft)?;
    if archives.len() != packages.len() {
        let left = archives.len();
        return Err(failed(format!(
            "apt-get download left {left} .deb files of {}",
            packages.len()
        )));
    }
    for archive in archives {
        let mut extract = Command::new("dpkg-deb");
        extract.arg("-x").arg(&archive).arg(&draft);
        run(extract, "dpkg-deb -x").map_err(failed)?;
        std::fs::remove_file(&archive).map_err(Error::file("remove", &archive))?;
    }
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(Error::file("remove", dir))?;
    }
    std::fs::rename(&draft, dir).map_err(Error::file("create", dir))
}

fn archives_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(Error::file("list", dir))?;
    let files = entries.flatten().map(|entry| entry.path());
    Ok(files
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect())
}

fn apt_get() -> std::result::Result<PathBuf, String> {
    on_path("apt-get").ok_or_else(|| "missing, and there is no apt-get to get it with".to_owned())
}

fn are_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
