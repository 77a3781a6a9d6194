//! Workers, their gateways, one engine and the calls between them, under virtual time.
//!
//! Every event is one leg of a call: it reaches the engine, or its answer reaches the worker. [`World::run`] takes them by
//! time; a test that looks for bad orders takes [`World::legs`] in any order with
//! [`World::go`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::CLUSTER;
use super::engine::Engine;
use super::engine::watch::Watch;
use super::fault::Fault;
use super::host::{SharedData, TestHost};
use super::network::Leg;
use super::request::Request;
use crate::access::test_support::NOW_MS;
use crate::api::reply::Reply;
use crate::config::Config;
use crate::engine::{Answer, Call, CallId, StreamId};
use crate::exchange::{Exchange, Input, Onward, Step};
use crate::gate::{Fetch, Fetched};
use crate::wake::ExchangeId;
use crate::worker::{TICK_MS, Worker};

/// Steps after which a world that has not come to rest never will.
const MAX_STEPS: usize = 1_000_000;

/// One worker VM.
pub(crate) struct Node {
    pub(crate) worker: Worker,
    pub(crate) host: TestHost,
    pub(super) exchanges: BTreeMap<u32, Exchange>,
    /// The watches that the worker has open.
    pub(crate) streams: BTreeMap<StreamId, Watch>,
}

/// Which of the requests made in a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked(pub(crate) u32);

/// The shared data of one gateway's workers.
type SharedMap = Rc<RefCell<SharedData>>;

/// Decides on the fault of each call.
type FaultPlan = Box<dyn FnMut(usize, &Call) -> Fault>;

/// What is answered to a fetch, and after how many milliseconds; later than its time limit counts as no answer.
pub(crate) type KeyServer = Box<dyn FnMut(&Fetch) -> (i64, Fetched)>;

pub(crate) struct World {
    pub(crate) clock: Rc<Cell<i64>>,
    /// The engine behind the cluster that the tests' configuration names.
    pub(crate) engine: Engine,
    /// The engines behind other clusters, by name, from their first call on.
    pub(crate) others: BTreeMap<String, Engine>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) legs: Vec<Leg>,
    pub(crate) replies: BTreeMap<Asked, Vec<Reply>>,
    /// Requests that were let through, and how they were changed.
    pub(crate) passed_on: BTreeMap<Asked, Onward>,
    /// What is answered to a fetch, and after how many milliseconds.
    pub(crate) key_server: KeyServer,
    /// Every fetch that was made, in order.
    pub(crate) fetches: Vec<(usize, Fetch)>,
    /// Every call that was made, in order.
    pub(crate) calls: Vec<(usize, Call)>,
    /// Decides on the fault of each call: of the node, for the call.
    pub(crate) faults: FaultPlan,
    /// Whether watches reach the engine; without, every gateway's copies are never current.
    pub(crate) watching: bool,
    next_tick_ms: i64,
    last_asked: u32,
    pub(super) last_order: u64,
}

impl World {
    /// One gateway with one worker.
    pub(crate) fn single(config: Config) -> Self {
        Self::new(config, &[1])
    }

    /// Gateways with so many workers each, all over one engine. Workers are numbered through.
    pub(crate) fn new(config: Config, gateways: &[usize]) -> Self {
        let clock = Rc::new(Cell::new(NOW_MS));
        let mut nodes = Vec::new();
        for &workers in gateways {
            let shared: SharedMap = Rc::default();
            for _ in 0..workers {
                let seed = nodes.len() as u64 + 1;
                let host = TestHost::new(Rc::clone(&clock), Rc::clone(&shared), seed);
                // Finding out what a host can check takes longer than most tests.
                host.native.set(false);
                nodes.push(Node {
                    worker: Worker::new(config.clone(), &host).expect("a good configuration"),
                    host,
                    exchanges: BTreeMap::new(),
                    streams: BTreeMap::new(),
                });
            }
        }
        Self {
            clock,
            engine: Engine::default(),
            others: BTreeMap::new(),
            nodes,
            legs: Vec::new(),
            replies: BTreeMap::new(),
            passed_on: BTreeMap::new(),
            key_server: Box::new(|_| (1, Fetched::Nothing)),
            fetches: Vec::new(),
            calls: Vec::new(),
            faults: Box::new(|_, _| Fault::None),
            watching: false,
            next_tick_ms: NOW_MS + i64::from(TICK_MS),
            last_asked: 0,
            last_order: 0,
        }
    }

    /// The same workers in a world of which they know nothing: as fast as a new one is slow to make.
    pub(crate) fn recycle(self) -> Self {
        let mut world = Self {
            clock: Rc::new(Cell::new(NOW_MS)),
            nodes: Vec::new(),
            engine: Engine::default(),
            others: BTreeMap::new(),
            legs: Vec::new(),
            replies: BTreeMap::new(),
            passed_on: BTreeMap::new(),
            key_server: Box::new(|_| (1, Fetched::Nothing)),
            fetches: Vec::new(),
            calls: Vec::new(),
            faults: Box::new(|_, _| Fault::None),
            watching: false,
            next_tick_ms: NOW_MS + i64::from(TICK_MS),
            last_asked: 0,
            last_order: 0,
        };
        let mut maps: Vec<(SharedMap, SharedMap)> = Vec::new();
        for (number, node) in self.nodes.into_iter().enumerate() {
            assert!(node.worker.is_idle(), "a worker that still has jobs");
            let old = &node.host.shared;
            let known = maps.iter().find(|(it, _)| Rc::ptr_eq(it, old));
            let shared = match known {
                Some((_, shared)) => Rc::clone(shared),
                None => {
                    maps.push((Rc::clone(old), Rc::default()));
                    Rc::clone(&maps[maps.len() - 1].1)
                }
            };
            world.nodes.push(Node {
                worker: node.worker,
                host: TestHost::new(Rc::clone(&world.clock), shared, number as u64 + 1),
                exchanges: BTreeMap::new(),
                streams: BTreeMap::new(),
            });
        }
        world
    }

    /// The engine behind this cluster.
    pub(crate) fn engine_of(&mut self, cluster: &str) -> &mut Engine {
        if cluster == CLUSTER {
            return &mut self.engine;
        }
        let stores = 1000 * (self.others.len() as u64 + 1);
        let new = || Engine::after(stores);
        self.others.entry(cluster.to_owned()).or_insert_with(new)
    }

    /// Hands a request to a worker, as a stream's callbacks do. Nothing else happens yet.
    pub(crate) fn ask(&mut self, node: usize, request: &Request) -> Asked {
        let asked = self.head(node, request);
        if let Some(body) = &request.body
            && self.replies[&asked].is_empty()
            && !self.passed_on.contains_key(&asked)
        {
            let total_bytes = body.len();
            let step = self.advance(node, asked, Input::BodyGrown { total_bytes });
            if matches!(step, Step::AwaitBody) {
                self.take_step(asked, step);
                let step = self.advance(node, asked, Input::Body(body));
                self.take_step(asked, step);
            } else {
                self.take_step(asked, step);
            }
        }
        self.make_calls(node);
        asked
    }

    /// Hands over the head of a request alone.
    pub(crate) fn head(&mut self, node: usize, request: &Request) -> Asked {
        self.last_asked += 1;
        let asked = Asked(self.last_asked);
        self.replies.insert(asked, Vec::new());
        let exchange = Exchange::new(ExchangeId(asked.0));
        self.nodes[node].exchanges.insert(asked.0, exchange);
        let headers: Vec<(&[u8], &[u8])> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
            .collect();
        let end = request.body.is_none();
        let headers = headers.as_slice();
        let step = self.advance(node, asked, Input::Head { headers, end });
        self.take_step(asked, step);
        asked
    }

    pub(crate) fn advance(&mut self, node: usize, asked: Asked, input: Input<'_>) -> Step {
        let node = &mut self.nodes[node];
        let exchange = node.exchanges.get_mut(&asked.0).expect("an exchange");
        exchange.advance(input, &mut node.worker, &node.host)
    }

    fn take_step(&mut self, asked: Asked, step: Step) {
        match step {
            Step::Reply(reply) => self.replies.entry(asked).or_default().push(reply),
            Step::PassOn(onward) => {
                let again = self.passed_on.insert(asked, *onward);
                assert_eq!(again, None, "passed on twice");
            }
            Step::AwaitBody | Step::AwaitOutcome | Step::Passing | Step::Settled => {}
        }
    }

    /// The client of a request leaves, as `on_done` tells the filter.
    pub(crate) fn leave(&mut self, node: usize, asked: Asked) {
        let node = &mut self.nodes[node];
        let exchange = node.exchanges.remove(&asked.0).expect("an exchange");
        if exchange.awaits_outcome() {
            node.worker.gone(ExchangeId(asked.0));
        }
    }

    /// Carries out all that a worker wants, as the filter's root does.
    pub(super) fn make_calls(&mut self, number: usize) {
        loop {
            let node = &mut self.nodes[number];
            let calls = node.worker.take_calls(&node.host);
            for call in calls {
                let fault = (self.faults)(number, &call);
                self.calls.push((number, call.clone()));
                self.make(number, call, fault);
            }
            for effect in self.nodes[number].worker.take_streams() {
                self.stream(number, effect);
            }
            for fetch in self.nodes[number].worker.take_fetches() {
                self.fetches.push((number, fetch.clone()));
                self.fetch(number, fetch);
            }
            let woken = self.nodes[number].worker.take_woken();
            if woken.is_empty() {
                return;
            }
            for woken in woken {
                let ExchangeId(asked) = woken.exchange;
                let node = &mut self.nodes[number];
                let Some(exchange) = node.exchanges.get_mut(&asked) else {
                    continue;
                };
                let news = Input::News(woken.news);
                let step = exchange.advance(news, &mut node.worker, &node.host);
                self.take_step(Asked(asked), step);
            }
        }
    }

    /// Tells a worker that its call failed.
    pub(crate) fn fail(&mut self, number: usize, id: CallId, grpc_status: u32) {
        let node = &mut self.nodes[number];
        let answer = Answer::Unknown { grpc_status };
        node.worker.answered(id, answer, &node.host);
        self.make_calls(number);
    }

    /// Moves the clock to the next tick and lets every worker have it.
    pub(crate) fn tick(&mut self) {
        self.clock.set(self.next_tick_ms.max(self.clock.get()));
        self.next_tick_ms = self.clock.get() + i64::from(TICK_MS);
        for number in 0..self.nodes.len() {
            let node = &mut self.nodes[number];
            node.worker.tick(&node.host);
            self.make_calls(number);
        }
    }

    /// When workers are called next, whatever happens.
    pub(crate) const fn next_tick_ms(&self) -> i64 {
        self.next_tick_ms
    }

    /// Whether nothing can happen any more.
    pub(crate) fn at_rest(&self) -> bool {
        self.legs.is_empty() && self.nodes.iter().all(|node| node.worker.is_idle())
    }

    /// Takes events by their time until nothing can happen any more.
    pub(crate) fn run(&mut self) {
        for _ in 0..MAX_STEPS {
            if self.at_rest() {
                return;
            }
            self.step();
        }
        panic!("the world does not come to rest");
    }

    /// Takes events by their time until this is reached.
    pub(crate) fn run_to(&mut self, reached: impl Fn(&Self) -> bool) {
        for _ in 0..MAX_STEPS {
            if reached(self) {
                return;
            }
            self.step();
        }
        panic!("the world does not get there");
    }

    /// Takes events by their time until this one would come later.
    pub(crate) fn run_until(&mut self, time_ms: i64) {
        while self.next_event_ms() <= time_ms {
            self.step();
        }
        self.clock.set(time_ms.max(self.clock.get()));
    }

    fn next_event_ms(&self) -> i64 {
        let legs = self.legs.iter().map(|leg| leg.due_ms).min();
        legs.map_or(self.next_tick_ms, |due| due.min(self.next_tick_ms))
    }

    fn step(&mut self) {
        let first = (0..self.legs.len()).min_by_key(|&place| {
            let leg = &self.legs[place];
            (leg.due_ms, leg.order)
        });
        match first {
            Some(place) if self.legs[place].due_ms <= self.next_tick_ms => {
                let due = self.legs[place].due_ms;
                self.clock.set(due.max(self.clock.get()));
                self.go(place);
            }
            _ => self.tick(),
        }
    }

    /// Asks and runs until nothing can happen any more; the one reply.
    pub(crate) fn reply(&mut self, request: &Request) -> Reply {
        self.reply_of(0, request)
    }

    /// The same at a certain worker.
    pub(crate) fn reply_of(&mut self, node: usize, request: &Request) -> Reply {
        let asked = self.ask(node, request);
        self.run();
        self.only_reply(asked)
    }

    /// The reply to a request that has exactly one.
    pub(crate) fn only_reply(&self, asked: Asked) -> Reply {
        match self.replies[&asked].as_slice() {
            [reply] => reply.clone(),
            replies => panic!("replies to one request: {replies:?}"),
        }
    }

    /// Asks, runs, and fails with the whole reply when its status is another.
    pub(crate) fn expect(&mut self, status: u16, request: &Request) -> Reply {
        let reply = self.reply(request);
        let shown = super::request::show(&reply);
        assert_eq!(reply.status, status, "{request:?}\n{shown}");
        reply
    }

    /// Lets time pass with nothing under way.
    pub(crate) fn pass(&mut self, ms: i64) {
        self.run();
        self.clock.set(self.clock.get() + ms);
    }
}
