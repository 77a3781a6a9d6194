//! How an attack is withstood: it is made several times over, others are served meanwhile, and what is left of it is looked
//! for afterwards.
//!
//! The first time is the warm-up: it fills what is meant to be filled (copies of accounts, remembered tokens, the linear
//! memory of each VM, the allocator's free lists). What the gateway uses after that is compared with what it uses after
//! several more attacks of the same kind: whatever an attack leaves behind adds up, and what is only kept does not.

use std::time::Duration;

use e2e::{Call, Client, Combination, Stack, Version, until};
use serde_json::Value;
use testbed::{GatewayBuilder, GatewayKind, Stats};

use super::bystander::Bystanders;

/// How long the gateway may take to come to rest: over each of its time limits for a request, the longest of `hostile.rs` too.
const REST: Duration = Duration::from_secs(180);
/// Connections on which the gateway is tried afterwards: more than there are workers.
const TRIALS: usize = 8;
const MIB: u64 = 1024 * 1024;
/// One call to the engine, and all that a request may wait for it.
const CALL_TIMEOUT_MS: u32 = 20_000;
const BUDGET_MS: u32 = 30_000;

/// What an attack may come to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How often it is made after the warm-up.
    rounds: usize,
    /// How much more memory may be in use after these rounds than after the warm-up, in bytes.
    growth_bytes: u64,
}

impl Bounds {
    /// For attacks that hold little at a time. Without a leak the gateway has grown by a megabyte or two; more is room for
    /// what allocators keep elsewhere, and for the bystanders' own accounts.
    ///
    /// So a leak is seen when it comes to this over all that was sent after the warm-up: a few kilobytes for each of
    /// thousands of requests (resets, strangers), some dozen for each of hundreds (byte by byte to Envoy, never ending),
    /// which is a request's buffers. Of a few dozen (odd shapes, byte by byte to `host-sim`) it takes hundreds of kilobytes
    /// for each: what these leave behind is looked for in the answers, not here.
    pub const SMALL: Self = Self {
        rounds: 3,
        growth_bytes: 16 * MIB,
    };
    /// For attacks that make the gateway hold megabytes at once: hundreds of thousands of frames, or whole answers behind
    /// windows that stay shut. How much of that allocators keep differs from one round to the next by some twenty
    /// megabytes. A hundred leaked bytes for each frame of a flood come to more than this.
    pub const LARGE: Self = Self {
        rounds: 3,
        growth_bytes: 48 * MIB,
    };
    /// Ten thousand connections a round: three leaked kilobytes for each would come to more than this, of a thousand, where
    /// there is room for no more, two dozen.
    pub const CROWD: Self = Self {
        rounds: 1,
        growth_bytes: 24 * MIB,
    };

    /// The same with so many rounds: for attacks that take their time.
    pub const fn rounds(self, rounds: usize) -> Self {
        Self { rounds, ..self }
    }
}

/// One attack under way.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The gateway and its engine.
    pub stack: &'a Stack,
    /// Those who are to be served meanwhile.
    pub others: Bystanders,
    /// Tells this attack from the one before: 0 is the warm-up.
    pub round: usize,
    /// A token of the tenant `hostile`.
    pub token: String,
}

impl Scene<'_> {
    /// What it runs on, for messages.
    pub fn on(&self) -> String {
        format!("{}, round {}", self.stack.combination(), self.round)
    }

    /// A customer's id that no other round uses.
    pub fn customer(&self, name: &str) -> String {
        format!("{name}-{}", self.round)
    }

    /// A connection of a well-behaved client.
    pub async fn client(&self, version: Version) -> Client {
        let client = Client::connect(self.stack.address(), version).await;
        client.unwrap_or_else(|error| panic!("{}: {error}", self.on()))
    }

    /// The answer to a call under this scene's token: status and body.
    pub async fn ask(&self, client: &mut Client, call: Call) -> String {
        let answer = client.send(&call.bearer(&self.token)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.on()));
        answer.brief()
    }
}

/// A gateway to attack, as `finish` completes it.
pub fn stage(on: Combination, finish: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Stack {
    // Before the gateway starts, which inherits it.
    testbed::raise_file_limit().expect("a limit on open files");
    Stack::start_with(on, plugin(), finish)
}

/// The committed configuration of the plugin, but for its patience with the engine: while an attack keeps a slow machine
/// busy, a call may take over the committed second, and that would count as a failure of the gateway.
fn plugin() -> Value {
    let mut plugin = Stack::plugin();
    plugin["engine"]["call_timeout_ms"] = CALL_TIMEOUT_MS.into();
    for budget in ["write_budget_ms", "read_budget_ms"] {
        plugin["engine"][budget] = BUDGET_MS.into();
    }
    plugin
}

/// Makes the attack, as often as the bounds say, and fails the test when anybody else suffers or anything is left.
pub async fn withstand(on: Combination, bounds: Bounds, attack: impl AsyncFn(&mut Scene<'_>)) {
    withstand_on(stage(on, |gateway| gateway), bounds, attack).await;
}

/// The same on a gateway that was started otherwise.
pub async fn withstand_on(mut stack: Stack, bounds: Bounds, attack: impl AsyncFn(&mut Scene<'_>)) {
    let on = stack.combination();
    let token = stack.token("hostile");
    let before = settled(&stack).await;
    let mut memory = Vec::new();
    let mut served = 0;
    for round in 0..=bounds.rounds {
        let others = Bystanders::start(&stack, &format!("round-{round}")).await;
        let mut scene = Scene {
            stack: &stack,
            others,
            round,
            token: token.clone(),
        };
        attack(&mut scene).await;
        // The attack may have been over in no time: whoever was served before it is served after it.
        scene.others.progress(1).await;
        served += scene.others.end().await;
        settled(&stack).await;
        let used = stack.gateway.process().resident_bytes();
        memory.push(used.expect("the gateway's memory"));
    }
    let shown: Vec<u64> = memory.iter().map(|bytes| bytes / MIB).collect();
    eprintln!("{on}: {served} rounds of others, MiB in use after each attack: {shown:?}");
    let (warm, last) = (memory[0], memory[memory.len() - 1]);
    assert!(
        last <= warm + bounds.growth_bytes,
        "{on}: {} MiB more in use after the attacks than after the first: {shown:?}",
        (last - warm) / MIB
    );
    whole(&stack, &before).await;
}

/// Nothing is under way: the gateway's own gauges say so.
///
/// Envoy counts what clients and the engine still owe each other. The feed's watch is the one call to the engine that is
/// always under way; some calls of the feed and the deny-list come and go. `host-sim` has no such gauges.
async fn settled(stack: &Stack) -> Stats {
    let on = stack.combination();
    let stats = || stack.gateway.stats().expect("counters");
    if on.gateway != GatewayKind::Envoy {
        return stats();
    }
    until("the gateway is at rest", REST, async || {
        let stats = stats();
        let value = |name: &str| required(on, &stats, name);
        let pending = [
            "http.ingress.downstream_rq_active",
            "http.ingress.downstream_cx_active",
            "cluster.points-engine.upstream_rq_pending_active",
        ];
        let idle = pending.iter().all(|name| value(name) == 0)
            && value("cluster.points-engine.upstream_rq_active") <= 1;
        idle.then(|| stats.clone())
    })
    .await
}

/// The value of `name`: a counter that nobody keeps any more would be right for ever.
fn required(on: Combination, stats: &Stats, name: &str) -> u64 {
    let value = stats.get(name);
    value.unwrap_or_else(|| panic!("{on}: no {name} among the gateway's counters"))
}

/// What tells of a VM that was lost.
fn vm_counts(on: Combination) -> &'static [&'static str] {
    match on.gateway {
        GatewayKind::Envoy => &[
            "wasm.envoy.wasm.runtime.v8.active",
            "wasm.envoy.wasm.runtime.v8.created",
            "wasm.reward-points.vm_reload",
        ],
        GatewayKind::HostSim => &["vm_traps", "vm_reloads"],
    }
}

/// No VM was lost, as many run as before, none complained, and every worker still answers.
async fn whole(stack: &Stack, before: &Stats) {
    let on = stack.combination();
    stack.assert_no_vm_was_reloaded();
    let now = stack.gateway.stats().expect("counters");
    for name in vm_counts(on) {
        let [now, before] = [&now, before].map(|stats| required(on, stats, name));
        assert_eq!(now, before, "{on}: {name}");
    }
    // The engine was well all along, so whatever failed would have failed here. That a token is not looked at, because
    // those who sent bad ones have spent the time for them, is an answer and no failure.
    let counted = |name: &str| {
        let name = format!("wasmcustom.reward_points.{name}");
        required(on, &now, &name);
        stack.stat(&name)
    };
    assert_eq!(counted("engine.failures"), 0, "{on}");
    let server_errors = counted("replies.server_error");
    let unread = counted("tokens.over_budget");
    assert!(
        server_errors <= unread,
        "{on}: {server_errors} server errors, {unread} tokens unread"
    );
    let log = stack.gateway_log();
    for word in [
        "panicked",
        "backtrace",
        "assert failure",
        "Caught Segmentation",
    ] {
        assert!(!log.contains(word), "{on}: {word} in the gateway's log");
    }
    let token = stack.token("afterwards");
    for number in 1..=TRIALS {
        let client = Client::connect(stack.address(), Version::Http1).await;
        let mut client = client.unwrap_or_else(|error| panic!("{on}: {error}"));
        for (call, expected) in [
            (Call::add("well", r#"{"points":1}"#), "201 ".to_owned()),
            (Call::balance("well"), format!("200 {number}")),
        ] {
            let answer = client.send(&call.bearer(&token)).await;
            let answer = answer.unwrap_or_else(|error| panic!("{on}: {error}"));
            assert_eq!(answer.brief(), expected, "{on}: afterwards");
        }
    }
}
