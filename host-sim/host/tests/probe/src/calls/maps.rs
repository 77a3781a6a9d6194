//! Header maps: each of the map types, and those that are none.

use super::{OUTSIDE, Transcript, shown};
use crate::raw::*;

/// Values that differ from host to host or from run to run: their names are compared alone.
const VARYING: [&str; 5] = [
    "date",
    "server",
    "x-envoy-upstream-service-time",
    "x-forwarded-for",
    "x-request-id",
];
const MAPS: [u32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, u32::MAX];

pub fn all(t: &mut Transcript) {
    for map in MAPS {
        t.bytes_as(
            &format!("proxy_get_header_map_pairs(map={map})"),
            sorted,
            |data, size| unsafe { proxy_get_header_map_pairs(map, data, size) },
        );
    }
    t.bytes_nowhere("proxy_get_header_map_pairs(map=0)", |data, size| unsafe {
        proxy_get_header_map_pairs(0, data, size)
    });
    values(t);
    changes(t);
}

fn values(t: &mut Transcript) {
    let long = "x".repeat(70_000);
    for map in MAPS {
        for name in [":path", ":status", "x-none", "X-Case", ""] {
            get(t, map, name);
        }
    }
    get(t, 0, "x\0y");
    get(t, 0, "x y");
    get(t, 0, &long);
    t.bytes_nowhere(
        "proxy_get_header_map_value(map=0 name=\":path\")",
        |data, size| unsafe { proxy_get_header_map_value(0, ":path".as_ptr(), 5, data, size) },
    );
    t.bytes(
        "proxy_get_header_map_value(map=0 name outside)",
        |data, size| unsafe { proxy_get_header_map_value(0, OUTSIDE as *const u8, 5, data, size) },
    );
    t.bytes(
        "proxy_get_header_map_value(map=0 name too long)",
        |data, size| unsafe {
            proxy_get_header_map_value(0, ":path".as_ptr(), usize::MAX, data, size)
        },
    );
    t.bytes(
        "proxy_get_header_map_value(map=9 name outside)",
        |data, size| unsafe { proxy_get_header_map_value(9, OUTSIDE as *const u8, 5, data, size) },
    );
}

fn get(t: &mut Transcript, map: u32, name: &str) {
    let call = format!(
        "proxy_get_header_map_value(map={map} name={})",
        shown(name.as_bytes())
    );
    t.bytes(&call, |data, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
    });
}

/// Changes are seen by the next call, and taken back at the end.
fn changes(t: &mut Transcript) {
    for map in MAPS {
        for (name, value) in [("x-t", "1"), ("X-T", "2"), ("x-empty", "")] {
            let status = unsafe {
                proxy_replace_header_map_value(
                    map,
                    name.as_ptr(),
                    name.len(),
                    value.as_ptr(),
                    value.len(),
                )
            };
            t.status(
                &format!("proxy_replace_header_map_value(map={map} {name}={value})"),
                status,
            );
        }
        get(t, map, "x-t");
        get(t, map, "x-empty");
        for name in ["x-t", "x-empty", "x-none", "", "X-T"] {
            let status = unsafe { proxy_remove_header_map_value(map, name.as_ptr(), name.len()) };
            t.status(
                &format!("proxy_remove_header_map_value(map={map} name=\"{name}\")"),
                status,
            );
        }
        get(t, map, "x-t");
    }
    let (good, outside) = ("x-t".as_ptr(), OUTSIDE as *const u8);
    unsafe {
        t.status(
            "proxy_replace_header_map_value(map=0 name outside)",
            proxy_replace_header_map_value(0, outside, 3, good, 3),
        );
        t.status(
            "proxy_replace_header_map_value(map=0 value outside)",
            proxy_replace_header_map_value(0, good, 3, outside, 3),
        );
        t.status(
            "proxy_replace_header_map_value(map=9 value outside)",
            proxy_replace_header_map_value(9, good, 3, outside, 3),
        );
        t.status(
            "proxy_remove_header_map_value(map=0 name outside)",
            proxy_remove_header_map_value(0, outside, 3),
        );
        t.status(
            "proxy_remove_header_map_value(map=9 name outside)",
            proxy_remove_header_map_value(9, outside, 3),
        );
    }
}

/// The pairs of the ABI's layout, in the order of their names.
fn sorted(bytes: &[u8]) -> String {
    let word = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(four) as usize)
    };
    let read = || -> Option<Vec<String>> {
        let count = word(0)?;
        let mut at = 4 + 8 * count;
        let mut lines = Vec::new();
        for pair in 0..count {
            let (name_len, value_len) = (word(4 + 8 * pair)?, word(8 + 8 * pair)?);
            let name = bytes.get(at..at + name_len)?.escape_ascii().to_string();
            let value = bytes.get(at + name_len + 1..at + name_len + 1 + value_len)?;
            at += name_len + value_len + 2;
            lines.push(if VARYING.contains(&name.as_str()) {
                name
            } else {
                format!("{name}={}", shown(value))
            });
        }
        lines.sort();
        Some(lines)
    };
    read().map_or_else(
        || format!("no pairs: {}", shown(bytes)),
        |lines| lines.join(" "),
    )
}
