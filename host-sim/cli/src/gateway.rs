//! `host-sim serve`: the filter, its workers and, when asked, the engine in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use host::serve::{self, Limits, Options, Route};
use host::{DEFAULT_RELOAD_BACKOFF_MS, LogLevel, Plugin};

use crate::announce;
use crate::signals::Stop;

/// Command line of `host-sim serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address for clients; port 0 picks a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The filter.
    #[arg(long, value_name = "FILE")]
    wasm: PathBuf,
    /// The filter's configuration, JSON.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Number of worker threads, each with a VM of its own.
    #[arg(long, value_name = "N", default_value_t = 2)]
    workers: usize,
    /// An engine that runs already: where all `engine.clusters` of the configuration lead.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "data")]
    engine: Option<String>,
    /// Run the embedded engine in this process, with its data in this folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another cluster, for callouts and routes.
    #[arg(long, value_name = "NAME=HOST:PORT", value_parser = parse_cluster)]
    cluster: Vec<(String, String)>,
    /// Send what the filter lets through, and whose path begins with PREFIX, to that cluster. The longest PREFIX that fits
    /// counts; without one the answer is 404.
    #[arg(long, value_name = "PREFIX=NAME", value_parser = parse_route)]
    route: Vec<Route>,
    /// Namespace of shared data and queues.
    #[arg(long, value_name = "ID", default_value = "points")]
    vm_id: String,
    /// How many bytes of a body may be held back before 413 is answered.
    #[arg(long, value_name = "BYTES", default_value_t = host::plugin::DEFAULT_MAX_BODY_BUFFER_BYTES)]
    max_body_buffer: usize,
    /// Be a host without the foreign function `verify_signature`.
    #[arg(long)]
    no_verify_signature: bool,
    /// Address for `/stats` and `/stats/prometheus`.
    #[arg(long, value_name = "IP:PORT")]
    admin: Option<SocketAddr>,
    /// Least severe log lines to show.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = parse_level)]
    log_level: LogLevel,
}

/// Why serving did not begin, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration file is not JSON.
    #[error("{path} is not JSON: {source}", path = path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// `engine.clusters` leads nowhere.
    #[error(
        "the configuration names the engine cluster {0:?}: give --engine, --data or --cluster {0}=HOST:PORT"
    )]
    NoEngine(String),
    /// The embedded engine.
    #[error("the engine did not start: {0}")]
    EngineStart(#[from] engine::StartError),
    /// The embedded engine, later.
    #[error("the engine failed: {0}")]
    Engine(#[from] engine::ServeError),
    /// The gateway.
    #[error(transparent)]
    Serve(#[from] serve::ServeError),
    /// Signals or the runtime.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

fn parse_cluster(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, endpoint)) if !name.is_empty() && endpoint.contains(':') => {
            Ok((name.to_owned(), endpoint.to_owned()))
        }
        _ => Err("expected NAME=HOST:PORT"),
    }
}

/// A prefix may hold `=`, a cluster's name does not.
fn parse_route(text: &str) -> Result<Route, &'static str> {
    match text.rsplit_once('=') {
        Some((prefix, cluster)) if prefix.starts_with('/') && !cluster.is_empty() => Ok(Route {
            prefix: prefix.to_owned(),
            cluster: cluster.to_owned(),
        }),
        _ => Err("expected PREFIX=NAME, the prefix beginning with /"),
    }
}

fn parse_level(text: &str) -> Result<LogLevel, &'static str> {
    (0..=5)
        .filter_map(LogLevel::from_wasm)
        .find(|level| level.name() == text || (text == "warn" && *level == LogLevel::Warn))
        .ok_or("expected trace, debug, info, warning, error or critical")
}

/// Names under `engine.clusters`, in the order of the configuration.
fn engine_clusters(config: &serde_json::Value) -> Vec<String> {
    config
        .pointer("/engine/clusters")
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// Runs until it is told to stop.
///
/// # Errors
/// [`Failure`].
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let path = arguments.config.clone();
    let configuration = std::fs::read(&path).map_err(|source| Failure::Read {
        path: path.clone(),
        source,
    })?;
    let json =
        serde_json::from_slice(&configuration).map_err(|source| Failure::Json { path, source })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run_in(arguments, configuration, &json))
}

async fn run_in(
    arguments: Arguments,
    configuration: Vec<u8>,
    json: &serde_json::Value,
) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let mut engine = match arguments.data {
        Some(folder) => {
            let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
            Some(engine::start(engine::Config::new(any_port, folder)).await?)
        }
        None => None,
    };
    let endpoint = match &engine {
        Some(engine) => Some(engine.local_addr().to_string()),
        None => arguments.engine,
    };
    let mut clusters: BTreeMap<String, String> = arguments.cluster.into_iter().collect();
    for name in engine_clusters(json) {
        if let Some(endpoint) = &endpoint {
            clusters.entry(name).or_insert_with(|| endpoint.clone());
        } else if !clusters.contains_key(&name) {
            return Err(Failure::NoEngine(name));
        }
    }
    let options = Options {
        listen: arguments.listen,
        admin: arguments.admin,
        wasm: arguments.wasm,
        plugin: Plugin {
            vm_id: arguments.vm_id,
            plugin_configuration: configuration,
            max_body_buffer_bytes: arguments.max_body_buffer,
            native_signatures: !arguments.no_verify_signature,
            log_level: arguments.log_level,
            ..Plugin::default()
        },
        clusters,
        routes: arguments.route,
        workers: arguments.workers,
        reload_backoff_ms: DEFAULT_RELOAD_BACKOFF_MS,
        limits: Limits::default(),
    };
    // Compiling and configuring block; the engine must go on meanwhile.
    let mut running = tokio::task::spawn_blocking(move || serve::start(options))
        .await
        .map_err(std::io::Error::other)??;
    if let Some(admin) = running.admin_addr {
        eprintln!("host-sim: admin http://{admin}");
    }
    announce(&format!("ready http://{}", running.local_addr));
    let engine_failed = async {
        match &mut engine {
            Some(engine) => engine.failed().await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        () = stop.asked() => Ok(()),
        failed = engine_failed => failed.map_err(Failure::from),
        failed = running.failed() => Err(failed.into()),
    };
    // Clients first: what they still wait for needs the engine.
    tokio::task::spawn_blocking(move || running.stop())
        .await
        .map_err(std::io::Error::other)?;
    if let Some(engine) = engine {
        engine.stop().await?;
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_says_which_clusters_are_engines() {
        let config = serde_json::json!({"engine": {"clusters": ["a", "b"]}, "other": 1});
        assert_eq!(engine_clusters(&config), ["a", "b"]);
        assert!(engine_clusters(&serde_json::json!({"engine": 1})).is_empty());
    }

    #[test]
    fn clusters_routes_and_levels_are_read_from_the_command_line() {
        assert_eq!(
            parse_cluster("up=127.0.0.1:1"),
            Ok(("up".to_owned(), "127.0.0.1:1".to_owned()))
        );
        assert!(parse_cluster("up").is_err());
        assert!(parse_cluster("=x:1").is_err());
        let route = parse_route("/a=b/=up").expect("a route");
        assert_eq!((&*route.prefix, &*route.cluster), ("/a=b/", "up"));
        for wrong in ["/a", "/a=", "a=up", "=up"] {
            assert!(parse_route(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_level("warn"), Ok(LogLevel::Warn));
        assert_eq!(parse_level("warning"), Ok(LogLevel::Warn));
        assert!(parse_level("loud").is_err());
    }
}
