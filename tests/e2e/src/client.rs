//! A client on one connection, HTTP/1.1 or HTTP/2 by prior knowledge.
//!
//! The connection is kept open over many requests, so that what an answer does to it is seen too: an answer that says
//! `connection: close` makes the client connect again and is counted, a connection that just ends fails the next request.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::{Answer, Call};

/// How long a connection, and each whole answer, may take. Over every time budget of the gateway.
const BOUND: Duration = Duration::from_secs(30);

type Body = BoxBody<Bytes, Infallible>;

/// Which version of HTTP a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without an upgrade.
    Http2,
}

/// A client with one connection.
#[derive(Debug)]
pub struct Client {
    sender: Sender,
    to: SocketAddr,
    version: Version,
    closes: usize,
    closing: bool,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens, or speaks that version.
    pub async fn connect(to: SocketAddr, version: Version) -> io::Result<Self> {
        Ok(Self {
            sender: Self::open(to, version).await?,
            to,
            version,
            closes: 0,
            closing: false,
        })
    }

    /// How many answers said that the connection would be closed.
    #[must_use]
    pub fn closes(&self) -> usize {
        self.closes
    }

    async fn open(to: SocketAddr, version: Version) -> io::Result<Sender> {
        bounded(async {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let io = TokioIo::new(stream);
            Ok(match version {
                Version::Http1 => {
                    let (sender, connection) =
                        http1::handshake(io).await.map_err(io::Error::other)?;
                    // Its end is seen by the next request on it.
                    tokio::spawn(async { drop(connection.await) });
                    Sender::Http1(sender)
                }
                Version::Http2 => {
                    let shake = http2::handshake(TokioExecutor::new(), io);
                    let (sender, connection) = shake.await.map_err(io::Error::other)?;
                    tokio::spawn(async { drop(connection.await) });
                    Sender::Http2(sender)
                }
            })
        })
        .await
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection breaks or there is no whole answer. The request may have been carried out all the same.
    pub async fn send(&mut self, call: &Call) -> io::Result<Answer> {
        let body = Full::new(call.body.clone()).boxed();
        self.send_body(call, body).await
    }

    /// Sends a request whose body comes in these parts, of no announced length, and ends with those trailers.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_parts(
        &mut self,
        call: &Call,
        parts: Vec<Bytes>,
        trailers: Option<(&'static str, &'static str)>,
    ) -> io::Result<Answer> {
        let end = trailers.map(|(name, value)| {
            let name = HeaderName::from_static(name);
            let value = HeaderValue::from_static(value);
            Frame::trailers(HeaderMap::from_iter([(name, value)]))
        });
        let frames: Vec<Result<_, Infallible>> = parts
            .into_iter()
            .map(Frame::data)
            .chain(end)
            .map(Ok)
            .collect();
        let body = StreamBody::new(tokio_stream::iter(frames));
        self.send_body(call, BodyExt::boxed(body)).await
    }

    /// Sends all of these at once, on streams of the one connection: over HTTP/2 only.
    ///
    /// # Panics
    /// When the client speaks HTTP/1.1.
    pub async fn send_together(&self, calls: &[Call]) -> Vec<io::Result<Answer>> {
        let Sender::Http2(sender) = &self.sender else {
            panic!("HTTP/1.1 has no streams");
        };
        let mut running = JoinSet::new();
        for call in calls {
            let request = self.request(call, Full::new(call.body.clone()).boxed());
            let mut sender = Sender::Http2(sender.clone());
            running.spawn(bounded(async move {
                exchange(&mut sender, request.map_err(io::Error::other)?).await
            }));
        }
        running.join_all().await
    }

    async fn send_body(&mut self, call: &Call, body: Body) -> io::Result<Answer> {
        if std::mem::take(&mut self.closing) {
            self.sender = Self::open(self.to, self.version).await?;
        }
        let request = self.request(call, body).map_err(io::Error::other)?;
        let answer = bounded(exchange(&mut self.sender, request)).await?;
        self.closing = answer.header("connection") == Some("close");
        self.closes += usize::from(self.closing);
        Ok(answer)
    }

    fn request(&self, call: &Call, body: Body) -> http::Result<Request<Body>> {
        let mut request = Request::builder().method(call.method);
        // A call may name another host than the one that is asked.
        let host = call.headers.iter().find(|(name, _)| name == "host");
        let host = host.map_or_else(
            || self.to.to_string(),
            |(_, host)| String::from_utf8_lossy(host).into_owned(),
        );
        request = match self.sender {
            Sender::Http1(_) => request.uri(call.path.as_str()).header("host", host),
            Sender::Http2(_) => request.uri(format!("http://{host}{}", call.path)),
        };
        for (name, value) in call.headers.iter().filter(|(name, _)| name != "host") {
            request = request.header(name.as_str(), HeaderValue::from_bytes(value)?);
        }
        request.body(body)
    }
}

async fn exchange(sender: &mut Sender, request: Request<Body>) -> io::Result<Answer> {
    let answer = match sender {
        Sender::Http1(sender) => {
            sender.ready().await.map_err(io::Error::other)?;
            sender.send_request(request).await
        }
        Sender::Http2(sender) => {
            sender.ready().await.map_err(io::Error::other)?;
            sender.send_request(request).await
        }
    };
    let (head, body) = answer.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Answer {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body,
    })
}

async fn bounded<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(BOUND, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
