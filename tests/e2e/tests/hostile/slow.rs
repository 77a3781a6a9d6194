//! Requests that come byte by byte, and requests that never come whole.

use e2e::http2::{self, Http2, frame, kind};
use e2e::{Call, Connection, Version, post_head};
use testbed::GatewayKind;

use super::scene::Scene;

/// Connections that dribble at the same time: to Envoy, and to `host-sim`, which waits 10 s for a head, however slow the
/// machine.
const DRIBBLERS: usize = 100;
const DRIBBLERS_IN_HOST_SIM: usize = 10;
/// Between two of these bytes on each connection the others are asked to get on.
const BYTES_A_LOOK: usize = 100;
/// Connections that hang in each way.
const HANGERS: usize = 40;
/// Rounds of the others while all hang.
const ROUNDS: u64 = 10;
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
    let dribblers = match scene.stack.combination().gateway {
        GatewayKind::Envoy => DRIBBLERS,
        GatewayKind::HostSim => DRIBBLERS_IN_HOST_SIM,
    };
    let mut connections: Vec<Connection> = (0..dribblers)
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
    assert_eq!(balance, format!("200 {dribblers}"), "{on}");
}

/// Half a head, a head without its body, half a body: the gateway ends each of them by itself, by its limits of time, and
/// nothing comes of it.
pub async fn hang(scene: &mut Scene<'_>) {
    let on = scene.on();
    let customer = scene.customer("hung");
    let path = format!("/customer/{customer}/addPoints");
    let head = post_head(&path, &scene.token, "content-length: 12\r\n");
    let chunked = post_head(&path, &scene.token, "transfer-encoding: chunked\r\n");
    let beginnings = [
        "POST /reward".to_owned(),
        head[..head.len() / 2].to_owned(),
        head.clone(),
        format!("{head}{{\"poi"),
        chunked.clone(),
        format!("{chunked}c\r\n{ENTRY}\r\n"),
    ];
    let mut connections = Vec::new();
    for beginning in beginnings.iter().cycle().take(HANGERS * beginnings.len()) {
        let mut connection = Connection::open(scene.stack.address()).expect("connect");
        connection.send(beginning).expect("sent");
        connections.push((beginning, connection));
    }
    let bearer = format!("Bearer {}", scene.token);
    let path = format!("/reward-points{path}");
    let fields = http2::request("POST", &path, &bearer);
    let block = http2::block(&fields);
    let whole = http2::headers(1, &fields, false);
    let openings = [
        // A head that says that more of it comes.
        frame(kind::HEADERS, 0, 1, &block[..block.len() / 2]),
        whole.clone(),
        [whole, http2::data(1, b"{\"poi", false)].concat(),
    ];
    let mut streams = Vec::new();
    for opening in openings.iter().cycle().take(HANGERS * openings.len()) {
        let mut http2 = Http2::open(scene.stack.address(), &[])
            .await
            .expect("connect");
        http2.send(opening).await.expect("sent");
        streams.push(http2);
    }
    scene.others.progress(ROUNDS).await;
    for (beginning, mut connection) in connections {
        let end = connection.read();
        let end = end.unwrap_or_else(|error| panic!("{on}: {beginning}: {error}"));
        let status = end.map(|answer| answer.status);
        assert!(
            matches!(status, None | Some(408)),
            "{on}: {beginning}: {status:?}"
        );
    }
    for mut http2 in streams {
        let end = http2
            .answer(1)
            .await
            .unwrap_or_else(|error| panic!("{on}: {error}"));
        let status = end.map(|(status, _)| status);
        assert!(matches!(status, None | Some(408)), "{on}: {status:?}");
    }
    let mut client = scene.client(Version::Http1).await;
    let balance = scene.ask(&mut client, Call::balance(&customer)).await;
    assert!(balance.starts_with("404 "), "{on}: {balance}");
}
