//! What reconciliation costs: edits of records that stand, none, 1 % or 10 % of them concurrent, through the real writer
//! on a real store; and a long queue's first page. Invariant: the runs differ in nothing but the bases of the edits.

use super::{DISTRICT, UNITS, residents};
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use prost::Message;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use taizhang_hub::{
    review::{Query, open_conflicts},
    rows::{self, meta},
    store::{FjallStore, Space},
    writer::{Answer, Core, Job, Peer, Pushed},
};
use taizhang_node::ledger::system_clock;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    change::{self, Edit},
    pb::{self, Tier},
    register::{Value, number, registers},
    session::MAX_BATCH_CHANGES,
    stamp::Stamp,
    wire::Field,
};

/// Batches that the writer takes with one sync, as when several children push.
const BATCHES_A_COMMIT: usize = 8;
/// A field that the later edit wins, and one that a reviewer decides.
const PHONE: &str = "phone";
const NAME: &str = "name";

/// A district's core on a store of its own, with two children that have greeted it.
struct Bench {
    core: Arc<Core>,
    peers: [Peer; 2],
    logs: [u32; 2],
    said: [u64; 2],
}

impl Bench {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let unit = OrgCode::new(DISTRICT)?;
        let street = OrgCode::new(210_402_011_000)?;
        let store = FjallStore::open(dir)?;
        let core = Core::open(unit, Tier::District, Box::new(store), system_clock())?;
        let peers = ["one", "two"].map(|id| Peer { id: id.into(), unit: street, hub: false });
        let mut bench = Self { core, peers, logs: [0; 2], said: [0; 2] };
        bench.write(vec![Job::Tree(UNITS.to_owned(), None)])?;
        for (place, peer) in bench.peers.clone().into_iter().enumerate() {
            let hello = pb::Hello {
                incarnation: vec![place as u8 + 1; 16].into(),
                clock: (bench.core.clock)(),
                ..pb::Hello::default()
            };
            let answer = bench.write(vec![Job::Greet { peer, hello: Box::new(hello) }])?.pop();
            let Some(Answer::Greeted(row)) = answer else { bail!("a greeting is answered with a row") };
            bench.logs[place] = row.number;
        }
        Ok(bench)
    }

    fn write(&mut self, jobs: Vec<Job>) -> anyhow::Result<Vec<Answer>> {
        self.core.commit(jobs).into_iter().map(|answer| answer.context("commit")).collect()
    }

    /// Pushes changes by one child; returns how long it took.
    fn push(&mut self, child: usize, changes: Vec<Bytes>) -> anyhow::Result<Duration> {
        let read = |raw: Bytes| {
            let edit = pb::Change::decode(raw.clone()).map_err(|_| taizhang_proto::change::ChangeError::Empty);
            Pushed { edit: edit.and_then(Edit::read), raw }
        };
        let mut batches: Vec<Vec<Bytes>> = changes.chunks(MAX_BATCH_CHANGES).map(<[Bytes]>::to_vec).collect();
        let started = Instant::now();
        while !batches.is_empty() {
            let mut jobs = Vec::new();
            for batch in batches.drain(..BATCHES_A_COMMIT.min(batches.len())) {
                let first = self.said[child] + 1;
                self.said[child] += batch.len() as u64;
                let changes = batch.into_iter().map(read).collect();
                jobs.push(Job::Push {
                    peer: self.peers[child].clone(),
                    node: self.logs[child],
                    first,
                    changes,
                    room: None,
                });
            }
            for answer in self.write(jobs)? {
                ensure!(matches!(answer, Answer::Verdicts(_)), "a push is answered with verdicts");
            }
        }
        Ok(started.elapsed())
    }

    /// The records, in the order of their ids.
    fn records(&self) -> anyhow::Result<Vec<(RecordId, Record)>> {
        let view = self.core.view();
        view.prefix(Space::Records, &[])
            .map(|row| {
                let (key, value) = row?;
                Ok((RecordId::from_slice(&key).context("id")?, Record::decode(value)?))
            })
            .collect()
    }
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
            let mut bench = Bench::open(&dir)?;
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

    let mut bench = Bench::open(&scratch.join("queue"))?;
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
        let query = Query::read(&query, bench.core.now()).map_err(anyhow::Error::msg)?;
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
