//! The node's command line. Every command asks the running `serve` over its control socket; without one it opens the
//! office itself for as long as it takes.

pub mod enrol;
mod page;
mod print;
pub mod review;

pub use print::sync_facts;

use crate::{
    config::{self, Config},
    control::{self, ControlFile},
    disk::{self, Secrecy},
    exchange::{Layouts, MAX_FILE},
    ledger::system_clock,
    office::Office,
    parts::{self, Parts},
    say,
    show::{self, Reader},
    upstream::schedule::Mode,
};
use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use taizhang_proto::{
    OrgCode, date,
    month::Month,
    pb::{self, office_client::OfficeClient, review_client::ReviewClient},
    text,
};
use tokio::sync::watch;
use tonic::transport::Channel;

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
    Import {
        /// 文件 (file)
        file: PathBuf,
        /// 只检查，不保存 (check only)
        #[arg(long)]
        dry_run: bool,
        /// 表中未写单位时归属的单位 (unit of rows that name none)
        #[arg(long)]
        unit: Option<OrgCode>,
        /// 接收旧登记册时，表中未写的入册日期，如 2005-01-01；默认为行内最早的登记日期，没有则为导入当日 (since when
        /// they are on the register, for taking over an old one; else the row's earliest day, or today)
        #[arg(long, value_parser = parse_day)]
        registered_on: Option<date::Day>,
        /// 未通过的行写到此处，默认与文件同目录 (where the wrong rows go)
        #[arg(long)]
        reasons: Option<PathBuf>,
        /// 尚未收到单位树时等待，而不是退出 (wait for the tree of units where none has come yet)
        #[arg(long)]
        wait: bool,
    },
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
    },
    /// 存疑清单：已登记而需要核实的事项 (what was entered and should be looked into)
    Doubts {
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
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
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<date::Day>,
    },
    /// 登记一条：字段=值 (enter one record: field=value)
    Save {
        /// 登记表 (register)
        register: String,
        /// 已有记录的编号 (id of the record to edit)
        #[arg(long)]
        record: Option<String>,
        /// 更正只能填一次的栏目时的理由 (why a field that is set once is corrected)
        #[arg(long, default_value = "")]
        reason: String,
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
    },
    /// 一条记录的全部历史：谁、何时、为何 (a record's whole story: who, when, why)
    History {
        /// 记录编号 (id of the record)
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
    },
    /// 一个人的推算情况：性别、年龄、就业状况、五清、期限 (what follows of a person from the records)
    Card {
        /// 居民登记的编号 (id of the resident)
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
    /// 配置 (configuration)
    #[command(subcommand)]
    Config(ConfigCommand),
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

/// Runs a command; the exit code is 0 done, 1 failed, 2 wrong use, 3 partly done.
pub fn main(cli: Cli) -> ExitCode {
    run_to_exit(run(cli))
}

/// Runs a program's work on a runtime with logs, and turns its outcome into an exit code.
pub fn run_to_exit(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
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
            // What a running process answered is meant for people as it is, without the frame of the call.
            let message = error.downcast_ref::<tonic::Status>().map(|status| status.message().to_owned());
            eprintln!("{}", message.unwrap_or_else(|| format!("{error:#}")));
            ExitCode::from(1)
        }
    }
}

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

/// Logs: readable on a terminal, JSON otherwise; `TAIZHANG_LOG` chooses what.
pub fn init_logs() {
    use std::io::IsTerminal;
    let filter = tracing_subscriber::EnvFilter::try_from_env("TAIZHANG_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,taizhang_node=info,taizhang_hub=info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (tests, the demo) leaves the first in place.
    let _ = if std::io::stderr().is_terminal() { logs.try_init() } else { logs.json().try_init() };
}

type Client = OfficeClient<Channel>;

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let reader = if cli.json { Reader::Program } else { Reader::Person };
    match cli.command {
        Command::Init { unit } => init(&cli.dir, unit),
        Command::Enrol { token, replace } => enrol::enrol(&cli.dir, &read_token(&token)?, replace).await,
        Command::Serve { live } => serve(&cli.dir, live).await,
        Command::Config(ConfigCommand::Check) => {
            let config = Config::load(&cli.dir)?;
            Layouts::load(&cli.dir)?;
            say!("{}", serde_json::to_string_pretty(&config)?);
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

fn init(dir: &std::path::Path, unit: Option<OrgCode>) -> anyhow::Result<ExitCode> {
    let path = dir.join(config::FILE);
    if path.exists() {
        bail!("{} 已存在 (exists already)", path.display());
    }
    disk::create_dir(dir)?;
    let set = unit.map(|unit| format!("unit = {}\n", unit.number())).unwrap_or_default();
    disk::write_file(&path, format!("{}{set}", config::TEMPLATE).as_bytes(), Secrecy::Plain)?;
    say!("已建立 {}；下一步：taizhang-node --dir {} enrol <令牌>", path.display(), dir.display());
    Ok(ExitCode::SUCCESS)
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
        match serve_open(dir, office, schedule.mode, stop.as_mut()).await? {
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
    mode: Mode,
    asked: impl Future<Output = ()>,
) -> anyhow::Result<Ended> {
    let (stop, stopped) = watch::channel(false);
    let (control, control_task) = office.serve_control(stopped.clone()).await?;
    let parts = Parts::new();
    let mut part_ended = parts.ended();
    let answers = async move { parts::as_own(control_task.await) };
    let control_task = parts.run("control", stopped.clone(), answers);
    let keeper = office.keep_in_touch(&parts, stopped);
    let how = match (&office.keeper, mode) {
        (None, _) => "尚未登记，不同步 (not enrolled, no sync)",
        (_, Mode::Live) => "实时同步 (live)",
        (_, Mode::Nightly) => "每夜同步 (nightly)",
    };
    say!("taizhang-node {} {how}; control {}; Ctrl-C 停止 (stops)", office.ledger.unit(), control.address);
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
            show::facts(reader, &sync_facts(&report));
            if !report.error.is_empty() || !report.ok {
                return Ok(ExitCode::from(1));
            }
            return Ok(if report.refused > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS });
        }
        Command::Import { file, dry_run, unit, registered_on, reasons, wait } => {
            return import(client, &file, (dry_run, wait), (unit, registered_on), reasons, reader).await;
        }
        Command::Export { register, file, unit } => {
            let format = file.extension().and_then(|extension| extension.to_str()).unwrap_or("csv").to_lowercase();
            let unit = unit.map_or(0, OrgCode::number);
            let answer = client.export(pb::ExportRequest { register, format, unit }).await?.into_inner();
            disk::write_file(&file, &answer.content, Secrecy::OwnerOnly)?;
            say!("已导出 {} 行到 {} ({} rows)", answer.rows, file.display(), answer.rows);
        }
        Command::Due { within, on } => {
            let answer = client.due(pb::DueRequest { on: on.unwrap_or(0), within }).await?.into_inner();
            print::due(&answer, within, reader);
        }
        Command::Save { register, record, reason, fields } => {
            let fields = review::pairs(&fields)?;
            let request =
                pb::SaveRequest { register, record: record.unwrap_or_default(), fields, by: String::new(), reason };
            let answer = client.save(request).await?.into_inner();
            let saved = [
                show::fact("record", "已保存", "saved", &answer.record),
                show::fact("seq", "变更号", "change", answer.seq),
            ];
            show::facts(reader, &saved);
            for doubt in &answer.doubts {
                eprintln!("请注意：{doubt}");
            }
        }
        Command::List { register, limit } => {
            let answer = client.list(pb::ListRequest { register, unit: 0, limit }).await?.into_inner();
            print::list(&answer, reader);
        }
        Command::Card { record, on } => {
            let request = pb::CardRequest { record, on: on.unwrap_or(0) };
            show::facts(reader, &client.card(request).await?.into_inner().facts);
        }
        Command::Worklist { within, on, only } => {
            let mut answer = client.worklist(pb::DueRequest { on: on.unwrap_or(0), within }).await?.into_inner();
            answer
                .items
                .retain(|item| only.is_empty() || only.iter().any(|code| code.eq_ignore_ascii_case(&item.clock)));
            print::worklist(&answer, within, reader);
        }
        Command::Doubts { on } => {
            let answer = client.doubts(pb::DoubtsRequest { on: on.unwrap_or(0) }).await?.into_inner();
            print::doubts(&answer, reader);
        }
        Command::ToFile { within, on } => {
            let answer = client.to_file(pb::ToFileRequest { on: on.unwrap_or(0), within }).await?.into_inner();
            print::to_file(&answer, within, reader);
        }
        Command::Standing { on } => {
            let request = pb::StandingRequest { on: on.unwrap_or(0), ..pb::StandingRequest::default() };
            show::standing(reader, &client.standing(request).await?.into_inner());
        }
        Command::History { record, print } => {
            let answer = client.history(pb::HistoryRequest { record }).await?.into_inner();
            let Some(file) = print else {
                print::story(&answer, reader);
                return Ok(ExitCode::SUCCESS);
            };
            disk::write_file(&file, page::story(&answer).as_bytes(), Secrecy::OwnerOnly)?;
            say!("已写入 {}，含个人信息，请妥善保管 (written; it holds personal data)", file.display());
        }
        Command::Close { month, by } => {
            let request = pb::MonthRequest { month, by, ..pb::MonthRequest::default() };
            let answer = client.close(request).await?.into_inner();
            let facts = [
                show::fact("record", "记录编号", "record", answer.record),
                show::fact("rows", "记录数", "records", answer.rows),
                show::fact("version", "版次", "version", answer.version),
                show::fact("digest", "摘要", "digest", answer.digest),
            ];
            show::facts(reader, &facts);
        }
        Command::Verify => {
            let answer = client.verify(pb::Empty {}).await?.into_inner();
            say!("已检查 {} 行 ({} rows checked)", answer.checked, answer.checked);
            for problem in &answer.problems {
                say!("{problem}");
            }
            if !answer.problems.is_empty() {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Init { .. }
        | Command::Enrol { .. }
        | Command::Serve { .. }
        | Command::Config(_)
        | Command::Mappings { .. }
        | Command::Review(_) => {
            unreachable!("handled elsewhere")
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn import(
    mut client: Client,
    file: &std::path::Path,
    (dry_run, wait): (bool, bool),
    (unit, registered_on): (Option<OrgCode>, Option<date::Day>),
    reasons: Option<PathBuf>,
    reader: Reader,
) -> anyhow::Result<ExitCode> {
    let content = disk::read_bounded(file, MAX_FILE as u64)?;
    let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unit = unit.map_or(0, OrgCode::number);
    let request =
        pb::ImportRequest { file_name, content: content.into(), unit, dry_run, by: String::new(), registered_on };
    let mut told = false;
    let mut steps = loop {
        match client.import(request.clone()).await {
            Err(status) if wait && status.code() == tonic::Code::Unavailable => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!(
                        "等待上级的单位树，Ctrl-C 放弃 (waiting for the tree of units; Ctrl-C gives up)：{}",
                        status.message()
                    );
                }
                // A session now, whatever the schedule says; why it fails is in `status`.
                let _ = client.sync_now(pb::Empty {}).await;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            answered => break answered?.into_inner(),
        }
    };
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("导入 {bar:40} {pos}/{len} 行 {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut last = None;
    while let Some(step) = steps.message().await? {
        if let Some(progress) = step.progress {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
        last = step.report.or(last);
    }
    bar.finish_and_clear();
    let report = last.context("导入未完成 (the import did not finish)")?;
    show::facts(
        reader,
        &[
            show::fact("rows", "数据行", "rows", report.rows),
            show::fact("new", "新增", "new", report.new_rows),
            show::fact("changed", "更新", "changed", report.changed_rows),
            show::fact("same", "已存在", "same", report.same_rows),
            show::fact("wrong", "未通过", "wrong", report.wrong_rows),
            show::fact("skipped", "跳过", "skipped", report.skipped_rows),
        ],
    );
    for finding in &report.findings {
        eprintln!("注意：{finding}");
    }
    if report.wrong_rows == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let path = reasons.unwrap_or_else(|| file.with_file_name(&report.reasons_name));
    disk::write_file(&path, &report.reasons, Secrecy::OwnerOnly)?;
    eprintln!("未通过的行及原因已写入 {}，改正后可再次导入 (wrong rows with reasons)", path.display());
    Ok(ExitCode::from(3))
}
