//! The driver around the VMs: several workers, HTTP/2, stopping, refusing to start.

mod common;

use std::io::Write as _;

use common::client::{connect, get, http2, read_answer, send};
use common::upstream::Upstream;
use common::{clusters, options, serve, until};
use host::Plugin;
use host::serve::Options;

#[test]
fn every_worker_the_main_thread_and_the_canary_are_configured() {
    let upstream = Upstream::start();
    let running = serve(Options {
        workers: 3,
        ..options(clusters(upstream.address))
    })
    .expect("serves");
    let configured = running.shared.metrics.value("wasmcustom.probe_configured");
    assert_eq!(configured, Some(3 + 2));
    until("ticks run", || {
        !get(running.local_addr, "/probe/ticks").body.is_empty()
            && running.shared.data.get("points", b"ticks").is_some()
    });
    running.stop();
}

#[test]
fn each_of_several_workers_wakes_its_own_root() {
    let upstream = Upstream::start();
    let running = serve(Options {
        workers: 2,
        ..options(clusters(upstream.address))
    })
    .expect("serves");
    // Connections are dealt out in turn.
    for _ in 0..6 {
        assert_eq!(get(running.local_addr, "/probe/queue").body, "woken for 1");
    }
    running.stop();
}

#[test]
fn a_refused_configuration_is_not_served_and_says_why() {
    let upstream = Upstream::start();
    for (configuration, said) in [("refuse", "field `a.b` is wrong"), ("trap", "asked to")] {
        let refused = serve(Options {
            plugin: Plugin {
                plugin_configuration: configuration.into(),
                ..Plugin::default()
            },
            ..options(clusters(upstream.address))
        });
        let error = refused.expect_err("refused").to_string();
        assert!(error.contains("canary") && error.contains(said), "{error}");
    }
    let nowhere = serve(Options {
        clusters: std::collections::BTreeMap::new(),
        ..options(clusters(upstream.address))
    });
    let error = nowhere.expect_err("refused").to_string();
    assert!(
        error.contains("\"/probe/to/\" leads to the cluster \"up\""),
        "{error}"
    );
    let none = serve(Options {
        workers: 0,
        ..options(clusters(upstream.address))
    });
    assert!(none.is_err());
}

#[test]
fn a_trap_costs_the_workers_requests_a_503_and_is_counted() {
    let upstream = Upstream::start();
    let running = serve(options(clusters(upstream.address))).expect("serves");
    let mut held = connect(running.local_addr);
    held.write_all(b"GET /probe/grpc-call HTTP/1.1\r\nhost: a\r\nx-path: Slow\r\n\r\n")
        .expect("sent");
    until("the held request has been dispatched", || {
        get(running.local_addr, "/probe/time").status == 200
    });
    assert_eq!(get(running.local_addr, "/probe/trap").status, 503);
    let lost = read_answer(&mut held, false);
    // Answered before the trap by its own time limit, or lost with the VM.
    assert!(
        lost.status == 503 || lost.body.starts_with("grpc 14"),
        "{lost:?}"
    );
    until("a new VM serves", || {
        get(running.local_addr, "/probe/time").status == 200
    });
    let stats = get(running.admin_addr.expect("asked for"), "/stats").body;
    assert!(
        stats.contains("vm_reloads: 1\n") && stats.contains("vm_traps: 1\n"),
        "{stats}"
    );
    running.stop();
}

#[test]
fn what_is_in_flight_when_it_is_stopped_is_answered() {
    let upstream = Upstream::start();
    let running = serve(options(clusters(upstream.address))).expect("serves");
    let mut waiting = connect(running.local_addr);
    waiting
        .write_all(b"GET /probe/root-grpc-slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .expect("sent");
    until("the root has asked the upstream", || {
        running.shared.data.get("points", b"sent").is_some()
    });
    let address = running.local_addr;
    running.stop();
    assert_eq!(
        read_answer(&mut waiting, false).body,
        "grpc status=14 size=0"
    );
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "nobody listens"
    );
}

#[test]
fn a_root_with_something_to_finish_gets_the_time_for_it() {
    let upstream = Upstream::start();
    let running = serve(Options {
        plugin: Plugin {
            plugin_configuration: b"drain".to_vec(),
            ..Plugin::default()
        },
        ..options(clusters(upstream.address))
    })
    .expect("serves");
    let shared = std::sync::Arc::clone(&running.shared);
    running.stop();
    let drained = shared.data.get("points", b"drained").map(|entry| entry.0);
    assert_eq!(drained, Some(b"yes".to_vec()));
}

#[test]
fn odd_requests_reach_the_module_or_are_refused_and_never_trap_it() {
    let upstream = Upstream::start();
    let running = serve(options(clusters(upstream.address))).expect("serves");
    let all: Vec<u8> = (0x80..=0xff).collect();
    let answer = send(
        running.local_addr,
        "GET",
        "/probe/a%2Fb;%00..//x?%zz",
        &[("x", &all)],
        b"",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(running.shared.metrics.value("vm_traps"), Some(0));
    running.stop();
}

#[test]
fn without_native_signatures_the_function_is_not_found() {
    let upstream = Upstream::start();
    for (native_signatures, status) in [(true, "2 "), (false, "1 ")] {
        let mut options = options(clusters(upstream.address));
        options.plugin.native_signatures = native_signatures;
        let running = serve(options).expect("serves");
        let name = [("x-name", &b"verify_signature"[..])];
        let answer = send(running.local_addr, "GET", "/probe/foreign", &name, b"");
        assert_eq!(answer.body, status);
        running.stop();
    }
}

#[test]
fn http2_requests_end_with_their_trailers() {
    let upstream = Upstream::start();
    let running = serve(options(clusters(upstream.address))).expect("serves");
    let (answer, _) = http2(
        running.local_addr,
        "/probe/body",
        &[],
        b"abc",
        &[("x-t", "end")],
    );
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "trailers 1 end body=3")
    );
    running.stop();
}
