//! Which CPUs the servers get and which the clients, so that neither takes time from the other.
//!
//! With two busy clients and one busy worker on two CPUs the scheduler's choice of who shares is the largest noise there
//! is. The last CPU is the servers', the others are the clients'. Where that cannot be had (one CPU only, no `taskset`),
//! nothing is bound, and the report says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::ensure;
use testbed::Process;

/// Who runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    bound: Option<Bound>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    servers: u32,
    clients: Vec<u32>,
}

impl Placement {
    /// Binds this process, and with it all clients that it starts from now on, to the clients' CPUs.
    #[must_use]
    pub fn bind_clients() -> Self {
        let free = Self { bound: None };
        let Some(bound) = divide(all_cpus()) else {
            return free;
        };
        if bind(std::process::id(), &bound.clients) {
            Self { bound: Some(bound) }
        } else {
            free
        }
    }

    /// Lets this process, and whatever it starts from now on, run where the scheduler likes: where several servers share
    /// the work, binding them to one CPU would measure the binding.
    #[must_use]
    pub fn share_all() -> Self {
        // What was never bound need not be freed; where binding does not work, nothing was bound.
        let _ = bind(std::process::id(), all_cpus());
        Self { bound: None }
    }

    /// Moves a server that runs already to where servers belong.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn move_server(&self, process: u32) -> anyhow::Result<()> {
        if let Some(bound) = &self.bound {
            ensure!(
                bind(process, &[bound.servers]),
                "a server cannot be bound to CPU {}",
                bound.servers
            );
        }
        Ok(())
    }

    /// Starts a server where servers belong.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_server(&self, mut command: testbed::Command) -> testbed::Result<Process> {
        if let Some(bound) = &self.bound {
            let mut args: Vec<OsString> =
                vec!["--cpu-list".into(), bound.servers.to_string().into()];
            args.push(std::mem::replace(&mut command.program, PathBuf::from("taskset")).into());
            args.append(&mut command.args);
            command.args = args;
        }
        Process::start(command)
    }

    /// In words, for the report.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.bound {
            None => "servers and clients share all CPUs".to_owned(),
            Some(bound) => format!(
                "servers on CPU {}, clients on CPU {}",
                bound.servers,
                list(&bound.clients)
            ),
        }
    }
}

/// Binds a process with all its threads; whether that was possible.
fn bind(process: u32, cpus: &[u32]) -> bool {
    let status = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid"])
        .args([list(cpus), process.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

fn list(cpus: &[u32]) -> String {
    let numbers: Vec<String> = cpus.iter().map(u32::to_string).collect();
    numbers.join(",")
}

fn divide(cpus: &[u32]) -> Option<Bound> {
    match cpus {
        [clients @ .., servers] if !clients.is_empty() => Some(Bound {
            servers: *servers,
            clients: clients.to_vec(),
        }),
        _ => None,
    }
}

/// The CPUs that this process might use when it was started.
fn all_cpus() -> &'static [u32] {
    static ALL: OnceLock<Vec<u32>> = OnceLock::new();
    ALL.get_or_init(allowed_cpus)
}

/// The CPUs that this process may use; none when the kernel does not say.
fn allowed_cpus() -> Vec<u32> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse_list(line.unwrap_or_default().trim()).unwrap_or_default()
}

/// `0-2,5` is 0, 1, 2, 5.
fn parse_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cpu_is_the_servers() {
        let cases = [
            ("0-1", Some((1, vec![0]))),
            ("0-2,5", Some((5, vec![0, 1, 2]))),
            ("3", None),
            ("", None),
            ("x-y", None),
        ];
        for (text, expected) in cases {
            let divided = divide(&parse_list(text).unwrap_or_default());
            let found = divided.map(|bound| (bound.servers, bound.clients));
            assert_eq!(found, expected, "{text}");
        }
    }
}
