//! A gateway of its own for whoever asks: Envoy or `host-sim serve`, both with the same module and plugin configuration.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use processes::envoy;
use serde_json::Value;

use crate::http::Request;
use crate::process::{Command, Process};
use crate::work_dir::WorkDir;
use crate::{Error, ISSUER_CLUSTER, Place, Port, Response, Result, Stats, paths, tools};

/// How long a gateway may take until it serves. Compiling the module for every worker counts in.
const READY_BOUND: Duration = Duration::from_secs(60);
/// Paths under which a gateway's own port leads to the development issuer; in Envoy's configuration they stand already.
const ISSUER_PREFIXES: [&str; 2] = ["/oauth/", "/.well-known/"];
/// Workers unless told otherwise: the smallest number that shows what workers do to each other.
const DEFAULT_WORKERS: u16 = 2;

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayKind {
    /// A real Envoy.
    Envoy,
    /// `host-sim serve`.
    HostSim,
}

impl GatewayKind {
    /// The name on command lines and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::HostSim => "host-sim",
        }
    }
}

/// A gateway to be started.
#[derive(Debug)]
pub struct GatewayBuilder {
    kind: GatewayKind,
    /// One address, or one for each member.
    engine: Vec<SocketAddr>,
    /// Clusters besides the engine's.
    clusters: BTreeMap<String, SocketAddr>,
    /// By prefix: the cluster that its requests go to.
    routes: BTreeMap<String, String>,
    has_issuer: bool,
    plugin: Value,
    workers: u16,
    port: Option<u16>,
    work: Option<PathBuf>,
    wasm: Option<PathBuf>,
    place: Place,
    patience: Option<Duration>,
    arguments: Vec<OsString>,
}

impl GatewayBuilder {
    /// How many workers share the connections (default 2).
    #[must_use]
    pub fn workers(mut self, workers: u16) -> Self {
        self.workers = workers;
        self
    }

    /// Listens on that port of 127.0.0.1 (default: a free one).
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Keeps log and configuration in `dir` (default: a temporary directory).
    #[must_use]
    pub fn work_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.work = Some(dir.into());
        self
    }

    /// Finds the development issuer at `address`: the cluster of that name leads there, and so do `/oauth/` and
    /// `/.well-known/` of the gateway's own port (default: nobody is there).
    #[must_use]
    pub fn issuer(mut self, address: SocketAddr) -> Self {
        self.has_issuer = true;
        self.cluster(ISSUER_CLUSTER, address)
    }

    /// Finds the engine at all of these addresses, its members'. Envoy alone can: `host-sim` has one address for a cluster, and
    /// takes the first.
    #[must_use]
    pub fn engine_members(mut self, members: Vec<SocketAddr>) -> Self {
        self.engine = members;
        self
    }

    /// Leads the cluster `name` to `address`, for what the filter itself asks there.
    #[must_use]
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        self.clusters.insert(name.to_owned(), address);
        self
    }

    /// Sends what the filter lets through and whose path begins with `prefix` to `address`. The longest prefix that fits
    /// counts (default: 404).
    #[must_use]
    pub fn route(mut self, prefix: &str, address: SocketAddr) -> Self {
        let name = format!("upstream-{}", address.port());
        self.routes.insert(prefix.to_owned(), name.clone());
        self.cluster(&name, address)
    }

    /// Loads that module (default: the one that the build made).
    #[must_use]
    pub fn wasm(mut self, path: impl Into<PathBuf>) -> Self {
        self.wasm = Some(path.into());
        self
    }

    /// Runs it there (default: on loopback).
    #[must_use]
    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Waits no longer than that for the rest of a request, and as long as that for a whole one at least (default: as the
    /// committed configuration of Envoy says). Envoy alone can: the bounds of `host-sim` are its own.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = Some(limit);
        self
    }

    /// Adds arguments of the gateway's own.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, more: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Starts the gateway and waits until it serves.
    ///
    /// # Errors
    /// When a program or the module is missing, the port is in use, or it ends or is not ready within a minute: a plugin
    /// configuration that the module refuses is such an end, and the error shows the module's words.
    pub fn start(self) -> Result<Gateway> {
        let work = WorkDir::open(self.work.as_deref())?;
        let port = self.port.map_or_else(Port::free, Port::fixed)?;
        let admin = Port::free()?;
        let (address, admin_address) = (self.place.at(&port), self.place.at(&admin));
        let wasm = self.wasm.clone().map_or_else(paths::wasm, Ok)?;
        let (program, mut args) = match self.kind {
            GatewayKind::Envoy => (
                tools::envoy()?,
                self.envoy_args(address, admin_address, &wasm, work.path())?,
            ),
            GatewayKind::HostSim => (
                paths::host_sim()?,
                self.host_sim_args(address, admin_address, &wasm, work.path())?,
            ),
        };
        args.extend(self.arguments);
        let (program, args) = self.place.command(program, args);
        let process = Process::start(Command {
            name: format!("gateway ({})", self.kind.name()),
            program,
            args,
            env: Vec::new(),
            log: work.path().join("gateway.log"),
        })?;
        let mut gateway = Gateway {
            process,
            kind: self.kind,
            address,
            admin: admin_address,
            _ports: [port, admin],
            _work: work,
        };
        gateway.wait_ready()?;
        Ok(gateway)
    }

    fn envoy_args(
        &self,
        address: SocketAddr,
        admin: SocketAddr,
        wasm: &Path,
        work: &Path,
    ) -> Result<Vec<OsString>> {
        let mut config = crate::committed_envoy()?;
        config.listen_on(address)?;
        config.admin_on(admin)?;
        config.engine_members(&self.engine)?;
        for (name, address) in &self.clusters {
            config.cluster(name, *address)?;
        }
        // In the order of the map a prefix of another one comes before it, and here the last one added is looked at first.
        for (prefix, cluster) in &self.routes {
            config.route(prefix, cluster)?;
        }
        if let Some(limit) = self.patience {
            config.patience(limit)?;
        }
        config.load_wasm(wasm)?;
        config.set_plugin(self.plugin.clone())?;
        let file = work.join("envoy.json");
        config.write(&file)?;
        Ok(envoy::arguments(&file, self.workers.into()))
    }

    fn host_sim_args(
        &self,
        address: SocketAddr,
        admin: SocketAddr,
        wasm: &Path,
        work: &Path,
    ) -> Result<Vec<OsString>> {
        let file = work.join("plugin.json");
        std::fs::write(&file, self.plugin.to_string()).map_err(Error::file("write", &file))?;
        let mut args: Vec<OsString> = vec![
            "serve".into(),
            "--listen".into(),
            address.to_string().into(),
            "--admin".into(),
            admin.to_string().into(),
            "--wasm".into(),
            wasm.into(),
            "--config".into(),
            file.into(),
            "--workers".into(),
            self.workers.to_string().into(),
        ];
        if let Some(engine) = self.engine.first() {
            args.extend(["--engine".into(), engine.to_string().into()]);
        }
        for (name, address) in &self.clusters {
            args.push("--cluster".into());
            args.push(format!("{name}={address}").into());
        }
        let issuer = ISSUER_PREFIXES.iter().filter(|_| self.has_issuer);
        let issuer = issuer.map(|prefix| (*prefix, ISSUER_CLUSTER));
        let routes = self
            .routes
            .iter()
            .map(|(prefix, name)| (&**prefix, &**name));
        for (prefix, name) in issuer.chain(routes) {
            args.push("--route".into());
            args.push(format!("{prefix}={name}").into());
        }
        Ok(args)
    }
}

/// A running gateway; it ends when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    process: Process,
    kind: GatewayKind,
    address: SocketAddr,
    admin: SocketAddr,
    _ports: [Port; 2],
    _work: WorkDir,
}

impl Gateway {
    /// A real Envoy in front of the engine at `engine`.
    #[must_use]
    pub fn envoy(engine: SocketAddr, plugin: Value) -> GatewayBuilder {
        Self::of(GatewayKind::Envoy, engine, plugin)
    }

    /// `host-sim serve` in front of the engine at `engine`.
    #[must_use]
    pub fn host_sim(engine: SocketAddr, plugin: Value) -> GatewayBuilder {
        Self::of(GatewayKind::HostSim, engine, plugin)
    }

    /// The gateway of that kind.
    #[must_use]
    pub fn of(kind: GatewayKind, engine: SocketAddr, plugin: Value) -> GatewayBuilder {
        GatewayBuilder {
            kind,
            engine: vec![engine],
            clusters: BTreeMap::new(),
            routes: BTreeMap::new(),
            has_issuer: false,
            plugin,
            workers: DEFAULT_WORKERS,
            port: None,
            work: None,
            wasm: None,
            place: Place::default(),
            patience: None,
            arguments: Vec::new(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://127.0.0.1:PORT` of the admin interface.
    #[must_use]
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// Which gateway it is.
    #[must_use]
    pub fn kind(&self) -> GatewayKind {
        self.kind
    }

    /// Its process, to freeze, kill or watch.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its counters and gauges as of now.
    ///
    /// # Errors
    /// [`Error::Http`] when the admin interface does not answer.
    pub fn stats(&self) -> Result<Stats> {
        let answer = self.admin(&Request::new("GET", "/stats"))?;
        Ok(Stats::parse(&answer.text()))
    }

    /// Asks its admin interface.
    ///
    /// # Errors
    /// [`Error::Http`] when that does not answer.
    pub fn admin(&self, request: &Request) -> Result<Response> {
        request.send(self.admin)
    }

    /// Starts it again on the same ports, after [`Process::kill`] or from running, and waits until it serves.
    ///
    /// # Errors
    /// As [`GatewayBuilder::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.process.restart()?;
        self.wait_ready()
    }

    fn wait_ready(&mut self) -> Result<()> {
        let (address, admin) = (self.address, self.admin);
        match self.kind {
            GatewayKind::Envoy => envoy::wait_ready(&mut self.process, address, admin),
            GatewayKind::HostSim => self.process.wait_for_line("ready ", READY_BOUND).map(drop),
        }
    }
}
