//! Many seeds, spread over threads. Each seed runs on one thread alone, so nothing depends on how many there are.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use host::Program;

use crate::checks::{Check, Violation};
use crate::faults::FaultKind;
use crate::named::Set;
use crate::plan::{Plan, Settings, Wish};
use crate::run::run;
use crate::trace::Trace;

/// What is to be looked through.
#[derive(Debug, Clone)]
pub struct Search {
    /// The seeds.
    pub seeds: Range<u64>,
    /// Gateways of each world.
    pub gateways: usize,
    /// Workers of each gateway.
    pub workers: usize,
    /// Operations of each world.
    pub operations: u32,
    /// What may go wrong.
    pub faults: Set<FaultKind>,
    /// Members of the filter's configuration besides those that are drawn, or in their place.
    pub settings: Settings,
    /// What is looked at.
    pub checks: Set<Check>,
    /// How many worlds at a time, 1 at least.
    pub threads: usize,
}

impl Search {
    /// The wish for one of its seeds.
    #[must_use]
    pub fn wish(&self, seed: u64) -> Wish {
        Wish {
            seed,
            gateways: self.gateways,
            workers: self.workers,
            operations: self.operations,
            faults: self.faults.clone(),
            settings: self.settings.clone(),
        }
    }
}

/// How far a search has come; read by whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Requests that ended.
    pub answers: AtomicU64,
    /// Operations of worlds that are over.
    pub operations: AtomicU64,
    /// Worlds that are over.
    pub seeds: AtomicU64,
    /// Set to end early: worlds that run are finished, no other is begun.
    pub stop: AtomicBool,
}

/// What a search came to.
#[derive(Debug, Default)]
pub struct Explored {
    /// The smallest seed that fails, and how.
    pub failed: Option<(u64, Violation)>,
    /// Worlds that were run.
    pub seeds: u64,
    /// Operations in them.
    pub operations: u64,
    /// Requests in them.
    pub answers: u64,
    /// Changes that the engine made.
    pub changes: u64,
    /// How much time passed in them, in microseconds.
    pub elapsed_us: u64,
    /// How often each status was answered; 0: none.
    pub statuses: BTreeMap<u16, u64>,
    /// The filter's counters.
    pub counters: BTreeMap<&'static str, u64>,
}

/// Runs all seeds, or as many as it takes to find one that fails.
pub fn explore(search: &Search, program: &Program, progress: &Progress) -> Explored {
    let next = AtomicU64::new(search.seeds.start);
    let explored = Mutex::new(Explored::default());
    std::thread::scope(|scope| {
        for _ in 0..search.threads.max(1) {
            scope.spawn(|| work(search, program, progress, &next, &explored));
        }
    });
    explored.into_inner().unwrap_or_default()
}

fn work(
    search: &Search,
    program: &Program,
    progress: &Progress,
    next: &AtomicU64,
    explored: &Mutex<Explored>,
) {
    while !progress.stop.load(Ordering::Relaxed) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= search.seeds.end {
            return;
        }
        let plan = Plan::draw(&search.wish(seed));
        let mut count = || {
            progress.answers.fetch_add(1, Ordering::Relaxed);
        };
        let ran = run(&plan, program, &search.checks, Trace::default(), &mut count);
        progress.seeds.fetch_add(1, Ordering::Relaxed);
        let operations = plan.operations() as u64;
        progress.operations.fetch_add(operations, Ordering::Relaxed);
        let Ok(mut explored) = explored.lock() else {
            return;
        };
        explored.seeds += 1;
        explored.operations += operations;
        explored.answers += ran.answers;
        explored.changes += ran.changes;
        explored.elapsed_us += ran.elapsed_us;
        for (status, number) in ran.statuses {
            *explored.statuses.entry(status).or_default() += number;
        }
        for (name, number) in ran.counters {
            *explored.counters.entry(name).or_default() += number;
        }
        if let Some(violation) = ran.violation {
            progress.stop.store(true, Ordering::Relaxed);
            let first = explored.failed.as_ref().is_none_or(|it| seed < it.0);
            if first {
                explored.failed = Some((seed, violation));
            }
        }
    }
}
