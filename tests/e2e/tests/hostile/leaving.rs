//! Clients that break off: after the head, in the body, while the filter waits for the engine, while the answer is written.
//!
//! Over HTTP/1.1 the connection is reset, over HTTP/2 the stream. What was asked for by then is done once or not at all, and
//! the same id sent again settles it.

use e2e::http2::{self, Http2};
use e2e::{Call, Connection, Version, post_head};

use super::history;
use super::scene::Scene;

/// Connections that are reset at each stage.
const CONNECTIONS: usize = 60;
/// Connections over HTTP/2, and streams on each: fewer than a server takes for a flood of resets.
const MULTIPLEXED: usize = 20;
const STREAMS: u32 = 60;
/// Answers that are broken off in each way.
const ANSWERS: usize = 30;
/// What is read of them before: less than a tenth of one.
const SIP_BYTES: usize = 32 * 1024;
/// Requests that are sent again at once.
const TOGETHER: usize = 100;

/// Requests that are broken off before they are answered.
pub async fn requests(scene: &mut Scene<'_>) {
    let whole = scene.customer("reset-whole");
    let half = scene.customer("reset-half");
    let mut ids = Vec::new();
    for number in 0..CONNECTIONS {
        let id = format!("one-{number}");
        let body = entry(&id);
        let length = format!("content-length: {}\r\n", body.len());
        let head = |customer: &str| {
            post_head(
                &format!("/customer/{customer}/addPoints"),
                &scene.token,
                &length,
            )
        };
        for said in [
            head(&half),
            format!("{}{}", head(&half), &body[..body.len() / 2]),
            format!("{}{body}", head(&whole)),
        ] {
            let mut connection = Connection::open(scene.stack.address()).expect("connect");
            connection.send(said).expect("sent");
            connection.abort().expect("reset");
        }
        ids.push(id);
    }
    scene.others.progress(1).await;
    let bearer = format!("Bearer {}", scene.token);
    let path = |customer: &str| format!("/reward-points/customer/{customer}/addPoints");
    let (to_half, to_whole) = (path(&half), path(&whole));
    for connection in 0..MULTIPLEXED {
        let mut http2 = Http2::open(scene.stack.address(), &[])
            .await
            .expect("connect");
        for stream in (1..).step_by(2).take(STREAMS as usize) {
            let id = format!("two-{connection}-{stream}");
            let body = entry(&id);
            let (half, cut) = body.as_bytes().split_at(body.len() / 2);
            assert!(!cut.is_empty());
            // At each of the stages in turn.
            let said = match stream % 3 {
                0 => http2::headers(stream, &http2::request("POST", &to_half, &bearer), false),
                1 => [
                    http2::headers(stream, &http2::request("POST", &to_half, &bearer), false),
                    http2::data(stream, half, false),
                ]
                .concat(),
                _ => {
                    ids.push(id);
                    [
                        http2::headers(stream, &http2::request("POST", &to_whole, &bearer), false),
                        http2::data(stream, body.as_bytes(), true),
                    ]
                    .concat()
                }
            };
            http2.pour(&said).await.expect("sent");
            // Some together with the request, some when the filter has asked the engine.
            if stream % 4 == 1 {
                tokio::task::yield_now().await;
            }
            http2.pour(&http2::reset(stream)).await.expect("reset");
        }
        if connection % 2 == 0 {
            http2.abort().expect("reset");
        }
        scene.others.progress(1).await;
    }
    settle(scene, &whole, &half, &ids).await;
}

/// Every request that was sent whole is sent again under its id: then each has been done, and done once.
async fn settle(scene: &Scene<'_>, whole: &str, half: &str, ids: &[String]) {
    let on = scene.on();
    let mut client = scene.client(Version::Http2).await;
    for ids in ids.chunks(TOGETHER) {
        let calls: Vec<Call> = ids
            .iter()
            .map(|id| Call::add(whole, entry(id)).bearer(&scene.token))
            .collect();
        for answer in client.send_together(&calls).await {
            let answer = answer.unwrap_or_else(|error| panic!("{on}: {error}"));
            assert_eq!(answer.brief(), "201 ", "{on}");
        }
    }
    let balance = scene.ask(&mut client, Call::balance(whole)).await;
    assert_eq!(balance, format!("200 {}", ids.len()), "{on}");
    let nothing = scene.ask(&mut client, Call::balance(half)).await;
    assert!(
        nothing.starts_with("404 "),
        "{on}: half a request: {nothing}"
    );
}

fn entry(id: &str) -> String {
    format!(r#"{{"id":"{id}","points":1}}"#)
}

/// Long answers that are broken off after their beginning.
pub async fn answers(scene: &mut Scene<'_>) {
    let expected = history::prepare(scene).await;
    let path = format!("/reward-points/customer/{}/summary", history::CUSTOMER);
    let ask = format!(
        "GET {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\r\n",
        scene.token
    );
    for number in 0..ANSWERS {
        let mut connection = Connection::open(scene.stack.address()).expect("connect");
        connection.send(&ask).expect("sent");
        let read = connection
            .sip(SIP_BYTES)
            .expect("the beginning of an answer");
        assert!(read > 0, "{}: no answer", scene.on());
        if number % 2 == 0 {
            connection.abort().expect("reset");
        }
    }
    scene.others.progress(1).await;
    let bearer = format!("Bearer {}", scene.token);
    let fields = http2::request("GET", &path, &bearer);
    let mut http2 = Http2::open(scene.stack.address(), &[])
        .await
        .expect("connect");
    let last = 2 * ANSWERS as u32 + 1;
    for stream in (1..last).step_by(2) {
        http2
            .pour(&http2::headers(stream, &fields, true))
            .await
            .expect("sent");
        // The beginning of its body, as far as the window goes, and then no more of it.
        loop {
            let received = http2.read().await.expect("a frame").expect("a frame");
            if received.kind == http2::kind::DATA && received.stream == stream {
                let more = http2::window(0, received.payload.len() as u32);
                http2.send(&more).await.expect("sent");
                break;
            }
            if received.kind == http2::kind::DATA && !received.payload.is_empty() {
                let more = http2::window(0, received.payload.len() as u32);
                http2.send(&more).await.expect("sent");
            }
        }
        http2.pour(&http2::reset(stream)).await.expect("reset");
    }
    // The same connection still carries a whole answer to whoever reads it.
    http2
        .pour(&http2::headers(last, &fields, true))
        .await
        .expect("sent");
    let answer = http2
        .answer(last)
        .await
        .expect("an answer")
        .expect("an answer");
    assert_eq!(answer.0, 200, "{}", scene.on());
    assert!(
        answer.1 == expected.as_bytes(),
        "{}: another summary",
        scene.on()
    );
}
