//! `open` and `user`: the way to the console, and who may log in there. Both need no running process but the one that serves the pages.

use crate::{
    audit_log::{self, Entry},
    caller::Role,
    console::ConsoleFile,
    ledger::system_clock,
    office::OfficeError,
    say,
    show::{self, Reader},
    web::users::Users,
};
use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use std::{
    io::{BufRead, IsTerminal},
    path::Path,
    process::ExitCode,
};

/// What a user of an office may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum As {
    /// 办事员 (enters and changes)
    Clerk,
    /// 负责人 (a clerk who also closes months and adds users)
    Head,
    /// 只读 (looks)
    Reader,
}

impl As {
    fn role(self) -> Role {
        match self {
            Self::Clerk => Role::Clerk,
            Self::Head => Role::Head,
            Self::Reader => Role::Reader,
        }
    }
}

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// 列出用户 (list them)
    List,
    /// 增加用户，密码从键盘或标准输入读 (add one; the password is typed, or read from standard input)
    Add {
        /// 用户名 (name)
        name: String,
        /// 角色 (as what)
        #[arg(long, value_enum, default_value = "clerk")]
        role: As,
    },
    /// 重设密码 (give somebody another password)
    Password {
        /// 用户名 (name)
        name: String,
    },
    /// 删除用户 (remove one)
    Remove {
        /// 用户名 (name)
        name: String,
    },
}

/// Opens the console in a browser, or says where it is.
pub(super) fn open(dir: &Path, reader: Reader) -> anyhow::Result<ExitCode> {
    let found = ConsoleFile::read(dir);
    let file = found.context("控制台没有运行，请先运行 serve (the console is not running: run `serve` first)")?;
    if std::net::TcpStream::connect_timeout(&file.address, std::time::Duration::from_secs(2)).is_err() {
        bail!("控制台没有运行，请先运行 serve (the console is not running: run `serve` first)");
    }
    let url = file.url(&Users::of(dir)?)?;
    show::document(reader, serde_json::json!({ "url": url }));
    if reader == Reader::Person {
        say!("{url}");
        if std::io::stdout().is_terminal()
            && let Err(error) = ::open::that_detached(&url)
        {
            say!("浏览器打不开，请自行打开以上网址 (open it yourself): {error}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A password, typed unseen, or a line of standard input.
fn password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("密码 (password): ")?;
        let second = rpassword::prompt_password("再输一次 (once more): ")?;
        if first != second {
            bail!("两次输入的密码不同 (the two passwords differ)");
        }
        return Ok(first);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads or changes the list of users. A running console goes by it at once.
pub(super) fn user(dir: &Path, command: UserCommand, reader: Reader) -> anyhow::Result<ExitCode> {
    let unit = super::enrol::unit_of(dir)?.ok_or(OfficeError::NoUnit)?;
    let users = Users::of(dir)?;
    let (what, of) = match command {
        UserCommand::List => {
            let rows: Vec<Vec<String>> =
                users.list()?.into_iter().map(|user| vec![user.name, user.role.code().to_owned()]).collect();
            let headings = [("name", "用户名"), ("role", "角色")];
            show::table(reader, &headings, &rows);
            return Ok(ExitCode::SUCCESS);
        }
        UserCommand::Add { name, role } => {
            users.add(&name, role.role(), &password()?)?;
            ("user add", role.role().code())
        }
        UserCommand::Password { name } => {
            users.set_password(&name, &password()?)?;
            ("user password", "")
        }
        UserCommand::Remove { name } => {
            users.remove(&name, Role::Head)?;
            ("user remove", "")
        }
    };
    let at = system_clock()() / 1_000;
    let entry =
        Entry { at, by: String::new(), role: Role::Operator, unit: unit.number(), what: what.into(), of: of.into() };
    audit_log::put(dir, &entry)?;
    show::document(reader, serde_json::json!({ "done": what }));
    show::line(reader, "已办 (done)");
    Ok(ExitCode::SUCCESS)
}
