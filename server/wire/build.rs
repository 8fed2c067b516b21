//! Generates the gRPC code from proto/cfg.proto without a protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["cfg.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(files)?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}
