//! `coherence`: how old what one gateway shows can be once another has acknowledged more, and whether a session ever misses
//! its own writes.
//!
//! Two gateways stand before one etcd of three members. The same clients run three times: when nothing happens; while members
//! and the gateway that is read are killed and frozen; and while the reading gateway alone has lost its member and the
//! other writes on. What is judged is the promise, `max_staleness_ms` and the session's revision; failed requests are
//! counted and are no stale ones. The bars were set before the first figure.

mod faults;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use testbed::{Algorithm, DevKeys, Gateway, Members};

use crate::asking::{expect_body, post};
use crate::builds::Builds;
use crate::gates::{self, Cache};
use crate::load::{Coherence, Seen};
use crate::placement::Placement;
use crate::progress;
use crate::report::{Fact, Group, Machine, Report};
use crate::tokens;

const MEMBERS: usize = 3;
/// Of each gateway.
const WORKERS: u16 = 1;
/// Accounts that are written through one gateway and read through the other.
const ACCOUNTS: u16 = 200;
const WRITES_PER_SECOND: u32 = 1000;
/// The setting whose promise is judged, `reads.max_staleness_ms`.
const MAX_STALENESS_MS: u32 = 1000;
/// Of all pairs, one in so many comes while the member that is read is frozen; most of them wait for it.
const APART_SHARE: u64 = 20;
/// When nothing happens, 99 of 100 reads are no staler.
const P99_BAR_MS: f64 = 50.0;
const MICROS_PER_MS: f64 = 1000.0;

/// How much of it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Session pairs, a write and a read, half of them when nothing happens and half beside the faults.
    pub pairs: u64,
    /// What is needed besides the filter.
    pub builds: Builds,
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, or a request is answered what it may not be answered.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    let keys = DevKeys::shared()?;
    let tokens = tokens::valid(&keys, Algorithm::Es256, 1, 1)?;
    // Five servers and the clients share what there is.
    let machine = Machine::here(&Placement::share_all());
    progress("starting three members of etcd and two gateways");
    let bench = Bench {
        plan,
        token: tokens.first().context("a token")?,
        plugin: plugin(&keys)?,
    };
    let mut members = Members::start(MEMBERS)?;
    let all = members.addresses();
    let mut pair = bench.pair(&all, &all)?;

    progress("writing through one gateway, reading through the other");
    let quiet = bench.load(&pair, "quiet-", plan.pairs.div_ceil(2));
    let quiet = quiet.start()?.finish()?;
    let running = bench
        .load(&pair, "faults-", plan.pairs.div_ceil(2))
        .start()?;
    let mut notes = vec![faults::each_in_turn(&mut members, &mut pair.read_from)?];
    let faulty = running.finish()?;

    drop(pair);
    let (one, others) = faults::follower(&all)?;
    let pair = bench.pair(&others, &[one])?;
    let running = bench.load(&pair, "apart-", plan.pairs.div_ceil(APART_SHARE));
    let running = running.start()?;
    notes.push(faults::stall(&mut members, one)?);
    let apart = running.finish()?;

    let mut groups = Vec::new();
    for (title, seen, phase) in [
        ("nothing happens", quiet, Phase::Quiet),
        (
            "members and the gateway that is read are killed and frozen",
            faulty,
            Phase::Faults,
        ),
        (
            "the member that is read is frozen, writes go on",
            apart,
            Phase::Faults,
        ),
    ] {
        groups.push(Group {
            title: title.to_owned(),
            facts: facts(&seen, phase)?,
            ..Group::default()
        });
        notes.extend(seen.words);
    }
    Ok(Report {
        name: "coherence",
        machine,
        setting: format!(
            "two Envoys of {WORKERS} worker, one etcd of {MEMBERS} members; {WRITES_PER_SECOND} writes/s to {ACCOUNTS} accounts; \
             max_staleness_ms {MAX_STALENESS_MS}"
        ),
        groups,
        notes,
    })
}

struct Bench<'a> {
    plan: &'a Plan,
    token: &'a str,
    plugin: Value,
}

/// Two gateways of one engine.
struct Pair {
    write_to: Gateway,
    read_from: Gateway,
}

impl Bench<'_> {
    /// Starts both, each before these members.
    fn pair(&self, write_to: &[SocketAddr], read_from: &[SocketAddr]) -> anyhow::Result<Pair> {
        static PAIRS: AtomicU64 = AtomicU64::new(0);
        let pair = Pair {
            write_to: self.gateway(write_to)?,
            read_from: self.gateway(read_from)?,
        };
        // Gateways that do not see each other's writes are not worth measuring.
        let number = PAIRS.fetch_add(1, Ordering::Relaxed);
        let path = format!("/reward-points/customer/first-{number}");
        let add = format!("{path}/addPoints");
        post(pair.write_to.address(), &add, self.token, r#"{"points":7}"#)?;
        expect_body(pair.read_from.address(), &path, self.token, "7")?;
        Ok(pair)
    }

    fn gateway(&self, members: &[SocketAddr]) -> anyhow::Result<Gateway> {
        let first = *members.first().context("an etcd without members")?;
        let gateway = Gateway::envoy(first, self.plugin.clone())
            .engine_members(members.to_vec())
            .workers(WORKERS);
        Ok(gateway.start()?)
    }

    fn load<'a>(&'a self, pair: &Pair, prefix: &'a str, pairs: u64) -> Coherence<'a> {
        Coherence {
            program: self.plan.builds.native.clone(),
            write_to: pair.write_to.address(),
            read_from: pair.read_from.address(),
            authorization: self.token,
            prefix,
            accounts: ACCOUNTS,
            writes_per_second: WRITES_PER_SECOND,
            pairs,
            bound: Duration::from_millis(MAX_STALENESS_MS.into()),
        }
    }
}

fn plugin(keys: &DevKeys) -> anyhow::Result<Value> {
    let mut plugin = gates::product(keys, Cache::On)?;
    plugin["reads"]["max_staleness_ms"] = json!(MAX_STALENESS_MS);
    plugin["decision_log"] = json!({ "lines": "none" });
    Ok(plugin)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Quiet,
    Faults,
}

fn facts(seen: &Seen, phase: Phase) -> anyhow::Result<Vec<Fact>> {
    let count = |pointer| seen.count(pointer);
    let ms = |pointer| Ok::<_, anyhow::Error>(seen.count(pointer)? / MICROS_PER_MS);
    let share = |part, whole| {
        Ok::<_, anyhow::Error>(100.0 * seen.count(part)? / seen.count(whole)?.max(1.0))
    };
    let seconds = count("/duration_us")? / 1_000_000.0;
    let p99 = Fact::new("staleness, p99", ms("/staleness_us/p99")?, "ms");
    let failed = |name, pointer| {
        let fact = Fact::new(name, seen.count(pointer)?, "requests");
        anyhow::Ok(match phase {
            Phase::Quiet => fact.exactly(0.0),
            Phase::Faults => fact,
        })
    };
    Ok(vec![
        Fact::new("lasted", seconds, "s"),
        Fact::new(
            "acknowledged writes",
            count("/writes/done")? / seconds,
            "a second",
        ),
        Fact::new("reads judged", count("/reads/done")?, "reads"),
        Fact::new(
            "of these from a copy",
            share("/reads/from_copy", "/reads/done")?,
            "%",
        ),
        Fact::new("staleness, p50", ms("/staleness_us/p50")?, "ms"),
        match phase {
            Phase::Quiet => p99.at_most(P99_BAR_MS),
            Phase::Faults => p99,
        },
        Fact::new("staleness, max", ms("/staleness_us/max")?, "ms")
            .at_most(f64::from(MAX_STALENESS_MS)),
        Fact::new(
            "reads that lack something",
            share("/lacking/reads", "/reads/done")?,
            "%",
        ),
        Fact::new("their staleness, p50", ms("/lacking/p50_us")?, "ms"),
        Fact::new("their staleness, p99", ms("/lacking/p99_us")?, "ms"),
        Fact::new("reads over max_staleness_ms", count("/over")?, "reads").exactly(0.0),
        Fact::new("session pairs", count("/session_reads/done")?, "pairs"),
        Fact::new(
            "session reads from a copy",
            share("/session_reads/from_copy", "/session_reads/done")?,
            "%",
        ),
        Fact::new("stale session reads", count("/session_stale")?, "reads").exactly(0.0),
        Fact::new(
            "balances over what was added",
            count("/impossible")?,
            "reads",
        )
        .exactly(0.0),
        failed("writes answered 503", "/writes/unavailable")?,
        failed("writes without an answer", "/writes/broken")?,
        failed("reads answered 503", "/reads/unavailable")?,
        failed("reads without an answer", "/reads/broken")?,
        failed("session writes answered 503", "/session_writes/unavailable")?,
        failed("session writes without an answer", "/session_writes/broken")?,
        failed("session reads answered 503", "/session_reads/unavailable")?,
        failed("session reads without an answer", "/session_reads/broken")?,
    ])
}
