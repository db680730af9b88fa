//! The demo: Fushun in one process. One city hub, its seven districts, offices from the real tree of units, three
//! clerks' files and synthetic registers; live totals that move while clerks work.
//! Invariant: everything goes the way of the real programs: enrolment by token, TLS, each tier's own store, and the
//! desk as the one way in.

mod conflicts;
mod live;
mod made;
mod offices;
mod screen;

use crate::town::{OfficePlan, Plan, Town, agreement};
use anyhow::{Context, bail};
use clap::Parser;
use made::Made;
use offices::Offices;
use screen::Screen;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use taizhang_hub::{cli::show_totals, plans, writer::Job};
use taizhang_node::{cli::stop_signal, show::Reader};
use taizhang_proto::{date, org::UnitTree, pb};

/// 演示：一台电脑上的抚顺市 (the city in a box)
#[derive(Parser)]
#[command(name = "demo", version, about)]
pub struct Cli {
    /// 数据目录，默认用临时目录，结束时删除；已有演示则继续，不重新写入 (data directory; by default a temporary one, removed at the end; a
    /// demo that is there goes on, and nothing is loaded again)
    #[arg(long)]
    dir: Option<PathBuf>,
    /// 登记人数 (persons on the registers)
    #[arg(long, default_value_t = 20_000)]
    people: usize,
    /// 基层节点数，或 all：每个街道、乡镇、社区、村各一个 (offices, or `all`: one for each unit)
    #[arg(long, default_value = "24")]
    nodes: String,
    /// 显示首张表后即结束 (end after the first table)
    #[arg(long)]
    once: bool,
    /// 先演示一百个冲突及其裁定 (first make a hundred conflicts and settle them)
    #[arg(long)]
    conflicts: bool,
    /// 随机种子 (seed of the synthetic registers)
    #[arg(long, default_value_t = 2008)]
    seed: u64,
    /// 每隔多少毫秒一次录入 (a live entry every so many milliseconds)
    #[arg(long, default_value_t = 400)]
    live_every: u64,
}

/// The plan of the notice.
const PLAN: &str = include_str!("../../proto/plan-2008.toml");
/// Open files that a node takes at most: store, journal, sockets.
const FILES_A_NODE: u64 = 12;

/// Runs the demo; the exit code is 0 when city and districts agree.
pub fn main(cli: Cli) -> ExitCode {
    if std::env::var_os("TAIZHANG_LOG").is_some() {
        taizhang_node::cli::init_logs();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("can't start: {error}");
            return ExitCode::from(1);
        }
    };
    let temporary = match cli.dir {
        Some(_) => None,
        None => match tempfile::Builder::new().prefix("taizhang-demo-").tempdir() {
            Ok(made) => Some(made),
            Err(error) => {
                eprintln!("can't make a temporary directory: {error}");
                return ExitCode::from(1);
            }
        },
    };
    let dir = cli.dir.clone().or_else(|| Some(temporary.as_ref()?.path().to_owned())).unwrap_or_default();
    let outcome = runtime.block_on(run(&cli, &dir));
    // Nobody writes any more when the temporary directory is removed.
    runtime.shutdown_timeout(Duration::from_secs(10));
    drop(temporary);
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(cli: &Cli, dir: &Path) -> anyhow::Result<bool> {
    let started = Instant::now();
    let known = Made::read(dir)?;
    let goes_on = known.is_some();
    let screen = Screen::new();
    let opening = async {
        match known {
            Some(made) => go_on(made, dir, &screen).await,
            None => build(cli, dir, &screen).await,
        }
    };
    let (mut town, mut offices, mut made) = tokio::select! {
        opened = opening => opened?,
        () = stop_signal() => bail!("已停止 (stopped)"),
    };
    println!();
    show_totals(&first_table(&town)?, Reader::Person);
    println!("首张表 (first table): {:.1} s；内存 (memory) {}", started.elapsed().as_secs_f64(), screen::memory());
    let mut agrees = tokio::task::block_in_place(|| report(&town, &offices, !goes_on || !made.conflicts))?;
    if cli.conflicts && made.conflicts {
        println!("冲突演示已经做过，不再重做 (the conflicts were made before, and are not made again)");
    } else if cli.conflicts {
        agrees &= conflicts::run(&mut town).await?;
        made.conflicts = true;
        made.write(dir)?;
    }
    if !cli.once || cli.dir.is_some() {
        addresses(&town, &offices);
    }
    if !cli.once {
        println!("实时录入中，Ctrl-C 停止 (live entries; Ctrl-C stops)");
        live::run(&town, &mut offices, Duration::from_millis(cli.live_every.max(1))).await?;
        println!("正在停止 (stopping)");
    }
    town.stop().await;
    Ok(agrees)
}

/// Starts the city of an earlier run again, with everything that it held.
async fn go_on(made: Made, dir: &Path, screen: &Screen) -> anyhow::Result<(Town, Offices, Made)> {
    println!(
        "继续 {} 中已有的演示，不重新导入、写入 (going on with the demo that is there: nothing is loaded again)",
        dir.display()
    );
    let units = std::fs::read_to_string(dir.join("units.csv"))?;
    let tree = UnitTree::from_csv(&units)?;
    let first = units.lines().nth(1).and_then(|line| line.split(',').next());
    let city = first.context("the tree names the city first")?.parse()?;
    let mut offices = offices::choose(&tree, city, &made.nodes)?;
    enough_files(offices.count())?;
    let step = screen.step("启动市、区和基层节点 (starting hubs and offices)", offices.count() as u64);
    let town = Town::reopen(dir, Plan::default(), |opened| step.set_position(opened as u64)).await?;
    screen.done(step);
    tokio::task::block_in_place(|| offices.go_on(&town, made.seed))?;
    settle(&town, screen).await?;
    Ok((town, offices, made))
}

/// Waits until everything has gone up, and shows how far it is.
async fn settle(town: &Town, screen: &Screen) -> anyhow::Result<()> {
    let step = screen.step("逐级同步，项变更 (syncing, changes)", 0);
    town.settled(|settled, head| {
        step.set_length(head);
        step.set_position(settled);
    })
    .await?;
    screen.done(step);
    Ok(())
}

/// Starts the city, enrols everybody, fills the registers and waits for the totals.
async fn build(cli: &Cli, dir: &Path, screen: &Screen) -> anyhow::Result<(Town, Offices, Made)> {
    let step = screen.step("启动市、区节点 (starting hubs)", 8);
    let mut town = Town::start(dir, Plan::default()).await?;
    step.inc(1);
    let districts: Vec<_> = town.tree.children(town.city.unit).map(|unit| unit.code).collect();
    step.set_length(districts.len() as u64 + 1);
    for district in districts {
        town.open_district(district).await?;
        step.inc(1);
    }
    screen.done(step);
    publish_plan(&town).await?;

    let mut offices = offices::choose(&town.tree, town.city.unit, &cli.nodes)?;
    enough_files(offices.count())?;
    let step = screen.step("登记并启动基层节点 (enrolling and starting offices)", offices.count() as u64);
    let plans = offices.units().map(OfficePlan::live).collect();
    town.open_offices(plans, |opened| step.set_position(opened as u64)).await?;
    screen.done(step);

    let step = screen.step("等待单位树 (waiting for the tree of units)", offices.count() as u64);
    crate::town::until("every office has the tree of units", || {
        let ready = town.offices.iter().filter(|office| !office.ledger().units().is_empty()).count();
        step.set_position(ready as u64);
        ready == town.offices.len()
    })
    .await?;
    screen.done(step);

    let step = screen.step("导入三份台账 (importing three ledgers)", 3);
    tokio::task::block_in_place(|| offices.import(&town, || step.inc(1)))?;
    screen.done(step);

    let step = screen.step("写入台账，人 (writing registers, persons)", cli.people as u64);
    offices.write(&town, cli.people, cli.seed, &step).await?;
    screen.done(step);

    settle(&town, screen).await?;

    let step = screen.step("县区审核认定 (districts decide on certification)", 0);
    let (confirmed, turned_down) = conflicts::certify(&town).await?;
    step.set_length(confirmed + turned_down);
    step.set_position(confirmed + turned_down);
    town.settled(|_, _| {}).await?;
    screen.done(step);
    if turned_down > 0 {
        println!("  不符合条件，不予确认 (turned down by the rules): {turned_down}");
    }
    let made = Made { seed: cli.seed, nodes: cli.nodes.clone(), conflicts: false };
    made.write(dir)?;
    Ok((town, offices, made))
}

/// The notice's plan as the city's plan of the year in which the demo runs: its figures are of today, not of 2008.
async fn publish_plan(town: &Town) -> anyhow::Result<()> {
    let core = &town.city.hub.core;
    let today = date::iso(core.today());
    let year = today.get(..4).unwrap_or("2008");
    let text = PLAN
        .replacen("2008年工作目标", &format!("{year}年工作目标"), 1)
        .replacen("version = 1", "version = 2", 1)
        .replacen("effective_on = \"2008-01-01\"", &format!("effective_on = \"{today}\""), 1);
    let key = core.signer().context("the city signs its plan")?;
    let list = plans::publish(core, key, &text)?;
    town.city.hub.writer.write(Job::Plans(list)).await?;
    Ok(())
}

/// Says what to do when the process may not open enough files.
fn enough_files(offices: usize) -> anyhow::Result<()> {
    let needed = offices as u64 * FILES_A_NODE + 512;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let allowed: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    if allowed.is_some_and(|allowed| allowed < needed) {
        bail!(
            "需要打开约 {needed} 个文件，目前上限 {}；请先运行 ulimit -n {needed} (too few open files allowed: run `ulimit -n {needed}` first)",
            allowed.unwrap_or_default()
        );
    }
    Ok(())
}

fn first_table(town: &Town) -> anyhow::Result<pb::TotalsAnswer> {
    let request = pb::TotalsRequest { children: true, ..pb::TotalsRequest::default() };
    Ok(taizhang_hub::totals::answer(&town.city.hub.core, &request)?)
}

/// Prints what the imports did and whether the tiers agree; where nobody was merged since, also with what was entered.
fn report(town: &Town, offices: &Offices, as_entered: bool) -> anyhow::Result<bool> {
    if !offices.imports.is_empty() {
        println!("\n导入 (imports):");
    }
    for import in &offices.imports {
        println!(
            "  {}：{} 行，新 {}，改 {}，同 {}，退回 {}（{} rows, {} new, {} refused）",
            import.what,
            import.report.rows,
            import.report.new_rows,
            import.report.changed_rows,
            import.report.same_rows,
            import.report.wrong_rows,
            import.report.rows,
            import.report.new_rows,
            import.report.wrong_rows
        );
    }
    let agreement = agreement(town)?;
    let total = agreement.city.totals.iter().find(|total| total.indicator == "K00").context("K00")?;
    // Two ledgers may name one person: it counts once, and the other registration shows as a duplicate.
    let (counted, duplicates) = (total.numerator, total.duplicates);
    let persons = counted + duplicates;
    let records: u64 = agreement.districts.iter().map(|district| district.records).sum();
    let cells: u64 = agreement.districts.iter().map(|district| district.cells).sum();
    let all_there = !as_entered || persons == offices.people as i64;
    println!("\n核对 (check):");
    println!(
        "  市登记 {persons} 人 = 计入 {counted} + 重复 {duplicates} = 录入 {} 人；计入 = {} 区清点之和 {} 人；各区从 {records} 条记录、{cells} 个单元重新清点，差异 {} 处：{}",
        offices.people,
        agreement.districts.len(),
        agreement.districts_sum("K00").0,
        agreement.differences.len(),
        if agreement.holds() && all_there {
            "一致 (city = sum of the districts' audits)"
        } else {
            "不一致 (DIFFERENT)"
        }
    );
    for difference in agreement.differences.iter().take(20) {
        println!("  {difference}");
    }
    Ok(agreement.holds() && all_there)
}

/// Prints where everybody is and how to ask.
fn addresses(town: &Town, offices: &Offices) {
    println!("\n节点与查询命令 (hubs and how to ask them, from another terminal):");
    for hub in [&town.city].into_iter().chain(&town.districts) {
        println!("  {} {} https://{}", town.tree.name(hub.unit), hub.unit, hub.address);
        println!("    cargo run --release --bin taizhang-hub -- --dir {} totals --children", hub.dir.display());
    }
    println!("  基层节点 {} 个，例如 (offices, for example):", offices.count());
    if let Some(office) = town.offices.first() {
        println!("    cargo run --release --bin taizhang-node -- --dir {} status", office.dir.display());
    }
    println!();
}
