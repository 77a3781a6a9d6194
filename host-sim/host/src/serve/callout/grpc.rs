//! gRPC over one HTTP/2 connection per worker and cluster, made anew when it ended.
//!
//! Says which status each way of failing has, as Envoy does. A frozen upstream is noticed by pings while calls wait for
//! it, and by its silence when they pass their limits. No ping goes out between calls: etcd takes those for abuse.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Broken, Cluster, LocalExecutor, duration, within};
use crate::effects::GrpcTarget;
use crate::headers::Headers;
use crate::serve::body::{FedBody, Part};
use crate::serve::convert::{from_map, to_map};
use crate::serve::frames::{self, Decoder, MAX_MESSAGE_BYTES};
use crate::stream::grpc_status_of;

/// gRPC: not reachable, or not in time.
const UNAVAILABLE: u32 = 14;
/// gRPC: broken off in the middle.
const INTERNAL: u32 = 13;
/// gRPC: no status came.
const UNKNOWN: u32 = 2;

/// When a silent upstream that owes an answer is pinged, and how long it may be silent then.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepAlive {
    interval: Duration,
    timeout: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
        }
    }
}

pub(super) type GrpcBody = FedBody<()>;

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
                "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
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
    /// The shared gRPC connection, made anew when the last one ended.
    async fn grpc(&self) -> Result<http2::SendRequest<GrpcBody>, Broken> {
        let mut held = self.grpc.lock().await;
        if let Some(sender) = held.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        let io = self.connect().await?;
        let (sender, connection) = http2::Builder::new(LocalExecutor)
            .timer(TokioTimer::new())
            .keep_alive_interval(self.keep_alive.interval)
            .keep_alive_timeout(self.keep_alive.timeout)
            .keep_alive_while_idle(false)
            .handshake(io)
            .await
            .map_err(|_| Broken::Connect)?;
        tokio::task::spawn_local(connection);
        *held = Some(sender.clone());
        self.heard.set(Instant::now());
        Ok(sender)
    }

    /// A call passed its limit: a connection that has been silent for too long gets no more calls.
    async fn doubt_silence(&self) {
        if self.heard.get().elapsed() >= self.keep_alive.timeout {
            self.grpc.lock().await.take();
        }
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
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| Broken::BeforeHead)?;
        self.heard.set(Instant::now());
        Ok(response)
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
        match within(limit, self.grpc_exchange(&target, &message, limit)).await {
            Some(ended) => ended,
            None => {
                self.doubt_silence().await;
                Err(GrpcFailure::new(UNAVAILABLE, "upstream request timeout"))
            }
        }
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
            Ok(response) => {
                let mut heard = |event| {
                    self.heard.set(Instant::now());
                    report(event);
                };
                receive(response, &mut heard).await
            }
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
    let mut metadata = from_map(response.headers());
    metadata.set(b":status", response.status().as_str().as_bytes());
    report(StreamEvent::Initial(metadata));
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// An empty SETTINGS frame: all that a server needs to say first.
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    fn cluster(frozen: &tokio::net::TcpListener, keep_alive: KeepAlive) -> Cluster {
        Cluster {
            keep_alive,
            ..Cluster::new(frozen.local_addr().expect("bound").to_string())
        }
    }

    fn target() -> GrpcTarget {
        GrpcTarget {
            cluster: "frozen".to_owned(),
            service: "test.Service".to_owned(),
            method: "Echo".to_owned(),
            metadata: Headers::default(),
        }
    }

    /// Accepts, takes everything, answers nothing, until the client gives up.
    async fn freeze(frozen: &tokio::net::TcpListener) {
        let (mut stream, _) = frozen.accept().await.expect("accepts");
        stream.write_all(&SETTINGS).await.expect("sent");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }

    async fn bounded<T>(work: impl Future<Output = T>) -> T {
        let set = tokio::task::LocalSet::new();
        let work = set.run_until(work);
        tokio::time::timeout(Duration::from_secs(60), work)
            .await
            .expect("ends")
    }

    async fn listener() -> tokio::net::TcpListener {
        tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port")
    }

    #[tokio::test]
    async fn an_upstream_that_froze_is_noticed_without_a_time_limit_on_the_call() {
        let frozen = listener().await;
        let keep_alive = KeepAlive {
            interval: Duration::from_millis(20),
            timeout: Duration::from_millis(20),
        };
        let cluster = cluster(&frozen, keep_alive);
        let call = cluster.grpc_call(target(), b"hello".to_vec(), 0);
        let ended = bounded(async { tokio::join!(call, freeze(&frozen)).0 }).await;
        assert_eq!(ended.expect_err("not answered").status, UNAVAILABLE);
    }

    #[tokio::test]
    async fn after_a_silence_the_next_call_gets_a_new_connection() {
        let frozen = listener().await;
        let keep_alive = KeepAlive {
            interval: Duration::from_secs(3_600),
            timeout: Duration::ZERO,
        };
        let cluster = cluster(&frozen, keep_alive);
        for _ in 0..2 {
            let call = cluster.grpc_call(target(), b"hello".to_vec(), 20);
            let ended = bounded(async { tokio::join!(call, freeze(&frozen)).0 }).await;
            assert_eq!(ended.expect_err("not answered").status, UNAVAILABLE);
        }
    }
}
