//! What is to happen: a list of events with their times, all of it drawn from the seed before anything runs.
//!
//! What an event leads to is the simulation's; that a list without some of its events is a plan too, and runs the same way
//! as far as it can, is what makes shrinking work. So nothing here refers to another event but by an operation's number.

mod calm;
mod draw;
mod last;
mod profile;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use profile::Profile;

use crate::faults::{Fault, FaultKind};
use crate::named::Set;

/// From what a plan is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Decides everything.
    pub seed: u64,
    /// Gateways, 1 at least.
    pub gateways: usize,
    /// Workers of each, 1 at least; the main thread's VM comes on top.
    pub workers: usize,
    /// Operations of clients.
    pub operations: u32,
    /// What may go wrong. Each seed takes some of it.
    pub faults: Set<FaultKind>,
    /// Members of the filter's configuration besides those that are drawn, or in their place.
    pub settings: Settings,
}

/// Members of the filter's configuration, by name.
pub type Settings = BTreeMap<String, serde_json::Value>;

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What holds all the while.
    pub profile: Profile,
    /// By time.
    pub events: Vec<Event>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in microseconds since the start.
    pub at_us: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A client begins an operation.
    Operation(Operation),
    /// Something goes wrong.
    Fault(Fault),
}

/// An account: tenants and customers are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Account {
    /// Which tenant.
    pub tenant: u8,
    /// Which of its customers. The same numbers stand for different customers in different tenants.
    pub customer: u32,
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.tenant_name(), self.customer_name())
    }
}

impl Account {
    /// The tenant as tokens and keys name it.
    #[must_use]
    pub fn tenant_name(self) -> String {
        format!("tenant{}", self.tenant)
    }

    /// The customer as paths and keys name it.
    #[must_use]
    pub fn customer_name(self) -> String {
        format!("c{}", self.customer)
    }

    /// The account of these names.
    #[must_use]
    pub fn named(tenant: &str, customer: &str) -> Option<Self> {
        Some(Self {
            tenant: tenant.strip_prefix("tenant")?.parse().ok()?,
            customer: customer.strip_prefix('c')?.parse().ok()?,
        })
    }
}

/// What one client wants done, until it knows what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Names it, from 1 on.
    pub number: u32,
    /// Who asks; its session follows its own changes.
    pub client: u32,
    /// Of whom. The customer counts for nothing in a list.
    pub account: Account,
    /// Where it is sent first.
    pub gateway: usize,
    /// To which worker there.
    pub worker: usize,
    /// What.
    pub kind: Kind,
    /// By what it is known again.
    pub named: Name,
    /// How long after the head the body comes, in microseconds.
    pub body_after_us: u32,
    /// How often it is sent again, although it was answered.
    pub echoes: u8,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Points are added.
    Add {
        /// How many.
        points: u32,
        /// For how long they are good, in milliseconds from the plan's time on; none: for ever.
        valid_ms: Option<u32>,
    },
    /// Points are redeemed.
    Redeem {
        /// How many.
        points: u32,
    },
    /// An account is opened.
    Create {
        /// With so many points; none: with no entry.
        points: Option<u32>,
    },
    /// An account is deleted.
    Delete,
    /// The balance.
    Balance(Recency),
    /// The whole history.
    Summary(Recency),
    /// The histories of all accounts of the tenant.
    List,
}

impl Kind {
    /// Whether it changes something.
    #[must_use]
    pub const fn is_write(self) -> bool {
        !matches!(self, Self::Balance(_) | Self::Summary(_) | Self::List)
    }

    /// Whether it leaves an entry in the history.
    #[must_use]
    pub const fn leaves_entry(self) -> bool {
        matches!(
            self,
            Self::Add { .. } | Self::Redeem { .. } | Self::Create { points: Some(_) }
        )
    }
}

/// How current a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recency {
    /// As the configuration has it.
    Bounded,
    /// From the engine itself.
    Strict,
    /// With all that the client has changed.
    Session,
    /// At most so many seconds old.
    MaxAge(u32),
}

/// By what an operation that is sent again is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// By nothing: it is not sent again.
    Nothing,
    /// By the id of this number: its own, or that of another operation, which is a conflict.
    Id(u32),
    /// By the Idempotency-Key of its own number.
    Key,
}

impl Plan {
    /// Draws a plan. The same wish gives the same one.
    #[must_use]
    pub fn draw(wish: &Wish) -> Self {
        draw::plan(wish)
    }

    /// How many operations clients want.
    #[must_use]
    pub fn operations(&self) -> usize {
        let of = |it: &&Event| matches!(it.what, What::Operation(_));
        self.events.iter().filter(of).count()
    }

    /// The same without these events.
    #[must_use]
    pub fn keeping(&self, keep: impl Fn(usize, &Event) -> bool) -> Self {
        let kept = self.events.iter().enumerate();
        Self {
            profile: self.profile.clone(),
            events: kept
                .filter(|(place, event)| keep(*place, event))
                .map(|(_, event)| event.clone())
                .collect(),
        }
    }
}

impl Event {
    /// Whether the world has all that it names.
    #[must_use]
    pub fn is_within(&self, profile: &Profile) -> bool {
        let vm =
            |gateway: usize, worker: usize| gateway < profile.gateways && worker < profile.vms();
        match &self.what {
            What::Operation(it) => {
                it.account.tenant < profile.tenants
                    && it.gateway < profile.gateways
                    && it.worker < profile.workers
            }
            What::Fault(fault) => match *fault {
                Fault::Call {
                    gateway, worker, ..
                }
                | Fault::VmLost { gateway, worker }
                | Fault::VmTrap {
                    gateway, worker, ..
                }
                | Fault::Drain { gateway, worker } => vm(gateway, worker),
                Fault::WatchBreak { gateway, .. }
                | Fault::WatchStall { gateway, .. }
                | Fault::WatchLag { gateway, .. }
                | Fault::Partition { gateway, .. }
                | Fault::GatewayRestart { gateway }
                | Fault::ClockStep { gateway, .. } => gateway < profile.gateways,
                Fault::ClientLeaves { .. }
                | Fault::EngineRestart { .. }
                | Fault::LeaderLoss { .. }
                | Fault::SlowDisk { .. }
                | Fault::StaleRead { .. }
                | Fault::Compaction { .. } => true,
            },
        }
    }
}
