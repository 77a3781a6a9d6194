//! One HTTP stream's callbacks: they become inputs of its exchange, the exchange's steps become host calls.
//!
//! Which context is whose is known in [`crate::contexts`].

use gateway::exchange::{Input, Step};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{Action, BufferType, MapType};

use crate::headers::HeaderBlock;
use crate::vm::{SharedVm, Vm, change_headers, send};

/// The head of a request is there.
pub fn on_request_headers(vm: &SharedVm, stream: u32, end: bool) -> Action {
    // Once, and as bytes: after this callback they may be gone.
    let block = HeaderBlock::of(MapType::HttpRequestHeaders);
    let headers = &block.pairs();
    act(with(vm, |vm| vm.begin(stream, headers, end)))
}

/// More of the body is there, `total_bytes` in all, or all of it.
pub fn on_request_body(vm: &SharedVm, stream: u32, total_bytes: usize, complete: bool) -> Action {
    let step = with(vm, |vm| {
        vm.body_grown(stream, total_bytes);
        vm.advance(stream, Input::BodyGrown { total_bytes })
    });
    if !complete || !matches!(step, Step::AwaitBody) {
        return act(step);
    }
    let body = match total_bytes {
        0 => Some(Vec::new()),
        bytes => hostcalls::get_buffer(BufferType::HttpRequestBody, 0, bytes)
            .ok()
            .flatten()
            // Less than was announced would be another request.
            .filter(|body| body.len() == bytes),
    };
    act(with(vm, |vm| match &body {
        Some(body) => vm.advance(stream, Input::Body(body)),
        None => vm.advance(stream, Input::BodyLost),
    }))
}

/// The trailers are there, and with them the end: of the body it is never announced then.
pub fn on_request_trailers(vm: &SharedVm, stream: u32) -> Action {
    // Some servers take trailers for headers.
    let block = HeaderBlock::of(MapType::HttpRequestTrailers);
    for (name, _) in block.pairs() {
        if is_forged(vm, name)
            && let Ok(name) = std::str::from_utf8(name)
        {
            let _ = hostcalls::remove_map_value(MapType::HttpRequestTrailers, name);
        }
    }
    let total_bytes = vm.try_borrow().map_or(0, |vm| vm.body_bytes(stream));
    on_request_body(vm, stream, total_bytes, true)
}

/// The stream is over, whichever way.
pub fn on_done(vm: &SharedVm, stream: u32) {
    if let Ok(mut vm) = vm.try_borrow_mut() {
        vm.forget(stream);
    }
}

fn with(vm: &SharedVm, change: impl FnOnce(&mut Vm) -> Step) -> Step {
    match vm.try_borrow_mut() {
        Ok(mut vm) => change(&mut vm),
        // Only if a host called back into the VM while it was running, which no host may.
        Err(_) => Step::AwaitOutcome,
    }
}

/// Whether only the gateway may send a field of this name to an upstream.
fn is_forged(vm: &SharedVm, name: &[u8]) -> bool {
    vm.try_borrow().is_ok_and(|vm| {
        let policy = vm.worker.policy();
        policy.identity_headers().covers(name)
    })
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
