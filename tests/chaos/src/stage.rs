//! The processes that things are done to: three members of etcd and two Envoys, each in a place of its own where the
//! machine allows it, and one member on a disk of its own.
//!
//! It starts them, knows who leads and whether everything works; what is done to them is decided elsewhere. Everything
//! ends with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use testbed::{DevKeys, Engine, Gateway, Members, Request};
use tokio::runtime::Handle;

use crate::disk::SmallDisk;
use crate::network::{Links, Network};
use crate::world::World;
use crate::{GATEWAYS, MAX_STALENESS, MEMBERS, STALE_IF_ERROR};

/// Of each gateway.
pub(crate) const WORKERS: u16 = 2;
/// The member with the small disk.
pub(crate) const ON_SMALL_DISK: usize = 2;
/// How long everything may take to work again after a fault.
const RECOVERY_BOUND: Duration = Duration::from_secs(60);
/// One look at a process.
const LOOK_BOUND: Duration = Duration::from_secs(3);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How long a gateway that drains takes no new connections before it has to be gone, in seconds.
const DRAIN_SECONDS: &str = "3";

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Stage {
    // Ended in this order: gateways, members, and then what they stand on.
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) members: Members,
    /// Or why there is none.
    pub(crate) disk: Result<SmallDisk, String>,
    pub(crate) network: Network,
}

impl Stage {
    /// Starts everything, with logs in `dir`.
    ///
    /// # Errors
    /// When anything does not start.
    pub(crate) fn start(
        dir: &Path,
        keys: &DevKeys,
        links: Links,
        runtime: Handle,
    ) -> anyhow::Result<Self> {
        let mut network = Network::new(links, (MEMBERS + GATEWAYS) as u8, runtime);
        let disk = SmallDisk::mount(dir.join("small-disk"));
        let mut members = Members::builder().arguments(etcd_arguments());
        for member in 0..MEMBERS {
            let work = dir.join(member_name(member));
            let data = match &disk {
                Ok(disk) if member == ON_SMALL_DISK => disk.data(),
                _ => work.join("data"),
            };
            let place = network.place(member as u8);
            members = members.member(place, Some(work), Some(data));
        }
        let members = members.start().context("start three members of etcd")?;
        let addresses = members.addresses();
        let first = *addresses.first().context("an etcd without members")?;
        let mut gateways = Vec::new();
        for gateway in 0..GATEWAYS {
            let process = gateway_process(gateway);
            let built = Gateway::envoy(first, plugin(keys)?)
                .engine_members(network.ways(process, &addresses)?)
                .workers(WORKERS)
                .place(network.place(process))
                .arguments([
                    "--drain-time-s",
                    DRAIN_SECONDS,
                    "--drain-strategy",
                    "immediate",
                ])
                .work_dir(dir.join(crate::gateway_name(gateway)));
            gateways.push(built.start().context("start an Envoy")?);
        }
        Ok(Self {
            gateways,
            members,
            disk,
            network,
        })
    }

    /// Where the gateways listen.
    pub(crate) fn addresses(&self) -> anyhow::Result<[SocketAddr; GATEWAYS]> {
        let addresses: Vec<_> = self.gateways.iter().map(Gateway::address).collect();
        let count = addresses.len();
        let addresses = addresses.try_into().ok();
        addresses.with_context(|| format!("{count} gateways"))
    }

    /// One of the members.
    pub(crate) fn member(&mut self, member: usize) -> anyhow::Result<&mut Engine> {
        self.members.get_mut(member).context("no such member")
    }

    /// One of the gateways.
    pub(crate) fn gateway(&mut self, gateway: usize) -> anyhow::Result<&mut Gateway> {
        self.gateways.get_mut(gateway).context("no such gateway")
    }

    /// The member that leads. All are asked until one says so of itself: an election may be on.
    pub(crate) fn leader(&self) -> anyhow::Result<usize> {
        let begun = Instant::now();
        let addresses = self.members.addresses();
        loop {
            let leader = addresses.iter().position(|member| leads(*member));
            if let Some(leader) = leader {
                return Ok(leader);
            }
            ensure!(
                begun.elapsed() < RECOVERY_BOUND,
                "no member says that it leads"
            );
            pause(LOOK_PAUSE)?;
        }
    }

    /// Waits until every member is healthy and every gateway answers a strict read of every tenant.
    ///
    /// # Errors
    /// When that takes longer than a minute, a process has ended, or this one is to end.
    pub(crate) fn wait_until_whole(&mut self, world: &World) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let Some(missing) = self.what_is_missing(world)? else {
                return Ok(());
            };
            ensure!(
                begun.elapsed() < RECOVERY_BOUND,
                "not whole again after {RECOVERY_BOUND:?}: {missing}"
            );
            pause(LOOK_PAUSE)?;
        }
    }

    fn what_is_missing(&mut self, world: &World) -> anyhow::Result<Option<String>> {
        for (number, member) in self.members.iter_mut().enumerate() {
            if let Some(status) = member.process().exit_status() {
                let tail = member.process().log_tail();
                bail!("{} has ended ({status})\n{tail}", member_name(number));
            }
            let health = look(member.address(), Request::new("GET", "/health"));
            if health != Some(200) {
                return Ok(Some(format!("{} is not healthy", member_name(number))));
            }
        }
        for (number, gateway) in self.gateways.iter_mut().enumerate() {
            let name = crate::gateway_name(number);
            if let Some(status) = gateway.process().exit_status() {
                let tail = gateway.process().log_tail();
                bail!("{name} has ended ({status})\n{tail}");
            }
            for tenant in 0..world.tenants() {
                let read = Request::new("GET", "/reward-points/customer/nobody")
                    .header("authorization", world.authorization(tenant))
                    .header("cache-control", "no-cache");
                let status = look(gateway.address(), read);
                if status != Some(404) {
                    return Ok(Some(format!("{name} answers a strict read {status:?}")));
                }
            }
        }
        Ok(None)
    }

    /// Fails the run when a VM had to be replaced since that gateway was started.
    pub(crate) fn check_vms(&self, gateway: usize, world: &World) -> anyhow::Result<()> {
        let running = self.gateways.get(gateway).context("no such gateway")?;
        let reloads = running.stats()?.vm_reloads();
        if reloads > 0 {
            let name = crate::gateway_name(gateway);
            world
                .board
                .find(format!("{name}: a VM trapped, {reloads} replaced"));
        }
        Ok(())
    }

    /// The logs of all processes.
    pub(crate) fn logs(&mut self) -> Vec<PathBuf> {
        let members = self.members.iter_mut().map(Engine::process);
        let gateways = self.gateways.iter_mut().map(Gateway::process);
        let all = members.chain(gateways);
        all.map(|process| process.log_path().to_path_buf())
            .collect()
    }
}

/// The number by which the network knows a gateway; members come first.
pub(crate) fn gateway_process(gateway: usize) -> u8 {
    (MEMBERS + gateway) as u8
}

/// What a member is called.
pub(crate) fn member_name(member: usize) -> String {
    format!("member-{}", member + 1)
}

/// Sleeps, and ends early with an error when this process is to end.
pub(crate) fn pause(length: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + length;
    loop {
        ensure!(!testbed::interrupted(), "interrupted");
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK_PAUSE));
    }
}

fn leads(member: SocketAddr) -> bool {
    let status = Request::new("POST", "/v3/maintenance/status")
        .json("{}")
        .io_bound(LOOK_BOUND);
    let Ok(answer) = status.send(member) else {
        return false;
    };
    let status: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let (leader, own) = (&status["leader"], &status["header"]["member_id"]);
    leader.is_string() && leader == own
}

fn look(at: SocketAddr, request: Request) -> Option<u16> {
    let answer = request.io_bound(LOOK_BOUND).send(at).ok()?;
    Some(answer.status)
}

/// A short log and few old revisions, so that a member that was away is brought up to date by a snapshot, and a small disk
/// lasts.
fn etcd_arguments() -> [&'static str; 8] {
    [
        "--snapshot-count",
        "2000",
        "--max-wals",
        "2",
        "--max-snapshots",
        "2",
        "--auto-compaction-retention",
        "1m",
    ]
}

fn plugin(keys: &DevKeys) -> anyhow::Result<Value> {
    let mut plugin = testbed::dev_plugin(keys)?;
    plugin["reads"] = json!({
        "max_staleness_ms": MAX_STALENESS.as_millis() as u64,
        "stale_if_error_ms": STALE_IF_ERROR.as_millis() as u64,
    });
    plugin["decision_log"] = json!({ "lines": "none" });
    Ok(plugin)
}
