//! A proxy-wasm host on wasmtime, faithful to Envoy.
