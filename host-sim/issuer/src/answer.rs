//! Requests and answers as values, so that what is answered can be decided without I/O.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

/// A whole request.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Method, URI and headers.
    pub head: http::request::Parts,
    /// `None`: it was too long.
    pub body: Option<Bytes>,
}

/// A whole answer.
pub(crate) type Answer = Response<Bytes>;

/// An answer of one line.
pub(crate) fn text(status: StatusCode, words: &str) -> Answer {
    let mut answer = Response::new(Bytes::from(format!("{words}\n")));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// Forbids everybody to remember the answer (RFC 6749, section 5.1).
pub(crate) fn not_stored(mut answer: Answer) -> Answer {
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

/// Another method was wanted.
pub(crate) fn method_not_allowed(allow: &'static str) -> Answer {
    let mut answer = text(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("this path is served with {allow}"),
    );
    answer
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    answer
}

/// Nothing is served there.
pub(crate) fn not_found() -> Answer {
    text(StatusCode::NOT_FOUND, "there is nothing at this path")
}
