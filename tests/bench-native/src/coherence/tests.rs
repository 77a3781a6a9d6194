//! The clients against gateways that do not do what they promise: what is wrong must be seen.

use std::sync::atomic::{AtomicU64, Ordering};

use http::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;

/// After so many requests the clients are told to stop.
const REQUESTS: u64 = 300;

/// A gateway that takes every add and answers every read with the same balance.
#[derive(Clone, Copy)]
struct Fake {
    read_status: StatusCode,
    balance: &'static str,
}

/// What the clients find out about it.
async fn seen(fake: Fake) -> Tally {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let server = listener.local_addr().expect("an address");
    let shared = Arc::new(Shared {
        arguments: Arguments {
            write_to: server,
            read_from: server,
            authorization: String::new(),
            prefix: "p-".to_owned(),
            accounts: 2,
            writes_per_second: 2000,
            write_connections: 1,
            reads_per_second: 2000,
            read_connections: 1,
            pairs_per_second: 2000,
            sessions: 1,
            pairs: u64::MAX,
            bound_ms: 0,
        },
        authorization: HeaderValue::from_static("Bearer x"),
        counters: (0..2).map(|_| Counter::default()).collect(),
        pairs: AtomicU64::new(0),
        stopped: AtomicBool::new(false),
    });
    let stopping = Arc::clone(&shared);
    tokio::spawn(async move {
        let answered = Arc::new(AtomicU64::new(0));
        while let Ok((stream, _)) = listener.accept().await {
            let (answered, stopping) = (Arc::clone(&answered), Arc::clone(&stopping));
            let answer = service_fn(move |request: Request<Incoming>| {
                if answered.fetch_add(1, Ordering::Relaxed) == REQUESTS {
                    stopping.stopped.store(true, Ordering::Relaxed);
                }
                let mut response = Response::new(Full::new(Bytes::from_static(b"")));
                *response.status_mut() = StatusCode::CREATED;
                let revision = HeaderValue::from_static("7");
                response.headers_mut().insert(REVISION, revision);
                if request.method() == Method::GET {
                    *response.status_mut() = fake.read_status;
                    *response.body_mut() = Full::new(Bytes::from_static(fake.balance.as_bytes()));
                }
                async move { Ok::<_, std::convert::Infallible>(response) }
            });
            let serve = hyper::server::conn::http1::Builder::new();
            tokio::spawn(serve.serve_connection(TokioIo::new(stream), answer));
        }
    });
    let tasks = [
        tokio::spawn(write(Arc::clone(&shared), 0)),
        tokio::spawn(read(Arc::clone(&shared), 0)),
        tokio::spawn(session(Arc::clone(&shared), 0)),
    ];
    let mut all = Tally::default();
    for task in tasks {
        all.add(task.await.expect("a task"));
    }
    all
}

#[tokio::test]
async fn a_gateway_that_shows_nothing_is_stale() {
    for (read_status, balance) in [(StatusCode::OK, "0"), (StatusCode::NOT_FOUND, "")] {
        let all = seen(Fake {
            read_status,
            balance,
        })
        .await;
        assert!(all.writes.done > 0 && all.over > 0, "{all:?}");
        assert!(all.session_stale > 0, "{all:?}");
        assert_eq!(all.session_stale, all.session_reads.done, "{all:?}");
        assert_eq!(all.impossible, 0, "{all:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_shows_more_than_was_added_is_found_out() {
    let all = seen(Fake {
        read_status: StatusCode::OK,
        balance: "1000000",
    })
    .await;
    let judged = all.reads.done + all.session_reads.done;
    assert!(judged > 0, "{all:?}");
    assert_eq!(all.impossible, judged, "{all:?}");
    assert_eq!((all.over, all.session_stale), (0, 0), "{all:?}");
}

#[tokio::test]
async fn a_gateway_that_does_not_know_is_not_stale() {
    let all = seen(Fake {
        read_status: StatusCode::SERVICE_UNAVAILABLE,
        balance: "",
    })
    .await;
    assert!(all.writes.done > 0, "{all:?}");
    assert_eq!((all.reads.done, all.session_reads.done), (0, 0), "{all:?}");
    assert_eq!((all.over, all.session_stale), (0, 0), "{all:?}");
}
