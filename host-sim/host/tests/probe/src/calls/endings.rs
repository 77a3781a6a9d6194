//! Calls that end a request or let it go, each in a request of its own: the status of the call, and what the host says after
//! it.

use super::{OUTSIDE, Transcript, callouts::pairs};
use crate::raw::*;

/// Does what `name` says in the callback of a request's headers. True: nothing has been answered, and the probe is to.
pub fn end(name: &str) -> bool {
    let mut t = Transcript::default();
    let (kind, what) = name.split_once(' ').unwrap_or((name, ""));
    let replies = match kind {
        "resume" => resume(&mut t),
        "reply" => reply(&mut t, what),
        "exit" => exit(&mut t, name),
        _ => {
            t.status("unknown ending", 0);
            true
        }
    };
    super::keep(&format!("ending: {name}"), &t);
    replies
}

fn resume(t: &mut Transcript) -> bool {
    unsafe {
        t.status("proxy_continue_stream(0)", proxy_continue_stream(0));
        t.bytes(
            "proxy_get_header_map_value(map=0 name=\":method\") afterwards",
            |data, size| proxy_get_header_map_value(0, ":method".as_ptr(), 7, data, size),
        );
        t.status(
            "proxy_replace_header_map_value(map=0 x-t=1) afterwards",
            proxy_replace_header_map_value(0, "x-t".as_ptr(), 3, "1".as_ptr(), 1),
        );
        t.status("proxy_continue_stream(0) again", proxy_continue_stream(0));
    }
    false
}

fn reply(t: &mut Transcript, what: &str) -> bool {
    let good = pairs(&[
        ("content-type", "text/plain"),
        ("x-one", "1"),
        ("X-One", "2"),
    ]);
    let mut send =
        |what: &str, status: u32, details: &str, body: &[u8], headers: &[u8], grpc: u32| -> u32 {
            let answer = unsafe {
                proxy_send_local_response(
                    status,
                    details.as_ptr(),
                    details.len(),
                    body.as_ptr(),
                    body.len(),
                    headers.as_ptr(),
                    headers.len(),
                    grpc,
                )
            };
            t.status(&format!("proxy_send_local_response({what})"), answer);
            answer
        };
    const NONE: u32 = u32::MAX;
    let sent = match what {
        "good" => send("good", 200, "", b"body", &good, NONE),
        "with details" => send("with details", 403, "some details", b"body", &good, NONE),
        "twice" => {
            let first = send("first", 200, "", b"first", &good, NONE);
            send("second", 201, "", b"second", &good, NONE);
            first
        }
        "without a body" => send("without a body", 200, "", b"", &good, NONE),
        "204 with a body" => send("204 with a body", 204, "", b"body", &good, NONE),
        "without headers" => send("without headers", 404, "", b"body", b"", NONE),
        "no pairs" => send("no pairs", 200, "", b"body", b"\x01", NONE),
        "pairs cut short" => send(
            "pairs cut short",
            200,
            "",
            b"body",
            &good[..good.len() - 4],
            NONE,
        ),
        "a gRPC status" => send("a gRPC status", 200, "", b"body", &good, 7),
        "its own length" => {
            let headers = pairs(&[("content-length", "2")]);
            send("its own length", 200, "", b"body", &headers, NONE)
        }
        "its own status" => {
            let headers = pairs(&[(":status", "418")]);
            send("its own status", 200, "", b"body", &headers, NONE)
        }
        "599" => send("599", 599, "", b"body", &good, NONE),
        "parts outside" => {
            let outside = OUTSIDE as *const u8;
            let answer =
                unsafe { proxy_send_local_response(200, outside, 1, outside, 1, outside, 1, NONE) };
            t.status("proxy_send_local_response(parts outside)", answer);
            answer
        }
        _ => 1,
    };
    sent != 0
}

/// Noted before, because there may be no afterwards.
fn exit(t: &mut Transcript, name: &str) -> bool {
    t.status("proc_exit(3), before", 0);
    super::keep(&format!("ending: {name}"), t);
    unsafe { proc_exit(3) };
    t.status("proc_exit(3), afterwards", 0);
    true
}
