//! What is let through: what the upstream gets of it, what the client gets of the answer, and how it fails.

use std::io::{Read as _, Write as _};

use super::on_each;
use crate::common::Gateway;
use crate::common::client::{Answer, connect, exchange, http2, send};

/// The upstream's view without what differs from run to run.
fn echoed(gateway: &Gateway, body: &str) -> Vec<String> {
    body.lines()
        .map(|line| match line.split_once(": ") {
            Some(("x-request-id", id)) => {
                assert_eq!(id.len(), 36, "{}: {id}", gateway.name());
                "x-request-id: ...".to_owned()
            }
            Some(("x-forwarded-for", _)) => "x-forwarded-for: ...".to_owned(),
            _ => line.to_owned(),
        })
        .collect()
}

fn request(gateway: &Gateway, method: &str, path: &str, body: &[u8]) -> Answer {
    let headers = [
        ("x-secret", &b"1"[..]),
        ("x-secret", b"2"),
        ("x-replaced", b"old"),
        ("x-kept", b"\xff"),
        ("connection", b"x-mine"),
        ("x-mine", b"1"),
    ];
    send(gateway.address(), method, path, &headers, body)
}

fn expected(first: &str, own: &[&str], replaced: &str, added: &[&str], body: &str) -> Vec<String> {
    let mut headers: Vec<_> = [
        "host: probe.test",
        "x-envoy-expected-rq-timeout-ms: 1000",
        "x-envoy-external-address: 127.0.0.1",
        "x-forwarded-for: ...",
        "x-forwarded-proto: http",
        "x-kept: \\xff",
        "x-request-id: ...",
    ]
    .iter()
    .chain(own)
    .map(|line| (*line).to_owned())
    .collect();
    headers.push(format!("x-replaced: {replaced}"));
    headers.extend(added.iter().map(|value| format!("x-added: {value}")));
    headers.sort();
    headers.insert(0, first.to_owned());
    headers.push(String::new());
    headers.extend(body.lines().map(str::to_owned));
    headers
}

#[test]
fn the_upstream_sees_the_request_as_the_module_left_it() {
    on_each(|gateway| {
        let name = gateway.name();
        let path = "/probe/to/pass/a%2Fb;c/echo?q=%20&x";
        let answer = request(gateway, "GET", path, b"");
        assert_eq!(
            echoed(gateway, &answer.body),
            expected(&format!("GET {path}"), &[], "new", &["1", "2"], ""),
            "{name}"
        );
        let answer = request(gateway, "PUT", "/probe/to/pass/echo", b"some\nlines");
        assert_eq!(
            echoed(gateway, &answer.body),
            expected(
                "PUT /probe/to/pass/echo",
                &["content-length: 10"],
                "new",
                &["1", "2"],
                "some\nlines"
            ),
            "{name}"
        );
        // Read whole and replaced by the module; so is the answer.
        let answer = request(gateway, "POST", "/probe/to/body/echo", b"original");
        assert!(
            answer.body.starts_with("POST /PROBE/TO/BODY/ECHO\n"),
            "{name}: {answer:?}"
        );
        assert!(answer.body.ends_with("\n\nREPLACED"), "{name}: {answer:?}");
        assert!(
            !answer.body.contains("CONTENT-LENGTH"),
            "{name}: {answer:?}"
        );
    });
}

#[test]
fn the_client_sees_the_answer_as_the_module_left_it() {
    on_each(|gateway| {
        let name = gateway.name();
        for method in ["GET", "HEAD"] {
            let answer = request(gateway, method, "/probe/to/pass/echo", b"");
            let end = if method == "HEAD" {
                "headers-end"
            } else {
                "headers"
            };
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.header("x-probe"), Some(end), "{name}");
            assert_eq!(answer.header("x-from"), Some("module"), "{name}");
            assert!(
                answer.header("x-envoy-upstream-service-time").is_some(),
                "{name}"
            );
            assert!(answer.header("content-length").is_some(), "{name}");
            assert!(answer.header("date").is_some(), "{name}");
            for gone in ["x-internal", "keep-alive", "connection"] {
                assert_eq!(answer.header(gone), None, "{name}: {gone}");
            }
            assert_ne!(answer.header("server"), Some("up"), "{name}");
        }
    });
}

#[test]
fn the_root_changes_a_paused_request_and_lets_it_go() {
    on_each(|gateway| {
        let name = gateway.name();
        let answer = request(gateway, "GET", "/probe/to/hold/echo", b"");
        assert_eq!(
            echoed(gateway, &answer.body),
            expected(
                "GET /probe/to/hold/echo",
                &[],
                "by the root",
                &["later"],
                ""
            ),
            "{name}"
        );
        let answer = request(gateway, "POST", "/probe/to/hold/echo", b"a body");
        assert_eq!(
            echoed(gateway, &answer.body),
            expected(
                "POST /probe/to/hold/echo",
                &["content-length: 6"],
                "by the root",
                &["later"],
                "a body"
            ),
            "{name}"
        );
    });
}

#[test]
fn a_body_of_unknown_length_passes_whatever_the_method() {
    on_each(|gateway| {
        let name = gateway.name();
        for method in ["GET", "DELETE", "PUT"] {
            let request = format!(
                "{method} /probe/to/pass/echo HTTP/1.1\r\nhost: probe.test\r\n\
                 transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
            );
            let answer = exchange(gateway.address(), request.as_bytes(), false);
            assert!(answer.body.ends_with("\n\nabcdef"), "{name}: {answer:?}");
        }
    });
}

#[test]
fn trailers_go_both_ways_without_those_that_the_module_took() {
    on_each(|gateway| {
        let name = gateway.name();
        let head = "POST /probe/to/pass/echo HTTP/1.1\r\nhost: probe.test\r\n\
                    trailer: x-drop, x-keep, x-more\r\ntransfer-encoding: chunked\r\n\r\n";
        let whole = format!("{head}3\r\nabc\r\n0\r\nx-keep: a\r\nx-drop: b\r\n\r\n");
        let answer = exchange(gateway.address(), whole.as_bytes(), false);
        assert!(
            answer.body.ends_with("\n\nabc\nx-keep: a\nx-more: 1\n"),
            "{name}: {answer:?}"
        );

        let (answer, trailers) = http2(
            gateway.address(),
            "/probe/to/pass/echo?trailers",
            &[
                ("trailer", "x-drop, x-keep, x-more"),
                ("x-secret", "1"),
                ("te", "trailers"),
            ],
            b"abc",
            &[("x-keep", "a"), ("x-drop", "b")],
        );
        assert_eq!(answer.status, 200, "{name}");
        assert!(
            answer.body.ends_with("\n\nabc\nx-keep: a\nx-more: 1\n"),
            "{name}: {answer:?}"
        );
        assert!(!answer.body.contains("x-secret"), "{name}: {answer:?}");
        assert_eq!(trailers, [("x-keep".to_owned(), "1".to_owned())], "{name}");
    });
}

#[test]
fn bodies_longer_than_the_buffer_pass() {
    on_each(|gateway| {
        let name = gateway.name();
        let body = vec![b'x'; 3_000_000];
        let answer = send(gateway.address(), "POST", "/probe/to/pass/echo", &[], &body);
        assert_eq!(answer.status, 200, "{name}");
        let (_, back) = answer.body.split_once("\n\n").expect("head and body");
        assert_eq!(back.len(), body.len(), "{name}");
    });
}

#[test]
fn the_path_as_the_module_left_it_finds_the_route() {
    on_each(|gateway| {
        // As it came it would go to one that answers.
        let answer = request(gateway, "GET", "/probe/to/elsewhere/echo", b"");
        assert_eq!(answer.status, 503, "{}: {answer:?}", gateway.name());
    });
}

#[test]
fn upstreams_fail_as_they_do_in_envoy() {
    let disconnected = "upstream connect error or disconnect/reset before headers. reset reason: ";
    let cases = [
        (
            "/probe/to/dead",
            503,
            format!("{disconnected}remote connection failure"),
        ),
        (
            "/probe/to/pass/drop",
            503,
            format!("{disconnected}connection termination"),
        ),
        (
            "/probe/to/pass/never",
            504,
            "upstream request timeout".to_owned(),
        ),
    ];
    on_each(|gateway| {
        let name = gateway.name();
        for (path, status, words) in &cases {
            let answer = request(gateway, "GET", path, b"");
            assert_eq!(
                (answer.status, answer.body),
                (*status, words.clone()),
                "{name} {path}"
            );
        }
        // The head has gone out: nothing is left but to break off.
        let half = request(gateway, "GET", "/probe/to/pass/half", b"");
        assert_eq!((half.status, half.body.as_str()), (200, "half"), "{name}");
        assert_eq!(half.header("content-length"), Some("100"), "{name}");
    });
}

#[test]
fn an_upstream_may_answer_before_the_request_is_whole() {
    on_each(|gateway| {
        let name = gateway.name();
        let mut client = connect(gateway.address());
        let mut came = Vec::new();
        let mut exchange = |out: &str, awaited: &str| {
            client.write_all(out.as_bytes()).expect("sent");
            while !String::from_utf8_lossy(&came).contains(awaited) {
                let mut part = [0; 4096];
                let count = client.read(&mut part).expect("in time");
                assert!(count > 0, "{name}: ended before {awaited}");
                came.extend(&part[..count]);
            }
        };
        let head =
            "POST /probe/to/pass/stream HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        exchange(&format!("{head}5\r\nfirst\r\n"), "5\r\nfirst\r\n");
        exchange("6\r\nsecond\r\n", "6\r\nsecond\r\n");
        exchange("0\r\n\r\n", "\r\n0\r\n\r\n");
    });
}

#[test]
fn a_reply_while_the_answer_is_held_takes_its_place() {
    on_each(|gateway| {
        let name = gateway.name();
        for method in ["GET", "HEAD"] {
            let answer = request(gateway, method, "/probe/to/late/echo", b"");
            let body = if method == "HEAD" { "" } else { "late" };
            assert_eq!((answer.status, answer.body.as_str()), (418, body), "{name}");
            assert_eq!(answer.header("x-late"), Some("1"), "{name}");
            // Nothing of the upstream's is left, and the response callbacks do not run again.
            for gone in ["x-from", "x-probe", "x-envoy-upstream-service-time"] {
                assert_eq!(answer.header(gone), None, "{name}: {gone}");
            }
        }
    });
}
