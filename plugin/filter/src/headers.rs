//! Asks the host for maps of headers, and sends replies: as one block of memory each, without a copy of each name and value.
//!
//! The SDK's own reading makes two allocations for every header of every request. What stands where in a block is known in
//! [`gateway::header_block`].

use std::borrow::Cow;

use gateway::header_block::{self, Pair};
use proxy_wasm::types::MapType;

/// A map of headers, as it was when it was asked for.
pub struct HeaderBlock(Vec<u8>);

impl HeaderBlock {
    /// Asks the host. Empty when there is no such map now.
    pub fn of(map: MapType) -> Self {
        Self(abi::pairs(map).unwrap_or_default())
    }

    /// Names and values in their order. Nothing when the layout is broken: half a request is no request.
    pub fn pairs(&self) -> Vec<Pair<'_>> {
        header_block::read(&self.0).unwrap_or_default()
    }
}

/// Sends a reply on the stream in whose context the host is. Without a body when that is empty.
pub fn reply(status: u16, headers: &[(&str, Cow<'_, str>)], body: &[u8]) {
    if let Some(headers) = header_block::write(headers) {
        abi::send_reply(status, &headers, body);
    }
}

#[expect(
    unsafe_code,
    reason = "the call of the ABI: the host writes to two places and gives away memory that the module allocated for it"
)]
mod abi {
    use std::ptr::{null, null_mut};

    use proxy_wasm::types::MapType;

    /// `proxy_status_t::OK`.
    const OK: u32 = 0;

    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;

        fn proxy_get_header_map_pairs(
            map: MapType,
            answer: *mut *mut u8,
            answer_size: *mut usize,
        ) -> u32;
    }

    /// Not a gRPC reply.
    const NO_GRPC_STATUS: i32 = -1;

    /// A reply that the host does not take is sent by nobody: there is no second one to send.
    pub(super) fn send_reply(status: u16, headers: &[u8], body: &[u8]) {
        // SAFETY: the pointers and lengths are those of live slices, which the host only reads, or of nothing.
        let _ = unsafe {
            proxy_send_local_response(
                status.into(),
                null(),
                0,
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                NO_GRPC_STATUS,
            )
        };
    }

    pub(super) fn pairs(map: MapType) -> Option<Vec<u8>> {
        let mut answer = null_mut();
        let mut answer_size = 0;
        // SAFETY: the pointers are those of two live variables, which the host may write.
        let status =
            unsafe { proxy_get_header_map_pairs(map, &raw mut answer, &raw mut answer_size) };
        if answer.is_null() {
            return None;
        }
        // SAFETY: by the ABI, memory that the host hands out comes from this module's own `proxy_on_memory_allocate`, which the
        // SDK implements by leaking a `Vec<u8>` of exactly this size, and the host does not keep it.
        let answer = unsafe { Vec::from_raw_parts(answer, answer_size, answer_size) };
        (status == OK).then_some(answer)
    }
}
