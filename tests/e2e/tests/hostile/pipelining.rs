//! Pipelining over HTTP/1.1: all requests are sent at once, and their answers come in that order, each right.

use e2e::{Connection, post_head};

use super::scene::Scene;

/// Connections at the same time.
const CONNECTIONS: usize = 10;
/// Groups of requests on each.
const GROUPS: usize = 40;
const ENTRY: &str = r#"{"points":3}"#;

pub async fn pipeline(scene: &mut Scene<'_>) {
    let mut connections = Vec::new();
    for number in 0..CONNECTIONS {
        let customer = scene.customer(&format!("pipe-{number}"));
        let mut connection = Connection::open(scene.stack.address()).expect("connect");
        let (requests, expected) = script(&customer, &scene.token);
        connection.send(requests).expect("sent");
        connections.push((customer, connection, expected));
    }
    scene.others.progress(1).await;
    for (customer, mut connection, expected) in connections {
        for (place, expected) in expected.into_iter().enumerate() {
            let what = format!("{}: {customer}, answer {place}", scene.on());
            let answer = connection
                .read()
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let answer = answer.unwrap_or_else(|| panic!("{what}: hung up"));
            let brief = answer.brief();
            let right = match expected.strip_suffix('*') {
                Some(beginning) => brief.starts_with(beginning),
                None => brief == expected,
            };
            assert!(right, "{what}: {brief}, expected {expected}");
        }
    }
}

/// The bytes of all requests, and what each is answered: `*` stands for anything.
fn script(customer: &str, token: &str) -> (String, Vec<String>) {
    let path = format!("/customer/{customer}/addPoints");
    let length = format!("content-length: {}\r\n", ENTRY.len());
    let add = format!("{}{ENTRY}", post_head(&path, token, &length));
    let chunked = format!(
        "{}5\r\n{}\r\n7;x=y\r\n{}\r\n0\r\n\r\n",
        post_head(&path, token, "transfer-encoding: chunked\r\n"),
        &ENTRY[..5],
        &ENTRY[5..]
    );
    let bad = format!(
        "{}{}",
        post_head(&path, token, &length),
        ENTRY.replace('3', "0")
    );
    let get = |path: &str, authorization: &str| {
        format!("GET /reward-points{path} HTTP/1.1\r\nhost: gateway\r\n{authorization}\r\n")
    };
    let bearer = format!("authorization: Bearer {token}\r\n");
    let balance = get(&format!("/customer/{customer}"), &bearer);
    let unknown = get(&format!("/customer/{customer}-unknown"), &bearer);
    let anonymous = get(&format!("/customer/{customer}"), "");
    let nowhere = get("/nowhere", &bearer);
    let (mut requests, mut expected) = (String::new(), Vec::new());
    let mut say = |request: &str, answer: String| {
        requests.push_str(request);
        expected.push(answer);
    };
    for group in 0..GROUPS {
        let points = 6 * group;
        say(&add, "201 ".to_owned());
        say(&balance, format!("200 {}", points + 3));
        say(
            &unknown,
            format!(
                r#"404 {{"type":"resource_not_found","status":404,"message":"No reward points found for customer {customer}-unknown"}}"#
            ),
        );
        say(&chunked, "201 ".to_owned());
        say(&anonymous, "401 *".to_owned());
        say(&bad, "400 *".to_owned());
        say(&balance, format!("200 {}", points + 6));
        say(&nowhere, "404 *".to_owned());
    }
    (requests, expected)
}
