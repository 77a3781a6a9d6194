//! A server of the test's own behind a gateway: it answers as the test says and keeps what it was asked.
//!
//! It stands in for a service that the gateway guards, and for an issuer that publishes its keys. It speaks HTTP/1.1 and
//! HTTP/2 without TLS, and knows nothing of gateways.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use testbed::Port;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What a server answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This.
    Answer {
        /// The status code.
        status: u16,
        /// Names in lower case, with their values.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Bytes,
    },
    /// That, once [`Server::release`] is called.
    Held(Box<Self>),
    /// Nothing, ever.
    Never,
    /// Nothing: it closes the connection.
    Close,
}

impl Reply {
    /// A status and a body without a type.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// 200 with that JSON.
    #[must_use]
    pub fn json(document: &serde_json::Value) -> Self {
        Self::new(200, document.to_string()).header("content-type", "application/json")
    }

    /// The same with one header more; what is no answer has none.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, values as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Bytes,
    /// What came after the body.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    /// All values of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let own = self.headers.iter().filter(|(own, _)| own == name);
        own.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    port: Port,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    reply: Mutex<Reply>,
    seen: Mutex<Vec<Seen>>,
    /// How often what is held was let go.
    releases: watch::Sender<u64>,
}

impl Server {
    /// A server that answers so until it is told otherwise.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(reply: Reply) -> Self {
        let shared = Shared {
            reply: Mutex::new(reply),
            seen: Mutex::default(),
            releases: watch::Sender::new(0),
        };
        let mut server = Self {
            port: Port::free().expect("a free port"),
            shared: Arc::new(shared),
            accepting: None,
        };
        server.up().await;
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Answers so from now on.
    pub fn answers(&self, reply: Reply) {
        *lock(&self.shared.reply) = reply;
    }

    /// Lets go of all answers that are held by now.
    pub fn release(&self) {
        self.shared.releases.send_modify(|times| *times += 1);
    }

    /// How many requests have arrived whole and were not taken yet.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.shared.seen).len()
    }

    /// Takes the requests that arrived since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.shared.seen))
    }

    /// Closes all connections and listens no longer.
    pub async fn down(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // Its end is all that is waited for.
            let _ = accepting.await;
        }
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    /// When the port is taken.
    pub async fn up(&mut self) {
        let listener = TcpListener::bind(self.address()).await.expect("listen");
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(tokio::spawn(async move {
            // Dropped with this task, and the connections with it.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        if let Ok((stream, _)) = accepted {
                            connections.spawn(serve(stream, Arc::clone(&shared)));
                        }
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        }));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

async fn serve(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    // A reply that must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // A connection that breaks is the peer's affair.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let trailers = body.trailers().map(pairs).unwrap_or_default();
    let mut releases = shared.releases.subscribe();
    let mut reply = {
        // One step for whoever looks: counted, and answered as was said by then.
        let reply = lock(&shared.reply);
        lock(&shared.seen).push(Seen {
            method: head.method.to_string(),
            target: head
                .uri
                .path_and_query()
                .map_or_else(String::new, |it| it.to_string()),
            headers: pairs(&head.headers),
            body: body.to_bytes(),
            trailers,
        });
        reply.clone()
    };
    loop {
        reply = match reply {
            Reply::Answer {
                status,
                headers,
                body,
            } => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                // An answer to HEAD has none, and over HTTP/2 hyper leaves that to us.
                let body = if head.method == http::Method::HEAD {
                    Bytes::new()
                } else {
                    body
                };
                return response.body(Full::new(body)).map_err(io::Error::other);
            }
            Reply::Held(held) => {
                // The sender lives as long as this task.
                let _ = releases.changed().await;
                *held
            }
            Reply::Never => match std::future::pending::<Infallible>().await {},
            Reply::Close => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
    }
}

fn pairs(headers: &http::HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
