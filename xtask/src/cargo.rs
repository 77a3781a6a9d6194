//! Runs cargo in the repository's root, with its output where the developer sees it, from the committed lock file and
//! into the directory where everybody here looks for what was built.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Subcommands that build nothing and so take no options about building.
const BUILDS_NOTHING: [&str; 1] = ["fmt"];

/// A cargo command with `args`, the subcommand first, not yet started.
pub fn command(args: &[&str]) -> Command {
    command_in(&testbed::cargo_target_dir(), args)
}

/// The same for a build that is kept apart, in this directory.
pub fn command_in(target_dir: &Path, args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(testbed::workspace_root());
    let (subcommand, rest) = args.split_at(args.len().min(1));
    command.args(subcommand);
    if !subcommand.iter().any(|name| BUILDS_NOTHING.contains(name)) {
        // A target directory from cargo's own configuration files would put things where nobody looks.
        command.args(["--locked", "--target-dir"]);
        command.arg(target_dir);
    }
    command.args(rest);
    command
}

/// Runs `cargo args`. What it prints goes to stderr: stdout is for our own results.
///
/// # Errors
/// When cargo cannot be started or fails.
pub fn run(args: &[&str]) -> anyhow::Result<()> {
    let line = format!("cargo {}", args.join(" "));
    let mut command = command(args);
    command.stdout(std::io::stderr());
    let status = testbed::attend(command).with_context(|| format!("start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(args: &[&str]) -> Vec<String> {
        let command = command(args);
        let words = command.get_args().map(|word| word.to_string_lossy());
        words.map(std::borrow::Cow::into_owned).collect()
    }

    #[test]
    fn what_builds_is_locked_and_told_where_to_build() {
        let target = testbed::cargo_target_dir().display().to_string();
        assert!(target.starts_with('/'), "{target}");
        assert_eq!(
            arguments(&["clippy", "--package", "a", "--", "-D", "warnings"]),
            [
                "clippy",
                "--locked",
                "--target-dir",
                &target,
                "--package",
                "a",
                "--",
                "-D",
                "warnings"
            ]
        );
        assert_eq!(arguments(&["fmt", "--check"]), ["fmt", "--check"]);
    }
}
