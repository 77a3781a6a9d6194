//! A network namespace for every process, and one more for the bridge that they are on: links between processes can be
//! cut, the machine's own packet filter has no say, and of the machine itself nothing is changed but one link to the bridge.
//!
//! Not every machine allows that (it takes root and a kernel with bridges); then the reason is told. Names carry this
//! process's id, and all of it goes when this is dropped.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use testbed::Place;

/// The first two numbers of all addresses: a range that is set aside for benchmarks (RFC 2544), in no use otherwise.
const RANGE: (u8, u8) = (198, 18);
/// The machine's own place in the subnet, and that of the first process.
const HOST: u8 = 1;
const FIRST: u8 = 11;
/// What all names begin with; this process's id follows. With both, links have less than the 15 characters that they may.
const TAG: &str = "rpc";
/// In its namespace the bridge, and on it the link of the machine.
const BRIDGE: &str = "bridge";
const HOST_LINK: &str = "host";

/// The namespaces of some processes, which are known by number.
#[derive(Debug)]
pub(crate) struct Namespaces {
    tag: String,
    subnet: u8,
    count: u8,
}

impl Namespaces {
    /// So many namespaces.
    ///
    /// # Errors
    /// Why this machine does not allow it. Nothing is left behind then.
    pub(super) fn create(count: u8) -> Result<Self, String> {
        remove_leftovers()?;
        let pid = std::process::id();
        let routes = ip(&["-4", "route", "show"])?;
        let seems_free =
            |subnet: &u8| !routes.contains(&format!("{}.{}.{subnet}.", RANGE.0, RANGE.1));
        let start = (pid % 200) as u8;
        let subnet = (start..=u8::MAX).chain(0..start).find(seems_free);
        let spaces = Self {
            tag: format!("{TAG}{pid}"),
            subnet: subnet.ok_or("no subnet is free")?,
            count,
        };
        // What there is by then goes with it when a step fails.
        spaces.build()?;
        Ok(spaces)
    }

    fn build(&self) -> Result<(), String> {
        let (switch, host) = (self.switch(), self.host());
        ip(&["netns", "add", &switch])?;
        ip(&["-n", &switch, "link", "add", BRIDGE, "type", "bridge"])?;
        ip(&["-n", &switch, "link", "set", BRIDGE, "up"])?;
        ip(&[
            "link", "add", &host, "type", "veth", "peer", "name", HOST_LINK, "netns", &switch,
        ])?;
        self.plug(HOST_LINK)?;
        let own = format!("{}/24", self.ip_of(HOST));
        ip(&["addr", "add", &own, "dev", &host])?;
        ip(&["link", "set", &host, "up"])?;
        for process in 0..self.count {
            let (space, link) = (self.space(process), link(process));
            let own = format!("{}/24", self.ip(process));
            ip(&["netns", "add", &space])?;
            ip(&[
                "-n", &switch, "link", "add", &link, "type", "veth", "peer", "name", "eth0",
                "netns", &space,
            ])?;
            self.plug(&link)?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            ip(&["-n", &space, "addr", "add", &own, "dev", "eth0"])?;
            ip(&["-n", &space, "link", "set", "eth0", "up"])?;
        }
        Ok(())
    }

    /// A link becomes one of the bridge.
    fn plug(&self, link: &str) -> Result<(), String> {
        let switch = self.switch();
        ip(&["-n", &switch, "link", "set", link, "master", BRIDGE])?;
        ip(&["-n", &switch, "link", "set", link, "up"]).map(drop)
    }

    /// Where that process runs.
    pub(super) fn place(&self, process: u8) -> Place {
        let within = ["ip", "netns", "exec", &self.space(process)];
        Place {
            ip: self.ip(process),
            within: within.map(Into::into).to_vec(),
        }
    }

    /// Takes the process off the network: what it sends is lost, and what is sent to it.
    pub(super) fn isolate(&self, process: u8) -> Result<(), String> {
        ip(&["-n", &self.switch(), "link", "set", &link(process), "down"]).map(drop)
    }

    /// Ends [`Namespaces::isolate`].
    pub(super) fn join(&self, process: u8) -> Result<(), String> {
        ip(&["-n", &self.switch(), "link", "set", &link(process), "up"]).map(drop)
    }

    /// Cuts the link of two processes, both ways; all others are as before.
    pub(super) fn cut(&self, one: u8, other: u8) -> Result<(), String> {
        self.routes("add", one, other)
    }

    /// Ends [`Namespaces::cut`].
    pub(super) fn mend(&self, one: u8, other: u8) -> Result<(), String> {
        self.routes("del", one, other)
    }

    fn routes(&self, verb: &str, one: u8, other: u8) -> Result<(), String> {
        for (from, to) in [(one, other), (other, one)] {
            let to = format!("{}/32", self.ip(to));
            ip(&["-n", &self.space(from), "route", verb, "blackhole", &to])?;
        }
        Ok(())
    }

    fn ip(&self, process: u8) -> IpAddr {
        self.ip_of(FIRST + process)
    }

    fn ip_of(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(RANGE.0, RANGE.1, self.subnet, host).into()
    }

    fn space(&self, process: u8) -> String {
        format!("{}n{process}", self.tag)
    }

    /// The namespace of the bridge.
    fn switch(&self) -> String {
        format!("{}n", self.tag)
    }

    /// The machine's own end of its link.
    fn host(&self) -> String {
        format!("{}h", self.tag)
    }
}

/// The bridge's end of a process's link.
fn link(process: u8) -> String {
    format!("link{process}")
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // What is not there need not go: it may be half built.
        let _ = ip(&["link", "del", &self.host()]);
        for process in 0..self.count {
            let _ = ip(&["netns", "del", &self.space(process)]);
        }
        let _ = ip(&["netns", "del", &self.switch()]);
    }
}

/// Removes what a run left behind that was killed: its process is gone.
fn remove_leftovers() -> Result<(), String> {
    for line in ip(&["netns", "list"])?.lines() {
        let space = line.split_whitespace().next().unwrap_or_default();
        let pid = space
            .strip_prefix(TAG)
            .and_then(|rest| rest.split_once('n'));
        let Some((pid, _)) = pid else {
            continue;
        };
        if pid.parse::<u32>().is_ok_and(crate::is_gone) {
            // Another run may be removing the same. The links go with the namespaces.
            let _ = ip(&["netns", "del", space]);
        }
    }
    Ok(())
}

/// Runs `ip`; what it says is the answer, or the reason.
fn ip(args: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(args).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", args.join(" "), words.trim()))
}
