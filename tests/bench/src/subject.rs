//! What is measured: one Envoy with one worker, made from the committed configuration.
//!
//! Every subject is `envoy/envoy.yaml` with the fewest changes: a constant answer below [`PATH`](crate::load::PATH), and
//! what stands in front of it exchanged. So two subjects differ in nothing but what is compared. What that is, is for the
//! benchmark to say; here is only how it is started and looked after.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{EnvoyConfig, Port, Process, Request, Stats};

use crate::load::{PATH, probe};
use crate::placement::Placement;

/// How long Envoy may take until it serves. Compiling a module counts in.
const READY_BOUND: Duration = Duration::from_secs(60);
/// One look at whether it does.
const LOOK_BOUND: Duration = Duration::from_secs(2);
/// Characters of a header that a message shows: the kind of it, and not whose it is.
const SHOWN: usize = 12;
/// The constant answer.
const ANSWER: &str = "ok";
/// The part of the committed configuration that holds filters and routes.
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
/// The name of the wasm filter in it.
const OUR_FILTER: &str = "reward-points";

/// What stands between a request and the constant answer.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Nothing.
    Open,
    /// Another filter of Envoy's instead of ours.
    Other(Value),
    /// Our filter with this configuration.
    Ours(Value),
}

/// A running Envoy; it ends when this is dropped.
#[derive(Debug)]
pub struct Subject {
    name: &'static str,
    process: Process,
    port: Port,
    admin: Port,
    // Held while the process lives: nobody else's server answers where the filter looks for its engine.
    _engine: Port,
    _work: TempDir,
}

impl Subject {
    /// Starts Envoy with that gate and waits until it serves.
    ///
    /// # Errors
    /// When Envoy or the module is missing, or Envoy refuses the configuration: the error shows its words.
    pub fn start(name: &'static str, gate: &Gate, placement: &Placement) -> anyhow::Result<Self> {
        let started = Self::launch(name, gate, placement);
        started.with_context(|| format!("start the subject `{name}`"))
    }

    fn launch(name: &'static str, gate: &Gate, placement: &Placement) -> anyhow::Result<Self> {
        let (port, admin, engine) = (Port::free()?, Port::free()?, Port::free()?);
        let work = tempfile::tempdir().context("make a directory")?;
        let mut config = EnvoyConfig::committed()?;
        config.listen_on(port.address())?;
        config.admin_on(admin.address())?;
        config.engine_at(engine.address())?;
        put(&mut config, gate)?;
        let file = work.path().join("envoy.json");
        config.write(&file)?;
        let process = placement.start_server(testbed::Command {
            name: name.to_owned(),
            program: testbed::tools::envoy()?,
            args: vec![
                "-c".into(),
                file.into(),
                "--concurrency".into(),
                "1".into(),
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
            name,
            process,
            port,
            admin,
            _engine: engine,
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

    /// The processes whose CPU time counts.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        vec![self.process.pid()]
    }

    /// Checks that requests with each of these `Authorization`s get that status: a subject that lets through or keeps out
    /// what it should not is not worth measuring.
    ///
    /// # Errors
    /// When a status is another one, or there is no answer.
    pub fn expect(&self, authorizations: &[String], status: u16) -> anyhow::Result<()> {
        let name = self.name;
        let seen = probe::statuses(self.address(), authorizations)
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

/// Puts the constant answer and the gate in front of it.
fn put(config: &mut EnvoyConfig, gate: &Gate) -> anyhow::Result<()> {
    if let Gate::Ours(plugin) = gate {
        config.load_wasm(&testbed::wasm()?)?;
        config.set_plugin(plugin.clone())?;
    }
    let manager = config.root_mut().pointer_mut(MANAGER);
    let manager = manager.context("the committed configuration has no connection manager")?;
    let routes = manager
        .pointer_mut("/route_config/virtual_hosts/0/routes")
        .and_then(Value::as_array_mut)
        .context("the committed configuration has no routes")?;
    let answer = json!({ "status": 200, "body": { "inline_string": ANSWER } });
    let constant = json!({ "match": { "path": PATH }, "direct_response": answer });
    routes.insert(0, constant);

    let filters = manager
        .pointer_mut("/http_filters")
        .and_then(Value::as_array_mut)
        .context("the committed configuration has no filters")?;
    let place = filters.iter().position(|one| one["name"] == OUR_FILTER);
    let place = place.context("the committed configuration has not our filter")?;
    match gate {
        Gate::Ours(_) => {}
        Gate::Open => drop(filters.remove(place)),
        Gate::Other(filter) => filters[place] = filter.clone(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_takes_the_place_of_ours_and_nothing_else_changes() {
        let names = |gate: &Gate| {
            let mut config = EnvoyConfig::committed().expect("the committed configuration");
            put(&mut config, gate).expect("a place");
            let manager = config.root_mut().pointer(MANAGER).expect("a manager");
            assert_eq!(
                manager["route_config"]["virtual_hosts"][0]["routes"][0]["direct_response"]["status"],
                200
            );
            let filters = manager["http_filters"].as_array().expect("filters");
            let names = filters.iter().filter_map(|one| one["name"].as_str());
            names.map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        let other = Gate::Other(json!({ "name": "other" }));
        assert_eq!(names(&Gate::Open), "envoy.filters.http.router");
        assert_eq!(names(&other), "other envoy.filters.http.router");
    }
}
