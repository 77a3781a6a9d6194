//! Host calls as numbers: what a status is, not what the SDK makes of it.

mod reports;

use std::ptr::null_mut;

pub use reports::*;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    pub fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    pub fn proxy_set_buffer_bytes(
        kind: u32,
        start: usize,
        size: usize,
        data: *const u8,
        len: usize,
    ) -> u32;
    pub fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    pub fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        len: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    pub fn proxy_add_header_map_value(
        map: u32,
        key: *const u8,
        len: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    pub fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        len: usize,
        value: *const u8,
        size: usize,
    ) -> u32;
    pub fn proxy_remove_header_map_value(map: u32, key: *const u8, len: usize) -> u32;
    pub fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: u32,
    ) -> u32;
    pub fn proxy_log(level: u32, text: *const u8, len: usize) -> u32;
    pub fn proxy_get_log_level(level: *mut u32) -> u32;
    pub fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    pub fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    pub fn proxy_set_effective_context(id: u32) -> u32;
    pub fn proxy_get_status(code: *mut u32, data: *mut *mut u8, size: *mut usize) -> u32;
    pub fn proxy_grpc_send(token: u32, data: *const u8, len: usize, end: u32) -> u32;
    pub fn proxy_grpc_cancel(token: u32) -> u32;
    pub fn proxy_grpc_close(token: u32) -> u32;
    pub fn proxy_grpc_call(
        up: *const u8,
        up_len: usize,
        service: *const u8,
        service_len: usize,
        method: *const u8,
        method_len: usize,
        meta: *const u8,
        meta_len: usize,
        data: *const u8,
        len: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    pub fn proxy_grpc_stream(
        up: *const u8,
        up_len: usize,
        service: *const u8,
        service_len: usize,
        method: *const u8,
        method_len: usize,
        meta: *const u8,
        meta_len: usize,
        token: *mut u32,
    ) -> u32;
    pub fn proxy_http_call(
        up: *const u8,
        up_len: usize,
        headers: *const u8,
        headers_len: usize,
        body: *const u8,
        body_len: usize,
        trailers: *const u8,
        trailers_len: usize,
        timeout: u32,
        token: *mut u32,
    ) -> u32;
    pub fn proxy_continue_stream(kind: u32) -> u32;
    pub fn proxy_close_stream(kind: u32) -> u32;
    pub fn proxy_done() -> u32;
    pub fn proxy_get_shared_data(
        key: *const u8,
        len: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    pub fn proxy_set_shared_data(
        key: *const u8,
        len: usize,
        data: *const u8,
        size: usize,
        cas: u32,
    ) -> u32;
    pub fn proxy_register_shared_queue(name: *const u8, len: usize, id: *mut u32) -> u32;
    pub fn proxy_resolve_shared_queue(
        vm: *const u8,
        vm_len: usize,
        name: *const u8,
        len: usize,
        id: *mut u32,
    ) -> u32;
    pub fn proxy_dequeue_shared_queue(id: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    pub fn proxy_enqueue_shared_queue(id: u32, data: *const u8, size: usize) -> u32;
    pub fn proxy_define_metric(kind: u32, name: *const u8, len: usize, id: *mut u32) -> u32;
    pub fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    pub fn proxy_record_metric(id: u32, value: u64) -> u32;
    pub fn proxy_increment_metric(id: u32, by: i64) -> u32;
    pub fn proxy_get_property(
        path: *const u8,
        len: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    pub fn proxy_set_property(path: *const u8, len: usize, data: *const u8, size: usize) -> u32;
    pub fn proxy_call_foreign_function(
        name: *const u8,
        len: usize,
        data: *const u8,
        size: usize,
        out: *mut *mut u8,
        out_size: *mut usize,
    ) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    pub fn random_get(bytes: *mut u8, len: usize) -> u32;
    pub fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u32;
    pub fn environ_get(list: *mut usize, text: *mut u8) -> u32;
    pub fn fd_write(fd: u32, parts: *const [usize; 2], count: usize, written: *mut usize) -> u32;
    pub fn proc_exit(code: u32);
}

/// Runs a call that returns bytes.
fn bytes(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> (u32, Vec<u8>) {
    let (mut data, mut size) = (null_mut(), 0);
    let status = call(&mut data, &mut size);
    if status == 0 && !data.is_null() {
        // SAFETY: the host filled memory that this module's allocator made with that size.
        return (status, unsafe { Vec::from_raw_parts(data, size, size) });
    }
    (status, Vec::new())
}

pub fn map_value(map: u32, name: &str) -> (u32, Vec<u8>) {
    bytes(|data, size| unsafe {
        proxy_get_header_map_value(map, name.as_ptr(), name.len(), data, size)
    })
}

pub fn map_pairs(map: u32) -> (u32, Vec<u8>) {
    bytes(|data, size| unsafe { proxy_get_header_map_pairs(map, data, size) })
}

pub fn add(map: u32, name: &str, value: &str) -> u32 {
    unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    }
}

pub fn buffer(kind: u32, start: usize, max: usize) -> (u32, Vec<u8>) {
    bytes(|data, size| unsafe { proxy_get_buffer_bytes(kind, start, max, data, size) })
}

pub fn status() -> (u32, String) {
    let mut code = 0;
    let (_, text) = bytes(|data, size| unsafe { proxy_get_status(&mut code, data, size) });
    (code, text.escape_ascii().to_string())
}

pub fn set_data(key: &[u8], value: &[u8], cas: u32) -> u32 {
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) }
}

pub fn set_effective_context(id: u32) -> u32 {
    unsafe { proxy_set_effective_context(id) }
}

pub fn foreign(name: &str, arguments: &[u8]) -> (u32, Vec<u8>) {
    bytes(|data, size| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            data,
            size,
        )
    })
}

pub fn grpc_send(token: u32, data: &[u8], end: bool) -> u32 {
    unsafe { proxy_grpc_send(token, data.as_ptr(), data.len(), end.into()) }
}
