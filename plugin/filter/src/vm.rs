//! What one VM holds: the worker, its exchanges, and the calls that are under way.
//!
//! Streams put things in motion, the root context carries them out. A stream that leaves calls behind rings the bell, a
//! shared queue of this VM alone, and the root is called one event-loop turn later: a call made by the stream itself
//! would be answered to nobody when the client leaves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use gateway::engine::{Answer, Call, CallId, MAX_MESSAGE_BYTES, StreamEffect, StreamId};
use gateway::exchange::{Exchange, Input, Onward, Step};
use gateway::feed::TOO_LARGE;
use gateway::gate::{Fetch, Fetched, SERVED};
use gateway::host::{Host, Severity};
use gateway::wake::{ExchangeId, Woken};
use gateway::worker::Worker;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, Status};

use crate::headers;
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
    /// Requests by their context.
    requests: BTreeMap<u32, Request>,
    /// Calls under way by the host's token.
    tokens: BTreeMap<u32, CallId>,
    /// Fetches under way by the host's token: HTTP calls have numbers of their own.
    fetches: BTreeMap<u32, Fetch>,
    /// Open streams by the host's token.
    streams: BTreeMap<u32, StreamId>,
    bell: Option<u32>,
    bell_rung: bool,
}

/// What is kept of a request that is not answered, or of which more may come.
struct Request {
    exchange: Exchange,
    /// Bytes of the body that the host has buffered.
    body_bytes: usize,
}

impl Vm {
    pub fn new(worker: Worker, host: ProxyHost, root_context: u32) -> Self {
        Self {
            host,
            worker,
            root_context,
            requests: BTreeMap::new(),
            tokens: BTreeMap::new(),
            fetches: BTreeMap::new(),
            streams: BTreeMap::new(),
            bell: None,
            bell_rung: false,
        }
    }

    /// Begins the exchange of a stream with its request's head, from the stream's own callback. It is kept only if
    /// something may follow: most requests are answered here and now.
    pub fn begin(&mut self, stream: u32, headers: &[(&[u8], &[u8])], end: bool) -> Step {
        self.host.wake();
        let mut exchange = Exchange::new(ExchangeId(stream));
        let step = exchange.advance(Input::Head { headers, end }, &mut self.worker, &self.host);
        if !end || exchange.awaits_outcome() {
            let kept = Request {
                exchange,
                body_bytes: 0,
            };
            self.requests.insert(stream, kept);
        }
        self.ring_for_calls();
        step
    }

    /// Goes on with the exchange of a stream, from one of the stream's own callbacks.
    pub fn advance(&mut self, stream: u32, input: Input<'_>) -> Step {
        self.host.wake();
        let Some(kept) = self.requests.get_mut(&stream) else {
            return Step::Settled;
        };
        let step = kept.exchange.advance(input, &mut self.worker, &self.host);
        self.ring_for_calls();
        step
    }

    /// Whether something is kept of this stream.
    pub fn keeps(&self, stream: u32) -> bool {
        self.requests.contains_key(&stream)
    }

    /// Takes note of how much of the body the host has buffered.
    pub fn body_grown(&mut self, stream: u32, total_bytes: usize) {
        if let Some(kept) = self.requests.get_mut(&stream) {
            kept.body_bytes = total_bytes;
        }
    }

    /// How much of the body the host has buffered.
    pub fn body_bytes(&self, stream: u32) -> usize {
        self.requests.get(&stream).map_or(0, |kept| kept.body_bytes)
    }

    /// Forgets a stream that is over.
    pub fn forget(&mut self, stream: u32) {
        if let Some(kept) = self.requests.remove(&stream)
            && kept.exchange.awaits_outcome()
        {
            self.worker.gone(ExchangeId(stream));
            // Others may have waited for its place.
            self.ring_for_calls();
        }
    }

    fn ring_for_calls(&mut self) {
        if self.worker.has_calls() {
            self.ring();
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
        // Who is woken may want calls of its own; it is woken once, so this comes to an end.
        loop {
            for call in self.worker.take_calls(&self.host) {
                self.make(call);
            }
            for fetch in self.worker.take_fetches() {
                self.fetch(fetch);
            }
            for effect in self.worker.take_streams() {
                self.stream(effect);
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

    fn stream(&mut self, effect: StreamEffect) {
        match effect {
            StreamEffect::Open {
                id,
                cluster,
                service,
                method,
                message,
            } => {
                let opened = hostcalls::open_grpc_stream(&cluster, service, method, Vec::new());
                self.opened(id, opened, &message);
            }
            StreamEffect::Close { id } => self.close(id),
        }
    }

    /// Sends a stream's one message, or takes note that there is no stream.
    fn opened(&mut self, id: StreamId, opened: Result<u32, Status>, message: &[u8]) {
        let sent = opened.is_ok_and(|token| {
            self.streams.insert(token, id);
            hostcalls::send_grpc_stream_message(token, Some(message), false).is_ok()
        });
        if !sent {
            self.close(id);
            self.worker.stream_closed(id, UNAVAILABLE, &self.host);
        }
    }

    /// Ends a stream at once: closing it would only say that no more is sent, and wait for the engine to end it.
    fn close(&mut self, id: StreamId) {
        let token = self.streams.iter().find(|(_, it)| **it == id);
        if let Some(&token) = token.map(|(token, _)| token) {
            self.streams.remove(&token);
            let _ = hostcalls::cancel_grpc_stream(token);
        }
    }

    /// Hands over a message of a stream. From the root's callback, in which it can be read.
    pub fn stream_message(&mut self, token: u32, bytes: usize) {
        let Some(&id) = self.streams.get(&token) else {
            return;
        };
        if bytes > MAX_MESSAGE_BYTES {
            self.close(id);
            self.worker.stream_closed(id, TOO_LARGE, &self.host);
            return;
        }
        let message = hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, bytes);
        // Less than was announced would be another message. No bytes are none of a watch: that is noticed.
        let message = message
            .ok()
            .flatten()
            .filter(|message| message.len() == bytes)
            .unwrap_or_default();
        self.worker.stream_message(id, message.into(), &self.host);
    }

    /// Takes note that a stream has ended.
    pub fn stream_closed(&mut self, token: u32, grpc_status: u32) {
        if let Some(id) = self.streams.remove(&token) {
            self.worker.stream_closed(id, grpc_status, &self.host);
        }
    }

    /// Hands over the answer to a fetch. From the root's callback, in which the answer can be read.
    pub fn fetched(&mut self, token: u32, num_headers: usize, body_bytes: usize) {
        let Some(fetch) = self.fetches.remove(&token) else {
            return;
        };
        let answer = read_answer(&fetch, num_headers, body_bytes);
        self.worker.fetched(fetch.id, answer, &self.host);
    }

    fn fetch(&mut self, fetch: Fetch) {
        let headers = vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", fetch.authority.as_str()),
            (":path", fetch.path.as_str()),
            ("accept", "application/json"),
        ];
        let timeout = Duration::from_millis(fetch.timeout_ms.into());
        let made =
            hostcalls::dispatch_http_call(&fetch.cluster, headers, None, Vec::new(), timeout);
        match made {
            Ok(token) => {
                self.fetches.insert(token, fetch);
            }
            Err(_) => self.worker.fetched(fetch.id, Fetched::Nothing, &self.host),
        }
    }

    fn wake(&mut self, woken: Woken) {
        let ExchangeId(stream) = woken.exchange;
        let Some(kept) = self.requests.get_mut(&stream) else {
            return;
        };
        if hostcalls::set_effective_context(stream).is_err() {
            // The client has left.
            self.requests.remove(&stream);
            self.worker.gone(ExchangeId(stream));
            return;
        }
        let news = Input::News(woken.news);
        match kept.exchange.advance(news, &mut self.worker, &self.host) {
            Step::Reply(reply) => send(&reply),
            Step::PassOn(onward) => {
                change_headers(&onward);
                let _ = hostcalls::resume_http_request();
            }
            // The stream's own callbacks go on, or the worker wakes it again.
            Step::AwaitBody | Step::AwaitOutcome | Step::Passing | Step::Settled => {}
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
    headers::reply(reply.status, &reply.headers, &reply.body);
}

/// Makes a request's headers what its upstream is to see. Only while they are held back.
pub fn change_headers(onward: &Onward) {
    for name in &onward.remove {
        let _ = hostcalls::remove_map_value(MapType::HttpRequestHeaders, name);
    }
    for (name, value) in onward.add.iter().flat_map(|headers| headers.iter()) {
        let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value));
    }
}

/// The answer to a fetch, as it lies in the host now.
fn read_answer(fetch: &Fetch, num_headers: usize, body_bytes: usize) -> Fetched {
    // Without headers there was no answer, and asking for one ends the VM.
    if num_headers == 0 {
        return Fetched::Nothing;
    }
    let header = |name| {
        let value = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name);
        value.ok().flatten()
    };
    let status: Option<u16> =
        header(":status").and_then(|status| std::str::from_utf8(&status).ok()?.parse().ok());
    let body = || match body_bytes {
        0 => Some(Vec::new()),
        bytes => hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, bytes)
            .ok()
            .flatten(),
    };
    fetch.read(status, body_bytes, || header(SERVED).is_some(), body)
}
