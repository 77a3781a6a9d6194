//! Developer commands: build, up, token, test.

fn main() {}
