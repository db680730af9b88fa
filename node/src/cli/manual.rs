//! What a program tells of itself to others: completions for a shell, and manual pages, both made from its own command line.

use crate::{disk, say};
use clap::{CommandFactory, Subcommand};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// What is made.
#[derive(Subcommand)]
pub enum Command {
    /// 命令补全，如 completions bash > /etc/bash_completion.d/… (completions for a shell, to its own file)
    Completions {
        /// bash、zsh、fish、powershell、elvish
        shell: clap_complete::Shell,
    },
    /// 手册页，写入目录 (manual pages, into a directory)
    Man {
        /// 目录 (directory)
        dir: PathBuf,
    },
}

/// Makes it for a program.
///
/// # Errors
/// When the directory can't be written to.
pub fn run<C: CommandFactory>(command: Command) -> anyhow::Result<ExitCode> {
    let mut program = C::command();
    match command {
        Command::Completions { shell } => {
            let name = program.get_name().to_owned();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program, name, &mut script);
            // Whoever reads it may have read enough.
            match std::io::stdout().lock().write_all(&script) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
                _ => {}
            }
        }
        Command::Man { dir } => {
            disk::create_dir(&dir)?;
            clap_mangen::generate_to(program, &dir)?;
            say!("手册页已写入 {}，如 man -l {}/… (written)", dir.display(), dir.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
