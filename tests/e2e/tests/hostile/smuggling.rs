//! Requests that two servers might cut in two places: one that is let through here must be cut as everybody cuts it.
//!
//! Each shape carries the bytes of another request inside. Whatever the shape is answered, the one inside must never be
//! carried out. Behind the shape stands a request of the client's own: its answer is the last, when the connection lives on.

use std::net::SocketAddr;

use e2e::{Call, Connection, Version, post_head};
use tokio::task::JoinSet;

use super::scene::Scene;

const ENTRY: &str = r#"{"points":1}"#;

/// What may come of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// 400, and the connection ends.
    Refused,
    /// Either so, or it is one request, and nothing or the next one follows.
    OnceAtMost,
}

pub async fn shapes(scene: &mut Scene<'_>) {
    let on = scene.on();
    let smuggled = scene.customer("smuggled");
    let length = format!("content-length: {}\r\n", ENTRY.len());
    let path = format!("/customer/{smuggled}/addPoints");
    let inner = format!("{}{ENTRY}", post_head(&path, &scene.token, &length));
    // All at once: a server lets a connection that it refuses linger.
    let mut saying = JoinSet::new();
    for (name, bytes, cut) in table(&inner, &scene.token) {
        let (to, last) = (scene.stack.address(), sentinel(&scene.token));
        saying.spawn_blocking(move || {
            let statuses = say(to, &[&bytes[..], last.as_bytes()].concat());
            (name, cut, statuses)
        });
    }
    scene.others.progress(1).await;
    let mut wrong = Vec::new();
    while let Some(said) = saying.join_next().await {
        let (name, cut, statuses) = said.unwrap_or_else(|error| panic!("{on}: {error}"));
        let right = match (cut, &statuses[..]) {
            (_, [400 | 426 | 501]) => true,
            // The client's own next request is the second, and nothing else is.
            (Cut::OnceAtMost, [] | [_] | [_, 404]) => true,
            _ => false,
        };
        if !right {
            wrong.push(format!("{on}: {name}: {statuses:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut client = scene.client(Version::Http1).await;
    let balance = scene.ask(&mut client, Call::balance(&smuggled)).await;
    assert!(balance.starts_with("404 "), "{on}: smuggled: {balance}");
}

/// The client's own request behind each shape.
fn sentinel(token: &str) -> String {
    format!(
        "GET /reward-points/customer/sentinel HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\r\n"
    )
}

/// Sends bytes, the last of which are the [`sentinel`], and reads until that one's answer or the end: the statuses.
fn say(to: SocketAddr, bytes: &[u8]) -> Vec<u16> {
    let mut connection = Connection::open(to).expect("connect");
    // It may be refused before it has been sent.
    let _ = connection.send(bytes);
    let mut statuses = Vec::new();
    // The connection may end in the middle of an answer: then there is nothing more to read.
    while let Ok(Some(answer)) = connection.read() {
        statuses.push(answer.status);
        if answer.text().contains("sentinel") {
            break;
        }
    }
    statuses
}

/// Name, bytes, what may come of it.
fn table(inner: &str, token: &str) -> Vec<(String, Vec<u8>, Cut)> {
    let post = |more: &str| post_head("/customer/outer/addPoints", token, more);
    let chunked = "transfer-encoding: chunked\r\n";
    let size = inner.len();
    // The whole of it as one body of a known length, and the end of a chunked one before it.
    let both = format!("0\r\n\r\n{inner}");
    let mut table = Vec::new();
    let mut shape = |name: &str, bytes: String, cut: Cut| {
        table.push((name.to_owned(), bytes.into_bytes(), cut));
    };
    for (order, head) in [
        (
            "length first",
            format!("content-length: {}\r\n{chunked}", both.len()),
        ),
        (
            "encoding first",
            format!("{chunked}content-length: {}\r\n", both.len()),
        ),
        ("a length of 4", format!("content-length: 4\r\n{chunked}")),
    ] {
        shape(
            &format!("Content-Length and Transfer-Encoding, {order}"),
            format!("{}{both}", post(&head)),
            Cut::Refused,
        );
    }
    for encoding in [
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: identity, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding : chunked\r\n",
        " transfer-encoding: chunked\r\n",
        "transfer-encoding:\r\n chunked\r\n",
        "transfer\u{2d}encoding: \"chunked\"\r\n",
    ] {
        let head = post(&format!("{encoding}content-length: {}\r\n", both.len()));
        // A line that begins with a space goes on with the one before it, where that is allowed at all: then the length counts.
        let cut = if encoding.starts_with(' ') {
            Cut::OnceAtMost
        } else {
            Cut::Refused
        };
        shape(
            &format!("{encoding:?} and a length"),
            format!("{head}{both}"),
            cut,
        );
    }
    for length in [
        "+12",
        "-12",
        "0x0c",
        "12 12",
        "12, 13",
        "1_2",
        "12\u{a0}",
        "18446744073709551628",
    ] {
        let head = post(&format!("content-length: {length}\r\n"));
        shape(
            &format!("a length of {length:?}"),
            format!("{head}{ENTRY}{inner}"),
            Cut::Refused,
        );
    }
    for chunk in [
        "-1",
        "+1",
        "0x5",
        "fffffffffffffffff",
        "5 5",
        "5\t",
        "",
        "g",
    ] {
        let body = format!("{chunk}\r\n{}\r\n0\r\n\r\n", &ENTRY[..5]);
        shape(
            &format!("a chunk of size {chunk:?}"),
            format!("{}{body}", post(chunked)),
            // White space behind a size is let pass by some.
            if chunk.starts_with('5') {
                Cut::OnceAtMost
            } else {
                Cut::Refused
            },
        );
    }
    for (name, body) in [
        (
            "a chunk that goes on behind its end",
            format!("c\r\n{ENTRY}xx\r\n0\r\n\r\n"),
        ),
        (
            "a chunk that ends with a line feed",
            format!("c\n{ENTRY}\n0\n\n"),
        ),
        (
            "a chunk's size that ends with a carriage return",
            format!("c\r{ENTRY}\r\n0\r\n\r\n"),
        ),
        (
            "an extension with a line feed in it",
            format!("c;x=\n{size:x}\r\n{ENTRY}\r\n0\r\n\r\n"),
        ),
    ] {
        shape(name, format!("{}{body}", post(chunked)), Cut::OnceAtMost);
    }
    let head = post(&format!("content-length: {}\r\n", ENTRY.len()));
    let folded = head.replace(
        "host: gateway\r\n",
        "host: gateway\r\nx-folded: a\r\n b\r\n",
    );
    let bare = head.replace("host: gateway\r\n", "host: gateway\nx-bare: a\n");
    let returned = head.replace(
        "host: gateway\r\n",
        "host: gateway\r\nx-bare: a\rcontent-length: 0\r\n",
    );
    shape(
        "a folded field",
        format!("{folded}{ENTRY}"),
        Cut::OnceAtMost,
    );
    shape(
        "fields that end with a line feed",
        format!("{bare}{ENTRY}"),
        Cut::OnceAtMost,
    );
    shape(
        "a carriage return in a field",
        format!("{returned}{ENTRY}"),
        Cut::OnceAtMost,
    );
    shape(
        "a head that ends with line feeds",
        format!("{}{ENTRY}", head.replace("\r\n", "\n")),
        Cut::OnceAtMost,
    );
    shape(
        "a body of a GET",
        format!(
            "GET /reward-points/customer/outer HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
             content-length: {size}\r\n\r\n{inner}"
        ),
        Cut::OnceAtMost,
    );
    shape(
        "chunks over HTTP/1.0",
        format!("{}{both}", post(chunked).replace("HTTP/1.1", "HTTP/1.0")),
        Cut::Refused,
    );
    shape(
        "a length that is named by Connection",
        format!(
            "{}{inner}",
            post(&format!(
                "connection: content-length\r\ncontent-length: {size}\r\n"
            ))
        ),
        Cut::OnceAtMost,
    );
    shape(
        "no name of a field",
        format!("{}{ENTRY}", head.replace("host:", ": x\r\nhost:")),
        Cut::Refused,
    );
    shape(
        "a NUL in a name",
        format!("{}{ENTRY}", head.replace("host:", "x\0y: z\r\nhost:")),
        Cut::Refused,
    );
    table
}
