//! What is done to Envoys. They come back on the same ports.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::ensure;
use testbed::Request;

use super::{Outcome, Scene};
use crate::stage::pause;
use crate::{GATEWAYS, gateway_name};

/// How long a killed or stopped gateway stays away.
const AWAY: Duration = Duration::from_secs(1);
/// How long a gateway that drains may take connections and answer requests.
const DRAIN_BOUND: Duration = Duration::from_secs(20);
/// One attempt to connect.
const CONNECT_BOUND: Duration = Duration::from_secs(1);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

impl Scene<'_> {
    pub(super) fn kill_gateway(&mut self) -> anyhow::Result<Outcome> {
        let gateway = self.chance.index(GATEWAYS);
        self.stage.check_vms(gateway, self.world)?;
        self.stage.gateway(gateway)?.process().kill();
        pause(AWAY)?;
        self.stage.gateway(gateway)?.restart()?;
        Ok(Outcome::Done(gateway_name(gateway).to_owned()))
    }

    pub(super) fn freeze_gateway(&mut self) -> anyhow::Result<Outcome> {
        let gateway = self.chance.index(GATEWAYS);
        self.stage.gateway(gateway)?.process().freeze();
        let paused = pause(self.hold);
        self.stage.gateway(gateway)?.process().thaw();
        paused.map(|()| Outcome::Done(gateway_name(gateway).to_owned()))
    }

    /// As an operator does it: told to drain, it answers what it has, takes nothing more after a while, and is stopped when
    /// nothing is on the way.
    pub(super) fn drain_gateway(&mut self) -> anyhow::Result<Outcome> {
        let gateway = self.chance.index(GATEWAYS);
        let board = &self.world.board;
        self.stage.check_vms(gateway, self.world)?;
        let running = self.stage.gateway(gateway)?;
        let address = running.address();
        // With requests on the way, most of them writes.
        let waited = wait(|| board.on_the_way(gateway) > 0);
        board.drain_changes(gateway);
        let on_the_way = board.on_the_way(gateway);
        let told = running.admin(&Request::new("POST", "/drain_listeners?graceful"));
        let drained = waited.and_then(|()| {
            let status = told?.status;
            ensure!(status == 200, "a gateway answers {status} to a drain");
            wait(|| TcpStream::connect_timeout(&address, CONNECT_BOUND).is_err())?;
            wait(|| board.on_the_way(gateway) == 0)
        });
        board.drain_changes(gateway);
        drained?;
        let running = self.stage.gateway(gateway)?;
        running.process().stop();
        pause(AWAY)?;
        self.stage.gateway(gateway)?.restart()?;
        let name = gateway_name(gateway);
        Ok(Outcome::Done(format!(
            "{name}: {on_the_way} requests on the way"
        )))
    }
}

fn wait(condition: impl Fn() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !condition() {
        ensure!(
            begun.elapsed() < DRAIN_BOUND,
            "a gateway has not drained after {DRAIN_BOUND:?}"
        );
        pause(LOOK)?;
    }
    Ok(())
}
