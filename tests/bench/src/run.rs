//! One run of one row: a load on a server, with or without a flood beside it, and the CPU time that it took.

use std::net::SocketAddr;

use anyhow::ensure;

use crate::load::{Closed, ClosedCount, Compares, Flood};
use crate::measure::{Row, Sample, Schedule, cpu_time};
use crate::subject::Subject;

/// How long a subject is loaded before anything counts: it has its connections, caches and pages then.
const WARM_UP_SECONDS: u16 = 1;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub enum Load<'a> {
    /// HTTP, to a gateway.
    Http(&'a Closed),
    /// Compare-and-puts, to an engine.
    Compares(&'a Compares),
}

impl Load<'_> {
    fn run(self, server: SocketAddr, seconds: u16) -> anyhow::Result<ClosedCount> {
        match self {
            Self::Http(load) => load.run(server, seconds),
            Self::Compares(load) => load.run(server, seconds),
        }
    }
}

/// What a row does.
#[derive(Debug)]
pub struct Run<'a> {
    /// Whom it is sent to.
    pub server: SocketAddr,
    /// What that is called.
    pub name: &'a str,
    /// The processes whose CPU time counts.
    pub processes: Vec<u32>,
    /// With what.
    pub load: Load<'a>,
    /// What comes at the same time.
    pub flood: Option<Flood>,
    /// The only statuses that the flood may be answered with.
    pub flood_statuses: &'static [u16],
}

impl<'a> Run<'a> {
    /// That load on that subject, and nothing else.
    #[must_use]
    pub fn new(subject: &'a Subject, load: &'a Closed) -> Self {
        Self {
            server: subject.address(),
            name: subject.name(),
            processes: subject.processes(),
            load: Load::Http(load),
            flood: None,
            flood_statuses: &[],
        }
    }

    /// Loads the subject for `seconds` and measures.
    ///
    /// # Errors
    /// When a client fails, or the flood is answered otherwise than it may be.
    pub fn measure(&self, seconds: u16) -> anyhow::Result<Sample> {
        let flood = self.flood.clone().map(|flood| flood.start(self.server));
        let flood = flood.transpose()?;
        let before = cpu_time(&self.processes)?;
        let load = self.load.run(self.server, seconds)?;
        let cpu = cpu_time(&self.processes)?.saturating_sub(before);
        let flood = flood.map(crate::load::flood::Running::stop).transpose()?;
        let statuses = flood.iter().flat_map(|flood| flood.statuses.keys());
        for status in statuses {
            ensure!(
                self.flood_statuses.contains(status),
                "`{}` has answered {status} to the flood, which may be {:?} only",
                self.name,
                self.flood_statuses
            );
        }
        Ok(Sample { load, cpu, flood })
    }

    /// Loads the subject for a moment, without a flood and without a figure.
    ///
    /// # Errors
    /// When the client fails.
    pub fn warm_up(&self) -> anyhow::Result<()> {
        self.load.run(self.server, WARM_UP_SECONDS).map(drop)
    }
}

/// Loads each row for a moment, then measures all of them in turn.
///
/// # Errors
/// As [`Run::measure`].
pub fn interleaved(
    schedule: &mut Schedule,
    rows: &[(String, Run<'_>)],
) -> anyhow::Result<Vec<Row>> {
    for (_, run) in rows.iter().filter(|(_, run)| run.flood.is_none()) {
        run.warm_up()?;
    }
    let seconds = schedule.seconds();
    schedule.interleave(rows, |run| run.measure(seconds))
}
