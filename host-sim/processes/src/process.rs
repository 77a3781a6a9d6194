//! One child process: its own group, its log in a file, and an end that is certain.
//!
//! Readiness is always a condition polled with a bound; a child that ends meanwhile is reported at once with the tail of
//! its log. For chaos tests a child can be killed, frozen and started again from the same command.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::spawn::spawn;
use crate::sys::{Signal, interrupted, signal_group};
use crate::{Error, Result};

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(10);
/// How long a child may take to end after SIGTERM before it is killed.
const STOP_BOUND: Duration = Duration::from_secs(10);
/// Lines of a log shown in an error.
const TAIL_LINES: usize = 30;
/// Bytes of a log that are looked at for its tail.
const TAIL_BYTES: u64 = 16 * 1024;

/// What to run.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is to us, as in "engine": used in messages.
    pub name: String,
    /// The program file.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Additions to the environment.
    pub env: Vec<(String, String)>,
    /// The file that its stdout and stderr are appended to.
    pub log: PathBuf,
}

/// A running (or ended) child.
#[derive(Debug)]
pub struct Process {
    command: Command,
    child: Child,
    // Where in the log this run of the command begins.
    log_start: u64,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`.
    ///
    /// # Errors
    /// [`Error::Start`] when the program cannot be run, [`Error::File`] when its log cannot be opened.
    pub fn start(command: Command) -> Result<Self> {
        let (child, log_start) = launch(&command)?;
        Ok(Self {
            command,
            child,
            log_start,
            ended: None,
        })
    }

    /// What it is to us.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.command.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many bytes of memory it has in use, as the kernel counts resident pages.
    ///
    /// # Errors
    /// [`Error::File`] when it is gone.
    pub fn resident_bytes(&self) -> Result<u64> {
        let file = PathBuf::from(format!("/proc/{}/status", self.pid()));
        let status = std::fs::read_to_string(&file).map_err(Error::file("read", &file))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: Option<u64> = number.and_then(|number| number.trim().parse().ok());
        // A process that has ended and was not waited for has no such line, and uses nothing.
        Ok(kibibytes.unwrap_or(0).saturating_mul(1024))
    }

    /// The file with everything that it wrote.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.command.log
    }

    /// What it wrote since it was last started.
    #[must_use]
    pub fn log(&self) -> String {
        read_from(&self.command.log, self.log_start)
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let length = std::fs::metadata(&self.command.log).map_or(0, |meta| meta.len());
        let text = read_from(&self.command.log, length.saturating_sub(TAIL_BYTES));
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// How it ended, if it did.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Polls `condition` until it yields a value.
    ///
    /// # Errors
    /// [`Error::Ended`] when the child ends first, [`Error::NotReady`] after `bound`, [`Error::Interrupted`] when this
    /// process is asked to end (see [`stop_on_signals`](crate::stop_on_signals)).
    pub fn wait_until<T>(
        &mut self,
        what: &str,
        bound: Duration,
        mut condition: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(value) = condition(self) {
                return Ok(value);
            }
            if interrupted() {
                return Err(Error::Interrupted {
                    what: what.to_owned(),
                });
            }
            if let Some(status) = self.exit_status() {
                return Err(Error::Ended {
                    name: self.command.name.clone(),
                    what: what.to_owned(),
                    status: status.to_string(),
                    log: self.command.log.clone(),
                    tail: self.log_tail(),
                });
            }
            if Instant::now() >= deadline {
                return Err(Error::NotReady {
                    name: self.command.name.clone(),
                    what: what.to_owned(),
                    bound,
                    log: self.command.log.clone(),
                    tail: self.log_tail(),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for a whole line that starts with `prefix`, and returns what follows it.
    ///
    /// # Errors
    /// As [`Process::wait_until`].
    pub fn wait_for_line(&mut self, prefix: &str, bound: Duration) -> Result<String> {
        let what = format!("it prints `{prefix}`");
        self.wait_until(&what, bound, |process| {
            let log = process.log();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            let found = whole.lines().find_map(|line| line.strip_prefix(prefix));
            found.map(|rest| rest.trim().to_owned())
        })
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `bound`.
    pub fn wait_for_end(&mut self, bound: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + bound;
        loop {
            if let Some(status) = self.exit_status() {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(Error::NotReady {
                    name: self.command.name.clone(),
                    what: "it has ended".to_owned(),
                    bound,
                    log: self.command.log.clone(),
                    tail: self.log_tail(),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// kill -9: the process gets no chance to tidy up. Returns when it is gone.
    pub fn kill(&mut self) {
        if self.exit_status().is_none() {
            signal_group(self.child.id(), Signal::Kill);
            self.ended = self.child.wait().ok();
        }
    }

    /// SIGTERM, a bounded wait, then SIGKILL. Returns how it ended.
    pub fn stop(&mut self) -> Option<ExitStatus> {
        if self.exit_status().is_none() {
            signal_group(self.child.id(), Signal::Terminate);
            // A frozen process does not see SIGTERM before it is thawed.
            signal_group(self.child.id(), Signal::Continue);
            if self.wait_for_end(STOP_BOUND).is_err() {
                self.kill();
            }
        }
        self.ended
    }

    /// SIGSTOP: it holds its connections and does nothing.
    pub fn freeze(&mut self) {
        if self.exit_status().is_none() {
            signal_group(self.child.id(), Signal::Stop);
        }
    }

    /// SIGCONT: it goes on.
    pub fn thaw(&mut self) {
        if self.exit_status().is_none() {
            signal_group(self.child.id(), Signal::Continue);
        }
    }

    /// Starts the same command again, ending the running one first (SIGTERM) if there is one.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let (child, log_start) = launch(&self.command)?;
        self.child = child;
        self.log_start = log_start;
        self.ended = None;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- end of {}\n{}",
                self.command.log.display(),
                self.log_tail()
            );
        }
        self.stop();
    }
}

fn launch(command: &Command) -> Result<(Child, u64)> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&command.log);
    let log = log.map_err(Error::file("open", &command.log))?;
    let log_start = log.metadata().map_or(0, |meta| meta.len());
    let second = log.try_clone().map_err(Error::file("open", &command.log))?;
    let mut start = std::process::Command::new(&command.program);
    start
        .args(&command.args)
        .envs(command.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::from(log))
        .stderr(Stdio::from(second));
    let child = spawn(start).map_err(|source| Error::Start {
        name: command.name.clone(),
        program: command.program.clone(),
        source,
    })?;
    Ok((child, log_start))
}

fn read_from(path: &Path, start: u64) -> String {
    let mut bytes = Vec::new();
    if let Ok(mut file) = File::open(path)
        && file.seek(SeekFrom::Start(start)).is_ok()
    {
        // What could be read is shown; an error on the way only shortens it.
        let _ = file.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
