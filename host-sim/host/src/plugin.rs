//! What one plugin is configured with, as Envoy's `PluginConfig` would say it, and how a module becomes runnable code.
//!
//! Compiled code is kept next to the module, keyed by its content and by the compiler's version, because compiling in a
//! debug build takes seconds.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::{Cache, CacheConfig, Config, Engine, InstancePre, Module};

use crate::abi::LogLevel;
use crate::imports;
use crate::state::State;

/// Envoy's default per-connection buffer limit, bytes.
pub const DEFAULT_MAX_BODY_BUFFER_BYTES: usize = 1024 * 1024;

/// Settings of one plugin; the same for all its VMs.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Shown in logs and as the property `plugin_name`.
    pub name: String,
    /// Names the root context inside the module.
    pub root_id: String,
    /// The namespace of shared data and queues.
    pub vm_id: String,
    /// Handed to the module at its start.
    pub vm_configuration: Vec<u8>,
    /// Handed to the module when it is configured.
    pub plugin_configuration: Vec<u8>,
    /// Clusters that callouts may name.
    pub clusters: BTreeSet<String>,
    /// When false, a request paused at its headers never shows its body.
    pub allow_on_headers_stop_iteration: bool,
    /// How much of a body may be held back before the host answers 413.
    pub max_body_buffer_bytes: usize,
    /// Whether the module finds the foreign function `verify_signature`.
    pub native_signatures: bool,
    /// Lines below it are dropped.
    pub log_level: LogLevel,
}

impl Default for Plugin {
    fn default() -> Self {
        Self {
            name: "points".to_owned(),
            root_id: String::new(),
            vm_id: "points".to_owned(),
            vm_configuration: Vec::new(),
            plugin_configuration: Vec::new(),
            clusters: BTreeSet::new(),
            allow_on_headers_stop_iteration: true,
            max_body_buffer_bytes: DEFAULT_MAX_BODY_BUFFER_BYTES,
            native_signatures: true,
            log_level: LogLevel::Info,
        }
    }
}

/// Why a module cannot run at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a module, or one that does not compile.
    #[error("cannot compile the module: {0:#}")]
    Compile(wasmtime::Error),
    /// It speaks another ABI.
    #[error(
        "the module exports none of proxy_abi_version_0_2_1, 0_2_0: not a proxy-wasm filter of this ABI"
    )]
    AbiVersion,
    /// An export that the host cannot do without.
    #[error("the module does not export {0}")]
    MissingExport(&'static str),
}

/// Code ready to be instantiated, by several VMs and threads.
#[derive(Clone)]
pub struct Program {
    pub(crate) engine: Engine,
    module: Module,
    /// With the host calls that it imports: looking these up takes longer than all else that an instance needs.
    linked: Arc<OnceLock<InstancePre<State>>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").finish_non_exhaustive()
    }
}

impl Program {
    /// Compiles a file, or takes what an earlier run compiled into `.host-sim-cache` beside it.
    ///
    /// # Errors
    /// [`LoadError`] names the file or the reason.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
            path: path.display().to_string(),
            source,
        })?;
        let mut config = Config::new();
        // A cache that cannot be opened (a read-only folder, say) costs time, nothing else.
        let folder = path
            .canonicalize()
            .ok()
            .and_then(|path| path.parent().map(|parent| parent.join(".host-sim-cache")));
        if let Some(folder) = folder {
            let mut settings = CacheConfig::new();
            settings.with_directory(folder);
            config.cache(Cache::new(settings).ok());
        }
        Self::compile(&config, &bytes)
    }

    /// Compiles bytes, without a cache.
    ///
    /// # Errors
    /// [`LoadError`] names the reason.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::compile(&Config::new(), bytes)
    }

    fn compile(config: &Config, bytes: &[u8]) -> Result<Self, LoadError> {
        let engine = Engine::new(config).map_err(LoadError::Compile)?;
        let module = Module::new(&engine, bytes).map_err(LoadError::Compile)?;
        let exports = |name: &str| module.get_export(name).is_some();
        if !exports("proxy_abi_version_0_2_1") && !exports("proxy_abi_version_0_2_0") {
            return Err(LoadError::AbiVersion);
        }
        Ok(Self {
            engine,
            module,
            linked: Arc::default(),
        })
    }

    /// Ready to be instantiated.
    pub(crate) fn linked(&self) -> wasmtime::Result<&InstancePre<State>> {
        if let Some(linked) = self.linked.get() {
            return Ok(linked);
        }
        let linked = imports::link(&self.engine, &self.module)?;
        Ok(self.linked.get_or_init(|| linked))
    }
}
