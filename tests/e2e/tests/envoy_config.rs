//! The committed Envoy configuration, judged by Envoy itself.
//!
//! `--mode validate` goes as far as to compile the module and to hand it its configuration, so what is accepted here is
//! accepted at start, and what the module refuses is refused with the module's words.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Whether Envoy takes the configuration, and what it said.
fn validate(file: &Path) -> (bool, String) {
    let output = Command::new(testbed::tools::envoy().expect("Envoy"))
        .args(["--mode", "validate", "--log-level", "warning", "-c"])
        .arg(file)
        // The committed file names the module relative to the repository's root.
        .current_dir(testbed::workspace_root())
        .output()
        .expect("run Envoy");
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

/// The committed configuration with another plugin configuration, validated.
fn validate_plugin(plugin: Value) -> (bool, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = testbed::committed_envoy().expect("the committed configuration");
    config
        .load_wasm(&testbed::wasm().expect("the module"))
        .expect("wasm");
    config.set_plugin(plugin).expect("plugin");
    let file = dir.path().join("envoy.json");
    config.write(&file).expect("write");
    validate(&file)
}

#[test]
fn the_committed_configuration_is_valid_as_it_stands() {
    let (valid, words) = validate(&testbed::envoy_yaml());
    assert!(valid, "{words}");
}

#[test]
fn the_variant_of_development_is_valid() {
    let keys = testbed::DevKeys::shared().expect("keys");
    let (valid, words) = validate_plugin(testbed::dev_plugin(&keys).expect("a configuration"));
    assert!(valid, "{words}");
}

#[test]
fn a_bad_field_is_refused_by_its_path() {
    let committed = testbed::committed_plugin().expect("the plugin's configuration");
    let cases: [(&str, Value, &str); 6] = [
        ("/surprise", json!(1), "surprise"),
        ("/realm", json!(7), "realm"),
        (
            "/issuers/0/leeway_seconds",
            json!(301),
            "issuers[0].leeway_seconds",
        ),
        (
            "/issuers/0/algorithms",
            json!(["none"]),
            "issuers[0].algorithms[0]",
        ),
        ("/engine/clusters", json!([]), "engine.clusters"),
        ("/max_body_bytes", json!("much"), "max_body_bytes"),
    ];
    for (place, value, expected) in cases {
        let mut plugin = committed.clone();
        let (parent, field) = place.rsplit_once('/').expect("a pointer");
        plugin.pointer_mut(parent).expect("a place")[field] = value;
        let (valid, words) = validate_plugin(plugin);
        assert!(!valid, "{place} was accepted");
        assert!(
            words.contains(expected),
            "{place}: no word of {expected} in {words}"
        );
    }
}

/// Each of these, when lost, fails no other check until something goes wrong in production.
#[test]
fn the_knobs_that_safety_hangs_on_are_set() {
    let mut config = testbed::committed_envoy().expect("the committed configuration");
    let root = config.root_mut();
    let manager = root
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .expect("the connection manager");
    let knobs = [
        ("/path_with_escaped_slashes_action", json!("KEEP_UNCHANGED")),
        ("/normalize_path", json!(false)),
        ("/merge_slashes", json!(false)),
        ("/use_remote_address", json!(true)),
        (
            "/http_filters/0/typed_config/config/failure_policy",
            json!("FAIL_RELOAD"),
        ),
        (
            "/http_filters/0/typed_config/config/allow_on_headers_stop_iteration",
            json!(true),
        ),
        (
            "/http_protocol_options/override_stream_error_on_invalid_http_message",
            json!(true),
        ),
    ];
    for (place, expected) in knobs {
        assert_eq!(manager.pointer(place), Some(&expected), "{place}");
    }
    for bound in [
        "/stream_idle_timeout",
        "/common_http_protocol_options/max_stream_duration",
    ] {
        let text = manager.pointer(bound).and_then(Value::as_str).expect(bound);
        let seconds: u32 = text
            .strip_suffix('s')
            .and_then(|number| number.parse().ok())
            .expect(bound);
        assert!((1..=60).contains(&seconds), "{bound}: {text}");
    }
    let body = config.plugin().expect("plugin")["max_body_bytes"].as_u64();
    let body = body.expect("max_body_bytes");
    let listener = config
        .root_mut()
        .pointer("/static_resources/listeners/0")
        .expect("the listener");
    let per_read = listener
        .pointer("/per_connection_buffer_limit_bytes")
        .and_then(Value::as_u64)
        .expect("a bound on what is read at once");
    let per_body = listener
        .pointer("/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/request_body_buffer_limit")
        .and_then(Value::as_u64)
        .expect("a bound on what is buffered");
    assert!(
        per_body > per_read + body,
        "one read must not fill the buffer before the filter has seen it"
    );
    // The first bounds a body over HTTP/1.1, the second one over HTTP/2.
    for place in [
        "/per_connection_buffer_limit_bytes",
        "/filter_chains/0/filters/0/typed_config/http2_protocol_options/initial_stream_window_size",
    ] {
        let buffer = listener
            .pointer(place)
            .and_then(Value::as_u64)
            .expect(place);
        assert!(
            buffer > body,
            "{place}: the filter must be the first to find a body too large"
        );
    }
}

/// What the open network may do is bounded everywhere that Envoy's advice for an edge names.
#[test]
fn a_hostile_client_meets_a_bound_wherever_it_goes() {
    let mut config = testbed::committed_envoy().expect("the committed configuration");
    let root = config.root_mut();
    let monitors = root
        .pointer("/overload_manager/resource_monitors")
        .and_then(Value::as_array)
        .expect("monitors");
    for (monitor, limit) in [
        ("fixed_heap", "max_heap_size_bytes"),
        (
            "global_downstream_max_connections",
            "max_active_downstream_connections",
        ),
    ] {
        let name = format!("envoy.resource_monitors.{monitor}");
        let found = monitors.iter().find(|own| own["name"] == name.as_str());
        let limit = found.and_then(|own| own["typed_config"][limit].as_u64());
        assert!(limit.is_some_and(|limit| limit > 0), "{monitor}");
    }
    let manager = root
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .expect("the connection manager");
    for (place, most) in [
        ("/max_request_headers_kb", 96),
        ("/common_http_protocol_options/max_headers_count", 1000),
        ("/http2_protocol_options/max_concurrent_streams", 1000),
        (
            "/http2_protocol_options/max_outbound_control_frames",
            10_000,
        ),
        (
            "/http2_protocol_options/max_consecutive_inbound_frames_with_empty_payload",
            10,
        ),
        (
            "/http2_protocol_options/max_inbound_priority_frames_per_stream",
            1000,
        ),
        (
            "/http2_protocol_options/max_inbound_window_update_frames_per_data_frame_sent",
            100,
        ),
    ] {
        let bound = manager.pointer(place).and_then(Value::as_u64);
        let bound = bound.unwrap_or_else(|| panic!("{place}: no bound"));
        assert!((1..=most).contains(&bound), "{place}: {bound}");
    }
    for place in [
        "/request_headers_timeout",
        "/request_timeout",
        "/common_http_protocol_options/idle_timeout",
    ] {
        let text = manager.pointer(place).and_then(Value::as_str);
        let seconds: Option<u32> = text.and_then(|text| text.strip_suffix('s')?.parse().ok());
        assert!(
            seconds.is_some_and(|seconds| (1..=3600).contains(&seconds)),
            "{place}: {text:?}"
        );
    }
}
