//! An Envoy configuration of the gateway, and variants of it.
//!
//! A file of the form of `envoy/envoy.yaml` is the source: a variant is that file parsed, a few places changed, written as JSON. Places
//! are found by name, so the file can be rearranged freely; a place that is gone is an error, never a silent no-op.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Error, Result};

/// The cluster of the ledger's engine.
pub const ENGINE_CLUSTER: &str = "points-engine";
/// The cluster of the development issuer.
pub const ISSUER_CLUSTER: &str = "dev-issuer";
/// The name of the listener and of the wasm filter.
const OURS: &str = "reward-points";

/// An Envoy configuration made from one in a file.
#[derive(Clone, Debug)]
pub struct EnvoyConfig {
    source: PathBuf,
    root: Value,
}

impl EnvoyConfig {
    /// The configuration in that file as it stands.
    ///
    /// # Errors
    /// [`Error::File`] and [`Error::Config`] when it cannot be read or parsed.
    pub fn read(source: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(source).map_err(Error::file("read", source))?;
        let root = serde_saphyr::from_str(&text).map_err(|error| Error::Config {
            path: source.to_path_buf(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            source: source.to_path_buf(),
            root,
        })
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone; so for all other changes.
    pub fn listen_on(&mut self, address: SocketAddr) -> Result<()> {
        let listener = self.place("listener", |root| {
            named(root.pointer_mut("/static_resources/listeners")?, OURS)
        })?;
        listener["address"] = socket_address(address);
        Ok(())
    }

    /// Serves the admin interface on `address`.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn admin_on(&mut self, address: SocketAddr) -> Result<()> {
        *self.place("admin address", |root| root.pointer_mut("/admin/address"))? =
            socket_address(address);
        Ok(())
    }

    /// Loads the module at `path`.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn load_wasm(&mut self, path: &Path) -> Result<()> {
        let file = self.place("wasm file", |root| {
            wasm_config(root)?.pointer_mut("/vm_config/code/local/filename")
        })?;
        *file = json!(path);
        Ok(())
    }

    /// Finds the engine at `address`.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn engine_at(&mut self, address: SocketAddr) -> Result<()> {
        self.cluster_at(ENGINE_CLUSTER, "engine's endpoint", address)
    }

    /// Finds an engine of several members: each is an endpoint of the engine's cluster, as the file advises.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn engine_members(&mut self, members: &[SocketAddr]) -> Result<()> {
        let endpoints = self.place("engine's endpoints", |root| {
            named(
                root.pointer_mut("/static_resources/clusters")?,
                ENGINE_CLUSTER,
            )?
            .pointer_mut("/load_assignment/endpoints/0/lb_endpoints")
        })?;
        *endpoints = members.iter().copied().map(endpoint).collect();
        Ok(())
    }

    /// Leads the cluster `name` to `address`: one that stands in the file, as the development issuer's does, or else a new
    /// one, which is spoken to in the client's own version of HTTP, and in HTTP/1.1 by the filter.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn cluster(&mut self, name: &str, address: SocketAddr) -> Result<()> {
        let clusters = self.place("list of clusters", |root| {
            root.pointer_mut("/static_resources/clusters")
        })?;
        if named(clusters, name).is_some() {
            return self.cluster_at(name, "cluster's endpoint", address);
        }
        let clusters = self.place("list of clusters", |root| {
            root.pointer_mut("/static_resources/clusters")?
                .as_array_mut()
        })?;
        clusters.push(cluster(name, address));
        Ok(())
    }

    /// Sends requests whose path begins with `prefix` to `cluster`. Of several prefixes the one that was added last is
    /// looked at first, and each before those that stand in the file.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn route(&mut self, prefix: &str, cluster: &str) -> Result<()> {
        let routes = self.place("list of routes", |root| {
            manager(root)?
                .pointer_mut("/route_config/virtual_hosts/0/routes")?
                .as_array_mut()
        })?;
        let route = json!({ "match": { "prefix": prefix }, "route": { "cluster": cluster, "timeout": "10s" } });
        routes.insert(0, route);
        Ok(())
    }

    /// Waits no longer than `limit`, in whole milliseconds, for the rest of a head, or for the next part of a body. The limits
    /// of a whole request are raised to it where they are shorter, and never lowered.
    ///
    /// # Errors
    /// [`Error::Config`] when a place is gone, or a limit of a whole request is no number of seconds.
    pub fn patience(&mut self, limit: Duration) -> Result<()> {
        let said = json!(format!("{:.3}s", limit.as_secs_f64()));
        for name in ["/request_headers_timeout", "/stream_idle_timeout"] {
            *self.place(name, |root| manager(root)?.pointer_mut(name))? = said.clone();
        }
        for name in [
            "/request_timeout",
            "/common_http_protocol_options/max_stream_duration",
        ] {
            let whole = self.place(name, |root| {
                let place = manager(root)?.pointer_mut(name)?;
                seconds(place).is_some().then_some(place)
            })?;
            if seconds(whole).is_some_and(|seconds| seconds < limit.as_secs_f64()) {
                *whole = said.clone();
            }
        }
        Ok(())
    }

    fn cluster_at(&mut self, cluster: &str, what: &str, address: SocketAddr) -> Result<()> {
        let endpoint = self.place(what, |root| {
            named(root.pointer_mut("/static_resources/clusters")?, cluster)?
                .pointer_mut("/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address")
        })?;
        *endpoint = socket_address(address);
        Ok(())
    }

    /// The plugin's configuration.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn plugin(&self) -> Result<&Value> {
        let listeners = self.root.pointer("/static_resources/listeners");
        listeners
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|listener| {
                listener.pointer("/filter_chains/0/filters/0/typed_config/http_filters")
            })
            .filter_map(Value::as_array)
            .flatten()
            .find(|filter| filter["name"] == OURS)
            .and_then(|filter| filter.pointer("/typed_config/config/configuration/value"))
            .ok_or_else(|| self.gone("plugin's configuration"))
    }

    /// Gives the plugin another configuration.
    ///
    /// # Errors
    /// [`Error::Config`] when the place is gone.
    pub fn set_plugin(&mut self, plugin: Value) -> Result<()> {
        let place = self.place("plugin's configuration", |root| {
            wasm_config(root)?.pointer_mut("/configuration/value")
        })?;
        *place = plugin;
        Ok(())
    }

    /// The whole configuration, for changes that only one test needs.
    pub fn root_mut(&mut self) -> &mut Value {
        &mut self.root
    }

    /// Writes the configuration as JSON, which Envoy reads by the ending `.json`.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, format!("{:#}\n", self.root)).map_err(Error::file("write", path))
    }

    fn place<'a, T>(
        &'a mut self,
        what: &str,
        find: impl FnOnce(&'a mut Value) -> Option<&'a mut T>,
    ) -> Result<&'a mut T> {
        let gone = gone(&self.source, what);
        find(&mut self.root).ok_or(gone)
    }

    fn gone(&self, what: &str) -> Error {
        gone(&self.source, what)
    }
}

fn gone(source: &Path, what: &str) -> Error {
    Error::Config {
        path: source.to_path_buf(),
        reason: format!("the {what} is not where it was"),
    }
}

/// The listener's HTTP connection manager.
fn manager(root: &mut Value) -> Option<&mut Value> {
    let listener = named(root.pointer_mut("/static_resources/listeners")?, OURS)?;
    listener.pointer_mut("/filter_chains/0/filters/0/typed_config")
}

/// What a limit of time such as `1.5s` says.
fn seconds(limit: &Value) -> Option<f64> {
    limit.as_str()?.strip_suffix('s')?.parse().ok()
}

fn wasm_config(root: &mut Value) -> Option<&mut Value> {
    let filters = manager(root)?.pointer_mut("/http_filters")?;
    named(filters, OURS)?.pointer_mut("/typed_config/config")
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [endpoint(address)] }],
        },
        "typed_extension_protocol_options": {
            options: {
                "@type": format!("type.googleapis.com/{options}"),
                "use_downstream_protocol_config": {
                    "http_protocol_options": { "enable_trailers": true },
                    "http2_protocol_options": {},
                },
            },
        },
    })
}

fn named<'a>(list: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    list.as_array_mut()?
        .iter_mut()
        .find(|item| item["name"] == name)
}

fn endpoint(address: SocketAddr) -> Value {
    json!({ "endpoint": { "address": socket_address(address) } })
}

fn socket_address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> Result<EnvoyConfig> {
        EnvoyConfig::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../envoy/envoy.yaml"))
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn every_changed_place_is_changed_and_nothing_else() {
        let committed = committed().expect("the committed configuration");
        let mut changed = committed.clone();
        changed.listen_on(address(1)).expect("listener");
        changed.admin_on(address(2)).expect("admin");
        changed.load_wasm(Path::new("/x.wasm")).expect("wasm");
        changed.engine_at(address(3)).expect("engine");
        changed.cluster(ISSUER_CLUSTER, address(4)).expect("issuer");
        changed
            .set_plugin(json!({ "realm": "other" }))
            .expect("plugin");
        assert_eq!(
            changed.plugin().expect("plugin"),
            &json!({ "realm": "other" })
        );

        let text = changed.root.to_string();
        for expected in [
            r#""port_value":1}"#,
            r#""port_value":2}"#,
            r#""port_value":3}"#,
            r#""port_value":4}"#,
            r#""/x.wasm""#,
        ] {
            assert_eq!(text.matches(expected).count(), 1, "{expected} in {text}");
        }
        // Changing everything back restores the committed file: nothing else was touched.
        changed.listen_on(address(8080)).expect("listener");
        changed.admin_on(address(9901)).expect("admin");
        changed
            .load_wasm(Path::new("target/plugin/reward_points.wasm"))
            .expect("wasm");
        changed.engine_at(address(2379)).expect("engine");
        changed
            .cluster(ISSUER_CLUSTER, address(9400))
            .expect("issuer");
        changed
            .set_plugin(committed.plugin().expect("plugin").clone())
            .expect("plugin");
        assert_eq!(changed.root, committed.root);
    }

    #[test]
    fn what_is_added_stands_beside_what_is_there() {
        let committed = committed().expect("the committed configuration");
        let mut changed = committed.clone();
        changed.cluster("orders", address(5)).expect("a cluster");
        changed.cluster("orders", address(6)).expect("the same one");
        changed.route("/orders", "orders").expect("a route");
        changed
            .route("/orders/own", ENGINE_CLUSTER)
            .expect("another");
        let lists = [
            "/static_resources/clusters",
            "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes",
        ];
        let [clusters, routes] = lists.map(|list| {
            let of = |config: &EnvoyConfig| config.root.pointer(list).cloned().expect(list);
            let (before, after) = (of(&committed), of(&changed));
            let (before, after) = (before.as_array().cloned(), after.as_array().cloned());
            (before.expect(list), after.expect(list))
        });
        assert_eq!(clusters.1[..clusters.0.len()], clusters.0);
        assert_eq!(clusters.1.len(), clusters.0.len() + 1);
        assert!(
            clusters.1[clusters.0.len()]
                .to_string()
                .contains(r#""port_value":6}"#)
        );
        let prefixes: Vec<_> = routes.1[..2]
            .iter()
            .map(|it| &it["match"]["prefix"])
            .collect();
        assert_eq!(prefixes, ["/orders/own", "/orders"]);
        assert_eq!(routes.1[2..], routes.0);
    }

    #[test]
    fn an_engine_of_several_members_is_one_cluster() {
        let committed = committed().expect("the committed configuration");
        let mut changed = committed.clone();
        let members = [address(1), address(2), address(3)];
        changed.engine_members(&members).expect("endpoints");
        let text = changed.root.to_string();
        for port in 1..=3 {
            let expected = format!(r#""port_value":{port}}}"#);
            assert_eq!(text.matches(&expected).count(), 1, "{expected} in {text}");
        }
        changed.engine_members(&[address(2379)]).expect("endpoints");
        assert_eq!(changed.root, committed.root);
    }

    #[test]
    fn patience_shortens_waiting_and_lengthens_whatever_would_end_it_earlier() {
        let limits = |patience: Option<u64>| {
            let mut config = committed().expect("the committed configuration");
            if let Some(seconds) = patience {
                let limit = Duration::from_secs(seconds);
                config.patience(limit).expect("places");
            }
            let manager = manager(&mut config.root).expect("a connection manager");
            [
                "/request_headers_timeout",
                "/stream_idle_timeout",
                "/request_timeout",
                "/common_http_protocol_options/max_stream_duration",
            ]
            .map(|name| manager.pointer(name).and_then(seconds).expect(name))
        };
        let [_, _, whole, longest] = limits(None);
        assert_eq!(limits(Some(3)), [3.0, 3.0, whole, longest]);
        assert_eq!(limits(Some(120)), [120.0; 4]);
    }

    #[test]
    fn a_place_that_is_gone_is_an_error_that_names_it() {
        let mut config = committed().expect("the committed configuration");
        config.root["static_resources"]["clusters"] = json!([]);
        let refused = config.engine_at(address(1)).expect_err("no such cluster");
        assert!(
            refused.to_string().contains("engine's endpoint"),
            "{refused}"
        );
    }
}
