//! One HTTP/1.1 connection to a gateway that may be killed at any time: made again when it is gone, and never waited on
//! without a bound.
//!
//! It tells an answer from none, and reads of an answer what says how current it is. What a value means is not known here.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// No request is waited for longer: twice the gateway's own budget for one.
const ANSWER_BOUND: Duration = Duration::from_secs(4);
/// A summary of many thousand entries is shorter.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Both ways: up to which change something is known.
const REVISION: &str = "x-points-revision";
/// Says that an answer may be older than is promised otherwise.
const STALE: &str = "x-points-stale";
/// Says that a request with this key was carried out before.
const REPLAYED: &str = "idempotency-replayed";

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Nobody was reached, so nothing was sent.
    Unsent,
    /// The connection ended in the middle.
    Cut,
    /// Nothing came in time.
    Silent,
}

/// How current a read must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recency {
    /// As the gateway is configured.
    Bounded,
    /// `Cache-Control: no-cache`.
    Strict,
    /// Not before this revision.
    Session(u64),
}

/// What came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Up to which change it tells, if it says so.
    pub(crate) fn revision(&self) -> Option<u64> {
        self.headers.get(REVISION)?.to_str().ok()?.parse().ok()
    }

    /// Whether it says that it may be older than is promised.
    pub(crate) fn is_stale(&self) -> bool {
        self.headers.get(STALE).is_some_and(|it| it == "true")
    }

    /// Whether it says that the operation had been carried out before.
    pub(crate) fn is_replay(&self) -> bool {
        self.headers.get(REPLAYED).is_some_and(|it| it == "true")
    }

    /// The status and the beginning of the body, for people.
    pub(crate) fn brief(&self) -> String {
        const SHOWN: usize = 300;
        let text = String::from_utf8_lossy(&self.body);
        let text: String = text.chars().take(SHOWN).collect();
        format!("{} {text}", self.status.as_u16())
    }
}

/// A write with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// Below `/reward-points`.
    pub(crate) path: String,
    /// JSON.
    pub(crate) body: String,
    /// `Idempotency-Key`.
    pub(crate) key: Option<String>,
}

/// A connection to one gateway on behalf of one tenant, or the intention to have one.
#[derive(Debug)]
pub(crate) struct Connection {
    server: SocketAddr,
    authorization: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(server: SocketAddr, authorization: HeaderValue) -> Self {
        Self {
            server,
            authorization,
            sender: None,
        }
    }

    /// Sends a write, once.
    pub(crate) async fn write(&mut self, write: &Write) -> Result<Answer, Broken> {
        let mut request = self.request(Method::POST, &write.path, write.body.clone().into());
        let headers = request.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let key = write.key.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(key)) = key {
            headers.insert("idempotency-key", key);
        }
        self.send(request).await
    }

    /// Reads `path`, below `/reward-points`.
    pub(crate) async fn read(&mut self, path: &str, recency: Recency) -> Result<Answer, Broken> {
        let mut request = self.request(Method::GET, path, Bytes::new());
        let headers = request.headers_mut();
        match recency {
            Recency::Bounded => {}
            Recency::Strict => {
                let strict = HeaderValue::from_static("no-cache");
                headers.insert(header::CACHE_CONTROL, strict);
            }
            Recency::Session(revision) => {
                headers.insert(REVISION, revision.into());
            }
        }
        self.send(request).await
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        // A path that is none is seen at once: everything is answered 404.
        *request.uri_mut() = format!("/reward-points{path}").parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        if let Ok(host) = HeaderValue::from_str(&self.server.to_string()) {
            headers.insert(header::HOST, host);
        }
        request
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let exchanged = tokio::time::timeout(ANSWER_BOUND, self.exchange(request)).await;
        exchanged.unwrap_or(Err(Broken::Silent))
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        // Out of its place while it is used: one that was given up in the middle is never used again.
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => connect(self.server).await.ok_or(Broken::Unsent)?,
        };
        sender.ready().await.map_err(|_| Broken::Unsent)?;
        let sent = sender.send_request(request).await;
        let sent = sent.map_err(|error| match error.is_canceled() {
            true => Broken::Unsent,
            false => Broken::Cut,
        })?;
        let (head, body) = sent.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| Broken::Cut)?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
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
