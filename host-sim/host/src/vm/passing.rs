//! What leaves a request: halves that the module lets go of, and half-held ones that it resumes.

use super::{Trapped, Vm};
use crate::effects::Effect;
use crate::headers::Headers;
use crate::stream::{Phase, Side};

impl Vm {
    /// Lets go of everything that is held back of a half.
    pub(super) fn flush(&mut self, id: u32, side: Side) {
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
}
