//! What lies between the processes, and how it is cut: network namespaces where the machine allows them, otherwise relays
//! between the gateways and the members.
//!
//! Processes are known by number, members first. What one way cannot do it says, with the reason.

mod namespaces;
mod relays;

use std::net::SocketAddr;

use anyhow::anyhow;
use namespaces::Namespaces;
use relays::Relays;
use testbed::Place;
use tokio::runtime::Handle;

/// How links are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// By namespaces, or by relays where the machine does not allow those.
    #[default]
    Best,
    /// By relays, whatever the machine allows.
    Relays,
}

/// The network of all processes. What it made goes with it.
#[derive(Debug)]
pub(crate) enum Network {
    Namespaces(Namespaces),
    /// And why there are no namespaces.
    Relays(Relays, String),
}

/// Why something cannot be done.
pub(crate) enum Failure {
    /// It never can on this machine.
    NotPossible(String),
    /// It should have been possible.
    Broken(anyhow::Error),
}

impl Network {
    /// A network for so many processes; relays run on `runtime`.
    pub(crate) fn new(links: Links, processes: u8, runtime: Handle) -> Self {
        let namespaces = match links {
            Links::Best => Namespaces::create(processes),
            Links::Relays => Err("relays were asked for".to_owned()),
        };
        match namespaces {
            Ok(namespaces) => Self::Namespaces(namespaces),
            Err(reason) => Self::Relays(Relays::new(runtime), reason),
        }
    }

    /// For the table.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Namespaces(_) => "a network namespace for each process".to_owned(),
            Self::Relays(_, reason) => {
                format!("relays between Envoys and members on loopback; no namespaces: {reason}")
            }
        }
    }

    /// Where that process runs.
    pub(crate) fn place(&self, process: u8) -> Place {
        match self {
            Self::Namespaces(namespaces) => namespaces.place(process),
            Self::Relays(..) => Place::default(),
        }
    }

    /// Where a gateway finds the members that listen there.
    ///
    /// # Errors
    /// When a relay finds no port.
    pub(crate) fn ways(
        &mut self,
        gateway: u8,
        members: &[SocketAddr],
    ) -> anyhow::Result<Vec<SocketAddr>> {
        match self {
            Self::Namespaces(_) => Ok(members.to_vec()),
            Self::Relays(relays, _) => (0..)
                .zip(members)
                .map(|(member, address)| relays.add(gateway, member, *address))
                .collect(),
        }
    }

    /// Takes a process off the network: what it sends is lost, and what is sent to it.
    pub(crate) fn isolate(&self, process: u8) -> Result<(), Failure> {
        self.namespaces()?.isolate(process).map_err(broken)
    }

    /// Ends [`Network::isolate`].
    pub(crate) fn join(&self, process: u8) -> Result<(), Failure> {
        self.namespaces()?.join(process).map_err(broken)
    }

    /// Cuts the link between a gateway and a member, both ways; all others are as before.
    pub(crate) fn cut(&self, gateway: u8, member: u8) -> Result<(), Failure> {
        match self {
            Self::Namespaces(namespaces) => namespaces.cut(gateway, member).map_err(broken),
            Self::Relays(relays, _) => {
                relays.set_cut(gateway, member, true);
                Ok(())
            }
        }
    }

    /// Ends [`Network::cut`].
    pub(crate) fn mend(&self, gateway: u8, member: u8) -> Result<(), Failure> {
        match self {
            Self::Namespaces(namespaces) => namespaces.mend(gateway, member).map_err(broken),
            Self::Relays(relays, _) => {
                relays.set_cut(gateway, member, false);
                Ok(())
            }
        }
    }

    fn namespaces(&self) -> Result<&Namespaces, Failure> {
        match self {
            Self::Namespaces(namespaces) => Ok(namespaces),
            Self::Relays(_, reason) => Err(Failure::NotPossible(format!(
                "members can be cut off from each other by network namespaces alone: {reason}"
            ))),
        }
    }
}

fn broken(reason: String) -> Failure {
    Failure::Broken(anyhow!(reason))
}
