//! Compiles the contract with protox (no protoc on the machine): the services and messages into Rust,
//! and the whole descriptor set, with the registers' options, for reading at run time.

use prost::Message;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: [&str; 9] = [
    "registers/options.proto",
    "registers/person.proto",
    "registers/household.proto",
    "registers/unit.proto",
    "mail.proto",
    "sync.proto",
    "totals.proto",
    "admin.proto",
    "review.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["registers", "."])?;
    compiler.include_imports(true).include_source_info(false);
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
        compiler.open_file(file)?;
    }
    let encoded = compiler.encode_file_descriptor_set();
    fs::write(out.join("taizhang.bin"), &encoded)?;

    let files = prost_types::FileDescriptorSet::decode(encoded.as_slice())?;
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
