//! Bounds on clients and on stopping: whoever takes too long, or is one too many, is sent away and the VM is told.

mod common;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::client::{connect, get, read_answer};
use common::upstream::Upstream;
use common::{PATIENCE, clusters, options, serve, until};
use host::Plugin;
use host::serve::{CONNECTIONS_REFUSED, Limits, Options, Running};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

/// Long enough for a busy machine to get a request through, short enough to wait for.
const SHORT: Duration = Duration::from_millis(500);

fn limited(limits: Limits) -> (Upstream, Running) {
    let upstream = Upstream::start();
    let running = serve(Options {
        limits,
        plugin: Plugin {
            plugin_configuration: b"drain".to_vec(),
            ..options(clusters(upstream.address)).plugin
        },
        ..options(clusters(upstream.address))
    });
    (upstream, running.expect("serves"))
}

/// What shared data holds under a key.
fn shared(running: &Running, key: &str) -> String {
    let found = running.shared.data.get("points", key.as_bytes());
    String::from_utf8_lossy(&found.map(|entry| entry.0).unwrap_or_default()).into_owned()
}

#[test]
fn a_head_that_does_not_come_costs_the_connection() {
    let (_upstream, running) = limited(Limits {
        headers: SHORT,
        ..Limits::default()
    });
    // Nothing, half a version, half a head, and nothing after a first request.
    for (first, status) in [
        ("", 0),
        ("PRI * HT", 0),
        ("GET /probe/time HTTP/1.1\r\nhost: ", 0),
        ("GET /probe/time HTTP/1.1\r\nhost: a\r\n\r\n", 200),
    ] {
        let mut stream = connect(running.local_addr);
        stream.write_all(first.as_bytes()).expect("sent");
        assert_eq!(read_answer(&mut stream, false).status, status, "{first:?}");
        // The connection ends, or the read panics for want of patience.
        assert_eq!(read_answer(&mut stream, false).status, 0, "{first:?}");
    }
    running.stop();
}

#[test]
fn a_request_may_not_go_on_for_ever_however_busy_it_is() {
    let (_upstream, running) = limited(Limits {
        stream_max: SHORT,
        ..Limits::default()
    });
    let mut stream = connect(running.local_addr);
    stream
        .write_all(b"POST /probe/silent HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        .expect("sent");
    let mut sender = stream.try_clone().expect("clonable");
    let busy = std::thread::spawn(move || {
        // Until it is hung up on; the pause only spares the machine.
        while sender.write_all(b"1\r\na\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let answer = read_answer(&mut stream, false);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (408, "downstream duration timeout")
    );
    drop(stream);
    busy.join().expect("hung up on");
    until("the context is deleted", || {
        shared(&running, "silent").ends_with("done deleted")
    });
    running.stop();
}

#[test]
fn an_http2_stream_that_nobody_moves_is_ended_and_its_connection_goes_on() {
    let (_upstream, running) = limited(Limits {
        stream_idle: SHORT,
        ..Limits::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let exchange = async {
        let stream = tokio::net::TcpStream::connect(running.local_addr).await;
        let io = TokioIo::new(stream.expect("connects"));
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io)
            .await
            .expect("HTTP/2");
        tokio::spawn(connection);
        for (path, status) in [("silent", 504), ("time", 200)] {
            let uri = format!("http://{}/probe/{path}", running.local_addr);
            let request = Request::get(uri).body(Empty::<Bytes>::new());
            let answer = sender.send_request(request.expect("a request")).await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), status, "{path}");
            answer.into_body().collect().await.expect("whole");
        }
    };
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, exchange).await })
        .expect("in time");
    drop(runtime);
    running.stop();
}

#[test]
fn one_client_too_many_is_hung_up_on_and_counted_and_a_place_comes_free() {
    let (_upstream, running) = limited(Limits {
        connections: 1,
        ..Limits::default()
    });
    let only = connect(running.local_addr);
    // Accepted in order: by the time the second is refused, the first has its place.
    assert_eq!(get(running.local_addr, "/probe/time").status, 0);
    let refused = || running.shared.metrics.value(CONNECTIONS_REFUSED);
    until("it is counted", || refused() == Some(1));
    drop(only);
    until("the place is free", || {
        get(running.local_addr, "/probe/time").status == 200
    });
    running.stop();
}

#[test]
fn a_stop_waits_only_so_long_and_the_root_still_gets_its_turn() {
    let (_upstream, running) = limited(Limits {
        drain: Duration::from_secs(2),
        ..Limits::default()
    });
    let mut stuck = connect(running.local_addr);
    stuck
        .write_all(b"GET /probe/silent HTTP/1.1\r\nhost: a\r\n\r\n")
        .expect("sent");
    until("the stuck request is with the module", || {
        shared(&running, "silent").contains("begun")
    });
    let data = std::sync::Arc::clone(&running.shared);
    running.stop();
    assert_eq!(read_answer(&mut stuck, false).status, 0, "cut off");
    let told = data.data.get("points", b"silent").map(|entry| entry.0);
    let told = told.unwrap_or_default();
    assert!(told.ends_with(b"done deleted"), "{}", told.escape_ascii());
    // The worker's and the main thread's.
    let drained = data.metrics.value("wasmcustom.probe_drained");
    assert_eq!(drained, Some(2));
}

/// More than the sockets between the two ends hold, and far less than would pass if nobody looked.
const TOO_MUCH_BYTES: usize = 48 * 1024 * 1024;

/// Options whose only upstream is this one.
fn before(upstream: &std::net::TcpListener) -> Options {
    let mut options = options(clusters(upstream.local_addr().expect("bound")));
    options.limits.stream_idle = SHORT;
    options
}

#[test]
fn a_client_waits_while_the_upstream_takes_nothing() {
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let running = serve(before(&upstream)).expect("serves");
    let mut client = connect(running.local_addr);
    let mut reader = client.try_clone().expect("clonable");
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let writer = std::thread::spawn(move || {
        let head =
            "POST /probe/to/pass/deaf HTTP/1.1\r\nhost: a\r\ncontent-length: 999999999\r\n\r\n";
        let chunk = [b'x'; 64 * 1024];
        let mut written = client.write_all(head.as_bytes());
        while written.is_ok() {
            counter.fetch_add(chunk.len(), Ordering::SeqCst);
            written = client.write_all(&chunk);
        }
    });
    let (_deaf, _) = upstream.accept().expect("connects");
    let answer = read_answer(&mut reader, false);
    let sent = sent.load(Ordering::SeqCst);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (408, "stream timeout")
    );
    assert!(sent < TOO_MUCH_BYTES, "{sent}");
    drop(reader);
    running.stop();
    writer.join().expect("ends");
}

#[test]
fn an_upstream_waits_while_the_client_takes_nothing() {
    let upstream = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let running = serve(before(&upstream)).expect("serves");
    let mut client = connect(running.local_addr);
    client
        .write_all(b"GET /probe/to/pass/flood HTTP/1.1\r\nhost: a\r\n\r\n")
        .expect("sent");
    let (mut flood, _) = upstream.accept().expect("connects");
    flood.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
    let (chunk, mut sent) = ([b'x'; 64 * 1024], 0);
    // Until the gateway gives the client up, and the upstream with it.
    while flood.write_all(&chunk).is_ok() {
        sent += chunk.len();
        assert!(sent < TOO_MUCH_BYTES, "goes on and on");
    }
    drop(client);
    running.stop();
}
