//! Floods of frames over HTTP/2: what is cheap to send and makes work for whoever receives it.
//!
//! The table says which of them end the connection, by the protocol or by a bound of `envoy/envoy.yaml`. All run at the same
//! time, for a server lets a connection that it refuses linger; the others get on meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::http2::{self, Http2, flag, frame, kind};
use tokio::task::JoinSet;

use super::scene::Scene;

/// Connections of each flood.
const CONNECTIONS: usize = 2;
/// Frames on each connection.
const FRAMES: usize = 20_000;
/// Streams that are opened and reset at once: well over what Envoy lets pass.
const RESETS: u32 = 3_000;
/// Streams that are opened and stay so: well over `max_concurrent_streams`.
const STREAMS: u32 = 2_000;
/// Frames of one endless head, and bytes in each: far over `max_request_headers_kb`.
const HEAD_FRAMES: usize = 1_000;
const HEAD_FRAME_BYTES: usize = 8 * 1024;
/// A stream that no flood has opened.
const LAST: u32 = 2 * (RESETS + STREAMS) + 1;
/// How long a server may take to hang up. Under the time after which Envoy ends each connection that answers no ping.
const HANGING_UP: Duration = Duration::from_secs(30);
/// Rounds of the others meanwhile.
const ROUNDS: u64 = 5;

/// What becomes of a connection that does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// It is ended.
    Must,
    /// It is allowed, if pointless; that many may still be too many, depending on who is faster.
    May,
}

#[derive(Clone)]
struct Flood {
    name: &'static str,
    bytes: Vec<u8>,
    ends: Ends,
}

pub async fn all(scene: &mut Scene<'_>) {
    let path = format!("/reward-points/customer/{}", scene.customer("flood"));
    let post = format!("{path}/addPoints");
    let bearer = format!("Bearer {}", scene.token);
    let get = http2::request("GET", &path, &bearer);
    let post = http2::request("POST", &post, &bearer);
    let mut flooding = JoinSet::new();
    let to = scene.stack.address();
    for flood in floods(&get, &post) {
        // On it a request that is answered rightly, where the connection lives on.
        let ask = http2::headers(LAST, &get, true);
        for number in 0..CONNECTIONS {
            let what = format!("{}: {}, connection {number}", scene.on(), flood.name);
            flooding.spawn(one(what, to, flood.clone(), ask.clone()));
        }
    }
    scene.others.progress(ROUNDS).await;
    while let Some(ended) = flooding.join_next().await {
        ended.expect("a flood that went as the table says");
    }
}

async fn one(what: String, to: SocketAddr, flood: Flood, ask: Vec<u8>) {
    let mut http2 = Http2::open(to, &[]).await.expect("connect");
    let open = http2.pour(&flood.bytes).await;
    let open = open.unwrap_or_else(|error| panic!("{what}: {error}"));
    match flood.ends {
        // It is hung up on, with or without a word.
        Ends::Must => {
            let ended = tokio::time::timeout(HANGING_UP, http2.ended()).await;
            let ended = ended.unwrap_or_else(|_| panic!("{what}: not hung up on"));
            ended.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        Ends::May => {
            let asked = open && http2.pour(&ask).await.is_ok_and(|open| open);
            if !asked {
                return;
            }
            let answer = http2.answer(LAST).await;
            let answer = answer.unwrap_or_else(|error| panic!("{what}: {error}"));
            if let Some((status, _)) = answer {
                assert_eq!(status, 404, "{what}");
            }
        }
    }
}

fn floods(get: &[(&str, &[u8])], post: &[(&str, &[u8])]) -> Vec<Flood> {
    let many = |one: Vec<u8>| one.repeat(FRAMES);
    let streams = |number: u32| (1..2 * number).step_by(2);
    let opening = http2::headers(1, post, false);
    let endless = frame(kind::CONTINUATION, 0, 1, &[0; 0]);
    let filler = http2::block(&[("x-filler", &vec![b'f'; HEAD_FRAME_BYTES][..])]);
    let part = frame(kind::CONTINUATION, 0, 1, &filler);
    let start = frame(kind::HEADERS, flag::END_STREAM, 1, &http2::block(get));
    let end = frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]);
    let with_opening = |rest: Vec<u8>| [opening.clone(), rest].concat();
    vec![
        Flood {
            name: "streams that are opened and reset",
            bytes: streams(RESETS)
                .flat_map(|stream| {
                    [http2::headers(stream, get, true), http2::reset(stream)].concat()
                })
                .collect(),
            ends: Ends::Must,
        },
        Flood {
            name: "streams that are opened and stay so",
            bytes: streams(STREAMS)
                .flat_map(|stream| http2::headers(stream, post, false))
                .collect(),
            ends: Ends::May,
        },
        Flood {
            name: "pings",
            bytes: many(frame(kind::PING, 0, 0, b"floodfld")),
            ends: Ends::May,
        },
        Flood {
            name: "settings",
            bytes: many(http2::settings(&[])),
            ends: Ends::May,
        },
        Flood {
            name: "settings that change every window",
            bytes: with_opening(
                (0..FRAMES as u32)
                    .flat_map(|number| {
                        http2::settings(&[(http2::setting::INITIAL_WINDOW_SIZE, number % 2)])
                    })
                    .collect(),
            ),
            ends: Ends::May,
        },
        Flood {
            name: "frames of no known type",
            bytes: many(frame(0xBB, 0xFF, 0, b"whatever")),
            ends: Ends::May,
        },
        Flood {
            name: "a head that never ends, of large parts",
            bytes: [start.clone(), part.repeat(HEAD_FRAMES)].concat(),
            ends: Ends::Must,
        },
        Flood {
            name: "a head that never ends, of empty parts",
            bytes: [start.clone(), endless.repeat(FRAMES)].concat(),
            ends: Ends::Must,
        },
        Flood {
            name: "a head of eight megabytes",
            bytes: [start, part.repeat(HEAD_FRAMES), end].concat(),
            ends: Ends::Must,
        },
        Flood {
            name: "empty parts of a body",
            bytes: with_opening(many(http2::data(1, b"", false))),
            ends: Ends::Must,
        },
        Flood {
            name: "priorities",
            bytes: with_opening(many(frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 16]))),
            ends: Ends::Must,
        },
        Flood {
            name: "windows opened by a byte",
            bytes: with_opening(many(http2::window(0, 1))),
            ends: Ends::Must,
        },
        Flood {
            name: "a window opened by nothing",
            bytes: http2::window(0, 0),
            ends: Ends::Must,
        },
        Flood {
            name: "a window opened too far",
            bytes: http2::window(0, i32::MAX as u32).repeat(2),
            ends: Ends::Must,
        },
        Flood {
            name: "a reset of what was never opened",
            bytes: http2::reset(99),
            ends: Ends::Must,
        },
        Flood {
            name: "a body without a head",
            bytes: http2::data(99, b"{}", true),
            ends: Ends::Must,
        },
    ]
}
