//! Both programs in one binary, for tests that start, kill and restart real processes: `tz node …`, `tz hub …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let which = if arguments.len() > 1 { arguments.remove(1) } else { "".into() };
    match which.to_str() {
        Some("node") => taizhang_node::cli::main(taizhang_node::cli::read(arguments)),
        Some("hub") => taizhang_hub::cli::main(taizhang_node::cli::read(arguments)),
        _ => {
            eprintln!("tz node … | tz hub …");
            ExitCode::from(2)
        }
    }
}
