//! One scene, run in every order in which the calls of a few workers can reach the engine.
//!
//! A run is one path: which client asks next, whose call the engine carries out next, which call meets which fault. A
//! call's answer comes back at once unless the scene has late answers, or the fault loses it; late copies of a call may
//! arrive at any later point. What is left waiting is helped by ticks, as in life.

use super::ledger_of_all::Audit;
use crate::test_support::explore::Choices;
use crate::test_support::fault::{DEADLINE_EXCEEDED, Fault};
use crate::test_support::network::LegKind;
use crate::test_support::world::Asked;
use crate::test_support::{Request, World, config};

/// Of whom every scene is.
const CUSTOMER: &str = "614";

/// Events of one run, at most: more means that something goes round in circles.
const MAX_EVENTS: usize = 500;

/// A client: the worker that it talks to and what it asks, one after the other.
pub(super) struct Client {
    node: usize,
    script: Vec<Request>,
}

pub(super) fn client(node: usize, script: &[Request]) -> Client {
    Client {
        node,
        script: script.to_vec(),
    }
}

/// What a run came to: the statuses that each client got, and the account's whole life.
pub(super) struct End {
    pub(super) statuses: Vec<Vec<u16>>,
    pub(super) audit: Audit,
}

impl End {
    pub(super) fn count(&self, status: u16) -> usize {
        self.statuses
            .iter()
            .flatten()
            .filter(|&&it| it == status)
            .count()
    }
}

/// What a run may go through.
pub(super) struct Scene<'a> {
    pub(super) gateways: &'a [usize],
    pub(super) start: &'a [Request],
    pub(super) clients: Vec<Client>,
    pub(super) max_faults: usize,
    pub(super) kinds: &'a [Fault],
    /// Whether answers too may come at any later time, so that workers install and start in any order.
    pub(super) late_answers: bool,
}

/// A copy of the call arrives at any later time.
pub(super) const DELAYED: Fault = Fault::DeliveredAfter(1);
/// The call is carried out, and once more at any later time.
const DOUBLED: Fault = Fault::DeliveredAgainAfter(1);
pub(super) const ALL: &[Fault] = &[Fault::AnswerLost, DELAYED, DOUBLED, Fault::NotDelivered];

impl Scene<'_> {
    /// Takes every path; how many there were.
    pub(super) fn explore(&self, check: impl Fn(&End)) -> usize {
        self.explore_from(|_| {}, check)
    }

    /// The same in a world that was prepared before anything is asked.
    pub(super) fn explore_from(&self, prepare: impl Fn(&mut World), check: impl Fn(&End)) -> usize {
        let mut world = World::new(config(), self.gateways);
        let mut choices = Choices::default();
        let mut runs = 0;
        loop {
            world = world.recycle();
            prepare(&mut world);
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
            if !self.late_answers {
                answer(world);
            }
            return;
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
