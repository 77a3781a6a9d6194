//! A server beside the gateways: what stands behind them, or where issuers publish their keys.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use processes::Port;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

use super::client::{Body, body_of, pairs};
use crate::driver::{Behaviour, Request, Result, Trouble};

pub(super) struct Server {
    port: Port,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
    runtime: Arc<Runtime>,
}

#[derive(Default)]
struct Shared {
    behaviour: Mutex<Behaviour>,
    seen: Mutex<Vec<Request>>,
}

impl Server {
    pub(super) fn start(runtime: &Arc<Runtime>) -> Result<Self> {
        let server = Self {
            port: Port::free().map_err(Trouble::of)?,
            shared: Arc::default(),
            accepting: Mutex::default(),
            runtime: Arc::clone(runtime),
        };
        server.reset()?;
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// As if nothing stood there: 404 to everything, and nothing was asked.
    pub(super) fn reset(&self) -> Result<()> {
        lock(&self.shared.seen).clear();
        self.behave(Behaviour {
            up: true,
            answers: Vec::new(),
        })
    }

    pub(super) fn behave(&self, behaviour: Behaviour) -> Result<()> {
        let up = behaviour.up;
        *lock(&self.shared.behaviour) = behaviour;
        let mut accepting = lock(&self.accepting);
        if !up {
            if let Some(task) = accepting.take() {
                task.abort();
                // Its end, and that of its connections, is all that is waited for.
                let _ = self.runtime.block_on(task);
            }
        } else if accepting.is_none() {
            let listener = self.runtime.block_on(TcpListener::bind(self.address()));
            let listener = listener.map_err(Trouble::of)?;
            let shared = Arc::clone(&self.shared);
            *accepting = Some(self.runtime.spawn(accept(listener, shared)));
        }
        Ok(())
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        lock(&self.shared.seen).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.accepting).take() {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move {
                        let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
                        // A connection that breaks is the peer's affair.
                        let _ = auto::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    request: http::Request<Incoming>,
    shared: Arc<Shared>,
) -> io::Result<http::Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?;
    let trailers = body.trailers().map(pairs).unwrap_or_default();
    let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let bytes = body.to_bytes();
    let seen = Request {
        method: head.method.to_string(),
        path: path.as_bytes().to_vec(),
        headers: pairs(&head.headers),
        body: if bytes.is_empty() {
            Vec::new()
        } else {
            vec![bytes.to_vec()]
        },
        trailers,
        ..Request::default()
    };
    let canned = {
        // One step for whoever looks: counted, and answered as was said by then.
        let behaviour = lock(&shared.behaviour);
        let canned = behaviour.answer(&seen.path);
        lock(&shared.seen).push(seen);
        canned
    };
    let Some(canned) = canned else {
        match std::future::pending::<Infallible>().await {}
    };
    let mut response = http::Response::builder().status(canned.status);
    for (name, value) in &canned.headers {
        response = response.header(name.as_str(), value.as_slice());
    }
    let body = if canned.trailers.is_empty() {
        Full::new(canned.body.into()).boxed()
    } else {
        body_of(&[canned.body], &canned.trailers).map_err(io::Error::other)?
    };
    response.body(body).map_err(io::Error::other)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
