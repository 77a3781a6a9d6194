//! Logs, time, ticks, the effective context, what cannot be resumed, closed or done here, and functions beside the ABI.

use std::ptr::null_mut;

use super::{OUTSIDE, Transcript};
use crate::raw::*;

/// The period that the probe ticks at, in milliseconds: set again last.
const TICK_MS: u32 = 20;

pub fn all(t: &mut Transcript, own: u32) {
    logs(t);
    let mut now = 0;
    unsafe {
        let status = proxy_get_current_time_nanoseconds(&mut now);
        let form = if now > 1_577_836_800_000_000_000 {
            "after 2020"
        } else {
            "before"
        };
        t.told("proxy_get_current_time_nanoseconds()", status, form);
        t.status(
            "proxy_get_current_time_nanoseconds(outside)",
            proxy_get_current_time_nanoseconds(OUTSIDE as *mut u64),
        );
        for period_ms in [1, u32::MAX, 0, TICK_MS] {
            t.status(
                &format!("proxy_set_tick_period_milliseconds({period_ms})"),
                proxy_set_tick_period_milliseconds(period_ms),
            );
        }
        for id in [999_999, u32::MAX, 0, 1, own] {
            let who = if id == own {
                "own".to_owned()
            } else {
                id.to_string()
            };
            t.status(
                &format!("proxy_set_effective_context({who})"),
                proxy_set_effective_context(id),
            );
        }
        // Of a raw connection, and of nothing.
        for kind in [2, 3, 4, u32::MAX] {
            t.status(
                &format!("proxy_continue_stream({kind})"),
                proxy_continue_stream(kind),
            );
        }
        t.status("proxy_done()", proxy_done());
    }
    status(t);
    replies_from_nowhere(t);
    foreign(t);
}

fn logs(t: &mut Transcript) {
    for level in [0, 1, 2, 3, 4, 5, 6, 255, u32::MAX] {
        let status = unsafe { proxy_log(level, "a line".as_ptr(), 6) };
        t.status(&format!("proxy_log(level={level})"), status);
    }
    unsafe {
        t.status("proxy_log(empty)", proxy_log(2, null_mut(), 0));
        t.status(
            "proxy_log(no text)",
            proxy_log(2, b"\0\xff\r\n".as_ptr(), 4),
        );
        t.status("proxy_log(outside)", proxy_log(2, OUTSIDE as *const u8, 4));
        t.status(
            "proxy_log(outside, empty)",
            proxy_log(2, OUTSIDE as *const u8, 0),
        );
        let mut level = u32::MAX;
        let status = proxy_get_log_level(&mut level);
        t.told("proxy_get_log_level()", status, &level.to_string());
        t.status(
            "proxy_get_log_level(outside)",
            proxy_get_log_level(OUTSIDE as *mut u32),
        );
    }
}

fn status(t: &mut Transcript) {
    let mut code = u32::MAX;
    t.bytes("proxy_get_status()", |data, size| unsafe {
        proxy_get_status(&mut code, data, size)
    });
    let form = if code == u32::MAX {
        "untouched".to_owned()
    } else {
        code.to_string()
    };
    t.told("proxy_get_status(), code", 0, &form);
    t.bytes("proxy_get_status(code outside)", |data, size| unsafe {
        proxy_get_status(OUTSIDE as *mut u32, data, size)
    });
    t.bytes_nowhere("proxy_get_status()", |data, size| unsafe {
        proxy_get_status(&raw mut code, data, size)
    });
}

/// Replies whose parts are not in memory: nothing is sent.
fn replies_from_nowhere(t: &mut Transcript) {
    let (good, outside) = ("body".as_ptr(), OUTSIDE as *const u8);
    for (what, details, body, headers) in [
        ("details", outside, good, good),
        ("body", good, outside, good),
        ("headers", good, good, outside),
    ] {
        let status =
            unsafe { proxy_send_local_response(200, details, 4, body, 4, headers, 4, u32::MAX) };
        t.status(
            &format!("proxy_send_local_response({what} outside)"),
            status,
        );
    }
}

fn foreign(t: &mut Transcript) {
    let call = |t: &mut Transcript, name: &str, arguments: &[u8]| {
        let what = format!(
            "proxy_call_foreign_function(\"{name}\" {} bytes)",
            arguments.len()
        );
        t.bytes(&what, |data, size| unsafe {
            proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                arguments.as_ptr(),
                arguments.len(),
                data,
                size,
            )
        });
    };
    for name in [
        "",
        "nobody",
        "verify_signature\0",
        "Verify_Signature",
        "compress",
    ] {
        call(t, name, b"");
    }
    call(t, "verify_signature", b"");
    call(t, "verify_signature", b"\xff");
    // An unknown hash, with a key that is none.
    let unknown = b"\x0a\x03md9\x12\x01k";
    call(t, "verify_signature", unknown);
    let name = "verify_signature";
    unsafe {
        let outside = OUTSIDE as *const u8;
        t.bytes("proxy_call_foreign_function(name outside)", |data, size| {
            proxy_call_foreign_function(outside, 4, null_mut(), 0, data, size)
        });
        t.bytes(
            "proxy_call_foreign_function(arguments outside)",
            |data, size| {
                proxy_call_foreign_function(name.as_ptr(), name.len(), outside, 4, data, size)
            },
        );
        t.bytes_nowhere(
            "proxy_call_foreign_function(verify_signature)",
            |data, size| {
                proxy_call_foreign_function(
                    name.as_ptr(),
                    name.len(),
                    unknown.as_ptr(),
                    unknown.len(),
                    data,
                    size,
                )
            },
        );
    }
}
