//! A request from its headers to the last callback of its context, seen from both sides.

use super::{on_each, said};
use crate::common::client::{self, Answer, exchange, get, send};
use crate::common::until;

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
            // Different each time; the other is told apart in the documents.
            .filter(|line| {
                !line.starts_with("x-request-id=") && !line.starts_with("x-forwarded-for=")
            })
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
                "x-envoy-external-address=127.0.0.1",
            ],
            "{}",
            gateway.name()
        );
        for name in ["\nx-request-id=", "\nx-forwarded-for="] {
            assert!(body.contains(name), "{body}");
        }
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
        for (bytes, status) in [(30_000, 200), (40_000, 431)] {
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
        let mut stream = client::connect(gateway.address());
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

#[test]
fn a_stream_that_nobody_moves_is_ended() {
    on_each(|gateway| {
        let name = gateway.name();
        let ended = |request: &[u8]| {
            let answer = exchange(gateway.address(), request, false);
            assert_eq!(answer.header("x-probe"), Some("headers"), "{name}");
            (answer.status, answer.body)
        };
        // The module's turn.
        let silent = ended(b"GET /probe/silent HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(silent, (504, "stream timeout".to_owned()), "{name}");
        // The client's turn.
        let half = ended(b"POST /probe/body HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhal");
        assert_eq!(half, (408, "stream timeout".to_owned()), "{name}");
        // The request's end is told to its context.
        until("the contexts are deleted", || {
            let life = said(gateway, "/probe/shared-value", &[("x-key", b"silent")]);
            life == " begun response-body 14 true log(0 /probe/silent) done deleted"
        });
    });
}
