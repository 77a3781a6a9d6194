//! The module in wasmtime, as a guest.

use host::{CallResponse, Effect, Headers, Program, Setting, StreamInfo, Trapped, Vm};

use super::guest::{Guest, Run, Trap};
use crate::driver::{Result, Trouble};

pub(super) struct WasmGuest(Vm);

impl WasmGuest {
    pub(super) fn start(program: &Program, setting: Setting) -> Result<Self> {
        Vm::start(program, setting).map(Self).map_err(Trouble::of)
    }
}

fn trap(trapped: Trapped) -> Trap {
    Trap(trapped.to_string())
}

impl Guest for WasmGuest {
    fn request_headers(&mut self, headers: Headers, end: bool) -> Run<u32> {
        self.0
            .request_headers(StreamInfo::default(), headers, end)
            .map_err(trap)
    }

    fn request_body(&mut self, stream: u32, data: &[u8], end: bool) -> Run<()> {
        self.0.request_body(stream, data, end).map_err(trap)
    }

    fn request_trailers(&mut self, stream: u32, trailers: Headers) -> Run<()> {
        self.0.request_trailers(stream, trailers).map_err(trap)
    }

    fn answered(
        &mut self,
        stream: u32,
        headers: Headers,
        body: &[u8],
        trailers: Headers,
    ) -> Run<()> {
        let last = trailers.is_empty();
        self.0
            .response_headers(stream, headers, last && body.is_empty())
            .map_err(trap)?;
        if !body.is_empty() {
            self.0.response_body(stream, body, last).map_err(trap)?;
        }
        if last {
            return Ok(());
        }
        self.0.response_trailers(stream, trailers).map_err(trap)
    }

    fn answered_by_proxy(&mut self, stream: u32, status: u16, body: &str) -> Run<()> {
        self.0.answer(stream, status.into(), body).map_err(trap)
    }

    fn left(&mut self, stream: u32) -> Run<()> {
        self.0.stream_gone(stream).map_err(trap)
    }

    fn tick(&mut self) -> Run<()> {
        self.0.tick().map_err(trap)
    }

    fn queue_ready(&mut self, context: u32, queue: u32) -> Run<()> {
        self.0.queue_ready(context, queue).map_err(trap)
    }

    fn fetched(&mut self, token: u32, response: Option<CallResponse>) -> Run<()> {
        self.0.http_call_response(token, response).map_err(trap)
    }

    fn message(&mut self, token: u32, message: Vec<u8>) -> Run<()> {
        self.0.grpc_message(token, message).map_err(trap)
    }

    fn closed(&mut self, token: u32, grpc_status: u32) -> Run<()> {
        self.0.grpc_closed(token, grpc_status, "").map_err(trap)
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        self.0.take_effects()
    }

    fn gauge(&self, _name: &str) -> Option<u64> {
        None
    }
}
