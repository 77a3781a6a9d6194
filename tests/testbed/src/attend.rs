//! Programs that are run to their end, as builds and installers are, and that end with us.
//!
//! Once SIGINT and SIGTERM are noted (see [`stop_on_signals`](crate::stop_on_signals)), they no longer end this process,
//! so a program that it waits for must be ended on their behalf, with all that it started itself. Until then the default
//! holds, and a terminal's Ctrl-C reaches both.

use std::io::{Read as _, Seek as _};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::spawn::spawn;
use crate::sys::{Signal, interrupted, signal_group, signals_are_noted};

/// Between two looks at the program.
const POLL: Duration = Duration::from_millis(20);
/// How long it may take to end after SIGTERM before it is killed.
const STOP_BOUND: Duration = Duration::from_secs(5);

/// Runs `command` to its end; an interrupt (see [`interrupted`](crate::interrupted())) ends it early.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn attend(mut command: Command) -> std::io::Result<ExitStatus> {
    if !signals_are_noted() {
        return command.status();
    }
    let mut child = spawn(command)?;
    let mut kill_at = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match kill_at {
            None if interrupted() => {
                signal_group(child.id(), Signal::Terminate);
                kill_at = Some(Instant::now() + STOP_BOUND);
            }
            Some(deadline) if Instant::now() >= deadline => {
                signal_group(child.id(), Signal::Kill);
                return child.wait();
            }
            _ => std::thread::sleep(POLL),
        }
    }
}

/// As [`attend`], and what it said on stderr.
pub(crate) fn attend_quietly(mut command: Command) -> std::io::Result<(ExitStatus, String)> {
    // A file, unlike a pipe, need not be read while we wait.
    let mut words = tempfile::tempfile()?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(words.try_clone()?);
    let status = attend(command)?;
    let mut bytes = Vec::new();
    words.rewind()?;
    words.read_to_end(&mut bytes)?;
    Ok((
        status,
        String::from_utf8_lossy(&bytes).trim_end().to_owned(),
    ))
}
