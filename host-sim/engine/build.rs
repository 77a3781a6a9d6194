//! Generates the gRPC services of etcd's API; their messages are the ones of `etcd-wire`, so that engine and
//! gateway can never read the same bytes differently.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../../plugin/etcd-wire/proto/etcd.proto");
    let folder = "../../plugin/etcd-wire/proto";
    let descriptors = protox::compile(["etcd.proto"], [folder])?;
    tonic_prost_build::configure()
        .extern_path(".etcdserverpb", "::etcd_wire")
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
