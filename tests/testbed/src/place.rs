//! Where a process runs and listens: on loopback unless told otherwise, else at an address of its own, within whatever
//! program gives it that address.
//!
//! What lies between two places, and whether it can be cut, is for those who make them.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::Port;

/// A place for one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address that it listens on, at every one of its ports.
    pub ip: IpAddr,
    /// The program that runs it there, with its arguments, as in `ip netns exec NAME`. It must become the process that it
    /// is told to run, and not start another one: signals are meant for that. Empty: none.
    pub within: Vec<OsString>,
}

impl Default for Place {
    /// Loopback of this machine.
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            within: Vec::new(),
        }
    }
}

impl Place {
    /// That port, there. Ports are reserved on loopback, and a number is reserved for all places at once.
    pub(crate) fn at(&self, port: &Port) -> SocketAddr {
        SocketAddr::new(self.ip, port.number())
    }

    /// What to run so that `program` with `args` runs there.
    pub(crate) fn command(
        &self,
        program: PathBuf,
        args: Vec<OsString>,
    ) -> (PathBuf, Vec<OsString>) {
        let Some((outer, before)) = self.within.split_first() else {
            return (program, args);
        };
        let mut all = before.to_vec();
        all.push(program.into());
        all.extend(args);
        (outer.into(), all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_runs_within_what_its_place_names() {
        let place = Place {
            within: ["ip", "netns", "exec", "blue"].map(Into::into).to_vec(),
            ..Place::default()
        };
        let (program, args) = place.command("/bin/etcd".into(), vec!["--name".into(), "a".into()]);
        assert_eq!(program, PathBuf::from("ip"));
        assert_eq!(args, ["netns", "exec", "blue", "/bin/etcd", "--name", "a"]);
        let (program, args) = Place::default().command("/bin/etcd".into(), vec!["--name".into()]);
        assert_eq!(program, PathBuf::from("/bin/etcd"));
        assert_eq!(args, ["--name"]);
    }
}
