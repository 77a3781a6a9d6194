//! `coherence`: how old what one gateway shows can be once another has acknowledged more, and whether a session ever misses
//! its own writes.
//!
//! Two gateways stand before one etcd of three members. The same clients run twice: when nothing happens, and while members
//! and the gateway that is read are killed and frozen. What is judged in both is the promise, `max_staleness_ms` and the
//! session's revision; failed requests are counted and are no stale ones. The bars were set before the first figure.

mod faults;

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
/// When nothing happens, 99 of 100 reads are no staler.
const P99_BAR_MS: f64 = 50.0;
const MICROS_PER_MS: f64 = 1000.0;

/// How much of it is run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Session pairs, a write and a read, over both halves.
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
    let token = tokens.first().context("a token")?;
    // Five servers and the clients share what there is.
    let machine = Machine::here(&Placement::share_all());
    let mut bench = Bench::start(plan, &keys, token)?;
    progress("writing through one gateway, reading through the other");
    let quiet = bench.load("quiet-").start()?.finish()?;
    let mut groups = vec![Group {
        title: "nothing happens".to_owned(),
        facts: facts(&quiet, Phase::Quiet)?,
        ..Group::default()
    }];
    let running = bench.load("faults-").start()?;
    let mut notes = faults::inject(&mut bench.members, &mut bench.read_from)?;
    let faulty = running.finish()?;
    groups.push(Group {
        title: "members and the gateway that is read are killed and frozen".to_owned(),
        facts: facts(&faulty, Phase::Faults)?,
        ..Group::default()
    });
    notes.extend(quiet.words);
    notes.extend(faulty.words);
    Ok(Report {
        name: "coherence",
        machine,
        setting: format!(
            "two Envoys of {WORKERS} worker, one etcd of {MEMBERS} members; {WRITES_PER_SECOND} writes/s to {ACCOUNTS} accounts; \
             {} session pairs; max_staleness_ms {MAX_STALENESS_MS}",
            plan.pairs
        ),
        groups,
        notes,
    })
}

struct Bench<'a> {
    plan: &'a Plan,
    token: &'a str,
    write_to: Gateway,
    read_from: Gateway,
    members: Members,
}

impl<'a> Bench<'a> {
    fn start(plan: &'a Plan, keys: &DevKeys, token: &'a str) -> anyhow::Result<Self> {
        progress("starting three members of etcd and two gateways");
        let members = Members::start(MEMBERS)?;
        let mut plugin = gates::product(keys, Cache::On)?;
        plugin["reads"]["max_staleness_ms"] = json!(MAX_STALENESS_MS);
        plugin["decision_log"] = json!({ "lines": "none" });
        let bench = Self {
            plan,
            token,
            write_to: gateway(&members, &plugin)?,
            read_from: gateway(&members, &plugin)?,
            members,
        };
        // Gateways that do not see each other's writes are not worth measuring.
        let path = "/reward-points/customer/first";
        let add = format!("{path}/addPoints");
        post(bench.write_to.address(), &add, token, r#"{"points":7}"#)?;
        expect_body(bench.read_from.address(), path, token, "7")?;
        Ok(bench)
    }

    /// Half of the pairs, on accounts of their own.
    fn load(&self, prefix: &'static str) -> Coherence<'a> {
        Coherence {
            program: self.plan.builds.native.clone(),
            write_to: self.write_to.address(),
            read_from: self.read_from.address(),
            authorization: self.token,
            prefix,
            accounts: ACCOUNTS,
            writes_per_second: WRITES_PER_SECOND,
            pairs: self.plan.pairs.div_ceil(2),
            bound: Duration::from_millis(MAX_STALENESS_MS.into()),
        }
    }
}

fn gateway(members: &Members, plugin: &Value) -> anyhow::Result<Gateway> {
    let addresses = members.addresses();
    let first = *addresses.first().context("an etcd without members")?;
    let gateway = Gateway::envoy(first, plugin.clone())
        .engine_members(addresses)
        .workers(WORKERS);
    Ok(gateway.start()?)
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
    let failed = |name, kind| {
        let (unavailable, broken) = (format!("/{kind}/unavailable"), format!("/{kind}/broken"));
        let failed = seen.count(&unavailable)? + seen.count(&broken)?;
        let fact = Fact::new(name, failed, "requests");
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
        failed("failed writes", "writes")?,
        failed("failed reads", "reads")?,
        failed("failed session writes", "session_writes")?,
        failed("failed session reads", "session_reads")?,
    ])
}
