//! Runs cargo in the repository's root, with its output where the developer sees it.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// A cargo command with `args`, not yet started.
pub fn command(args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(args).current_dir(testbed::workspace_root());
    command
}

/// Runs `cargo args`. What it prints goes to stderr: stdout is for our own results.
///
/// # Errors
/// When cargo cannot be started or fails.
pub fn run(args: &[&str]) -> anyhow::Result<()> {
    let line = format!("cargo {}", args.join(" "));
    let status = command(args)
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}
