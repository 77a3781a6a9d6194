//! Functions that a host offers by name, beyond the ABI.
//!
//! The SDK's own call panics on every status that it does not expect, and a host that has no such function may answer with one
//! it has no name for (`UNIMPLEMENTED`). A missing function is no reason to lose a worker, so the ABI is called here directly.
//! What the bytes mean is known elsewhere.

/// Calls the host's function `name`. `None` when the host has no such function, refuses the arguments, or answers nothing.
pub fn call(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
    abi::call(name, arguments)
}

#[expect(
    unsafe_code,
    reason = "the call of the ABI: the host writes to two places and gives away memory that the module allocated for it"
)]
mod abi {
    use std::ptr::null_mut;

    /// `proxy_status_t::OK`.
    const OK: u32 = 0;

    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_call_foreign_function(
            name: *const u8,
            name_size: usize,
            arguments: *const u8,
            arguments_size: usize,
            answer: *mut *mut u8,
            answer_size: *mut usize,
        ) -> u32;
    }

    pub(super) fn call(name: &str, arguments: &[u8]) -> Option<Vec<u8>> {
        let mut answer = null_mut();
        let mut answer_size = 0;
        // SAFETY: the pointers and lengths are those of live slices, which the host only reads, and of two live variables, which
        // it may write.
        let status = unsafe {
            proxy_call_foreign_function(
                name.as_ptr(),
                name.len(),
                arguments.as_ptr(),
                arguments.len(),
                &raw mut answer,
                &raw mut answer_size,
            )
        };
        if answer.is_null() {
            return None;
        }
        // SAFETY: by the ABI, memory that the host hands out comes from this module's own `proxy_on_memory_allocate`, which the SDK
        // implements by leaking a `Vec<u8>` of exactly this size, and the host does not keep it.
        let answer = unsafe { Vec::from_raw_parts(answer, answer_size, answer_size) };
        (status == OK).then_some(answer)
    }
}
