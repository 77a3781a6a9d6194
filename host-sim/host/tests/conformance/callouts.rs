//! Queues, HTTP callouts, gRPC: how each way of ending looks to the module.

use super::{on_each, said};

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
        ("/ok", "dead", format!("call headers=true body=98 trailers=0\n:status 0 503\nx-from 1 \ncontent-type 0 text/plain\nupstream-service-time 1\nbody 0 {reset}remote connection failure")),
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
