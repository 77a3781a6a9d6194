//! Buffers: each of their types, from every place, and past the end.

use super::{OUTSIDE, Transcript};
use crate::raw::*;

const KINDS: [u32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, u32::MAX];
/// Start and greatest length: the whole, none, a part, one that ends where numbers end, behind the end.
const PLACES: [(usize, usize); 8] = [
    (0, 100),
    (0, 0),
    (0, usize::MAX),
    (1, 2),
    (1, usize::MAX),
    (100_000, 1),
    (usize::MAX, 1),
    (usize::MAX, usize::MAX),
];

pub fn all(t: &mut Transcript) {
    for kind in KINDS {
        for (start, max) in PLACES {
            t.bytes(
                &format!("proxy_get_buffer_bytes(kind={kind} start={start} max={max})"),
                |data, size| unsafe { proxy_get_buffer_bytes(kind, start, max, data, size) },
            );
        }
        t.bytes_nowhere(
            &format!("proxy_get_buffer_bytes(kind={kind})"),
            |data, size| unsafe { proxy_get_buffer_bytes(kind, 0, 100, data, size) },
        );
    }
    for kind in KINDS {
        t.status(
            &format!("proxy_set_buffer_bytes(kind={kind} data outside)"),
            unsafe { proxy_set_buffer_bytes(kind, 0, 0, OUTSIDE as *const u8, 4) },
        );
        // Behind another: prepended, appended, in the middle, replaced by what it was.
        for (start, length, text) in [
            (0, 0, "<"),
            (usize::MAX, 0, ">"),
            (1, 1, "x"),
            (0, 0, ""),
            (0, 1, "y"),
            (0, usize::MAX, "body"),
        ] {
            t.status(
                &format!(
                    "proxy_set_buffer_bytes(kind={kind} start={start} length={length} \"{text}\")"
                ),
                unsafe { proxy_set_buffer_bytes(kind, start, length, text.as_ptr(), text.len()) },
            );
            t.bytes(
                &format!("proxy_get_buffer_bytes(kind={kind}) after \"{text}\""),
                |data, size| unsafe { proxy_get_buffer_bytes(kind, 0, 100, data, size) },
            );
        }
    }
}
