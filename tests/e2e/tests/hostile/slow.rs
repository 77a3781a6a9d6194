//! Requests that come byte by byte.

use e2e::{Call, Connection, Version, post_head};

use super::scene::Scene;

/// Connections that dribble at the same time.
const DRIBBLERS: usize = 100;
/// Between two of these bytes on each connection the others are asked to get on.
const BYTES_A_LOOK: usize = 100;
const ENTRY: &str = r#"{"points":1}"#;

/// Every byte of every head and body is a segment of its own; all of these requests are answered, each once.
pub async fn dribble(scene: &mut Scene<'_>) {
    let on = scene.on();
    let customer = scene.customer("dribbled");
    let head = post_head(
        &format!("/customer/{customer}/addPoints"),
        &scene.token,
        &format!("content-length: {}\r\n", ENTRY.len()),
    );
    let request = format!("{head}{ENTRY}");
    let mut connections: Vec<Connection> = (0..DRIBBLERS)
        .map(|_| Connection::open(scene.stack.address()).expect("connect"))
        .collect();
    for (place, byte) in request.bytes().enumerate() {
        for connection in &mut connections {
            connection
                .send([byte])
                .unwrap_or_else(|error| panic!("{on}: byte {place}: {error}"));
        }
        if place % BYTES_A_LOOK == 0 {
            scene.others.progress(1).await;
        }
    }
    for mut connection in connections {
        let answer = connection.read().expect("an answer").expect("an answer");
        assert_eq!(answer.brief(), "201 ", "{on}");
    }
    let mut client = scene.client(Version::Http2).await;
    let balance = scene.ask(&mut client, Call::balance(&customer)).await;
    assert_eq!(balance, format!("200 {DRIBBLERS}"), "{on}");
}
