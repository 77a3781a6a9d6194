//! One instance of a module: one worker's VM, the main thread's, or the canary.
//!
//! Single-threaded and deterministic: what goes in are the method calls, the clock and the random bytes; what comes out
//! is [`Vm::take_effects`]. A trap ends the VM for good; [`crate::Worker`] decides about a new one.

mod answers;
mod ending;
mod exports;
mod http;
mod passing;

use std::rc::Rc;
use std::sync::Arc;

use wasmtime::{Store, TypedFunc, WasmParams, WasmResults};

use crate::abi::LogLevel;
use crate::effects::Effect;
use crate::plugin::{LoadError, Plugin, Program};
use crate::ports::{Clock, Random};
use crate::shared::{Address, Shared};
use crate::state::{Deferred, Guest, ROOT_CONTEXT, State, VM_CONTEXT};
use exports::Exports;

/// The module trapped: every request and callout of this VM is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the module trapped: {0}")]
pub struct Trapped(pub String);

/// Why a VM did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The module lacks something.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It could not be instantiated.
    #[error("cannot instantiate the module: {0}")]
    Instantiate(String),
    /// `proxy_on_vm_start` returned false.
    #[error("the module refused to start")]
    VmStartRefused,
    /// `proxy_on_configure` returned false.
    #[error("the module refused its configuration")]
    ConfigurationRefused,
    /// It trapped on the way.
    #[error(transparent)]
    Trapped(#[from] Trapped),
}

/// A VM that did not start, with the lines it logged on the way.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", shown(log))]
pub struct StartFailure {
    /// Why.
    #[source]
    pub error: StartError,
    /// What the module said, in order.
    pub log: Vec<(LogLevel, String)>,
}

fn shown(log: &[(LogLevel, String)]) -> String {
    log.iter().fold(String::new(), |out, (level, message)| {
        format!("{out}\n  [{}] {message}", level.name())
    })
}

/// What a VM is made from besides its code.
pub struct Setting {
    /// The same for all VMs of a plugin.
    pub plugin: Arc<Plugin>,
    /// The same for all VMs of a process.
    pub shared: Arc<Shared>,
    /// Kept by a VM that replaces this one.
    pub address: Address,
    /// Where time comes from.
    pub clock: Rc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Box<dyn Random>,
}

/// A running module.
pub struct Vm {
    store: Store<State>,
    exports: Exports,
    failed: Option<Trapped>,
    settling: bool,
}

impl std::fmt::Debug for Vm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vm")
            .field("address", &self.store.data().address)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

impl Vm {
    /// Instantiates the module, creates its root context, starts and configures it.
    ///
    /// # Errors
    /// [`StartFailure`] says what refused or trapped and carries the module's log lines.
    pub fn start(program: &Program, setting: Setting) -> Result<Self, StartFailure> {
        let mut vm = Self::instantiate(program, setting).map_err(|error| StartFailure {
            error,
            log: Vec::new(),
        })?;
        match vm.configure() {
            Ok(()) => Ok(vm),
            Err(error) => Err(StartFailure {
                error,
                log: vm.take_log(),
            }),
        }
    }

    fn instantiate(program: &Program, setting: Setting) -> Result<Self, StartError> {
        let instantiate = |error: wasmtime::Error| StartError::Instantiate(format!("{error:#}"));
        let state = State::new(
            setting.plugin,
            setting.shared,
            setting.address,
            setting.clock,
            setting.random,
        );
        let mut store = Store::new(&program.engine, state);
        store.limiter(|state| &mut state.limits);
        let linked = program.linked().map_err(instantiate)?;
        let instance = linked.instantiate(&mut store).map_err(instantiate)?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or(LoadError::MissingExport("memory"))?;
        let allocate = instance
            .get_typed_func::<u32, u32>(&mut store, "proxy_on_memory_allocate")
            .or_else(|_| instance.get_typed_func(&mut store, "malloc"))
            .map_err(|_| LoadError::MissingExport("proxy_on_memory_allocate"))?;
        store.data_mut().guest = Some(Guest { memory, allocate });
        let exports = Exports::find(&mut store, &instance);
        Ok(Self {
            store,
            exports,
            failed: None,
            settling: false,
        })
    }

    /// `_initialize`, the root context, `proxy_on_vm_start`, `proxy_on_configure`, as Envoy orders them.
    fn configure(&mut self) -> Result<(), StartError> {
        let plugin = Arc::clone(&self.state().plugin);
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let initialize = self.exports.initialize.clone();
        self.call(VM_CONTEXT, initialize, ())?;

        let root = self.alloc_context();
        debug_assert_eq!(root, ROOT_CONTEXT, "the first context is the root");
        let state = self.state_mut();
        state.root_created = true;
        let create = self.exports.context_create.clone();
        self.call(root, create, (root, VM_CONTEXT))?;
        self.settle()?;
        let started = self.exports.vm_start.clone();
        let started = self.call(root, started, (root, size(&plugin.vm_configuration)))?;
        self.settle()?;
        if started == Some(0) {
            return Err(StartError::VmStartRefused);
        }
        let configure = self.exports.configure.clone();
        self.state_mut().configuring = true;
        let configured = self.call(root, configure, (root, size(&plugin.plugin_configuration)))?;
        self.state_mut().configuring = false;
        self.settle()?;
        if configured == Some(0) {
            return Err(StartError::ConfigurationRefused);
        }
        Ok(())
    }

    /// The period that was asked for has passed.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn tick(&mut self) -> Result<(), Trapped> {
        let tick = self.exports.tick.clone();
        self.call(ROOT_CONTEXT, tick, ROOT_CONTEXT)?;
        self.settle()
    }

    /// Something lies in a queue whose wake-ups this VM gets.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn queue_ready(&mut self, context: u32, queue: u32) -> Result<(), Trapped> {
        if !self.state().has_context(context) || context == VM_CONTEXT {
            return self.alive();
        }
        let ready = self.exports.queue_ready.clone();
        self.call(context, ready, (context, queue))?;
        self.settle()
    }

    /// The filter is to go. True: at once; false: when [`Effect::Drained`] comes.
    ///
    /// # Errors
    /// [`Trapped`] when the module did, now or before.
    pub fn begin_shutdown(&mut self) -> Result<bool, Trapped> {
        self.state_mut().draining = true;
        let done = self.exports.done.clone();
        let done = self.call(ROOT_CONTEXT, done, ROOT_CONTEXT)?;
        if done != Some(0) {
            self.state_mut().draining = false;
            self.delete_root()?;
            return Ok(true);
        }
        self.settle()?;
        Ok(false)
    }

    fn delete_root(&mut self) -> Result<(), Trapped> {
        let delete = self.exports.delete.clone();
        self.call(ROOT_CONTEXT, delete, ROOT_CONTEXT)?;
        self.state_mut().root_created = false;
        self.settle()
    }

    /// Makes the module trap at its next host call but so many: a crash in the middle of a callback, with what it did before
    /// done.
    pub fn trap_after(&mut self, host_calls: u32) {
        self.state_mut().traps_after = Some(host_calls);
    }

    /// Takes [`Self::trap_after`] back.
    pub fn trap_never(&mut self) {
        self.state_mut().traps_after = None;
    }

    /// What is to be done outside, in order; the list is empty afterwards.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.state_mut().effects)
    }

    /// Why this VM no longer runs, if so.
    pub fn failure(&self) -> Option<&Trapped> {
        self.failed.as_ref()
    }

    /// Requests that have a context now.
    pub fn open_streams(&self) -> Vec<u32> {
        self.state().streams.keys().copied().collect()
    }

    /// Bytes of the module's linear memory. It never shrinks, so this is also the most that it ever was.
    pub fn memory_bytes(&self) -> usize {
        let guest = self.state().guest.as_ref();
        guest.map_or(0, |guest| guest.memory.data_size(&self.store))
    }

    fn take_log(&mut self) -> Vec<(LogLevel, String)> {
        self.take_effects()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Log { level, message } => Some((level, message)),
                _ => None,
            })
            .collect()
    }

    fn state(&self) -> &State {
        self.store.data()
    }

    fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    fn alloc_context(&mut self) -> u32 {
        let state = self.state_mut();
        let id = state.next_context;
        state.next_context = id.wrapping_add(1).max(ROOT_CONTEXT + 1);
        id
    }

    fn alive(&self) -> Result<(), Trapped> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Calls an export on behalf of a context. One that the module does not have is skipped: `None`.
    fn call<P, R>(
        &mut self,
        context: u32,
        function: Option<TypedFunc<P, R>>,
        arguments: P,
    ) -> Result<Option<R>, Trapped>
    where
        P: WasmParams,
        R: WasmResults,
    {
        self.alive()?;
        // Also where the module has no such callback: a reply that an earlier one asked for does not hold this step.
        self.state_mut().stop_iteration = false;
        let Some(function) = function else {
            return Ok(None);
        };
        let state = self.state_mut();
        state.current = context;
        state.effective = VM_CONTEXT;
        let result = function.call(&mut self.store, arguments);
        let state = self.state_mut();
        state.current = VM_CONTEXT;
        state.effective = VM_CONTEXT;
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let trapped = Trapped(format!("{error:#}"));
                self.failed = Some(trapped.clone());
                Err(trapped)
            }
        }
    }

    /// Does what host calls left for after the callback. Each step may call the module again and leave more.
    /// Only the outermost call does it: what is left during one step waits until that step is whole.
    fn settle(&mut self) -> Result<(), Trapped> {
        if std::mem::replace(&mut self.settling, true) {
            return self.alive();
        }
        let mut result = Ok(());
        while result.is_ok()
            && let Some(deferred) = self.state_mut().deferred.pop_front()
        {
            result = self.step(deferred);
        }
        self.settling = false;
        result.and_then(|()| self.alive())
    }

    fn step(&mut self, deferred: Deferred) -> Result<(), Trapped> {
        match deferred {
            Deferred::Resume { stream, side } => self.resume(stream, side),
            Deferred::Reply { stream, reply } => self.local_reply(stream, reply),
            Deferred::Reset { stream } => self.reset(stream),
            Deferred::Drained => {
                self.delete_root()?;
                self.state_mut().effects.push(Effect::Drained);
                Ok(())
            }
        }
    }
}
