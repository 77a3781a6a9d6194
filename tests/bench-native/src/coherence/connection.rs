//! One HTTP/1.1 connection to a gateway that may be killed at any time: made again when it is gone, and never waited on
//! without a bound.
//!
//! It tells an answer from none, and reads of an answer what says how current it is. What a value means is not known here.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// No request takes longer; a gateway has given up long before.
const ANSWER_BOUND: Duration = Duration::from_secs(5);
/// After an attempt that came to nothing: a gateway that is gone is not dialled thousands of times a second.
const PAUSE: Duration = Duration::from_millis(20);
/// An answer is a number or an error's few lines.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Both ways: up to which change something is known.
pub const REVISION: &str = "x-points-revision";
/// What an answer was made from.
const SOURCE: &str = "x-points-source";

/// Why there is no answer that says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 503: the gateway says that it does not know.
    Unavailable,
    /// No whole answer within the bound.
    Broken,
}

/// What came.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub revision: Option<HeaderValue>,
    pub from_copy: bool,
    body: Bytes,
}

impl Answer {
    /// The balance that it tells; none: it tells none. An account that nothing was ever added to has nothing.
    pub fn balance(&self) -> Option<u64> {
        match self.status {
            StatusCode::NOT_FOUND => Some(0),
            StatusCode::OK => std::str::from_utf8(&self.body).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// A connection, or the intention to have one.
#[derive(Debug)]
pub struct Connection {
    server: SocketAddr,
    authorization: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub fn new(server: SocketAddr, authorization: HeaderValue) -> Self {
        Self {
            server,
            authorization,
            sender: None,
        }
    }

    /// Sends and waits; after a failure also for a moment.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        if let Ok(host) = HeaderValue::from_str(&self.server.to_string()) {
            headers.insert(header::HOST, host);
        }
        let exchanged = tokio::time::timeout(ANSWER_BOUND, self.exchange(request)).await;
        match exchanged.ok().flatten() {
            Some(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => Ok(answer),
            Some(_) => {
                tokio::time::sleep(PAUSE).await;
                Err(Failure::Unavailable)
            }
            None => {
                self.sender = None;
                tokio::time::sleep(PAUSE).await;
                Err(Failure::Broken)
            }
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Option<Answer> {
        // Out of its place while it is used: one that was given up in the middle is never used again.
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.server).await?,
        };
        sender.ready().await.ok()?;
        let (head, body) = sender.send_request(request).await.ok()?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.ok()?;
        self.sender = Some(sender);
        let source = head.headers.get(SOURCE);
        Some(Answer {
            status: head.status,
            revision: head.headers.get(REVISION).cloned(),
            from_copy: source.is_some_and(|source| source != "engine"),
            body: body.to_bytes(),
        })
    }
}

async fn connect(server: SocketAddr) -> Option<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(server).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    // Ends with the sender; its error is that of the request on the way.
    tokio::spawn(connection);
    Some(sender)
}
