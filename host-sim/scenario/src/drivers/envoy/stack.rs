//! One engine, the gateways before it, and the servers beside them: started, changed, and ended with their owner.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use processes::{
    Command, ENGINE_CLUSTER, EnvoyConfig, Port, Process, Request, Stats, WorkDir, envoy,
};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::Programs;
use super::server::Server;
use super::store::Store;
use crate::driver::{EngineState, Result, Setting, Trouble};

/// How long the engine may take until it serves.
const READY_BOUND: Duration = Duration::from_secs(60);
/// The cluster that everything is passed on to.
const UPSTREAM_CLUSTER: &str = "scenario-upstream";

/// See the module's text.
pub(super) struct Stack {
    // Ended in this order.
    pub gateways: Vec<Gateway>,
    engine: Process,
    engine_state: EngineState,
    pub store: Store,
    pub upstream: Server,
    pub key_server: Server,
    _engine_port: Port,
    _work: WorkDir,
}

/// One Envoy.
pub(super) struct Gateway {
    process: Process,
    port: Port,
    admin: Port,
}

impl Gateway {
    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(super) fn stats(&self) -> Result<Stats> {
        let answer = Request::new("GET", "/stats").send(self.admin.address());
        Ok(Stats::parse(&answer.map_err(Trouble::of)?.text()))
    }

    /// All that it has written.
    pub(super) fn log(&self) -> String {
        self.process.log()
    }
}

impl Stack {
    pub(super) fn start(
        programs: &Programs,
        setting: &Setting,
        runtime: &Arc<Runtime>,
    ) -> Result<Self> {
        let work = WorkDir::open(None).map_err(Trouble::of)?;
        let engine_port = Port::free().map_err(Trouble::of)?;
        let data = work.path().join("data");
        std::fs::create_dir_all(&data).map_err(Trouble::of)?;
        let mut engine = Process::start(Command {
            name: "engine".to_owned(),
            program: programs.host_sim.clone(),
            args: vec![
                "engine".into(),
                "--listen".into(),
                engine_port.address().to_string().into(),
                "--data".into(),
                data.into(),
            ],
            env: Vec::new(),
            log: work.path().join("engine.log"),
        })
        .map_err(Trouble::of)?;
        engine
            .wait_for_line("ready ", READY_BOUND)
            .map_err(Trouble::of)?;
        let upstream = Server::start(runtime)?;
        let key_server = Server::start(runtime)?;
        let servers = Servers {
            engine: engine_port.address(),
            upstream: upstream.address(),
            key_server: key_server.address(),
        };
        let gateways = (0..setting.gateways)
            .map(|number| start_gateway(programs, setting, &servers, number, work.path()))
            .collect::<Result<Vec<_>>>()?;
        let mut stack = Self {
            gateways,
            engine,
            engine_state: EngineState::Up,
            store: Store::connect(engine_port.address(), runtime)?,
            upstream,
            key_server,
            _engine_port: engine_port,
            _work: work,
        };
        for gateway in &mut stack.gateways {
            let (address, admin) = (gateway.port.address(), gateway.admin.address());
            envoy::wait_ready(&mut gateway.process, address, admin).map_err(Trouble::of)?;
        }
        Ok(stack)
    }

    pub(super) fn engine_becomes(&mut self, state: EngineState) -> Result<()> {
        match (self.engine_state, state) {
            (EngineState::Up, EngineState::Up) => {}
            (EngineState::Frozen, EngineState::Up) => self.engine.thaw(),
            (EngineState::Down, EngineState::Up) => {
                self.engine.restart().map_err(Trouble::of)?;
                self.engine
                    .wait_for_line("ready ", READY_BOUND)
                    .map_err(Trouble::of)?;
            }
            (EngineState::Down, EngineState::Frozen) => {
                return Err(Trouble(
                    "an engine that is down cannot be frozen".to_owned(),
                ));
            }
            (_, EngineState::Frozen) => self.engine.freeze(),
            (_, EngineState::Down) => self.engine.kill(),
        }
        self.engine_state = state;
        Ok(())
    }

    /// Fails when a gateway does not answer, or had to replace a worker's VM.
    pub(super) fn is_well(&self) -> Result<()> {
        for gateway in &self.gateways {
            // One that has ended does not tell its counters.
            if gateway.stats()?.vm_reloads() > 0 {
                let tail = gateway.process.log_tail();
                return Err(Trouble(format!("a worker's VM trapped\n{tail}")));
            }
        }
        Ok(())
    }
}

struct Servers {
    engine: SocketAddr,
    upstream: SocketAddr,
    key_server: SocketAddr,
}

fn start_gateway(
    programs: &Programs,
    setting: &Setting,
    servers: &Servers,
    number: usize,
    work: &Path,
) -> Result<Gateway> {
    let port = Port::free().map_err(Trouble::of)?;
    let admin = Port::free().map_err(Trouble::of)?;
    let file = work.join(format!("envoy-{number}.json"));
    configure(programs, setting, servers, &port, &admin)
        .and_then(|config| config.write(&file))
        .map_err(Trouble::of)?;
    let process = Process::start(Command {
        name: format!("gateway {number}"),
        program: programs.envoy.clone(),
        args: envoy::arguments(&file, setting.workers),
        env: Vec::new(),
        log: work.join(format!("envoy-{number}.log")),
    })
    .map_err(Trouble::of)?;
    Ok(Gateway {
        process,
        port,
        admin,
    })
}

fn configure(
    programs: &Programs,
    setting: &Setting,
    servers: &Servers,
    port: &Port,
    admin: &Port,
) -> processes::Result<EnvoyConfig> {
    let mut config = EnvoyConfig::read(&programs.envoy_config)?;
    config.listen_on(port.address())?;
    config.admin_on(admin.address())?;
    config.engine_members(&[servers.engine])?;
    let configuration = &setting.configuration;
    let engines = configuration["engine"]["clusters"].as_array();
    for name in engines.into_iter().flatten().filter_map(Value::as_str) {
        add_engine(&mut config, name);
    }
    let issuers = configuration["issuers"].as_array();
    for issuer in issuers.into_iter().flatten() {
        if let Some(name) = issuer["jwks_uri"]["cluster"].as_str() {
            config.cluster(name, servers.key_server)?;
        }
    }
    config.cluster(UPSTREAM_CLUSTER, servers.upstream)?;
    config.route("/", UPSTREAM_CLUSTER)?;
    config.load_wasm(&programs.wasm)?;
    config.set_plugin(configuration.clone())?;
    Ok(config)
}

/// Another cluster that leads to the engine, as the one that stands in the file does.
fn add_engine(config: &mut EnvoyConfig, name: &str) {
    let clusters = config.root_mut().pointer_mut("/static_resources/clusters");
    let Some(clusters) = clusters.and_then(Value::as_array_mut) else {
        return;
    };
    let found = |wanted: &str| clusters.iter().find(|it| it["name"] == wanted).cloned();
    if found(name).is_none()
        && let Some(mut cluster) = found(ENGINE_CLUSTER)
    {
        cluster["name"] = name.into();
        cluster["load_assignment"]["cluster_name"] = name.into();
        clusters.push(cluster);
    }
}
