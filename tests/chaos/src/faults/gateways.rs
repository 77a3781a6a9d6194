//! What is done to Envoys. They come back on the same ports.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::ensure;
use testbed::Request;

use super::{Outcome, Scene, wait_at_most};
use crate::stage::pause;
use crate::{GATEWAYS, gateway_name};

/// How long a killed or stopped gateway stays away.
const AWAY: Duration = Duration::from_secs(1);
/// How long a gateway that drains may take connections and answer requests.
const DRAIN_BOUND: Duration = Duration::from_secs(20);
/// One of so many clients waits for an answer of a gateway when that is told to drain; the engine hesitates until then, and
/// at most for so long, half of what a gateway waits for it.
const PILE_SHARE: usize = 8;
const PILE_BOUND: Duration = Duration::from_secs(1);
/// One attempt to connect.
const CONNECT_BOUND: Duration = Duration::from_secs(1);

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
    /// nothing is on the way. Told in a moment when the engine hesitates, for otherwise little would be on the way.
    pub(super) fn drain_gateway(&mut self) -> anyhow::Result<Outcome> {
        let gateway = self.chance.index(GATEWAYS);
        let board = &self.world.board;
        self.stage.check_vms(gateway, self.world)?;
        let address = self.stage.gateway(gateway)?.address();
        let leader = self.member(true)?;
        self.stage.member(leader)?.process().freeze();
        let many = self.world.clients().div_ceil(PILE_SHARE) as u64;
        let piled = wait_at_most(PILE_BOUND, || board.on_the_way(gateway) >= many);
        board.drain_changes(gateway);
        let on_the_way = board.on_the_way(gateway);
        let drain = Request::new("POST", "/drain_listeners?graceful");
        let told = self.stage.gateway(gateway)?.admin(&drain);
        self.stage.member(leader)?.process().thaw();
        let drained = piled.and_then(|_| {
            let status = told?.status;
            ensure!(status == 200, "a gateway answers {status} to a drain");
            let is_closed = || TcpStream::connect_timeout(&address, CONNECT_BOUND).is_err();
            let is_done = wait_at_most(DRAIN_BOUND, is_closed)?
                && wait_at_most(DRAIN_BOUND, || board.on_the_way(gateway) == 0)?;
            ensure!(is_done, "a gateway has not drained after {DRAIN_BOUND:?}");
            Ok(())
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
