//! The hub's command line. Every command asks the running `serve` over its control socket; without one it opens the
//! hub itself for as long as it takes.

mod assess;
mod decide;
mod init;
mod months;
mod papers;
mod print;
mod read;
mod report;
mod revise;
mod totals;

pub use init::create;
pub use print::{figure, show_totals, totals_board, totals_table};

use crate::{
    advertise,
    config::{self, Config, HubTier},
    hub::Hub,
};
use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use taizhang_node::{
    cli::{
        Units, UnitsCommand,
        enrol::{RUNS_ON, enrolled, first_session},
        manual, parse_day, print_fields, read_token, review, run_to_exit, stop_signal,
    },
    control::{self, ControlFile},
    disk,
    identity::{CertKind, Identity, Token},
    ledger::system_clock,
    say,
    show::{self, Reader, lang::Lang},
};
use taizhang_proto::{
    OrgCode,
    date::{self, Day},
    pb::{
        self, admin_client::AdminClient, bulletin_client::BulletinClient, reading_client::ReadingClient,
        review_client::ReviewClient, totals_client::TotalsClient,
    },
};
use tokio::sync::watch;
use tonic::transport::Channel;

/// 台账汇聚节点：县区或市 (a district's or the city's hub)
#[derive(Parser)]
#[command(name = "taizhang-hub", version, about)]
pub struct Cli {
    /// 数据目录 (data directory)
    #[arg(long, global = true, env = "TAIZHANG_DIR", default_value = "taizhang-hub-data")]
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
    /// 建立数据目录、证书机构和配置 (make data directory, authority and configuration)
    Init {
        /// 上级给本级的令牌：单位和层级由它而来，并随即登记 (the parent's token: says unit and tier, and enrols at once; or @file that holds it)
        token: Option<String>,
        /// 本级单位编码 (the hub's unit)
        #[arg(long, required_unless_present = "token", conflicts_with = "token")]
        unit: Option<OrgCode>,
        /// 县区或市 (district or city)
        #[arg(long, required_unless_present = "token", conflicts_with = "token")]
        tier: Option<HubTier>,
        /// 下级连接的地址，默认 0.0.0.0 和 --advertise 的端口，或 7201 (where children call; by default the port of --advertise, or 7201)
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// 写进令牌的地址，如 https://hub.example:7201 (address that goes into tokens)
        #[arg(long)]
        advertise: Option<String>,
        /// 单位树 code,name,parent,tier (tree of units, CSV)
        #[arg(long)]
        units: Option<PathBuf>,
    },
    /// 运行 (run)
    Serve,
    /// 用上级的令牌登记本级 (enrol at the parent with its token)
    Enrol {
        /// 令牌 (the token, or @file that holds it)
        token: String,
    },
    /// 给下级一个一次性令牌 (a one-time token for a child)
    Token {
        /// 下级单位编码 (the child's unit)
        #[arg(long)]
        unit: OrgCode,
        /// 下级是汇聚节点 (the child is a hub)
        #[arg(long)]
        hub: bool,
        /// 只读：只能查看该单位数字的成员单位，写明名称 (for a member unit that reads figures and nothing else: its name)
        #[arg(long, conflicts_with = "hub", default_value = "")]
        reader: String,
        /// 该县区已有汇聚节点，仍发放 (for another hub of a district that has one)
        #[arg(long, requires = "hub")]
        again: bool,
        /// 有效小时 (hours it is valid)
        #[arg(long, default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..))]
        hours: u32,
    },
    /// 本级证书机构：查看，更换，停用旧机构 (the hub's authority: show, replace, let go of a former one)
    #[command(subcommand)]
    Ca(CaCommand),
    /// 本机状态 (state of this hub)
    Status,
    /// 下级清单，久未同步的在前 (children, silent ones first)
    Nodes,
    /// 停用不再使用的下级节点或只读单位，其证书随即失效 (retire a child or a reader: its certificate opens nothing)
    Retire {
        /// 单位名称或编码，或节点编号，见 nodes (its unit by name or code, or its id: the last column of `nodes`)
        node: String,
        /// 恢复使用 (it serves again)
        #[arg(long)]
        undo: bool,
        /// 经办人 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
        /// 理由 (why)
        #[arg(long)]
        reason: String,
    },
    /// 上级由旧备份恢复后，核对完毕，重新开放登记 (this hub found itself older than its children: you have looked, and it enrols again)
    Confirm {
        /// 核对人 (who has looked)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
    /// 操作日志：谁在何时裁定、决定、导出、查阅、登记、停用，新的在前 (audit log: who ruled, decided, exported, looked, enrolled, retired)
    AuditLog {
        /// 最多几条 (at most)
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// 列出各下级对一项指标的贡献 (what each child hub contributes to a figure, counted or not)
    Shares {
        /// 指标，如 K00 (indicator)
        indicator: String,
        /// 日期，默认今天 (day)
        #[arg(long, value_parser = parse_day)]
        on: Option<Day>,
    },
    /// 搁置一个下级的全部数字，不计入任何总数；--undo 恢复 (a child hub counts in no total; with --undo it counts again)
    Aside {
        /// 下级单位 (its unit)
        unit: OrgCode,
        /// 经办人 (who decides)
        #[arg(long)]
        by: String,
        /// 理由 (why)
        #[arg(long)]
        reason: String,
        /// 恢复计入 (it counts again)
        #[arg(long)]
        undo: bool,
    },
    #[command(flatten)]
    Read(read::Command),
    #[command(flatten)]
    Figures(totals::Command),
    /// 抽取抽查对象，随机种子可复核 (draw communities to check; anybody can replay the seed)
    Draw(assess::Draw),
    /// 登记表的栏目：类型、必填、代码、冲突办法，不需连接 (a register's fields, offline)
    Fields {
        /// 登记表；不写则列出全部登记表 (register; all of them without)
        register: Option<String>,
    },
    /// 换用新的单位树，含撤并代码 (a new tree of units, with codes that were given up: CSV)
    #[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
    Units {
        /// 文件 code,name,parent,tier,becomes,since,founded (file)
        #[arg(required = true)]
        file: Option<PathBuf>,
        /// 名单中没有的单位不再保留 (units that the file does not name go)
        #[arg(long)]
        yes: bool,
        /// 经办人 (who does it)
        #[arg(long, env = "TAIZHANG_BY", default_value = "")]
        by: String,
        #[command(subcommand)]
        what: Option<UnitsCommand>,
    },
    /// 工作目标：显示，或由市级发布新版 (the plan: show it, or publish a new version at the city)
    Plan {
        /// 新版文件 TOML；不写则显示现行版本 (file of the new version; without it the newest is shown)
        file: Option<PathBuf>,
        /// 不再询问 (without asking)
        #[arg(long)]
        yes: bool,
        /// 经办人 (who does it)
        #[arg(long, env = "TAIZHANG_BY", default_value = "")]
        by: String,
    },
    /// 补录：业务发生后超过规定天数才录入的 (entries that arrived long after what they say happened)
    Backdated(assess::Backdated),
    /// 援助月活动：走访、帮扶就业与目标相比 (campaigns: what was done of their quotas)
    Campaigns {
        /// 哪一天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<Day>,
    },
    /// 调度任务：市级下达、撤回，各级查看 (tasks: the city gives and takes back; everybody lists)
    Tasks(assess::Tasks),
    /// 市级决定：评定表彰单位、取消称号；用 tasks 查看，tasks --withdraw 撤回 (the city's decisions on titles)
    #[command(subcommand)]
    Decide(decide::Command),
    /// 市级登记：援助月活动、政策文件、结对子、指导检查，随任务下发到县区和各单位 (the city's own campaigns, policy documents, pairings
    /// and visits of guidance, which go down to districts and offices)
    #[command(subcommand)]
    Papers(papers::Command),
    #[command(flatten)]
    Months(months::Command),
    /// 重新清点，列出每处差异 (recount and print every difference)
    Audit,
    /// 立即向上级同步 (sync with the parent now)
    Sync,
    /// 检查本机数据 (read every record and compare digests)
    Verify,
    #[command(flatten)]
    Review(review::Command),
    #[command(flatten)]
    Revise(revise::Command),
    /// 县区之间比对用的密钥 (the keys by which districts compare persons)
    #[command(subcommand)]
    Keys(KeysCommand),
    /// 配置 (configuration)
    #[command(subcommand)]
    Config(ConfigCommand),
    #[command(flatten)]
    Manual(manual::Command),
}

#[derive(Subcommand)]
enum CaCommand {
    /// 现状，以及仍使用旧机构的下级 (how it stands, and who still goes by a former one)
    Show,
    /// 更换：新证书由新机构签发，下级在下次同步时得知，旧机构继续有效 (a new one signs; children hear of it in their next session, and the old one stays good)
    Rotate {
        /// 经办人 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
    },
    /// 停用旧机构：仍只认它的下级须重新登记 (let go of a former one: a child that goes by it alone has to enrol anew)
    Drop {
        /// 第几代 (its number)
        number: u32,
        /// 经办人 (who decides)
        #[arg(long, env = "TAIZHANG_BY")]
        by: String,
        /// 不再询问 (without asking)
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// 现状 (how they stand)
    Show,
    /// 更换密钥，只在掌管密钥的县区 (a new key; at the district that makes them)
    Rotate {
        /// 经办人 (who does it)
        #[arg(long, env = "TAIZHANG_BY", default_value = "")]
        by: String,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// 检查并显示生效的配置 (check, and show what is in force)
    Check,
}

impl Units for Cli {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn is_for_program(&self) -> bool {
        self.json
    }

    async fn find(dir: &Path, word: String) -> anyhow::Result<pb::UnitsAnswer> {
        if !dir.join(config::FILE).exists() && Identity::load_if_enrolled(dir)?.is_some() {
            bail!("此目录没有单位名称，请写单位编码 (there are no names of units here: write the code)");
        }
        let session = Session::open(dir).await?;
        let found = session.admin.clone().find_units(pb::FindUnitsRequest { word }).await;
        session.close().await;
        found.map(tonic::Response::into_inner).map_err(|status| anyhow::anyhow!(status.message().to_owned()))
    }
}

/// Runs a command; the exit code is 0 done, 1 failed, 2 wrong use, 3 partly done.
pub fn main(cli: Cli) -> ExitCode {
    show::set_wide(cli.wide);
    let reader = if cli.json { Reader::Program } else { Reader::Person };
    show::lang::set(cli.lang, reader);
    run_to_exit(run(cli), reader)
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let reader = if cli.json { Reader::Program } else { Reader::Person };
    config::no_offices(&cli.dir)?;
    match cli.command {
        Command::Init { token, unit, tier, listen, advertise, units } => {
            let token = token.as_deref().map(read_token).transpose()?;
            let (unit, tier) = match &token {
                Some(token) => init::of_token(token)?,
                None => unit.zip(tier).context("--unit, --tier")?,
            };
            let listen = listen.unwrap_or_else(|| advertise::listening(advertise.as_deref()));
            let config = Config { advertise, ..Config::new(unit, tier, listen) };
            let config = init::init(&cli.dir, config, units.as_deref(), reader)?;
            let Some(token) = token else {
                init::next(&cli.dir, &config, reader);
                return Ok(ExitCode::SUCCESS);
            };
            let done = enrol(&cli.dir, &token, reader).await.with_context(|| {
                format!(
                    "{dir} 已建立，尚未登记；换好令牌或接通后，运行 taizhang-hub --dir {dir} enrol @令牌文件 (made, and not enrolled yet: \
                     enrol it with this once the token or the line is right)",
                    dir = cli.dir.display()
                )
            })?;
            show::line(reader, &format!("下一步：taizhang-hub --dir {} serve", cli.dir.display()));
            Ok(done)
        }
        Command::Serve => serve(&cli.dir).await,
        Command::Manual(command) => manual::run::<Cli>(command),
        Command::Fields { register } => {
            print_fields(register.as_deref(), reader)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Enrol { token } => enrol(&cli.dir, &read_token(&token)?, reader).await,
        Command::Config(ConfigCommand::Check) => {
            show::config(reader, &Config::load(&cli.dir)?)?;
            Ok(ExitCode::SUCCESS)
        }
        command => {
            let not_made = !cli.dir.join(config::FILE).exists();
            if let Some(identity) = Identity::load_if_enrolled(&cli.dir)?.filter(|_| not_made) {
                return read_figures(&identity, command, reader).await;
            }
            let session = Session::open(&cli.dir).await?;
            let outcome = ask(&session, command, reader).await;
            session.close().await;
            outcome
        }
    }
}

/// Enrols a hub at its parent, with a first session that brings the tree of units; or somebody who reads figures.
async fn enrol(dir: &Path, text: &str, reader: Reader) -> anyhow::Result<ExitCode> {
    let is_hub = dir.join(config::FILE).exists();
    let token = Token::from_text(text)?;
    token.is_for(if is_hub { CertKind::Hub } else { CertKind::Reader })?;
    if is_hub && Config::load(dir)?.unit.number() != token.unit {
        anyhow::bail!(
            "{} 是单位 {} 的上级节点，令牌属于单位 {} (this hub is another unit's: ask for a token of its own unit)",
            dir.display(),
            Config::load(dir)?.unit,
            token.unit
        );
    }
    let identity = Identity::enrol(dir, text).await?;
    let words = format!("已登记：{}，上级 {} ({})", identity.name.unit, identity.hub_unit, identity.address);
    show::line(reader, &words);
    if !is_hub {
        enrolled(&identity, None, reader);
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(dir)?;
    let opened = Hub::open(dir, config.clone(), config.schedule()?, system_clock());
    let first = match &opened {
        Ok(hub) => match &hub.keeper {
            Some(keeper) => first_session(keeper).await.map(|report| report.pulled).map_err(anyhow::Error::new),
            None => Ok(0),
        },
        Err(error) => Err(anyhow::anyhow!("{error}")),
    };
    enrolled(&identity, first.as_ref().ok().copied(), reader);
    if let Err(error) = first {
        eprintln!("首次同步未完成，运行 serve 时继续 (no first session yet; `serve` makes it): {error}");
        eprintln!("{RUNS_ON}");
        return Ok(ExitCode::from(3));
    }
    show::line(reader, "首次同步完成 (first session done)");
    Ok(ExitCode::SUCCESS)
}

async fn serve(dir: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(dir)?;
    let hub = Hub::open(dir, config.clone(), config.schedule()?, system_clock())?;
    let (stop, stopped) = watch::channel(false);
    let running = hub.serve(stopped).await?;
    say!(
        "taizhang-hub {} ({:?}) 下级连接 (children call) https://{}；Ctrl-C 停止 (stops)",
        config.unit,
        config.tier,
        running.address
    );
    tokio::select! {
        () = stop_signal() => {}
        part = running.failed() => {
            // The rest is not waited for: what is broken may never stop.
            anyhow::bail!("上级节点的一部分已停止工作，进程退出，请重新启动 (a part of the hub is gone; start it again): {part}");
        }
    }
    say!("正在停止 (stopping)");
    let _ = stop.send(true);
    running.stopped().await;
    Ok(ExitCode::SUCCESS)
}

/// A connection whose other end has proved itself, to the own process or to a hub.
type Guarded = Channel;

/// A way to a hub: the running one, or one opened for this command.
struct Session {
    admin: AdminClient<Guarded>,
    totals: TotalsClient<Guarded>,
    review: ReviewClient<Guarded>,
    reading: ReadingClient<Guarded>,
    own: Option<(Arc<Hub>, watch::Sender<bool>, tokio::task::JoinHandle<()>)>,
}

impl Session {
    async fn open(dir: &Path) -> anyhow::Result<Self> {
        if !dir.join(config::FILE).exists() {
            bail!(
                "{} 不是汇聚节点的数据目录；请先运行 init 或用 --dir 指明 (no hub here: run `init`, or name it with --dir)",
                dir.display()
            );
        }
        if let Some(file) = ControlFile::read(dir)
            && let Some(channel) = file.connect().await
        {
            return Ok(Self::on(channel, None));
        }
        let config = Config::load(dir)?;
        let schedule = config.schedule()?;
        let hub = Hub::open(dir, config, schedule, system_clock())?;
        let (stop, stopped) = watch::channel(false);
        let (file, task) = hub.serve_commands_only(stopped).await?;
        let channel = file.connect().await.context("can't reach the own control socket")?;
        Ok(Self::on(channel, Some((hub, stop, task))))
    }

    fn on(channel: Guarded, own: Option<(Arc<Hub>, watch::Sender<bool>, tokio::task::JoinHandle<()>)>) -> Self {
        let admin = AdminClient::new(channel.clone()).max_decoding_message_size(control::MAX_MESSAGE);
        let review = ReviewClient::new(channel.clone()).max_decoding_message_size(control::MAX_MESSAGE);
        let reading = ReadingClient::new(channel.clone()).max_decoding_message_size(control::MAX_MESSAGE);
        Self { admin, totals: TotalsClient::new(channel), review, reading, own }
    }

    async fn close(self) {
        drop((self.admin, self.totals, self.review, self.reading));
        if let Some((hub, stop, task)) = self.own {
            let _ = stop.send(true);
            let _ = task.await;
            drop(hub);
        }
    }
}

/// Commands of a directory that holds a reader's certificate and no hub: they ask the hub that gave it.
async fn read_figures(identity: &Identity, command: Command, reader: Reader) -> anyhow::Result<ExitCode> {
    let mut channel = identity.connect().await?;
    // Who holds no sessions is told by nobody.
    if identity.seems_due() {
        match identity.renew(channel.clone()).await {
            Ok(true) => channel = identity.connect().await?,
            Ok(false) => {}
            Err(error) => eprintln!("证书未能更新 (the certificate could not be renewed): {error}"),
        }
    }
    let mut bulletin = BulletinClient::new(channel.clone()).max_decoding_message_size(control::MAX_MESSAGE);
    let totals = TotalsClient::new(channel);
    match command {
        Command::Months(months::Command::Months { month }) => {
            let request = pb::MonthRequest { month: month.unwrap_or_default(), ..pb::MonthRequest::default() };
            months::overview(&bulletin.months(request).await?.into_inner(), reader);
        }
        Command::Months(months::Command::Report { month, units, file }) => {
            let units = units.into_iter().map(OrgCode::number).collect();
            let request = pb::MonthRequest { month, units, ..pb::MonthRequest::default() };
            report::show(&bulletin.report(request).await?.into_inner(), file.as_deref(), reader)?;
        }
        Command::Campaigns { on } => {
            let request = pb::CampaignsRequest { on: on.unwrap_or(0) };
            assess::campaigns(&bulletin.campaigns(request).await?.into_inner(), reader);
        }
        Command::Tasks(asked) if asked.reads().is_some() => {
            let no = asked.reads().unwrap_or(0);
            assess::listed(&bulletin.orders(pb::OrdersRequest { no }).await?.into_inner(), no, reader);
        }
        Command::Figures(command) => totals::run(totals, command, reader).await?,
        Command::Draw(asked) if !asked.is_recorded() => assess::draw(totals, asked, reader).await?,
        _ => bail!(
            "此目录只有只读证书，只能查看：totals、watch、standing、standard、commend、draw、months、report、tasks、campaigns (a reader's directory)"
        ),
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(session: &Session, command: Command, reader: Reader) -> anyhow::Result<ExitCode> {
    let mut admin = session.admin.clone();
    match command {
        Command::Status => show::facts(reader, &admin.status(pb::Empty {}).await?.into_inner().facts),
        Command::Token { unit, hub, reader: of, again, hours } => {
            let request = pb::TokenRequest { unit: unit.number(), hub, hours, reader: of, again };
            let answer = admin.token(request).await?.into_inner();
            match reader {
                Reader::Person => {
                    say!("{}", answer.token);
                    eprintln!(
                        "{}（{unit}）的令牌，只能用一次，有效至 {} (for this unit, valid once, until)",
                        answer.unit_name,
                        show::time(answer.expires)
                    );
                }
                Reader::Program => show::document(
                    reader,
                    serde_json::json!({
                        "token": answer.token, "unit": unit.number(), "unit_name": answer.unit_name,
                        "expires": show::moment(answer.expires),
                    }),
                ),
            }
        }
        Command::Ca(command) => {
            let request = match command {
                CaCommand::Show => pb::CaRequest::default(),
                CaCommand::Rotate { by } => pb::CaRequest { rotate: true, by, ..pb::CaRequest::default() },
                CaCommand::Drop { number, by, yes } => {
                    let standing = admin.ca(pb::CaRequest::default()).await?.into_inner().authorities;
                    let left = standing.into_iter().filter(|one| one.number == number).flat_map(|one| one.left);
                    let left: Vec<String> = left.collect();
                    let whom = if left.is_empty() { "无 (nobody)".to_owned() } else { left.join("、") };
                    let what = format!(
                        "停用第 {number} 代机构，仍只认它的 {} 个下级须重新登记 (who goes by it alone has to enrol anew)：{whom}",
                        left.len()
                    );
                    show::confirmed(&what, yes)?;
                    pb::CaRequest { drop: number, by, ..pb::CaRequest::default() }
                }
            };
            print::authorities(&admin.ca(request).await?.into_inner(), reader);
        }
        Command::Nodes => print::nodes(&admin.nodes(pb::Empty {}).await?.into_inner(), reader),
        Command::Retire { node, undo, by, reason } => {
            let answer = admin.retire(pb::RetireRequest { node, undo, by, reason }).await?.into_inner();
            print::nodes(&answer, reader);
        }
        Command::AuditLog { limit } => {
            show::audit_log(&admin.audit_log(pb::AuditLogRequest { limit }).await?.into_inner(), reader);
        }
        Command::Shares { indicator, on } => {
            let answer = admin.shares(pb::SharesRequest { indicator, on: on.unwrap_or_default() }).await?.into_inner();
            print::shares(&answer, reader);
        }
        Command::Aside { unit, by, reason, undo } => {
            let answer = admin.aside(pb::AsideRequest { unit: unit.number(), by, reason, undo }).await?.into_inner();
            print::nodes(&answer, reader);
        }
        Command::Read(command) => read::run(session.reading.clone(), command, reader).await?,
        Command::Figures(command) => totals::run(session.totals.clone(), command, reader).await?,
        Command::Draw(asked) if asked.is_recorded() => assess::recorded_draw(admin, asked, reader).await?,
        Command::Draw(asked) => assess::draw(session.totals.clone(), asked, reader).await?,
        Command::Units { what: Some(UnitsCommand::Find { word }), .. } => {
            show::units(&admin.find_units(pb::FindUnitsRequest { word }).await?.into_inner(), reader);
        }
        Command::Units { file, yes, by, .. } => {
            let csv = disk::read_text(&file.context("file")?, init::MAX_TEXT)?;
            admin.units(pb::UnitsRequest { csv, sure: yes, by }).await?;
            show::line(reader, "已换用新的单位树 (the new tree is in force)");
            show::document(reader, serde_json::json!({ "done": true }));
        }
        Command::Plan { file: None, .. } => {
            let answer = admin.plan(pb::Empty {}).await?.into_inner();
            match reader {
                Reader::Person => say!("{}", answer.text),
                Reader::Program => {
                    let on = date::iso(answer.effective_on);
                    let plan: toml::Table = toml::from_str(&answer.text)?;
                    let told = serde_json::json!({ "version": answer.version, "effective_on": on, "plan": plan });
                    show::document(reader, told);
                }
            }
        }
        Command::Plan { file: Some(file), yes, by } => {
            let text = disk::read_text(&file, init::MAX_TEXT)?;
            show::confirmed(
                &format!("将签名并发布 {} 为新版工作目标 (the plan is signed and published)", file.display()),
                yes,
            )?;
            let answer = admin.publish_plan(pb::PlanText { text, by, ..pb::PlanText::default() }).await?.into_inner();
            let from = date::iso(answer.effective_on);
            let words =
                format!("已发布第{}版，自{from}起生效 (published; it takes effect on that day)", answer.version);
            show::line(reader, &words);
            show::document(reader, serde_json::json!({ "version": answer.version, "effective_on": from }));
        }
        Command::Backdated(asked) => assess::backdated(admin, asked, reader).await?,
        Command::Campaigns { on } => {
            let request = pb::CampaignsRequest { on: on.unwrap_or(0) };
            assess::campaigns(&admin.campaigns(request).await?.into_inner(), reader);
        }
        Command::Tasks(asked) => assess::tasks(admin, asked, reader).await?,
        Command::Decide(command) => decide::run(session, command, reader).await?,
        Command::Papers(command) => papers::run(admin, command, reader).await?,
        Command::Months(command) => return months::run(admin, command, reader).await,
        Command::Audit => {
            let answer = admin.audit(pb::Empty {}).await?.into_inner();
            print::show_audit(&answer, reader);
            if !answer.differences.is_empty() {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Sync => {
            let report = admin.sync_now(pb::Empty {}).await?.into_inner();
            show::facts(reader, &show::sync_facts(&report));
            if !report.ok {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Verify => {
            let answer = admin.verify(pb::Empty {}).await?.into_inner();
            show::verified(reader, &answer);
            if !answer.problems.is_empty() {
                return Ok(ExitCode::from(1));
            }
        }
        Command::Keys(KeysCommand::Show) => show::facts(reader, &admin.keys(pb::Empty {}).await?.into_inner().facts),
        Command::Confirm { by } => {
            show::facts(reader, &admin.confirm(pb::ConfirmRequest { by }).await?.into_inner().facts);
        }
        Command::Keys(KeysCommand::Rotate { by }) => {
            show::facts(reader, &admin.rotate_key(pb::RotateKeyRequest { by }).await?.into_inner().facts);
        }
        Command::Review(command) => return review::run(session.review.clone(), command, reader).await,
        Command::Revise(command) => return revise::run(session.review.clone(), command, reader).await,
        Command::Init { .. }
        | Command::Serve
        | Command::Enrol { .. }
        | Command::Config(_)
        | Command::Manual(_)
        | Command::Fields { .. } => {
            unreachable!("handled without an open hub")
        }
    }
    Ok(ExitCode::SUCCESS)
}
