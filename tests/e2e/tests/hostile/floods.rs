//! Floods of frames over HTTP/2: what is cheap to send and makes work for whoever receives it.
//!
//! Whether the connection is ended for it is each server's own affair, and the table says where it must be. That the others
//! get on between any two connections of a flood is the same for all of them.

use e2e::http2::{self, Http2, flag, frame, kind};
use testbed::GatewayKind;

use super::scene::Scene;

/// Connections of each flood.
const CONNECTIONS: usize = 2;
/// Frames on each connection.
const FRAMES: usize = 20_000;
/// Streams that are opened and reset at once: well over what Envoy and `host-sim` let pass.
const RESETS: u32 = 3_000;
/// Streams that are opened and stay so: well over `max_concurrent_streams`.
const STREAMS: u32 = 2_000;
/// Frames of one endless head, and bytes in each: far over `max_request_headers_kb`.
const HEAD_FRAMES: usize = 1_000;
const HEAD_FRAME_BYTES: usize = 8 * 1024;

/// Who ends a connection that does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// Whoever speaks HTTP/2.
    Always,
    /// Envoy, by a limit of its own on top of the protocol's.
    InEnvoy,
    /// It is allowed, if pointless.
    Never,
}

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
    for flood in floods(&get, &post) {
        for number in 0..CONNECTIONS {
            one(scene, &flood, number, &get).await;
            scene.others.progress(1).await;
        }
    }
}

async fn one(scene: &Scene<'_>, flood: &Flood, number: usize, get: &[(&str, &[u8])]) {
    let what = format!("{}: {}, connection {number}", scene.on(), flood.name);
    let mut http2 = Http2::open(scene.stack.address(), &[])
        .await
        .expect("connect");
    let open = http2.pour(&flood.bytes).await;
    let open = open.unwrap_or_else(|error| panic!("{what}: {error}"));
    let in_envoy = scene.stack.combination().gateway == GatewayKind::Envoy;
    match flood.ends {
        Ends::Always => {}
        Ends::InEnvoy if in_envoy => {}
        // Whether or not it got this far: a request on it is answered rightly, if it is.
        Ends::InEnvoy | Ends::Never => {
            let last = 2 * (RESETS + STREAMS) + 1;
            let answered = open && http2.pour(&http2::headers(last, get, true)).await.is_ok();
            if answered && let Ok(Some((status, _))) = http2.answer(last).await {
                assert!(matches!(status, 404 | 503), "{what}: {status}");
            }
            return;
        }
    }
    // It is hung up on, with or without a word.
    if let Err(error) = http2.ended().await {
        panic!("{what}: {error}");
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
            ends: Ends::Always,
        },
        Flood {
            name: "streams that are opened and stay so",
            bytes: streams(STREAMS)
                .flat_map(|stream| http2::headers(stream, post, false))
                .collect(),
            ends: Ends::Never,
        },
        Flood {
            name: "pings",
            bytes: many(frame(kind::PING, 0, 0, b"floodfld")),
            ends: Ends::Never,
        },
        Flood {
            name: "settings",
            bytes: many(http2::settings(&[])),
            ends: Ends::Never,
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
            ends: Ends::Never,
        },
        Flood {
            name: "frames of no known type",
            bytes: many(frame(0xBB, 0xFF, 0, b"whatever")),
            ends: Ends::Never,
        },
        Flood {
            name: "a head that never ends, of large parts",
            bytes: [start.clone(), part.repeat(HEAD_FRAMES)].concat(),
            ends: Ends::Always,
        },
        Flood {
            name: "a head that never ends, of empty parts",
            bytes: [start.clone(), endless.repeat(FRAMES)].concat(),
            ends: Ends::InEnvoy,
        },
        Flood {
            name: "a head of eight megabytes",
            bytes: [start, part.repeat(HEAD_FRAMES), end].concat(),
            ends: Ends::Always,
        },
        Flood {
            name: "empty parts of a body",
            bytes: with_opening(many(http2::data(1, b"", false))),
            ends: Ends::InEnvoy,
        },
        Flood {
            name: "priorities",
            bytes: with_opening(many(frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 16]))),
            ends: Ends::InEnvoy,
        },
        Flood {
            name: "windows opened by a byte",
            bytes: with_opening(many(http2::window(0, 1))),
            ends: Ends::InEnvoy,
        },
        Flood {
            name: "a window opened by nothing",
            bytes: http2::window(0, 0),
            ends: Ends::Always,
        },
        Flood {
            name: "a window opened too far",
            bytes: http2::window(0, i32::MAX as u32).repeat(2),
            ends: Ends::Always,
        },
        Flood {
            name: "a reset of what was never opened",
            bytes: http2::reset(99),
            ends: Ends::Always,
        },
        Flood {
            name: "a body without a head",
            bytes: http2::data(99, b"{}", true),
            ends: Ends::Always,
        },
    ]
}
