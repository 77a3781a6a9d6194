//! `memory`: a million accounts through a bounded cache: what the process grows by, and whether hits stay as fast.
//!
//! A few accounts are read over and over, then each of very many once, then the few again. What is held of the many must
//! stay within what was configured, and what they left behind must not slow the few down.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::json;
use testbed::{Algorithm, DevKeys, EngineKind};

use crate::asking::{add_points, expect_body, make_model};
use crate::builds::Builds;
use crate::gates::{self, Cache};
use crate::load::{Closed, Fill, Requests};
use crate::measure::{Row, Sample, Schedule, resident_bytes};
use crate::placement::Placement;
use crate::progress;
use crate::report::{Fact, Figure, Group, Machine, Ratio, Report};
use crate::run::{self, Run};
use crate::servers::Engine;
use crate::subject::{Gate, Setup, Subject};
use crate::tokens;

/// What the cache of documents may take.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// The setting, as it stands in the plugin's configuration.
const CACHE_FIELD: &str = "cache_bytes";
/// Connections that read the few, and those that read the many.
const CONNECTIONS: u16 = 32;
const PASS_CONNECTIONS: u16 = 128;
/// The many are read in runs of so many seconds.
const PASS_SECONDS: u16 = 10;
const TOKENS: usize = 8;
/// The few.
const FEW: u64 = 256;
const FEW_PREFIX: &str = "few-";
const POINTS: u32 = 2000;
/// The many, and whose copies they are.
const MANY_PREFIX: &str = "many-";
const MODEL: &str = "model";
const MODEL_ENTRIES: u32 = 3;
const ROWS: usize = 2;
const MIB: f64 = 1024.0 * 1024.0;

/// How much of it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seconds a run.
    pub seconds: u16,
    /// Runs of each row that reads the few.
    pub rounds: u16,
    /// How many are the many.
    pub accounts: u64,
    /// What is needed besides the filter.
    pub builds: Builds,
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, an account is not found, or a client fails.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = DevKeys::shared()?;
    let tokens = tokens::valid(&keys, Algorithm::Es256, TOKENS, 1)?;
    let token = tokens.first().context("a token")?;
    // The servers' share of the pass is the engine's too.
    let placement = Placement::share_all();
    let machine = Machine::here(&placement);
    let mut notes = Vec::new();

    progress("starting etcd and the subject");
    let engine = Engine::start(EngineKind::Etcd, &plan.builds.native, &placement)?;
    let mut subject = start(&keys, &engine, &placement, &mut notes)?;
    let server = subject.address();
    add_points(server, token, FEW_PREFIX, FEW, POINTS)?;
    let document_bytes = fill(plan, &engine, server, token)?;

    let few = Requests::get(&customer(FEW_PREFIX), &tokens)?.numbered(FEW);
    let few = Closed::new(CONNECTIONS, few)?;
    let mut schedule = Schedule::announced(plan.seconds, plan.rounds, ROWS);
    let mut hits = |name: &str| -> anyhow::Result<Vec<Row>> {
        run::interleaved(
            &mut schedule,
            &[(name.to_owned(), Run::new(&subject, &few))],
        )
    };
    let mut rows = hits("few accounts, before")?;
    let before = resident_bytes(subject.pid())?;
    let pass = pass(plan.accounts, &subject, &tokens)?;
    let after = resident_bytes(subject.pid())?;
    rows.extend(hits("few accounts, after")?);
    let ratios = match rows.as_slice() {
        [before, after] => vec![Ratio::new(Figure::Rate, after, before, None)],
        _ => Vec::new(),
    };
    let read: u64 = pass.samples.iter().map(|sample| sample.load.answered).sum();
    rows.push(pass);
    subject.check()?;
    let fact = Fact::new;
    let (before, after) = (before as f64 / MIB, after as f64 / MIB);
    Ok(Report {
        name: "memory",
        machine,
        setting: format!(
            "{} rounds of {} s; one Envoy worker, {} accounts on etcd",
            plan.rounds, plan.seconds, plan.accounts
        ),
        groups: vec![Group {
            title: "through the cache".to_owned(),
            rows,
            ratios,
            facts: vec![
                fact("accounts read once each", read as f64, "accounts"),
                fact("a document", document_bytes as f64, "bytes"),
                fact("configured cache", CACHE_BYTES as f64 / MIB, "MiB"),
                fact("Envoy's resident memory before", before, "MiB"),
                fact("Envoy's resident memory after", after, "MiB"),
                fact("its growth", after - before, "MiB"),
            ],
        }],
        notes,
    })
}

/// Ours with that cache. A module without the setting (`$REWARD_POINTS_WASM` may name an old one) runs as it is.
fn start(
    keys: &DevKeys,
    engine: &Engine,
    placement: &Placement,
    notes: &mut Vec<String>,
) -> anyhow::Result<Subject> {
    let mut plugin = gates::product(keys, Cache::On)?;
    let setup = |plugin| Setup {
        engine: Some(engine.address()),
        beside: vec![engine.pid()],
        ..Setup::new("ours", Gate::Ours(plugin))
    };
    let as_it_is = plugin.clone();
    plugin[CACHE_FIELD] = json!(CACHE_BYTES);
    match Subject::start(setup(plugin), placement) {
        Err(error) if gates::is_unknown_field(&error, CACHE_FIELD) => {
            let note = "The cache is what it is by default: this module does not know the setting.";
            notes.push(note.to_owned());
            Subject::start(setup(as_it_is), placement)
        }
        started => started,
    }
}

fn customer(prefix: &str) -> String {
    format!("/reward-points/customer/{prefix}{{n}}")
}

/// Puts the many into the engine; how many bytes a document has.
fn fill(plan: &Plan, engine: &Engine, server: SocketAddr, token: &str) -> anyhow::Result<u64> {
    make_model(server, token, MODEL, MODEL_ENTRIES, POINTS)?;
    progress(&format!("putting {} accounts into etcd", plan.accounts));
    let fill = Fill {
        program: plan.builds.native.clone(),
        tenant: &tokens::tenant(0),
        like: MODEL,
        customer_prefix: MANY_PREFIX,
        count: plan.accounts,
    };
    let bytes = fill.run(engine.address())?;
    let points = (POINTS * MODEL_ENTRIES).to_string();
    for number in [0, plan.accounts - 1] {
        let path = format!("/reward-points/customer/{MANY_PREFIX}{number}");
        expect_body(server, &path, token, &points)?;
    }
    Ok(bytes)
}

/// Reads each of the many once, in as many runs as it takes.
fn pass(accounts: u64, subject: &Subject, tokens: &[String]) -> anyhow::Result<Row> {
    let requests = Requests::get(&customer(MANY_PREFIX), tokens)?.numbered(accounts);
    let many = Closed::new(PASS_CONNECTIONS, requests)?;
    let run = Run::new(subject, &many);
    let mut samples: Vec<Sample> = Vec::new();
    while many.sent() < accounts {
        ensure!(!testbed::interrupted(), "interrupted");
        progress(&format!(
            "reading each account once: {} of {}",
            many.sent(),
            accounts
        ));
        samples.push(run.measure(PASS_SECONDS)?);
    }
    Ok(Row {
        name: "each account once".to_owned(),
        samples,
    })
}
