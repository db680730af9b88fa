//! The city in a box, to look at: see [`taizhang_tests::demo`].

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    taizhang_tests::demo::main(taizhang_tests::demo::Cli::parse())
}
