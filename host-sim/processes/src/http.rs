//! The smallest HTTP/1.1 client that serves tests: one request a connection, header values as bytes.
//!
//! It says exactly what it is told to, also what a well-behaved client would refuse to say (a byte 0xFF in a header, two
//! `Authorization` headers), because the gateway's answer to such a request is what is tested.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Error, Result};

/// How long to wait for a connection, and for each read or write.
const IO_BOUND: Duration = Duration::from_secs(30);
/// No answer of a gateway is larger: its own bound on a whole listing is half of this.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    io_bound: Duration,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body with any chunking removed.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers or body of its own (`host`, `connection` and `content-length` are added on sending).
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            io_bound: IO_BOUND,
        }
    }

    /// Adds a header; the same name may be added again.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds `Authorization: Bearer <token>`.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets a body and its type `application/json`.
    #[must_use]
    pub fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    /// Sets a body without naming a type.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Bounds the connect and each read and write (default 30 s).
    #[must_use]
    pub fn io_bound(mut self, bound: Duration) -> Self {
        self.io_bound = bound;
        self
    }

    /// Sends the request on a connection of its own and reads the whole answer.
    ///
    /// # Errors
    /// [`Error::Http`] when there is no whole, well-formed answer. The request may have been carried out all the same.
    pub fn send(&self, to: SocketAddr) -> Result<Response> {
        let failed = |reason: String| Error::Http {
            target: format!("{} {to}{}", self.method, self.path),
            reason,
        };
        let answer = self
            .exchange(to)
            .map_err(|error| failed(error.to_string()))?;
        parse(&answer).ok_or_else(|| {
            failed(format!(
                "not a whole answer: {}",
                String::from_utf8_lossy(&answer)
            ))
        })
    }

    fn exchange(&self, to: SocketAddr) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&to, self.io_bound)?;
        stream.set_read_timeout(Some(self.io_bound))?;
        stream.set_write_timeout(Some(self.io_bound))?;
        stream.set_nodelay(true)?;
        // A server may answer and close before it has read a large body: its answer counts, not our failed write.
        let written = stream.write_all(&self.bytes(to));
        let mut answer = Vec::new();
        let read = stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
        if answer.is_empty() {
            written?;
            read?;
        }
        Ok(answer)
    }

    fn bytes(&self, to: SocketAddr) -> Vec<u8> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\n",
            self.method, self.path
        )
        .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if !self.body.is_empty() || self.method == "POST" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// One exchange for clients that bring no transport, only the types of the crate `http`. The authority of the URI is not
/// looked at: `to` is asked.
///
/// # Errors
/// As [`Request::send`].
pub fn exchange(
    to: SocketAddr,
    request: &::http::Request<Vec<u8>>,
) -> Result<::http::Response<Vec<u8>>> {
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |path| path.as_str());
    let mut asked = Request::new(request.method().as_str(), path).body(request.body());
    for (name, value) in request.headers() {
        asked = asked.header(name.as_str(), value.as_bytes());
    }
    let answer = asked.send(to)?;
    let mut response = ::http::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value.as_slice());
    }
    response.body(answer.body).map_err(|error| Error::Http {
        target: format!("{} {to}{path}", request.method()),
        reason: error.to_string(),
    })
}

impl Response {
    /// The first value of the header `name` (lower case), as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads a whole answer to a request on a connection that was closed after it; none: it is not whole.
#[must_use]
pub fn parse(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = (answer.get(..end)?, answer.get(end + 4..)?);
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let status_line = std::str::from_utf8(lines.next()?).ok()?;
    let status: u16 = status_line.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, Vec<u8>)> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            Some((name, line[colon + 1..].trim_ascii().to_vec()))
        })
        .collect();
    if status == 100 {
        return parse(rest);
    }
    let value = |name: &str| {
        let found = headers.iter().find(|(own, _)| own == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok())
    };
    let body = if value("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        unchunk(rest)?
    } else if let Some(length) = value("content-length") {
        rest.get(..length.parse().ok()?)?.to_vec()
    } else {
        rest.to_vec()
    };
    Some(Response {
        status,
        headers,
        body,
    })
}

/// `None` when the closing chunk is missing: a cut answer must not pass for a whole one.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line_end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = rest.get(line_end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_answers_are_read_and_cut_ones_refused() {
        type Case = (&'static [u8], Option<(u16, &'static [u8])>);
        let cases: [Case; 7] = [
            (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n2000", Some((200, b"2000"))),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n2000", None),
            (b"HTTP/1.1 201 Created\r\n\r\n", Some((201, b""))),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", Some((200, b"abc"))),
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", None),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", Some((404, b""))),
            (b"HTTP/1.1 200 OK\r\ncontent-le", None),
        ];
        for (answer, expected) in cases {
            let read = parse(answer).map(|response| (response.status, response.body));
            let expected = expected.map(|(status, body)| (status, body.to_vec()));
            assert_eq!(read, expected, "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn header_bytes_are_sent_as_given() {
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let bytes = Request::new("GET", "/x")
            .header("a", [0xFF, b'b'])
            .bytes(to);
        assert!(bytes.windows(7).any(|part| part == b"a: \xFFb\r\n"));
        assert!(!bytes.windows(14).any(|part| part == b"content-length"));
    }
}
