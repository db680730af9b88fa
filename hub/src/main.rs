//! The hub's program: reads the command line and calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    taizhang_hub::cli::main(taizhang_node::cli::read(std::env::args_os()))
}
