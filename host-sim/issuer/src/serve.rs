//! Connections: HTTP/1.1 in, whole requests to whoever answers them, every wait bounded.
//!
//! Knows no OAuth, only which of the two listeners a request came in by.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::answer::{self, Answer, Asked};
use crate::limits::{
    BODY_TIME, CONNECTION_TIME, HEAD_TIME, MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_DISCARDED_BYTES,
    MAX_HEAD_BYTES, STOP_GRACE,
};
use crate::{Issuer, admin, documents, token};

/// Between two attempts to accept after one that failed, for want of file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Which listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// For clients and gateways.
    Public,
    /// For the operator.
    Admin,
}

/// Serves until `stop` changes, then waits for what is open.
pub(crate) async fn listen(
    listener: TcpListener,
    issuer: Arc<Issuer>,
    side: Side,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&issuer), side, stop.clone()));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    // Each of them is bounded by itself.
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    issuer: Arc<Issuer>,
    side: Side,
    mut stop: watch::Receiver<bool>,
) {
    // An answer is one small write: it should not wait for anything.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request| {
        let issuer = Arc::clone(&issuer);
        async move { Ok::<_, Infallible>(exchange(issuer, side, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // How a client leaves is its own affair.
        _ = connection.as_mut() => return,
        _ = stop.changed() => {}
        () = sleep(CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(STOP_GRACE, connection).await;
}

async fn exchange(
    issuer: Arc<Issuer>,
    side: Side,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let answer = match timeout(BODY_TIME, whole(body)).await {
        Ok(Ok(body)) => {
            // Signing, and above all making keys, takes the processor for a while.
            let asked = Asked { head, body };
            let answering = tokio::task::spawn_blocking(move || answer(&issuer, side, &asked));
            answering.await.unwrap_or_else(|_| {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                answer::text(status, "an internal error")
            })
        }
        Ok(Err(_)) => closing(answer::text(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => closing(answer::text(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come",
        )),
    };
    answer.map(Full::new)
}

fn closing(mut answer: Answer) -> Answer {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn answer(issuer: &Issuer, side: Side, asked: &Asked) -> Answer {
    match (side, asked.head.uri.path()) {
        (Side::Admin, _) => admin::answer(issuer, asked),
        (Side::Public, documents::TOKEN_PATH) => token::answer(issuer, asked),
        (Side::Public, documents::KEY_SET_PATH) => documents::key_set(issuer, asked),
        (Side::Public, documents::METADATA_PATH) => documents::metadata(issuer, asked),
        (Side::Public, _) => answer::not_found(),
    }
}

/// The body; `None` when it is too long, after reading away a bounded rest of it.
async fn whole(mut body: Incoming) -> hyper::Result<Option<Bytes>> {
    let mut held = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        length = length.saturating_add(data.len());
        if length <= MAX_BODY_BYTES {
            held.extend_from_slice(&data);
        } else if length > MAX_DISCARDED_BYTES {
            break;
        }
    }
    Ok((length <= MAX_BODY_BYTES).then(|| held.freeze()))
}
