//! One run of one row: a load on a subject, with or without a flood beside it, and the CPU time that it took.

use anyhow::ensure;

use crate::load::{Closed, Flood};
use crate::measure::{Sample, cpu_time};
use crate::subject::Subject;

/// How long a subject is loaded before anything counts: it has its connections, caches and pages then.
const WARM_UP_SECONDS: u16 = 1;

/// What a row does.
#[derive(Debug)]
pub struct Run<'a> {
    /// What is measured.
    pub subject: &'a Subject,
    /// With what.
    pub load: &'a Closed,
    /// What comes at the same time.
    pub flood: Option<Flood>,
    /// The only statuses that the flood may be answered with.
    pub flood_statuses: &'static [u16],
}

impl Run<'_> {
    /// Loads the subject for `seconds` and measures.
    ///
    /// # Errors
    /// When a client fails, or the flood is answered otherwise than it may be.
    pub fn measure(&self, seconds: u16) -> anyhow::Result<Sample> {
        let server = self.subject.address();
        let processes = self.subject.processes();
        let flood = self.flood.clone().map(|flood| flood.start(server));
        let flood = flood.transpose()?;
        let before = cpu_time(&processes)?;
        let load = self.load.run(server, seconds)?;
        let cpu = cpu_time(&processes)?.saturating_sub(before);
        let flood = flood.map(crate::load::flood::Running::stop).transpose()?;
        let statuses = flood.iter().flat_map(|flood| flood.statuses.keys());
        for status in statuses {
            ensure!(
                self.flood_statuses.contains(status),
                "`{}` has answered {status} to the flood, which may be {:?} only",
                self.subject.name(),
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
        self.load
            .run(self.subject.address(), WARM_UP_SECONDS)
            .map(drop)
    }
}
