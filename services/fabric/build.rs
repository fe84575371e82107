//! Compiles the messages of Fabric that are used here.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    let folder = Path::new("proto");
    let files = [
        "configuration.proto",
        "gateway.proto",
        "kvrwset.proto",
        "lifecycle.proto",
        "msp.proto",
        "queryresult.proto",
        "shim.proto",
        "status.proto",
    ];
    let descriptors = protox::compile(files, [folder])?;
    tonic_prost_build::configure()
        // The chaincode's method Connect would collide with the transport's own `connect`.
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
