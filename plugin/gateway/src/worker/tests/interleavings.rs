//! Every order in which the calls of a few workers can reach the engine, with a fault at every place that has one.
//!
//! A run is one path: which client asks next, whose call the engine carries out next, which call meets which fault. A
//! call's answer comes back at once, except where the fault delays or loses it; late copies of a call may arrive at any
//! later point. What is left waiting is helped by ticks, as in life.

use serde_json::json;

use super::explore::Choices;
use super::ledger_of_all::Audit;
use crate::test_support::fault::{DEADLINE_EXCEEDED, Fault};
use crate::test_support::world::{Asked, LegKind};
use crate::test_support::{Request, World, config};

const CUSTOMER: &str = "614";

/// Events of one run, at most: more means that something goes round in circles.
const MAX_EVENTS: usize = 500;

/// A client: the worker that it talks to and what it asks, one after the other.
struct Client {
    node: usize,
    script: Vec<Request>,
}

fn client(node: usize, script: &[Request]) -> Client {
    Client {
        node,
        script: script.to_vec(),
    }
}

/// What a run came to: the statuses that each client got, and the account's whole life.
struct End {
    statuses: Vec<Vec<u16>>,
    audit: Audit,
}

impl End {
    fn count(&self, status: u16) -> usize {
        self.statuses
            .iter()
            .flatten()
            .filter(|&&it| it == status)
            .count()
    }
}

/// What a run may go through.
struct Scene<'a> {
    gateways: &'a [usize],
    start: &'a [Request],
    clients: Vec<Client>,
    max_faults: usize,
    kinds: &'a [Fault],
}

/// A copy of the call arrives at any later time.
const DELAYED: Fault = Fault::DeliveredAfter(1);
/// The call is carried out, and once more at any later time.
const DOUBLED: Fault = Fault::DeliveredAgainAfter(1);
const ALL: &[Fault] = &[Fault::AnswerLost, DELAYED, DOUBLED, Fault::NotDelivered];

impl Scene<'_> {
    /// Takes every path; how many there were.
    fn explore(&self, check: impl Fn(&End)) -> usize {
        let mut world = World::new(config(), self.gateways);
        let mut choices = Choices::default();
        let mut runs = 0;
        loop {
            world = world.recycle();
            for request in self.start {
                assert!(world.reply(request).status < 300);
            }
            let end = self.run(&mut world, &mut choices);
            end.audit.check();
            check(&end);
            runs += 1;
            if !choices.next() {
                return runs;
            }
        }
    }

    fn run(&self, world: &mut World, choices: &mut Choices) -> End {
        let mut faults_left = self.max_faults;
        let mut asked: Vec<Vec<Asked>> = vec![Vec::new(); self.clients.len()];
        for _ in 0..MAX_EVENTS {
            let ready: Vec<usize> = (0..self.clients.len())
                .filter(|&number| {
                    let all = &asked[number];
                    let waits = all.last().is_some_and(|it| world.replies[it].is_empty());
                    !waits && all.len() < self.clients[number].script.len()
                })
                .collect();
            let legs = world.legs.len();
            match ready.len() + legs {
                0 if world.at_rest() => return self.end(world, &asked),
                0 => world.tick(),
                options => {
                    let choice = choices.of(options);
                    if let Some(&number) = ready.get(choice) {
                        let client = &self.clients[number];
                        let request = &client.script[asked[number].len()];
                        asked[number].push(world.ask(client.node, request));
                    } else {
                        self.deliver(world, choice - ready.len(), &mut faults_left, choices);
                    }
                }
            }
        }
        panic!("no end after {MAX_EVENTS} events");
    }

    /// One call reaches the engine, or not; its answer comes back, or not.
    fn deliver(
        &self,
        world: &mut World,
        place: usize,
        faults_left: &mut usize,
        choices: &mut Choices,
    ) {
        let LegKind::ToEngine { call, answered } = world.legs[place].kind.clone() else {
            return world.go(place);
        };
        if answered.is_none() {
            return world.go(place);
        }
        let fault = match *faults_left {
            0 => None,
            _ => choices.of(self.kinds.len() + 1).checked_sub(1),
        };
        let Some(fault) = fault.map(|number| self.kinds[number]) else {
            world.go(place);
            return answer(world);
        };
        *faults_left -= 1;
        let node = world.legs[place].node;
        match fault {
            Fault::NotDelivered => drop(world.legs.remove(place)),
            Fault::AnswerLost => {
                world.legs[place].kind = LegKind::ToEngine {
                    call: call.clone(),
                    answered: None,
                };
                world.go(place);
            }
            DOUBLED => {
                let mut copy = world.legs[place].clone();
                copy.kind = LegKind::ToEngine {
                    call,
                    answered: None,
                };
                world.go(place);
                answer(world);
                world.legs.push(copy);
                return;
            }
            _ => {
                world.legs[place].kind = LegKind::ToEngine {
                    call: call.clone(),
                    answered: None,
                };
            }
        }
        world.fail(node, call.id, DEADLINE_EXCEEDED);
    }

    fn end(&self, world: &World, asked: &[Vec<Asked>]) -> End {
        let statuses = asked
            .iter()
            .map(|asked| {
                asked
                    .iter()
                    .map(|it| world.only_reply(*it).status)
                    .collect()
            })
            .collect();
        End {
            statuses,
            audit: Audit::of(world, CUSTOMER),
        }
    }
}

/// The answer that was just given comes back before anything else happens.
fn answer(world: &mut World) {
    let last = world.legs.len() - 1;
    assert!(matches!(world.legs[last].kind, LegKind::ToWorker { .. }));
    world.go(last);
}

fn add(id: &str, points: u64) -> Request {
    Request::add(CUSTOMER, &json!({"id": id, "points": points}))
}

fn redeem(id: &str, points: u64) -> Request {
    Request::redeem(CUSTOMER, &json!({"id": id, "points": points}))
}

/// Workers of one gateway, and gateways with a worker each.
const TWO: [&[usize]; 2] = [&[2], &[1, 1]];
const THREE: [&[usize]; 2] = [&[3], &[1, 1, 1]];

#[test]
fn redeeming_everything_twice_succeeds_once() {
    for gateways in TWO {
        for max_faults in [0, 1, 2] {
            let runs = Scene {
                gateways,
                start: &[add("start", 100)],
                clients: vec![
                    client(0, &[redeem("a", 100)]),
                    client(1, &[redeem("b", 100)]),
                ],
                max_faults,
                kinds: ALL,
            }
            .explore(|end| {
                assert_eq!(
                    [end.count(201), end.count(400)],
                    [1, 1],
                    "{:?}",
                    end.statuses
                );
                assert_eq!(end.audit.balance(), Some(0));
            });
            assert!(runs > 1);
        }
    }
}

#[test]
fn three_that_redeem_everything() {
    for gateways in THREE {
        for max_faults in [0, 1] {
            Scene {
                gateways,
                start: &[add("start", 100)],
                clients: (0..3)
                    .map(|node| client(node, &[redeem(&format!("r{node}"), 100)]))
                    .collect(),
                max_faults,
                kinds: &[Fault::AnswerLost, DELAYED],
            }
            .explore(|end| {
                assert_eq!(
                    [end.count(201), end.count(400)],
                    [1, 2],
                    "{:?}",
                    end.statuses
                );
                assert_eq!(end.audit.balance(), Some(0));
            });
        }
    }
}

#[test]
fn generated_ids_are_applied_once_too() {
    for gateways in TWO {
        let anonymous = Request::add(CUSTOMER, &json!({"points": 7}));
        Scene {
            gateways,
            start: &[],
            clients: vec![client(0, &[anonymous.clone()]), client(1, &[anonymous])],
            max_faults: 2,
            kinds: &[Fault::AnswerLost, DELAYED],
        }
        .explore(|end| {
            assert_eq!(end.count(201), 2);
            assert_eq!(end.audit.balance(), Some(14));
        });
    }
}

#[test]
fn creating_twice_succeeds_once() {
    for gateways in TWO {
        for body in [json!({}), json!({"startPoints": {"points": 5}})] {
            let create = Request::create(CUSTOMER, &body);
            Scene {
                gateways,
                start: &[],
                clients: vec![client(0, &[create.clone()]), client(1, &[create])],
                max_faults: 1,
                kinds: ALL,
            }
            .explore(|end| {
                assert_eq!(
                    [end.count(200), end.count(409)],
                    [1, 1],
                    "{:?}",
                    end.statuses
                );
                assert_eq!(end.audit.written().values().sum::<usize>(), 1);
            });
        }
    }
}

#[test]
fn adding_while_it_is_deleted_and_made_again() {
    for gateways in TWO {
        let script = [Request::delete(CUSTOMER), add("again", 3)];
        Scene {
            gateways,
            start: &[add("start", 100)],
            clients: vec![client(0, &script), client(1, &[add("other", 50)])],
            max_faults: 1,
            kinds: ALL,
        }
        .explore(|end| {
            assert_eq!(end.statuses, [vec![200, 201], vec![201]]);
            let written = end.audit.written();
            assert!(
                ["start", "again", "other"]
                    .iter()
                    .all(|id| written[*id] == 1)
            );
            assert_eq!(end.audit.deletions(), 1);
            assert!(matches!(end.audit.balance(), Some(3 | 53)));
        });
    }
}

#[test]
fn deleting_twice_deletes_one_life() {
    for gateways in TWO {
        let script = [Request::delete(CUSTOMER), add("again", 3)];
        Scene {
            gateways,
            start: &[add("start", 100)],
            clients: vec![client(0, &script), client(1, &[Request::delete(CUSTOMER)])],
            max_faults: 1,
            kinds: ALL,
        }
        .explore(|end| {
            assert_eq!(end.statuses, [vec![200, 201], vec![200]]);
            // The second deletion finds nothing, or the account made again.
            let left = if end.audit.deletions() == 1 {
                Some(3)
            } else {
                None
            };
            assert_eq!(end.audit.balance(), left);
        });
    }
}

#[test]
fn the_same_id_at_two_workers() {
    for gateways in TWO {
        for other in [7, 8] {
            Scene {
                gateways,
                start: &[add("start", 100)],
                clients: vec![
                    client(0, &[add("same", 7)]),
                    client(1, &[add("same", other)]),
                ],
                max_faults: 1,
                kinds: ALL,
            }
            .explore(|end| {
                assert_eq!(end.audit.written()["same"], 1);
                if other == 7 {
                    assert_eq!(end.count(201), 2, "{:?}", end.statuses);
                } else {
                    assert_eq!(
                        [end.count(201), end.count(409)],
                        [1, 1],
                        "{:?}",
                        end.statuses
                    );
                }
            });
        }
    }
}

#[test]
fn the_same_key_at_two_workers() {
    for gateways in TWO {
        for (other, refused) in [(7, 0), (8, 1)] {
            let keyed = |points: u64| Request::add(CUSTOMER, &json!({"points": points})).key("k");
            Scene {
                gateways,
                start: &[add("start", 100)],
                clients: vec![client(0, &[keyed(7)]), client(1, &[keyed(other)])],
                max_faults: 1,
                kinds: ALL,
            }
            .explore(|end| {
                assert_eq!(end.count(422), refused, "{:?}", end.statuses);
                assert_eq!(end.count(201), 2 - refused);
                assert_eq!(end.audit.written().len(), 2, "one entry besides the first");
            });
        }
    }
}

#[test]
fn redeeming_parts_never_spends_more_than_there_is() {
    for gateways in TWO {
        Scene {
            gateways,
            start: &[add("start", 10)],
            clients: vec![
                client(0, &[redeem("a", 6), add("b", 1)]),
                client(1, &[redeem("c", 5), redeem("d", 4)]),
            ],
            max_faults: 1,
            kinds: &[Fault::AnswerLost, DELAYED],
        }
        .explore(|end| {
            let audit = &end.audit;
            let done = |id: &str| audit.written().get(id) == Some(&1);
            let spent = [("a", 6), ("c", 5), ("d", 4)]
                .iter()
                .filter(|(id, _)| done(id))
                .map(|(_, points)| points)
                .sum::<u64>();
            assert_eq!(audit.balance(), Some(11 - spent));
            let acknowledged = end.count(201);
            assert_eq!(
                acknowledged,
                audit.written().len() - 1,
                "{:?}",
                end.statuses
            );
        });
    }
}
