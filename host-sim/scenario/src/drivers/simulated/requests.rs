//! Requests in a simulated world: how they come in, what goes on to the upstream, and how their answers come together.

use host::{Effect, Headers};

use super::network::request_of;
use super::world::{At, Event, UpstreamAnswer, World};
use crate::driver::{Answer, Ask, Outcome, Place, Request, Result, Trouble};

/// From the gateway to its upstream and back, in milliseconds.
const UPSTREAM_MS: i64 = 2;
/// After how long the proxy gives an upstream up: what routes in Envoy's configuration say.
const ROUTE_TIMEOUT_MS: i64 = 10_000;

/// A request under way.
pub(super) struct Open {
    pub ask: Ask,
    /// What was passed on of it so far.
    passed: Option<Request>,
    answer: Option<Answer>,
    /// Whether it came over a connection that carries trailers.
    has_trailers: bool,
}

impl World {
    /// Hands a request to a worker.
    pub(super) fn send(&mut self, place: Place, request: &Request) -> Result<Ask> {
        if request.raw.is_some() {
            return Err(Trouble(
                "there is no connection to send bytes on".to_owned(),
            ));
        }
        let gateway = place.gateway;
        let many = self.gateways[gateway].workers.len();
        let worker = place.worker.unwrap_or_else(|| {
            self.gateways[gateway].turns += 1;
            self.gateways[gateway].turns % many
        });
        let at = At { gateway, worker };
        let ask = Ask(self.number());
        let ends = request.body.is_empty() && request.trailers.is_empty();
        let headers = self.head_of(request, ask);
        let guest = &mut self.gateways[gateway].workers[worker].guest;
        let begun = guest.request_headers(headers, ends);
        let stream = begun.map_err(|trap| Trouble(format!("a worker's VM trapped: {}", trap.0)))?;
        let open = Open {
            ask,
            passed: None,
            answer: None,
            has_trailers: request.http2,
        };
        self.open.insert((at, stream), open);
        self.carry_out(at)?;
        for (number, part) in request.body.iter().enumerate() {
            let last = number + 1 == request.body.len() && request.trailers.is_empty();
            self.call(at, |guest| guest.request_body(stream, part, last))?;
        }
        if request.trailers.is_empty() {
            return Ok(ask);
        }
        // Envoy's HTTP/1.1 drops trailers unless it is told not to: what is left of them is the end.
        if request.http2 {
            let trailers = headers_of(&request.trailers);
            self.call(at, |guest| guest.request_trailers(stream, trailers))?;
        } else {
            self.call(at, |guest| guest.request_body(stream, &[], true))?;
        }
        Ok(ask)
    }

    /// A request's head as it comes to a filter: names with an underscore are gone, and it has a number.
    fn head_of(&self, request: &Request, ask: Ask) -> Headers {
        let mut headers =
            Headers::from_pairs([(":method", request.method.as_str()), (":scheme", "http")]);
        let host = request.headers.iter().find(|(name, _)| name == "host");
        headers.add(b":authority", host.map_or(b"gateway", |(_, host)| host));
        headers.add(b":path", &request.path);
        for (name, value) in &request.headers {
            if name != "host" && !name.contains('_') {
                headers.add(name.as_bytes(), value);
            }
        }
        let announced = request
            .headers
            .iter()
            .any(|(name, _)| name == "content-length");
        match request.body.as_slice() {
            [body] if request.trailers.is_empty() && !announced => {
                headers.add(b"content-length", body.len().to_string().as_bytes());
            }
            [] => {}
            _ if !request.http2 && !announced => headers.add(b"transfer-encoding", b"chunked"),
            _ => {}
        }
        headers.set(b"x-request-id", format!("request-{}", ask.0).as_bytes());
        headers
    }

    /// An effect that is about a request.
    pub(super) fn of_request(&mut self, at: At, effect: Effect) -> Result<()> {
        match effect {
            Effect::ForwardHeaders {
                stream,
                headers,
                end_stream,
            } => {
                if let Some(open) = self.open.get_mut(&(at, stream)) {
                    open.passed = Some(request_of(&headers));
                }
                self.passed(at, stream, end_stream);
            }
            Effect::ForwardBody {
                stream,
                data,
                end_stream,
            } => {
                let open = self.open.get_mut(&(at, stream));
                if let Some(passed) = open.and_then(|open| open.passed.as_mut()) {
                    passed.body.push(data);
                }
                self.passed(at, stream, end_stream);
            }
            Effect::ForwardTrailers { stream, trailers } => {
                let open = self.open.get_mut(&(at, stream));
                if let Some(passed) = open.and_then(|open| open.passed.as_mut()) {
                    passed.trailers = request_of(&trailers).headers;
                }
                self.passed(at, stream, true);
            }
            Effect::ResponseHeaders {
                stream,
                headers,
                end_stream,
            } => {
                let head = request_of(&headers);
                let status = headers.get(":status");
                let status = status.and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
                if let Some(open) = self.open.get_mut(&(at, stream)) {
                    open.answer = Some(Answer {
                        status: status.unwrap_or(0),
                        headers: head.headers,
                        ..Answer::default()
                    });
                }
                self.answered(at, stream, end_stream);
            }
            Effect::ResponseBody {
                stream,
                data,
                end_stream,
            } => {
                let open = self.open.get_mut(&(at, stream));
                if let Some(answer) = open.and_then(|open| open.answer.as_mut()) {
                    answer.body.extend(data);
                }
                self.answered(at, stream, end_stream);
            }
            Effect::ResponseTrailers { stream, trailers } => {
                let open = self.open.get_mut(&(at, stream));
                let open = open.filter(|open| open.has_trailers);
                if let Some(answer) = open.and_then(|open| open.answer.as_mut()) {
                    answer.trailers = request_of(&trailers).headers;
                }
                self.answered(at, stream, true);
            }
            Effect::Reset { stream } | Effect::Finished { stream } => {
                if let Some(open) = self.open.remove(&(at, stream)) {
                    self.done.insert(open.ask, Outcome::Nothing);
                }
            }
            other => return Err(Trouble(format!("nothing here leads to {other:?}"))),
        }
        Ok(())
    }

    fn answered(&mut self, at: At, stream: u32, whole: bool) {
        if !whole {
            return;
        }
        if let Some(open) = self.open.remove(&(at, stream)) {
            let outcome = open.answer.map_or(Outcome::Nothing, Outcome::Answer);
            self.done.insert(open.ask, outcome);
        }
    }

    /// More of a request was passed on; when it is whole the upstream answers.
    fn passed(&mut self, at: At, stream: u32, whole: bool) {
        let open = self.open.get_mut(&(at, stream));
        let Some(request) = open.filter(|_| whole).and_then(|open| open.passed.take()) else {
            return;
        };
        let proxy = |status, body| UpstreamAnswer::Proxy { status, body };
        let (after_ms, answer) = match &self.upstream {
            None => (0, proxy(404, "")),
            Some(behaviour) if !behaviour.up => (
                UPSTREAM_MS,
                proxy(
                    503,
                    "upstream connect error or disconnect/reset before headers",
                ),
            ),
            Some(behaviour) => match behaviour.answer(&request.path) {
                Some(answer) => (UPSTREAM_MS, UpstreamAnswer::Server(answer)),
                None => (ROUTE_TIMEOUT_MS, proxy(504, "upstream request timeout")),
            },
        };
        if self.upstream.as_ref().is_some_and(|it| it.up) {
            self.seen_upstream.push(request);
        }
        let life = self.life(at);
        self.expect(
            after_ms,
            Event::Upstream {
                at,
                life,
                stream,
                answer,
            },
        );
    }

    pub(super) fn upstream_answers(
        &mut self,
        at: At,
        stream: u32,
        answer: UpstreamAnswer,
    ) -> Result<()> {
        if !self.open.contains_key(&(at, stream)) {
            return Ok(());
        }
        self.call(at, |guest| match answer {
            UpstreamAnswer::Proxy { status, body } => guest.answered_by_proxy(stream, status, body),
            UpstreamAnswer::Server(answer) => {
                let mut headers = Headers::from_pairs([(":status", &answer.status.to_string())]);
                for (name, value) in &answer.headers {
                    headers.add(name.as_bytes(), value);
                }
                let trailers = headers_of(&answer.trailers);
                guest.answered(stream, headers, &answer.body, trailers)
            }
        })
    }
}

fn headers_of(fields: &[(String, Vec<u8>)]) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.add(name.as_bytes(), value);
    }
    headers
}
