//! One HTTP request as the host holds it: two halves, what is held back of each, what a module may still read.
//!
//! Only the record and its small rules; the transitions that call into a module are in [`crate::vm`].

use std::collections::BTreeMap;

use crate::headers::Headers;

/// Which half of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

/// Where a half stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its headers have not come.
    Waiting,
    /// Paused at the headers, and nothing more is shown to the module until it resumes.
    HeldAll,
    /// Paused, but what comes is shown to the module and kept.
    Held,
    /// Passing.
    Flowing,
    /// Over: what still comes is dropped.
    Closed,
}

/// One half.
#[derive(Debug)]
pub(crate) struct Half {
    pub headers: Headers,
    /// The module may read and change them: from their callback until it lets them go.
    pub headers_open: bool,
    pub headers_sent: bool,
    pub body: Vec<u8>,
    /// The module may change the body: while it is shown, and while it is held back.
    pub body_open: bool,
    pub trailers: Option<Headers>,
    pub trailers_open: bool,
    /// Headers, body or trailers said that nothing follows.
    pub ended: bool,
    pub phase: Phase,
}

impl Default for Half {
    fn default() -> Self {
        Self {
            headers: Headers::default(),
            headers_open: false,
            headers_sent: false,
            body: Vec::new(),
            body_open: false,
            trailers: None,
            trailers_open: false,
            ended: false,
            phase: Phase::Waiting,
        }
    }
}

/// What the host knows of a request beside its headers.
#[derive(Clone, Debug, Default)]
pub struct StreamInfo {
    /// The client, `IP:PORT`.
    pub source_address: String,
    /// `HTTP/1.1`, `HTTP/2`.
    pub protocol: String,
}

/// One request.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub request: Half,
    pub response: Half,
    pub info: StreamInfo,
    pub started_ns: u64,
    /// Values that the module set as properties; Envoy keeps them under `wasm.`.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The response has begun, from here or from the upstream.
    pub answered: bool,
    /// The response is a local reply.
    pub replied: bool,
    /// A second local reply was asked for: Envoy leaves such a client without an answer.
    pub hung: bool,
    /// Its log callback is running: headers are readable again.
    pub logging: bool,
}

impl Stream {
    pub fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// A HEAD request gets the head of the answer only.
    pub fn is_head(&self) -> bool {
        self.request.headers.get(":method") == Some(b"HEAD")
    }

    /// Envoy answers such a request in gRPC's own terms.
    pub fn is_grpc(&self) -> bool {
        self.request
            .headers
            .get("content-type")
            .is_some_and(|value| {
                value == b"application/grpc"
                    || value.starts_with(b"application/grpc+")
                    || value.starts_with(b"application/grpc;")
            })
    }
}

/// An answer that a module or the host itself makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalReply {
    pub status: u32,
    pub headers: Headers,
    pub body: Vec<u8>,
    /// As the module gave it; negative: none.
    pub grpc_status: i32,
}

impl LocalReply {
    /// One that the host makes by itself.
    pub fn plain(status: u32, body: &str) -> Self {
        Self {
            status,
            headers: Headers::default(),
            body: body.as_bytes().to_vec(),
            grpc_status: -1,
        }
    }

    /// The response's headers, and whether its body is to be sent, as Envoy forms a local reply.
    pub fn into_parts(self, grpc_request: bool) -> (Headers, Vec<u8>) {
        let mut headers = Headers::default();
        if grpc_request {
            headers.add(b":status", b"200");
            headers.add(b"content-type", b"application/grpc");
            let code = u32::try_from(self.grpc_status).unwrap_or(grpc_status_of(self.status));
            headers.add(b"grpc-status", code.to_string().as_bytes());
            if !self.body.is_empty() {
                headers.add(b"grpc-message", &percent_encoded(&self.body));
            }
            for (name, value) in self.headers.iter() {
                headers.add(name, value);
            }
            return (headers, Vec::new());
        }
        headers.add(b":status", self.status.to_string().as_bytes());
        for (name, value) in self.headers.iter() {
            headers.add(name, value);
        }
        if self.body.is_empty() {
            headers.remove(b"content-length");
            headers.remove(b"content-type");
        } else {
            headers.set(b"content-length", self.body.len().to_string().as_bytes());
            if headers.get("content-type").is_none() {
                headers.add(b"content-type", b"text/plain");
            }
        }
        (headers, self.body)
    }
}

/// gRPC's own table for an HTTP status.
pub(crate) fn grpc_status_of(http_status: u32) -> u32 {
    match http_status {
        200 => 0,
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

fn percent_encoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if (0x20..=0x7e).contains(byte) && *byte != b'%' {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_reply_gets_length_and_type_only_with_a_body() {
        let (headers, body) = LocalReply::plain(413, "Payload Too Large").into_parts(false);
        assert_eq!(headers.get("content-length"), Some(&b"17"[..]));
        assert_eq!(headers.get("content-type"), Some(&b"text/plain"[..]));
        assert_eq!(body, b"Payload Too Large");

        let mut reply = LocalReply::plain(200, "");
        reply.headers.add(b"content-type", b"application/json");
        let (headers, body) = reply.into_parts(false);
        assert_eq!(headers, Headers::from_pairs([(":status", "200")]));
        assert!(body.is_empty());
    }

    #[test]
    fn a_grpc_client_is_answered_in_grpcs_terms() {
        let (headers, body) = LocalReply::plain(503, "no\n").into_parts(true);
        assert_eq!(headers.get(":status"), Some(&b"200"[..]));
        assert_eq!(headers.get("grpc-status"), Some(&b"14"[..]));
        assert_eq!(headers.get("grpc-message"), Some(&b"no%0A"[..]));
        assert!(body.is_empty());
    }
}
