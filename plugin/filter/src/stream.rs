//! One HTTP stream: its callbacks become inputs of its exchange, the exchange's steps become host calls.

use gateway::exchange::{Input, Step};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::headers::HeaderBlock;
use crate::vm::{SharedVm, change_headers, send};

/// One HTTP stream of a configured VM.
pub struct Stream {
    id: u32,
    vm: SharedVm,
    /// Bytes of the body that the host has buffered.
    body_bytes: usize,
}

impl Stream {
    pub fn new(id: u32, vm: SharedVm) -> Self {
        Self {
            id,
            vm,
            body_bytes: 0,
        }
    }

    fn advance(&self, input: Input<'_>) -> Step {
        match self.vm.try_borrow_mut() {
            Ok(mut vm) => vm.advance(self.id, input),
            // Only if a host called back into the VM while it was running, which no host may.
            Err(_) => Step::AwaitOutcome,
        }
    }

    /// Whether only the gateway may send a field of this name to an upstream.
    fn is_forged(&self, name: &[u8]) -> bool {
        self.vm.try_borrow().is_ok_and(|vm| {
            let policy = vm.worker.policy();
            policy.identity_headers().covers(name)
        })
    }

    /// More of the body is there, or all of it.
    fn body_grown(&self, complete: bool) -> Action {
        let step = self.advance(Input::BodyGrown {
            total_bytes: self.body_bytes,
        });
        if !complete || !matches!(step, Step::AwaitBody) {
            return act(step);
        }
        let body = match self.body_bytes {
            0 => Some(Vec::new()),
            bytes => hostcalls::get_buffer(BufferType::HttpRequestBody, 0, bytes)
                .ok()
                .flatten()
                // Less than was announced would be another request.
                .filter(|body| body.len() == bytes),
        };
        act(match body {
            Some(body) => self.advance(Input::Body(&body)),
            None => self.advance(Input::BodyLost),
        })
    }
}

impl Context for Stream {
    fn on_done(&mut self) -> bool {
        if let Ok(mut vm) = self.vm.try_borrow_mut() {
            vm.forget(self.id);
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _num_headers: usize, end_of_stream: bool) -> Action {
        // Once, and as bytes: after this callback they may be gone.
        let block = HeaderBlock::of(MapType::HttpRequestHeaders);
        act(self.advance(Input::Head {
            headers: &block.pairs(),
            end: end_of_stream,
        }))
    }

    fn on_http_request_body(&mut self, body_size: usize, end_of_stream: bool) -> Action {
        // Cumulative: all that is buffered so far.
        self.body_bytes = body_size;
        self.body_grown(end_of_stream)
    }

    fn on_http_request_trailers(&mut self, _num_trailers: usize) -> Action {
        // Some servers take trailers for headers.
        let block = HeaderBlock::of(MapType::HttpRequestTrailers);
        for (name, _) in block.pairs() {
            if self.is_forged(name)
                && let Ok(name) = std::str::from_utf8(name)
            {
                let _ = hostcalls::remove_map_value(MapType::HttpRequestTrailers, name);
            }
        }
        // With trailers the end of the body is never announced by itself.
        self.body_grown(true)
    }
}

fn act(step: Step) -> Action {
    match step {
        Step::PassOn(onward) => {
            change_headers(&onward);
            Action::Continue
        }
        Step::Passing => Action::Continue,
        Step::Reply(reply) => {
            send(&reply);
            Action::Pause
        }
        Step::AwaitBody | Step::AwaitOutcome | Step::Settled => Action::Pause,
    }
}
