//! One worker: a VM that is replaced when it traps, after a pause, as Envoy's `FAIL_RELOAD` does.
//!
//! A trap loses every request of that VM. The next request brings a new VM up, unless the last one was started too short
//! a while ago: until then requests are refused. Shared data outlives all of it.

use std::rc::Rc;
use std::sync::Arc;

use crate::effects::Effect;
use crate::plugin::{Plugin, Program};
use crate::ports::{Clock, Random};
use crate::shared::{Address, Shared};
use crate::vm::{Setting, StartFailure, Trapped, Vm};

/// Counts VMs that replaced a trapped one.
pub const VM_RELOADS: &str = "vm_reloads";
/// Counts traps.
pub const VM_TRAPS: &str = "vm_traps";
/// Envoy's default for `reload_config.backoff.base_interval`.
pub const DEFAULT_RELOAD_BACKOFF_MS: u64 = 1_000;

/// Makes a source of randomness for each VM in turn.
pub type RandomSource = Box<dyn FnMut() -> Box<dyn Random>>;

/// See the module's text.
pub struct Worker {
    program: Program,
    plugin: Arc<Plugin>,
    shared: Arc<Shared>,
    address: Address,
    clock: Rc<dyn Clock>,
    random: RandomSource,
    backoff_ms: u64,
    started_ns: u64,
    vm: Option<Vm>,
    generation: u64,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("address", &self.address)
            .field("generation", &self.generation)
            .field("vm", &self.vm)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts the first VM. `backoff_ms` is the shortest time between the starts of two VMs.
    ///
    /// # Errors
    /// [`StartFailure`] when the module refuses or traps: the plugin must not be served then.
    pub fn start(
        program: Program,
        plugin: Arc<Plugin>,
        shared: Arc<Shared>,
        address: Address,
        clock: Rc<dyn Clock>,
        random: RandomSource,
        backoff_ms: u64,
    ) -> Result<Self, StartFailure> {
        let mut worker = Self {
            program,
            plugin,
            shared,
            address,
            clock,
            random,
            backoff_ms,
            started_ns: 0,
            vm: None,
            generation: 0,
        };
        worker.vm = Some(worker.start_vm()?);
        Ok(worker)
    }

    fn start_vm(&mut self) -> Result<Vm, StartFailure> {
        self.started_ns = self.clock.monotonic_ns();
        self.generation = self.generation.saturating_add(1);
        Vm::start(
            &self.program,
            Setting {
                plugin: Arc::clone(&self.plugin),
                shared: Arc::clone(&self.shared),
                address: self.address,
                clock: Rc::clone(&self.clock),
                random: (self.random)(),
            },
        )
    }

    /// Grows with each VM. Answers that were asked for by an earlier generation must not reach a later one.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What it is configured with.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Where this worker's wake-ups go.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The VM, unless it trapped.
    pub fn vm(&mut self) -> Option<&mut Vm> {
        self.vm.as_mut()
    }

    /// The VM for a new request: brings a new one up when the last trapped long enough ago. `None`: refuse with 503.
    ///
    /// # Errors
    /// [`StartFailure`] when the new VM does not start; requests are refused and it is tried again after the pause.
    pub fn vm_for_request(&mut self) -> Result<Option<&mut Vm>, StartFailure> {
        if self.vm.is_none() {
            let since_ns = self.clock.monotonic_ns().saturating_sub(self.started_ns);
            if since_ns < self.backoff_ms.saturating_mul(1_000_000) {
                return Ok(None);
            }
            let vm = self.start_vm()?;
            self.shared.metrics.count(VM_RELOADS, 1);
            self.vm = Some(vm);
        }
        Ok(self.vm.as_mut())
    }

    /// To be called after each call into the VM: its effects, and when it trapped, what was lost with it.
    pub fn collect(&mut self) -> Collected {
        let Some(vm) = self.vm.as_mut() else {
            return Collected::default();
        };
        let effects = vm.take_effects();
        let lost = vm.failure().cloned().map(|trapped| Lost {
            trapped,
            streams: vm.open_streams(),
        });
        if lost.is_some() {
            self.vm = None;
            self.shared.metrics.count(VM_TRAPS, 1);
        }
        Collected { effects, lost }
    }
}

/// What a call into a VM led to.
#[derive(Debug, Default)]
pub struct Collected {
    /// To be done, in order.
    pub effects: Vec<Effect>,
    /// The VM is gone.
    pub lost: Option<Lost>,
}

/// What a trap took along.
#[derive(Debug)]
pub struct Lost {
    /// Why.
    pub trapped: Trapped,
    /// Requests that will never be answered by the module.
    pub streams: Vec<u32>,
}
