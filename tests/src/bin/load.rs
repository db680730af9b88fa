//! Measures ingest, wire, memory: `cargo run --release --bin load`. Prints a table of what it measured.

use anyhow::Context;
use clap::Parser;
use std::{path::PathBuf, process::ExitCode};
use taizhang_tests::load::{self, HubProcess};

/// Load and memory figures of taizhang on this machine
#[derive(Parser)]
struct Cli {
    /// Records for each ingest run
    #[arg(long, default_value_t = 300_000)]
    records: usize,
    /// People of the node whose memory is measured
    #[arg(long, default_value_t = 10_000)]
    people: usize,
    /// Measure only what reconciliation costs
    #[arg(long)]
    reconcile: bool,
    /// Measure only what figures cost with so many residents below
    #[arg(long)]
    figures: Option<usize>,
    /// Measure only what a search takes: at an office with so many people, and at a district with six times as many
    #[arg(long)]
    search: Option<usize>,
    /// Only measure an office in this directory (used by the tool itself)
    #[arg(long, hide = true)]
    measure: Option<PathBuf>,
    /// Fill it first (used by the tool itself)
    #[arg(long, hide = true)]
    fill: bool,
    /// Ask for its lists (used by the tool itself)
    #[arg(long, hide = true)]
    lists: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    // The hub that is measured is this program again, in a process of its own.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "hub") {
        arguments.remove(1);
        return Ok(taizhang_hub::cli::main(taizhang_hub::cli::Cli::parse_from(arguments)));
    }
    let cli = Cli::parse();
    if let Some(dir) = cli.measure.as_ref().filter(|_| cli.lists) {
        let lists = load::lists(dir)?;
        let took: Vec<String> =
            lists.took.iter().map(|(name, count, millis)| format!("{name} {count} in {millis} ms")).collect();
        println!("{} {} {}", lists.records, lists.peak, took.join(", "));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(dir) = &cli.measure {
        let (head, memory) = if cli.fill { load::node_memory(dir, cli.people)? } else { load::open_node_memory(dir)? };
        println!("{head} {memory}");
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&cli))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(cli: &Cli) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let program = std::env::current_exe()?;
    println!("| measure | figure |\n|---|---|");
    if let Some(residents) = cli.figures {
        return tokio::task::block_in_place(|| load::figures::run(scratch.path(), residents));
    }
    if let Some(people) = cli.search {
        return load::search::run(scratch.path(), &program, people).await;
    }
    if cli.reconcile {
        return tokio::task::block_in_place(|| load::reconcile::run(scratch.path(), cli.records.min(100_000)));
    }
    for nodes in [1, 16] {
        let dir = scratch.path().join(format!("ingest-{nodes}"));
        let mut hub = HubProcess::start(&dir, &program).await?;
        let run = load::ingest(&hub, &dir, nodes, cli.records, nodes as u64).await?;
        println!(
            "| hub ingest from {} node(s), records/s ({} records of {:.0} bytes) | {:.0} |",
            run.nodes,
            run.records,
            run.record_bytes,
            run.records as f64 / run.seconds
        );
        println!("| bytes a record on the wire, up | {:.1} |", run.bytes_up as f64 / run.records as f64);
        println!("| bytes a record on the wire, down | {:.2} |", run.bytes_down as f64 / run.records as f64);
        println!(
            "| hub resident after it, MiB (peak) | {} ({}) |",
            hub.memory("VmRSS")? / 1024,
            hub.memory("VmHWM")? / 1024
        );
        hub.restart(&program).await?;
        println!("| hub resident after a restart, MiB | {} |", hub.memory("VmRSS")? / 1024);
        if nodes == 16 {
            let sync = load::node_sync(&hub, &scratch.path().join("node"), cli.people).await?;
            let people = cli.people as f64;
            println!(
                "| a real node's first sync, records/s ({} records) | {:.0} |",
                cli.people,
                people * 1_000.0 / sync.first.millis as f64
            );
            println!(
                "| its bytes a record, up + down | {:.1} |",
                (sync.first.bytes_up + sync.first.bytes_down) as f64 / people
            );
            let edited = sync.changed.pushed as f64;
            println!(
                "| 1 % changed: bytes a changed record, up + down | {:.1} |",
                (sync.changed.bytes_up + sync.changed.bytes_down) as f64 / edited
            );
            println!(
                "| nothing changed: round trips, bytes up + down | {}, {} |",
                sync.quiet.round_trips,
                sync.quiet.bytes_up + sync.quiet.bytes_down
            );
        }
    }
    let office = scratch.path().join("office");
    for (flag, what) in [("--fill", "after filling"), ("", "opened and verified"), ("--lists", "most, with its lists")]
    {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        command.arg("--people").arg(cli.people.to_string()).arg("--measure").arg(&office);
        command.args(Some(flag).filter(|flag| !flag.is_empty()));
        let output = command.output().context("the tool can't run itself")?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (records, memory) = text.trim().split_once(' ').context("no figure")?;
        let (memory, took) = memory.split_once(' ').unwrap_or((memory, ""));
        println!("| node resident with {records} people, {what}, MiB | {:.1} |", memory.parse::<f64>()? / 1024.0);
        if !took.is_empty() {
            println!("| its lists | {took} |");
        }
    }
    Ok(())
}
