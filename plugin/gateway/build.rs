//! Compiles `proto/account.proto` with a protobuf compiler written in Rust: no `protoc` on the machine is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/account.proto");
    let descriptors = protox::compile(["proto/account.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
