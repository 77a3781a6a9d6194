//! `access`: what it costs to find out who may.
//!
//! Ours against Envoy's own `jwt_authn`, both in front of the same constant answer; and what a flood of bad tokens costs
//! those who hold good ones, against a flood that is refused without a look (a plain 401). The bars were set before the
//! first figure was seen.

use testbed::{Algorithm, DevKeys};

use crate::gates;
use crate::load::{Closed, Flood, PATH, Pace, Requests};
use crate::measure::{Row, Schedule};
use crate::placement::Placement;
use crate::progress;
use crate::report::{Group, Machine, Ratio, Report};
use crate::run::{self, Run};
use crate::subject::{Gate, Setup, Subject};
use crate::tokens::{self, Refused, TENANTS};

/// Connections of the load, and of load and flood when there are both.
const CONNECTIONS: u16 = 32;
const CONNECTIONS_BESIDE_A_FLOOD: u16 = 16;
const FLOOD_CONNECTIONS: u16 = 16;
/// Distinct tokens where a cache is to be used: a handful of clients.
const CACHED_TOKENS: usize = 8;
/// Refused tokens of each kind that are tried before anything is measured.
const PROBES: usize = 8;
/// What a flood may be answered: a refusal, or that there is no time to look at it.
const REFUSALS: &[u16] = &[401, 503];
/// Of what `jwt_authn` does, at least so much is wanted of ours.
const SIGNATURE_BAR: f64 = 0.9;
/// Beside a flood of bad tokens at least as much as beside a flood of plain refusals.
const FLOOD_BAR: f64 = 1.0;

/// How much of it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seconds a run.
    pub seconds: u16,
    /// Runs of each row.
    pub rounds: u16,
    /// Whose signatures are compared.
    pub algorithms: Vec<Algorithm>,
    /// Distinct tokens of each load that no cache may help.
    pub tokens: usize,
    /// How fast each kind of flood comes.
    pub floods: Vec<Pace>,
    /// Whether subjects are loaded for a moment before anything counts.
    pub warm_up: bool,
}

impl Plan {
    /// Everything.
    #[must_use]
    pub fn full(seconds: u16, rounds: u16) -> Self {
        Self {
            seconds,
            rounds,
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            tokens: 2000,
            floods: vec![Pace::PerSecond(5000), Pace::Full],
            warm_up: true,
        }
    }

    /// Every kind of row once, as short as can be: whether it works, not how fast.
    #[must_use]
    pub fn smoke() -> Self {
        Self {
            algorithms: vec![Algorithm::Es256],
            tokens: 64,
            floods: vec![Pace::PerSecond(1000)],
            warm_up: false,
            ..Self::full(1, 1)
        }
    }

    fn rows(&self) -> usize {
        let references = 3;
        2 * self.algorithms.len() + 1 + Refused::ALL.len() * self.floods.len() + references
    }
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, a subject lets through or keeps out what it should not, or a client fails.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = DevKeys::shared()?;
    progress("signing tokens");
    // Before anything is bound to a CPU: this work can use them all.
    let mut signatures = Vec::new();
    for algorithm in &plan.algorithms {
        let tokens = tokens::valid(&keys, *algorithm, plan.tokens, TENANTS)?;
        signatures.push((
            *algorithm,
            Closed::new(CONNECTIONS, Requests::get(PATH, &tokens)?)?,
        ));
    }
    let few = tokens::valid(&keys, Algorithm::Rs256, CACHED_TOKENS, TENANTS)?;
    let placement = Placement::bind_clients();
    let machine = Machine::here(&placement);

    progress("starting the subjects: an Envoy each");
    let mut subjects = Subjects::start(&keys, &placement)?;
    subjects.expect_refusals(&keys, &few)?;
    let mut bench = Bench {
        schedule: Schedule::announced(plan.seconds, plan.rounds, plan.rows()),
        plan,
    };
    let mut groups = Vec::new();
    for (algorithm, load) in &signatures {
        groups.push(bench.signatures(*algorithm, load, &subjects)?);
    }
    groups.push(bench.flood(&keys, &few, &subjects)?);
    groups.push(bench.references(&few, &subjects)?);
    subjects.check()?;
    Ok(Report {
        name: "access",
        machine,
        setting: format!(
            "{} rounds of {} s; one Envoy worker, HTTP/1.1, {CONNECTIONS} connections",
            plan.rounds, plan.seconds
        ),
        groups,
        notes: Vec::new(),
    })
}

/// Everything that is measured, running.
#[derive(Debug)]
struct Subjects {
    open: Subject,
    jwt_authn: Subject,
    jwt_authn_cached: Subject,
    ours: Subject,
    ours_cached: Subject,
}

impl Subjects {
    fn start(keys: &DevKeys, placement: &Placement) -> anyhow::Result<Self> {
        let start = |name, gate: Gate| Subject::start(Setup::new(name, gate), placement);
        Ok(Self {
            open: start("direct_response", Gate::Open)?,
            jwt_authn: start("jwt_authn", gates::jwt_authn(keys, gates::Cache::Off))?,
            jwt_authn_cached: start("jwt_authn cached", gates::jwt_authn(keys, gates::Cache::On))?,
            ours: start("ours", gates::ours(keys, gates::Cache::Off)?)?,
            ours_cached: start("ours cached", gates::ours(keys, gates::Cache::On)?)?,
        })
    }

    /// Before anything is measured: good tokens pass, and each kind of bad one is refused.
    fn expect_refusals(&self, keys: &DevKeys, good: &[String]) -> anyhow::Result<()> {
        for gate in [
            &self.jwt_authn,
            &self.jwt_authn_cached,
            &self.ours,
            &self.ours_cached,
        ] {
            gate.expect(PATH, good, 200)?;
            for refused in Refused::ALL {
                gate.expect(PATH, &tokens::refused(keys, refused, PROBES)?, 401)?;
            }
        }
        Ok(())
    }

    fn check(&mut self) -> anyhow::Result<()> {
        let all = [
            &mut self.open,
            &mut self.jwt_authn,
            &mut self.jwt_authn_cached,
            &mut self.ours,
            &mut self.ours_cached,
        ];
        all.into_iter().try_for_each(Subject::check)
    }
}

/// What is left to do, and how.
#[derive(Debug)]
struct Bench<'a> {
    plan: &'a Plan,
    schedule: Schedule,
}

impl Bench<'_> {
    /// Distinct tokens, each to be verified.
    fn signatures(
        &mut self,
        algorithm: Algorithm,
        load: &Closed,
        subjects: &Subjects,
    ) -> anyhow::Result<Group> {
        let rows = self.measure(&[
            named(subjects.ours.name(), &subjects.ours, load, None),
            named(subjects.jwt_authn.name(), &subjects.jwt_authn, load, None),
        ])?;
        let ratios = match rows.as_slice() {
            [ours, theirs] => vec![Ratio::of(ours, theirs, SIGNATURE_BAR)],
            _ => Vec::new(),
        };
        Ok(Group {
            title: format!("{} uncached", algorithm.name()),
            rows,
            ratios,
            ..Group::default()
        })
    }

    /// Tokens known to the cache, beside floods.
    fn flood(
        &mut self,
        keys: &DevKeys,
        few: &[String],
        subjects: &Subjects,
    ) -> anyhow::Result<Group> {
        let load = Closed::new(CONNECTIONS_BESIDE_A_FLOOD, Requests::get(PATH, few)?)?;
        let ours = &subjects.ours_cached;
        let mut rows = vec![named("no flood", ours, &load, None)];
        // Of each pace the plain refusals come first: what the others are compared with.
        for pace in &self.plan.floods {
            for refused in Refused::ALL {
                let flood = Flood {
                    requests: tokens::flood(keys, refused)?,
                    pace: *pace,
                    connections: FLOOD_CONNECTIONS,
                };
                let name = format!("{pace} {}", refused.name());
                rows.push(named(&name, ours, &load, Some(flood)));
            }
        }
        let rows = self.measure(&rows)?;
        let (_, floods) = rows.split_at(rows.len().min(1));
        let ratios = floods
            .chunks(Refused::ALL.len())
            .filter_map(<[Row]>::split_first)
            .flat_map(|(plain, bad)| bad.iter().map(move |row| Ratio::of(row, plain, FLOOD_BAR)))
            .collect();
        Ok(Group {
            title: "cached beside a flood".to_owned(),
            rows,
            ratios,
            ..Group::default()
        })
    }

    /// What there is to be had at most, and what a cache is worth.
    fn references(&mut self, few: &[String], subjects: &Subjects) -> anyhow::Result<Group> {
        let load = Closed::new(CONNECTIONS, Requests::get(PATH, few)?)?;
        let all = [
            &subjects.open,
            &subjects.jwt_authn_cached,
            &subjects.ours_cached,
        ];
        let rows: Vec<_> = all
            .into_iter()
            .map(|subject| named(subject.name(), subject, &load, None))
            .collect();
        Ok(Group {
            title: "for reference".to_owned(),
            rows: self.measure(&rows)?,
            ..Group::default()
        })
    }

    fn measure(&mut self, rows: &[(String, Run<'_>)]) -> anyhow::Result<Vec<Row>> {
        if self.plan.warm_up {
            return run::interleaved(&mut self.schedule, rows);
        }
        let seconds = self.schedule.seconds();
        self.schedule.interleave(rows, |run| run.measure(seconds))
    }
}

fn named<'a>(
    name: &str,
    subject: &'a Subject,
    load: &'a Closed,
    flood: Option<Flood>,
) -> (String, Run<'a>) {
    let run = Run {
        flood,
        flood_statuses: REFUSALS,
        ..Run::new(subject, load)
    };
    (name.to_owned(), run)
}
