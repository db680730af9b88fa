//! The node's command line. Every command asks the running `serve` over its control socket; without one it opens the
//! office itself for as long as it takes.

mod console;
pub mod enrol;
mod fields;
mod import;
pub mod manual;
mod named;
pub mod page;
mod paper;
mod print;
mod refused;
pub mod review;
mod usage;

pub use fields::print as print_fields;
pub use named::Units;
pub use print::{doubts as print_doubts, found as print_found, list as print_list, story as print_story};
pub use review::Who;

use crate::{
    config::{self, Config},
    control::{self, ControlFile},
    disk::{self, Secrecy},
    exchange::Layouts,
    ledger::system_clock,
    office::{Office, worklist},
    panics,
    parts::{self, Parts},
    say,
    show::{
        self, Reader,
        lang::{self, Lang},
    },
    upstream::schedule::Mode,
    web::users::Users,
};
use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use taizhang_proto::{
    BUILT_MILLIS, OrgCode,
    cell::{doubt, worklist::Clock},
    date,
    month::Month,
    pb::{self, Tier, office_client::OfficeClient, review_client::ReviewClient},
    text,
};
use tokio::sync::watch;
use tonic::transport::Channel;

/// What is searched for, at an office and over a district.
#[derive(clap::Args)]
pub struct SearchArgs {
    /// 要查找的 (what to look for)
    #[arg(required = true)]
    pub words: Vec<String>,
    /// 只在此登记表中 (only in this register)
    #[arg(long, default_value = "")]
    pub register: String,
    /// 只查此单位及下级 (only this unit and below)
    #[arg(long)]
    pub unit: Option<OrgCode>,
    /// 最多几条 (at most)
    #[arg(long, default_value_t = 20)]
    pub limit: u32,
}

/// 台账节点：社区、街道乡镇的登记台账 (an office's registers)
#[derive(Parser)]
#[command(name = "taizhang-node", version, about)]
pub struct Cli {
    /// 数据目录 (data directory)
    #[arg(long, global = true, env = "TAIZHANG_DIR", default_value = "taizhang-node-data")]
    dir: PathBuf,
    /// 输出 JSON (for programs)
    #[arg(long, global = true)]
    json: bool,
    /// 表格显示所有栏目，不按屏幕宽度缩略 (every column, however wide the terminal)
    #[arg(long, global = true)]
    wide: bool,
    /// 语言：zh 或 en，默认按 LANG (zh or en; by LANG where it is not said)
    #[arg(long, global = true, value_enum)]
    lang: Option<Lang>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 建立数据目录和配置文件 (make the data directory and its configuration)
    Init {
        /// 本单位12位编码 (this office's unit, to work before it is enrolled)
        #[arg(long)]
        unit: Option<OrgCode>,
    },
    /// 用上级给的令牌登记本机 (get a certificate with a one-time token)
    Enrol {
        /// 令牌 (the token, or @file that holds it)
        token: String,
        /// 目录属于另一单位时，整体另存后重新开始 (set another unit's directory aside whole and begin anew)
        #[arg(long)]
        replace: bool,
    },
    /// 运行：按计划或实时同步 (run: sync on schedule or live)
    Serve {
        /// 实时同步 (live, whatever the configuration says)
        #[arg(long)]
        live: bool,
    },
    /// 立即同步一次 (sync once now)
    Sync,
    /// 导入 xlsx、xls 或 csv (import a file)
    Import(import::Import),
    /// 导出登记表 (export a register)
    Export {
        /// 登记表，如 resident 或 居民登记 (register)
        register: String,
        /// 文件，按扩展名 csv 或 xlsx (file; its extension decides)
        file: PathBuf,
        /// 只导出此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
    },
    /// 操作日志：谁在何时导入、导出、打印、放弃、重报、封账、登记，新的在前 (audit log: who imported, exported, printed, let go, sent again, closed, enrolled)
    AuditLog {
        /// 最多几条 (at most)
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// 被退回的变更：查看、改正重报、放弃 (changes that the hub refused: read, mend and send again, let go)
    Refused {
        #[command(subcommand)]
        what: Option<refused::Command>,
        /// 也列出已处理的 (those that were dealt with, too)
        #[arg(long)]
        all: bool,
    },
    /// 本机状态 (state of this node)
    Status,
    /// 到期清单 (cases due)
    Due {
        /// 几天之内 (within days)
        #[arg(long, default_value_t = 7)]
        within: u32,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
        /// 只看此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
        /// 最多几项 (at most)
        #[arg(long)]
        limit: Option<usize>,
        /// 另存为表格文件 csv 或 xlsx (write it to a file, too)
        #[arg(long)]
        export: Option<PathBuf>,
    },
    /// 待办清单：各登记表中已超期和将到期的事项 (everything late or soon due, whatever register it is in)
    Worklist {
        /// 几天之内到期 (due within days)
        #[arg(long, default_value_t = 7)]
        within: u32,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
        /// 只看此类，如 K40，可多次 (only these kinds, by the code in the first column)
        #[arg(long = "only")]
        only: Vec<String>,
        /// 只看此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
        /// 最多几项 (at most)
        #[arg(long)]
        limit: Option<usize>,
        /// 另存为表格文件 csv 或 xlsx (write it to a file, too)
        #[arg(long)]
        export: Option<PathBuf>,
    },
    /// 存疑清单：已登记而需要核实的事项 (what was entered and should be looked into)
    Doubts {
        /// 只看此类，可多次 (only these kinds, by the code in the first column)
        #[arg(long = "only", value_parser = parse_doubt)]
        only: Vec<String>,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
        /// 最多列出几项，默认100项；--json 不限 (at most; 100 where nobody says, all for --json)
        #[arg(long)]
        limit: Option<usize>,
    },
    /// 待归档：办结而未归档的案件、已形成而未归档的材料 (what is to be filed in the archive)
    ToFile {
        /// 几天之内到期 (due within days)
        #[arg(long, default_value_t = 14)]
        within: u32,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
    },
    /// 本单位的工作目标：实际、差距；按本机登记清点，不需联网 (own targets and what is left to them, offline)
    Standing {
        /// 只看未达标的，差距大的在前 (only targets that are missed, the worst first)
        #[arg(long)]
        only_missed: bool,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
    },
    /// 登记一条：字段=值 (enter one record: field=value)
    Save {
        /// 登记表 (register)
        register: String,
        /// 已有记录：身份证号、姓名、案件或证书编号，或记录编号 (the record to edit: id number, name, case or certificate number, or record id)
        #[arg(long)]
        record: Option<String>,
        /// 更正只能填一次的栏目时的理由 (why a field that is set once is corrected)
        #[arg(long, default_value = "")]
        reason: String,
        /// 刚才已保存过内容相同的一条，仍再登记一条 (enter another, though the same was saved a moment ago)
        #[arg(long)]
        again: bool,
        /// 字段=值 (field=value)
        #[arg(required = true)]
        fields: Vec<String>,
    },
    /// 列出登记表 (list a register)
    List {
        /// 登记表 (register)
        register: String,
        /// 最多几条 (at most)
        #[arg(long, default_value_t = 20)]
        limit: u32,
        /// 只列此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
    },
    /// 查找：姓名、拼音或首字母、证号后四位、电话、住址的一部分；几个词逐步缩小 (find by a part of the name, pinyin or its initials, the
    /// end of a number, phone or address; several words narrow)
    Search(SearchArgs),
    /// 登记表的栏目：类型、必填、代码、冲突办法，不需连接 (a register's fields, offline)
    Fields {
        /// 登记表；不写则列出全部登记表 (register; all of them without)
        register: Option<String>,
    },
    /// 一条记录的全部历史：谁、何时、为何 (a record's whole story: who, when, why)
    History {
        /// 身份证号、姓名、案件或证书编号，或记录编号 (id number, name, case or certificate number, or record id)
        record: String,
        /// 写成可打印的网页 (as a page to print, HTML)
        #[arg(long)]
        print: Option<PathBuf>,
    },
    /// 导入对照：哪些栏目名、字段代码对应哪些登记项 (which headings an import knows, and what they mean)
    Mappings {
        /// 只看这些栏目名 (only these headings)
        headings: Vec<String>,
    },
    /// 本单位月报封账 (close this office's month)
    Close {
        /// 月份，如 2008-03 (month)
        #[arg(value_parser = parse_month)]
        month: String,
        /// 填报人 (who)
        #[arg(long, env = "TAIZHANG_BY", default_value = "clerk")]
        by: String,
        /// 首次封账时确认：以前的月份不再补封 (of the first month that is closed: no earlier one will be)
        #[arg(long)]
        yes: bool,
    },
    #[command(flatten)]
    Paper(paper::Command),
    /// 一个人的推算情况：性别、年龄、就业状况、五清、期限 (what follows of a person from the records)
    Card {
        /// 身份证号、姓名或记录编号 (id number, name or record id)
        record: String,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
    },
    /// 街道乡镇审核：本单位各社区之间的冲突，由县区节点经本机证书办理 (a township's rulings within itself; needs the line)
    #[command(flatten)]
    Review(review::Command),
    /// 检查本机数据 (read every row and compare digests)
    Verify,
    /// 在浏览器中打开控制台 (open the pages in a browser)
    Open,
    /// 控制台的用户 (who may log in)
    #[command(subcommand)]
    User(console::UserCommand),
    /// 配置 (configuration)
    #[command(subcommand)]
    Config(ConfigCommand),
    /// 单位：按名称或编码查找 (units: find by name or code)
    #[command(subcommand)]
    Units(UnitsCommand),
    #[command(flatten)]
    Manual(manual::Command),
}

/// What is asked of the tree of units, at an office and at a hub.
#[derive(Subcommand)]
pub enum UnitsCommand {
    /// 按名称的一部分或编码的开头查找，如 find 永安台 (find by a part of the name, or by how the code begins)
    Find {
        /// 要查找的；不写为全部 (what to look for; all of them without it)
        #[arg(default_value = "")]
        word: String,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// 检查并显示生效的配置 (check, and show what is in force)
    Check,
}

/// A day on the command line.
///
/// # Errors
/// When it is no date.
pub fn parse_day(written: &str) -> Result<date::Day, String> {
    text::parse_date(written).ok_or_else(|| format!("{written} 不是日期，请写成 2008-03-20 (not a date)"))
}

/// A month on the command line.
///
/// # Errors
/// When it is none.
pub fn parse_month(written: &str) -> Result<String, String> {
    let month = Month::read(written).ok_or_else(|| format!("{written} 不是月份，请写成 2008-03 (not a month)"))?;
    Ok(month.to_string())
}

/// A kind of doubt, by its code.
///
/// # Errors
/// Lists all of them where there is none of this code.
pub fn parse_doubt(written: &str) -> Result<String, String> {
    let is_known = doubt::KINDS.contains(&written);
    is_known
        .then(|| written.to_owned())
        .ok_or_else(|| format!("没有 {written} 这一类；有 (no such kind; there are)：{}", doubt::KINDS.join("，")))
}

/// A command line as it was typed, the program's name first. Wrong use ends the process with code 2: in words, or as one
/// document for a program that asked for `--json`.
pub fn read<C: Units>(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> C {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    let for_program = arguments.iter().any(|argument| argument == "--json");
    match named::with_codes::<C>(&arguments) {
        Ok(Some(with_codes)) => arguments = with_codes,
        Ok(None) => {}
        Err(error) => {
            let reader = if for_program { Reader::Program } else { Reader::Person };
            show::error(reader, &format!("{error:#}"));
            std::process::exit(2);
        }
    }
    C::try_parse_from(&arguments).unwrap_or_else(|error| {
        let words = usage::in_chinese(&error);
        if error.use_stderr() && for_program {
            let said = error.to_string();
            let said: Vec<&str> = said.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
            let said = said.join(" ");
            let said = said.trim_start_matches("error: ");
            show::error(Reader::Program, &words.map_or_else(|| said.to_owned(), |words| format!("{words} ({said})")));
            std::process::exit(2);
        }
        usage::speak(&arguments, Reader::Person);
        if let Some(words) = words.filter(|_| error.use_stderr() && !lang::is_english()) {
            eprintln!("{words}");
        }
        error.exit()
    })
}

impl Units for Cli {
    fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    fn is_for_program(&self) -> bool {
        self.json
    }

    async fn find(dir: &std::path::Path, word: String) -> anyhow::Result<pb::UnitsAnswer> {
        let session = Session::open(dir).await?;
        let found = session.client.clone().find_units(pb::FindUnitsRequest { word }).await;
        session.close().await;
        found.map(tonic::Response::into_inner).map_err(|status| anyhow::anyhow!(answered(&status)))
    }
}

/// Runs a command; the exit code is 0 done, 1 failed, 2 wrong use, 3 partly done.
pub fn main(cli: Cli) -> ExitCode {
    show::set_wide(cli.wide);
    let reader = if cli.json { Reader::Program } else { Reader::Person };
    lang::set(cli.lang, reader);
    run_to_exit(run(cli), reader)
}

/// Runs a program's work on a runtime with logs, and turns its outcome into an exit code.
pub fn run_to_exit(work: impl Future<Output = anyhow::Result<ExitCode>>, reader: Reader) -> ExitCode {
    init_logs();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("can't start: {error}");
            return ExitCode::from(1);
        }
    };
    match runtime.block_on(work) {
        Ok(_) if show::has_failed() => ExitCode::from(1),
        Ok(code) => code,
        Err(error) => {
            let message = error.downcast_ref::<tonic::Status>().map(answered);
            let message = message.unwrap_or_else(|| format!("{error:#}"));
            show::error(reader, &message);
            ExitCode::from(1)
        }
    }
}

/// What a call came to that failed: what the running process answered is meant for people as it is, without the frame of the call;
/// a call that broke off has a cause on the line instead.
fn answered(status: &tonic::Status) -> String {
    match std::error::Error::source(status) {
        // The server's own words, for programs, of a request beyond its bounds.
        None if status.code() == tonic::Code::OutOfRange => {
            "所写的内容过长，请缩短后再试 (what was written is too long: shorten it)".to_owned()
        }
        None => status.message().to_owned(),
        Some(_) => "应答的程序在应答前停止了。已答“已保存”的都在；请重新启动 serve（问的是上级时，待其恢复）：导入可以原样再做一次，其他命令\
                    请先查看是否已经办成 (the process that was asked ended before it answered: start serve again, or wait for the hub; an \
                    import can be repeated as it is, of any other command look first whether it was done)"
            .to_owned(),
    }
}

/// Doubts that are listed for a person who does not say how many.
const DOUBTS: usize = 100;

/// Largest file that holds a token, bytes.
const MAX_TOKEN: u64 = 64 * 1024;

/// The token on a command line: itself, or with `@` the file that holds it.
///
/// # Errors
/// When the file can't be read.
pub fn read_token(argument: &str) -> anyhow::Result<String> {
    match argument.strip_prefix('@') {
        Some(file) => Ok(disk::read_text(file.as_ref(), MAX_TOKEN)?),
        None => Ok(argument.to_owned()),
    }
}

/// Logs: readable on a terminal, JSON otherwise; `TAIZHANG_LOG` chooses what. A panic is told there, too, without what was entered.
pub fn init_logs() {
    use std::io::IsTerminal;
    panics::tell_no_content();
    let filter = tracing_subscriber::EnvFilter::try_from_env("TAIZHANG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,taizhang_node=info,taizhang_hub=info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (tests, the demo) leaves the first in place.
    let _ = if std::io::stderr().is_terminal() { logs.try_init() } else { logs.json().try_init() };
}

type Client = OfficeClient<Channel>;

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let reader = if cli.json { Reader::Program } else { Reader::Person };
    config::no_hubs(&cli.dir)?;
    match cli.command {
        Command::Init { unit } => init(&cli.dir, unit, reader),
        Command::Enrol { token, replace } => enrol::enrol(&cli.dir, &read_token(&token)?, replace, reader).await,
        Command::Serve { live } => serve(&cli.dir, live).await,
        Command::Config(ConfigCommand::Check) => {
            let config = Config::load(&cli.dir)?;
            Layouts::load(&cli.dir)?;
            show::config(reader, &config)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Open => console::open(&cli.dir, reader),
        Command::User(command) => console::user(&cli.dir, command, reader),
        Command::Manual(command) => manual::run::<Cli>(command),
        Command::Fields { register } => {
            fields::print(register.as_deref(), reader)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Mappings { headings } => {
            let layouts = Layouts::load(&cli.dir)?;
            print::mappings(&layouts, &headings, reader);
            Ok(ExitCode::SUCCESS)
        }
        command => {
            let session = Session::open(&cli.dir).await?;
            let outcome = match command {
                Command::Review(command) => review::run(session.review.clone(), command, reader).await,
                command => ask(session.client.clone(), command, reader).await,
            };
            session.close().await;
            outcome
        }
    }
}

fn init(dir: &std::path::Path, unit: Option<OrgCode>, reader: Reader) -> anyhow::Result<ExitCode> {
    check_clock(system_clock()())?;
    if let Some(unit) = unit.filter(|unit| !matches!(unit.tier(), Tier::Community | Tier::Township)) {
        bail!(
            "{unit} 是县区或市的编码；基层节点用社区村或街道乡镇的编码，县区和市请用 taizhang-hub init (this is a district's or a city's \
             code: an office has a community's or a township's; for hubs there is taizhang-hub)"
        );
    }
    let path = dir.join(config::FILE);
    if path.exists() {
        bail!("{} 已存在 (exists already)", path.display());
    }
    disk::create_dir(dir)?;
    let set = unit.map(|unit| format!("unit = {}\n", unit.number())).unwrap_or_default();
    disk::write_file(&path, format!("{}{set}", config::TEMPLATE).as_bytes(), Secrecy::Plain)?;
    let next = format!("taizhang-node --dir {} enrol <令牌>", dir.display());
    show::line(reader, &format!("已建立 {}；下一步：{next}", path.display()));
    show::document(reader, serde_json::json!({ "dir": dir, "unit": unit.map(OrgCode::number), "next": next }));
    Ok(ExitCode::SUCCESS)
}

/// Refuses to begin under a clock that is wrong for certain: everything would be dated by it.
///
/// # Errors
/// When it reads a time before this program was built. `now` is milliseconds since 1970.
pub fn check_clock(now: u64) -> anyhow::Result<()> {
    if now < BUILT_MILLIS {
        bail!("{}", show::impossible_clock(now));
    }
    Ok(())
}

async fn serve(dir: &std::path::Path, live: bool) -> anyhow::Result<ExitCode> {
    let config = Config::load(dir)?;
    let mut schedule = config.schedule()?;
    if live {
        schedule.mode = Mode::Live;
    }
    let mut stop = std::pin::pin!(stop_signal());
    let mut office = Office::open(dir, &config, schedule, system_clock())?;
    loop {
        match serve_open(dir, office, (&config, schedule.mode), stop.as_mut()).await? {
            Ended::Asked => return Ok(ExitCode::SUCCESS),
            Ended::PartGone(part) => bail!(
                "本机的一部分已停止，程序退出，请重新启动 (a part of the node is gone, so it ends: start it again): {part}"
            ),
            Ended::StoreFailed => {}
        }
        // The store failed while in use: it is opened again as soon as it can be, for lack of room say.
        office = loop {
            match Office::open(dir, &config, schedule, system_clock()) {
                Ok(office) => break office,
                Err(error) => tracing::error!(%error, "the registers can't be opened yet; it is tried again"),
            }
            tokio::select! {
                () = stop.as_mut() => return Ok(ExitCode::SUCCESS),
                () = tokio::time::sleep(REOPEN_AFTER) => {}
            }
        };
    }
}

/// Pause before a store that failed is tried again.
const REOPEN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Why an open office ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    Asked,
    StoreFailed,
    /// A part of it is gone, with its name.
    PartGone(String),
}

async fn serve_open(
    dir: &std::path::Path,
    office: Arc<Office>,
    (config, mode): (&Config, Mode),
    asked: impl Future<Output = ()>,
) -> anyhow::Result<Ended> {
    let (stop, stopped) = watch::channel(false);
    let parts = Parts::new();
    // Who is answered by a command finds the pages there, too.
    let pages = match crate::console::open(&office, config, &parts, stopped.clone()).await {
        Ok(pages) => Some(pages),
        Err(error) => {
            // Registers and sync do not wait for the pages.
            tracing::error!(%error, "the console does not open; everything else goes on");
            say!("控制台没有打开 (the console does not open)：{error}");
            None
        }
    };
    let (control, control_task) = office.serve_control(stopped.clone()).await?;
    let mut part_ended = parts.ended();
    let answers = async move { parts::as_own(control_task.await) };
    let control_task = parts.run("control", stopped.clone(), answers);
    let keeper = office.keep_in_touch(&parts, stopped);
    // The first search need not wait. One that fails says so when it is asked.
    let ledger = office.ledger.clone();
    drop(tokio::task::spawn_blocking(move || _ = ledger.ready_to_search()));
    let how = match (&office.keeper, mode) {
        (None, _) => "尚未登记，不同步 (not enrolled, no sync)",
        (_, Mode::Live) => "实时同步 (live)",
        (_, Mode::Nightly) => "每夜同步 (nightly)",
    };
    say!("taizhang-node {} {how}; control {}; Ctrl-C 停止 (stops)", office.ledger.unit(), control.address);
    if let Some((console, _)) = &pages {
        match console.url(&Users::of(dir)?) {
            Ok(url) => say!("控制台 (console) {url}"),
            Err(why) => say!("控制台 (console) http://{}：{why}", console.address),
        }
    }
    let mut fault = office.ledger.fault();
    let failed = async {
        let found = fault.wait_for(Option::is_some).await.is_ok();
        // An office without room for its registers goes on saying so to whoever asks.
        has_room(dir).await;
        found
    };
    let ended = tokio::select! {
        () = asked => Ended::Asked,
        true = failed => Ended::StoreFailed,
        // The rest is not waited for: what is broken may never stop.
        Ok(part) = part_ended.wait_for(Option::is_some) => return Ok(Ended::PartGone(part.clone().unwrap_or_default())),
    };
    say!("正在停止 (stopping)");
    let _ = stop.send(true);
    control_task.await?;
    if let Some((_, pages)) = pages {
        pages.await?;
    }
    if let Some(keeper) = keeper {
        keeper.await?;
    }
    Ok(ended)
}

/// Waits until the disk has room for a store to be opened.
async fn has_room(dir: &std::path::Path) {
    while let Err(error) = disk::check_room(dir) {
        tracing::error!(%error, "the registers can't be opened yet; it is tried again");
        tokio::time::sleep(REOPEN_AFTER).await;
    }
}

/// Waits for Ctrl-C, or where there is one, the service manager's request to end.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// A way to an office: the running one, or one opened for this command.
struct Session {
    client: Client,
    review: review::Client,
    own: Option<Own>,
}

type Own = (Arc<Office>, watch::Sender<bool>, tokio::task::JoinHandle<()>);

impl Session {
    async fn open(dir: &std::path::Path) -> anyhow::Result<Self> {
        if !dir.exists() {
            bail!(
                "没有数据目录 {}；请先运行 init 或用 --dir 指明 (no data directory: run `init`, or name it with --dir)",
                dir.display()
            );
        }
        if let Some(file) = ControlFile::read(dir)
            && let Some(channel) = file.connect().await
        {
            return Ok(Self::on(channel, None));
        }
        let config = Config::load(dir)?;
        let office = Office::open(dir, &config, config.schedule()?, system_clock())?;
        let (stop, stopped) = watch::channel(false);
        let (file, task) = office.serve_control(stopped).await?;
        let channel = file.connect().await.context("can't reach the own control socket")?;
        Ok(Self::on(channel, Some((office, stop, task))))
    }

    fn on(channel: Channel, own: Option<Own>) -> Self {
        let review = ReviewClient::new(channel.clone()).max_decoding_message_size(control::MAX_MESSAGE);
        let client = OfficeClient::new(channel)
            .max_decoding_message_size(control::MAX_MESSAGE)
            .max_encoding_message_size(control::MAX_MESSAGE);
        Self { client, review, own }
    }

    async fn close(self) {
        drop((self.client, self.review));
        if let Some((office, stop, task)) = self.own {
            let _ = stop.send(true);
            let _ = task.await;
            drop(office);
        }
    }
}

async fn ask(mut client: Client, command: Command, reader: Reader) -> anyhow::Result<ExitCode> {
    match command {
        Command::Status => show::facts(reader, &client.status(pb::Empty {}).await?.into_inner().facts),
        Command::Sync => {
            let report = client.sync_now(pb::Empty {}).await?.into_inner();
            show::facts(reader, &show::sync_facts(&report));
            if !report.error.is_empty() || !report.ok {
                return Ok(ExitCode::from(1));
            }
            return Ok(if report.refused > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS });
        }
        Command::Import(request) => return import::import(client, request, reader).await,
        Command::Export { register, file, unit } => {
            let format = file.extension().and_then(|extension| extension.to_str()).unwrap_or("csv").to_lowercase();
            let unit = unit.map_or(0, OrgCode::number);
            let answer = client.export(pb::ExportRequest { register, format, unit }).await?.into_inner();
            disk::write_file(&file, &answer.content, Secrecy::OwnerOnly)?;
            show::exported(reader, answer.rows, &file);
        }
        Command::AuditLog { limit } => {
            show::audit_log(&client.audit_log(pb::AuditLogRequest { limit }).await?.into_inner(), reader);
        }
        Command::Due { within, on, unit, limit, export } => {
            let request = pb::DueRequest { on: on.unwrap_or(0), within, to_file: export.is_some() };
            let mut answer = client.due(request).await?.into_inner();
            answer
                .cases
                .retain(|case| unit.is_none_or(|unit| OrgCode::new(case.unit).is_ok_and(|own| unit.covers(own))));
            let found = print::Found::of(answer.cases.iter().map(|case| case.days_left));
            answer.cases.truncate(limit.unwrap_or(usize::MAX));
            if let Some(file) = export {
                let sheet = (&print::DUE_HEADINGS[..], &print::due_rows(&answer)[..]);
                return print::to_sheet(&file, sheet, (answer.on, within, found), reader);
            }
            print::due(&answer, (within, found), reader);
        }
        Command::Save { register, record, reason, again, fields } => {
            let fields = review::pairs(&fields)?;
            let record = record.unwrap_or_default();
            let request = pb::SaveRequest { register, record, fields, by: String::new(), reason, again };
            let answer = client.save(request).await?.into_inner();
            let saved = [
                show::fact("record", "已保存", "saved", &answer.record),
                show::fact("seq", "变更号", "change", answer.seq),
            ];
            let mut told = show::object(&saved);
            told.insert("doubts".into(), answer.doubts.clone().into());
            match reader {
                Reader::Person => show::facts(reader, &saved),
                Reader::Program => show::document(reader, told.into()),
            }
            for doubt in &answer.doubts {
                eprintln!("请注意：{doubt}");
            }
        }
        Command::Units(UnitsCommand::Find { word }) => {
            show::units(&client.find_units(pb::FindUnitsRequest { word }).await?.into_inner(), reader);
        }
        Command::Refused { what, all } => return refused::run(client, what, all, reader).await,
        Command::List { register, limit, unit } => {
            let unit = unit.map_or(0, OrgCode::number);
            let request = pb::ListRequest { register: register.clone(), unit, limit };
            print::list(&client.list(request).await?.into_inner(), &register, reader);
        }
        Command::Search(SearchArgs { words, register, unit, limit }) => {
            let unit = unit.map_or(0, OrgCode::number);
            let request = pb::SearchRequest { text: words.join(" "), register, unit, limit };
            print::found(&client.search(request).await?.into_inner(), reader);
        }
        Command::Card { record, on } => {
            let request = pb::CardRequest { record, on: on.unwrap_or(0) };
            show::facts(reader, &client.card(request).await?.into_inner().facts);
        }
        Command::Worklist { within, on, only, unit, limit, export } => {
            let is_known = |code: &String| Clock::ALL.iter().any(|clock| clock.code().eq_ignore_ascii_case(code));
            if let Some(unknown) = only.iter().find(|code| !is_known(code) && *code != worklist::REFUSED) {
                let known: Vec<String> =
                    Clock::ALL.iter().map(|clock| format!("{} {}", clock.code(), clock.zh())).collect();
                bail!("没有代码 {unknown}；有 (no such code; there are)：{}", known.join("，"));
            }
            let request = pb::DueRequest { on: on.unwrap_or(0), within, to_file: export.is_some() };
            let mut answer = client.worklist(request).await?.into_inner();
            answer
                .items
                .retain(|item| only.is_empty() || only.iter().any(|code| code.eq_ignore_ascii_case(&item.clock)));
            answer
                .items
                .retain(|item| unit.is_none_or(|unit| OrgCode::new(item.unit).is_ok_and(|own| unit.covers(own))));
            let found = print::Found::of(answer.items.iter().map(|item| item.days_left));
            answer.items.truncate(limit.unwrap_or(usize::MAX));
            if let Some(file) = export {
                let sheet = (&print::WORK_HEADINGS[..], &print::work_rows(&answer)[..]);
                return print::to_sheet(&file, sheet, (answer.on, within, found), reader);
            }
            print::worklist(&answer, (within, found), reader);
        }
        Command::Doubts { only, on, limit } => {
            let mut answer = client.doubts(pb::DoubtsRequest { on: on.unwrap_or(0), only }).await?.into_inner();
            // A program gets them all unless it says how many.
            let most = limit.or((reader == Reader::Person).then_some(DOUBTS));
            answer.items.truncate(most.unwrap_or(usize::MAX));
            print::doubts(&answer, reader);
        }
        Command::ToFile { within, on } => {
            let answer = client.to_file(pb::ToFileRequest { on: on.unwrap_or(0), within }).await?.into_inner();
            print::to_file(&answer, within, reader);
        }
        Command::Standing { on, only_missed } => {
            let request = pb::StandingRequest { on: on.unwrap_or(0), ..pb::StandingRequest::default() };
            show::standing(reader, &client.standing(request).await?.into_inner(), only_missed);
        }
        Command::History { record, print } => {
            let answer = client.history(pb::HistoryRequest { record, to_file: print.is_some() }).await?.into_inner();
            let Some(file) = print else {
                print::story(&answer, reader);
                return Ok(ExitCode::SUCCESS);
            };
            page::print(&answer, &file, reader)?;
        }
        Command::Close { month, by, yes } => {
            let request = pb::MonthRequest { month, by, sure: yes, ..pb::MonthRequest::default() };
            let answer = client.close(request).await?.into_inner();
            let facts = [
                show::fact("record", "记录编号", "record", answer.record),
                show::fact("rows", "记录数", "records", answer.rows),
                show::fact("version", "版次", "version", answer.version),
                show::fact("digest", "摘要", "digest", answer.digest),
            ];
            show::facts(reader, &facts);
        }
        Command::Paper(command) => paper::run(client, command, reader).await?,
        Command::Verify => {
            let answer = client.verify(pb::Empty {}).await?.into_inner();
            show::verified(reader, &answer);
            if !answer.problems.is_empty() {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Init { .. }
        | Command::Enrol { .. }
        | Command::Serve { .. }
        | Command::Config(_)
        | Command::Manual(_)
        | Command::Open
        | Command::User(_)
        | Command::Mappings { .. }
        | Command::Fields { .. }
        | Command::Review(_) => {
            unreachable!("handled elsewhere")
        }
    }
    Ok(ExitCode::SUCCESS)
}
