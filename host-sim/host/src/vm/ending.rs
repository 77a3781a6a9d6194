//! How a request ends: local replies, resets, and the last three callbacks of its context.

use super::{Trapped, Vm};
use crate::abi::LogLevel;
use crate::effects::Effect;
use crate::stream::{LocalReply, Phase, Side};

impl Vm {
    /// Envoy's answers when a held body passes the buffer limit.
    pub(super) fn too_large(&mut self, id: u32, side: Side) -> Result<(), Trapped> {
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
        if stream.answered && !stream.replied && !stream.response.headers_sent {
            return self.replace_answer(id, reply);
        }
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
        stream.replied = true;
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

    /// The module answers in place of an upstream whose answer it holds: the response callbacks have run, and do not again.
    fn replace_answer(&mut self, id: u32, reply: LocalReply) -> Result<(), Trapped> {
        let Some(stream) = self.stream(id) else {
            return Ok(());
        };
        stream.replied = true;
        stream.request.phase = Phase::Closed;
        let (headers, body) = reply.into_parts(stream.is_grpc());
        let half = &mut stream.response;
        half.headers = headers;
        half.body = body;
        half.trailers = None;
        half.ended = true;
        self.flush(id, Side::Response);
        self.finish_if_answered(id)
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
    pub(super) fn finish_if_answered(&mut self, id: u32) -> Result<(), Trapped> {
        let over = self.stream(id).is_some_and(|stream| {
            stream.answered && !stream.hung && stream.response.phase == Phase::Closed
        });
        if over { self.finish(id) } else { self.alive() }
    }

    /// Log, done, delete: the context's last three callbacks.
    pub(super) fn finish(&mut self, id: u32) -> Result<(), Trapped> {
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
