//! The calls of a [`World`] on their way: what a fault makes of each of them, leg by leg.

use bytes::Bytes;

use super::fault::{DEADLINE_EXCEEDED, Fault, UNAVAILABLE};
use super::world::World;
use crate::config::Config;
use crate::engine::{Answer, Call, CallId, StreamEffect, StreamId};
use crate::gate::{Fetch, FetchId, Fetched};
use crate::worker::Worker;

/// One leg of a call, under way.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub(super) due_ms: i64,
    pub(super) order: u64,
    pub(crate) node: usize,
    pub(crate) kind: LegKind,
}

#[derive(Debug, Clone)]
pub(crate) enum LegKind {
    ToEngine {
        call: Call,
        /// How the answer travels; none: nobody hears of it.
        answered: Option<Fault>,
    },
    ToWorker {
        id: CallId,
        answer: Answer,
    },
    Fetched {
        id: FetchId,
        answer: Fetched,
    },
    /// A message of a watch.
    Watched {
        id: StreamId,
        message: Bytes,
    },
}

impl World {
    /// A fetch reaches the key server and comes back.
    pub(super) fn fetch(&mut self, node: usize, fetch: Fetch) {
        let (after_ms, answer) = (self.key_server)(&fetch);
        let (id, limit_ms) = (fetch.id, i64::from(fetch.timeout_ms));
        let answer = match answer {
            _ if after_ms >= limit_ms => Fetched::Nothing,
            Fetched::Answer { body, .. } if body.len() > fetch.max_bytes => Fetched::TooLarge,
            answer => answer,
        };
        let kind = LegKind::Fetched { id, answer };
        self.send(node, after_ms.min(limit_ms), kind);
    }

    pub(super) fn make(&mut self, node: usize, call: Call, fault: Fault) {
        let (id, timeout_ms) = (call.id, i64::from(call.timeout_ms));
        assert!(timeout_ms > 0, "a call without time");
        let unknown = |grpc_status| LegKind::ToWorker {
            id,
            answer: Answer::Unknown { grpc_status },
        };
        let carried_out = |answered| LegKind::ToEngine { call, answered };
        match fault {
            Fault::NotDelivered => self.send(node, 1, unknown(UNAVAILABLE)),
            Fault::Refused(status) => self.send(node, 2, unknown(status)),
            Fault::AnswerLost => {
                self.send(node, 1, carried_out(None));
                self.send(node, timeout_ms, unknown(DEADLINE_EXCEEDED));
            }
            Fault::AnswerLate => {
                self.send(node, 1, carried_out(Some(fault)));
                self.send(node, timeout_ms, unknown(DEADLINE_EXCEEDED));
            }
            Fault::DeliveredAfter(ms) => {
                self.send(node, ms, carried_out(None));
                self.send(node, timeout_ms, unknown(DEADLINE_EXCEEDED));
            }
            Fault::DeliveredAgainAfter(ms) => {
                self.send(node, 1, carried_out(Some(Fault::None)));
                self.send_again(node, ms);
            }
            Fault::None | Fault::AnswerTwice | Fault::Malformed(_) => {
                self.send(node, 1, carried_out(Some(fault)));
            }
        }
    }

    fn send(&mut self, node: usize, after_ms: i64, kind: LegKind) {
        self.last_order += 1;
        self.legs.push(Leg {
            due_ms: self.clock.get() + after_ms,
            order: self.last_order,
            node,
            kind,
        });
    }

    /// A second copy of the call that was sent last; nobody hears of it.
    fn send_again(&mut self, node: usize, after_ms: i64) {
        let sent = self.legs.last().map(|leg| leg.kind.clone());
        if let Some(LegKind::ToEngine { call, .. }) = sent {
            let answered = None;
            self.send(node, after_ms, LegKind::ToEngine { call, answered });
        }
    }

    /// Lets one leg arrive.
    pub(crate) fn go(&mut self, place: usize) {
        let leg = self.legs.remove(place);
        match leg.kind {
            LegKind::ToEngine { call, answered } => {
                let result = self
                    .engine_of(&call.cluster)
                    .execute(call.method, &call.message);
                self.tell_watches();
                let Some(fault) = answered else { return };
                let answer = match (fault, result) {
                    (Fault::Malformed(nonsense), _) => Answer::Message(nonsense.bytes()),
                    (_, Ok(message)) => Answer::Message(message),
                    (_, Err(grpc_status)) => Answer::Unknown { grpc_status },
                };
                let after_ms = match fault {
                    Fault::AnswerLate => i64::from(call.timeout_ms) + 1,
                    _ => 1,
                };
                let kind = LegKind::ToWorker {
                    id: call.id,
                    answer,
                };
                if fault == Fault::AnswerTwice {
                    self.send(leg.node, after_ms, kind.clone());
                }
                self.send(leg.node, after_ms, kind);
            }
            LegKind::Watched { id, message } => {
                let node = &mut self.nodes[leg.node];
                if node.streams.contains_key(&id) {
                    node.worker.stream_message(id, message, &node.host);
                    self.make_calls(leg.node);
                }
            }
            LegKind::Fetched { id, answer } => {
                let node = &mut self.nodes[leg.node];
                node.worker.fetched(id, answer, &node.host);
                self.make_calls(leg.node);
            }
            LegKind::ToWorker { id, answer } => {
                let node = &mut self.nodes[leg.node];
                node.worker.answered(id, answer, &node.host);
                self.make_calls(leg.node);
            }
        }
    }

    pub(super) fn stream(&mut self, node: usize, effect: StreamEffect) {
        match effect {
            StreamEffect::Open {
                id,
                cluster,
                message,
                ..
            } if self.watching => {
                let (watch, created) = self.engine_of(&cluster).watch(&cluster, message);
                self.nodes[node].streams.insert(id, watch);
                let message = created;
                self.send(node, 1, LegKind::Watched { id, message });
                self.tell_watches();
            }
            // Nobody hears of it.
            StreamEffect::Open { .. } => {}
            StreamEffect::Close { id } => drop(self.nodes[node].streams.remove(&id)),
        }
    }

    /// Sends every watch what it has not been told yet. For changes past the API; those by it are told at once.
    pub(crate) fn tell_watches(&mut self) {
        let mut news = Vec::new();
        for (node, it) in self.nodes.iter_mut().enumerate() {
            for (&id, watch) in &mut it.streams {
                let engine = self.others.get(&watch.cluster).unwrap_or(&self.engine);
                let message = engine.tell(watch);
                news.extend(message.map(|message| (node, id, message)));
            }
        }
        for (node, id, message) in news {
            self.send(node, 1, LegKind::Watched { id, message });
        }
    }

    /// Every watch breaks.
    pub(crate) fn break_watches(&mut self) {
        for number in 0..self.nodes.len() {
            let node = &mut self.nodes[number];
            for (id, _) in std::mem::take(&mut node.streams) {
                node.worker.stream_closed(id, UNAVAILABLE, &node.host);
            }
            self.make_calls(number);
        }
    }

    /// A worker dies and another takes its place: its calls are under way, their answers find nobody.
    pub(crate) fn restart(&mut self, number: usize, config: Config) {
        self.legs
            .retain(|leg| leg.node != number || matches!(leg.kind, LegKind::ToEngine { .. }));
        for leg in &mut self.legs {
            if let LegKind::ToEngine { answered, .. } = &mut leg.kind
                && leg.node == number
            {
                *answered = None;
            }
        }
        let node = &mut self.nodes[number];
        node.worker = Worker::new(config, &node.host).expect("a good configuration");
        node.exchanges.clear();
        node.streams.clear();
    }
}
