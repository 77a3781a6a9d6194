//! What the tests of the host share: the probe filter, gateways that run it, plain clients, an upstream.
//!
//! The gateways are this host and the real Envoy that `$ENVOY` names; both get the same requests.

#![allow(dead_code, reason = "each test binary uses the part it needs")]

pub mod client;
pub mod envoy;
pub mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use host::serve::{Limits, Options, Route, Running, ServeError};
use host::{LogLevel, Plugin, Program};

/// Nothing in these tests takes longer on a working machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The probe filter, built once per run.
pub fn probe() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probe");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--locked"])
            .args(["--target", "wasm32-wasip1"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(source)
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the probe filter must build");
        target.join("wasm32-wasip1/release/probe.wasm")
    })
}

/// The probe, compiled once per test binary.
pub fn program() -> Program {
    static COMPILED: OnceLock<Program> = OnceLock::new();
    COMPILED
        .get_or_init(|| Program::load(probe()).expect("the probe compiles"))
        .clone()
}

/// Clusters that every gateway of the tests knows: `up` and `dead` over HTTP/1.1, `up2` and `dead2` over HTTP/2.
pub fn clusters(upstream: SocketAddr) -> BTreeMap<String, String> {
    // Bound for as long as the tests run, so that nobody else gets it, and never listening: it refuses connections.
    static DEAD: OnceLock<tokio::net::TcpSocket> = OnceLock::new();
    let dead = DEAD.get_or_init(|| {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket
            .bind(([127, 0, 0, 1], 0).into())
            .expect("a free port");
        socket
    });
    let dead = dead.local_addr().expect("bound");
    [
        ("up", upstream),
        ("up2", upstream),
        ("dead", dead),
        ("dead2", dead),
    ]
    .map(|(name, address)| (name.to_owned(), address.to_string()))
    .into()
}

/// Where requests go that the probe lets through: those whose path begins so; others find no route. As in `envoy.yaml`.
pub fn routes() -> Vec<Route> {
    [
        ("/probe/to/", "up"),
        ("/probe/to/dead", "dead"),
        ("/elsewhere", "dead"),
    ]
    .map(|(prefix, cluster)| Route {
        prefix: prefix.to_owned(),
        cluster: cluster.to_owned(),
    })
    .into()
}

/// Options for serving the probe.
pub fn options(clusters: BTreeMap<String, String>) -> Options {
    Options {
        listen: ([127, 0, 0, 1], 0).into(),
        admin: Some(([127, 0, 0, 1], 0).into()),
        wasm: probe().to_owned(),
        plugin: Plugin {
            max_body_buffer_bytes: 65_536,
            ..Plugin::default()
        },
        clusters,
        routes: routes(),
        workers: 1,
        reload_backoff_ms: 0,
        limits: Limits::default(),
    }
}

/// Serves the probe in this process.
pub fn serve(options: Options) -> Result<Running, ServeError> {
    host::serve::start(options)
}

/// Waits until the condition holds; the wait is bounded.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        // Only how often it is looked at; how long it takes is up to the other side.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A gateway with the probe in it.
pub enum Gateway {
    /// This host.
    Host(Running),
    /// The real one.
    Envoy(envoy::Envoy),
}

impl Gateway {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Host(_) => "host",
            Self::Envoy(_) => "Envoy",
        }
    }

    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Host(running) => running.local_addr,
            Self::Envoy(envoy) => envoy.address,
        }
    }

    pub fn admin(&self) -> SocketAddr {
        match self {
            Self::Host(running) => running.admin_addr.expect("asked for"),
            Self::Envoy(envoy) => envoy.admin,
        }
    }
}

/// This host and the real Envoy.
///
/// A run that could not compare must not look like one that did: without `$ENVOY` it fails.
pub fn gateways(clusters: &BTreeMap<String, String>) -> Vec<Gateway> {
    gateways_with(clusters, "", 1)
}

/// The same with a configuration of the probe, for its VM and itself, and so many workers.
pub fn gateways_with(
    clusters: &BTreeMap<String, String>,
    configuration: &str,
    workers: usize,
) -> Vec<Gateway> {
    let binary = std::env::var_os("ENVOY")
        .filter(|binary| !binary.is_empty())
        .expect("set ENVOY to the Envoy program to compare with (`cargo xtask test` does)");
    let mut options = options(clusters.clone());
    // As in the test's `envoy.yaml`; nothing that the probe waits for takes as long.
    options.limits.stream_idle = Duration::from_secs(3);
    options.limits.route = Duration::from_secs(1);
    options.plugin.vm_configuration = configuration.into();
    options.plugin.plugin_configuration = configuration.into();
    options.workers = workers;
    // As Envoy is started: a module can ask for it.
    options.plugin.log_level = LogLevel::Warn;
    let host = serve(options).expect("the probe is served");
    let envoy = envoy::Envoy::start(Path::new(&binary), clusters, configuration, workers);
    vec![Gateway::Host(host), Gateway::Envoy(envoy)]
}
