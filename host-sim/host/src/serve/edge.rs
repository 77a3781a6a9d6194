//! What Envoy's connection manager makes of a client's headers before any filter sees them, as `envoy.yaml` has it:
//! `use_remote_address`, and nobody inside. What a client says about itself, or to Envoy, does not count.
//!
//! Knows no connection: the client's address comes as text.

use std::net::IpAddr;

use crate::headers::Headers;

/// Headers by which one Envoy tells another what to do or what it knows; from a client they are taken away.
const NOT_FROM_CLIENTS: [&str; 22] = [
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-forwarded-client-cert",
];

/// Makes a client's headers those of a filter.
pub(super) fn admit(headers: &mut Headers, client: IpAddr, request_id: &str) {
    for name in NOT_FROM_CLIENTS {
        headers.remove(name.as_bytes());
    }
    // The host says "go on" by itself when the body is asked for.
    if is(headers, "expect", b"100-continue") {
        headers.remove(b"expect");
    }
    if let Some(accepted) = headers.joined(b"te") {
        let trailers = accepted
            .split(|byte| *byte == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"));
        headers.remove(b"te");
        if trailers {
            headers.add(b"te", b"trailers");
        }
    }
    let client = client.to_string();
    let way = match headers.joined(b"x-forwarded-for") {
        Some(before) => [&before[..], b",", client.as_bytes()].concat(),
        None => client.clone().into_bytes(),
    };
    headers.set(b"x-forwarded-for", &way);
    headers.set(b"x-forwarded-proto", b"http");
    headers.set(b"x-envoy-external-address", client.as_bytes());
    headers.set(b"x-request-id", request_id.as_bytes());
}

fn is(headers: &Headers, name: &str, value: &[u8]) -> bool {
    headers
        .get(name)
        .is_some_and(|have| have.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_about_itself_does_not_count() {
        let mut headers = Headers::from_pairs([
            ("x-request-id", "mine"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-proto", "https"),
            ("x-envoy-retry-on", "5xx"),
            ("x-envoy-external-address", "10.0.0.1"),
            ("expect", "100-Continue"),
            ("te", "gzip, trailers"),
            ("x-a", "1"),
        ]);
        admit(&mut headers, [1, 2, 3, 4].into(), "id");
        assert_eq!(
            headers,
            Headers::from_pairs([
                ("x-request-id", "id"),
                ("x-forwarded-for", "9.9.9.9,1.2.3.4"),
                ("x-forwarded-proto", "http"),
                ("x-envoy-external-address", "1.2.3.4"),
                ("x-a", "1"),
                ("te", "trailers"),
            ])
        );
    }
}
