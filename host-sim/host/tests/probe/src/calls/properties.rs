//! Properties: every path of Envoy's attributes that a filter of requests might ask for, and what a module sets itself.

use super::{OUTSIDE, Transcript, shown};
use crate::raw::*;

/// Their values are the same wherever the same is asked.
const FIXED: [&str; 33] = [
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "request.path",
    "request.url_path",
    "request.query",
    "request.host",
    "request.scheme",
    "request.method",
    "request.headers.x-case",
    "request.headers.X-Case",
    "request.headers.x-none",
    "request.headers.:path",
    "request.referer",
    "request.useragent",
    "request.protocol",
    "request.nothing",
    "request.size",
    "response.code",
    "response.headers.:status",
    "response.headers.x-none",
    "response.nothing",
    "request",
    "request.headers",
    "response",
    "source",
    "node",
    "tenant",
    "nothing",
    "nothing.at.all",
    "",
    ".",
    "request.path.more",
];
/// Their values depend on the run, the machine or the host: only whether there is one is told.
const VARYING: [&str; 30] = [
    "request.id",
    "request.time",
    "request.duration",
    "request.total_size",
    "response.flags",
    "response.grpc_status",
    "response.size",
    "response.total_size",
    "response.code_details",
    "response.backend_latency",
    "source.address",
    "source.port",
    "destination.address",
    "destination.port",
    "connection.id",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.termination_details",
    "upstream.address",
    "upstream.port",
    "upstream.local_address",
    "xds.cluster_name",
    "xds.route_name",
    "xds.listener_direction",
    "metadata",
    "filter_state",
    "cluster_name",
    "route_name",
    "listener_direction",
    "plugin_workers",
];

pub fn all(t: &mut Transcript) {
    let path = |dotted: &str| dotted.replace('.', "\0");
    let get = |t: &mut Transcript, dotted: &str, show: fn(&[u8]) -> String| {
        let path = path(dotted);
        t.bytes_as(
            &format!("proxy_get_property({dotted})"),
            show,
            |data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) },
        );
    };
    for dotted in FIXED {
        get(t, dotted, shown);
    }
    for dotted in VARYING {
        get(t, dotted, |_| "something".to_owned());
    }
    t.bytes_nowhere("proxy_get_property(plugin_name)", |data, size| unsafe {
        proxy_get_property("plugin_name".as_ptr(), 11, data, size)
    });
    t.bytes("proxy_get_property(path outside)", |data, size| unsafe {
        proxy_get_property(OUTSIDE as *const u8, 4, data, size)
    });
    let name = format!("own-{}", random());
    let set = |t: &mut Transcript, what: &str, path: &str, value: &[u8]| {
        let status =
            unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
        t.status(&format!("proxy_set_property({what})"), status);
    };
    let own = |t: &mut Transcript, what: &str, path: &str| {
        t.bytes(
            &format!("proxy_get_property({what})"),
            |data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) },
        );
    };
    let parts = format!("{name}\0part");
    own(t, "own, not set", &name);
    for (what, value) in [
        ("own", &b"1"[..]),
        ("own again", b"2"),
        ("own, empty", b""),
        ("own, bytes", b"\0\xff"),
    ] {
        set(t, what, &name, value);
        own(t, what, &name);
    }
    set(t, "own of two parts", &parts, b"3");
    own(t, "own of two parts", &parts);
    set(t, "request.path", "request\0path", b"4");
    own(t, "request.path, set", "request\0path");
    set(t, "plugin_name", "plugin_name", b"5");
    own(t, "plugin_name, set", "plugin_name");
    unsafe {
        let (good, outside) = (name.as_ptr(), OUTSIDE as *const u8);
        t.status(
            "proxy_set_property(path outside)",
            proxy_set_property(outside, 3, good, 1),
        );
        t.status(
            "proxy_set_property(value outside)",
            proxy_set_property(good, name.len(), outside, 3),
        );
    }
    own(t, "own, after all of it", &name);
}
