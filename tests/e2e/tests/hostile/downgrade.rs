//! Requests over HTTP/2 that would be cut in two once somebody writes them down as HTTP/1.1: each is refused whole.

use e2e::http2::{self, Http2};
use e2e::{Call, Version};

use super::scene::Scene;

/// How often all shapes are tried.
const TIMES: usize = 2;
const ENTRY: &[u8] = br#"{"points":1}"#;

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

pub async fn shapes(scene: &mut Scene<'_>) {
    let on = scene.on();
    let customer = scene.customer("downgraded");
    let path = format!("/reward-points/customer/{customer}/addPoints");
    let bearer = format!("Bearer {}", scene.token);
    for _ in 0..TIMES {
        // All at once: a server that ends a connection for it may take its time.
        let mut said = Vec::new();
        for (name, fields) in table(&path, &bearer) {
            let mut http2 = Http2::open(scene.stack.address(), &[])
                .await
                .expect("connect");
            let frames = [
                http2::headers(1, &fields, false),
                http2::data(1, ENTRY, true),
            ];
            let open = http2.pour(&frames.concat()).await.expect("sent");
            said.push((name, http2, open));
        }
        scene.others.progress(1).await;
        for (name, mut http2, open) in said {
            let what = format!("{on}: {name}");
            let answer = if open {
                http2
                    .answer(1)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error}"))
            } else {
                None
            };
            // Reset, hung up on, or told so.
            let status = answer.map(|(status, _)| status);
            assert!(matches!(status, None | Some(400)), "{what}: {status:?}");
        }
    }
    let mut client = scene.client(Version::Http2).await;
    let balance = scene.ask(&mut client, Call::balance(&customer)).await;
    assert!(balance.starts_with("404 "), "{on}: carried out: {balance}");
}

fn table<'a>(path: &'a str, bearer: &'a str) -> Vec<(&'static str, Fields<'a>)> {
    let good = || http2::request("POST", path, bearer);
    let with = |name: &'static str, value: &'static [u8]| {
        let mut fields: Fields<'a> = good();
        fields.push((name, value));
        fields
    };
    let replaced = |name: &'static str, value: &'static [u8]| -> Fields<'a> {
        let fields = good().into_iter();
        fields
            .map(|(own, had)| (own, if own == name { value } else { had }))
            .collect()
    };
    let without = |name: &'static str| -> Fields<'a> {
        good().into_iter().filter(|(own, _)| *own != name).collect()
    };
    let mut late = good();
    late.rotate_left(1);
    let mut twice = good();
    twice.insert(1, (":method", b"GET"));
    vec![
        ("a length that is too short", with("content-length", b"4")),
        ("a length that is too long", with("content-length", b"400")),
        ("a length that is none", with("content-length", b"x")),
        (
            "an encoding of HTTP/1.1",
            with("transfer-encoding", b"chunked"),
        ),
        (
            "a connection's own field",
            with("connection", b"keep-alive"),
        ),
        ("a proxy's own field", with("proxy-connection", b"close")),
        ("an upgrade", with("upgrade", b"h2c")),
        ("a line end in a value", with("x-a", b"b\r\nx-c: d")),
        ("a line feed in a value", with("x-a", b"b\nx-c: d")),
        ("a NUL in a value", with("x-a", b"b\0c")),
        ("a line end in a name", with("x-a: b\r\nx-c", b"d")),
        ("a colon in a name", with("x-a:b", b"c")),
        ("a name in upper case", with("X-A", b"b")),
        ("no name", with("", b"b")),
        (
            "a space in the path",
            replaced(":path", b"/reward-points/customer/x y"),
        ),
        (
            "a line end in the path",
            replaced(":path", b"/a HTTP/1.1\r\nhost: b\r\n\r\n"),
        ),
        ("no path", without(":path")),
        ("an empty path", replaced(":path", b"")),
        ("no method", without(":method")),
        (
            "a method with a line end",
            replaced(":method", b"GET / HTTP/1.1\r\nx: "),
        ),
        ("a method twice", twice),
        ("a method behind the fields", late),
        ("no scheme", without(":scheme")),
        ("an unknown pseudo-field", with(":status", b"200")),
    ]
}
