//! Real Envoys over a real engine: processes on free loopback ports.
//!
//! An Envoy takes a second or two to start, so scenarios with the same configuration share one, each with tenants of its own;
//! those that would be noticed by others have it to themselves for a while, and those that want a gateway which was never
//! used get one. How processes are started and ended is known one floor below, in `processes`: not in `testbed`, which stands
//! above and knows this repository, while scenarios are for people who have nothing but the programs.

mod client;
mod kept;
mod server;
mod stack;
mod stage;
mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Runtime;
use tokio::sync::RwLock;

use self::kept::Kept;
use self::stack::Stack;
use self::stage::EnvoyStage;
use crate::driver::{Driver, Need, Result, Setting, Stage, Trouble};

/// Threads for clients and servers.
const THREADS: usize = 2;
/// How many know a stack that nobody plays on: its slot, and whoever looks.
const KNOWN_HERE: usize = 2;
/// How many stacks are kept while nobody uses them.
const MAX_IDLE: usize = 1;

/// What is run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Envoy.
    pub envoy: PathBuf,
    /// `host-sim`, for its engine.
    pub host_sim: PathBuf,
    /// The module.
    pub wasm: PathBuf,
    /// The Envoy configuration to start from: as `envoy/envoy.yaml` in all that scenarios do not change.
    pub envoy_config: PathBuf,
}

/// See the module's text.
pub struct Envoy {
    programs: Programs,
    runtime: Arc<Runtime>,
    stacks: Mutex<BTreeMap<String, Arc<Slot>>>,
    plays: AtomicU64,
}

impl std::fmt::Debug for Envoy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envoy")
            .field("programs", &self.programs)
            .finish_non_exhaustive()
    }
}

/// A stack that is started by whoever comes first, and by the next one where that failed.
type Slot = Kept<Arc<RwLock<Stack>>>;

impl Envoy {
    /// With these programs.
    ///
    /// # Errors
    /// When one is missing, or there are no threads.
    pub fn new(programs: Programs) -> Result<Self> {
        for program in [
            &programs.envoy,
            &programs.host_sim,
            &programs.wasm,
            &programs.envoy_config,
        ] {
            if !program.is_file() {
                return Err(Trouble(format!(
                    "{}: there is no such file",
                    program.display()
                )));
            }
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .map_err(Trouble::of)?;
        Ok(Self {
            programs,
            runtime: Arc::new(runtime),
            stacks: Mutex::default(),
            plays: AtomicU64::new(0),
        })
    }

    fn start(&self, setting: &Setting) -> Result<Arc<RwLock<Stack>>> {
        let stack = Stack::start(&self.programs, setting, &self.runtime)?;
        Ok(Arc::new(RwLock::new(stack)))
    }

    /// The stack for such scenarios.
    fn shared(&self, setting: &Setting) -> Result<Arc<RwLock<Stack>>> {
        let key = self.kinship(setting);
        let slot = {
            let mut stacks = self.stacks.lock().unwrap_or_else(PoisonError::into_inner);
            // Others come back rarely: scenarios are played in the order of their kin.
            let idle: Vec<String> = stacks
                .iter()
                .filter(|(other, slot)| **other != key && is_idle(slot))
                .map(|(other, _)| other.clone())
                .collect();
            for other in idle.iter().skip(MAX_IDLE) {
                stacks.remove(other);
            }
            Arc::clone(stacks.entry(key).or_default())
        };
        slot.get_or_make(|| self.start(setting))
    }
}

fn is_idle(slot: &Arc<Slot>) -> bool {
    // Whoever makes it has the slot too.
    Arc::strong_count(slot) == 1
        && slot
            .get()
            .is_none_or(|stack| Arc::strong_count(&stack) == KNOWN_HERE)
}

impl Driver for Envoy {
    fn name(&self) -> &'static str {
        "envoy"
    }

    fn cannot(&self, need: Need) -> bool {
        need != Need::Wire
    }

    fn kinship(&self, setting: &Setting) -> String {
        format!(
            "{}/{}/{}",
            setting.gateways, setting.workers, setting.configuration
        )
    }

    fn open(&self, setting: &Setting) -> Result<Box<dyn Stage>> {
        let stack = if setting.fresh {
            self.start(setting)?
        } else {
            self.shared(setting)?
        };
        let number = self.plays.fetch_add(1, Ordering::Relaxed);
        let runtime = Arc::clone(&self.runtime);
        Ok(Box::new(EnvoyStage::open(
            stack,
            setting.alone,
            number,
            runtime,
        )?))
    }
}
