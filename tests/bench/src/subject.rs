//! What is measured: one Envoy, made from the committed configuration.
//!
//! Every subject is `envoy/envoy.yaml` with the fewest changes: a constant answer or a service behind it, and what stands
//! in front of that exchanged. So two subjects differ in nothing but what is compared. What that is, is for the
//! benchmark to say; here is only how it is started and looked after.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{EnvoyConfig, Port, Process, Request, Stats};

use crate::load::probe;
use crate::placement::Placement;

/// How long Envoy may take until it serves. Compiling a module counts in.
const READY_BOUND: Duration = Duration::from_secs(60);
/// One look at whether it does.
const LOOK_BOUND: Duration = Duration::from_secs(2);
/// Characters of a header that a message shows: the kind of it, and not whose it is.
const SHOWN: usize = 12;
/// The constant answer: as long as a balance is.
const ANSWER: &str = "2000";
/// The cluster of the service behind, and where it is.
const SERVICE: &str = "service";
const SERVED: &str = "/reward-points/";
/// The part of the committed configuration that holds filters and routes.
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
/// The name of the wasm filter in it.
const OUR_FILTER: &str = "reward-points";

/// What stands between a request and what answers it.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Nothing.
    Open,
    /// Other filters of Envoy's instead of ours.
    Others(Vec<Value>),
    /// Another module instead of ours, which needs no configuration.
    Module(PathBuf),
    /// Our filter with this configuration.
    Ours(Value),
}

/// A subject to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it is called in tables.
    pub name: &'static str,
    /// What stands in front.
    pub gate: Gate,
    /// Where our filter finds its engine (default: nobody is there).
    pub engine: Option<SocketAddr>,
    /// Where the service is that answers (default: none, and a constant is answered).
    pub service: Option<SocketAddr>,
    /// Envoy's workers (default 1).
    pub workers: u16,
    /// Other servers that take part in answering: their CPU time counts too.
    pub beside: Vec<u32>,
}

impl Setup {
    /// With the defaults for everything but these.
    #[must_use]
    pub fn new(name: &'static str, gate: Gate) -> Self {
        Self {
            name,
            gate,
            engine: None,
            service: None,
            workers: 1,
            beside: Vec::new(),
        }
    }
}

/// A running Envoy; it ends when this is dropped.
#[derive(Debug)]
pub struct Subject {
    name: &'static str,
    process: Process,
    beside: Vec<u32>,
    port: Port,
    admin: Port,
    // Held while the process lives: nobody else's server answers where the filter looks for its engine.
    _no_engine: Option<Port>,
    _work: TempDir,
}

impl Subject {
    /// Starts Envoy as set up and waits until it serves.
    ///
    /// # Errors
    /// When Envoy or the module is missing, or Envoy refuses the configuration: the error shows its words.
    pub fn start(setup: Setup, placement: &Placement) -> anyhow::Result<Self> {
        let name = setup.name;
        Self::launch(setup, placement).with_context(|| format!("start the subject `{name}`"))
    }

    fn launch(setup: Setup, placement: &Placement) -> anyhow::Result<Self> {
        let (port, admin) = (Port::free()?, Port::free()?);
        let no_engine = match setup.engine {
            None => Some(Port::free()?),
            Some(_) => None,
        };
        let engine = setup.engine.or(no_engine.as_ref().map(Port::address));
        let work = tempfile::tempdir().context("make a directory")?;
        let mut config = testbed::committed_envoy()?;
        config.listen_on(port.address())?;
        config.admin_on(admin.address())?;
        if let Some(engine) = engine {
            config.engine_at(engine)?;
        }
        put(&mut config, &setup)?;
        let file = work.path().join("envoy.json");
        config.write(&file)?;
        let process = placement.start_server(testbed::Command {
            name: setup.name.to_owned(),
            program: testbed::tools::envoy()?,
            args: vec![
                "-c".into(),
                file.into(),
                "--concurrency".into(),
                setup.workers.to_string().into(),
                "--use-dynamic-base-id".into(),
                "--disable-hot-restart".into(),
                "--log-level".into(),
                "error".into(),
                "--component-log-level".into(),
                "wasm:warn".into(),
            ],
            env: Vec::new(),
            log: work.path().join("envoy.log"),
        })?;
        let mut subject = Self {
            name: setup.name,
            process,
            beside: setup.beside,
            port,
            admin,
            _no_engine: no_engine,
            _work: work,
        };
        let (address, admin) = (subject.address(), subject.admin.address());
        subject.process.wait_until("it serves", READY_BOUND, |_| {
            let ready = Request::new("GET", "/ready")
                .io_bound(LOOK_BOUND)
                .send(admin);
            let ready = ready.is_ok_and(|answer| answer.status == 200);
            (ready && std::net::TcpStream::connect_timeout(&address, LOOK_BOUND).is_ok())
                .then_some(())
        })?;
        Ok(subject)
    }

    /// What it is called in tables.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Envoy's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The processes whose CPU time counts.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        let beside = self.beside.iter().copied();
        std::iter::once(self.process.pid()).chain(beside).collect()
    }

    /// Checks that GETs of `path` with each of these `Authorization`s get that status: a subject that lets through or keeps out
    /// what it should not is not worth measuring.
    ///
    /// # Errors
    /// When a status is another one, or there is no answer.
    pub fn expect(&self, path: &str, authorizations: &[String], status: u16) -> anyhow::Result<()> {
        let name = self.name;
        let seen = probe::statuses(self.address(), path, authorizations)
            .with_context(|| format!("ask `{name}`"))?;
        for (seen, authorization) in seen.iter().zip(authorizations) {
            let shown: String = authorization.chars().take(SHOWN).collect();
            ensure!(
                *seen == status,
                "`{name}` answers {seen} to `{shown}…`, not {status}"
            );
        }
        Ok(())
    }

    /// Checks that it has come through: it runs, and no VM of it was replaced.
    ///
    /// # Errors
    /// When not.
    pub fn check(&mut self) -> anyhow::Result<()> {
        ensure!(
            self.process.exit_status().is_none(),
            "`{}` has ended: {}",
            self.name,
            self.process.log_tail()
        );
        let answer = Request::new("GET", "/stats")
            .io_bound(LOOK_BOUND)
            .send(self.admin.address())?;
        let reloads = Stats::parse(&answer.text()).vm_reloads();
        ensure!(
            reloads == 0,
            "`{}` has lost its VM {reloads} times: {}",
            self.name,
            self.process.log_tail()
        );
        Ok(())
    }
}

/// Puts what answers, and the gate in front of it.
fn put(config: &mut EnvoyConfig, setup: &Setup) -> anyhow::Result<()> {
    match &setup.gate {
        Gate::Ours(plugin) => {
            config.load_wasm(&testbed::wasm()?)?;
            config.set_plugin(plugin.clone())?;
        }
        Gate::Module(path) => {
            config.load_wasm(path)?;
            config.set_plugin(json!({}))?;
        }
        Gate::Open | Gate::Others(_) => {}
    }
    let manager = config.root_mut().pointer_mut(MANAGER);
    let manager = manager.context("the committed configuration has no connection manager")?;
    let routes = manager
        .pointer_mut("/route_config/virtual_hosts/0/routes")
        .and_then(Value::as_array_mut)
        .context("the committed configuration has no routes")?;
    let answer = json!({ "status": 200, "body": { "inline_string": ANSWER } });
    let constant = json!({ "match": { "prefix": "/" }, "direct_response": answer });
    routes.insert(0, constant);

    let filters = manager
        .pointer_mut("/http_filters")
        .and_then(Value::as_array_mut)
        .context("the committed configuration has no filters")?;
    let place = filters.iter().position(|one| one["name"] == OUR_FILTER);
    let place = place.context("the committed configuration has not our filter")?;
    match &setup.gate {
        Gate::Ours(_) | Gate::Module(_) => {}
        Gate::Open => drop(filters.remove(place)),
        Gate::Others(others) => drop(filters.splice(place..=place, others.clone())),
    }
    if let Some(service) = setup.service {
        config.cluster(SERVICE, service)?;
        config.route(SERVED, SERVICE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_takes_the_place_of_ours_and_nothing_else_changes() {
        let names = |gate: &Gate| {
            let mut config = testbed::committed_envoy().expect("the committed configuration");
            put(&mut config, &Setup::new("a subject", gate.clone())).expect("a place");
            let manager = config.root_mut().pointer(MANAGER).expect("a manager");
            assert_eq!(
                manager["route_config"]["virtual_hosts"][0]["routes"][0]["direct_response"]["status"],
                200
            );
            let filters = manager["http_filters"].as_array().expect("filters");
            let names = filters.iter().filter_map(|one| one["name"].as_str());
            names.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        let other = Gate::Others(vec![json!({ "name": "one" }), json!({ "name": "other" })]);
        assert_eq!(names(&Gate::Open), "envoy.filters.http.router");
        assert_eq!(names(&other), "one other envoy.filters.http.router");
    }
}
