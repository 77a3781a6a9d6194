//! The root context of a VM: configuration, ticks, the engine's answers and streams.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use gateway::config::Config;
use gateway::config_error::ConfigError;
use gateway::engine::Answer;
use gateway::worker::{TICK_MS, Worker};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::{BufferType, LogLevel};

use crate::contexts;
use crate::host::ProxyHost;
use crate::vm::{SharedVm, Vm};

/// The root context. Without a configuration it refuses every stream: the VM never gets that far.
pub struct Root {
    id: u32,
    vm: Option<SharedVm>,
    /// Whether the host wants the VM to end and waits for what is under way.
    draining: bool,
}

impl Root {
    pub fn new(id: u32) -> Self {
        Self {
            id,
            vm: None,
            draining: false,
        }
    }

    fn configure(size: usize, host: &ProxyHost) -> Result<Worker, ConfigError> {
        let json = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size)
            .ok()
            .flatten()
            .ok_or_else(|| ConfigError::new("", "is missing"))?;
        Worker::new(Config::parse(&json)?, host)
    }

    /// Runs `change` on the VM, then carries out what it led to.
    fn with_vm(&mut self, change: impl FnOnce(&mut Vm)) {
        let Some(mut vm) = self.vm.as_ref().and_then(|vm| vm.try_borrow_mut().ok()) else {
            return;
        };
        vm.host.wake();
        change(&mut vm);
        vm.carry_out();
        vm.host.tell_counts();
        let has_drained = self.draining && vm.worker.is_idle();
        drop(vm);
        if has_drained {
            self.draining = false;
            self.vm = None;
            contexts::ended(self.id);
            let _ = hostcalls::done();
        }
    }
}

impl Context for Root {
    fn on_grpc_call_response(&mut self, token_id: u32, status_code: u32, response_size: usize) {
        let answer = match status_code {
            0 => match hostcalls::get_buffer(BufferType::GrpcReceiveBuffer, 0, response_size) {
                Ok(message) => Answer::Message(message.unwrap_or_default().into()),
                Err(_) => Answer::Unknown { grpc_status: 0 },
            },
            grpc_status => Answer::Unknown { grpc_status },
        };
        self.with_vm(|vm| vm.answered(token_id, answer));
    }

    fn on_http_call_response(
        &mut self,
        token_id: u32,
        num_headers: usize,
        body_size: usize,
        _num_trailers: usize,
    ) {
        self.with_vm(|vm| vm.fetched(token_id, num_headers, body_size));
    }

    fn on_grpc_stream_message(&mut self, token_id: u32, message_size: usize) {
        self.with_vm(|vm| vm.stream_message(token_id, message_size));
    }

    fn on_grpc_stream_close(&mut self, token_id: u32, status_code: u32) {
        self.with_vm(|vm| vm.stream_closed(token_id, status_code));
    }

    fn on_done(&mut self) -> bool {
        // Whether anything is under way or not: another VM need not wait for the lease to end.
        self.with_vm(|vm| vm.worker.release(&vm.host));
        let busy = self
            .vm
            .as_ref()
            .and_then(|vm| vm.try_borrow().ok())
            .is_some_and(|vm| !vm.worker.is_idle());
        self.draining = busy;
        if !busy {
            self.vm = None;
        }
        !busy
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, plugin_configuration_size: usize) -> bool {
        let host = ProxyHost::new();
        match Self::configure(plugin_configuration_size, &host) {
            Ok(worker) => {
                let vm = Rc::new(RefCell::new(Vm::new(worker, host, self.id)));
                contexts::configured(self.id, &vm);
                self.vm = Some(vm);
                let period = Duration::from_millis(TICK_MS.into());
                hostcalls::set_tick_period(period).is_ok()
            }
            Err(error) => {
                let _ = hostcalls::log(LogLevel::Critical, &error.to_string());
                false
            }
        }
    }

    fn on_tick(&mut self) {
        self.with_vm(|vm| {
            vm.host.tick();
            vm.worker.tick(&vm.host);
        });
    }

    fn on_queue_ready(&mut self, queue_id: u32) {
        // The message says nothing but that there is something to do; one carries out all.
        while let Ok(Some(_)) = hostcalls::dequeue_shared_queue(queue_id) {}
        self.with_vm(|_| {});
    }
}
