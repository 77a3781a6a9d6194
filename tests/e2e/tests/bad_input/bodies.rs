//! Bodies that are no entry.

use bytes::Bytes;
use e2e::{Call, Client, Stack, Version};

use crate::{Body, judge};

/// The configured bound on a body.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The gateway reads JSON nested so deep, and no deeper.
const MAX_NESTING: usize = 32;

pub async fn check(stack: &Stack, version: Version) {
    let on = format!("{} {version:?}", stack.combination());
    let token = stack.token("acme");
    let mut client = Client::connect(stack.address(), version)
        .await
        .expect("connect");
    for (name, body, status) in rows() {
        for operation in ["addPoints", "redeemPoints"] {
            let what = format!("{on}: {operation} of {name}");
            let path = format!("/customer/nobody-{version:?}/{operation}");
            let answer = client
                .send(&Call::post(&path, body.clone()).bearer(&token))
                .await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
            judge(&what, &answer, status, Body::Ours);
        }
    }
    // In parts, of no announced length: the bound holds all the same, below and above the server's own.
    for bytes in [MAX_BODY_BYTES + 1, 4 * 1024 * 1024] {
        let what = format!("{on}: {bytes} bytes in parts");
        let call = Call::add("nobody", "").bearer(&token);
        let parts = vec![Bytes::from(vec![b' '; 16 * 1024]); bytes.div_ceil(16 * 1024)];
        let answer = client.send_parts(&call, parts, None).await;
        let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
        judge(&what, &answer, 413, Body::Ours);
    }
    // Nothing of all that had an effect.
    let customer = format!("nobody-{version:?}");
    let balance = client.send(&Call::balance(&customer).bearer(&token)).await;
    judge(&on, &balance.expect("an answer"), 404, Body::Ours);

    // As large as allowed, as deep as allowed, and in parts that end with trailers: accepted.
    let customer = format!("large-{version:?}");
    let mut largest = br#"{"points":1}"#.to_vec();
    largest.resize(MAX_BODY_BYTES, b' ');
    let deepest = nested(MAX_NESTING);
    for body in [largest, deepest.into_bytes()] {
        let what = format!("{on}: {} bytes", body.len());
        let answer = client
            .send(&Call::add(&customer, body).bearer(&token))
            .await;
        judge(&what, &answer.expect("an answer"), 201, Body::Empty);
    }
    let call = Call::add(&customer, "").bearer(&token);
    let parts = vec![
        Bytes::from_static(br#"{"poi"#),
        Bytes::from_static(br#"nts":1}"#),
    ];
    let answer = client
        .send_parts(&call, parts, Some(("x-checksum", "1")))
        .await;
    judge(
        &format!("{on}: trailers"),
        &answer.expect("an answer"),
        201,
        Body::Empty,
    );
    let balance = client.send(&Call::balance(&customer).bearer(&token)).await;
    assert_eq!(balance.expect("an answer").brief(), "200 3", "{on}");
}

/// Name, body, status.
fn rows() -> Vec<(String, Bytes, u16)> {
    let mut rows: Vec<(String, Bytes, u16)> = [
        "",
        " ",
        "hello",
        "{",
        "{}",
        r#"{"points":1"#,
        r#"{"points":1}}"#,
        r#"{"points":1,}"#,
        "null",
        "[]",
        r#"[{"points":1}]"#,
        "1",
        r#""points""#,
        r#"{'points':1}"#,
        r#"{"points":1,"points":1}"#,
        r#"{"points":1,"x":{"y":1,"y":2}}"#,
        r#"{"Points":1}"#,
        r#"{"points":0}"#,
        r#"{"points":-1}"#,
        r#"{"points":-0}"#,
        r#"{"points":1.5}"#,
        r#"{"points":1.0}"#,
        r#"{"points":1e3}"#,
        r#"{"points":2147483648}"#,
        r#"{"points":99999999999999999999}"#,
        r#"{"points":01}"#,
        r#"{"points":+1}"#,
        r#"{"points":"1"}"#,
        r#"{"points":null}"#,
        r#"{"points":true}"#,
        r#"{"points":[1]}"#,
        r#"{"points":{}}"#,
        r#"{"points":NaN}"#,
        r#"{"points":1,"id":1}"#,
        r#"{"points":1,"id":""}"#,
        r#"{"points":1,"id":"a\u0000"}"#,
        r#"{"points":1,"description":7}"#,
        r#"{"points":1,"description":["x"]}"#,
        r#"{"points":1,"description":"\ud800"}"#,
    ]
    .into_iter()
    .map(|body| (body.to_owned(), Bytes::from_static(body.as_bytes()), 400))
    .collect();
    let long_id = format!(r#"{{"points":1,"id":"{}"}}"#, "x".repeat(129));
    rows.push(("an id of 129 bytes".to_owned(), long_id.into(), 400));
    for levels in [MAX_NESTING + 1, 10_000] {
        rows.push((format!("{levels} levels"), nested(levels).into(), 400));
    }
    let not_utf8 = Bytes::from_static(b"{\"points\":1,\"description\":\"\xff\"}");
    rows.push(("a byte that is no UTF-8".to_owned(), not_utf8, 400));
    let utf16: Bytes = "{\"points\":1}"
        .bytes()
        .flat_map(|byte| [byte, 0])
        .collect();
    rows.push(("UTF-16".to_owned(), utf16, 400));
    for bytes in [MAX_BODY_BYTES + 1, 4 * 1024 * 1024] {
        rows.push((format!("{bytes} bytes"), vec![b' '; bytes].into(), 413));
    }
    rows
}

/// An entry whose deepest value stands `levels` deep, the entry itself being the first.
fn nested(levels: usize) -> String {
    let inner = levels - 1;
    format!(
        r#"{{"points":1,"x":{}{}}}"#,
        "[".repeat(inner),
        "]".repeat(inner)
    )
}
