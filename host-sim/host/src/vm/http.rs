//! The life of a request: what its two halves do between the network and the module, by Envoy's rules.
//!
//! Headers, body and trailers are shown to the module in order. What it pauses is held back here, cumulatively, up to the
//! buffer limit; what it lets go becomes an effect. A local reply runs through the module's own response callbacks.

use super::{Trapped, Vm};
use crate::abi::Action;
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

    /// The upstream's answer broke off: so does the client's.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn break_off(&mut self, id: u32) -> Result<(), Trapped> {
        self.reset(id)?;
        self.settle()
    }

    /// Whether more of the request's body should wait: the module paused at the headers and the buffer is full.
    pub fn is_backed_up(&self, id: u32) -> bool {
        self.is_full(id, Side::Request)
    }

    /// The same of either half.
    pub(crate) fn is_full(&self, id: u32, side: Side) -> bool {
        let state = self.state();
        state.streams.get(&id).is_some_and(|stream| {
            let (half, answered) = match side {
                Side::Request => (&stream.request, stream.answered),
                Side::Response => (&stream.response, false),
            };
            half.phase == Phase::HeldAll
                && !answered
                && half.body.len() > state.plugin.max_body_buffer_bytes
        })
    }

    pub(super) fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        self.state_mut().streams.get_mut(&id)
    }

    pub(super) fn half(&mut self, id: u32, side: Side) -> Option<&mut crate::stream::Half> {
        self.stream(id).map(|stream| stream.half(side))
    }

    pub(super) fn headers(
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

    pub(super) fn body(
        &mut self,
        id: u32,
        side: Side,
        data: &[u8],
        end_stream: bool,
    ) -> Result<(), Trapped> {
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

    pub(super) fn trailers(
        &mut self,
        id: u32,
        side: Side,
        trailers: Headers,
    ) -> Result<(), Trapped> {
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
}
