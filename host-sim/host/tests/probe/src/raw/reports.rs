//! What a series of raw host calls answered, as lines to compare.

use std::ptr::null_mut;

use super::*;

pub fn statuses(own: u32) -> Vec<String> {
    let mut lines = Vec::new();
    for map in 0..10 {
        lines.push(format!(
            "map {map} pairs={} value={} add={}",
            map_pairs(map).0,
            map_value(map, "x-none").0,
            if map == 0 { 0 } else { add(map, "a", "b") }
        ));
    }
    for kind in 0..10 {
        lines.push(format!(
            "buffer {kind} {} set={}",
            buffer(kind, 0, 100).0,
            unsafe { proxy_set_buffer_bytes(kind, 0, 1, b"x".as_ptr(), 1) }
        ));
    }
    lines.push(format!(
        "effective none={} self={} root={} vm={}",
        set_effective_context(999_999),
        set_effective_context(own),
        set_effective_context(1),
        set_effective_context(0)
    ));
    set_effective_context(own);
    lines.push(format!(
        "resume kinds {} {} {}",
        unsafe { proxy_continue_stream(2) },
        unsafe { proxy_continue_stream(3) },
        unsafe { proxy_continue_stream(9) }
    ));
    lines.push(format!("close kind {}", unsafe { proxy_close_stream(9) }));
    lines.push(format!("done {}", unsafe { proxy_done() }));
    let name = "no_such_function";
    lines.push(format!(
        "foreign {}",
        bytes(|data, size| unsafe {
            proxy_call_foreign_function(name.as_ptr(), name.len(), null_mut(), 0, data, size)
        })
        .0
    ));
    lines.push(format!("outside memory {}", unsafe {
        proxy_set_shared_data(0xffff_fff0 as *const u8, 100, null_mut(), 0, 0)
    }));
    lines
}

fn get(key: &str) -> (u32, Vec<u8>, u32) {
    let mut cas = 0;
    let (status, value) = bytes(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas)
    });
    (status, value, cas)
}

fn set(key: &str, value: &str, cas: u32) -> u32 {
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}

pub fn shared_data() -> Vec<String> {
    let key = format!("key-{}", random());
    let key = key.as_str();
    let mut lines = vec![format!("absent {}", get(key).0)];
    lines.push(format!(
        "create {} again {}",
        set(key, "1", u32::MAX),
        set(key, "2", u32::MAX)
    ));
    let (status, value, cas) = get(key);
    lines.push(format!(
        "get {status} {} versioned={}",
        value.escape_ascii(),
        cas != 0
    ));
    lines.push(format!(
        "cas {} stale {}",
        set(key, "3", cas),
        set(key, "4", cas)
    ));
    lines.push(format!("blind {}", set(key, "", 0)));
    let (status, value, cas) = get(key);
    lines.push(format!(
        "empty {status} {} versioned={}",
        value.len(),
        cas != 0
    ));
    let (mut a, mut b, mut c) = (0, 0, 0);
    let name = format!("queue-{}", random());
    unsafe {
        lines.push(format!(
            "resolve none {}",
            proxy_resolve_shared_queue(null_mut(), 0, name.as_ptr(), name.len(), &mut a)
        ));
        lines.push(format!(
            "register {} {} same={}",
            proxy_register_shared_queue(name.as_ptr(), name.len(), &mut a),
            proxy_register_shared_queue(name.as_ptr(), name.len(), &mut b),
            a == b && a != 0
        ));
        lines.push(format!(
            "resolve {} same={}",
            proxy_resolve_shared_queue(null_mut(), 0, name.as_ptr(), name.len(), &mut c),
            a == c
        ));
        lines.push(format!(
            "other vm {}",
            proxy_resolve_shared_queue("zz".as_ptr(), 2, name.as_ptr(), name.len(), &mut c)
        ));
        lines.push(format!(
            "unknown queue {} {}",
            proxy_enqueue_shared_queue(77_777, null_mut(), 0),
            bytes(|data, size| proxy_dequeue_shared_queue(77_777, data, size)).0
        ));
        lines.push(format!(
            "empty queue {}",
            bytes(|data, size| proxy_dequeue_shared_queue(a, data, size)).0
        ));
    }
    lines
}

pub fn metrics() -> Vec<String> {
    let define = |kind, name: &str| {
        let mut id = 0;
        let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) };
        (status, id)
    };
    let read = |id| {
        let mut value = 0;
        (unsafe { proxy_get_metric(id, &mut value) }, value)
    };
    let (counter, gauge, histogram) = (
        define(0, "probe_hits"),
        define(1, "probe_level"),
        define(2, "probe_took"),
    );
    let mut lines = vec![format!(
        "define {} {} {} unknown={}",
        counter.0,
        gauge.0,
        histogram.0,
        define(9, "x").0
    )];
    lines.push(format!(
        "kinds {} {} {}",
        counter.1 % 4,
        gauge.1 % 4,
        histogram.1 % 4
    ));
    unsafe {
        lines.push(format!(
            "counter {} minus={}",
            proxy_increment_metric(counter.1, 2),
            proxy_increment_metric(counter.1, -1)
        ));
        lines.push(format!(
            "counter record {} grew={}",
            proxy_record_metric(counter.1, 3),
            read(counter.1).1 >= 5
        ));
        lines.push(format!(
            "gauge {} {} {:?}",
            proxy_record_metric(gauge.1, 7),
            proxy_increment_metric(gauge.1, -3),
            read(gauge.1)
        ));
        lines.push(format!(
            "histogram {} inc={} get={}",
            proxy_record_metric(histogram.1, 20),
            proxy_increment_metric(histogram.1, 1),
            read(histogram.1).0
        ));
        lines.push(format!(
            "unknown {} {} {}",
            proxy_record_metric(40_000, 1),
            proxy_increment_metric(40_000, 1),
            read(40_000).0
        ));
    }
    lines
}

fn property(path: &str) -> (u32, Vec<u8>) {
    bytes(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

pub fn properties() -> Vec<String> {
    let mut lines = Vec::new();
    for path in [
        "plugin_name",
        "plugin_root_id",
        "plugin_vm_id",
        "request\0path",
        "request\0url_path",
        "request\0method",
        "request\0scheme",
        "request\0host",
        "request\0protocol",
        "request\0headers\0x-a",
        "request\0query",
        "request\0nothing",
        "nothing",
        "tenant",
        "response\0code",
        "request\0useragent",
    ] {
        let (status, value) = property(path);
        lines.push(format!(
            "{} {status} {}",
            path.replace('\0', "."),
            value.escape_ascii()
        ));
    }
    let name = "tenant";
    lines.push(format!("set {}", unsafe {
        proxy_set_property(name.as_ptr(), name.len(), b"acme".as_ptr(), 4)
    }));
    let (status, value) = property(name);
    lines.push(format!("get {status} {}", value.escape_ascii()));
    lines
}

pub fn callout_statuses() -> Vec<String> {
    let mut token = 0;
    let pairs = |list: &[(&str, &str)]| {
        let mut out = (list.len() as u32).to_le_bytes().to_vec();
        for (name, value) in list {
            out.extend((name.len() as u32).to_le_bytes());
            out.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in list {
            out.extend([name.as_bytes(), &[0], value.as_bytes(), &[0]].concat());
        }
        out
    };
    let mut http = |up: &str, headers: &[(&str, &str)]| {
        let headers = pairs(headers);
        unsafe {
            proxy_http_call(
                up.as_ptr(),
                up.len(),
                headers.as_ptr(),
                headers.len(),
                null_mut(),
                0,
                null_mut(),
                0,
                100,
                &mut token,
            )
        }
    };
    let whole = [(":method", "GET"), (":path", "/"), (":authority", "a")];
    let mut lines = vec![format!("http unknown cluster {}", http("none", &whole))];
    for missing in 0..3 {
        let part: Vec<_> = whole
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != missing)
            .map(|(_, pair)| *pair)
            .collect();
        lines.push(format!(
            "http without {} {}",
            whole[missing].0,
            http("up", &part)
        ));
    }
    let mut token = 0;
    unsafe {
        lines.push(format!(
            "grpc unknown cluster {} {}",
            proxy_grpc_call(
                "none".as_ptr(),
                4,
                "S".as_ptr(),
                1,
                "M".as_ptr(),
                1,
                null_mut(),
                0,
                null_mut(),
                0,
                100,
                &mut token
            ),
            proxy_grpc_stream(
                "none".as_ptr(),
                4,
                "S".as_ptr(),
                1,
                "M".as_ptr(),
                1,
                null_mut(),
                0,
                &mut token
            )
        ));
        lines.push(format!(
            "send unknown odd={} even={}",
            grpc_send(9_001, b"", false),
            grpc_send(9_002, b"", false)
        ));
        lines.push(format!(
            "cancel unknown {} {} close {} {}",
            proxy_grpc_cancel(9_001),
            proxy_grpc_cancel(9_002),
            proxy_grpc_close(9_001),
            proxy_grpc_close(9_002)
        ));
    }
    lines
}

pub fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}

pub fn time_and_chance() -> Vec<String> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let start = std::time::Instant::now();
    vec![
        format!("after 2020 {}", now > 1_577_836_800),
        format!("monotonic {}", start.elapsed().as_secs() < 1000),
        format!("environment {}", std::env::vars().count()),
        format!("chance {}", random() != random()),
    ]
}
