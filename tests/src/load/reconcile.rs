//! What reconciliation costs: edits of records that stand, none, 1 % or 10 % of them concurrent, through the real writer
//! on a real store; and a long queue's first page. Invariant: the runs differ in nothing but the bases of the edits.

use super::{DISTRICT, bench::Bench, residents};
use anyhow::{Context, ensure};
use bytes::Bytes;
use prost::Message;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use taizhang_hub::{
    review::{Query, open_conflicts},
    rows::{self, meta},
};
use taizhang_node::ledger::system_clock;
use taizhang_proto::{
    OrgCode, Record, RecordId, change, pb,
    register::{Value, number, registers},
    stamp::Stamp,
    wire::Field,
};

/// A field that the later edit wins, and one that a reviewer decides.
const PHONE: &str = "phone";
const NAME: &str = "name";

/// A district with two children of one street.
fn open(dir: &Path) -> anyhow::Result<Bench<2>> {
    let street = OrgCode::new(210_402_011_000)?;
    Bench::open(dir, OrgCode::new(DISTRICT)?, [("one", street), ("two", street)])
}

/// Changes of one field of each record. Every `stale`-th one, if any, by an author who had not seen what stands.
fn edits(
    records: &[(RecordId, Record)],
    field: &str,
    round: usize,
    stale: Option<usize>,
) -> anyhow::Result<Vec<Bytes>> {
    let def = registers().get(number::RESIDENT).context("register")?;
    let field = def.field_named(field).context("field")?;
    let mut stamp = Stamp::at_millis(system_clock()());
    records
        .iter()
        .enumerate()
        .map(|(place, (id, record))| {
            let text = if field.name == NAME {
                format!(
                    "王{}{}",
                    char::from_u32(0x4e00 + place as u32 % 5_000).unwrap_or('一'),
                    ["甲", "乙", "丙"][round % 3]
                )
            } else {
                format!("138{:08}", place * 10 + round)
            };
            let bytes = Value::Text(text).encode(field);
            let base = match stale {
                Some(every) if place % every == 0 => 0,
                _ => record.revision_of(field.tag),
            };
            stamp = stamp.tick(0);
            Ok(change::write(*id, number::RESIDENT, &[(Field { tag: field.tag, bytes }, base)], stamp, "load")
                .encode_to_vec()
                .into())
        })
        .collect()
}

/// Prints what concurrent edits cost beside plain ones, and what the first page of a long queue costs.
///
/// # Errors
/// When the disk fails.
pub fn run(scratch: &Path, people: usize) -> anyhow::Result<()> {
    // Interleaved and repeated, so that what the machine does meanwhile falls on all alike.
    let shares: [(&str, Option<usize>); 3] = [("0 %", None), ("1 %", Some(100)), ("10 %", Some(10))];
    let mut seconds = [const { Vec::new() }; 3];
    for round in 0..3 {
        for (place, (_, stale)) in shares.iter().enumerate() {
            let dir = scratch.join(format!("edits-{round}-{place}"));
            let mut bench = open(&dir)?;
            bench.push(0, residents(bench.peers[0].unit, people, 7)?)?;
            let records = bench.records()?;
            let changes = edits(&records, PHONE, 1, *stale)?;
            seconds[place].push(bench.push(1, changes)?.as_secs_f64());
            drop(bench);
            std::fs::remove_dir_all(&dir)?;
        }
    }
    let best = |place: usize| seconds[place].iter().copied().fold(f64::MAX, f64::min);
    for (place, (share, _)) in shares.iter().enumerate() {
        println!(
            "| edits of {people} records, {share} concurrent and settled by rule, changes/s (against none) | {:.0} ({:.2}) |",
            people as f64 / best(place),
            best(0) / best(place)
        );
    }

    let mut bench = open(&scratch.join("queue"))?;
    let open = 100_000;
    bench.push(0, residents(bench.peers[0].unit, open, 9)?)?;
    let records = bench.records()?;
    let took = bench.push(1, edits(&records, NAME, 2, Some(1))?)?;
    let view = bench.core.view();
    let count = rows::counter(view.as_ref(), meta::OPEN)?;
    println!("| conflicts put into the queue, a second ({count} open) | {:.0} |", count as f64 / took.as_secs_f64());
    let kind = pb::ConflictKind::Field.into();
    let queries = [
        ("all", pb::ConflictQuery::default()),
        ("of one kind", pb::ConflictQuery { kinds: vec![kind], ..pb::ConflictQuery::default() }),
        ("of one street", pb::ConflictQuery { unit: 210_402_011_000, ..pb::ConflictQuery::default() }),
    ];
    for (what, query) in queries {
        let query = Query::read(&query, bench.core.now(), None).map_err(anyhow::Error::msg)?;
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..21 {
            let started = Instant::now();
            let (page, _) = open_conflicts(&bench.core, &query)?;
            times.push(started.elapsed());
            ensure!(page.len() == 50, "a page of 50");
        }
        times.sort();
        println!(
            "| first page of {count} open conflicts, {what}, ms (median of 21) | {:.2} |",
            times[10].as_secs_f64() * 1_000.0
        );
    }
    Ok(())
}
