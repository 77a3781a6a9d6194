//! The world: its VMs, its time, and everything that is on its way between them and the servers.
//!
//! Each VM is ticked every [`TICK_MS`] in a phase of its own, as the threads of a real gateway are. What a VM wants done is
//! carried out at once, answers come when their server says, and two things of the same moment happen in the order in which
//! they were begun.

mod effects;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use host::ports::Seeded;
use host::{
    Address, CallResponse, Headers, LogLevel, Plugin, Program, Setting, Shared, StreamInfo, Vm,
};
use serde_json::Value;
use signing_keys::SigningKey;

use crate::clock::SimulatedClock;
use crate::configuration::{ENGINE_CLUSTER, ISSUER_CLUSTER};
use crate::engine::Engine;
use crate::issuer::{FetchSeen, Question, Served};
use crate::outcome::{Ask, Done, Outcome};

/// How often a VM is ticked, in milliseconds: what the filter asks for.
pub const TICK_MS: u64 = 50;

/// How far apart the VMs' ticks are, in milliseconds.
const PHASE_MS: u64 = 7;

/// No request waits longer for its decision, in milliseconds; one that does hangs.
const PATIENCE_MS: u64 = 60_000;

/// What a world is made from.
#[derive(Debug)]
pub struct Setup {
    /// How many VMs: the workers' and the main thread's.
    pub vms: usize,
    /// The filter's configuration.
    pub configuration: Value,
    /// Whether the host checks signatures.
    pub native_signatures: bool,
    /// Where randomness begins.
    pub seed: u64,
}

impl Setup {
    /// Three workers and the main thread with this configuration.
    #[must_use]
    pub fn of(configuration: Value) -> Self {
        Self {
            vms: 4,
            configuration,
            native_signatures: true,
            seed: 1,
        }
    }

    /// Begins.
    #[must_use]
    pub fn start(self) -> World {
        World::start(self)
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, in milliseconds since the start.
    pub elapsed_ms: u64,
    /// Which VM wrote it.
    pub vm: usize,
    /// How loud.
    pub level: LogLevel,
    /// What.
    pub text: String,
}

/// See the module's text.
pub struct World {
    /// The engine, with the list of what is revoked.
    pub engine: Engine,
    clock: SimulatedClock,
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
    seats: Vec<Seat>,
    seed: u64,
    server: Box<dyn FnMut(&Question) -> Served>,
    fetches: Vec<FetchSeen>,
    /// By time and order.
    coming: BTreeMap<(u64, u64), Coming>,
    last_number: u64,
    open: BTreeMap<(usize, u32), Open>,
    done: BTreeMap<Ask, Done>,
    log: Vec<Line>,
}

/// The place of a VM.
struct Seat {
    vm: Option<Vm>,
    /// Which VM in this place; what was meant for an earlier one is dropped.
    life: u64,
    next_tick_ms: u64,
}

/// A request without a decision.
struct Open {
    ask: Ask,
    asked_ms: u64,
    reply: Option<Headers>,
    body: Vec<u8>,
}

/// Something that will happen to a VM.
struct Coming {
    vm: usize,
    life: u64,
    what: What,
}

enum What {
    Fetched {
        token: u32,
        fetch: usize,
        response: Option<CallResponse>,
    },
    Answered {
        token: u32,
        answer: Result<Vec<u8>, u32>,
    },
    QueueReady {
        context: u32,
        queue: u32,
    },
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("elapsed_ms", &self.elapsed_ms())
            .field("vms", &self.seats.len())
            .finish_non_exhaustive()
    }
}

impl World {
    fn start(setup: Setup) -> Self {
        let plugin = Plugin {
            plugin_configuration: setup.configuration.to_string().into_bytes(),
            clusters: BTreeSet::from([ISSUER_CLUSTER, ENGINE_CLUSTER].map(str::to_owned)),
            native_signatures: setup.native_signatures,
            ..Plugin::default()
        };
        let mut world = Self {
            engine: Engine::default(),
            clock: SimulatedClock::default(),
            plugin: Arc::new(plugin),
            shared: Arc::default(),
            seats: Vec::new(),
            seed: setup.seed,
            server: Box::new(|_| Served::NoConnection),
            fetches: Vec::new(),
            coming: BTreeMap::new(),
            last_number: 0,
            open: BTreeMap::new(),
            done: BTreeMap::new(),
            log: Vec::new(),
        };
        for vm in 0..setup.vms {
            world.seats.push(Seat {
                vm: None,
                life: 0,
                next_tick_ms: 0,
            });
            world.bring_up(vm);
        }
        world
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.elapsed_ms()
    }

    /// Sets the wall clock of the machine; no time passes.
    pub fn set_clock_by(&mut self, ms: i64) {
        self.clock.set_by(ms);
    }

    /// From now on the key server does what `server` says.
    pub fn serve(&mut self, server: impl FnMut(&Question) -> Served + 'static) {
        self.server = Box::new(server);
    }

    /// From now on the key server publishes exactly these keys.
    pub fn publish(&mut self, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
        self.serve(move |_| Served::keys(&keys));
    }

    /// All fetches so far.
    #[must_use]
    pub fn fetches(&self) -> &[FetchSeen] {
        &self.fetches
    }

    /// All that was logged so far.
    #[must_use]
    pub fn log(&self) -> &[Line] {
        &self.log
    }

    /// What a counter or gauge shows. The module's name for it, without the host's prefix.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        let value = self.shared.metrics.value(&format!("wasmcustom.{name}"));
        value.unwrap_or_else(|| panic!("there is no metric {name}"))
    }

    /// How much memory a VM has taken so far.
    #[must_use]
    pub fn memory_bytes(&self, vm: usize) -> usize {
        self.seats[vm].vm.as_ref().map_or(0, Vm::memory_bytes)
    }

    /// The VM is gone with all that it had under way, as after a trap.
    pub fn lose(&mut self, vm: usize) {
        self.seats[vm].vm = None;
        let lost: Vec<_> = self.open.keys().filter(|it| it.0 == vm).copied().collect();
        for at in lost {
            self.end(at, Outcome::Lost);
        }
    }

    /// A new VM in that place, which finds the shared data.
    pub fn bring_up(&mut self, vm: usize) {
        let life = self.number();
        let setting = Setting {
            plugin: Arc::clone(&self.plugin),
            shared: Arc::clone(&self.shared),
            address: Address(u32::try_from(vm).expect("few")),
            clock: Rc::new(self.clock.clone()),
            random: Box::new(Seeded::new(self.seed ^ (life << 32))),
        };
        let started = Vm::start(&program(), setting).expect("the filter starts");
        let now_ms = self.elapsed_ms();
        let phase_ms = PHASE_MS * u64::try_from(vm).expect("few");
        self.seats[vm] = Seat {
            vm: Some(started),
            life,
            next_tick_ms: now_ms + TICK_MS + phase_ms,
        };
        self.carry_out(vm);
    }

    /// Lets time pass.
    pub fn advance(&mut self, ms: u64) {
        let until_ms = self.elapsed_ms() + ms;
        self.happen();
        while let Some(next_ms) = self.next_ms().filter(|&next_ms| next_ms <= until_ms) {
            self.clock.move_to(next_ms);
            self.happen();
        }
        self.clock.move_to(until_ms);
    }

    /// When something happens next.
    fn next_ms(&self) -> Option<u64> {
        let ticks = self.seats.iter().filter(|seat| seat.vm.is_some());
        let coming = self.coming.keys().next().map(|&(due_ms, _)| due_ms);
        ticks.map(|seat| seat.next_tick_ms).chain(coming).min()
    }

    /// All that is due by now.
    fn happen(&mut self) {
        let now_ms = self.elapsed_ms();
        loop {
            let due = self.coming.first_entry();
            if let Some(due) = due.filter(|it| it.key().0 <= now_ms) {
                let coming = due.remove();
                self.deliver(coming);
                continue;
            }
            let is_due = |seat: &Seat| seat.vm.is_some() && seat.next_tick_ms <= now_ms;
            let Some(vm) = self.seats.iter().position(is_due) else {
                return;
            };
            self.seats[vm].next_tick_ms += TICK_MS;
            self.call(vm, Vm::tick);
        }
    }

    /// A request for the guarded route. None: with a token that is missing.
    pub fn request(&mut self, vm: usize, token: Option<&str>) -> Ask {
        self.request_to(vm, token, "/shop/orders")
    }

    /// A request for any path.
    pub fn request_to(&mut self, vm: usize, token: Option<&str>, path: &str) -> Ask {
        let mut headers = Headers::from_pairs([
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "shop.example"),
            (":path", path),
            ("x-subject", "forged"),
        ]);
        if let Some(token) = token {
            headers.add(b"authorization", format!("Bearer {token}").as_bytes());
        }
        let ask = Ask(self.number());
        let asked_ms = self.elapsed_ms();
        let module = self.seats[vm].vm.as_mut().expect("the VM runs");
        let stream = module
            .request_headers(StreamInfo::default(), headers, true)
            .expect("no trap");
        let open = Open {
            ask,
            asked_ms,
            reply: None,
            body: Vec::new(),
        };
        self.open.insert((vm, stream), open);
        self.carry_out(vm);
        ask
    }

    /// How a request ended, if it has.
    #[must_use]
    pub fn outcome(&self, ask: Ask) -> Option<&Done> {
        self.done.get(&ask)
    }

    /// Lets time pass until a request is decided.
    pub fn decided(&mut self, ask: Ask) -> Done {
        let since_ms = self.elapsed_ms();
        loop {
            if let Some(done) = self.done.remove(&ask) {
                return done;
            }
            assert!(self.elapsed_ms() < since_ms + PATIENCE_MS, "{ask:?} hangs");
            self.advance(1);
        }
    }

    /// A request, decided.
    pub fn get(&mut self, vm: usize, token: &str) -> Done {
        let ask = self.request(vm, Some(token));
        self.decided(ask)
    }

    /// Takes all that was decided, in the order of asking.
    #[must_use]
    pub fn take_done(&mut self) -> Vec<Done> {
        std::mem::take(&mut self.done).into_values().collect()
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.len()
    }

    /// How many VMs there are.
    #[must_use]
    pub fn vms(&self) -> usize {
        self.seats.len()
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// The filter, compiled once for all tests.
fn program() -> Program {
    static COMPILED: OnceLock<Program> = OnceLock::new();
    let load = || {
        let wasm = testbed::wasm().expect("the filter is built");
        Program::load(&wasm).expect("it compiles")
    };
    COMPILED.get_or_init(load).clone()
}
