//! The life of a request: what its two halves do between the network and the module, by Envoy's rules.
//!
//! Headers, body and trailers are shown to the module in order. What it pauses is held back here, cumulatively, up to the
//! buffer limit; what it lets go becomes an effect. A local reply runs through the module's own response callbacks.

use super::{Trapped, Vm};
use crate::abi::{Action, LogLevel};
use crate::effects::Effect;
use crate::headers::Headers;
use crate::state::ROOT_CONTEXT;
use crate::stream::{LocalReply, Phase, Side, Stream, StreamInfo};

impl Vm {
    /// A request's head has come; its context is created. Returns the number that names it from now on.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn request_headers(
        &mut self,
        info: StreamInfo,
        headers: Headers,
        end_stream: bool,
    ) -> Result<u32, Trapped> {
        self.alive()?;
        let id = self.alloc_context();
        let started_ns = self.state().clock.now_ns();
        self.state_mut().streams.insert(
            id,
            Stream {
                info,
                started_ns,
                ..Stream::default()
            },
        );
        let create = self.exports.context_create.clone();
        self.call(id, create, (id, ROOT_CONTEXT))?;
        self.settle()?;
        self.headers(id, Side::Request, headers, end_stream)?;
        Ok(id)
    }

    /// A part of a request's body has come. Dropped when the request is over.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn request_body(&mut self, id: u32, data: &[u8], end_stream: bool) -> Result<(), Trapped> {
        self.body(id, Side::Request, data, end_stream)
    }

    /// A request's trailers have come, which end it.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn request_trailers(&mut self, id: u32, trailers: Headers) -> Result<(), Trapped> {
        self.trailers(id, Side::Request, trailers)
    }

    /// The upstream's head has come, or the host answers in its place.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn response_headers(
        &mut self,
        id: u32,
        headers: Headers,
        end_stream: bool,
    ) -> Result<(), Trapped> {
        match self.state_mut().streams.get_mut(&id) {
            Some(stream) if !stream.answered => stream.answered = true,
            _ => return self.alive(),
        }
        self.headers(id, Side::Response, headers, end_stream)
    }

    /// A part of the upstream's body has come.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn response_body(&mut self, id: u32, data: &[u8], end_stream: bool) -> Result<(), Trapped> {
        self.body(id, Side::Response, data, end_stream)
    }

    /// The upstream's trailers have come, which end the response.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn response_trailers(&mut self, id: u32, trailers: Headers) -> Result<(), Trapped> {
        self.trailers(id, Side::Response, trailers)
    }

    /// The host itself answers: no route, no upstream.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn answer(&mut self, id: u32, status: u32, body: &str) -> Result<(), Trapped> {
        self.local_reply(id, LocalReply::plain(status, body))?;
        self.settle()
    }

    /// The client went away.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn stream_gone(&mut self, id: u32) -> Result<(), Trapped> {
        self.finish(id)?;
        self.settle()
    }

    /// Whether more of the request's body should wait: the module paused at the headers and the buffer is full.
    pub fn is_backed_up(&self, id: u32) -> bool {
        let state = self.state();
        state.streams.get(&id).is_some_and(|stream| {
            stream.request.phase == Phase::HeldAll
                && !stream.answered
                && stream.request.body.len() > state.plugin.max_body_buffer_bytes
        })
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        self.state_mut().streams.get_mut(&id)
    }

    fn half(&mut self, id: u32, side: Side) -> Option<&mut crate::stream::Half> {
        self.stream(id).map(|stream| stream.half(side))
    }

    fn headers(
        &mut self,
        id: u32,
        side: Side,
        headers: Headers,
        end_stream: bool,
    ) -> Result<(), Trapped> {
        let number = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        let Some(half) = self.half(id, side) else {
            return self.alive();
        };
        half.headers = headers;
        half.headers_open = true;
        half.ended = end_stream;
        let callback = match side {
            Side::Request => self.exports.request_headers.clone(),
            Side::Response => self.exports.response_headers.clone(),
        };
        let action = self.call(id, callback, (id, number, end_stream.into()))?;
        let action = self.action(action);
        let stop = self.state().stop_iteration;
        let show_body = !stop && self.state().plugin.allow_on_headers_stop_iteration;
        if action == Action::Continue {
            self.flush(id, side);
        } else if let Some(half) = self.half(id, side) {
            half.phase = if show_body {
                Phase::Held
            } else {
                Phase::HeldAll
            };
        }
        self.settle()?;
        self.finish_if_answered(id)
    }

    fn body(&mut self, id: u32, side: Side, data: &[u8], end_stream: bool) -> Result<(), Trapped> {
        let limit = self.state().plugin.max_body_buffer_bytes;
        let Some(half) = self.half(id, side) else {
            return self.alive();
        };
        let buffering = !half.body.is_empty();
        match half.phase {
            Phase::Waiting | Phase::Closed => return self.alive(),
            Phase::HeldAll => {
                half.body.extend_from_slice(data);
                half.ended |= end_stream;
                return self.alive();
            }
            Phase::Held | Phase::Flowing => {}
        }
        half.body.extend_from_slice(data);
        half.ended |= end_stream;
        if buffering && half.body.len() > limit {
            return self.too_large(id, side);
        }
        half.body_open = true;
        let length = u32::try_from(half.body.len()).unwrap_or(u32::MAX);
        let callback = match side {
            Side::Request => self.exports.request_body.clone(),
            Side::Response => self.exports.response_body.clone(),
        };
        let action = self.call(id, callback, (id, length, end_stream.into()))?;
        if self.action(action) == Action::Continue {
            self.flush(id, side);
        } else if let Some(half) = self.half(id, side) {
            half.phase = Phase::Held;
            if half.body.len() > limit && !self.state().stop_iteration {
                self.too_large(id, side)?;
            }
        }
        self.settle()?;
        self.finish_if_answered(id)
    }

    fn trailers(&mut self, id: u32, side: Side, trailers: Headers) -> Result<(), Trapped> {
        let number = u32::try_from(trailers.len()).unwrap_or(u32::MAX);
        let Some(half) = self.half(id, side) else {
            return self.alive();
        };
        if matches!(half.phase, Phase::Waiting | Phase::Closed) {
            return self.alive();
        }
        half.ended = true;
        half.trailers = Some(trailers);
        if half.phase == Phase::HeldAll {
            return self.alive();
        }
        half.trailers_open = true;
        let callback = match side {
            Side::Request => self.exports.request_trailers.clone(),
            Side::Response => self.exports.response_trailers.clone(),
        };
        let action = self.call(id, callback, (id, number))?;
        if self.action(action) == Action::Continue {
            self.flush(id, side);
        } else if let Some(half) = self.half(id, side) {
            half.phase = Phase::Held;
        }
        self.settle()?;
        self.finish_if_answered(id)
    }

    /// What a callback's number means: a missing callback lets pass, a local reply holds.
    fn action(&self, returned: Option<u32>) -> Action {
        if self.state().stop_iteration {
            Action::Pause
        } else {
            returned.map_or(Action::Continue, Action::from_wasm)
        }
    }

    /// Lets go of everything that is held back of a half.
    fn flush(&mut self, id: u32, side: Side) {
        let state = self.state_mut();
        let Some(stream) = state.streams.get_mut(&id) else {
            return;
        };
        let is_head = stream.is_head();
        let half = stream.half(side);
        if half.phase == Phase::Closed {
            return;
        }
        half.phase = Phase::Flowing;
        half.body_open = false;
        let body = std::mem::take(&mut half.body);
        let trailers = half.trailers.take();
        half.trailers_open = false;
        let last_is_body = half.ended && trailers.is_none();
        let mut out = Vec::new();
        if !half.headers_sent {
            half.headers_sent = true;
            half.headers_open = false;
            let headers = half.headers.clone();
            // The answer to a HEAD request is its head, whatever else there is.
            let end_stream = (last_is_body && body.is_empty())
                || (side == Side::Response && is_head && half.ended);
            out.push(Self::headers_effect(id, side, headers, end_stream));
            if end_stream {
                half.phase = Phase::Closed;
            }
        }
        if half.phase != Phase::Closed {
            if !body.is_empty() || last_is_body {
                out.push(Self::body_effect(id, side, body, last_is_body));
            }
            if let Some(trailers) = trailers {
                out.push(Self::trailers_effect(id, side, trailers));
            }
            if half.ended {
                half.phase = Phase::Closed;
            }
        }
        state.effects.extend(out);
    }

    fn headers_effect(stream: u32, side: Side, headers: Headers, end_stream: bool) -> Effect {
        match side {
            Side::Request => Effect::ForwardHeaders {
                stream,
                headers,
                end_stream,
            },
            Side::Response => Effect::ResponseHeaders {
                stream,
                headers,
                end_stream,
            },
        }
    }

    fn body_effect(stream: u32, side: Side, data: Vec<u8>, end_stream: bool) -> Effect {
        match side {
            Side::Request => Effect::ForwardBody {
                stream,
                data,
                end_stream,
            },
            Side::Response => Effect::ResponseBody {
                stream,
                data,
                end_stream,
            },
        }
    }

    fn trailers_effect(stream: u32, side: Side, trailers: Headers) -> Effect {
        match side {
            Side::Request => Effect::ForwardTrailers { stream, trailers },
            Side::Response => Effect::ResponseTrailers { stream, trailers },
        }
    }

    /// The module resumes a half that it had paused.
    pub(super) fn resume(&mut self, id: u32, side: Side) -> Result<(), Trapped> {
        let Some(half) = self.half(id, side) else {
            return Ok(());
        };
        match half.phase {
            Phase::Waiting | Phase::Flowing | Phase::Closed => Ok(()),
            Phase::Held => {
                self.flush(id, side);
                self.finish_if_answered(id)
            }
            Phase::HeldAll => {
                // What came meanwhile has not been shown to the module yet: the head passes, the rest is replayed.
                let body = std::mem::take(&mut half.body);
                let trailers = half.trailers.take();
                let ended = half.ended;
                half.ended = ended && body.is_empty() && trailers.is_none();
                self.flush(id, side);
                if !body.is_empty() {
                    self.body(id, side, &body, ended && trailers.is_none())?;
                }
                if let Some(trailers) = trailers {
                    self.trailers(id, side, trailers)?;
                }
                self.finish_if_answered(id)
            }
        }
    }

    /// Envoy's answers when a held body passes the buffer limit.
    fn too_large(&mut self, id: u32, side: Side) -> Result<(), Trapped> {
        match side {
            Side::Request => self.local_reply(id, LocalReply::plain(413, "Payload Too Large"))?,
            Side::Response => {
                // The response callbacks have run; the error goes straight to the client.
                let (headers, data) =
                    LocalReply::plain(500, "Internal Server Error").into_parts(false);
                if let Some(half) = self.half(id, side) {
                    half.headers = headers;
                    half.body = data;
                    half.trailers = None;
                    half.ended = true;
                }
                self.flush(id, side);
            }
        }
        self.settle()?;
        self.finish_if_answered(id)
    }

    /// Answers in place of an upstream, through the module's response callbacks.
    pub(super) fn local_reply(&mut self, id: u32, reply: LocalReply) -> Result<(), Trapped> {
        let Some(stream) = self.stream(id) else {
            return Ok(());
        };
        if stream.answered {
            stream.hung = true;
            stream.response.phase = Phase::Closed;
            let message =
                format!("context {id} replied twice: its client is left without an answer");
            self.state_mut().effects.push(Effect::Log {
                level: LogLevel::Error,
                message,
            });
            return Ok(());
        }
        stream.answered = true;
        stream.request.phase = Phase::Closed;
        let grpc_request = stream.is_grpc();
        let is_head = stream.is_head();
        let (headers, body) = reply.into_parts(grpc_request);
        let end_stream = body.is_empty() || is_head;
        self.headers(id, Side::Response, headers, end_stream)?;
        if end_stream {
            return Ok(());
        }
        self.body(id, Side::Response, &body, true)
    }

    /// The module breaks the request off.
    pub(super) fn reset(&mut self, id: u32) -> Result<(), Trapped> {
        if !self.state().streams.contains_key(&id) {
            return Ok(());
        }
        self.state_mut().effects.push(Effect::Reset { stream: id });
        self.finish(id)
    }

    /// A request is over when the last of its response has gone out.
    fn finish_if_answered(&mut self, id: u32) -> Result<(), Trapped> {
        let over = self.stream(id).is_some_and(|stream| {
            stream.answered && !stream.hung && stream.response.phase == Phase::Closed
        });
        if over { self.finish(id) } else { self.alive() }
    }

    /// Log, done, delete: the context's last three callbacks.
    fn finish(&mut self, id: u32) -> Result<(), Trapped> {
        let Some(stream) = self.stream(id) else {
            return self.alive();
        };
        stream.request.phase = Phase::Closed;
        stream.response.phase = Phase::Closed;
        stream.logging = true;
        let (log, done, delete) = (
            self.exports.log.clone(),
            self.exports.done.clone(),
            self.exports.delete.clone(),
        );
        self.call(id, log, id)?;
        if let Some(stream) = self.stream(id) {
            stream.logging = false;
        }
        self.call(id, done, id)?;
        self.call(id, delete, id)?;
        let state = self.state_mut();
        if state.streams.remove(&id).is_some() {
            state.effects.push(Effect::Finished { stream: id });
        }
        self.settle()
    }
}
