//! One run from beginning to end: start, clients and faults, healing, settling, checking, and the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use testbed::DevKeys;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::GATEWAYS;
use crate::client::Client;
use crate::faults::{Injected, Scene};
use crate::live::Live;
use crate::network::Links;
use crate::report::Report;
use crate::stage::Stage;
use crate::verify::{self, Verified};
use crate::world::World;

/// Threads of the clients: as many as the smallest machine has.
const CLIENT_THREADS: usize = 2;
/// How long a fault is held in a run of that many minutes or more, and in a shorter one.
const LONG_RUN: Duration = Duration::from_secs(150);
const LONG_HOLD: Duration = Duration::from_secs(5);
const SHORT_HOLD: Duration = Duration::from_secs(2);
/// What a module leaves in a gateway's log when it traps.
const TRAP_WORDS: [&str; 2] = ["Uncaught RuntimeError", "panicked at"];

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For how long clients work and faults are injected. The last fault may end later.
    pub duration: Duration,
    /// How many whole rounds of faults there are at least, each of every kind once, however long they take.
    pub rounds: usize,
    /// From which it follows who does what, and in which order faults come.
    pub seed: u64,
    /// How many clients work at the same time; at least 1.
    pub clients: usize,
    /// How the network is cut.
    pub links: Links,
}

/// Runs the plan.
///
/// # Errors
/// When something cannot be started, or this process is to end before that is done. From then on a step that fails ends the
/// run early and is in the report, with all that was seen and found until then; what is found wrong is in the report too.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    ensure!(plan.clients > 0, "at least one client is needed");
    let dir = directory(plan.seed)?;
    let report = Run::start(plan, &dir)
        .map(|run| run.report(plan))
        .with_context(|| {
            format!(
                "seed {}; nothing was done yet; logs are in {}",
                plan.seed,
                dir.display()
            )
        })?;
    if report.is_clean() {
        // Logs of a run in which nothing was wrong are of no use.
        let _ = std::fs::remove_dir_all(&dir);
    }
    Ok(report)
}

/// Everything that runs.
struct Run {
    // Ended in this order.
    live: Live,
    stage: Stage,
    world: Arc<World>,
    runtime: Runtime,
    hold: Duration,
}

/// How far it came.
#[derive(Debug, Default)]
struct Begun {
    faults: Vec<Injected>,
    /// For how long clients worked.
    lasted: Duration,
    settled: Option<usize>,
    verified: Option<Verified>,
}

impl Run {
    fn start(plan: &Plan, dir: &Path) -> anyhow::Result<Self> {
        let keys = DevKeys::shared()?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(CLIENT_THREADS)
            .enable_all()
            .build()
            .context("start the clients' threads")?;
        let mut stage = Stage::start(dir, &keys, plan.links, runtime.handle().clone())?;
        let world = Arc::new(World::new(stage.addresses()?, &keys, plan.clients)?);
        let live = Live::start(Arc::clone(&world));
        stage.wait_until_whole(&world)?;
        Ok(Self {
            live,
            stage,
            world,
            runtime,
            hold: match plan.duration >= LONG_RUN {
                true => LONG_HOLD,
                false => SHORT_HOLD,
            },
        })
    }

    /// Plays and checks, and tells what came of it, also when a step failed on the way.
    fn report(mut self, plan: &Plan) -> Report {
        let mut begun = Begun::default();
        let failure = self.play(plan, &mut begun).err();
        look_for_traps(&mut self.stage, &self.world);
        let board = &self.world.board;
        Report {
            seed: plan.seed,
            clients: plan.clients,
            lasted: begun.lasted,
            hold: self.hold,
            faults: begun.faults,
            counts: board.counts(),
            settled: begun.settled,
            verified: begun.verified,
            failure: failure.map(|error| format!("{error:#}")),
            found: board.found(),
            findings: board.findings(),
            logs: self.stage.logs(),
            network: self.stage.network.words(),
        }
    }

    fn play(&mut self, plan: &Plan, begun: &mut Begun) -> anyhow::Result<()> {
        let Self {
            live, stage, world, ..
        } = self;
        let clients = start_clients(&self.runtime, world, plan.seed);
        let end = Instant::now() + plan.duration;
        let mut scene = Scene::new(stage, world, live, plan.seed, self.hold);
        let played = scene.play(end, plan.rounds, &mut begun.faults);
        world.board.end();
        self.runtime.block_on(finish(clients, world));
        begun.lasted = world.board.now();
        played?;

        live.doing("settling what is unknown");
        stage.wait_until_whole(world)?;
        begun.settled = Some(self.runtime.block_on(verify::settle(world)));
        live.doing("checking every account");
        let verified = self.runtime.block_on(verify::accounts(world));
        let documents = verify::compare_documents(&stage.members.addresses(), world)?;
        begun.verified = Some(Verified {
            documents,
            ..verified
        });
        for gateway in 0..GATEWAYS {
            stage.check_vms(gateway, world)?;
        }
        Ok(())
    }
}

fn start_clients(runtime: &Runtime, world: &Arc<World>, seed: u64) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for number in 0..world.clients() {
        let client = Client::new(number, seed, Arc::clone(world));
        clients.spawn_on(client.run(), runtime.handle());
    }
    clients
}

async fn finish(mut clients: JoinSet<()>, world: &World) {
    while let Some(ended) = clients.join_next().await {
        if let Err(error) = ended {
            world.board.find(format!("a client's task: {error}"));
        }
    }
}

/// Also those of gateways that were killed later.
fn look_for_traps(stage: &mut Stage, world: &World) {
    for log in stage.logs() {
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let trap = text
            .lines()
            .find(|line| TRAP_WORDS.iter().any(|words| line.contains(words)));
        if let Some(trap) = trap {
            let log = log.display();
            world.board.find(format!("{log}: {trap}"));
        }
    }
}

/// A new directory for this run.
fn directory(seed: u64) -> anyhow::Result<PathBuf> {
    let name = format!("{seed}-{}", std::process::id());
    let dir = testbed::target_dir().join("chaos").join(name);
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}
