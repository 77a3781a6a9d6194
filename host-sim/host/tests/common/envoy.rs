//! A real Envoy on free ports, with the probe in it; stopped when dropped, also when a test fails, and by the kernel when
//! the test's process is killed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use processes::{Command, Process};

use super::{client, probe, until};

/// A running Envoy.
pub struct Envoy {
    /// When a test fails, it shows what Envoy said last.
    process: Process,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    folder: tempfile::TempDir,
}

/// The listener's own file, which Envoy watches.
const LISTENERS: &str = "listeners.yaml";
/// What Envoy says.
const LOG: &str = "log";

impl Drop for Envoy {
    fn drop(&mut self) {
        // There is nothing that it should finish.
        self.process.kill();
    }
}

impl Envoy {
    /// Starts it with that configuration of the probe and so many workers, and waits until it listens.
    pub fn start(
        binary: &Path,
        clusters: &BTreeMap<String, String>,
        probe_configuration: &str,
        workers: usize,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("envoy.yaml");
        let (bootstrap, listener) = split(include_str!("envoy.yaml"));
        let watched = folder.path().join(LISTENERS);
        let bootstrap = format!(
            "dynamic_resources: {{ lds_config: {{ path_config_source: {{ path: \"{}\" }} }} }}\n\
             node: {{ id: probe, cluster: probe }}\n{bootstrap}{}",
            watched.display(),
            endpoints(clusters)
        );
        std::fs::write(&config, bootstrap).expect("writable");
        std::fs::write(&watched, filled(&listener, probe_configuration)).expect("writable");
        let admin_path = folder.path().join("admin");
        let mut args: Vec<OsString> = [
            "--use-dynamic-base-id",
            // What is replaced drains at once: nothing here stays open for long.
            "--drain-time-s",
            "1",
            "--concurrency",
            &workers.to_string(),
            "-l",
            "warn",
            "-c",
        ]
        .map(OsString::from)
        .into();
        args.extend([
            config.into_os_string(),
            "--admin-address-path".into(),
            admin_path.clone().into_os_string(),
        ]);
        let process = Process::start(Command {
            name: "Envoy".to_owned(),
            program: binary.to_owned(),
            args,
            env: Vec::new(),
            log: folder.path().join(LOG),
        })
        .expect("$ENVOY starts");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut envoy = Self {
            process,
            address: nowhere,
            admin: nowhere,
            folder,
        };
        until("Envoy writes its admin address", || {
            assert_eq!(envoy.process.exit_status(), None, "Envoy ended");
            let text = std::fs::read_to_string(&admin_path).unwrap_or_default();
            text.trim().parse().map(|found| envoy.admin = found).is_ok()
        });
        until("Envoy listens", || {
            let listeners = client::get(envoy.admin, "/listeners").body;
            listeners
                .trim()
                .split_once("::")
                .and_then(|(_, address)| address.parse().ok())
                .map(|found| envoy.address = found)
                .is_some()
        });
        until("Envoy is live", || {
            client::get(envoy.admin, "/ready").body.starts_with("LIVE")
        });
        envoy
    }

    /// Gives the listener another configuration of the probe: VMs of a new generation beside those that drain.
    pub fn reconfigure(&self, probe_configuration: &str) {
        let (_, listener) = split(include_str!("envoy.yaml"));
        let next = self.folder.path().join("next.yaml");
        std::fs::write(&next, filled(&listener, probe_configuration)).expect("writable");
        // Envoy looks when a file is put in the place of the one that it watches.
        std::fs::rename(next, self.folder.path().join(LISTENERS)).expect("one file system");
    }
}

/// The configuration without its listener, and the listener as a resource of its own.
fn split(text: &str) -> (String, String) {
    let (before, rest) = text.split_once("  listeners:\n").expect("listeners");
    let (listener, after) = rest.split_once("  clusters:\n").expect("clusters");
    let listener = listener.replacen(
        "  - name:",
        "  - \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n    name:",
        1,
    );
    (
        format!("{before}  clusters:\n{after}"),
        format!("resources:\n{listener}"),
    )
}

fn filled(listener: &str, probe_configuration: &str) -> String {
    listener
        .replace("@WASM@", &probe().display().to_string())
        .replace("@CONFIGURATION@", probe_configuration)
}

fn endpoints(clusters: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, endpoint) in clusters {
        let (host, port) = endpoint.split_once(':').expect("HOST:PORT");
        // This host passes trailers on to whom they were announced; Envoy's HTTP/1.1 does only when it is told to.
        let protocol = if name.ends_with('2') {
            "{ http2_protocol_options: {} }"
        } else {
            "{ http_protocol_options: { enable_trailers: true } }"
        };
        let options = format!(
            "    typed_extension_protocol_options:\n      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n        \
             \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n        \
             explicit_http_config: {protocol}\n"
        );
        write!(
            text,
            "  - name: {name}\n    connect_timeout: 1s\n    type: STATIC\n{options}    load_assignment: {{ cluster_name: {name}, \
             endpoints: [ {{ lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: {{ address: {host}, \
             port_value: {port} }} }} }} }} ] }} ] }}\n"
        )
        .expect("memory");
    }
    text
}
