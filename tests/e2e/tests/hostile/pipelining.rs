//! Pipelining over HTTP/1.1: all requests are sent at once, and their answers come in that order, each right.

use std::net::SocketAddr;

use e2e::{Connection, post_head};
use tokio::task::JoinSet;

use super::scene::Scene;

/// Connections at the same time.
const CONNECTIONS: usize = 40;
/// Groups of requests on each.
const GROUPS: usize = 2;

type Script = Vec<(String, String)>;

pub async fn pipeline(scene: &mut Scene<'_>) {
    let mut piping = JoinSet::new();
    for number in 0..CONNECTIONS {
        let customer = scene.customer(&format!("pipe-{number}"));
        let script = script(&customer, &scene.token);
        let what = format!("{}: {customer}", scene.on());
        let to = scene.stack.address();
        // Side by side: a server lets a connection that it hangs up on linger.
        piping.spawn_blocking(move || play(&what, to, &script));
    }
    scene.others.progress(1).await;
    while let Some(ended) = piping.join_next().await {
        ended.expect("answers as in the script");
    }
}

/// Sends the whole script and reads its answers.
fn play(what: &str, to: SocketAddr, script: &Script) {
    let mut connection = say(to, script);
    let (mut answered, mut before) = (0, 0);
    while answered < script.len() {
        let what = format!("{what}, answer {answered}");
        let answer = connection.read();
        let Some(answer) = answer.unwrap_or_else(|error| panic!("{what}: {error}")) else {
            // Envoy hangs up when several answers are ready before it could send one. What was answered stands, and the
            // rest is asked again: each time there is at least one answer more.
            assert!(answered > before, "{what}: hung up");
            before = answered;
            connection = say(to, &script[answered..]);
            continue;
        };
        let (expected, brief) = (&script[answered].1, answer.brief());
        let right = match expected.strip_suffix('*') {
            Some(beginning) => brief.starts_with(beginning),
            None => brief == *expected,
        };
        assert!(right, "{what}: {brief}, expected {expected}");
        answered += 1;
    }
}

/// All of these requests at once, on a new connection.
fn say(to: SocketAddr, script: &[(String, String)]) -> Connection {
    let mut connection = Connection::open(to).expect("connect");
    let requests: String = script.iter().map(|(request, _)| request.as_str()).collect();
    connection.send(requests).expect("sent");
    connection
}

/// Requests, and what each is answered: `*` stands for anything. One that is sent again has no other effect than once.
fn script(customer: &str, token: &str) -> Script {
    let path = format!("/customer/{customer}/addPoints");
    let add = |id: usize| {
        let body = format!(r#"{{"points":3,"id":"add-{id}"}}"#);
        let length = format!("content-length: {}\r\n", body.len());
        format!("{}{body}", post_head(&path, token, &length))
    };
    let chunked = |id: usize| {
        let body = format!(r#"{{"points":3,"id":"chunked-{id}"}}"#);
        let (one, two) = body.split_at(5);
        let head = post_head(&path, token, "transfer-encoding: chunked\r\n");
        format!(
            "{head}5\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n",
            two.len()
        )
    };
    let get = |path: &str, authorization: &str| {
        format!("GET /reward-points{path} HTTP/1.1\r\nhost: gateway\r\n{authorization}\r\n")
    };
    let bearer = format!("authorization: Bearer {token}\r\n");
    let balance = get(&format!("/customer/{customer}"), &bearer);
    let unknown = get(&format!("/customer/{customer}-unknown"), &bearer);
    let anonymous = get(&format!("/customer/{customer}"), "");
    let nowhere = get("/nowhere", &bearer);
    let missing = format!(
        r#"404 {{"type":"resource_not_found","status":404,"message":"No reward points found for customer {customer}-unknown"}}"#
    );
    let group = |group: usize| {
        let points = 6 * group;
        [
            (add(group), "201 ".to_owned()),
            (balance.clone(), format!("200 {}", points + 3)),
            (unknown.clone(), missing.clone()),
            (chunked(group), "201 ".to_owned()),
            (anonymous.clone(), "401 *".to_owned()),
            (balance.clone(), format!("200 {}", points + 6)),
            (nowhere.clone(), "404 *".to_owned()),
        ]
    };
    (0..GROUPS).flat_map(group).collect()
}
