//! A run on paper: lines of JSON that a person can read and that can be run again.
//!
//! The first line says what holds all the while, the next ones hold the plan, the last ones what happened. To run it again
//! only the first two kinds are read: what happened follows from them.

use serde::{Deserialize, Serialize};

use crate::checks::{Check, Violation};
use crate::named::Set;
use crate::plan::{Event, Plan, Profile};
use crate::world::Run;

/// The format of the lines; another one is refused.
const FORMAT: u32 = 2;

/// What stands in the first line of every format.
#[derive(Debug, Deserialize)]
struct AnyHead {
    fleet: u32,
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    fleet: u32,
    profile: Profile,
    /// The checks that were on.
    checks: Vec<Check>,
    violation: Option<Violation>,
}

/// A line of the plan.
#[derive(Debug, Serialize, Deserialize)]
struct Planned {
    plan: Event,
}

/// What a record says.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// The plan.
    pub plan: Plan,
    /// The checks that were on.
    pub checks: Set<Check>,
    /// What did not hold.
    pub violation: Option<Violation>,
}

/// Why something is no record.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// A line cannot be read.
    #[error("line {line}: {source}")]
    Line {
        /// Which, from 1 on.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// There is nothing in it.
    #[error("there is no first line")]
    Empty,
    /// Another version of this program wrote it.
    #[error("it is of format {0}, and this program reads {FORMAT}")]
    Format(u32),
    /// An event names a gateway, worker or tenant that this world does not have.
    #[error("line {0} names a gateway, a worker or a tenant that is not there")]
    Nowhere(usize),
}

impl Record {
    /// The lines of a plan and of what came of it.
    ///
    /// # Errors
    /// What serialising says, which numbers and names do not lead to.
    pub fn write(plan: &Plan, checks: &Set<Check>, run: &Run) -> Result<String, serde_json::Error> {
        let head = Head {
            fleet: FORMAT,
            profile: plan.profile.clone(),
            checks: checks.iter().collect(),
            violation: run.violation.clone(),
        };
        let mut out = serde_json::to_string(&head)? + "\n";
        for event in &plan.events {
            let line = Planned {
                plan: event.clone(),
            };
            out += &serde_json::to_string(&line)?;
            out.push('\n');
        }
        for line in run.trace.lines() {
            out += line;
            out.push('\n');
        }
        Ok(out)
    }

    /// Reads it again.
    ///
    /// # Errors
    /// [`BadRecord`]
    pub fn read(text: &str) -> Result<Self, BadRecord> {
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().ok_or(BadRecord::Empty)?;
        let bad = |line: usize| {
            move |source| BadRecord::Line {
                line: line + 1,
                source,
            }
        };
        let AnyHead { fleet } = serde_json::from_str(first).map_err(bad(0))?;
        if fleet != FORMAT {
            return Err(BadRecord::Format(fleet));
        }
        let head: Head = serde_json::from_str(first).map_err(bad(0))?;
        let mut events = Vec::new();
        for (number, line) in lines {
            if !line.starts_with("{\"plan\"") {
                break;
            }
            let Planned { plan } = serde_json::from_str(line).map_err(bad(number))?;
            if !plan.is_within(&head.profile) {
                return Err(BadRecord::Nowhere(number + 1));
            }
            events.push(plan);
        }
        Ok(Self {
            plan: Plan {
                profile: head.profile,
                events,
            },
            checks: Set::of(&head.checks),
            violation: head.violation,
        })
    }
}
