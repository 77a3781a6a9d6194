//! What the Rust toolchain must have beside rustc and cargo, added by rustup when it is not there, and the C and C++
//! compilers, which nobody here can add.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::progress;

/// The target of the filter's module.
pub const WASM_TARGET: &str = "wasm32-wasip1";
/// Components of rustup that a minimal installation lacks, by the program that tells whether they are there.
const COMPONENTS: [(&str, &str); 2] = [("rustfmt", "rustfmt"), ("clippy", "clippy-driver")];

/// Adds the wasm target to the toolchain when it is not there.
///
/// # Errors
/// When it is missing and cannot be added.
pub fn ensure_target() -> anyhow::Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", WASM_TARGET])
        .current_dir(testbed::workspace_root())
        .output()
        .context("start rustc")?;
    ensure!(
        output.status.success(),
        "rustc does not know the target {WASM_TARGET}"
    );
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if libraries.is_dir() {
        return Ok(());
    }
    add("target", &[WASM_TARGET])
}

/// Adds rustfmt and clippy to the toolchain when they are not there.
///
/// # Errors
/// When one is missing and cannot be added.
pub fn ensure_components() -> anyhow::Result<()> {
    let missing: Vec<&str> = COMPONENTS
        .iter()
        .filter(|(_, program)| !runs((*program).into(), "--version"))
        .map(|(component, _)| *component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    add("component", &missing)
}

/// Some dependencies are C in part, and rustc itself links with it.
///
/// # Errors
/// When there is none.
pub fn ensure_c_compiler() -> anyhow::Result<()> {
    ensure_compiler("C", "CC", "cc")
}

/// libFuzzer is C++.
///
/// # Errors
/// When there is none.
pub fn ensure_cxx_compiler() -> anyhow::Result<()> {
    ensure_compiler("C++", "CXX", "c++")
}

fn ensure_compiler(language: &str, variable: &str, usual: &str) -> anyhow::Result<()> {
    let given = std::env::var_os(variable).filter(|name| !name.is_empty());
    let compiler = given.unwrap_or_else(|| usual.into());
    let name = compiler.to_string_lossy().into_owned();
    ensure!(
        runs(compiler, "--version"),
        "no {language} compiler: `{name}` does not run. Install one (on Debian: apt-get install build-essential) or name it in ${variable}"
    );
    Ok(())
}

/// The target that rustc builds for where none is named.
///
/// # Errors
/// When rustc does not tell.
pub fn host_target() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .current_dir(testbed::workspace_root())
        .output()
        .context("start rustc")?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}

/// Whether `program arg` runs and succeeds. A program of rustup's that stands for a missing component fails.
fn runs(program: OsString, arg: &str) -> bool {
    let status = Command::new(program)
        .arg(arg)
        .current_dir(testbed::workspace_root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// `rustup KIND add NAMES`.
fn add(kind: &str, names: &[&str]) -> anyhow::Result<()> {
    let line = format!("rustup {kind} add {}", names.join(" "));
    progress(&format!("not there yet: {line}"));
    let mut rustup = Command::new("rustup");
    rustup
        .args([kind, "add"])
        .args(names)
        .current_dir(testbed::workspace_root())
        .stdout(std::io::stderr());
    match testbed::attend(rustup) {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`{line}` failed ({status})"),
        Err(error) => bail!(
            "the Rust {kind} {} is missing and rustup cannot be run to add it: {error}",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_or_refuses_does_not_run() {
        assert!(runs("true".into(), "--version"));
        assert!(!runs("false".into(), "whatever"));
        assert!(!runs("/nowhere/program".into(), "--version"));
    }
}
