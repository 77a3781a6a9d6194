//! Callouts over real connections: HTTP/1.1 for plain calls, HTTP/2 with prior knowledge for gRPC.
//!
//! Says how each way of failing looks to a module, as Envoy's local replies do. Knows no VM: results go to a closure.

mod grpc;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::convert::{from_map, to_map};
use super::frames::MAX_MESSAGE_BYTES;
use crate::effects::HttpCall;
use crate::headers::Headers;
use crate::state::CallResponse;
use crate::stream::LocalReply;
pub use grpc::{GrpcFailure, StreamEvent};

/// How long a connection may take to come up; Envoy's `connect_timeout` in our configuration.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Spawns on the current thread only.
#[derive(Clone, Copy, Debug)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// One upstream, with the connection that all gRPC calls of a worker share.
#[derive(Debug)]
pub struct Cluster {
    endpoint: String,
    grpc: Mutex<Option<http2::SendRequest<grpc::GrpcBody>>>,
    keep_alive: grpc::KeepAlive,
    /// When the shared connection last brought anything.
    heard: Cell<Instant>,
}

/// How Envoy begins to say that an upstream could not be asked; the reason follows.
pub(in crate::serve) const DISCONNECTED: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: ";

/// The other side could not be asked, or its answer broke off.
pub(in crate::serve) enum Broken {
    /// No connection; nothing was sent.
    Connect,
    /// The connection ended before the answer's head.
    BeforeHead,
    /// The answer's head came, the rest did not.
    AfterHead,
}

impl Cluster {
    /// `HOST:PORT`; nothing is connected yet.
    pub fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            grpc: Mutex::new(None),
            keep_alive: grpc::KeepAlive::default(),
            heard: Cell::new(Instant::now()),
        }
    }

    async fn connect(&self) -> Result<TokioIo<TcpStream>, Broken> {
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.endpoint))
            .await
            .map_err(|_| Broken::Connect)?
            .map_err(|_| Broken::Connect)?;
        stream.set_nodelay(true).map_err(|_| Broken::Connect)?;
        Ok(TokioIo::new(stream))
    }

    /// A connection of its own for one request over HTTP/1.1. It ends when nobody holds on to the request any more.
    pub(in crate::serve) async fn http1<B>(&self) -> Result<http1::SendRequest<B>, Broken>
    where
        B: hyper::body::Body + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (sender, connection) = http1::handshake(self.connect().await?)
            .await
            .map_err(|_| Broken::Connect)?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    /// A plain call, without its trailers: HTTP/1.1 carries them only where both sides agreed to. `None`: its answer broke off after the head. Every other failure is an answer like Envoy's own.
    pub async fn http_call(&self, call: HttpCall) -> Option<CallResponse> {
        let limit = duration(call.timeout_ms);
        match within(limit, self.http_exchange(call)).await {
            Some(Ok(response)) => Some(response),
            Some(Err(Broken::AfterHead)) => None,
            Some(Err(broken)) => Some(local(503, &GrpcFailure::from(broken).message)),
            None => Some(local(504, "upstream request timeout")),
        }
    }

    async fn http_exchange(&self, call: HttpCall) -> Result<CallResponse, Broken> {
        let text = |name: &str| {
            call.headers
                .get(name)
                .and_then(|value| std::str::from_utf8(value).ok())
                .unwrap_or_default()
                .to_owned()
        };
        let mut request = Request::new(Full::new(Bytes::from(call.body.clone())));
        *request.method_mut() = text(":method").parse().map_err(|_| Broken::Connect)?;
        *request.uri_mut() = text(":path").parse().map_err(|_| Broken::Connect)?;
        *request.headers_mut() = to_map(&call.headers);
        let mut authority = text(":authority");
        if authority.is_empty() {
            authority = text("host");
        }
        let authority = authority.parse().map_err(|_| Broken::Connect)?;
        request.headers_mut().insert("host", authority);

        let started = tokio::time::Instant::now();
        let mut sender = self.http1().await?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| Broken::BeforeHead)?;
        let (head, body) = response.into_parts();
        let mut headers = Headers::default();
        headers.add(b":status", head.status.as_str().as_bytes());
        super::convert::add_all(&mut headers, &head.headers);
        headers.set(
            b"x-envoy-upstream-service-time",
            started.elapsed().as_millis().to_string().as_bytes(),
        );
        let whole = Limited::new(body, MAX_MESSAGE_BYTES)
            .collect()
            .await
            .map_err(|_| Broken::AfterHead)?;
        let trailers = whole.trailers().map(from_map).unwrap_or_default();
        Ok(CallResponse {
            headers,
            body: whole.to_bytes().to_vec(),
            trailers,
        })
    }
}

fn local(status: u32, body: &str) -> CallResponse {
    let (headers, body) = LocalReply::plain(status, body).into_parts(false);
    CallResponse {
        headers,
        body,
        trailers: Headers::default(),
    }
}

fn duration(timeout_ms: u32) -> Option<Duration> {
    (timeout_ms > 0).then(|| Duration::from_millis(u64::from(timeout_ms)))
}

/// `None` when the limit passed first.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// Clusters of one worker by name.
pub type Clusters = std::collections::BTreeMap<String, Rc<Cluster>>;
