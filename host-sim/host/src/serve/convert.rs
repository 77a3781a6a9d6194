//! Between hyper's header maps and the host's: pseudo headers, hop-by-hop headers.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};

use super::edge::admit;
use crate::headers::Headers;

/// Headers of one connection, which Envoy takes away before any filter sees them.
const HOP_BY_HOP: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "host",
];

/// A request's head as a filter sees it. `request_id` names it from now on, whatever the client called it.
/// `None` when the request names no authority, which Envoy answers with 400.
pub fn request_headers<B>(
    request: &Request<B>,
    client: IpAddr,
    request_id: &str,
) -> Option<Headers> {
    let uri = request.uri();
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes())
        .or_else(|| request.headers().get("host").map(HeaderValue::as_bytes))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = Headers::default();
    headers.add(b":authority", authority);
    headers.add(b":path", path.as_bytes());
    headers.add(b":method", request.method().as_str().as_bytes());
    headers.add(b":scheme", b"http");
    add_all(&mut headers, request.headers());
    admit(&mut headers, client, request_id);
    Some(headers)
}

/// Appends a map without the headers of the connection, and without those that `connection` names.
pub fn add_all(headers: &mut Headers, map: &HeaderMap) {
    let nominated: Vec<_> = map
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        // `te` has a rule of its own.
        .filter(|name| name != "te")
        .collect();
    for (name, value) in map {
        if !HOP_BY_HOP.contains(&name.as_str())
            && !nominated.iter().any(|other| name.as_str() == other)
        {
            headers.add(name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

/// A plain map of trailers or metadata.
pub fn from_map(map: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in map {
        headers.add(name.as_str().as_bytes(), value.as_bytes());
    }
    headers
}

/// For the network: without pseudo headers and the connection's own. What is no valid header is left out.
pub fn to_map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        let skip = name.starts_with(b":") || HOP_BY_HOP.iter().any(|hop| hop.as_bytes() == name);
        if skip {
            continue;
        }
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            map.append(name, value);
        }
    }
    map
}

/// The `:status`; what is none becomes 500.
pub fn status(headers: &Headers) -> StatusCode {
    headers
        .get(":status")
        .and_then(|status| StatusCode::from_bytes(status).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A UUID of version 4 from 16 random bytes.
pub fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_sees_the_path_as_it_was_sent_and_odd_bytes_as_they_are() {
        let request = Request::builder()
            .method("GET")
            .uri("/reward-points/customer/a%2Fb;c?x=%20")
            .header("Host", "example.test")
            .header("Connection", "keep-alive, X-Mine")
            .header("X-Mine", "1")
            .header("X-Odd", HeaderValue::from_bytes(&[0xff]).expect("allowed"))
            .body(())
            .expect("request");
        let headers = request_headers(&request, [1, 2, 3, 4].into(), "id").expect("has a host");
        let seen: Vec<_> = headers.iter().collect();
        assert_eq!(
            seen,
            [
                (&b":authority"[..], &b"example.test"[..]),
                (b":path", b"/reward-points/customer/a%2Fb;c?x=%20"),
                (b":method", b"GET"),
                (b":scheme", b"http"),
                (b"x-odd", b"\xff"),
                (b"x-forwarded-for", b"1.2.3.4"),
                (b"x-forwarded-proto", b"http"),
                (b"x-envoy-external-address", b"1.2.3.4"),
                (b"x-request-id", b"id"),
            ]
        );
    }

    #[test]
    fn ids_are_uuids_of_version_4() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
