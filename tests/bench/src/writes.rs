//! `writes`: how many durable writes a second there are, and how long one takes, from one connection to many.
//!
//! Ours with its batches against ours without (`max_batch: 1`, one transaction a write), and against a native client that
//! writes to the same engine without any gateway, one compare-and-put after the other on each of as many tasks. On one
//! hot account that client has to try again whenever another one was first. The bars were set before the first figure
//! was seen.

mod ratios;

use anyhow::ensure;
use serde_json::json;
use testbed::{Algorithm, DevKeys, EngineKind};

use crate::asking::{expect_body, make_model};
use crate::builds::Builds;
use crate::gates::{self, Cache};
use crate::load::{Closed, Compares, Fill, Requests};
use crate::measure::Schedule;
use crate::placement::Placement;
use crate::progress;
use crate::report::{Group, Machine, Report};
use crate::run::{self, Load, Run};
use crate::servers::Engine;
use crate::subject::{Gate, Setup, Subject};
use crate::tokens;

/// Connections of the loads, and how many accounts each load goes round.
const LEVELS: [(u16, u64); 4] = [(1, 2048), (16, 8192), (64, 16_384), (256, 32_768)];
/// Room for the copies of all accounts of the loads, which grow with every write: what a miss costs is `memory`'s question.
const CACHE_BYTES: u64 = 1024 * 1024 * 1024;
/// Calls under way at a time where each carries one write.
const UNBATCHED_IN_FLIGHT: u16 = 256;
/// Connections and seconds of the runs that read each account once.
const WARM_CONNECTIONS: u16 = 128;
const WARM_SECONDS: u16 = 1;
/// Connections that write to the hot account.
const HOT_CONNECTIONS: u16 = 64;
/// An account is hot for so many writes, then the next one is: its history does not grow without end.
const HOT_WRITES: u64 = 1000;
const HOT_ACCOUNTS: u64 = 100_000;
/// HTTP/2 connections of the native client: the better of both counts.
const CHANNELS: [u16; 2] = [1, 4];
const TOKENS: usize = 8;
/// The account that all others are copies of: some history, and points enough for any run.
const MODEL: &str = "model";
const MODEL_ENTRIES: u32 = 3;
const MODEL_POINTS: u32 = 500_000_000;
const ADD: &str = r#"{"points":5,"description":"order 4711"}"#;
const REDEEM: &str = r#"{"points":1,"description":"voucher 4711"}"#;
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

impl Plan {
    /// Rows of both engines.
    fn rows() -> usize {
        let ours = 2;
        let unbatched = 1;
        let on_etcd = LEVELS.len() * (ours + unbatched + CHANNELS.len());
        let hot = 1 + CHANNELS.len();
        on_etcd + hot + LEVELS.len() * ours
    }
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, or a client fails.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = DevKeys::shared()?;
    let tokens = tokens::valid(&keys, Algorithm::Es256, TOKENS, 1)?;
    // Three processes share the work of a write.
    let placement = Placement::share_all();
    let machine = Machine::here(&placement);
    let mut bench = Bench {
        plan,
        keys,
        tokens,
        placement,
        schedule: Schedule::announced(plan.seconds, plan.rounds, Plan::rows()),
        notes: Vec::new(),
    };
    let mut groups = bench.etcd()?;
    groups.extend(bench.embedded()?);
    Ok(Report {
        name: "writes",
        machine,
        setting: format!(
            "{} rounds of {} s; one Envoy worker, HTTP/1.1; every write is on disk before it is answered",
            plan.rounds, plan.seconds
        ),
        groups,
        notes: bench.notes,
    })
}

struct Bench<'a> {
    plan: &'a Plan,
    keys: DevKeys,
    tokens: Vec<String>,
    placement: Placement,
    schedule: Schedule,
    notes: Vec<String>,
}

/// The loads of one level on accounts of their own.
struct Loads {
    connections: u16,
    add: Closed,
    redeem: Closed,
    add_unbatched: Closed,
}

impl Bench<'_> {
    fn etcd(&mut self) -> anyhow::Result<Vec<Group>> {
        progress("starting etcd and the subjects");
        let engine = Engine::start(EngineKind::Etcd, &self.plan.builds.native, &self.placement)?;
        let mut ours = self.ours(&engine, "ours", None)?;
        let mut unbatched = self.unbatched(&engine)?;
        self.prepare_model(&ours)?;
        let mut groups = Vec::new();
        for (connections, accounts) in LEVELS {
            let loads = self.loads(&engine, &ours, unbatched.as_ref(), connections, accounts)?;
            groups.push(self.level_on_etcd(&engine, &ours, unbatched.as_ref(), &loads)?);
        }
        groups.push(self.hot_account(&engine, &ours)?);
        ours.check()?;
        unbatched.iter_mut().try_for_each(Subject::check)?;
        Ok(groups)
    }

    fn embedded(&mut self) -> anyhow::Result<Vec<Group>> {
        progress("starting the embedded engine and the subject");
        let native = &self.plan.builds.native;
        let engine = Engine::start(EngineKind::Embedded, native, &self.placement)?;
        let mut ours = self.ours(&engine, "ours", None)?;
        self.prepare_model(&ours)?;
        let mut groups = Vec::new();
        for (connections, accounts) in LEVELS {
            let loads = self.loads(&engine, &ours, None, connections, accounts)?;
            let rows = [
                named("ours: addPoints", Run::new(&ours, &loads.add)),
                named("ours: redeemPoints", Run::new(&ours, &loads.redeem)),
            ];
            groups.push(Group {
                title: title("embedded", connections),
                rows: run::interleaved(&mut self.schedule, &rows)?,
                ..Group::default()
            });
        }
        ours.check()?;
        Ok(groups)
    }

    fn level_on_etcd(
        &mut self,
        engine: &Engine,
        ours: &Subject,
        unbatched: Option<&Subject>,
        loads: &Loads,
    ) -> anyhow::Result<Group> {
        let natives = self.natives(loads.connections, false);
        let mut rows = vec![
            named("ours: addPoints", Run::new(ours, &loads.add)),
            named("ours: redeemPoints", Run::new(ours, &loads.redeem)),
        ];
        rows.extend(natives.iter().map(|native| on_engine(engine, native)));
        rows.extend(unbatched.map(|subject| {
            let run = Run::new(subject, &loads.add_unbatched);
            named("ours, max_batch 1: addPoints", run)
        }));
        let rows = run::interleaved(&mut self.schedule, &rows)?;
        let ratios = match rows.as_slice() {
            [add, _, natives @ ..] => {
                let (natives, unbatched) = natives.split_at(natives.len().min(CHANNELS.len()));
                ratios::of_level(add, natives, unbatched.first(), loads.connections)
            }
            _ => Vec::new(),
        };
        Ok(Group {
            title: title("etcd", loads.connections),
            rows,
            ratios,
            ..Group::default()
        })
    }

    fn hot_account(&mut self, engine: &Engine, ours: &Subject) -> anyhow::Result<Group> {
        let path = "/reward-points/customer/hot-{n}/addPoints";
        let requests = Requests::post(path, &self.tokens, ADD)?
            .numbered(HOT_ACCOUNTS)
            .each_number(HOT_WRITES);
        let load = Closed::new(HOT_CONNECTIONS, requests)?;
        let natives = self.natives(HOT_CONNECTIONS, true);
        let mut rows = vec![named("ours: addPoints", Run::new(ours, &load))];
        rows.extend(natives.iter().map(|native| on_engine(engine, native)));
        let rows = run::interleaved(&mut self.schedule, &rows)?;
        let ratio = rows
            .split_first()
            .and_then(|(ours, natives)| ratios::of_hot_account(ours, natives));
        Ok(Group {
            title: format!("etcd, a hot account, {HOT_CONNECTIONS}"),
            rows,
            ratios: ratio.into_iter().collect(),
            ..Group::default()
        })
    }

    fn natives(&self, tasks: u16, hot: bool) -> Vec<Compares> {
        let native = |channels| Compares {
            program: self.plan.builds.native.clone(),
            tasks,
            channels,
            hot,
        };
        CHANNELS.into_iter().map(native).collect()
    }

    fn ours(
        &self,
        engine: &Engine,
        name: &'static str,
        max_batch: Option<u32>,
    ) -> anyhow::Result<Subject> {
        let mut plugin = gates::product(&self.keys, Cache::On)?;
        if let Some(max_batch) = max_batch {
            plugin["engine"]["max_batch"] = json!(max_batch);
            // One call a write, and as many under way as there are writes: nothing else holds them back.
            plugin["engine"]["max_in_flight"] = json!(UNBATCHED_IN_FLIGHT);
        }
        plugin["cache_bytes"] = json!(CACHE_BYTES);
        let setup = Setup {
            engine: Some(engine.address()),
            beside: vec![engine.pid()],
            ..Setup::new(name, Gate::Ours(plugin))
        };
        Subject::start(setup, &self.placement)
    }

    /// Ours without batches. A module without that setting (`$REWARD_POINTS_WASM` may name an old one) is told of.
    fn unbatched(&mut self, engine: &Engine) -> anyhow::Result<Option<Subject>> {
        match self.ours(engine, "ours, max_batch 1", Some(1)) {
            Ok(subject) => Ok(Some(subject)),
            Err(error) if gates::is_unknown_field(&error, "max_batch") => {
                let note = "Not measured: ours with max_batch 1, a setting that this module does not know.";
                self.notes.push(note.to_owned());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn prepare_model(&self, ours: &Subject) -> anyhow::Result<()> {
        make_model(
            ours.address(),
            self.token(),
            MODEL,
            MODEL_ENTRIES,
            MODEL_POINTS,
        )
    }

    fn token(&self) -> &str {
        self.tokens.first().map_or("", String::as_str)
    }

    /// Loads on accounts that are copies of the model's.
    fn loads(
        &self,
        engine: &Engine,
        ours: &Subject,
        unbatched: Option<&Subject>,
        connections: u16,
        accounts: u64,
    ) -> anyhow::Result<Loads> {
        let make = |kind: &str, action: &str, body: &str| -> anyhow::Result<(Closed, String)> {
            let prefix = format!("{kind}-{connections}-");
            let fill = Fill {
                program: self.plan.builds.native.clone(),
                tenant: &tokens::tenant(0),
                like: MODEL,
                customer_prefix: &prefix,
                count: accounts,
            };
            fill.run(engine.address())?;
            let path = format!("/reward-points/customer/{prefix}{{n}}/{action}");
            // The gateway must take a copy for what it is: another account would be opened anew, unseen.
            let last = format!("/reward-points/customer/{prefix}{}", accounts - 1);
            let points = u64::from(MODEL_POINTS) * u64::from(MODEL_ENTRIES);
            expect_body(ours.address(), &last, self.token(), &points.to_string())?;
            let requests = Requests::post(&path, &self.tokens, body)?.numbered(accounts);
            let account = format!("/reward-points/customer/{prefix}{{n}}");
            Ok((Closed::new(connections, requests)?, account))
        };
        let (add, added) = make("add", "addPoints", ADD)?;
        let (redeem, redeemed) = make("redeem", "redeemPoints", REDEEM)?;
        let (add_unbatched, unbatched_accounts) = make("single", "addPoints", ADD)?;
        for account in [added, redeemed] {
            self.warm(ours, &account, accounts)?;
        }
        if let Some(unbatched) = unbatched {
            self.warm(unbatched, &unbatched_accounts, accounts)?;
        }
        Ok(Loads {
            connections,
            add,
            redeem,
            add_unbatched,
        })
    }

    /// Reads each account once: the gateway knows its revision then, as the native client does from the beginning.
    fn warm(&self, subject: &Subject, account: &str, accounts: u64) -> anyhow::Result<()> {
        let requests = Requests::get(account, &self.tokens)?.numbered(accounts);
        let reads = Closed::new(WARM_CONNECTIONS, requests)?;
        while reads.sent() < accounts {
            ensure!(!testbed::interrupted(), "interrupted");
            Run::new(subject, &reads).measure(WARM_SECONDS)?;
        }
        Ok(())
    }
}

fn named<'a>(name: &str, run: Run<'a>) -> (String, Run<'a>) {
    (name.to_owned(), run)
}

fn on_engine<'a>(engine: &Engine, native: &'a Compares) -> (String, Run<'a>) {
    let again = if native.hot { " with retry" } else { "" };
    let channels = match native.channels {
        1 => "1 channel".to_owned(),
        several => format!("{several} channels"),
    };
    let run = Run {
        server: engine.address(),
        name: "engine",
        processes: vec![engine.pid()],
        load: Load::Compares(native),
        flood: None,
        flood_statuses: &[],
    };
    (format!("raw compare-and-put{again}, {channels}"), run)
}

fn title(engine: &str, connections: u16) -> String {
    match connections {
        1 => format!("{engine}, 1 connection"),
        several => format!("{engine}, {several} connections"),
    }
}
