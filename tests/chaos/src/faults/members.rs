//! What is done to members of etcd.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{Outcome, Scene};
use crate::MEMBERS;
use crate::board::Count;
use crate::stage::{ON_SMALL_DISK, member_name, pause};

/// How long a slowed member stands still, and how long it goes on.
const STILL: Duration = Duration::from_millis(200);
const GOING: Duration = Duration::from_millis(50);
/// Without a quorum for so long at least: twice the time after which a gateway gives a write up.
const NO_QUORUM: Duration = Duration::from_secs(4);
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

    pub(super) fn fill_disk(&mut self) -> anyhow::Result<Outcome> {
        let disk = match &self.stage.disk {
            Ok(disk) => disk,
            Err(reason) => return Ok(Outcome::NotPossible(format!("mount a tmpfs: {reason}"))),
        };
        let filled = disk.fill().context("fill the small disk")?;
        let begun = Instant::now();
        let mut ended_after = None;
        while begun.elapsed() < FULL_BOUND && ended_after.is_none() {
            let member = self.stage.member(ON_SMALL_DISK)?.process();
            ended_after = member.exit_status().map(|_| begun.elapsed());
            pause(LOOK)?;
        }
        if ended_after.is_some() {
            // The others go on without it for a while.
            pause(self.hold)?;
        }
        if let Ok(disk) = &self.stage.disk {
            disk.empty().context("empty the small disk")?;
        }
        let name = member_name(ON_SMALL_DISK);
        let filled = format!("{} MiB filled", filled / 1024 / 1024);
        let member = self.stage.member(ON_SMALL_DISK)?;
        // At the last moment, too.
        let after = ended_after.or_else(|| member.process().exit_status().map(|_| FULL_BOUND));
        let Some(after) = after else {
            let words = format!("{name}: {filled}, went on for {FULL_BOUND:?}");
            return Ok(Outcome::Done(words));
        };
        member
            .restart()
            .context("start a member whose disk was full")?;
        let after = after.as_secs_f64();
        let words = format!("{name}: {filled}, ended by itself after {after:.1} s");
        Ok(Outcome::Done(words))
    }

    pub(super) fn lose_quorum(&mut self) -> anyhow::Result<Outcome> {
        let left = self.chance.index(MEMBERS);
        let two = [1, 2].map(|step| (left + step) % MEMBERS);
        for member in two {
            self.stage.member(member)?.process().kill();
        }
        let board = &self.world.board;
        let before = board.counts().of(Count::Unavailable);
        board.quorum_changes();
        let paused = pause(self.hold.max(NO_QUORUM));
        let unavailable = board.counts().of(Count::Unavailable) - before;
        board.quorum_changes();
        paused?;
        if unavailable == 0 {
            board.find("no request was answered 503 while two members were gone".to_owned());
        }
        // Both, before either is waited for: one alone has no quorum.
        for member in two {
            self.stage.member(member)?.process().restart()?;
        }
        for member in two {
            self.stage.member(member)?.wait_ready()?;
        }
        let names = two.map(member_name).join(" and ");
        Ok(Outcome::Done(names))
    }
}
