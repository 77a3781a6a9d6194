//! The proxy-wasm shell of the gateway: callbacks in, host calls out, no decisions.
//!
//! The only crate that names `proxy_wasm`. It carries bytes between Envoy and [`gateway`] and sees to what is peculiar to
//! the ABI: headers are read as bytes only (one byte 0xFF must not end a worker), a body is collected before it is
//! judged, engine calls are made by the root context so that a client that leaves cancels nothing, and a reply is sent
//! once.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "a worker VM never traps: a trap loses every request in flight on that worker"
    )
)]

mod contexts;
mod foreign;
mod headers;
mod host;
mod root;
mod stream;
mod vm;

#[allow(
    unsafe_code,
    reason = "the macro exports the module's entry point under the name that the host looks for"
)]
mod entry {
    use proxy_wasm::types::LogLevel;

    use crate::root::Root;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|id| Box::new(Root::new(id)));
    }}
}
