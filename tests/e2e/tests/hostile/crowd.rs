//! Connections that are opened and say nothing: as many as the machine's limit on open files lets a test make.

use e2e::{Call, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::scene::Scene;

/// How many there are to be.
const WANTED: usize = 10_000;
/// Open files that both processes need for something else.
const RESERVED: u64 = 500;
/// Opened at the same time: fewer than the listener's queue holds.
const TOGETHER: usize = 100;
/// Of so many one is tried at the end.
const SAMPLE: usize = 500;
/// Rounds of the others while all are open.
const ROUNDS: u64 = 20;

pub async fn idle(scene: &mut Scene<'_>) {
    let on = scene.on();
    let limit = testbed::raise_file_limit().expect("a limit on open files");
    let room = usize::try_from(limit.saturating_sub(RESERVED)).unwrap_or(WANTED);
    let number = WANTED.min(room);
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
    eprintln!("{on}: {number} idle connections, limit on open files {limit}");
    scene.others.progress(ROUNDS).await;
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
