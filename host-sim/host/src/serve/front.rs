//! Clients: HTTP/1.1 and HTTP/2 connections of one worker, each request a stream of its VM.

use std::cell::Cell;
use std::error::Error as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use super::body::{BrokenOff, FedBody, Part};
use super::callout::LocalExecutor;
use super::convert::{from_map, request_headers, status, to_map, uuid};
use super::limits::{
    KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, Limits, MAX_CONCURRENT_STREAMS, MAX_HEADER_BYTES,
    StreamClock,
};
use super::local::{Local, Replies, Reply, StreamKey};
use super::stall::Stall;
use crate::headers::Headers;
use crate::ports::{Random as _, System};
use crate::stream::{Side, StreamInfo};

/// Envoy's default for how long a connection stays to deliver an answer that came before the request's end.
const READ_AWAY: Duration = Duration::from_secs(1);

/// Tells the VM when nobody waits for the answer any more.
pub(super) struct Guard {
    local: Rc<Local>,
    key: StreamKey,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.local.end(self.key);
    }
}

type Answer = Response<FedBody<Guard>>;

/// Serves one connection until it ends, or until `stop` changes and what is in flight is done.
pub(super) async fn connection(
    local: Rc<Local>,
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    mut stop: watch::Receiver<bool>,
) {
    let limits = local.limits;
    let begun = Rc::new(Cell::new(false));
    let first = Rc::clone(&begun);
    let service = hyper::service::service_fn(move |request| {
        first.set(true);
        request_in(Rc::clone(&local), peer, request)
    });
    let builder = builder(limits);
    let stream = Stall::new(stream, limits.stream_idle);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut stopping = *stop.borrow();
    if stopping {
        connection.as_mut().graceful_shutdown();
    }
    // While the version is not even known, no timer of HTTP runs.
    let silent = tokio::time::sleep(limits.headers);
    tokio::pin!(silent);
    loop {
        tokio::select! {
            // How a client leaves is its own affair.
            _ = connection.as_mut() => return,
            () = &mut silent, if !begun.get() && !silent.is_elapsed() => if !begun.get() {
                return;
            },
            changed = stop.changed(), if !stopping => {
                stopping = true;
                if changed.is_ok() {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

fn builder(limits: Limits) -> auto::Builder<LocalExecutor> {
    let mut builder = auto::Builder::new(LocalExecutor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX));
    builder
}

fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(FedBody::whole(Bytes::new()));
    *answer.status_mut() = status;
    finish(answer)
}

/// What the connection manager adds to every answer.
fn finish(mut answer: Answer) -> Answer {
    let server = http::HeaderValue::from_static("host-sim");
    answer.headers_mut().insert("server", server);
    answer
}

/// One request, to its answer or to being broken off: without a byte over HTTP/1.1, by a reset over HTTP/2.
async fn request_in(
    local: Rc<Local>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Answer, BrokenOff> {
    let mut id = [0; 16];
    System::default().fill(&mut id);
    let Some(headers) = request_headers(&request, peer.ip(), &uuid(id)) else {
        return Ok(plain(StatusCode::BAD_REQUEST));
    };
    let info = StreamInfo {
        source_address: peer.to_string(),
        protocol: protocol(request.version()).to_owned(),
    };
    let http1 = request.version() < Version::HTTP_2;
    let mut body = request.into_body();
    let end_stream = body.is_end_stream();
    let Some((key, mut replies)) = local.begin(info, headers, end_stream) else {
        return Ok(plain(StatusCode::SERVICE_UNAVAILABLE));
    };
    let guard = Guard {
        local: Rc::clone(&local),
        key,
    };
    let mut reading = !end_stream;
    let mut clock = StreamClock::start(local.limits);
    loop {
        tokio::select! {
            biased;
            reply = replies.parts.recv() => return match reply {
                Some(Reply::Head { headers, end_stream }) => {
                    let mut answer = answer(&headers, end_stream, replies, guard, clock);
                    if reading {
                        // As Envoy has it: what comes after half a request is not looked at.
                        if http1 && !local.is_open(key) {
                            let close = http::HeaderValue::from_static("close");
                            answer.headers_mut().insert("connection", close);
                        }
                        tokio::task::spawn_local(read_on(local, key, body));
                    }
                    Ok(answer)
                }
                Some(Reply::Lost) | None => Ok(plain(StatusCode::SERVICE_UNAVAILABLE)),
                Some(Reply::Part(_)) => Err(BrokenOff),
            },
            went_on = read_some(&local, key, &mut body, &mut reading), if reading => match went_on {
                Ok(()) => clock.moved(),
                Err(fault) if is_malformed(&fault) => return Ok(plain(StatusCode::BAD_REQUEST)),
                // Nobody is there to be answered.
                Err(_) => return Err(BrokenOff),
            },
            words = clock.passed() => {
                // 408 when the client kept us waiting, 504 when the module did, as in Envoy.
                local.answer(key, if reading { 408 } else { 504 }, words);
                if replies.parts.is_empty() {
                    // The module keeps even this answer back.
                    return Err(BrokenOff);
                }
            }
        }
    }
}

/// Whether a body is no HTTP, as against one whose client left.
fn is_malformed(fault: &hyper::Error) -> bool {
    let cause = fault.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &std::io::Error| cause.kind() == std::io::ErrorKind::InvalidInput)
}

/// Goes on with a request whose answer has begun: an upstream may answer before it has read everything.
async fn read_on(local: Rc<Local>, key: StreamKey, mut body: Incoming) {
    let mut reading = true;
    while reading && local.is_open(key) {
        let progress = Rc::clone(&local.progress);
        tokio::select! {
            went_on = read_some(&local, key, &mut body, &mut reading) => if went_on.is_err() {
                return;
            },
            // The answer may be whole by now.
            () = progress.notified() => {}
        }
    }
    if reading {
        read_away(body).await;
    }
}

/// Takes what a client still sends after its answer was decided. A connection closed over unread bytes is reset, and
/// the answer would be lost with it.
async fn read_away(mut body: Incoming) {
    let rest = async { while let Some(Ok(_)) = body.frame().await {} };
    // Who sends for longer may lose its connection.
    let _ = tokio::time::timeout(READ_AWAY, rest).await;
}

/// Takes one frame of the request's body, waiting first while there is no room for more.
async fn read_some(
    local: &Rc<Local>,
    key: StreamKey,
    body: &mut Incoming,
    reading: &mut bool,
) -> hyper::Result<()> {
    local.room(key, Side::Request).await;
    match body.frame().await {
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => {
                *reading = !body.is_end_stream();
                local.body(key, &data, !*reading);
            }
            Err(frame) => {
                *reading = false;
                if let Some(trailers) = frame.trailers_ref() {
                    local.trailers(key, from_map(trailers));
                }
            }
        },
        // HTTP/1.1 may tell the end only now.
        None => {
            *reading = false;
            local.body(key, &[], true);
        }
        Some(Err(fault)) => {
            *reading = false;
            local.end(key);
            return Err(fault);
        }
    }
    Ok(())
}

fn answer(
    headers: &Headers,
    end_stream: bool,
    mut replies: Replies,
    guard: Guard,
    clock: StreamClock,
) -> Answer {
    let body = if end_stream {
        FedBody::whole(Bytes::new())
    } else {
        match replies.parts.try_recv() {
            // The usual answer lies there whole.
            Ok(Reply::Part(Part::Data(data, true))) => FedBody::whole(data),
            first => fed(first.ok(), replies, guard, clock),
        }
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status(headers);
    *answer.headers_mut() = to_map(headers);
    finish(answer)
}

/// A body that goes on coming.
fn fed(
    first: Option<Reply>,
    Replies { mut parts, backlog }: Replies,
    guard: Guard,
    mut clock: StreamClock,
) -> FedBody<Guard> {
    let (sender, body) = unbounded_channel();
    tokio::task::spawn_local(async move {
        let mut next = first;
        loop {
            let part = match next.take() {
                Some(Reply::Part(part)) => part,
                Some(Reply::Head { .. }) => continue,
                Some(Reply::Lost) => Part::Broken,
                None => tokio::select! {
                    reply = parts.recv() => {
                        let Some(reply) = reply else { return };
                        next = Some(reply);
                        clock.moved();
                        continue;
                    }
                    _ = clock.passed() => Part::Broken,
                },
            };
            if sender.send(part).is_err() {
                return;
            }
        }
    });
    FedBody::fed(body, Some(guard)).counted(backlog)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
