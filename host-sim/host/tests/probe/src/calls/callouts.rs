//! Callouts that cannot begin, gRPC calls and streams that are cancelled at once, and tokens that nobody gave out.

use std::ptr::null_mut;

use super::{OUTSIDE, Transcript, shown};
use crate::raw::*;

/// A map of headers as the ABI lays it out.
pub fn pairs(list: &[(&str, &str)]) -> Vec<u8> {
    let mut out = (list.len() as u32).to_le_bytes().to_vec();
    for (name, value) in list {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in list {
        out.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
    }
    out
}

/// Maps that are laid out badly: cut short, with a number of pairs or a length that goes beyond the end.
fn broken() -> [(&'static str, Vec<u8>); 4] {
    let whole = pairs(&[(":method", "GET"), (":path", "/"), (":authority", "a")]);
    let mut many = whole.clone();
    many[0] = 200;
    let mut long = whole.clone();
    long[4] = 0xff;
    [
        ("one byte", vec![1]),
        ("cut short", whole[..whole.len() - 3].to_vec()),
        ("too many pairs", many),
        ("a name too long", long),
    ]
}

pub fn all(t: &mut Transcript) {
    http(t);
    grpc_calls(t);
    grpc_streams(t);
    tokens(t);
}

fn http(t: &mut Transcript) {
    let whole = [(":method", "GET"), (":path", "/"), (":authority", "a")];
    let mut token = u32::MAX;
    let mut call = |t: &mut Transcript, what: &str, cluster: &str, headers: &[u8], timeout: u32| {
        let status = unsafe {
            proxy_http_call(
                cluster.as_ptr(),
                cluster.len(),
                headers.as_ptr(),
                headers.len(),
                null_mut(),
                0,
                null_mut(),
                0,
                timeout,
                &mut token,
            )
        };
        t.status(&format!("proxy_http_call({what})"), status);
    };
    for cluster in ["", "none", "UP", "up\0"] {
        let what = format!("cluster {}", shown(cluster.as_bytes()));
        call(t, &what, cluster, &pairs(&whole), 100);
    }
    for missing in 0..whole.len() {
        let part: Vec<_> = (0..whole.len())
            .filter(|at| *at != missing)
            .map(|at| whole[at])
            .collect();
        call(
            t,
            &format!("without {}", whole[missing].0),
            "up",
            &pairs(&part),
            100,
        );
    }
    call(t, "no headers", "up", b"", 100);
    call(t, "a negative timeout", "up", &pairs(&whole), u32::MAX);
    for (what, headers) in broken() {
        call(t, &format!("headers: {what}"), "none", &headers, 100);
    }
    let (good, outside) = (whole[0].0.as_ptr(), OUTSIDE as *const u8);
    for (what, at) in [("cluster", 0), ("headers", 1), ("body", 2), ("trailers", 3)] {
        let part = |own: usize| if own == at { outside } else { good };
        let status = unsafe {
            proxy_http_call(
                part(0),
                2,
                part(1),
                2,
                part(2),
                2,
                part(3),
                2,
                100,
                &mut token,
            )
        };
        t.status(&format!("proxy_http_call({what} outside)"), status);
    }
    let headers = pairs(&whole);
    let status = unsafe {
        proxy_http_call(
            "up".as_ptr(),
            2,
            headers.as_ptr(),
            headers.len(),
            null_mut(),
            0,
            null_mut(),
            0,
            100,
            OUTSIDE as *mut u32,
        )
    };
    t.status("proxy_http_call(token outside)", status);
}

/// Starts a call or a stream; one that began is cancelled before anything can come of it.
fn begin(
    t: &mut Transcript,
    stream: bool,
    what: &str,
    cluster: &str,
    method: [&str; 2],
    metadata: &[u8],
) {
    let [service, method] = method;
    let mut token = u32::MAX;
    let (name, status) = if stream {
        let status = unsafe {
            proxy_grpc_stream(
                cluster.as_ptr(),
                cluster.len(),
                service.as_ptr(),
                service.len(),
                method.as_ptr(),
                method.len(),
                metadata.as_ptr(),
                metadata.len(),
                &mut token,
            )
        };
        ("proxy_grpc_stream", status)
    } else {
        let status = unsafe {
            proxy_grpc_call(
                cluster.as_ptr(),
                cluster.len(),
                service.as_ptr(),
                service.len(),
                method.as_ptr(),
                method.len(),
                metadata.as_ptr(),
                metadata.len(),
                "m".as_ptr(),
                1,
                10_000,
                &mut token,
            )
        };
        ("proxy_grpc_call", status)
    };
    let form = match token {
        u32::MAX => "untouched",
        0 => "token 0",
        odd if odd % 2 == 1 => "an odd token",
        _ => "an even token",
    };
    t.told(&format!("{name}({what})"), status, form);
    if status == 0 {
        t.status(&format!("proxy_grpc_cancel({name}: {what})"), unsafe {
            proxy_grpc_cancel(token)
        });
        t.status(
            &format!("proxy_grpc_cancel({name}: {what}, again)"),
            unsafe { proxy_grpc_cancel(token) },
        );
    }
}

fn grpc_calls(t: &mut Transcript) {
    let method = ["test.Service", "Slow"];
    let metadata = pairs(&[("x-meta", "1")]);
    for stream in [false, true] {
        begin(t, stream, "good", "up2", method, &metadata);
        begin(t, stream, "no metadata", "up2", method, b"");
        // Not the empty name: Envoy takes it for a `GrpcService` in which nothing is set, and its process ends ("panic: unset
        // oneof").
        for cluster in ["none", "up2\0"] {
            let what = format!("cluster {}", shown(cluster.as_bytes()));
            begin(t, stream, &what, cluster, method, &metadata);
        }
        for (what, metadata) in broken() {
            begin(
                t,
                stream,
                &format!("metadata: {what}"),
                "none",
                method,
                &metadata,
            );
        }
    }
    let (good, outside) = ("up2".as_ptr(), OUTSIDE as *const u8);
    let mut token = 0;
    for (what, at) in [
        ("cluster", 0),
        ("service", 1),
        ("method", 2),
        ("metadata", 3),
        ("message", 4),
    ] {
        let part = |own: usize| if own == at { outside } else { good };
        let status = unsafe {
            proxy_grpc_call(
                part(0),
                3,
                part(1),
                1,
                part(2),
                1,
                part(3),
                usize::from(at == 3),
                part(4),
                1,
                100,
                &mut token,
            )
        };
        t.status(&format!("proxy_grpc_call({what} outside)"), status);
        if at < 4 {
            let status = unsafe {
                proxy_grpc_stream(
                    part(0),
                    3,
                    part(1),
                    1,
                    part(2),
                    1,
                    part(3),
                    usize::from(at == 3),
                    &mut token,
                )
            };
            t.status(&format!("proxy_grpc_stream({what} outside)"), status);
        }
    }
}

/// A stream that is open, half closed and gone, all before the other side can say anything.
fn grpc_streams(t: &mut Transcript) {
    let open = || {
        let mut token = u32::MAX;
        let status = unsafe {
            proxy_grpc_stream(
                "up2".as_ptr(),
                3,
                "test.Service".as_ptr(),
                12,
                "Slow".as_ptr(),
                4,
                null_mut(),
                0,
                &mut token,
            )
        };
        (status, token)
    };
    unsafe {
        let (status, token) = open();
        t.status("proxy_grpc_stream(to send on)", status);
        t.status(
            "proxy_grpc_send(a message)",
            proxy_grpc_send(token, "m".as_ptr(), 1, 0),
        );
        t.status(
            "proxy_grpc_send(nothing)",
            proxy_grpc_send(token, null_mut(), 0, 0),
        );
        t.status(
            "proxy_grpc_send(outside)",
            proxy_grpc_send(token, OUTSIDE as *const u8, 4, 0),
        );
        t.status(
            "proxy_grpc_send(the last)",
            proxy_grpc_send(token, "m".as_ptr(), 1, 1),
        );
        t.status(
            "proxy_grpc_cancel(after the last)",
            proxy_grpc_cancel(token),
        );
        t.status(
            "proxy_grpc_send(cancelled)",
            proxy_grpc_send(token, "m".as_ptr(), 1, 0),
        );
        t.status("proxy_grpc_close(cancelled)", proxy_grpc_close(token));
        let (status, token) = open();
        t.status("proxy_grpc_stream(to close)", status);
        t.status("proxy_grpc_close(open)", proxy_grpc_close(token));
        t.status("proxy_grpc_cancel(closed)", proxy_grpc_cancel(token));
    }
}

fn tokens(t: &mut Transcript) {
    for token in [0, 1, 900_001, 900_002, u32::MAX] {
        unsafe {
            t.status(
                &format!("proxy_grpc_send(unknown {token})"),
                proxy_grpc_send(token, "m".as_ptr(), 1, 0),
            );
            t.status(
                &format!("proxy_grpc_cancel(unknown {token})"),
                proxy_grpc_cancel(token),
            );
            t.status(
                &format!("proxy_grpc_close(unknown {token})"),
                proxy_grpc_close(token),
            );
        }
    }
}
