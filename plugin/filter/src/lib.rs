//! The proxy-wasm shell: callbacks in, host calls out, no decisions.
