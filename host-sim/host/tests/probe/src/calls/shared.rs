//! Shared data and queues, under names that nobody else uses.

use std::ptr::null_mut;

use super::{OUTSIDE, Transcript};
use crate::raw::*;

pub fn data(t: &mut Transcript) {
    let key = format!("key-{}", random());
    let key = key.as_bytes();
    let get = |t: &mut Transcript, what: &str, key: &[u8]| -> u32 {
        let mut cas = u32::MAX;
        t.bytes(
            &format!("proxy_get_shared_data({what})"),
            |data, size| unsafe {
                proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas)
            },
        );
        let form = match cas {
            0 => "0",
            u32::MAX => "untouched",
            _ => "one",
        };
        t.told(&format!("proxy_get_shared_data({what}), version"), 0, form);
        cas
    };
    get(t, "absent", key);
    // Whatever version is named, an absent key is made.
    for cas in [0, 1, u32::MAX] {
        let key = format!("key-{}", random());
        let status = set_data(key.as_bytes(), b"1", cas);
        t.status(&format!("proxy_set_shared_data(absent cas={cas})"), status);
    }
    t.status(
        "proxy_set_shared_data(first)",
        set_data(key, b"1", u32::MAX),
    );
    let first = get(t, "first", key);
    t.status(
        "proxy_set_shared_data(same version)",
        set_data(key, b"2", first),
    );
    t.status(
        "proxy_set_shared_data(old version)",
        set_data(key, b"3", first),
    );
    let second = get(t, "second", key);
    t.told(
        "proxy_get_shared_data(second) after first",
        0,
        if second > first { "newer" } else { "no newer" },
    );
    t.status("proxy_set_shared_data(blind)", set_data(key, b"4", 0));
    t.status(
        "proxy_set_shared_data(version before a blind one)",
        set_data(key, b"5", second),
    );
    let third = get(t, "blind", key);
    t.status(
        "proxy_set_shared_data(next version)",
        set_data(key, b"6", third.wrapping_add(1)),
    );
    t.status("proxy_set_shared_data(removed)", set_data(key, b"", third));
    let fourth = get(t, "removed", key);
    t.status(
        "proxy_set_shared_data(after its removal)",
        set_data(key, b"7", fourth),
    );
    get(t, "after its removal", key);
    let large = vec![b'l'; 1 << 20];
    t.status(
        "proxy_set_shared_data(a mebibyte)",
        set_data(key, &large, 0),
    );
    get(t, "a mebibyte", key);
    t.status(
        "proxy_set_shared_data(small again)",
        set_data(key, b"\0\xff", 0),
    );
    get(t, "small again", key);
    let long = [key, &large[..1 << 16]].concat();
    t.status(
        "proxy_set_shared_data(a key of 64 KiB)",
        set_data(&long, b"8", 0),
    );
    get(t, "a key of 64 KiB", &long);
    t.status("proxy_set_shared_data(no key)", set_data(b"", b"9", 0));
    get(t, "no key", b"");
    unsafe {
        let mut cas = 0;
        let outside = OUTSIDE as *const u8;
        t.status(
            "proxy_set_shared_data(key outside)",
            proxy_set_shared_data(outside, 3, key.as_ptr(), 1, 0),
        );
        t.status(
            "proxy_set_shared_data(value outside)",
            proxy_set_shared_data(key.as_ptr(), key.len(), outside, 3, 0),
        );
        t.bytes("proxy_get_shared_data(key outside)", |data, size| {
            proxy_get_shared_data(outside, 3, data, size, &mut cas)
        });
        t.bytes_nowhere("proxy_get_shared_data(there)", |data, size| {
            proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
        });
        let (mut value, mut size) = (null_mut(), 0);
        t.status(
            "proxy_get_shared_data(version outside)",
            proxy_get_shared_data(
                key.as_ptr(),
                key.len(),
                &mut value,
                &mut size,
                OUTSIDE as *mut u32,
            ),
        );
    }
    get(t, "after all of it", key);
}

pub fn queues(t: &mut Transcript) {
    let name = format!("queue-{}", random());
    let name = name.as_bytes();
    let resolve = |t: &mut Transcript, vm: &str, name: &[u8], what: &str| -> u32 {
        let mut id = u32::MAX;
        let status = unsafe {
            proxy_resolve_shared_queue(vm.as_ptr(), vm.len(), name.as_ptr(), name.len(), &mut id)
        };
        let form = if id == u32::MAX { "untouched" } else { "an id" };
        t.told(
            &format!("proxy_resolve_shared_queue(vm=\"{vm}\" {what})"),
            status,
            form,
        );
        id
    };
    resolve(t, "", name, "unknown");
    resolve(t, "points", name, "unknown");
    let register = |t: &mut Transcript, name: &[u8], what: &str| -> u32 {
        let mut id = u32::MAX;
        let status = unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &mut id) };
        let form = if id == u32::MAX { "untouched" } else { "an id" };
        t.told(
            &format!("proxy_register_shared_queue({what})"),
            status,
            form,
        );
        id
    };
    let id = register(t, name, "new");
    let again = register(t, name, "again");
    t.told(
        "proxy_register_shared_queue(again), id",
        0,
        if id == again { "the same" } else { "another" },
    );
    let unnamed = register(t, b"", "no name");
    for (vm, what) in [("", "known"), ("points", "known"), ("zz", "known")] {
        let found = resolve(t, vm, name, what);
        t.told(
            &format!("proxy_resolve_shared_queue(vm=\"{vm}\"), id"),
            0,
            if found == id { "the same" } else { "another" },
        );
    }
    let dequeue = |t: &mut Transcript, id: u32, what: &str| {
        t.bytes(
            &format!("proxy_dequeue_shared_queue({what})"),
            |data, size| unsafe { proxy_dequeue_shared_queue(id, data, size) },
        );
    };
    dequeue(t, id, "empty");
    for (what, item) in [
        ("one", &b"1"[..]),
        ("two", b"2"),
        ("nothing", b""),
        ("last", b"\0\xff"),
    ] {
        let status = unsafe { proxy_enqueue_shared_queue(id, item.as_ptr(), item.len()) };
        t.status(&format!("proxy_enqueue_shared_queue({what})"), status);
    }
    unsafe {
        t.status(
            "proxy_enqueue_shared_queue(item outside)",
            proxy_enqueue_shared_queue(id, OUTSIDE as *const u8, 4),
        );
        t.bytes_nowhere("proxy_dequeue_shared_queue(one, two)", |data, size| {
            proxy_dequeue_shared_queue(id, data, size)
        });
    }
    for what in ["nothing", "last", "none left", "still none left"] {
        dequeue(t, id, what);
    }
    dequeue(t, unnamed, "no name");
    for id in [0, 77_777, u32::MAX] {
        dequeue(t, id, &format!("unknown id {id}"));
        let status = unsafe { proxy_enqueue_shared_queue(id, null_mut(), 0) };
        t.status(
            &format!("proxy_enqueue_shared_queue(unknown id {id})"),
            status,
        );
    }
    unsafe {
        let mut id = 0;
        let (outside, name_len) = (OUTSIDE as *const u8, name.len());
        t.status(
            "proxy_register_shared_queue(name outside)",
            proxy_register_shared_queue(outside, 4, &mut id),
        );
        t.status(
            "proxy_register_shared_queue(id outside)",
            proxy_register_shared_queue(name.as_ptr(), name_len, OUTSIDE as *mut u32),
        );
        for (what, vm, name) in [
            ("vm", outside, name.as_ptr()),
            ("name", name.as_ptr(), outside),
        ] {
            t.status(
                &format!("proxy_resolve_shared_queue({what} outside)"),
                proxy_resolve_shared_queue(vm, 2, name, 2, &mut id),
            );
        }
        t.status(
            "proxy_resolve_shared_queue(id outside)",
            proxy_resolve_shared_queue(null_mut(), 0, name.as_ptr(), name_len, OUTSIDE as *mut u32),
        );
    }
}
