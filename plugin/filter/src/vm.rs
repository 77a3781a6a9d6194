//! What one VM holds: the worker, its exchanges, and the calls that are under way.
//!
//! Streams put things in motion, the root context carries them out. A stream that leaves calls behind rings the bell, a
//! shared queue of this VM alone, and the root is called one event-loop turn later: a call made by the stream itself
//! would be answered to nobody when the client leaves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use gateway::engine::{Answer, Call, CallId};
use gateway::exchange::{Exchange, IDENTITY_HEADERS, Input, Step};
use gateway::host::{Host, Severity};
use gateway::worker::{ExchangeId, Woken, Worker};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

use crate::host::ProxyHost;

/// gRPC status `UNAVAILABLE`: the call was not made.
const UNAVAILABLE: u32 = 14;

/// The VM's state, shared by the root context and its streams. A VM has one thread.
pub type SharedVm = Rc<RefCell<Vm>>;

/// The state of one configured VM.
pub struct Vm {
    pub host: ProxyHost,
    pub worker: Worker,
    root_context: u32,
    exchanges: BTreeMap<u32, Exchange>,
    /// Calls under way by the host's token.
    tokens: BTreeMap<u32, CallId>,
    bell: Option<u32>,
    bell_rung: bool,
}

impl Vm {
    pub fn new(worker: Worker, root_context: u32) -> Self {
        Self {
            host: ProxyHost::new(),
            worker,
            root_context,
            exchanges: BTreeMap::new(),
            tokens: BTreeMap::new(),
            bell: None,
            bell_rung: false,
        }
    }

    /// Goes on with the exchange of a stream, from one of the stream's own callbacks.
    pub fn advance(&mut self, stream: u32, input: Input<'_>) -> Step {
        let exchange = self
            .exchanges
            .entry(stream)
            .or_insert_with(|| Exchange::new(ExchangeId(stream)));
        let step = exchange.advance(input, &mut self.worker, &self.host);
        if self.worker.has_calls() {
            self.ring();
        }
        step
    }

    /// Forgets a stream that is over.
    pub fn forget(&mut self, stream: u32) {
        if let Some(exchange) = self.exchanges.remove(&stream)
            && exchange.awaits_outcome()
        {
            self.worker.gone(ExchangeId(stream));
        }
    }

    /// Hands the answer to a call to whoever waits for it. From the root's callback.
    pub fn answered(&mut self, token: u32, answer: Answer) {
        if let Some(call) = self.tokens.remove(&token) {
            self.worker.answered(call, answer, &self.host);
        }
    }

    /// Carries out all that the worker wants. Only from a callback of the root context.
    pub fn carry_out(&mut self) {
        self.bell_rung = false;
        for call in self.worker.take_calls() {
            self.make(call);
        }
        let woken = self.worker.take_woken();
        if woken.is_empty() {
            return;
        }
        for woken in woken {
            self.wake(woken);
        }
        // What follows in this callback is the root's again.
        let _ = hostcalls::set_effective_context(self.root_context);
    }

    fn make(&mut self, call: Call) {
        let made = hostcalls::dispatch_grpc_call(
            &call.cluster,
            call.method.service(),
            call.method.name(),
            Vec::new(),
            Some(&call.message),
            Duration::from_millis(call.timeout_ms.into()),
        );
        match made {
            Ok(token) => {
                self.tokens.insert(token, call.id);
            }
            Err(_) => {
                let answer = Answer::Unknown {
                    grpc_status: UNAVAILABLE,
                };
                self.worker.answered(call.id, answer, &self.host);
            }
        }
    }

    fn wake(&mut self, woken: Woken) {
        let ExchangeId(stream) = woken.exchange;
        let Some(exchange) = self.exchanges.get_mut(&stream) else {
            return;
        };
        if hostcalls::set_effective_context(stream).is_err() {
            // The client has left.
            self.exchanges.remove(&stream);
            return;
        }
        let outcome = Input::Outcome(woken.outcome);
        if let Step::Reply(reply) = exchange.advance(outcome, &mut self.worker, &self.host) {
            send(&reply);
        }
    }

    fn ring(&mut self) {
        if self.bell_rung {
            return;
        }
        if self.bell.is_none() {
            self.bell = self.register_bell();
        }
        // When this fails the next tick carries the calls out.
        self.bell_rung = self
            .bell
            .is_some_and(|bell| hostcalls::enqueue_shared_queue(bell, Some(b"!")).is_ok());
    }

    /// A queue name of this VM alone: of several VMs that register one name, only the last is called.
    fn register_bell(&self) -> Option<u32> {
        let mut random = [0; 16];
        self.host.random(&mut random).ok()?;
        let name = format!("reward-points/bell/{:032x}", u128::from_be_bytes(random));
        match hostcalls::register_shared_queue(&name) {
            Ok(queue) => Some(queue),
            Err(_) => {
                self.host.log(
                    Severity::Warning,
                    "no shared queue: calls wait for the next tick",
                );
                None
            }
        }
    }
}

/// Sends a reply on the stream in whose context the host is.
pub fn send(reply: &gateway::api::reply::Reply) {
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let body = (!reply.body.is_empty()).then_some(reply.body.as_slice());
    let _ = hostcalls::send_http_response(reply.status.into(), headers, body);
}

/// Takes every client-sent copy of an identity header off the request.
pub fn strip_identity<'a>(names: impl Iterator<Item = &'a [u8]>) {
    for name in names {
        let identity = IDENTITY_HEADERS
            .iter()
            .find(|identity| name.eq_ignore_ascii_case(identity.as_bytes()));
        if let Some(identity) = identity {
            let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, identity);
        }
    }
}
