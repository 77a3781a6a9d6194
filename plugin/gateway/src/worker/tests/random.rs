//! Random scripts, faults and times against the naive expectation: whoever sends each operation again under its id until
//! it is acknowledged has it done exactly once, and the balance is the sum of what was acknowledged. Calls go astray,
//! workers die with all that they had under way, and their clocks differ.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::ledger_of_all::Audit;
use crate::test_support::fault::{Fault, Nonsense};
use crate::test_support::host::next_random;
use crate::test_support::world::Asked;
use crate::test_support::{Request, World, config};

const CUSTOMER: &str = "614";
const GATEWAYS: [&[usize]; 4] = [&[1], &[2], &[1, 1], &[2, 1]];

/// Times that one operation is sent before the engine is left in peace.
const MAX_SENDINGS: usize = 12;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Add(u64),
    Redeem(u64),
}

/// One operation: what it does, which client does it, how long after the client's last one.
#[derive(Debug, Clone, Copy)]
struct Planned {
    kind: Kind,
    client: usize,
    pause_ms: i64,
    by_key: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        (1..100_u64).prop_map(Kind::Add),
        (1..150_u64).prop_map(Kind::Redeem),
    ]
}

fn planned() -> impl Strategy<Value = Planned> {
    (kind(), 0..4_usize, 0..300_i64, any::<bool>()).prop_map(|(kind, client, pause_ms, by_key)| {
        Planned {
            kind,
            client,
            pause_ms,
            by_key,
        }
    })
}

fn fault(seed: &mut u64) -> Fault {
    let ms = (next_random(seed) % 3000) as i64;
    match next_random(seed) % 9 {
        0 => Fault::NotDelivered,
        1 => Fault::AnswerLost,
        2 => Fault::AnswerLate,
        3 => Fault::AnswerTwice,
        4 => Fault::DeliveredAfter(ms),
        5 => Fault::DeliveredAgainAfter(ms),
        6 => Fault::Malformed(Nonsense::Empty),
        7 => Fault::Malformed(Nonsense::Garbage),
        _ => Fault::Refused(8),
    }
}

/// A client with its operations still to do, and the one that it waits for.
struct Client {
    node: usize,
    todo: Vec<(usize, Planned)>,
    waits_for: Option<Asked>,
    sendings: usize,
    next_ms: i64,
}

struct Script {
    world: World,
    clients: Vec<Client>,
    /// The last status of each operation.
    statuses: BTreeMap<usize, u16>,
    /// Requests whose worker died.
    lost: BTreeSet<Asked>,
    /// When the next worker dies.
    deaths_ms: Vec<i64>,
}

impl Script {
    fn new(gateways: &[usize], plan: &[Planned], seed: u64, percent: u64) -> Self {
        let mut world = World::new(config(), gateways);
        let mut seed = seed;
        let start = world.clock.get();
        let mut ms = |most: u64| (next_random(&mut seed) % most) as i64;
        let mut deaths_ms: Vec<i64> = (0..3).map(|_| start + ms(6000)).collect();
        deaths_ms.sort_unstable();
        for node in &world.nodes {
            node.host.skew_ms.set(ms(10_000) - 5000);
        }
        world.faults = Box::new(move |_, _| match next_random(&mut seed) % 100 < percent {
            true => fault(&mut seed),
            false => Fault::None,
        });
        let clients = (0..4).map(|number| Client {
            node: number % world.nodes.len(),
            todo: plan
                .iter()
                .copied()
                .enumerate()
                .rev()
                .filter(|(_, planned)| planned.client == number)
                .collect(),
            waits_for: None,
            sendings: 0,
            next_ms: world.clock.get(),
        });
        Self {
            clients: clients.collect(),
            world,
            statuses: BTreeMap::new(),
            lost: BTreeSet::new(),
            deaths_ms,
        }
    }

    fn run(&mut self) {
        for _ in 0..10_000 {
            for number in 0..self.clients.len() {
                self.take_reply(number);
                self.send(number);
            }
            if self.clients.iter().all(|client| client.todo.is_empty()) {
                return self.world.run();
            }
            self.bury();
            let now = self.world.clock.get();
            self.world.run_until(now + 10);
        }
        panic!("the clients are never done");
    }

    /// When its time has come, a worker dies; whoever waited for it sends again.
    fn bury(&mut self) {
        let now = self.world.clock.get();
        if self.deaths_ms.first().is_none_or(|&death| death > now) {
            return;
        }
        let death = self.deaths_ms.remove(0);
        let nodes = self.world.nodes.len();
        let dead = usize::try_from(death).expect("a time") % nodes;
        self.world.restart(dead, config());
        for client in &mut self.clients {
            if client.node == dead
                && let Some(asked) = client.waits_for
                && self.world.replies[&asked].is_empty()
            {
                self.lost.insert(asked);
                client.waits_for = None;
            }
        }
    }

    /// A 503 is sent again, under the same name, at whichever worker; anything else is final.
    fn take_reply(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let Some(asked) = client.waits_for else {
            return;
        };
        let [reply] = self.world.replies[&asked].as_slice() else {
            return;
        };
        client.waits_for = None;
        if reply.status == 503 {
            client.node = (client.node + 1) % self.world.nodes.len();
            if client.sendings >= MAX_SENDINGS {
                self.world.faults = Box::new(|_, _| Fault::None);
            }
            return;
        }
        let (operation, planned) = client.todo.pop().expect("what it waited for");
        self.statuses.insert(operation, reply.status);
        client.sendings = 0;
        client.next_ms = self.world.clock.get() + planned.pause_ms;
    }

    fn send(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let Some(&(operation, planned)) = client.todo.last() else {
            return;
        };
        if client.waits_for.is_some() || client.next_ms > self.world.clock.get() {
            return;
        }
        client.sendings += 1;
        let request = request(operation, planned);
        client.waits_for = Some(self.world.ask(client.node, &request));
    }
}

fn request(operation: usize, planned: Planned) -> Request {
    let name = format!("operation-{operation}");
    let (points, make): (u64, fn(&str, &serde_json::Value) -> Request) = match planned.kind {
        Kind::Add(points) => (points, Request::add),
        Kind::Redeem(points) => (points, Request::redeem),
    };
    match planned.by_key {
        true => make(CUSTOMER, &json!({"points": points, "description": name})).key(&name),
        false => make(
            CUSTOMER,
            &json!({"points": points, "id": name, "description": name}),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_acknowledged_is_done_exactly_once(
        plan in proptest::collection::vec(planned(), 1..25),
        gateways in 0..GATEWAYS.len(),
        seed in any::<u64>(),
        percent in 0..60_u64,
    ) {
        let mut script = Script::new(GATEWAYS[gateways], &plan, seed, percent);
        script.run();
        let audit = Audit::of(&script.world, CUSTOMER);
        audit.check();
        let written: BTreeMap<String, usize> = audit
            .account()
            .into_iter()
            .flat_map(|account| account.entries())
            .filter_map(|entry| entry.description.as_ref())
            .fold(BTreeMap::new(), |mut counts, name| {
                *counts.entry(name.as_str().to_owned()).or_default() += 1;
                counts
            });
        let mut balance: i64 = 0;
        for (operation, planned) in plan.iter().enumerate() {
            let status = script.statuses[&operation];
            let times = written.get(&format!("operation-{operation}")).copied().unwrap_or(0);
            match (status, planned.kind) {
                (201, Kind::Add(points)) => balance += points as i64,
                (201, Kind::Redeem(points)) => balance -= points as i64,
                (400 | 404, Kind::Redeem(_)) => {}
                _ => prop_assert!(false, "{planned:?} was answered {status}"),
            }
            prop_assert_eq!(times, usize::from(status == 201), "operation {}", operation);
        }
        prop_assert_eq!(audit.balance().unwrap_or(0) as i64, balance);
        for (asked, replies) in &script.world.replies {
            prop_assert_eq!(replies.len(), usize::from(!script.lost.contains(asked)));
        }
    }
}
