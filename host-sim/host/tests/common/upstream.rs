//! An upstream that behaves and misbehaves on demand, over HTTP/1.1 and HTTP/2 on one port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use host::serve::frames::{Decoder, encode};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

/// What a body is made of: frames, or breaking off.
type Part = Result<Frame<Bytes>, Infallible>;

/// Runs until dropped.
pub struct Upstream {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

impl Upstream {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("settable");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

async fn accept(listener: std::net::TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    loop {
        let (stream, _) = listener.accept().await.expect("accepts");
        tokio::spawn(async move {
            let service = hyper::service::service_fn(answer);
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

struct Parts(UnboundedReceiver<Part>, bool);

impl Body for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match std::task::ready!(self.0.poll_recv(context)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Err(never)) => match never {},
            None if self.1 => Poll::Ready(Some(Err(std::io::Error::other("broken off")))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_closed() && self.0.is_empty() && !self.1
    }
}

fn parts(frames: Vec<Frame<Bytes>>, breaks: bool) -> Parts {
    let (sender, receiver) = unbounded_channel();
    for frame in frames {
        sender.send(Ok(frame)).expect("open");
    }
    Parts(receiver, breaks)
}

fn trailers(status: &'static str) -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("grpc-status", HeaderValue::from_static(status));
    map
}

fn grpc(body: Parts) -> Response<Parts> {
    Response::builder()
        .header("content-type", "application/grpc")
        .header("x-from", "up")
        .body(body)
        .expect("a response")
}

/// Longer than any timeout that the probe asks for.
async fn never() {
    tokio::time::sleep(Duration::from_secs(3_600)).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Parts>, std::io::Error> {
    let path = request.uri().path().to_owned();
    if path == "/probe/to/pass/stream" {
        return Ok(stream(request.into_body()));
    }
    if path == "/test.Service/Chat" {
        return Ok(chat(request.into_body()));
    }
    let (head, body) = request.into_parts();
    let whole = body.collect().await.map_err(std::io::Error::other)?;
    if path.ends_with("/echo") {
        let trailers = whole.trailers().cloned();
        return Ok(echo(&head, trailers.as_ref(), whole.to_bytes()));
    }
    let body = whole.to_bytes();
    // Behind a route everything comes under the route's prefix.
    let path = match path.rsplit_once('/') {
        Some((prefix, name)) if prefix.starts_with("/probe/to/") => format!("/{name}"),
        _ => path,
    };
    if let Some(size) = path
        .strip_prefix("/size/")
        .and_then(|size| size.parse().ok())
    {
        return Ok(sized(StatusCode::OK, vec![b'x'; size]));
    }
    if let Some(status) = path.strip_prefix("/status/").and_then(|s| s.parse().ok()) {
        return Ok(sized(status, b"words".to_vec()));
    }
    Ok(match path.as_str() {
        "/ok" => Response::builder()
            .header("x-from", "up")
            .header("content-type", "text/plain")
            .body(parts(
                vec![Frame::data([b"pong ", &body[..]].concat().into())],
                false,
            ))
            .expect("a response"),
        // What a transcript leaves a body as, and trailers.
        "/four" => {
            let mut closing = HeaderMap::new();
            closing.insert("x-keep", HeaderValue::from_static("1"));
            let frames = vec![Frame::data("body".into()), Frame::trailers(closing)];
            Response::builder()
                .header("x-from", "up")
                .header("trailer", "x-keep")
                .body(parts(frames, false))
                .expect("a response")
        }
        "/half" => half(),
        "/drop" | "/test.Service/Drop" => return Err(std::io::Error::other("dropped")),
        "/test.Service/Echo" => {
            let mut decoder = Decoder::default();
            decoder.push(&body);
            let message = decoder.next_message().expect("a frame").expect("whole");
            let echo = [b"echo ", &message[..]].concat();
            grpc(parts(
                vec![Frame::data(encode(&echo)), Frame::trailers(trailers("0"))],
                false,
            ))
        }
        "/test.Service/Refuse" => {
            let mut response = grpc(parts(Vec::new(), false));
            response.headers_mut().extend(trailers("9"));
            let message = HeaderValue::from_static("not so");
            response.headers_mut().insert("grpc-message", message);
            response
        }
        _ => {
            never().await;
            return Err(std::io::Error::other("too late"));
        }
    })
}

/// What has come, as lines; with headers that are not for the client, and trailers.
fn echo(head: &http::request::Parts, trailers: Option<&HeaderMap>, body: Bytes) -> Response<Parts> {
    let lines = |map: &HeaderMap| {
        let mut lines: Vec<_> = map
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.as_bytes().escape_ascii()))
            .collect();
        lines.sort();
        lines.concat()
    };
    let text = format!("{} {}\n{}\n", head.method, head.uri, lines(&head.headers));
    let rest = trailers.map(|map| format!("\n{}", lines(map)));
    let whole = [text.as_bytes(), &body, rest.unwrap_or_default().as_bytes()].concat();
    let mut closing = HeaderMap::new();
    closing.insert("x-drop", HeaderValue::from_static("1"));
    closing.insert("x-keep", HeaderValue::from_static("1"));
    let answer = Response::builder()
        .header("x-from", "up")
        .header("x-internal", "1")
        .header("keep-alive", "timeout=5")
        .header("server", "up");
    let (answer, frames) = if head.uri.query() == Some("trailers") {
        let frames = vec![Frame::data(whole.into()), Frame::trailers(closing)];
        (answer.header("trailer", "x-drop, x-keep"), frames)
    } else {
        let length = whole.len();
        let frames = vec![Frame::data(whole.into())];
        (answer.header("content-length", length), frames)
    };
    answer.body(parts(frames, false)).expect("a response")
}

fn sized(status: StatusCode, body: Vec<u8>) -> Response<Parts> {
    Response::builder()
        .status(status)
        .header("content-length", body.len())
        .body(parts(vec![Frame::data(body.into())], false))
        .expect("a response")
}

/// Breaks off after a while, so that the head and the first part have gone out for sure.
fn half() -> Response<Parts> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let _ = sender.send(Ok(Frame::data("half".into())));
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    Response::builder()
        .header("content-length", "100")
        .body(Parts(receiver, true))
        .expect("a response")
}

/// Answers at once, and gives back each part of the body as it comes.
fn stream(mut body: Incoming) -> Response<Parts> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            let _ = sender.send(Ok(frame));
        }
    });
    Response::new(Parts(receiver, false))
}

/// Echoes each message until the client has no more.
fn chat(mut body: Incoming) -> Response<Parts> {
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(async move {
        let mut decoder = Decoder::default();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else {
                continue;
            };
            decoder.push(&data);
            while let Some(message) = decoder.next_message().expect("frames") {
                let echo = encode(&[b"echo ", &message[..]].concat());
                let _ = sender.send(Ok(Frame::data(echo)));
            }
        }
        let _ = sender.send(Ok(Frame::trailers(trailers("0"))));
    });
    grpc(Parts(receiver, false))
}
