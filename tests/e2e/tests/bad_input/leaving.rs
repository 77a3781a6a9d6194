//! Clients that go away in the middle.

use std::time::{Duration, Instant};

use e2e::{Call, Client, Connection, Stack, Version, post_head};

/// Clients that leave in each way: more than there are workers.
const LEAVERS: usize = 12;
/// How long the gateway may take to notice something.
const BOUND: Duration = Duration::from_secs(10);

pub async fn check(stack: &mut Stack) {
    let on = stack.combination();
    let token = stack.token("acme");
    for _ in 0..LEAVERS {
        // In the middle of the head, of the body, and between the two.
        let head = post_head("/customer/left/addPoints", &token, "content-length: 12\r\n");
        for said in [&head[..head.len() / 2], &head, &format!("{head}{{\"poi")] {
            let mut connection = Connection::open(stack.address()).expect("connect");
            connection.send(said).expect("sent");
            drop(connection);
            let mut connection = Connection::open(stack.address()).expect("connect");
            connection.send(said).expect("sent");
            // Half closed: this client will say no more, and still listens.
            connection.end().expect("end");
            if let Some(answer) = connection.read().expect("an answer or an end") {
                assert!(answer.status < 500, "{on}: {}", answer.brief());
            }
        }
    }
    let mut client = Client::connect(stack.address(), Version::Http1)
        .await
        .expect("connect");
    let balance = client
        .send(&Call::balance("left").bearer(&token))
        .await
        .expect("an answer");
    assert_eq!(
        balance.status,
        404,
        "{on}: half a request had an effect: {}",
        balance.brief()
    );
    while_waiting(stack, &token).await;
}

/// The engine holds still, clients send whole requests and leave: what they asked for is done once or not at all, and a
/// repetition under the same id settles it.
async fn while_waiting(stack: &mut Stack, token: &str) {
    let on = stack.combination();
    stack.engine.process().freeze();
    for number in 0..LEAVERS {
        let body = format!(r#"{{"id":"add-{number}","points":1}}"#);
        let more = format!("content-length: {}\r\n", body.len());
        let mut connection = Connection::open(stack.address()).expect("connect");
        connection
            .send(post_head("/customer/waits/addPoints", token, &more))
            .expect("sent");
        connection.send(body).expect("sent");
    }
    stack.engine.process().thaw();
    let deadline = Instant::now() + BOUND;
    let mut client = Client::connect(stack.address(), Version::Http2)
        .await
        .expect("connect");
    for number in 0..LEAVERS {
        let body = format!(r#"{{"id":"add-{number}","points":1}}"#);
        let add = Call::add("waits", body).bearer(token);
        loop {
            let answer = client
                .send(&add)
                .await
                .unwrap_or_else(|error| panic!("{on}: {error}"));
            if answer.status == 201 {
                break;
            }
            assert_eq!(answer.status, 503, "{on}: {}", answer.brief());
            assert!(Instant::now() < deadline, "{on}: {}", answer.brief());
        }
    }
    let balance = client
        .send(&Call::balance("waits").bearer(token))
        .await
        .expect("an answer");
    assert_eq!(balance.brief(), format!("200 {LEAVERS}"), "{on}");
}
