//! What is done to the servers while clients watch: one fault at a time, so that most members are there, each followed by
//! a while in which everything finds together again.
//!
//! Each member in turn is killed, and each is frozen: one of them leads, one of them serves the watch of the gateway that is
//! read, and nobody outside has to know which. The holder of a gateway's watch cannot be ended alone, for it is a VM inside
//! Envoy: the whole gateway is killed instead.

use std::time::Duration;

use anyhow::ensure;
use testbed::{Gateway, Members};

use crate::progress;

/// How long a member is gone or frozen: longer than an election takes.
const GONE: Duration = Duration::from_secs(3);
/// After a fault, before the next.
const RECOVERY: Duration = Duration::from_secs(3);

/// Does all of it once, and tells what was done.
pub(super) fn inject(
    members: &mut Members,
    read_from: &mut Gateway,
) -> anyhow::Result<Vec<String>> {
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
    Ok(vec![format!(
        "Faults, one after the other: each member killed (-9) and started again after {GONE:?}; each member frozen for {GONE:?}; \
         the gateway that is read killed and started again."
    )])
}

fn pause(how_long: Duration) -> anyhow::Result<()> {
    std::thread::sleep(how_long);
    ensure!(!testbed::interrupted(), "interrupted");
    Ok(())
}
