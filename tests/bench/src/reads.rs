//! `reads`: what a balance costs, between the least that Envoy can do and what one would build instead.
//!
//! All rows answer the same question over the same connections behind one Envoy worker. Below ours: a constant without
//! and with Envoy's own token check, and a filter that does nothing. Beside ours: the same check in front of a native
//! service, in memory and on Redis. The bars were set before the first figure was seen.

use testbed::{Algorithm, DevKeys, EngineKind};

use crate::asking::{add_points, expect_body};
use crate::builds::Builds;
use crate::gates::{self, Cache};
use crate::load::{Closed, Requests};
use crate::measure::{Row, Schedule};
use crate::placement::Placement;
use crate::progress;
use crate::report::{Bar, Figure, Group, Machine, Ratio, Report};
use crate::run::{self, Run};
use crate::servers::{Engine, Server};
use crate::subject::{Gate, Setup, Subject};
use crate::tokens;

/// Connections of the load.
const CONNECTIONS: u16 = 32;
/// Distinct tokens where a cache is to be used, and where none may help.
const CACHED_TOKENS: usize = 8;
const UNCACHED_TOKENS: usize = 2000;
/// Accounts that are read, with the same balance each.
const ACCOUNTS: u64 = 256;
const POINTS: u32 = 2000;
const CUSTOMER: &str = "reader-";
/// Rows, and rows of the second part.
const ROWS: usize = 8;
const WORKER_ROWS: usize = 2;
/// What is wanted of a balance against a constant, against an empty filter, and of its CPU time against a service's.
const CONSTANT_BAR: f64 = 0.80;
const EMPTY_FILTER_BAR: f64 = 0.92;
const SERVICE_CPU_BAR: f64 = 0.45;

/// How much of it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seconds a run.
    pub seconds: u16,
    /// Runs of each row.
    pub rounds: u16,
    /// What is needed besides the filter.
    pub builds: Builds,
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, a subject answers wrongly, or a client fails.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = DevKeys::shared()?;
    progress("signing tokens");
    let few = tokens::valid(&keys, Algorithm::Es256, CACHED_TOKENS, 1)?;
    let many = tokens::valid(&keys, Algorithm::Es256, UNCACHED_TOKENS, 1)?;
    let loads = Loads::new(&few, &many)?;
    let placement = Placement::bind_clients();
    let machine = Machine::here(&placement);
    let mut schedule = Schedule::announced(plan.seconds, plan.rounds, ROWS + WORKER_ROWS);
    let mut groups = vec![one_worker(
        plan,
        &keys,
        &loads,
        &few,
        &placement,
        &mut schedule,
    )?];
    // Two workers need two CPUs.
    let shared = Placement::share_all();
    groups.push(two_workers(
        plan,
        &keys,
        &loads,
        &few,
        &shared,
        &mut schedule,
    )?);
    Ok(Report {
        name: "reads",
        machine,
        setting: format!(
            "{} rounds of {} s; HTTP/1.1, {CONNECTIONS} connections, {ACCOUNTS} accounts on etcd",
            plan.rounds, plan.seconds
        ),
        groups,
        notes: vec![format!(
            "The rows of two workers and of one beside them: {}.",
            shared.words()
        )],
    })
}

/// What is sent.
#[derive(Debug)]
struct Loads {
    balance: Closed,
    summary: Closed,
    balance_uncached: Closed,
}

impl Loads {
    fn new(few: &[String], many: &[String]) -> anyhow::Result<Self> {
        let balance = format!("/reward-points/customer/{CUSTOMER}{{n}}");
        let summary = format!("{balance}/summary");
        let closed = |path: &str, tokens: &[String]| {
            Closed::new(CONNECTIONS, Requests::get(path, tokens)?.numbered(ACCOUNTS))
        };
        Ok(Self {
            balance: closed(&balance, few)?,
            summary: closed(&summary, few)?,
            balance_uncached: closed(&balance, many)?,
        })
    }
}

fn one_worker(
    plan: &Plan,
    keys: &DevKeys,
    loads: &Loads,
    few: &[String],
    placement: &Placement,
    schedule: &mut Schedule,
) -> anyhow::Result<Group> {
    progress("starting the subjects: etcd, Redis, two native services, an Envoy each");
    let native = &plan.builds.native;
    let engine = Engine::start(EngineKind::Etcd, native, placement)?;
    let redis = Server::redis(placement)?;
    let in_memory = Server::service(native, None, placement)?;
    let on_redis = Server::service(native, Some(&redis), placement)?;

    let start = |setup| Subject::start(setup, placement);
    let service = |name, server: &Server, beside: Vec<u32>| Setup {
        service: Some(server.address()),
        beside,
        ..Setup::new(name, gates::jwt_authn_and_rbac(keys))
    };
    let ours = |name, cache| -> anyhow::Result<Setup> {
        Ok(Setup {
            engine: Some(engine.address()),
            beside: vec![engine.pid()],
            ..Setup::new(name, Gate::Ours(gates::product(keys, cache)?))
        })
    };
    let mut open = start(Setup::new("direct_response", Gate::Open))?;
    let module = Gate::Module(plan.builds.empty_filter.clone());
    let mut empty = start(Setup::new("empty wasm filter", module))?;
    let mut authn = start(Setup::new(
        "jwt_authn + direct_response",
        gates::jwt_authn(keys, Cache::On),
    ))?;
    let mut memory = start(service(
        "jwt_authn + RBAC + service",
        &in_memory,
        vec![in_memory.pid()],
    ))?;
    let mut stored = start(service(
        "jwt_authn + RBAC + service on Redis",
        &on_redis,
        vec![on_redis.pid(), redis.pid()],
    ))?;
    let mut product = start(ours("ours", Cache::On)?)?;
    let mut uncached = start(ours("ours, no token cache", Cache::Off)?)?;

    let token = few.first().map_or("", String::as_str);
    for subject in [&memory, &stored, &product] {
        add_points(subject.address(), token, CUSTOMER, ACCOUNTS, POINTS)?;
    }
    let refused = [tokens::without_scope(keys)?];
    let path = format!("/reward-points/customer/{CUSTOMER}{}", ACCOUNTS - 1);
    for subject in [&open, &empty, &authn, &memory, &stored, &product, &uncached] {
        for token in few {
            expect_body(subject.address(), &path, token, &POINTS.to_string())?;
        }
    }
    for subject in [&memory, &stored, &product, &uncached] {
        subject.expect(&path, &refused, 403)?;
    }
    for subject in [&authn, &memory, &stored, &product, &uncached] {
        let wrong = tokens::refused(keys, tokens::Refused::WrongSignature, 1)?;
        subject.expect(&path, &wrong, 401)?;
    }

    let named = |name: &str, subject, load| (name.to_owned(), Run::new(subject, load));
    let rows = [
        named(open.name(), &open, &loads.balance),
        named(empty.name(), &empty, &loads.balance),
        named(authn.name(), &authn, &loads.balance),
        named(memory.name(), &memory, &loads.balance),
        named(stored.name(), &stored, &loads.balance),
        named("ours: balance", &product, &loads.balance),
        named("ours: summary", &product, &loads.summary),
        named(
            "ours: balance, uncached token",
            &uncached,
            &loads.balance_uncached,
        ),
    ];
    let rows = run::interleaved(schedule, &rows)?;
    for subject in [
        &mut open,
        &mut empty,
        &mut authn,
        &mut memory,
        &mut stored,
        &mut product,
        &mut uncached,
    ] {
        subject.check()?;
    }
    Ok(Group {
        title: "one worker".to_owned(),
        ratios: ratios(&rows),
        rows,
        ..Group::default()
    })
}

fn ratios(rows: &[Row]) -> Vec<Ratio> {
    let [
        open,
        empty,
        authn,
        memory,
        stored,
        balance,
        summary,
        uncached,
    ] = rows
    else {
        return Vec::new();
    };
    let at_least = |bar| Some(Bar::AtLeast(bar));
    let at_most = |bar| Some(Bar::AtMost(bar));
    vec![
        Ratio::new(Figure::Rate, balance, open, at_least(CONSTANT_BAR)),
        Ratio::new(Figure::Rate, balance, empty, at_least(EMPTY_FILTER_BAR)),
        Ratio::new(Figure::Cpu, balance, memory, at_most(SERVICE_CPU_BAR)),
        Ratio::new(Figure::Cpu, balance, stored, None),
        Ratio::new(Figure::Rate, balance, authn, None),
        Ratio::new(Figure::Rate, summary, balance, None),
        Ratio::new(Figure::Rate, uncached, balance, None),
    ]
}

fn two_workers(
    plan: &Plan,
    keys: &DevKeys,
    loads: &Loads,
    few: &[String],
    placement: &Placement,
    schedule: &mut Schedule,
) -> anyhow::Result<Group> {
    progress("starting the subjects of two workers and one");
    let engine = Engine::start(EngineKind::Etcd, &plan.builds.native, placement)?;
    let start = |name, workers| -> anyhow::Result<Subject> {
        let setup = Setup {
            engine: Some(engine.address()),
            beside: vec![engine.pid()],
            workers,
            ..Setup::new(name, Gate::Ours(gates::product(keys, Cache::On)?))
        };
        Subject::start(setup, placement)
    };
    let mut one = start("ours: balance, 1 worker", 1)?;
    let mut two = start("ours: balance, 2 workers", 2)?;
    let token = few.first().map_or("", String::as_str);
    add_points(one.address(), token, CUSTOMER, ACCOUNTS, POINTS)?;
    let rows: Vec<(String, Run<'_>)> = [&one, &two]
        .map(|subject| (subject.name().to_owned(), Run::new(subject, &loads.balance)))
        .into();
    let rows = run::interleaved(schedule, &rows)?;
    one.check()?;
    two.check()?;
    let ratios = match rows.as_slice() {
        [one, two] => vec![Ratio::new(Figure::Rate, two, one, None)],
        _ => Vec::new(),
    };
    Ok(Group {
        title: "two workers".to_owned(),
        rows,
        ratios,
        ..Group::default()
    })
}
