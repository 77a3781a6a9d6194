//! One engine and one gateway of a test's own, and the turn that the test waits for before it starts them.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use testbed::{Algorithm, DevKeys, Engine, Gateway, GatewayBuilder, TokenRequest};

use crate::Combination;

/// Threads of a test's client side: as many as the smallest machine has.
const CLIENT_THREADS: usize = 2;

/// Several ticks of a worker, and how often a number is looked at before it is held to change for ever.
const TICKS: Duration = Duration::from_millis(150);
const MOST_LOOKS: usize = 40;

/// A running engine with a running gateway in front of it. Ends with the test, also with one that fails.
#[derive(Debug)]
pub struct Stack {
    // Ended in this order: the gateway first, so that no request meets a gateway without an engine.
    /// The gateway.
    pub gateway: Gateway,
    /// The engine.
    pub engine: Engine,
    combination: Combination,
    plugin: Value,
    dir: Option<TempDir>,
}

impl Stack {
    /// Starts `combination` with two workers and the committed plugin configuration under development keys.
    ///
    /// # Panics
    /// When anything does not start: the message carries the log of what did not.
    #[must_use]
    pub fn start(combination: Combination) -> Self {
        Self::start_with(combination, Self::plugin(), |gateway| gateway)
    }

    /// The plugin configuration that [`Stack::start`] uses, to be changed for [`Stack::start_with`].
    ///
    /// # Panics
    /// When the committed configuration cannot be read.
    #[must_use]
    pub fn plugin() -> Value {
        testbed::dev_plugin(keys()).expect("a plugin configuration")
    }

    /// Starts `combination` with two workers, with that plugin configuration and as `finish` completes the gateway.
    ///
    /// # Panics
    /// As [`Stack::start`].
    #[must_use]
    pub fn start_with(
        combination: Combination,
        plugin: Value,
        finish: impl FnOnce(GatewayBuilder) -> GatewayBuilder,
    ) -> Self {
        let target = testbed::cargo_target_dir().join("e2e");
        std::fs::create_dir_all(&target).expect("a directory for the test's data");
        let dir = tempfile::Builder::new()
            .prefix(&format!("{combination}-"))
            .tempdir_in(&target)
            .expect("a directory for the test's data");
        let engine = Engine::of(combination.engine)
            .data_dir(dir.path().join("data"))
            .work_dir(dir.path().join("engine"))
            .start()
            .unwrap_or_else(|error| panic!("{combination}: {error}"));
        let gateway = Gateway::of(combination.gateway, engine.address(), plugin.clone())
            .work_dir(dir.path().join("gateway"));
        let gateway = finish(gateway)
            .start()
            .unwrap_or_else(|error| panic!("{combination}: {error}"));
        Self {
            gateway,
            engine,
            combination,
            plugin,
            dir: Some(dir),
        }
    }

    /// Another gateway in front of the same engine, with the same plugin configuration and nothing behind it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn second_gateway(&self) -> Gateway {
        let plugin = self.plugin.clone();
        Gateway::of(self.combination.gateway, self.engine.address(), plugin)
            .work_dir(self.path().join("second-gateway"))
            .start()
            .unwrap_or_else(|error| panic!("{}: {error}", self.combination))
    }

    /// Where the gateway listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// Which combination it is.
    #[must_use]
    pub fn combination(&self) -> Combination {
        self.combination
    }

    /// A token for `tenant` to view and manage.
    ///
    /// # Panics
    /// When `tenant` is no tenant's name.
    #[must_use]
    pub fn token(&self, tenant: &str) -> String {
        self.token_of(&TokenRequest::new(tenant))
    }

    /// A token as asked for.
    ///
    /// # Panics
    /// When no gateway would take such a token.
    #[must_use]
    pub fn token_of(&self, request: &TokenRequest) -> String {
        keys().token(request).expect("a token")
    }

    /// A token that says exactly this, sensible or not.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn sign(&self, claims: Value) -> String {
        keys().sign(Algorithm::Es256, claims).expect("a token")
    }

    /// A counter or gauge of the gateway; 0 when it was never touched. Workers tell what they have counted with their next
    /// tick, so it is looked at until it stays as it is for several of these.
    ///
    /// # Panics
    /// When the gateway does not tell, or another number each time.
    #[must_use]
    pub fn stat(&self, name: &str) -> u64 {
        let mut value = self.stat_now(name);
        for _ in 0..MOST_LOOKS {
            std::thread::sleep(TICKS);
            let before = std::mem::replace(&mut value, self.stat_now(name));
            if before == value {
                return value;
            }
        }
        panic!("{name} has no value that lasts: {value} by now");
    }

    /// The same as it is shown at this moment, for one that moves all the time or that a test waits for.
    #[must_use]
    pub fn stat_now(&self, name: &str) -> u64 {
        let stats = self.gateway.stats().expect("counters");
        let found = stats.iter().find(|(own, _)| {
            *own == name || own.strip_suffix(name).is_some_and(|it| it.ends_with('.'))
        });
        found.map_or(0, |(_, value)| value)
    }

    /// Everything that the gateway has written by now.
    ///
    /// # Panics
    /// When its log cannot be read.
    #[must_use]
    pub fn gateway_log(&self) -> String {
        let log = std::fs::read(self.path().join("gateway").join("gateway.log"));
        String::from_utf8_lossy(&log.expect("the gateway's log")).into_owned()
    }

    /// The keys that the gateway trusts.
    #[must_use]
    pub fn keys(&self) -> &'static DevKeys {
        keys()
    }

    /// Fails the test when a worker's VM had to be replaced.
    ///
    /// # Panics
    /// When it was, or the gateway's counters cannot be read.
    pub fn assert_no_vm_was_reloaded(&self) {
        let stats = self.gateway.stats().expect("counters");
        let reloads: Vec<_> = stats
            .iter()
            .filter(|(name, value)| name.contains("vm_reload") && *value > 0)
            .collect();
        assert!(reloads.is_empty(), "{}: {reloads:?}", self.combination);
    }

    fn path(&self) -> &Path {
        self.dir.as_ref().map_or(Path::new("."), TempDir::path)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.gateway.process().stop();
        self.engine.process().stop();
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!(
                "{}: kept for a look: {}",
                self.combination,
                dir.keep().display()
            );
        }
    }
}

/// Runs a test on processes, when it is its turn: one at a time in a test program, because each has processes enough for
/// two cores, and time bounds are meant for a machine that is not overrun.
///
/// # Panics
/// When the client's threads cannot be started.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind that could harm the next.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CLIENT_THREADS)
        .enable_all()
        .build()
        .expect("threads for the clients")
        .block_on(test)
}

fn keys() -> &'static DevKeys {
    static KEYS: OnceLock<DevKeys> = OnceLock::new();
    KEYS.get_or_init(|| DevKeys::shared().expect("development keys"))
}
