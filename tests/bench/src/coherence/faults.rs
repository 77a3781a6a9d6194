//! What is done to the servers while clients watch: one fault at a time, so that most members are there, each followed by
//! a while in which everything finds together again.
//!
//! Each member in turn is killed, and each is frozen: one of them leads, one of them serves the watch of the gateway that is
//! read, and nobody outside has to know which. The holder of a gateway's watch cannot be ended alone, for it is a VM inside
//! Envoy: the whole gateway is killed instead.
//!
//! A frozen member of several holds up the writes through it as well, and what is not written cannot be missed. So a follower
//! is frozen once more while one gateway reads through it alone, and the other writes through the rest.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use testbed::{Gateway, Members, Request};

use crate::progress;

/// How long a member is gone or frozen: longer than an election takes.
const GONE: Duration = Duration::from_secs(3);
/// How often the member that is read is frozen.
const STALLS: usize = 3;
/// After a fault, before the next.
const RECOVERY: Duration = Duration::from_secs(3);

/// Does all of it once, and tells what was done.
pub(super) fn each_in_turn(
    members: &mut Members,
    read_from: &mut Gateway,
) -> anyhow::Result<String> {
    pause(RECOVERY)?;
    for (number, member) in (1..).zip(members.iter_mut()) {
        progress(&format!("killing member {number}"));
        member.process().kill();
        pause(GONE)?;
        member.restart()?;
        pause(RECOVERY)?;
    }
    for (number, member) in (1..).zip(members.iter_mut()) {
        progress(&format!("freezing member {number}"));
        member.process().freeze();
        let paused = pause(GONE);
        member.process().thaw();
        paused?;
        pause(RECOVERY)?;
    }
    progress("killing the gateway that is read");
    read_from.process().kill();
    read_from.restart()?;
    pause(RECOVERY)?;
    Ok(format!(
        "Faults, one after the other: each member killed (-9) and started again after {GONE:?}; each member frozen for {GONE:?}; \
         the gateway that is read killed and started again."
    ))
}

/// A member that does not lead, and the others.
pub(super) fn follower(members: &[SocketAddr]) -> anyhow::Result<(SocketAddr, Vec<SocketAddr>)> {
    let mut follower = None;
    for member in members {
        let status = Request::new("POST", "/v3/maintenance/status").json("{}");
        let answer = status.send(*member)?;
        let status: Value = serde_json::from_slice(&answer.body).context("a member's status")?;
        let (leader, own) = (&status["leader"], &status["header"]["member_id"]);
        ensure!(
            leader.is_string() && own.is_string(),
            "a member's status is {status}"
        );
        if leader != own {
            follower = Some(*member);
        }
    }
    let follower = follower.context("every member leads")?;
    let others = members.iter().copied().filter(|one| *one != follower);
    Ok((follower, others.collect()))
}

/// Freezes that member a few times, and tells so.
pub(super) fn stall(members: &mut Members, address: SocketAddr) -> anyhow::Result<String> {
    let mut members = members.iter_mut();
    let member = members.find(|member| member.address() == address);
    let member = member.context("no such member")?;
    pause(RECOVERY)?;
    for _ in 0..STALLS {
        progress("freezing the member that is read");
        member.process().freeze();
        let paused = pause(GONE);
        member.process().thaw();
        paused?;
        pause(RECOVERY)?;
    }
    Ok(format!(
        "At last a follower, before which the gateway that is read stands alone, was frozen {STALLS} times for {GONE:?}; the other \
         gateway wrote through the other members."
    ))
}

fn pause(how_long: Duration) -> anyhow::Result<()> {
    std::thread::sleep(how_long);
    ensure!(!testbed::interrupted(), "interrupted");
    Ok(())
}
