//! What is done to members of etcd.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{Outcome, Scene, wait_at_most};
use crate::MEMBERS;
use crate::board::Count;
use crate::stage::{ON_SMALL_DISK, member_name, pause};

/// How long a slowed member stands still, and how long it goes on.
const STILL: Duration = Duration::from_millis(200);
const GOING: Duration = Duration::from_millis(50);
/// Without a quorum for so long at least: twice the time after which a gateway gives a write up.
const NO_QUORUM: Duration = Duration::from_secs(4);
/// How long it may take until a client is told: each write that a gateway gives up is, and that takes two seconds.
const FELT_BOUND: Duration = Duration::from_secs(20);
/// How long a member may go on with a full disk. It writes into what it laid out ahead, so it may not notice at once.
const FULL_BOUND: Duration = Duration::from_secs(10);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(100);

impl Scene<'_> {
    /// The member that leads, or one that does not.
    pub(super) fn member(&mut self, is_leader: bool) -> anyhow::Result<usize> {
        let leader = self.stage.leader()?;
        if is_leader {
            return Ok(leader);
        }
        let step = 1 + self.chance.index(MEMBERS - 1);
        Ok((leader + step) % MEMBERS)
    }

    pub(super) fn kill_member(&mut self, member: usize) -> anyhow::Result<Outcome> {
        self.stage.member(member)?.process().kill();
        pause(self.hold)?;
        self.stage.member(member)?.restart()?;
        Ok(Outcome::Done(member_name(member)))
    }

    pub(super) fn freeze_member(&mut self, member: usize) -> anyhow::Result<Outcome> {
        self.stage.member(member)?.process().freeze();
        let paused = pause(self.hold);
        self.stage.member(member)?.process().thaw();
        paused.map(|()| Outcome::Done(member_name(member)))
    }

    pub(super) fn slow_member(&mut self) -> anyhow::Result<Outcome> {
        let member = self.chance.index(MEMBERS);
        let end = Instant::now() + self.hold;
        while Instant::now() < end {
            self.stage.member(member)?.process().freeze();
            let paused = pause(STILL);
            self.stage.member(member)?.process().thaw();
            paused?;
            pause(GOING)?;
        }
        Ok(Outcome::Done(member_name(member)))
    }

    /// However it ends, the member has its disk back afterwards and is started again: it may have ended by itself, go on as
    /// if nothing had happened, or stand there and take nothing more.
    pub(super) fn fill_disk(&mut self) -> anyhow::Result<Outcome> {
        let filled = match &self.stage.disk {
            Ok(disk) => disk.fill().context("fill the small disk"),
            Err(reason) => return Ok(Outcome::NotPossible(format!("mount a tmpfs: {reason}"))),
        };
        let watched = filled.and_then(|filled| self.watch_full_disk(filled));
        let emptied = match &self.stage.disk {
            Ok(disk) => disk.empty().context("empty the small disk"),
            Err(_) => Ok(()),
        };
        let restarted = self.stage.member(ON_SMALL_DISK).and_then(|member| {
            let restarted = member.restart();
            restarted.context("start a member whose disk was full")
        });
        let words = watched?;
        emptied?;
        restarted?;
        Ok(Outcome::Done(words))
    }

    /// What becomes of the member while its disk is full, in words.
    fn watch_full_disk(&mut self, filled: u64) -> anyhow::Result<String> {
        let begun = Instant::now();
        let mut ended_after = None;
        while begun.elapsed() < FULL_BOUND && ended_after.is_none() {
            let member = self.stage.member(ON_SMALL_DISK)?.process();
            ended_after = member.exit_status().map(|_| begun.elapsed());
            pause(LOOK)?;
        }
        let came = match ended_after {
            Some(after) => {
                // The others go on without it for a while.
                pause(self.hold)?;
                format!("ended by itself after {:.1} s", after.as_secs_f64())
            }
            None => format!("went on for {FULL_BOUND:?}"),
        };
        let (name, mib) = (member_name(ON_SMALL_DISK), filled / 1024 / 1024);
        Ok(format!("{name}: {mib} MiB filled, {came}"))
    }

    /// In force from the first time on that a client is told so: until then what a gateway has in hand may still succeed.
    pub(super) fn lose_quorum(&mut self) -> anyhow::Result<Outcome> {
        let left = self.chance.index(MEMBERS);
        let two = [1, 2].map(|step| (left + step) % MEMBERS);
        let board = &self.world.board;
        for member in two {
            self.stage.member(member)?.process().kill();
        }
        let before = board.counts().of(Count::Unavailable);
        let is_felt = || board.counts().of(Count::Unavailable) > before;
        let held = wait_at_most(FELT_BOUND, is_felt).and_then(|is_felt| {
            if !is_felt {
                board.find(format!(
                    "no request was answered 503 for {FELT_BOUND:?} while two members were gone"
                ));
            }
            board.quorum_changes();
            let paused = pause(self.hold.max(NO_QUORUM));
            board.quorum_changes();
            paused
        });
        // Both, before either is waited for: one alone has no quorum.
        for member in two {
            self.stage.member(member)?.process().restart()?;
        }
        for member in two {
            self.stage.member(member)?.wait_ready()?;
        }
        held?;
        let names = two.map(member_name).join(" and ");
        Ok(Outcome::Done(names))
    }
}
