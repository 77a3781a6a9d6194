//! Clients that ask for much and take nothing: over HTTP/2 behind a window that stays shut or opens by a byte at a time, over
//! HTTP/1.1 by not reading.

use e2e::Connection;
use e2e::http2::{self, Http2, kind, setting};

use super::history;
use super::scene::Scene;

/// Connections over HTTP/2, and streams on each.
const CONNECTIONS: usize = 4;
const STREAMS: u32 = 10;
/// Connections over HTTP/1.1.
const SILENT: usize = 20;
/// How often a window is opened by one byte.
const BYTES: usize = 50;
/// Rounds of the others meanwhile.
const ROUNDS: u64 = 3;

pub async fn shut(scene: &mut Scene<'_>) {
    let on = scene.on();
    let expected = history::prepare(scene).await;
    let path = format!("/reward-points/customer/{}/summary", history::CUSTOMER);
    let bearer = format!("Bearer {}", scene.token);
    let fields = http2::request("GET", &path, &bearer);
    let ask = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: {bearer}\r\n\r\n");
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        let mut connection = Connection::open(scene.stack.address()).expect("connect");
        connection.send(&ask).expect("sent");
        silent.push(connection);
    }
    let mut shut = Vec::new();
    for _ in 0..CONNECTIONS {
        let closed = [(setting::INITIAL_WINDOW_SIZE, 0)];
        let mut http2 = Http2::open(scene.stack.address(), &closed)
            .await
            .expect("connect");
        for stream in (1..2 * STREAMS).step_by(2) {
            http2
                .pour(&http2::headers(stream, &fields, true))
                .await
                .expect("sent");
        }
        shut.push(http2);
    }
    scene.others.progress(ROUNDS).await;
    // Byte by byte: so many frames of one byte come back, and the rest waits.
    for http2 in &mut shut {
        let mut of_others = Vec::new();
        for _ in 0..BYTES {
            http2.send(&http2::window(1, 1)).await.expect("sent");
            loop {
                let received = http2.read().await.expect("a frame").expect("a frame");
                if received.kind == kind::DATA && received.payload.len() == 1 {
                    assert_eq!(received.stream, 1, "{on}");
                    break;
                }
                assert!(
                    received.kind != kind::DATA || received.payload.is_empty(),
                    "{on}: {} bytes through a shut window",
                    received.payload.len()
                );
                if received.stream != 1 {
                    of_others.push(received);
                }
            }
        }
        http2.put_back(of_others);
    }
    scene.others.progress(1).await;
    // Whoever opens it after all gets the whole answer; the other streams end with the connection.
    for (number, mut http2) in shut.into_iter().enumerate() {
        let room = http2::window(3, expected.len() as u32);
        http2.pour(&room).await.expect("sent");
        let answer = http2.answer(3).await.expect("an answer");
        let answer = answer.unwrap_or_else(|| panic!("{on}: connection {number}: no answer"));
        assert_eq!(answer.0, 200, "{on}");
        assert!(answer.1 == expected.as_bytes(), "{on}: another summary");
        if number % 2 == 0 {
            http2.abort().expect("reset");
        }
    }
    for (number, mut connection) in silent.into_iter().enumerate() {
        if number % 2 == 0 {
            let answer = connection.read().expect("an answer").expect("an answer");
            assert!(answer.body == expected.as_bytes(), "{on}: another summary");
        } else {
            connection.abort().expect("reset");
        }
    }
}
