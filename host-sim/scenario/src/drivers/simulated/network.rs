//! Between workers and servers: what becomes of the effects that a worker wants, and how the engine and the key server answer.
//!
//! How a failure looks to the filter is Envoy's (`docs/host-facts.md`).

use gateway::engine::Method;
use gateway::gate::SERVED;
use host::{CallResponse, Effect, Headers, HttpCall};

use super::world::{At, EngineCall, Event, News, UNAVAILABLE, World};
use crate::driver::{EngineState, Request, Result, Trouble};

/// From a worker to a server, and back, in milliseconds.
const WAY_MS: i64 = 1;
/// After how long a connection that nobody takes is given up.
const REFUSED_MS: i64 = 1;

impl World {
    /// Carries out all that a worker wants.
    pub(super) fn carry_out(&mut self, at: At) -> Result<()> {
        loop {
            let Some(worker) = self.gateways[at.gateway].workers.get_mut(at.worker) else {
                // It is being started.
                return Ok(());
            };
            let effects = worker.guest.take_effects();
            if effects.is_empty() {
                return Ok(());
            }
            for effect in effects {
                self.carry_out_one(at, effect)?;
            }
        }
    }

    fn carry_out_one(&mut self, at: At, effect: Effect) -> Result<()> {
        match effect {
            Effect::Log { level, message } => {
                let line = format!("[{}] {message}", level.name());
                self.gateways[at.gateway].log.push(line);
            }
            Effect::SetTick { .. } | Effect::GrpcClose { .. } | Effect::Drained => {}
            Effect::QueueReady { to, queue } => {
                let worker = usize::try_from(to.address.0).map_err(Trouble::of)?;
                let to_whom = At { worker, ..at };
                let context = to.context;
                // A worker that is being started has not registered a queue yet.
                self.expect_news(0, to_whom, News::Queue { context, queue });
            }
            Effect::HttpCall(call) => self.fetch(at, &call),
            Effect::GrpcCall {
                token,
                target,
                message,
                timeout_ms,
            } => self.ask_engine(at, token, target.method, message, timeout_ms),
            Effect::GrpcOpen { token, .. } => {
                if self.engine_state == EngineState::Down {
                    let grpc_status = UNAVAILABLE;
                    self.expect_news(REFUSED_MS, at, News::Closed { token, grpc_status });
                }
            }
            Effect::GrpcSend { token, message, .. } => match self.engine_state {
                EngineState::Up => self.open_watch(at, token, message),
                EngineState::Frozen => {
                    self.frozen_watches.insert((at, token), message);
                }
                EngineState::Down => {}
            },
            Effect::GrpcCancel { token } => {
                self.watches.remove(&(at, token));
                self.frozen_watches.remove(&(at, token));
            }
            other => self.of_request(at, other)?,
        }
        Ok(())
    }

    fn open_watch(&mut self, at: At, token: u32, message: Vec<u8>) {
        let (watch, created) = self.engine.watch("engine", message.into());
        self.watches.insert((at, token), watch);
        let message = created.to_vec();
        self.expect_news(2 * WAY_MS, at, News::Message { token, message });
        self.tell_watches();
    }

    fn ask_engine(
        &mut self,
        at: At,
        token: u32,
        method: String,
        message: Vec<u8>,
        timeout_ms: u32,
    ) {
        let life = self.life(at);
        if self.engine_state == EngineState::Down {
            let grpc_status = UNAVAILABLE;
            self.expect_news(REFUSED_MS, at, News::Closed { token, grpc_status });
            return;
        }
        let call = EngineCall {
            at,
            life,
            token,
            method,
            message,
        };
        self.expect(WAY_MS, Event::ToEngine(call));
        if timeout_ms > 0 {
            self.expect(timeout_ms.into(), Event::GivenUp { at, life, token });
        }
    }

    pub(super) fn reach_engine(&mut self, call: EngineCall) -> Result<()> {
        match self.engine_state {
            EngineState::Frozen => {
                self.frozen.push(call);
                return Ok(());
            }
            EngineState::Down => {
                let grpc_status = UNAVAILABLE;
                self.answer(
                    &call,
                    News::Closed {
                        token: call.token,
                        grpc_status,
                    },
                );
                return Ok(());
            }
            EngineState::Up => {}
        }
        let method = match call.method.as_str() {
            etcd_wire::RANGE => Method::Range,
            etcd_wire::TXN => Method::Txn,
            other => return Err(Trouble(format!("the gateway calls {other} of the engine"))),
        };
        let result = self.engine.execute(method, &call.message.clone().into());
        let token = call.token;
        let news = match result {
            Ok(message) => News::Message {
                token,
                message: message.to_vec(),
            },
            Err(grpc_status) => News::Closed { token, grpc_status },
        };
        self.answer(&call, news);
        self.tell_watches();
        Ok(())
    }

    fn answer(&mut self, call: &EngineCall, what: News) {
        let (at, life) = (call.at, call.life);
        self.expect(WAY_MS, Event::ToWorker { at, life, what });
    }

    /// Sends every watch what it has not been told.
    pub(super) fn tell_watches(&mut self) {
        if self.engine_state != EngineState::Up {
            return;
        }
        let mut news = Vec::new();
        for (&(at, token), watch) in &mut self.watches {
            if let Some(message) = self.engine.tell(watch) {
                news.push((at, token, message.to_vec()));
            }
        }
        for (at, token, message) in news {
            self.expect_news(2 * WAY_MS, at, News::Message { token, message });
        }
    }

    /// Makes the engine be so.
    pub(super) fn engine_becomes(&mut self, state: EngineState) {
        self.engine_state = state;
        match state {
            EngineState::Frozen => {}
            EngineState::Up => {
                // What came meanwhile is done now, also for those who have given it up.
                for call in std::mem::take(&mut self.frozen) {
                    self.expect(WAY_MS, Event::ToEngine(call));
                }
                for ((at, token), message) in std::mem::take(&mut self.frozen_watches) {
                    self.open_watch(at, token, message);
                }
                self.tell_watches();
            }
            EngineState::Down => {
                for call in std::mem::take(&mut self.frozen) {
                    let grpc_status = UNAVAILABLE;
                    self.answer(
                        &call,
                        News::Closed {
                            token: call.token,
                            grpc_status,
                        },
                    );
                }
                let open = std::mem::take(&mut self.watches).into_keys();
                let asked = std::mem::take(&mut self.frozen_watches).into_keys();
                for (at, token) in open.chain(asked) {
                    let grpc_status = UNAVAILABLE;
                    self.expect_news(WAY_MS, at, News::Closed { token, grpc_status });
                }
            }
        }
    }

    /// A worker asks the key server.
    fn fetch(&mut self, at: At, call: &HttpCall) {
        let request = request_of(&call.headers);
        let (after_ms, response) = match &self.key_server {
            Some(behaviour) if behaviour.up => {
                let answer = behaviour.answer(&request.path);
                self.seen_key_server.push(request);
                match answer {
                    Some(answer) => {
                        let mut headers =
                            Headers::from_pairs([(":status", &answer.status.to_string())]);
                        headers.add(SERVED.as_bytes(), b"1");
                        for (name, value) in &answer.headers {
                            headers.add(name.as_bytes(), value);
                        }
                        let body = answer.body;
                        (
                            2 * WAY_MS,
                            CallResponse {
                                headers,
                                body,
                                ..CallResponse::default()
                            },
                        )
                    }
                    None => (
                        i64::from(call.timeout_ms),
                        by_the_proxy("504", "upstream request timeout"),
                    ),
                }
            }
            _ => (REFUSED_MS, by_the_proxy("503", "remote connection failure")),
        };
        let (token, response) = (call.token, Some(response));
        self.expect_news(after_ms, at, News::Fetched { token, response });
    }
}

fn by_the_proxy(status: &str, reason: &str) -> CallResponse {
    CallResponse {
        headers: Headers::from_pairs([(":status", status), ("content-type", "text/plain")]),
        body: reason.as_bytes().to_vec(),
        ..CallResponse::default()
    }
}

/// A request's head as a server sees it.
pub(super) fn request_of(headers: &Headers) -> Request {
    let mut request = Request::default();
    for (name, value) in headers.iter() {
        match name {
            b":method" => request.method = String::from_utf8_lossy(value).into_owned(),
            b":path" => request.path = value.to_vec(),
            _ if name.starts_with(b":") => {}
            _ => request
                .headers
                .push((String::from_utf8_lossy(name).into_owned(), value.to_vec())),
        }
    }
    request
}
