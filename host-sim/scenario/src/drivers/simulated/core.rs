//! The core as native code, as a guest: what the filter's shell does with it, without the ABI between.
//!
//! It holds bodies back as the proxy would, and turns what the worker wants into the same effects that a module leads to.

use std::collections::BTreeMap;

use gateway::config::Config;
use gateway::engine::{Answer, CallId, StreamEffect, StreamId};
use gateway::exchange::{Exchange, Input, Onward, Step};
use gateway::gate::{Fetch, Fetched, SERVED};
use gateway::wake::{ExchangeId, Woken};
use gateway::worker::Worker;
use host::{CallResponse, Effect, GrpcTarget, Headers, HttpCall};

use super::core_host::CoreHost;
use super::guest::{Guest, Run, Seat};
use crate::driver::{Result, Trouble};

pub(super) struct CoreGuest {
    host: CoreHost,
    worker: Worker,
    requests: BTreeMap<u32, Held>,
    calls: BTreeMap<u32, CallId>,
    fetches: BTreeMap<u32, Fetch>,
    streams: BTreeMap<u32, StreamId>,
    last_number: u32,
    effects: Vec<Effect>,
}

/// A request, and what is held back of it.
struct Held {
    exchange: Exchange,
    headers: Headers,
    body: Vec<u8>,
    trailers: Option<Headers>,
    ended: bool,
    passes: bool,
}

impl CoreGuest {
    pub(super) fn start(config: &Config, seat: Seat) -> Result<Self> {
        let host = CoreHost::new(seat);
        let worker = Worker::new(config.clone(), &host).map_err(Trouble::of)?;
        Ok(Self {
            host,
            worker,
            requests: BTreeMap::new(),
            calls: BTreeMap::new(),
            fetches: BTreeMap::new(),
            streams: BTreeMap::new(),
            last_number: 0,
            effects: Vec::new(),
        })
    }

    fn number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    fn advance(&mut self, stream: u32, input: Input<'_>) -> Option<Step> {
        let held = self.requests.get_mut(&stream)?;
        Some(held.exchange.advance(input, &mut self.worker, &self.host))
    }

    fn take(&mut self, stream: u32, step: Option<Step>) {
        match step {
            Some(Step::Reply(reply)) => {
                self.requests.remove(&stream);
                let mut headers = Headers::from_pairs([(":status", &reply.status.to_string())]);
                for (name, value) in &reply.headers {
                    headers.add(name.as_bytes(), value.as_bytes());
                }
                if reply.body.is_empty() {
                    headers.remove(b"content-type");
                } else {
                    let length = reply.body.len().to_string();
                    headers.set(b"content-length", length.as_bytes());
                }
                self.reply(stream, headers, reply.body, Headers::default());
            }
            Some(Step::PassOn(onward)) => {
                if let Some(held) = self.requests.get_mut(&stream) {
                    change(&mut held.headers, &onward);
                    held.passes = true;
                }
                self.forward_head(stream);
                self.forward_rest(stream);
            }
            Some(Step::Passing) => self.forward_rest(stream),
            Some(Step::AwaitBody | Step::AwaitOutcome | Step::Settled) | None => {}
        }
    }

    fn reply(&mut self, stream: u32, headers: Headers, body: Vec<u8>, trailers: Headers) {
        let last = trailers.is_empty();
        self.effects.push(Effect::ResponseHeaders {
            stream,
            headers,
            end_stream: last && body.is_empty(),
        });
        if !body.is_empty() {
            self.effects.push(Effect::ResponseBody {
                stream,
                data: body,
                end_stream: last,
            });
        }
        if !last {
            self.effects
                .push(Effect::ResponseTrailers { stream, trailers });
        }
    }

    fn forward_head(&mut self, stream: u32) {
        if let Some(held) = self.requests.get(&stream) {
            self.effects.push(Effect::ForwardHeaders {
                stream,
                headers: held.headers.clone(),
                end_stream: held.ended && held.body.is_empty() && held.trailers.is_none(),
            });
        }
    }

    fn forward_rest(&mut self, stream: u32) {
        let Some(held) = self.requests.get_mut(&stream).filter(|it| it.passes) else {
            return;
        };
        let trailers = held.trailers.take();
        if !held.body.is_empty() {
            self.effects.push(Effect::ForwardBody {
                stream,
                data: std::mem::take(&mut held.body),
                end_stream: held.ended && trailers.is_none(),
            });
        }
        if let Some(trailers) = trailers {
            self.effects
                .push(Effect::ForwardTrailers { stream, trailers });
        }
    }

    /// The body has grown, or is whole.
    fn body_grown(&mut self, stream: u32, end: bool) {
        let Some(held) = self.requests.get(&stream) else {
            return;
        };
        let total_bytes = held.body.len();
        let step = self.advance(stream, Input::BodyGrown { total_bytes });
        if !end || !matches!(step, Some(Step::AwaitBody)) {
            return self.take(stream, step);
        }
        let body = self.requests.get(&stream).map(|held| held.body.clone());
        let body = body.unwrap_or_default();
        let step = self.advance(stream, Input::Body(&body));
        self.take(stream, step);
    }

    /// Carries out all that the worker wants, as the filter's root context does.
    fn carry_out(&mut self) {
        loop {
            for call in self.worker.take_calls(&self.host) {
                let token = self.number();
                self.calls.insert(token, call.id);
                let target = GrpcTarget {
                    cluster: call.cluster,
                    service: call.method.service().to_owned(),
                    method: call.method.name().to_owned(),
                    metadata: Headers::default(),
                };
                self.effects.push(Effect::GrpcCall {
                    token,
                    target,
                    message: call.message.to_vec(),
                    timeout_ms: call.timeout_ms,
                });
            }
            for fetch in self.worker.take_fetches() {
                self.fetch(fetch);
            }
            for effect in self.worker.take_streams() {
                self.stream(effect);
            }
            let woken = self.worker.take_woken();
            if woken.is_empty() {
                break;
            }
            for Woken { exchange, news } in woken {
                let ExchangeId(stream) = exchange;
                let step = self.advance(stream, Input::News(news));
                self.take(stream, step);
            }
        }
        self.effects.append(&mut self.host.lines.borrow_mut());
    }

    fn fetch(&mut self, fetch: Fetch) {
        let token = self.number();
        let headers = Headers::from_pairs([
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", &fetch.authority),
            (":path", &fetch.path),
            ("accept", "application/json"),
        ]);
        self.effects.push(Effect::HttpCall(HttpCall {
            token,
            cluster: fetch.cluster.clone(),
            headers,
            body: Vec::new(),
            trailers: Headers::default(),
            timeout_ms: fetch.timeout_ms,
        }));
        self.fetches.insert(token, fetch);
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
                let token = self.number();
                self.streams.insert(token, id);
                let target = GrpcTarget {
                    cluster,
                    service: service.to_owned(),
                    method: method.to_owned(),
                    metadata: Headers::default(),
                };
                self.effects.push(Effect::GrpcOpen { token, target });
                self.effects.push(Effect::GrpcSend {
                    token,
                    message: message.to_vec(),
                    end_stream: false,
                });
            }
            StreamEffect::Close { id } => {
                let token = self.streams.iter().find(|(_, it)| **it == id);
                if let Some(&token) = token.map(|(token, _)| token) {
                    self.streams.remove(&token);
                    self.effects.push(Effect::GrpcCancel { token });
                }
            }
        }
    }
}

/// Makes a request's headers what its upstream is to see.
fn change(headers: &mut Headers, onward: &Onward) {
    for name in &onward.remove {
        headers.remove(name.as_bytes());
    }
    for (name, value) in onward.add.iter().flat_map(|it| it.iter()) {
        headers.set(name.as_bytes(), value.as_bytes());
    }
}

/// An answer to a fetch as the filter's shell reads it.
fn read(fetch: &Fetch, response: Option<CallResponse>) -> Fetched {
    let Some(response) = response else {
        return Fetched::Nothing;
    };
    let status = response.headers.get(":status");
    let status = status.and_then(|it| std::str::from_utf8(it).ok()?.parse::<u16>().ok());
    let CallResponse { headers, body, .. } = response;
    let is_served = || headers.get(SERVED).is_some();
    let body_bytes = body.len();
    fetch.read(status, body_bytes, is_served, || Some(body))
}

impl Guest for CoreGuest {
    fn request_headers(&mut self, headers: Headers, end: bool) -> Run<u32> {
        let stream = self.number();
        let held = Held {
            exchange: Exchange::new(ExchangeId(stream)),
            headers: headers.clone(),
            body: Vec::new(),
            trailers: None,
            ended: end,
            passes: false,
        };
        self.requests.insert(stream, held);
        let pairs: Vec<(&[u8], &[u8])> = headers.iter().collect();
        let headers = pairs.as_slice();
        let step = self.advance(stream, Input::Head { headers, end });
        self.take(stream, step);
        self.carry_out();
        Ok(stream)
    }

    fn request_body(&mut self, stream: u32, data: &[u8], end: bool) -> Run<()> {
        if let Some(held) = self.requests.get_mut(&stream) {
            held.body.extend_from_slice(data);
            held.ended |= end;
            self.body_grown(stream, end);
            self.carry_out();
        }
        Ok(())
    }

    fn request_trailers(&mut self, stream: u32, mut trailers: Headers) -> Run<()> {
        if let Some(held) = self.requests.get_mut(&stream) {
            let policy = self.worker.policy();
            let names: Vec<Vec<u8>> = trailers.iter().map(|(name, _)| name.to_vec()).collect();
            for name in names
                .iter()
                .filter(|name| policy.identity_headers().covers(name))
            {
                trailers.remove(name);
            }
            held.trailers = Some(trailers);
            held.ended = true;
            self.body_grown(stream, true);
            self.carry_out();
        }
        Ok(())
    }

    fn answered(
        &mut self,
        stream: u32,
        headers: Headers,
        body: &[u8],
        trailers: Headers,
    ) -> Run<()> {
        self.requests.remove(&stream);
        self.reply(stream, headers, body.to_vec(), trailers);
        Ok(())
    }

    fn answered_by_proxy(&mut self, stream: u32, status: u16, body: &str) -> Run<()> {
        let headers = Headers::from_pairs([(":status", &status.to_string())]);
        self.answered(stream, headers, body.as_bytes(), Headers::default())
    }

    fn left(&mut self, stream: u32) -> Run<()> {
        if let Some(held) = self.requests.remove(&stream)
            && held.exchange.awaits_outcome()
        {
            self.worker.gone(ExchangeId(stream));
            self.carry_out();
        }
        Ok(())
    }

    fn tick(&mut self) -> Run<()> {
        self.worker.tick(&self.host);
        self.carry_out();
        Ok(())
    }

    fn queue_ready(&mut self, _context: u32, _queue: u32) -> Run<()> {
        Ok(())
    }

    fn fetched(&mut self, token: u32, response: Option<CallResponse>) -> Run<()> {
        if let Some(fetch) = self.fetches.remove(&token) {
            let answer = read(&fetch, response);
            self.worker.fetched(fetch.id, answer, &self.host);
            self.carry_out();
        }
        Ok(())
    }

    fn message(&mut self, token: u32, message: Vec<u8>) -> Run<()> {
        if let Some(call) = self.calls.remove(&token) {
            let answer = Answer::Message(message.into());
            self.worker.answered(call, answer, &self.host);
        } else if let Some(&stream) = self.streams.get(&token) {
            self.worker
                .stream_message(stream, message.into(), &self.host);
        }
        self.carry_out();
        Ok(())
    }

    fn closed(&mut self, token: u32, grpc_status: u32) -> Run<()> {
        if let Some(call) = self.calls.remove(&token) {
            let answer = Answer::Unknown { grpc_status };
            self.worker.answered(call, answer, &self.host);
        } else if let Some(stream) = self.streams.remove(&token) {
            self.worker.stream_closed(stream, grpc_status, &self.host);
        }
        self.carry_out();
        Ok(())
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    fn gauge(&self, name: &str) -> Option<u64> {
        self.host.gauges.borrow().get(name).copied()
    }
}
