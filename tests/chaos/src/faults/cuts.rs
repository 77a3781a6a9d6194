//! What is done to the network between the processes.

use super::{Outcome, Scene};
use crate::network::Failure;
use crate::stage::{gateway_process, member_name, pause};
use crate::{GATEWAYS, MEMBERS, gateway_name};

impl Scene<'_> {
    pub(super) fn isolate_member(&mut self, member: usize) -> anyhow::Result<Outcome> {
        let process = member as u8;
        if let Err(failure) = self.stage.network.isolate(process) {
            return impossible(failure);
        }
        let paused = pause(self.hold);
        if let Err(failure) = self.stage.network.join(process) {
            return impossible(failure);
        }
        paused.map(|()| Outcome::Done(member_name(member)))
    }

    pub(super) fn cut_gateway_off(&mut self) -> anyhow::Result<Outcome> {
        let gateway = self.chance.index(GATEWAYS);
        let pairs = (0..MEMBERS as u8).map(|member| (gateway_process(gateway), member));
        self.cut(pairs.collect(), gateway_name(gateway).to_owned())
    }

    /// The members see each other, so it goes on leading.
    pub(super) fn cut_leader_from_gateways(&mut self) -> anyhow::Result<Outcome> {
        let leader = self.member(true)?;
        let pairs = (0..GATEWAYS).map(|gateway| (gateway_process(gateway), leader as u8));
        self.cut(pairs.collect(), member_name(leader))
    }

    fn cut(&mut self, pairs: Vec<(u8, u8)>, whom: String) -> anyhow::Result<Outcome> {
        for (gateway, member) in &pairs {
            if let Err(failure) = self.stage.network.cut(*gateway, *member) {
                return impossible(failure);
            }
        }
        let paused = pause(self.hold);
        for (gateway, member) in &pairs {
            if let Err(failure) = self.stage.network.mend(*gateway, *member) {
                return impossible(failure);
            }
        }
        paused.map(|()| Outcome::Done(whom))
    }
}

fn impossible(failure: Failure) -> anyhow::Result<Outcome> {
    match failure {
        Failure::NotPossible(reason) => Ok(Outcome::NotPossible(reason)),
        Failure::Broken(error) => Err(error),
    }
}
