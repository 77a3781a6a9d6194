//! Bytes that a well-behaved client never sends.

use e2e::{Answer, Connection, Stack, post_head};

use crate::{Body, judge};

const ENTRY: &str = r#"{"points":1}"#;

pub fn check(stack: &Stack) {
    let on = stack.combination();
    let token = stack.token("acme");
    for (name, request, status, body) in rows(&token) {
        let what = format!("{on}: {name}");
        let answer = ask(stack, &request).unwrap_or_else(|| panic!("{what}: no answer"));
        judge(&what, &answer, status, body);
    }
    slow_body(stack, &token);
    chunks_with_trailers(stack, &token);
    continued(stack, &token);
}

/// Name, request, status, whose words.
fn rows(token: &str) -> Vec<(&'static str, Vec<u8>, u16, Body)> {
    let get = |more: &[u8]| {
        let head = format!(
            "GET /reward-points/summaryBatch HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n"
        );
        [head.as_bytes(), more, b"\r\n"].concat()
    };
    let post = |more: &str, body: &str| {
        let head = post_head("/customer/wire/addPoints", token, more);
        [head.as_bytes(), body.as_bytes()].concat()
    };
    let bare = |more: &[u8]| {
        [
            b"GET /reward-points/summaryBatch HTTP/1.1\r\nhost: gateway\r\n",
            more,
            b"\r\n",
        ]
        .concat()
    };
    let keyed = |value: &[u8]| {
        let head = post_head("/customer/wire/addPoints", token, "content-length: 12\r\n");
        let head = head.strip_suffix("\r\n").unwrap_or(&head).to_owned();
        [
            head.as_bytes(),
            b"idempotency-key: ",
            value,
            b"\r\n\r\n",
            ENTRY.as_bytes(),
        ]
        .concat()
    };
    let authorization = format!("authorization: Bearer {token}\r\n");
    let many_headers: String = (0..120)
        .map(|number| format!("x-{number}: y\r\n"))
        .collect();
    vec![
        (
            "0xFF in a header that nobody reads",
            get(b"x-thing: a\xffb\r\n"),
            200,
            Body::Servers,
        ),
        (
            "0xFF in many headers",
            get(&b"x-thing: \xff\xfe\xfd\r\n".repeat(20)),
            200,
            Body::Servers,
        ),
        (
            "0xFF in Authorization",
            bare(b"authorization: Bearer \xff\xff\r\n"),
            401,
            Body::Ours,
        ),
        (
            "0xFF in Accept",
            get(b"accept: \xff/\xff\r\n"),
            200,
            Body::Servers,
        ),
        (
            "0xFF in Emporix-Tenant",
            get(b"emporix-tenant: acm\xff\r\n"),
            403,
            Body::Ours,
        ),
        ("0xFF in Idempotency-Key", keyed(b"a\xff"), 400, Body::Ours),
        ("a space in Idempotency-Key", keyed(b"a b"), 400, Body::Ours),
        (
            "an Idempotency-Key of 256 bytes",
            keyed(&[b'k'; 256]),
            400,
            Body::Ours,
        ),
        (
            "two Authorization headers",
            get(authorization.as_bytes()),
            400,
            Body::Ours,
        ),
        (
            "two Authorization headers, one of them bad",
            get(b"authorization: Bearer x\r\n"),
            400,
            Body::Ours,
        ),
        (
            "two Idempotency-Key headers",
            post(
                "idempotency-key: a\r\nidempotency-key: a\r\ncontent-length: 12\r\n",
                ENTRY,
            ),
            400,
            Body::Ours,
        ),
        (
            "a token over 8 KiB",
            bare(format!("authorization: Bearer {}\r\n", "a".repeat(9000)).as_bytes()),
            401,
            Body::Ours,
        ),
        ("no body and no length", post("", ""), 400, Body::Ours),
        (
            "a length of 0",
            post("content-length: 0\r\n", ""),
            400,
            Body::Ours,
        ),
        (
            "an empty chunked body",
            post("transfer-encoding: chunked\r\n", "0\r\n\r\n"),
            400,
            Body::Ours,
        ),
        (
            "a length over the bound, and no body yet",
            post("content-length: 70000\r\n", ""),
            413,
            Body::Ours,
        ),
        (
            "a huge length, and no body yet",
            post("content-length: 99999999999\r\n", ""),
            413,
            Body::Ours,
        ),
        (
            "two Content-Type headers",
            post(
                "content-type: application/json\r\ncontent-length: 12\r\n",
                ENTRY,
            ),
            415,
            Body::Ours,
        ),
        (
            "a chunk that is no chunk",
            post("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
            400,
            Body::Servers,
        ),
        (
            "a length that is none",
            post("content-length: many\r\n", ENTRY),
            400,
            Body::Servers,
        ),
        (
            "two different lengths",
            post("content-length: 12\r\ncontent-length: 11\r\n", ENTRY),
            400,
            Body::Servers,
        ),
        (
            "a NUL in a header",
            get(b"x-thing: a\0b\r\n"),
            400,
            Body::Servers,
        ),
        (
            "no HTTP at all",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            400,
            Body::Servers,
        ),
        (
            "a space in the path",
            get(b"")
                .iter()
                .map(|byte| if *byte == b'-' { b' ' } else { *byte })
                .collect(),
            400,
            Body::Servers,
        ),
        (
            "120 headers",
            get(many_headers.as_bytes()),
            431,
            Body::Servers,
        ),
    ]
}

/// The answer to one request on a connection of its own.
fn ask(stack: &Stack, request: &[u8]) -> Option<Answer> {
    let mut connection = Connection::open(stack.address()).expect("connect");
    // The peer may answer and close before it has read everything.
    let _ = connection.send(request);
    connection.read().expect("an answer or an end")
}

/// One byte a segment: an answer comes when the body is whole, not before.
fn slow_body(stack: &Stack, token: &str) {
    let on = stack.combination();
    let mut connection = Connection::open(stack.address()).expect("connect");
    let head = post_head("/customer/slow/addPoints", token, "content-length: 12\r\n");
    connection.send(&head).expect("sent");
    for byte in ENTRY.bytes() {
        connection.send([byte]).expect("sent");
        std::thread::yield_now();
    }
    let answer = connection.read().expect("an answer").expect("an answer");
    judge(
        &format!("{on}: a body byte by byte"),
        &answer,
        201,
        Body::Empty,
    );
    // The connection is as good as before, also after a refusal of what came whole.
    for (body, status, words) in [
        ("{\"points\":0}", 400, Body::Ours),
        (ENTRY, 201, Body::Empty),
    ] {
        connection.send(&head).expect("sent");
        connection.send(body).expect("sent");
        let answer = connection
            .read()
            .expect("an answer")
            .expect("an answer on the same connection");
        judge(
            &format!("{on}: {body} on the same connection"),
            &answer,
            status,
            words,
        );
    }
}

fn chunks_with_trailers(stack: &Stack, token: &str) {
    let on = stack.combination();
    let mut connection = Connection::open(stack.address()).expect("connect");
    let head = post_head(
        "/customer/slow/addPoints",
        token,
        "transfer-encoding: chunked\r\ntrailer: x-sum\r\n",
    );
    connection.send(head).expect("sent");
    connection
        .send("5;ext=1\r\n{\"poi\r\n7\r\nnts\":1}\r\n0\r\nx-sum: \u{ff}\r\n\r\n")
        .expect("sent");
    let answer = connection.read().expect("an answer").expect("an answer");
    judge(
        &format!("{on}: chunks and trailers"),
        &answer,
        201,
        Body::Empty,
    );
}

/// A client that asks first is told to go on.
fn continued(stack: &Stack, token: &str) {
    let on = stack.combination();
    let mut connection = Connection::open(stack.address()).expect("connect");
    let head = post_head(
        "/customer/slow/addPoints",
        token,
        "content-length: 12\r\nexpect: 100-continue\r\n",
    );
    connection.send(head).expect("sent");
    connection.send(ENTRY).expect("sent");
    let answer = connection.read().expect("an answer").expect("an answer");
    judge(
        &format!("{on}: Expect: 100-continue"),
        &answer,
        201,
        Body::Empty,
    );
}
