//! What is done to the processes: which kinds there are, in which order they come, and what each of them meant to clients.
//!
//! One fault at a time, and never more than one member of three, but for one kind that says so. After each, everything must
//! work again before the next. The order follows from the seed; when something happens, and to whom, also from who leads.

mod cuts;
mod gateways;
mod members;

use std::time::{Duration, Instant};

use testbed::Chance;

use crate::board::{Count, Gaps};
use crate::live::Live;
use crate::stage::{Stage, pause};
use crate::world::World;

/// Between two faults everything works for so long.
const CALM: Duration = Duration::from_millis(1500);
/// Between two looks at whether something has come to pass.
const LOOK: Duration = Duration::from_millis(20);
/// The plan's part of the run's chance.
const PART: u64 = 0;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillLeader,
    KillFollower,
    FreezeLeader,
    FreezeFollower,
    SlowMember,
    FullDisk,
    NoQuorum,
    KillGateway,
    FreezeGateway,
    DrainGateway,
    IsolateLeader,
    IsolateFollower,
    CutGatewayOff,
    CutLeaderFromGateways,
}

impl Fault {
    pub(crate) const ALL: [Self; 14] = [
        Self::KillLeader,
        Self::KillFollower,
        Self::FreezeLeader,
        Self::FreezeFollower,
        Self::SlowMember,
        Self::FullDisk,
        Self::NoQuorum,
        Self::KillGateway,
        Self::FreezeGateway,
        Self::DrainGateway,
        Self::IsolateLeader,
        Self::IsolateFollower,
        Self::CutGatewayOff,
        Self::CutLeaderFromGateways,
    ];

    /// All of them once, in an order of chance.
    fn round(chance: &mut Chance) -> [Self; Self::ALL.len()] {
        let mut round = Self::ALL;
        chance.shuffle(&mut round);
        round
    }

    /// For the table.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::KillLeader => "kill -9 of the leader",
            Self::KillFollower => "kill -9 of a follower",
            Self::FreezeLeader => "the leader frozen",
            Self::FreezeFollower => "a follower frozen",
            Self::SlowMember => "a member slowed down to a fifth",
            Self::FullDisk => "a member's disk full",
            Self::NoQuorum => "no quorum: kill -9 of two members",
            Self::KillGateway => "kill -9 of an Envoy",
            Self::FreezeGateway => "an Envoy frozen",
            Self::DrainGateway => "an Envoy drained, then stopped",
            Self::IsolateLeader => "the leader cut off from all",
            Self::IsolateFollower => "a follower cut off from all",
            Self::CutGatewayOff => "an Envoy cut off from all members",
            Self::CutLeaderFromGateways => "the leader cut off from the Envoys",
        }
    }
}

/// Whether it could be done, and a word on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// To whom, and what came of it.
    Done(String),
    /// This machine does not allow it, and why.
    NotPossible(String),
}

/// One fault that was injected.
#[derive(Clone, Debug)]
pub(crate) struct Injected {
    pub(crate) fault: Fault,
    pub(crate) outcome: Outcome,
    /// Since the beginning.
    pub(crate) begun: Duration,
    /// Until everything worked again.
    pub(crate) lasted: Duration,
    pub(crate) gaps: Gaps,
    pub(crate) unavailable: u64,
    pub(crate) unanswered: u64,
}

/// Where faults happen.
pub(crate) struct Scene<'a> {
    pub(crate) stage: &'a mut Stage,
    pub(crate) world: &'a World,
    pub(crate) live: &'a Live,
    /// How long a fault is held.
    pub(crate) hold: Duration,
    pub(crate) chance: Chance,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        stage: &'a mut Stage,
        world: &'a World,
        live: &'a Live,
        seed: u64,
        hold: Duration,
    ) -> Self {
        Self {
            stage,
            world,
            live,
            hold,
            chance: Chance::new(seed, PART),
        }
    }

    /// Injects faults of all kinds in turn, each round in another order, until `end`, and for `rounds` whole rounds at
    /// least; `done` is told each of them, also the one after which something did not work again.
    ///
    /// # Errors
    /// When something does not work again, cannot be done that should, or this process is to end.
    pub(crate) fn play(
        &mut self,
        end: Instant,
        rounds: usize,
        done: &mut Vec<Injected>,
    ) -> anyhow::Result<()> {
        pause(CALM)?;
        for number in 0.. {
            for fault in Fault::round(&mut self.chance) {
                if number >= rounds && Instant::now() >= end {
                    return Ok(());
                }
                self.inject(fault, done)?;
                self.live.doing("everything works");
                pause(CALM)?;
            }
        }
        Ok(())
    }

    fn inject(&mut self, fault: Fault, done: &mut Vec<Injected>) -> anyhow::Result<()> {
        let board = &self.world.board;
        let (begun, before) = (board.now(), board.counts());
        board.measure_gaps();
        self.live.doing(fault.words());
        let outcome = self.outcome(fault);
        let whole = match outcome {
            Ok(_) => self.stage.wait_until_whole(self.world),
            Err(_) => Ok(()),
        };
        let (after, now) = (board.counts(), board.now());
        let grown = |count| after.of(count) - before.of(count);
        done.push(Injected {
            fault,
            outcome: match &outcome {
                Ok(outcome) => outcome.clone(),
                Err(error) => Outcome::Done(format!("{error:#}")),
            },
            begun,
            lasted: now - begun,
            gaps: board.gaps(),
            unavailable: grown(Count::Unavailable),
            unanswered: grown(Count::Cut) + grown(Count::Silent),
        });
        outcome.and(whole)
    }

    fn outcome(&mut self, fault: Fault) -> anyhow::Result<Outcome> {
        match fault {
            Fault::KillLeader | Fault::KillFollower => {
                let member = self.member(fault == Fault::KillLeader)?;
                self.kill_member(member)
            }
            Fault::FreezeLeader | Fault::FreezeFollower => {
                let member = self.member(fault == Fault::FreezeLeader)?;
                self.freeze_member(member)
            }
            Fault::SlowMember => self.slow_member(),
            Fault::FullDisk => self.fill_disk(),
            Fault::NoQuorum => self.lose_quorum(),
            Fault::KillGateway => self.kill_gateway(),
            Fault::FreezeGateway => self.freeze_gateway(),
            Fault::DrainGateway => self.drain_gateway(),
            Fault::IsolateLeader | Fault::IsolateFollower => {
                let member = self.member(fault == Fault::IsolateLeader)?;
                self.isolate_member(member)
            }
            Fault::CutGatewayOff => self.cut_gateway_off(),
            Fault::CutLeaderFromGateways => self.cut_leader_from_gateways(),
        }
    }
}

/// Whether it came to that within the bound.
fn wait_at_most(bound: Duration, condition: impl Fn() -> bool) -> anyhow::Result<bool> {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() >= bound {
            return Ok(false);
        }
        pause(LOOK)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_every_kind_once_whatever_the_seed() {
        let mut orders = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let mut chance = Chance::new(seed, PART);
            for _ in 0..3 {
                let mut round = Fault::round(&mut chance);
                orders.insert(round);
                round.sort_unstable();
                assert_eq!(round, Fault::ALL, "seed {seed}");
            }
        }
        assert_eq!(orders.len(), 300, "the same order twice");
    }
}
