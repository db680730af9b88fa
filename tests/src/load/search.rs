//! How long a search takes: at an office by the index that it keeps, at a district by a scan, and what either takes in memory.

use super::{HubProcess, communities, figures::row, ingest, memory_of};
use crate::{synth, town};
use anyhow::Context;
use std::{path::Path, time::Instant};
use taizhang_node::{
    control::{ControlFile, MAX_MESSAGE},
    desk::{
        Desk,
        search::{Query, answer},
    },
    ledger::{Ledger, LedgerDesk, system_clock},
};
use taizhang_proto::{
    date,
    pb::{self, reading_client::ReadingClient},
};

/// What is looked for: a family name, its sound, initials, the end of a number, an address, several words.
const ASKED: [&str; 7] = ["张", "zhang", "zw", "0312", "永安台", "张 永安台", "zw 永安台"];
/// Runs of each; the middle one counts.
const RUNS: usize = 21;
/// Hits that are asked for.
const LIMIT: usize = 20;
/// Residents of the district, for each of the office.
const DISTRICT: usize = 6;

/// Measures an office with so many people, and a district with six times as many. Prints a line for each figure.
///
/// # Errors
/// When something can't be filled or asked.
pub async fn run(dir: &Path, program: &Path, people: usize) -> anyhow::Result<()> {
    tokio::task::block_in_place(|| office(&dir.join("office"), people))?;
    let mut hub = HubProcess::start(&dir.join("district"), program).await?;
    ingest(&hub, dir, 16, people * DISTRICT, 1).await?;
    hub.restart(program).await?;
    let before = hub.memory("VmHWM")?;
    let file = ControlFile::read(&hub.dir).context("no control file")?;
    let channel = file.connect().await.context("the hub does not answer")?;
    let mut reading = ReadingClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
    for asked in ASKED {
        let mut took = Vec::with_capacity(RUNS);
        let mut total = 0;
        for _ in 0..RUNS {
            let who = Some(pb::Looker { by: "load".into(), names: true });
            let request = pb::ReadRequest { reference: asked.into(), limit: LIMIT as u32, who, ..Default::default() };
            let started = Instant::now();
            total = reading.search(request).await?.into_inner().total;
            took.push(started.elapsed().as_micros() as u64);
        }
        show("district", people * DISTRICT, asked, total, took);
    }
    println!("| district's memory before and at most, MiB | {} {} |", before / 1_024, hub.memory("VmHWM")? / 1_024);
    Ok(())
}

fn office(dir: &Path, people: usize) -> anyhow::Result<()> {
    let unit = communities()?[0];
    let now = jiff::Timestamp::now().as_millisecond().max(0) as u64;
    let ledger = Ledger::open(dir, unit, system_clock())?;
    let mut city = synth::City::new(7, date::shanghai(now));
    let groups = city.office(unit, people, &mut || LedgerDesk::new(&ledger).new_id());
    town::write(&ledger, groups, |_| {})?;
    drop(ledger);
    let started = Instant::now();
    let ledger = Ledger::open(dir, unit, system_clock())?;
    println!("| an office of {people} opens, ms | {} |", started.elapsed().as_millis());
    let before = memory_of("self", "VmRSS")?;
    let started = Instant::now();
    ledger.ready_to_search()?;
    println!("| its index is made, ms | {} |", started.elapsed().as_millis());
    println!("| its memory before and after, MiB | {} {} |", before / 1_024, memory_of("self", "VmRSS")? / 1_024);
    for asked in ASKED {
        let mut took = Vec::with_capacity(RUNS);
        let mut total = 0;
        for _ in 0..RUNS {
            let started = Instant::now();
            let query = Query::read(asked, None, None)?;
            let found = ledger.search(&query, LIMIT)?;
            total = answer(&LedgerDesk::new(&ledger), &query, found, LIMIT)?.total;
            took.push(started.elapsed().as_micros() as u64);
        }
        show("office", people, asked, total, took);
    }
    Ok(())
}

fn show(whose: &str, people: usize, asked: &str, total: u64, took: Vec<u64>) {
    row(&format!("{whose} of {people}, `{asked}` ({total} found)"), took);
}
