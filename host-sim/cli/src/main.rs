//! The host-sim command: engine, serve.

fn main() {}
