//! What a VM asked for and has to wait for: ticks, callouts, gRPC streams. Each is a task of the worker's thread.
//!
//! A task reports to the VM that asked, and to no later one: the generation is compared when it calls.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use super::{Local, Task};
use crate::abi::LogLevel;
use crate::effects::{GrpcTarget, HttpCall};
use crate::serve::callout::StreamEvent;
use crate::serve::log::write_log;
use crate::vm::Vm;

impl Local {
    pub(in crate::serve) fn spawn(&self, task: Task, work: impl Future<Output = ()> + 'static) {
        let handle = tokio::task::spawn_local(work).abort_handle();
        if let Some(old) = self.tasks.borrow_mut().insert(task, handle) {
            old.abort();
        }
    }

    pub(super) fn set_tick(self: &Rc<Self>, generation: u64, period_ms: u32) {
        if let Some(old) = self.tasks.borrow_mut().remove(&Task::Tick) {
            old.abort();
        }
        if period_ms == 0 {
            return;
        }
        let (local, period) = (Rc::clone(self), Duration::from_millis(u64::from(period_ms)));
        self.spawn(Task::Tick, async move {
            loop {
                tokio::time::sleep(period).await;
                local.call_vm(generation, Vm::tick);
            }
        });
    }

    pub(super) fn http_call(self: &Rc<Self>, generation: u64, call: HttpCall) {
        let (local, token) = (Rc::clone(self), call.token);
        let Some(cluster) = self.clusters.get(&call.cluster).cloned() else {
            return;
        };
        if !call.trailers.is_empty() {
            let message = format!("callout {token}: its trailers are not sent over HTTP/1.1");
            write_log(LogLevel::Warn, &message);
        }
        self.spawn(Task::Http(token), async move {
            let response = cluster.http_call(call).await;
            local.tasks.borrow_mut().remove(&Task::Http(token));
            local.call_vm(generation, |vm| vm.http_call_response(token, response));
        });
    }

    pub(super) fn grpc_call(
        self: &Rc<Self>,
        generation: u64,
        token: u32,
        target: GrpcTarget,
        message: Vec<u8>,
        timeout_ms: u32,
    ) {
        let local = Rc::clone(self);
        let Some(cluster) = self.clusters.get(&target.cluster).cloned() else {
            return;
        };
        self.spawn(Task::Grpc(token), async move {
            let result = cluster.grpc_call(target, message, timeout_ms).await;
            local.tasks.borrow_mut().remove(&Task::Grpc(token));
            local.call_vm(generation, |vm| match result {
                Ok(message) => vm.grpc_message(token, message),
                Err(failure) => vm.grpc_closed(token, failure.status, &failure.message),
            });
        });
    }

    pub(super) fn grpc_open(self: &Rc<Self>, generation: u64, token: u32, target: GrpcTarget) {
        let local = Rc::clone(self);
        let Some(cluster) = self.clusters.get(&target.cluster).cloned() else {
            return;
        };
        let (sender, receiver) = unbounded_channel();
        self.grpc_messages.borrow_mut().insert(token, sender);
        self.spawn(Task::Grpc(token), async move {
            let report = |event| {
                local.call_vm(generation, |vm| match event {
                    StreamEvent::Initial(headers) => vm.grpc_initial_metadata(token, headers),
                    StreamEvent::Message(message) => vm.grpc_message(token, message),
                    StreamEvent::Trailing(headers) => vm.grpc_trailing_metadata(token, headers),
                    StreamEvent::Closed(end) => {
                        local.tasks.borrow_mut().remove(&Task::Grpc(token));
                        local.grpc_messages.borrow_mut().remove(&token);
                        vm.grpc_closed(token, end.status, &end.message)
                    }
                });
            };
            cluster.grpc_stream(target, receiver, report).await;
        });
    }
}
