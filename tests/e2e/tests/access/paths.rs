//! Paths with more than one reading: refused before anybody behind the gateway can choose one.

use e2e::{Combination, Connection};
use serde_json::json;

use super::rules::Guarded;

/// What two servers may read differently.
const AMBIGUOUS: [&str; 43] = [
    "//orders/1",
    "/orders//1",
    "/orders/1//",
    "//",
    "/./orders/1",
    "/orders/./1",
    "/orders/.",
    "/elsewhere/../orders/1",
    "/orders/1/..",
    "/elsewhere/%2e%2e/orders/1",
    "/elsewhere/.%2E/orders/1",
    "/elsewhere/%2e/x",
    "/orders%2f1",
    "/orders/a%2Fb",
    "/elsewhere/..%2forders",
    "/orders/%2f",
    "/elsewhere/..%5corders",
    "/orders\\1",
    "/orders/a%5Cb",
    "/orders;v=1/1",
    "/orders/1;v=1",
    "/elsewhere;/../orders",
    "/orders/%3b",
    "/orders/%00",
    "/orders/1%00.txt",
    "/orders/%0a",
    "/orders/%0d%0ax-tenant:%20evil",
    "/orders/%20",
    "/orders/%c2%a0",
    "/orders/%7f",
    "/orders/%23",
    "/orders/%3fq",
    "/orders/%252e%252e",
    "/orders/%252F",
    "/orders/%25u002f",
    "/orders/%",
    "/orders/%2",
    "/orders/%zz",
    "/orders/%u002f",
    "/orders/%c0%af",
    "/orders/%ff",
    "/%72eward-points/summaryBatch",
    "/reward%2Dpoints/customer/x",
];

pub async fn check(on: Combination) {
    let guarded = Guarded::start(on).await;
    let token = guarded.token("orders.view orders.manage", json!({}));
    let forbidden = guarded.stack.stat("reward_points.access.forbidden");
    let mut asked = 0;
    for target in AMBIGUOUS {
        for method in ["GET", "POST", "OPTIONS"] {
            // Whatever it leads to, with a good token or with none.
            for bearer in [format!("authorization: Bearer {token}\r\n"), String::new()] {
                let what = format!("{on}: {method} {target}");
                let head = format!(
                    "{method} {target} HTTP/1.1\r\nhost: gateway\r\n{bearer}content-length: 0\r\n\r\n"
                );
                let mut connection = Connection::open(guarded.stack.address()).expect("connect");
                connection.send(head).expect("sent");
                let answer = connection.read().expect("an answer").expect("an answer");
                assert_eq!(answer.status, 400, "{what}: {}", answer.brief());
                assert_eq!(guarded.upstream.count(), 0, "{what}");
                asked += u64::from(is_ours(&answer.text(), target));
            }
        }
    }
    let counted = guarded.stack.stat("reward_points.access.forbidden") - forbidden;
    assert_eq!(counted, asked, "{on}");
    assert!(asked >= 6 * 40, "{on}: the filter saw {asked}");
    unread(&guarded, &token);
    guarded.stack.assert_no_vm_was_reloaded();
}

/// Whether the filter refused it: what is no request target at all the server refuses by itself.
fn is_ours(body: &str, target: &str) -> bool {
    let said: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let ours = said["detail"] == "The path can be read in more than one way";
    if ours {
        assert_eq!(said["title"], "Bad Request");
        assert_eq!(said["instance"], target);
    }
    ours
}

/// What looks odd and has one reading all the same: it is judged like any other path.
fn unread(guarded: &Guarded, token: &str) {
    let on = guarded.stack.combination();
    for (target, status) in [
        ("/orders/1/", 200),
        ("/orders/1?a=../%2f;//", 200),
        ("/orders/...", 200),
        ("/%6frders/1", 200),
        ("/orders/caf%C3%A9", 200),
        ("/orders/a:b@c!$&'()*,=~+", 200),
        ("/orders/%25", 200),
        ("/Orders/1", 200),
        ("/%6frders/internal/1", 403),
        ("/orders/intern%61l/1", 403),
    ] {
        let mut connection = Connection::open(guarded.stack.address()).expect("connect");
        let head = format!(
            "GET {target} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        connection.send(head).expect("sent");
        let answer = connection.read().expect("an answer").expect("an answer");
        assert_eq!(answer.status, status, "{on}: {target}: {}", answer.brief());
        let seen = guarded.upstream.take();
        assert_eq!(seen.len(), usize::from(status == 200), "{on}: {target}");
        assert!(
            seen.iter().all(|it| it.target == target),
            "{on}: {target}: {seen:?}"
        );
    }
    // The server as a whole: Envoy answers that by itself.
    let mut connection = Connection::open(guarded.stack.address()).expect("connect");
    connection
        .send("OPTIONS * HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .expect("sent");
    let answer = connection.read().expect("an answer").expect("an answer");
    assert!(
        [400, 404].contains(&answer.status),
        "{on}: {}",
        answer.brief()
    );
    assert_eq!(guarded.upstream.count(), 0, "{on}");
    // A target with an authority is one for a proxy: its path is judged, nothing else of it counts.
    for (target, status) in [
        ("http://gateway/orders/1", 401),
        ("http://gateway/secret", 403),
    ] {
        let mut connection = Connection::open(guarded.stack.address()).expect("connect");
        connection
            .send(format!("GET {target} HTTP/1.1\r\nhost: elsewhere\r\n\r\n"))
            .expect("sent");
        let answer = connection.read().expect("an answer").expect("an answer");
        assert_eq!(answer.status, status, "{on}: {target}: {}", answer.brief());
        assert_eq!(guarded.upstream.count(), 0, "{on}: {target}");
    }
}
