//! Clients that send exactly the bytes they are told, and read one answer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2 as connection;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::PATIENCE;

/// One answer. Status 0: the connection ended without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Connects with a bound on every wait.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("settable");
    stream
}

/// A request without a body.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path, &[], b"")
}

/// A request with headers and, unless empty, a body of known length.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: probe.test\r\n").into_bytes();
    for (name, value) in headers {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    if !body.is_empty() {
        request.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
    }
    request.extend(b"\r\n");
    request.extend(body);
    exchange(address, &request, method == "HEAD")
}

/// Sends bytes and reads one answer. The peer may stop reading early.
pub fn exchange(address: SocketAddr, request: &[u8], head: bool) -> Answer {
    let mut stream = connect(address);
    let mut reader = stream.try_clone().expect("clonable");
    let request = request.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = stream.write_all(&request);
        stream
    });
    let answer = read_answer(&mut reader, head);
    drop(writer.join());
    answer
}

/// Reads one answer from a connection.
pub fn read_answer(stream: &mut TcpStream, head: bool) -> Answer {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if !read_more(stream, &mut bytes) {
            return Answer {
                status: 0,
                headers: Vec::new(),
                body: String::new(),
            };
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut lines = text.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|status| status.parse().ok())
        .expect("a status line");
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer {
        status,
        headers,
        body: String::new(),
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        while !bytes.ends_with(b"0\r\n\r\n") && read_more(stream, &mut bytes) {}
        answer.body = joined_chunks(&bytes[head_end..]);
        return answer;
    }
    let length: usize = answer
        .header("content-length")
        .map_or(0, |length| length.parse().expect("a number"));
    let end = if head { head_end } else { head_end + length };
    while bytes.len() < end && read_more(stream, &mut bytes) {}
    answer.body = String::from_utf8_lossy(&bytes[head_end..end.min(bytes.len())]).into_owned();
    answer
}

fn joined_chunks(mut bytes: &[u8]) -> String {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
        let Some(chunk) = bytes.get(end + 2..end + 2 + size).filter(|_| size > 0) else {
            break;
        };
        body.extend(chunk);
        bytes = &bytes[end + 2 + size + 2..];
    }
    String::from_utf8_lossy(&body).into_owned()
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk) {
        Ok(0) => false,
        Ok(count) => {
            bytes.extend(&chunk[..count]);
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
        Err(error) => panic!("no answer in time: {error}"),
    }
}

/// One request over HTTP/2 with a body and trailers; its answer, and the answer's trailers.
pub fn http2(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static [u8],
    trailers: &[(&'static str, &'static str)],
) -> (Answer, Vec<(String, String)>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut closing = HeaderMap::new();
    for (name, value) in trailers {
        closing.append(*name, HeaderValue::from_static(value));
    }
    let frames = [
        Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(body))),
        Ok(Frame::trailers(closing)),
    ];
    let request = headers.iter().fold(
        Request::post(format!("http://probe.test{path}")),
        |request, (name, value)| request.header(*name, *value),
    );
    let request = request
        .body(StreamBody::new(tokio_stream::iter(frames)))
        .expect("a request");
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("connects");
        let (mut sender, driver) =
            connection::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("HTTP/2");
        tokio::spawn(driver);
        let response = sender.send_request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let whole = body.collect().await.expect("whole");
        let trailers = whole.trailers().map(listed).unwrap_or_default();
        let answer = Answer {
            status: head.status.as_u16(),
            headers: listed(&head.headers),
            body: String::from_utf8_lossy(&whole.to_bytes()).into_owned(),
        };
        (answer, trailers)
    };
    // The connection ends with its runtime; nothing is left to wait for.
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, exchange).await })
        .expect("no answer in time")
}

fn listed(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect()
}
