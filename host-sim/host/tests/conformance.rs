//! Answer by answer: the probe filter in this host and in the real Envoy that `$ENVOY` names.
//!
//! What is expected was read off Envoy 1.40; each run proves it again.

mod common;

use common::client::{Answer, exchange, get, send};
use common::upstream::Upstream;
use common::{Gateway, clusters, gateways, until};

/// Runs a check on every gateway.
fn on_each(check: impl Fn(&Gateway)) {
    let upstream = Upstream::start();
    for gateway in gateways(&clusters(upstream.address)) {
        eprintln!("on {}", gateway.name());
        check(&gateway);
    }
}

/// What the probe says on a path, asked for with these headers.
fn said(gateway: &Gateway, path: &str, headers: &[(&str, &[u8])]) -> String {
    let answer = send(gateway.address(), "GET", path, headers, b"");
    assert_eq!(answer.status, 200, "{} {path}: {answer:?}", gateway.name());
    answer.body
}

#[test]
fn a_filter_sees_the_headers_that_envoy_shows() {
    on_each(|gateway| {
        let body = said(
            gateway,
            "/probe/headers",
            &[
                ("X-Odd", b"\xff\x80"),
                ("x-two", b"1"),
                ("x-two", b"2"),
                ("x-request-id", b"mine"),
            ],
        );
        let lines: Vec<_> = body
            .lines()
            .filter(|line| !line.starts_with("x-request-id="))
            .collect();
        assert_eq!(
            lines,
            [
                ":authority=probe.test",
                ":path=/probe/headers",
                ":method=GET",
                ":scheme=http",
                "x-odd=\\xff\\x80",
                "x-two=1",
                "x-two=2",
                "x-forwarded-proto=http",
            ],
            "{}",
            gateway.name()
        );
        assert!(body.contains("x-request-id="), "{body}");
    });
}

#[test]
fn host_calls_answer_with_envoys_statuses() {
    let expected = "\
map 0 pairs=0 value=1 add=0
map 1 pairs=0 value=2 add=2
map 2 pairs=0 value=2 add=2
map 3 pairs=0 value=2 add=2
map 4 pairs=0 value=2 add=2
map 5 pairs=0 value=2 add=2
map 6 pairs=0 value=2 add=2
map 7 pairs=0 value=2 add=2
map 8 pairs=2 value=2 add=2
map 9 pairs=2 value=2 add=2
buffer 0 0 set=2
buffer 1 0 set=2
buffer 2 0 set=2
buffer 3 0 set=2
buffer 4 1 set=1
buffer 5 0 set=2
buffer 6 0 set=2
buffer 7 1 set=1
buffer 8 0 set=2
buffer 9 2 set=2
effective none=2 self=0 root=0 vm=0
resume kinds 0 12 2
close kind 2
done 1
foreign 1
outside memory 6";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/status", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn shared_data_and_queues_follow_envoys_rules() {
    let expected = "\
absent 1
create 0 again 8
get 0 1 versioned=true
cas 0 stale 8
blind 0
empty 0 0 versioned=true
resolve none 1
register 0 0 same=true
resolve 0 same=true
other vm 1
unknown queue 1 1
empty queue 7";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/shared", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn metrics_follow_envoys_rules() {
    let expected = "\
define 0 0 0 unknown=2
kinds 0 1 2
counter 0 minus=2
counter record 0 grew=true
gauge 0 0 (0, 4)
histogram 0 inc=2 get=2
unknown 1 1 1";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/metrics", &[]),
            expected,
            "{}",
            gateway.name()
        );
        let stats = || get(gateway.admin(), "/stats?filter=probe_level").body;
        until("the gauge is shown", || {
            stats().contains("wasmcustom.probe_level: 4\n")
        });
        let prometheus = get(gateway.admin(), "/stats/prometheus").body;
        assert!(
            prometheus.contains("\nprobe_level{} 4\n") || prometheus.contains("\nprobe_level 4\n"),
            "{}: the bare name",
            gateway.name()
        );
    });
}

#[test]
fn properties_are_envoys() {
    let expected = "\
plugin_name 0 points
plugin_root_id 0 
plugin_vm_id 0 points
request.path 0 /probe/property
request.url_path 0 /probe/property
request.method 0 GET
request.scheme 0 http
request.host 0 probe.test
request.protocol 0 HTTP/1.1
request.headers.x-a 0 1,3
request.query 0 
request.nothing 1 
nothing 1 
tenant 1 
response.code 1 
request.useragent 1 
set 0
get 0 acme";
    on_each(|gateway| {
        let body = said(gateway, "/probe/property", &[("x-a", b"1"), ("x-a", b"3")]);
        assert_eq!(body, expected, "{}", gateway.name());
    });
}

#[test]
fn callouts_that_cannot_begin_are_refused_at_once() {
    let expected = "\
http unknown cluster 2
http without :method 2
http without :path 2
http without :authority 2
grpc unknown cluster 4 4
send unknown odd=2 even=1
cancel unknown 1 1 close 1 1";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/callouts", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn time_and_chance_reach_the_module() {
    let expected = "after 2020 true\nmonotonic true\nenvironment 0\nchance true";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/time", &[]),
            expected,
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn a_stream_wakes_the_root_through_a_queue_and_the_root_answers_it() {
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/queue", &[]),
            "woken for 1",
            "{}",
            gateway.name()
        );
        assert_eq!(
            said(gateway, "/probe/root-grpc", &[]),
            "grpc status=0 size=10",
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn http_callouts_end_as_they_do_in_envoy() {
    let reset = "upstream connect error or disconnect/reset before headers. reset reason: ";
    let cases = [
        ("/ok", "up", "call headers=true body=9 trailers=0\n:status 0 200\nx-from 0 up\ncontent-type 0 text/plain\nupstream-service-time 0\nbody 0 pong ping".to_owned()),
        ("/slow", "up", "call headers=true body=24 trailers=0\n:status 0 504\nx-from 1 \ncontent-type 0 text/plain\nupstream-service-time 1\nbody 0 upstream request timeout".to_owned()),
        ("/drop", "up", format!("call headers=true body=95 trailers=0\n:status 0 503\nx-from 1 \ncontent-type 0 text/plain\nupstream-service-time 1\nbody 0 {reset}connection termination")),
        ("/half", "up", "call headers=false body=0 trailers=0\n:status 2 \nx-from 2 \ncontent-type 2 \nupstream-service-time 2\nbody 1 \nstatus 11 reset".to_owned()),
    ];
    on_each(|gateway| {
        for (path, cluster, expected) in &cases {
            let body = said(
                gateway,
                "/probe/http-call",
                &[
                    ("x-path", path.as_bytes()),
                    ("x-cluster", cluster.as_bytes()),
                ],
            );
            assert_eq!(body, *expected, "{} {path}", gateway.name());
        }
        let dead = said(
            gateway,
            "/probe/http-call",
            &[("x-path", b"/ok"), ("x-cluster", b"dead")],
        );
        assert!(dead.contains(":status 0 503"), "{}: {dead}", gateway.name());
        assert!(
            dead.contains("upstream-service-time 1"),
            "{}: {dead}",
            gateway.name()
        );
    });
}

#[test]
fn grpc_calls_end_as_they_do_in_envoy() {
    on_each(|gateway| {
        for (method, cluster, expected) in [
            ("Echo", "up2", "grpc 0 echo hello status=0 message="),
            (
                "Refuse",
                "up2",
                "grpc 9  status=9 message=not so{via_upstream}",
            ),
        ] {
            let body = said(
                gateway,
                "/probe/grpc-call",
                &[
                    ("x-path", method.as_bytes()),
                    ("x-cluster", cluster.as_bytes()),
                ],
            );
            assert_eq!(body, expected, "{} {method}", gateway.name());
        }
        // A frozen and a dead engine look alike.
        for (method, cluster) in [("Slow", "up2"), ("Drop", "up2"), ("Echo", "dead2")] {
            let body = said(
                gateway,
                "/probe/grpc-call",
                &[
                    ("x-path", method.as_bytes()),
                    ("x-cluster", cluster.as_bytes()),
                ],
            );
            assert!(
                body.starts_with("grpc 14  status=14"),
                "{} {method}: {body}",
                gateway.name()
            );
        }
    });
}

#[test]
fn a_grpc_stream_carries_messages_both_ways() {
    let expected = "initial up\nmessage echo 1\nmessage echo 2\nmessage echo 3\ntrailing\nclosed 0\nsend after close 0";
    on_each(|gateway| {
        assert_eq!(
            said(gateway, "/probe/grpc-stream", &[]),
            expected,
            "{}",
            gateway.name()
        );
        let dead = said(gateway, "/probe/grpc-stream", &[("x-cluster", b"dead2")]);
        assert!(dead.contains("closed 14"), "{}: {dead}", gateway.name());
    });
}

#[test]
fn local_replies_look_as_envoys() {
    on_each(|gateway| {
        let name = gateway.name();
        let visible = |answer: &Answer| -> Vec<(String, String)> {
            answer
                .headers
                .iter()
                .filter(|(name, _)| !["date", "server"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        let sorted = |answer: &Answer| {
            let mut all = visible(answer);
            all.sort();
            all.into_iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect::<Vec<_>>()
        };
        let empty = get(gateway.address(), "/probe/empty");
        assert_eq!(empty.status, 201, "{name}");
        assert_eq!(
            sorted(&empty),
            [
                "content-length: 0",
                "x-one: 1",
                "x-one: 2",
                "x-probe: headers-end"
            ],
            "{name}: a type without a body is dropped"
        );
        let untyped = get(gateway.address(), "/probe/untyped");
        assert_eq!(
            (untyped.status, untyped.body.as_str()),
            (400, "text"),
            "{name}"
        );
        assert_eq!(
            sorted(&untyped),
            [
                "content-length: 4",
                "content-type: text/plain",
                "x-probe: headers"
            ],
            "{name}"
        );
        let twice = get(gateway.address(), "/probe/twice");
        assert_eq!(twice.body, "first", "{name}: the first of two stands");
        let head = send(gateway.address(), "HEAD", "/probe/headers", &[], b"");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{name}");
        assert_ne!(head.header("content-length"), Some("0"), "{name}");
        assert_eq!(get(gateway.address(), "/probe/reset").status, 0, "{name}");
    });
}

#[test]
fn a_request_ends_with_log_done_delete() {
    on_each(|gateway| {
        said(gateway, "/probe/life", &[]);
        until("the context is deleted", || {
            said(gateway, "/probe/shared-value", &[("x-key", b"life")])
                == " response-body 5 true log(0 /probe/life) done deleted"
        });
    });
}

#[test]
fn what_is_let_through_finds_no_route_and_its_headers_are_gone() {
    on_each(|gateway| {
        for path in ["/probe/pass", "/probe/hold"] {
            let answer = get(gateway.address(), path);
            assert_eq!(answer.status, 404, "{} {path}: {answer:?}", gateway.name());
            assert_eq!(
                answer.header("x-probe"),
                Some("headers-end"),
                "{}",
                gateway.name()
            );
        }
        assert_eq!(
            get(gateway.address(), "/probe/pass").header("x-after-continue"),
            Some("pairs=0 value=2 add=2"),
            "{}",
            gateway.name()
        );
    });
}

#[test]
fn a_paused_request_shows_its_whole_body_cumulatively() {
    on_each(|gateway| {
        let name = gateway.name();
        let one = |size: usize| {
            send(
                gateway.address(),
                "POST",
                "/probe/body",
                &[],
                &vec![b'a'; size],
            )
        };
        let whole = "headers end=false\nbody size=10 read=10 end=true\nheaders still 0";
        assert_eq!(one(10).body, whole, "{name}");
        let big = one(60_000);
        assert_eq!(
            big.body.lines().nth(1),
            Some("body size=60000 read=60000 end=true"),
            "{name}"
        );
        let none = send(gateway.address(), "POST", "/probe/body", &[], b"");
        assert_eq!(none.body, "headers end=true", "{name}");
        let large = one(200_000);
        assert_eq!(
            (large.status, large.body.as_str()),
            (413, "Payload Too Large"),
            "{name}"
        );
        assert_eq!(
            large.header("x-probe"),
            Some("headers"),
            "{name}: through the response callbacks"
        );
    });
}

#[test]
fn headers_have_a_limit() {
    on_each(|gateway| {
        for (bytes, status) in [(50_000, 200), (70_000, 431)] {
            let value = vec![b'a'; bytes];
            let answer = send(
                gateway.address(),
                "GET",
                "/probe/time",
                &[("x", &value)],
                b"",
            );
            assert_eq!(answer.status, status, "{} {bytes}", gateway.name());
        }
    });
}

#[test]
fn chunks_and_trailers_arrive() {
    on_each(|gateway| {
        let name = gateway.name();
        let head =
            "POST /probe/body HTTP/1.1\r\nhost: probe.test\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunked = format!("{head}3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
        let answer = exchange(gateway.address(), chunked.as_bytes(), false);
        assert_eq!(
            answer.body.lines().nth(1),
            Some("body size=7 read=7 end=true"),
            "{name}"
        );
        let trailing = format!("{head}3\r\nabc\r\n0\r\nx-t: end\r\n\r\n");
        let answer = exchange(gateway.address(), trailing.as_bytes(), false);
        assert_eq!(answer.body, "trailers 1 end body=3", "{name}");
    });
}

#[test]
fn a_trap_is_a_503_and_shared_data_outlives_it() {
    on_each(|gateway| {
        let name = gateway.name();
        said(gateway, "/probe/life", &[]);
        let trap = get(gateway.address(), "/probe/trap");
        assert_eq!((trap.status, trap.body.as_str()), (503, ""), "{name}");
        // Reloading waits for its pause, if there is one.
        until("a new VM serves", || {
            get(gateway.address(), "/probe/time").status == 200
        });
        let life = said(gateway, "/probe/shared-value", &[("x-key", b"life")]);
        assert!(life.starts_with(" response-body"), "{name}: {life:?}");
    });
}

#[test]
fn a_client_that_left_is_told_by_the_effective_context() {
    on_each(|gateway| {
        use std::io::Write as _;
        let mut stream = common::client::connect(gateway.address());
        stream
            .write_all(b"GET /probe/root-grpc-slow HTTP/1.1\r\nhost: probe.test\r\n\r\n")
            .expect("sent");
        until("the root has asked the upstream", || {
            said(gateway, "/probe/shared-value", &[("x-key", b"sent")]) == "yes"
        });
        drop(stream);
        until("the root finds the context gone", || {
            said(gateway, "/probe/shared-value", &[("x-key", b"gone")]) == "2"
        });
    });
}
