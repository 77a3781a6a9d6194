//! Heads and paths of any size: within the bounds they are answered as the contract says, beyond them they are refused, and
//! neither costs the others anything.

use e2e::http2::{self, Http2, flag, frame, kind};
use e2e::{Call, Connection, Version};

use super::scene::Scene;

/// `max_request_headers_kb`, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Giants of each kind.
const EACH: usize = 2;
/// How often one field of the dynamic table is named: together 16 MiB of head in 4 KiB on the wire.
const NAMED: usize = 4_096;
const TABLE_FIELD_BYTES: usize = 4_000;

pub async fn all(scene: &mut Scene<'_>) {
    for _ in 0..EACH {
        over_http1(scene);
        scene.others.progress(1).await;
        over_http2(scene).await;
        scene.others.progress(1).await;
        bomb(scene).await;
    }
}

fn over_http1(scene: &Scene<'_>) {
    let on = scene.on();
    let authorization = format!("authorization: Bearer {}\r\n", scene.token);
    let ask = |path: &str, more: &str| {
        let head = format!(
            "GET /reward-points/customer/{path} HTTP/1.1\r\nhost: gateway\r\n{authorization}{more}\r\n"
        );
        let connection = Connection::open(scene.stack.address()).expect("connect");
        // It may be refused before it has been sent.
        let answer = connection.exchange(head.into_bytes());
        answer.expect("an answer or an end").map(|it| it.status)
    };
    let field = |bytes: usize| format!("x-giant: {}\r\n", "g".repeat(bytes));
    let name = |bytes: usize| format!("x-{}: g\r\n", "g".repeat(bytes));
    let id = |bytes: usize| "g".repeat(bytes);
    // Within the bounds.
    let most = MAX_HEAD_BYTES - 4 * 1024;
    assert_eq!(ask("nobody", &field(most)), Some(404), "{on}");
    assert_eq!(ask("nobody", &name(most)), Some(404), "{on}");
    assert_eq!(ask(&id(most), ""), Some(400), "{on}: a path");
    assert_eq!(
        ask(&format!("x?{}", id(most)), ""),
        Some(404),
        "{on}: a query"
    );
    assert_eq!(ask(&"g/".repeat(most / 2), ""), Some(404), "{on}: segments");
    assert_eq!(ask(&"%67".repeat(most / 3), ""), Some(400), "{on}: escapes");
    // Beyond them: refused, or hung up on in the middle of it.
    for bytes in [MAX_HEAD_BYTES + 1024, 1024 * 1024, 8 * 1024 * 1024] {
        for (path, more) in [
            ("nobody".to_owned(), field(bytes)),
            ("nobody".to_owned(), name(bytes)),
            (id(bytes), String::new()),
        ] {
            let status = ask(&path, &more);
            assert!(
                matches!(status, None | Some(400 | 414 | 431)),
                "{on}: {bytes} bytes: {status:?}"
            );
        }
    }
}

async fn over_http2(scene: &Scene<'_>) {
    let on = scene.on();
    let bearer = format!("Bearer {}", scene.token);
    for (bytes, fits) in [
        (MAX_HEAD_BYTES - 4 * 1024, true),
        (MAX_HEAD_BYTES + 1024, false),
        (1024 * 1024, false),
    ] {
        let giant = vec![b'g'; bytes];
        let mut fields = http2::request("GET", "/reward-points/customer/nobody", &bearer);
        fields.push(("x-giant", &giant));
        let mut http2 = Http2::open(scene.stack.address(), &[])
            .await
            .expect("connect");
        let open = http2
            .pour(&in_frames(&http2::block(&fields)))
            .await
            .expect("sent");
        let answer = if open {
            http2.answer(1).await.expect("an answer or an end")
        } else {
            None
        };
        let status = answer.map(|(status, _)| status);
        let right = match status {
            Some(404) => fits,
            None | Some(431) => !fits,
            Some(_) => false,
        };
        assert!(right, "{on}: {bytes} bytes: {status:?}");
    }
}

/// A head of many frames, as large as a frame may be.
fn in_frames(block: &[u8]) -> Vec<u8> {
    const MAX_FRAME_BYTES: usize = 16 * 1024;
    let last = block.len().div_ceil(MAX_FRAME_BYTES) - 1;
    let frames = block.chunks(MAX_FRAME_BYTES).enumerate();
    frames
        .flat_map(|(number, part)| {
            let end = if number == last { flag::END_HEADERS } else { 0 };
            match number {
                0 => frame(kind::HEADERS, end | flag::END_STREAM, 1, part),
                _ => frame(kind::CONTINUATION, end, 1, part),
            }
        })
        .collect()
}

/// A few bytes that stand for many: one large field is put into the peer's table and named thousands of times.
async fn bomb(scene: &mut Scene<'_>) {
    let on = scene.on();
    let bearer = format!("Bearer {}", scene.token);
    let fields = http2::request("GET", "/reward-points/customer/nobody", &bearer);
    let mut block = http2::block(&fields);
    let large = vec![b'b'; TABLE_FIELD_BYTES];
    let mut remembered = http2::block(&[("x-bomb", &large)]);
    // A literal that is remembered (RFC 7541, 6.2.1); from then on it is the first of the dynamic table, number 62.
    remembered[0] = 0x40;
    block.extend(remembered);
    block.extend(vec![0x80 | 62; NAMED]);
    let mut http2 = Http2::open(scene.stack.address(), &[])
        .await
        .expect("connect");
    let open = http2.pour(&in_frames(&block)).await.expect("sent");
    let answer = if open {
        http2.answer(1).await.expect("an answer or an end")
    } else {
        None
    };
    let status = answer.map(|(status, _)| status);
    assert!(matches!(status, None | Some(431)), "{on}: {status:?}");
    let mut client = scene.client(Version::Http2).await;
    let nobody = scene.ask(&mut client, Call::balance("nobody")).await;
    assert!(nobody.starts_with("404 "), "{on}: {nobody}");
}
