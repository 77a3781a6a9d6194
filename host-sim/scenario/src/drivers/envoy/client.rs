//! A client that says what it is told to: HTTP/1.1 written by hand, so that nothing is too odd to be said, HTTP/2 by hyper.
//!
//! A connection for each request. One that cannot be answered in time is an error; one that ends without an answer is an
//! outcome like any other.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::driver::{Answer, Outcome, Request, Result, Trouble};

/// How long an exchange may take as a whole. Over every time limit of the gateway's own.
const BOUND: Duration = Duration::from_secs(45);
/// No answer is larger: the bound of a whole list is half of this.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;

/// Told once a request is on its connection; dropped when it never will be.
pub(super) type Sent = oneshot::Sender<()>;

/// Sends a request, tells that it is `sent`, and reads what comes of it.
pub(super) async fn exchange(to: SocketAddr, request: Request, sent: Sent) -> Result<Outcome> {
    let work = async {
        if request.http2 {
            over_http2(to, &request, sent).await
        } else {
            over_http1(to, &request, sent).await
        }
    };
    match tokio::time::timeout(BOUND, work).await {
        Ok(outcome) => outcome.map_err(Trouble::of),
        Err(_) => Err(Trouble(format!(
            "no answer within {BOUND:?}: the request hangs"
        ))),
    }
}

async fn over_http1(to: SocketAddr, request: &Request, sent: Sent) -> io::Result<Outcome> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let bytes = request.raw.clone().unwrap_or_else(|| http1_bytes(request));
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let write = async {
        // A server may answer and close before it has read a large body: its answer counts, not our failed write.
        let _ = writing.write_all(&bytes).await;
        // Perhaps nobody waits for that.
        let _ = sent.send(());
    };
    let read = async {
        let mut reading = (&mut reading).take(MAX_ANSWER_BYTES);
        // Not to the connection's end: after a refusal a server may keep it for a while.
        while !is_whole(&answer) {
            match reading.read_buf(&mut answer).await {
                Ok(0) => break,
                Ok(_) => {}
                // It closed while bytes of ours were still on their way to it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    // Once there is an answer nobody waits for what is still to be written.
    tokio::pin!(write, read);
    tokio::select! {
        read = &mut read => read?,
        _ = &mut write => read.await?,
    }
    if answer.is_empty() {
        return Ok(Outcome::Nothing);
    }
    let whole = processes::http::parse(&answer).ok_or_else(|| {
        io::Error::other(format!("not a whole answer: {}", answer.escape_ascii()))
    })?;
    Ok(Outcome::Answer(Answer {
        status: whole.status,
        headers: whole.headers,
        body: whole.body,
        trailers: Vec::new(),
    }))
}

/// Whether an answer says by itself that it is whole: by its length, or by its last chunk.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let field = |wanted: &str| lines.clone().find(|(name, _)| *name == wanted);
    if let Some((_, length)) = field("content-length") {
        let body = answer.len() - end - 4;
        return length
            .trim()
            .parse()
            .is_ok_and(|length: usize| body >= length);
    }
    let chunked =
        lines.any(|(name, value)| name == "transfer-encoding" && value.contains("chunked"));
    chunked && processes::http::parse(answer).is_some()
}

fn http1_bytes(request: &Request) -> Vec<u8> {
    let mut bytes = format!("{} ", request.method).into_bytes();
    bytes.extend(&request.path);
    bytes.extend(b" HTTP/1.1\r\nconnection: close\r\n");
    let mut line = |name: &str, value: &[u8]| {
        bytes.extend(name.as_bytes());
        bytes.extend(b": ");
        bytes.extend(value);
        bytes.extend(b"\r\n");
    };
    let has = |name: &str| request.headers.iter().any(|(own, _)| own == name);
    if !has("host") {
        line("host", b"gateway");
    }
    for (name, value) in &request.headers {
        line(name, value);
    }
    let chunked = request.body.len() > 1 || !request.trailers.is_empty();
    if chunked {
        line("transfer-encoding", b"chunked");
    } else if !has("content-length") && (!request.body.is_empty() || request.method == "POST") {
        let length = request.body.first().map_or(0, Vec::len);
        line("content-length", length.to_string().as_bytes());
    }
    bytes.extend(b"\r\n");
    for part in &request.body {
        if chunked && !part.is_empty() {
            bytes.extend(format!("{:x}\r\n", part.len()).as_bytes());
            bytes.extend(part);
            bytes.extend(b"\r\n");
        } else if !chunked {
            bytes.extend(part);
        }
    }
    if chunked {
        bytes.extend(b"0\r\n");
        for (name, value) in &request.trailers {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
    }
    bytes
}

async fn over_http2(to: SocketAddr, request: &Request, sent: Sent) -> io::Result<Outcome> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let shake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = shake.await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = http2_request(request).map_err(io::Error::other)?;
    let outcome = async {
        let answer = sender.send_request(request);
        tokio::pin!(answer);
        let early = tokio::select! {
            biased;
            answer = &mut answer => Some(answer),
            // Asked once, it has handed the request to its connection.
            () = std::future::ready(()) => None,
        };
        let _ = sent.send(());
        let answer = match early {
            Some(answer) => answer,
            None => answer.await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            // The stream was reset, or the connection ended.
            Err(_) => return Ok(Outcome::Nothing),
        };
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?;
        let trailers = body.trailers().map(pairs).unwrap_or_default();
        Ok(Outcome::Answer(Answer {
            status: head.status.as_u16(),
            headers: pairs(&head.headers),
            body: body.to_bytes().to_vec(),
            trailers,
        }))
    }
    .await;
    connection.abort();
    outcome
}

pub(super) type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn http2_request(request: &Request) -> std::result::Result<http::Request<Body>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let path = std::str::from_utf8(&request.path).map_err(|error| text(&error))?;
    let host = request.headers.iter().find(|(name, _)| name == "host");
    let host = host.map_or_else(
        || "gateway".into(),
        |(_, host)| String::from_utf8_lossy(host),
    );
    let mut built = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("http://{host}{path}"));
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "host") {
        let value = HeaderValue::from_bytes(value).map_err(|error| text(&error))?;
        built = built.header(name.as_str(), value);
    }
    if let [body] = request.body.as_slice()
        && request.trailers.is_empty()
    {
        built = built.header("content-length", body.len());
    }
    let body = body_of(&request.body, &request.trailers).map_err(|error| text(&error))?;
    built.body(body).map_err(|error| text(&error))
}

/// A body in these parts, and what comes after it.
pub(super) fn body_of(
    parts: &[Vec<u8>],
    after: &[(String, Vec<u8>)],
) -> std::result::Result<Body, http::Error> {
    let mut trailers = HeaderMap::new();
    for (name, value) in after {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        trailers.append(name, HeaderValue::from_bytes(value)?);
    }
    let parts = parts
        .iter()
        .map(|part| Frame::data(Bytes::copy_from_slice(part)));
    let end = (!trailers.is_empty()).then(|| Frame::trailers(trailers));
    let frames: Vec<std::result::Result<_, Infallible>> = parts.chain(end).map(Ok).collect();
    Ok(if frames.is_empty() {
        http_body_util::Empty::new().boxed()
    } else {
        http_body_util::BodyExt::boxed(StreamBody::new(tokio_stream::iter(frames)))
    })
}

/// Names in lower case, values as they came.
pub(super) fn pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a server has of a request at the moment at which that is told to be sent.
    async fn arrived(request: Request) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = listener.local_addr().expect("an address");
        let (sent, told) = oneshot::channel();
        let client = tokio::spawn(exchange(to, request, sent));
        let (mut stream, _) = listener.accept().await.expect("a connection");
        told.await.expect("it is told");
        // Gone with all that it has not written.
        client.abort();
        let _ = client.await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("its bytes");
        bytes
    }

    #[tokio::test]
    async fn a_request_is_sent_when_all_of_it_is_on_the_connection() {
        let request = Request {
            method: "POST".to_owned(),
            path: b"/x".to_vec(),
            body: vec![b"one ".to_vec(), b"two".to_vec()],
            ..Request::default()
        };
        let bytes = arrived(request).await;
        assert!(bytes.starts_with(b"POST /x HTTP/1.1\r\n"));
        assert!(bytes.ends_with(b"two\r\n0\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_sent_is_told_too() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = listener.local_addr().expect("an address");
        drop(listener);
        let (sent, told) = oneshot::channel();
        let outcome = exchange(to, Request::default(), sent).await;
        assert!(outcome.is_err());
        assert!(told.await.is_err());
    }
}
