//! `x-request-id`, and what else a client says about itself: the connection manager decides, before the filter looks.

use super::{on_each, said};

/// The value of a header that the probe lists.
fn seen<'a>(body: &'a str, name: &str) -> Vec<&'a str> {
    body.lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(have, _)| *have == name)
        .map(|(_, value)| value)
        .collect()
}

fn is_uuid_of_version_4(id: &str) -> bool {
    id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => b"89ab".contains(&byte),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

#[test]
fn every_request_gets_an_id_of_the_gateways_own() {
    on_each(|gateway| {
        let name = gateway.name();
        let mut ids = std::collections::BTreeSet::new();
        for sent in [
            None,
            Some(&b"mine"[..]),
            Some(b"4c7b1a5e-0000-4000-8000-000000000000"),
        ] {
            let headers: Vec<_> = sent.map(|id| ("x-request-id", id)).into_iter().collect();
            let body = said(gateway, "/probe/headers", &headers);
            let [id] = seen(&body, "x-request-id")[..] else {
                panic!("{name}: one id: {body}");
            };
            assert!(is_uuid_of_version_4(id), "{name}: {id}");
            assert_ne!(Some(id.as_bytes()), sent, "{name}");
            assert!(ids.insert(id.to_owned()), "{name}: {id} again");
        }
        let twice = [("x-request-id", &b"a"[..]), ("x-request-id", b"b")];
        let body = said(gateway, "/probe/headers", &twice);
        assert_eq!(seen(&body, "x-request-id").len(), 1, "{name}: {body}");
    });
}

#[test]
fn what_a_client_says_about_itself_does_not_count() {
    on_each(|gateway| {
        let name = gateway.name();
        let body = said(
            gateway,
            "/probe/headers",
            &[
                ("x-forwarded-for", b"9.9.9.9"),
                ("x-forwarded-proto", b"https"),
                ("x-forwarded-client-cert", b"1"),
                ("x-envoy-external-address", b"10.0.0.1"),
                ("x-envoy-internal", b"true"),
                ("x-envoy-retry-on", b"5xx"),
                ("x-envoy-upstream-rq-timeout-ms", b"1"),
                ("x-envoy-expected-rq-timeout-ms", b"1"),
                ("x-envoy-original-path", b"/"),
                ("x-envoy-attempt-count", b"7"),
                ("te", b"gzip, trailers"),
                ("connection", b"x-mine"),
                ("x-mine", b"1"),
            ],
        );
        let mut lines: Vec<_> = body
            .lines()
            .filter(|line| !line.starts_with(':') && !line.starts_with("x-request-id="))
            // Whose address a client on the same machine gets is told apart in the documents.
            .map(|line| match line.split_once("=9.9.9.9,") {
                Some((name, _)) => format!("{name}=9.9.9.9,..."),
                None => line.to_owned(),
            })
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "te=trailers",
                "x-envoy-attempt-count=7",
                "x-envoy-external-address=127.0.0.1",
                "x-forwarded-for=9.9.9.9,...",
                "x-forwarded-proto=http",
            ],
            "{name}"
        );
    });
}
