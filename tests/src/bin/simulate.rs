//! Runs seeds of the simulated city: `cargo run --release --bin simulate -- --seeds 0..1000`.

use anyhow::Context;
use clap::Parser;
use std::{
    ops::Range,
    process::ExitCode,
    time::{Duration, Instant},
};
use taizhang_tests::sim::{Options, run, seeds::run_all};

/// Real offices and hubs in a simulated world, from one seed each
#[derive(Parser)]
struct Cli {
    /// Which seeds, such as 0..1000
    #[arg(long, default_value = "0..1000", value_parser = range, conflicts_with = "seed")]
    seeds: Range<u64>,
    /// Replay one seed and print every step
    #[arg(long)]
    seed: Option<u64>,
    /// How many at a time
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Recount the totals after every commit
    #[arg(long)]
    audit_commits: bool,
    /// Draw backups that come back, lost stores and records that move far more often
    #[arg(long)]
    restores_and_moves: bool,
    /// Most steps of a seed
    #[arg(long)]
    steps: Option<usize>,
}

fn range(text: &str) -> anyhow::Result<Range<u64>> {
    let (from, to) = text.split_once("..").context("a range, such as 0..1000")?;
    Ok(from.parse()?..to.parse()?)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut options =
        Options { audit_commits: cli.audit_commits, restores_and_moves: cli.restores_and_moves, ..Options::default() };
    if let Some(steps) = cli.steps {
        options.steps = (steps / 2, steps);
    }
    if let Some(seed) = cli.seed {
        return match run(seed, options) {
            Ok(report) => {
                println!("{}", report.trace.join("\n"));
                print_counts(&report.counts);
                println!("seed {seed} holds");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                println!("{}\n{failure}", failure.trace.join("\n"));
                ExitCode::FAILURE
            }
        };
    }
    let started = Instant::now();
    let total = cli.seeds.end.saturating_sub(cli.seeds.start);
    let bar = indicatif::ProgressBar::new(total);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{pos}/{len} seeds, {per_sec}, {eta} left {wide_bar}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    let ran = run_all(cli.seeds, cli.threads, options, |_| bar.inc(1));
    bar.finish_and_clear();
    match ran {
        Ok(summary) => {
            print_counts(&summary.counts);
            println!("{} seeds hold, {:.1} s", summary.seeds, started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn print_counts(counts: &std::collections::BTreeMap<&'static str, u64>) {
    for (what, count) in counts {
        println!("{count:>9}  {what}");
    }
}
