//! Connections that are opened and say nothing: as many as the machine's limit on open files lets a test make.

use std::time::Duration;

use e2e::{Call, Version, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::scene::Scene;

/// How many there are to be, and without how many this is no crowd.
const WANTED: usize = 10_000;
const LEAST: usize = 1_000;
/// Open files that both processes need for something else.
const RESERVED: u64 = 500;
/// Opened at the same time: fewer than the listener's queue holds.
const TOGETHER: usize = 100;
/// Of so many one is tried at the end.
const SAMPLE: usize = 500;
/// Rounds of the others while all are open.
const ROUNDS: u64 = 20;
/// How long the gateway may take to accept those that wait in its listener's queue.
const ACCEPTING: Duration = Duration::from_secs(60);
/// Envoy's gauge of them.
const OPEN: &str = "http.ingress.downstream_cx_active";

pub async fn idle(scene: &mut Scene<'_>) {
    let on = scene.on();
    let limit = testbed::raise_file_limit().expect("a limit on open files");
    let room = usize::try_from(limit.saturating_sub(RESERVED)).unwrap_or(WANTED);
    let number = WANTED.min(room);
    assert!(
        number >= LEAST,
        "{on}: room for {number} connections, limit on open files {limit}: this needs {LEAST}"
    );
    let open = |scene: &Scene<'_>| {
        let stats = scene.stack.gateway.stats().expect("counters");
        let open = stats.get(OPEN);
        open.unwrap_or_else(|| panic!("{on}: no {OPEN}")) as usize
    };
    let of_others = open(scene);
    let to = scene.stack.address();
    let mut crowd = Vec::with_capacity(number);
    while crowd.len() < number {
        let mut opening = JoinSet::new();
        for _ in 0..TOGETHER.min(number - crowd.len()) {
            opening.spawn(TcpStream::connect(to));
        }
        while let Some(opened) = opening.join_next().await {
            let opened = opened.expect("a task that connects");
            crowd.push(opened.unwrap_or_else(|error| panic!("{on}: {error}")));
        }
        if crowd.len() % (10 * TOGETHER) == 0 {
            scene.others.progress(1).await;
        }
    }
    // Not only asked for: the gateway has accepted them, and keeps them while others are served.
    let accepted = until("all connections are open", ACCEPTING, async || {
        Some(open(scene) - of_others).filter(|open| *open >= number)
    });
    let accepted = accepted.await;
    eprintln!("{on}: {accepted} connections open, limit on open files {limit}");
    scene.others.progress(ROUNDS).await;
    let kept = open(scene) - of_others;
    assert!(kept >= number, "{on}: {kept} of {number} still open");
    // Whoever comes now is served, and so is whoever has been there all the time.
    let mut client = scene.client(Version::Http2).await;
    let answer = scene.ask(&mut client, Call::balance("nobody")).await;
    assert!(answer.starts_with("404 "), "{on}: {answer}");
    let ask = format!(
        "GET /reward-points/customer/nobody HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\
         connection: close\r\n\r\n",
        scene.token
    );
    for mut connection in crowd.into_iter().step_by(SAMPLE) {
        connection.write_all(ask.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let read = connection.read_to_string(&mut answer).await;
        read.unwrap_or_else(|error| panic!("{on}: {error}"));
        assert!(answer.starts_with("HTTP/1.1 404 "), "{on}: {answer}");
    }
}
