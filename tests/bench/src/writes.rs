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
        // The one with the setting alone stands beside the last level only.
        let on_etcd = LEVELS.len() * (ours + unbatched + CHANNELS.len()) + 1;
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

/// What is written to: a gateway and the engine that it has for itself.
struct Stack {
    batches: Batches,
    engine: Engine,
    gateway: Subject,
}

/// How a gateway puts writes into calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batches {
    /// As it is configured.
    Committed,
    /// `max_batch` 1 and nothing else: calls under way hold writes back.
    One,
    /// One call a write, and as many under way as there are writes: nothing else holds them back.
    OneEachAtOnce,
}

impl Batches {
    const fn name(self) -> &'static str {
        match self {
            Self::Committed => "ours",
            Self::One => "ours, max_batch 1",
            Self::OneEachAtOnce => "ours, max_batch 1, max_in_flight 256",
        }
    }

    fn configure(self, engine: &mut serde_json::Value) {
        if self != Self::Committed {
            engine["max_batch"] = json!(1);
        }
        if self == Self::OneEachAtOnce {
            engine["max_in_flight"] = json!(UNBATCHED_IN_FLIGHT);
        }
    }
}

/// Whom all connections of one level write to, and how many there are of both.
#[derive(Clone, Copy)]
struct Level {
    connections: u16,
    accounts: u64,
}

impl Bench<'_> {
    fn etcd(&mut self) -> anyhow::Result<Vec<Group>> {
        progress("starting etcd and the subjects");
        let mut ours = self.ours(EngineKind::Etcd, Batches::Committed)?;
        let mut unbatched = Vec::new();
        for batches in [Batches::OneEachAtOnce, Batches::One] {
            unbatched.extend(self.unbatched(batches)?);
        }
        let mut groups = Vec::new();
        for (connections, accounts) in LEVELS {
            let level = Level {
                connections,
                accounts,
            };
            groups.push(self.level_on_etcd(&ours, &unbatched, level)?);
        }
        groups.push(self.hot_account(&ours)?);
        ours.gateway.check()?;
        unbatched.iter_mut().try_for_each(|it| it.gateway.check())?;
        Ok(groups)
    }

    fn embedded(&mut self) -> anyhow::Result<Vec<Group>> {
        progress("starting the embedded engine and the subject");
        let mut ours = self.ours(EngineKind::Embedded, Batches::Committed)?;
        let mut groups = Vec::new();
        for (connections, accounts) in LEVELS {
            let level = Level {
                connections,
                accounts,
            };
            let add = self.load(&ours, "add", ADD, level)?;
            let redeem = self.load(&ours, "redeem", REDEEM, level)?;
            let rows = [
                named("ours: addPoints", Run::new(&ours.gateway, &add)),
                named("ours: redeemPoints", Run::new(&ours.gateway, &redeem)),
            ];
            groups.push(Group {
                title: title("embedded", connections),
                rows: run::interleaved(&mut self.schedule, &rows)?,
                ..Group::default()
            });
        }
        ours.gateway.check()?;
        Ok(groups)
    }

    fn level_on_etcd(
        &mut self,
        ours: &Stack,
        unbatched: &[Stack],
        level: Level,
    ) -> anyhow::Result<Group> {
        let natives = self.natives(level.connections, false);
        let add = self.load(ours, "add", ADD, level)?;
        let redeem = self.load(ours, "redeem", REDEEM, level)?;
        let mut rows = vec![
            named("ours: addPoints", Run::new(&ours.gateway, &add)),
            named("ours: redeemPoints", Run::new(&ours.gateway, &redeem)),
        ];
        let on_engine = |native| on_engine(&ours.engine, native);
        rows.extend(natives.iter().map(on_engine));
        let is_last = LEVELS.last().map(|it| it.0) == Some(level.connections);
        let compared = unbatched
            .iter()
            .filter(|it| is_last || it.batches == Batches::OneEachAtOnce);
        let loads = compared.map(|stack| Ok((stack, self.load(stack, "add", ADD, level)?)));
        let loads = loads.collect::<anyhow::Result<Vec<_>>>()?;
        rows.extend(loads.iter().map(|(stack, load)| {
            let name = format!("{}: addPoints", stack.batches.name());
            (name, Run::new(&stack.gateway, load))
        }));
        let rows = run::interleaved(&mut self.schedule, &rows)?;
        let ratios = match rows.as_slice() {
            [add, _, natives @ ..] => {
                let (natives, unbatched) = natives.split_at(natives.len().min(CHANNELS.len()));
                ratios::of_level(add, natives, unbatched, level.connections)
            }
            _ => Vec::new(),
        };
        Ok(Group {
            title: title("etcd", level.connections),
            rows,
            ratios,
            ..Group::default()
        })
    }

    fn hot_account(&mut self, ours: &Stack) -> anyhow::Result<Group> {
        let path = "/reward-points/customer/hot-{n}/addPoints";
        let requests = Requests::post(path, &self.tokens, ADD)?
            .numbered(HOT_ACCOUNTS)
            .each_number(HOT_WRITES);
        let load = Closed::new(HOT_CONNECTIONS, requests)?;
        let natives = self.natives(HOT_CONNECTIONS, true);
        let mut rows = vec![named("ours: addPoints", Run::new(&ours.gateway, &load))];
        let on_engine = |native| on_engine(&ours.engine, native);
        rows.extend(natives.iter().map(on_engine));
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

    /// A gateway on an engine of its own: two on one would each be told of all that the other one writes, and pay for it.
    fn ours(&self, kind: EngineKind, batches: Batches) -> anyhow::Result<Stack> {
        let engine = Engine::start(kind, &self.plan.builds.native, &self.placement)?;
        let mut plugin = gates::product(&self.keys, Cache::On)?;
        batches.configure(&mut plugin["engine"]);
        plugin["cache_bytes"] = json!(CACHE_BYTES);
        let setup = Setup {
            engine: Some(engine.address()),
            beside: vec![engine.pid()],
            ..Setup::new(batches.name(), Gate::Ours(plugin))
        };
        let gateway = Subject::start(setup, &self.placement)?;
        make_model(
            gateway.address(),
            self.token(),
            MODEL,
            MODEL_ENTRIES,
            MODEL_POINTS,
        )?;
        Ok(Stack {
            batches,
            engine,
            gateway,
        })
    }

    /// Ours without batches. A module without that setting (`$REWARD_POINTS_WASM` may name an old one) is told of.
    fn unbatched(&mut self, batches: Batches) -> anyhow::Result<Option<Stack>> {
        match self.ours(EngineKind::Etcd, batches) {
            Ok(stack) => Ok(Some(stack)),
            Err(error) if gates::is_unknown_field(&error, "max_batch") => {
                let name = batches.name();
                let note =
                    format!("Not measured: {name}, a setting that this module does not know.");
                self.notes.push(note);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn token(&self) -> &str {
        self.tokens.first().map_or("", String::as_str)
    }

    /// One action on accounts that are copies of the model's.
    fn load(&self, to: &Stack, kind: &str, body: &str, level: Level) -> anyhow::Result<Closed> {
        let (connections, accounts) = (level.connections, level.accounts);
        let prefix = format!("{kind}-{connections}-");
        let fill = Fill {
            program: self.plan.builds.native.clone(),
            tenant: &tokens::tenant(0),
            like: MODEL,
            customer_prefix: &prefix,
            count: accounts,
        };
        fill.run(to.engine.address())?;
        // The gateway must take a copy for what it is: another account would be opened anew, unseen.
        let last = format!("/reward-points/customer/{prefix}{}", accounts - 1);
        let points = u64::from(MODEL_POINTS) * u64::from(MODEL_ENTRIES);
        let points = points.to_string();
        expect_body(to.gateway.address(), &last, self.token(), &points)?;
        let account = format!("/reward-points/customer/{prefix}{{n}}");
        self.warm(&to.gateway, &account, accounts)?;
        let path = format!("{account}/{kind}Points");
        let requests = Requests::post(&path, &self.tokens, body)?.numbered(accounts);
        Closed::new(connections, requests)
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
