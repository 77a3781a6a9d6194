//! The points service that one would put behind Envoy instead of a filter: three operations over HTTP/1.1.
//!
//! Who calls and whether they may is Envoy's business (`jwt_authn` and RBAC in front of it): the tenant comes in the
//! header `x-tenant`, which nobody but Envoy sets. Paths and answers are those of the gateway's API.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::memory_store::MemoryStore;
use crate::redis_store::RedisStore;
use crate::store::{Owner, Redeemed, Store};

/// A longer body is refused.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// Where customers are.
const CUSTOMERS: &str = "/reward-points/customer/";

/// Command line of `bench-native service`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Address to listen on.
    #[arg(long, value_name = "IP:PORT")]
    listen: SocketAddr,
    /// Keep points in that Redis; without it in memory.
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
}

/// Serves until SIGTERM.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let store = Arc::new(match &arguments.redis {
        Some(url) => Store::Redis(RedisStore::connect(url).await?),
        None => Store::Memory(MemoryStore::new()),
    });
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| format!("listen on {}", arguments.listen))?;
    crate::say(&format!("ready {}", arguments.listen));
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.context("accept a connection")?;
                tokio::spawn(connection(stream, Arc::clone(&store)));
            }
            _ = terminate.recv() => return Ok(()),
        }
    }
}

async fn connection(stream: TcpStream, store: Arc<Store>) {
    // Without it answers wait for acknowledgements; a connection where it cannot be set is gone anyway.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, &store));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        eprintln!("a connection ended: {error}");
    }
}

async fn answer(
    request: Request<Incoming>,
    store: &Store,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let tenant = request.headers().get("x-tenant");
    let tenant = tenant.and_then(|value| value.to_str().ok());
    let Some((owner, action)) = tenant.and_then(|tenant| target(tenant, request.uri().path()))
    else {
        return Ok(plain(StatusCode::NOT_FOUND));
    };
    match (request.method(), action) {
        (&Method::GET, "") => Ok(match store.balance(&owner).await? {
            Some(points) => number(points),
            None => plain(StatusCode::NOT_FOUND),
        }),
        (&Method::POST, "addPoints") => match points(request.into_body()).await {
            Some(points) => {
                store.add(owner, points).await?;
                Ok(plain(StatusCode::CREATED))
            }
            None => Ok(plain(StatusCode::BAD_REQUEST)),
        },
        (&Method::POST, "redeemPoints") => match points(request.into_body()).await {
            Some(points) => Ok(plain(match store.redeem(&owner, points).await? {
                Redeemed::Done => StatusCode::CREATED,
                Redeemed::TooFew => StatusCode::BAD_REQUEST,
                Redeemed::Unknown => StatusCode::NOT_FOUND,
            })),
            None => Ok(plain(StatusCode::BAD_REQUEST)),
        },
        _ => Ok(plain(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

/// Whose account a path names, and what is to be done with it.
fn target<'a>(tenant: &str, path: &'a str) -> Option<(Owner, &'a str)> {
    let rest = path.strip_prefix(CUSTOMERS)?;
    let (customer, action) = rest.split_once('/').unwrap_or((rest, ""));
    (!customer.is_empty()).then(|| (Owner::new(tenant, customer), action))
}

#[derive(Debug, Deserialize)]
struct Entry {
    points: u32,
}

async fn points(body: Incoming) -> Option<u32> {
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.ok()?;
    let entry: Entry = serde_json::from_slice(&body.to_bytes()).ok()?;
    (entry.points > 0).then_some(entry.points)
}

fn number(points: u64) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(points.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_an_account_and_an_action() {
        let owner = Owner::new("acme", "614");
        let cases = [
            ("/reward-points/customer/614", Some((owner.clone(), ""))),
            (
                "/reward-points/customer/614/addPoints",
                Some((owner, "addPoints")),
            ),
            ("/reward-points/customer/", None),
            ("/other", None),
        ];
        for (path, expected) in cases {
            assert_eq!(target("acme", path), expected, "{path}");
        }
    }
}
