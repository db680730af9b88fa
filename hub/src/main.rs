//! The hub's program: reads the command line and calls the library.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    taizhang_hub::cli::main(taizhang_hub::cli::Cli::parse())
}
