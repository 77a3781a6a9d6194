//! A stack of real processes as a stage, for one scenario alone or for several at a time.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::runtime::Runtime;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, oneshot};
use tokio::task::JoinHandle;

use super::client;
use super::stack::Stack;
use crate::driver::{
    Ask, Behaviour, EngineState, KeySeen, Outcome, Place, Request, Result, Service, Stage, Trouble,
};

/// What [`Stage::linger`] waits.
const LINGER: Duration = Duration::from_millis(20);
/// How much of a tenant's name in a scenario is kept; the rest makes it one of its own, within the usual 16 characters.
const NAME_CHARACTERS: usize = 10;
/// How a line that the filter wrote is told from Envoy's own.
const FILTERS_LINE: &str = "wasm log";

enum Held {
    Shared(OwnedRwLockReadGuard<Stack>),
    Alone(OwnedRwLockWriteGuard<Stack>),
}

impl Deref for Held {
    type Target = Stack;

    fn deref(&self) -> &Stack {
        match self {
            Self::Shared(stack) => stack,
            Self::Alone(stack) => stack,
        }
    }
}

/// A request.
struct UnderWay {
    task: JoinHandle<Result<Outcome>>,
    /// Until it is on its connection.
    sent: Option<oneshot::Receiver<()>>,
}

pub(super) struct EnvoyStage {
    held: Held,
    runtime: Arc<Runtime>,
    number: u64,
    last_ask: u64,
    under_way: BTreeMap<Ask, UnderWay>,
    /// How long each gateway's log was at the beginning.
    logs: Vec<usize>,
}

impl EnvoyStage {
    pub(super) fn open(
        stack: Arc<RwLock<Stack>>,
        alone: bool,
        number: u64,
        runtime: Arc<Runtime>,
    ) -> Result<Self> {
        let held = if alone {
            let mut stack = runtime.block_on(stack.write_owned());
            stack.engine_becomes(EngineState::Up)?;
            stack.upstream.reset()?;
            stack.key_server.reset()?;
            Held::Alone(stack)
        } else {
            Held::Shared(runtime.block_on(stack.read_owned()))
        };
        let logs = held.gateways.iter().map(|it| it.log().len()).collect();
        Ok(Self {
            held,
            runtime,
            number,
            last_ask: 0,
            under_way: BTreeMap::new(),
            logs,
        })
    }

    fn alone(&mut self) -> Result<&mut Stack> {
        match &mut self.held {
            Held::Alone(stack) => Ok(stack),
            Held::Shared(_) => Err(Trouble("others play on this gateway too".to_owned())),
        }
    }
}

impl Stage for EnvoyStage {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn tenant(&mut self, name: &str) -> String {
        let kept: String = name.chars().take(NAME_CHARACTERS).collect();
        format!("{kept}{:04}", self.number)
    }

    fn begin(&mut self, place: Place, request: &Request) -> Result<Ask> {
        let to = self.held.gateways[place.gateway].address();
        self.last_ask += 1;
        let ask = Ask(self.last_ask);
        let (sent, told) = oneshot::channel();
        let exchange = client::exchange(to, request.clone(), sent);
        let under_way = UnderWay {
            task: self.runtime.spawn(exchange),
            sent: Some(told),
        };
        self.under_way.insert(ask, under_way);
        Ok(ask)
    }

    fn finish(&mut self, ask: Ask) -> Result<Outcome> {
        let under_way = self.under_way.remove(&ask);
        let under_way = under_way.ok_or_else(|| Trouble("there is no such request".to_owned()))?;
        self.runtime.block_on(under_way.task).map_err(Trouble::of)?
    }

    fn leave(&mut self, ask: Ask) -> Result<()> {
        if let Some(under_way) = self.under_way.remove(&ask) {
            under_way.task.abort();
            // Its connection is gone with it.
            let _ = self.runtime.block_on(under_way.task);
        }
        Ok(())
    }

    fn pass(&mut self, _ms: u64) -> Result<()> {
        Err(Trouble("this clock cannot be moved".to_owned()))
    }

    fn linger(&mut self) -> Result<()> {
        // What is not on its connection yet has no time to go on in.
        for sent in self.under_way.values_mut().filter_map(|it| it.sent.take()) {
            // One that cannot be sent is told by its outcome.
            let _ = self.runtime.block_on(sent);
        }
        std::thread::sleep(LINGER);
        Ok(())
    }

    fn engine(&mut self, state: EngineState) -> Result<()> {
        self.alone()?.engine_becomes(state)
    }

    fn serve(&mut self, service: Service, behaviour: Behaviour) -> Result<()> {
        let stack = self.alone()?;
        match service {
            Service::Upstream => stack.upstream.behave(behaviour),
            Service::KeyServer => stack.key_server.behave(behaviour),
        }
    }

    fn seen(&mut self, service: Service) -> Result<Vec<Request>> {
        let stack = self.alone()?;
        Ok(match service {
            Service::Upstream => stack.upstream.seen(),
            Service::KeyServer => stack.key_server.seen(),
        })
    }

    fn lose_worker(&mut self, _place: Place) -> Result<()> {
        Err(Trouble(
            "a worker of a real Envoy is lost by a bug alone".to_owned(),
        ))
    }

    fn mark(&mut self, key: &[u8], present: bool) -> Result<()> {
        self.held.store.mark(key, present)
    }

    fn keys(&mut self, prefix: &[u8]) -> Result<Vec<KeySeen>> {
        self.held.store.keys(prefix)
    }

    fn metric(&mut self, gateway: usize, name: &str) -> Result<u64> {
        let stats = self.held.gateways[gateway].stats()?;
        let whole = format!("wasmcustom.{name}");
        let found = stats.iter().find(|(own, _)| *own == whole);
        Ok(found.map_or(0, |(_, value)| value))
    }

    fn is_well(&mut self) -> Result<()> {
        self.held.is_well()
    }

    fn log(&mut self, gateway: usize) -> Result<Vec<String>> {
        let log = self.held.gateways[gateway].log();
        let since = log.get(self.logs[gateway]..).unwrap_or_default();
        let lines = since.lines().filter(|line| line.contains(FILTERS_LINE));
        Ok(lines.map(str::to_owned).collect())
    }
}

impl Drop for EnvoyStage {
    fn drop(&mut self) {
        for under_way in self.under_way.values() {
            under_way.task.abort();
        }
        if let Held::Alone(stack) = &mut self.held {
            // Whoever comes next finds it so, or is told what is wrong with it.
            let _ = stack.engine_becomes(EngineState::Up);
            let _ = stack.upstream.reset();
            let _ = stack.key_server.reset();
        }
    }
}
