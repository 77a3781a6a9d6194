//! Callouts over real connections: HTTP/1.1 for plain calls, HTTP/2 with prior knowledge for gRPC.
//!
//! Says how each way of failing looks to a module, as Envoy's local replies do. Knows no VM: results go to a closure.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;

use super::body::{FedBody, Part};
use super::convert::{from_map, to_map};
use super::frames::{self, Decoder, MAX_MESSAGE_BYTES};
use crate::effects::{GrpcTarget, HttpCall};
use crate::headers::Headers;
use crate::state::CallResponse;
use crate::stream::{LocalReply, grpc_status_of};

/// How long a connection may take to come up; Envoy's `connect_timeout` in our configuration.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// gRPC: not reachable, or not in time.
const UNAVAILABLE: u32 = 14;
/// gRPC: broken off in the middle.
const INTERNAL: u32 = 13;
/// gRPC: no status came.
const UNKNOWN: u32 = 2;

type GrpcBody = FedBody<()>;

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
    grpc: Mutex<Option<http2::SendRequest<GrpcBody>>>,
}

/// The other side could not be asked, or its answer broke off.
enum Broken {
    /// No connection; nothing was sent.
    Connect,
    /// The connection ended before the answer's head.
    BeforeHead,
    /// The answer's head came, the rest did not.
    AfterHead,
}

/// A gRPC call that brought no message.
#[derive(Debug, PartialEq, Eq)]
pub struct GrpcFailure {
    /// gRPC's code.
    pub status: u32,
    /// What the other side, or this host, says about it.
    pub message: String,
}

impl GrpcFailure {
    fn new(status: u32, message: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
        }
    }
}

impl From<Broken> for GrpcFailure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Connect => Self::new(
                UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: connection refused",
            ),
            Broken::BeforeHead => Self::new(
                UNAVAILABLE,
                "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            ),
            Broken::AfterHead => Self::new(INTERNAL, ""),
        }
    }
}

impl Cluster {
    /// `HOST:PORT`; nothing is connected yet.
    pub fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            grpc: Mutex::new(None),
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

    /// The shared gRPC connection, made anew when the last one ended.
    async fn grpc(&self) -> Result<http2::SendRequest<GrpcBody>, Broken> {
        let mut held = self.grpc.lock().await;
        if let Some(sender) = held.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let io = self.connect().await?;
        let (sender, connection) = http2::Builder::new(LocalExecutor)
            .handshake(io)
            .await
            .map_err(|_| Broken::Connect)?;
        tokio::task::spawn_local(connection);
        *held = Some(sender.clone());
        Ok(sender)
    }

    async fn grpc_request(
        &self,
        target: &GrpcTarget,
        body: GrpcBody,
        timeout: Option<Duration>,
    ) -> Result<Response<Incoming>, Broken> {
        let mut sender = self.grpc().await?;
        sender.ready().await.map_err(|_| Broken::Connect)?;
        let uri = format!(
            "http://{}/{}/{}",
            self.endpoint, target.service, target.method
        );
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.parse().map_err(|_| Broken::Connect)?;
        *request.headers_mut() = to_map(&target.metadata);
        let headers = request.headers_mut();
        headers.insert("te", http::HeaderValue::from_static("trailers"));
        headers.insert(
            "content-type",
            http::HeaderValue::from_static("application/grpc"),
        );
        if let Some(limit) = timeout
            && let Ok(value) = format!("{}m", limit.as_millis()).parse()
        {
            headers.insert("grpc-timeout", value);
        }
        sender
            .send_request(request)
            .await
            .map_err(|_| Broken::BeforeHead)
    }

    /// A plain call. `None`: its answer broke off after the head. Every other failure is an answer like Envoy's own.
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
        let (mut sender, connection) = http1::handshake(self.connect().await?)
            .await
            .map_err(|_| Broken::Connect)?;
        tokio::task::spawn_local(connection);
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

    /// One message there, one back.
    ///
    /// # Errors
    /// [`GrpcFailure`], with the status that Envoy would give.
    pub async fn grpc_call(
        &self,
        target: GrpcTarget,
        message: Vec<u8>,
        timeout_ms: u32,
    ) -> Result<Vec<u8>, GrpcFailure> {
        let limit = duration(timeout_ms);
        within(limit, self.grpc_exchange(&target, &message, limit))
            .await
            .unwrap_or_else(|| Err(GrpcFailure::new(UNAVAILABLE, "upstream request timeout")))
    }

    async fn grpc_exchange(
        &self,
        target: &GrpcTarget,
        message: &[u8],
        limit: Option<Duration>,
    ) -> Result<Vec<u8>, GrpcFailure> {
        let body = FedBody::whole(frames::encode(message));
        let response = self.grpc_request(target, body, limit).await?;
        http_status(&response)?;
        if let Some(end) = only_trailers(&response) {
            return Err(end);
        }
        let whole = Limited::new(response.into_body(), MAX_MESSAGE_BYTES)
            .collect()
            .await
            .map_err(|_| Broken::AfterHead)?;
        let end = whole.trailers().and_then(grpc_status);
        match end {
            Some(end) if end.status != 0 => return Err(end),
            Some(_) => {}
            None => return Err(no_status()),
        }
        let mut decoder = Decoder::default();
        decoder.push(&whole.to_bytes());
        match decoder.next_message() {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(GrpcFailure::new(INTERNAL, "")),
            Err(error) => Err(GrpcFailure::new(INTERNAL, &error.to_string())),
        }
    }

    /// Opens a stream and reports what happens on it, until it closes.
    pub async fn grpc_stream(
        &self,
        target: GrpcTarget,
        messages: UnboundedReceiver<Part>,
        mut report: impl FnMut(StreamEvent),
    ) {
        let body = FedBody::fed(messages, None);
        let end = match self.grpc_request(&target, body, None).await {
            Ok(response) => receive(response, &mut report).await,
            Err(broken) => broken.into(),
        };
        report(StreamEvent::Closed(end));
    }
}

/// What happens on an open stream.
#[derive(Debug)]
pub enum StreamEvent {
    /// First metadata.
    Initial(Headers),
    /// A message.
    Message(Vec<u8>),
    /// Last metadata.
    Trailing(Headers),
    /// The end, always the last.
    Closed(GrpcFailure),
}

async fn receive(
    response: Response<Incoming>,
    report: &mut impl FnMut(StreamEvent),
) -> GrpcFailure {
    if let Err(failure) = http_status(&response) {
        return failure;
    }
    if let Some(end) = only_trailers(&response) {
        report(StreamEvent::Initial(Headers::default()));
        report(StreamEvent::Trailing(from_map(response.headers())));
        return end;
    }
    report(StreamEvent::Initial(from_map(response.headers())));
    let mut decoder = Decoder::default();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Broken::AfterHead.into();
        };
        if let Some(trailers) = frame.trailers_ref() {
            report(StreamEvent::Trailing(from_map(trailers)));
            return grpc_status(trailers).unwrap_or_else(no_status);
        }
        if let Some(data) = frame.data_ref() {
            decoder.push(data);
            loop {
                match decoder.next_message() {
                    Ok(Some(message)) => report(StreamEvent::Message(message)),
                    Ok(None) => break,
                    Err(error) => return GrpcFailure::new(INTERNAL, &error.to_string()),
                }
            }
        }
    }
    no_status()
}

fn http_status(response: &Response<Incoming>) -> Result<(), GrpcFailure> {
    match response.status().as_u16() {
        200 => Ok(()),
        status => Err(GrpcFailure::new(grpc_status_of(u32::from(status)), "")),
    }
}

/// The status of an answer that consists of its head alone.
fn only_trailers(response: &Response<Incoming>) -> Option<GrpcFailure> {
    if !response.body().is_end_stream() {
        return None;
    }
    Some(grpc_status(response.headers()).unwrap_or_else(no_status))
}

/// Envoy's words for an answer that ends without a status.
fn no_status() -> GrpcFailure {
    GrpcFailure::new(UNKNOWN, "via_upstream")
}

fn grpc_status(headers: &HeaderMap) -> Option<GrpcFailure> {
    let status = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let message = headers
        .get("grpc-message")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Some(GrpcFailure {
        status,
        // Envoy says beside the other side's words where they come from.
        message: match message {
            _ if status == 0 => String::new(),
            Some(message) => format!("{message}{{via_upstream}}"),
            None => "via_upstream".to_owned(),
        },
    })
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
