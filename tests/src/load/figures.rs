//! What figures cost when a city's whole register stands below them: totals of every district, and a year's trend.
//! Invariant: what is measured is the answer that the command line gets, from sums that commits kept.

use super::{
    bench::{BATCHES_A_COMMIT, Bench},
    encode,
};
use crate::synth::City;
use anyhow::Context;
use std::{path::Path, sync::Arc, time::Instant};
use taizhang_hub::{store::Space, totals, writer::Core};
use taizhang_node::desk::Draft;
use taizhang_proto::{
    OrgCode, RecordId, date,
    pb::{self, Tier},
    session::MAX_BATCH_CHANGES,
    stamp::Stamp,
};

/// The hub: one that holds every record of the city itself, so that nothing is left out of what the figures stand on.
const CITY: u64 = 210_400_000_000;
/// People of each community with households, spells, jobs and cases; the others are registered only.
const WHOLE: usize = 100;
/// Runs of each query; the slowest is printed beside the middle one.
const RUNS: usize = 21;

/// Fills a hub with so many residents and prints what its figures cost.
///
/// # Errors
/// When the store fails.
pub fn run(dir: &Path, residents: usize) -> anyhow::Result<()> {
    let unit = OrgCode::new(CITY)?;
    let mut bench = Bench::open(dir, unit, [("all", unit)])?;
    let core = bench.core.clone();
    let communities: Vec<OrgCode> =
        core.tree().below(unit).map(|own| own.code).filter(|own| own.tier() == Tier::Community).collect();
    let each = residents.div_ceil(communities.len());
    let mut city = City::new(1, core.today());
    let mut serial = 0_u64;
    let mut new_id = || {
        serial += 1;
        RecordId::create(
            1_790_000_000_000 + serial / 1_000,
            std::array::from_fn(|at| (serial >> (8 * (9 - at).min(7))) as u8),
        )
    };
    let stamp = Stamp::at_millis((core.clock)());
    let started = Instant::now();
    let (mut said, mut waiting) = (0, Vec::new());
    for (place, community) in communities.iter().enumerate() {
        let mut drafts: Vec<Draft> =
            city.office(*community, WHOLE.min(each), &mut new_id).into_iter().flatten().collect();
        drafts.extend((WHOLE..each).map(|_| city.person(*community, new_id())));
        for draft in drafts {
            waiting.push(encode(&draft, *community, stamp)?);
        }
        if waiting.len() >= BATCHES_A_COMMIT * MAX_BATCH_CHANGES || place + 1 == communities.len() {
            said += waiting.len();
            bench.push(0, std::mem::take(&mut waiting))?;
        }
        if place % 100 == 0 {
            eprintln!(
                "{place} of {} communities, {said} records, {} s",
                communities.len(),
                started.elapsed().as_secs()
            );
        }
    }
    println!("| records below, and of them residents | {said}, {} |", each * communities.len());
    let cells = |space| core.view().prefix(space, &[]).count();
    println!("| cells of units, and of sums | {}, {} |", cells(Space::Own), cells(Space::Sums));
    report(&core)
}

fn report(core: &Arc<Core>) -> anyhow::Result<()> {
    let march = date::ymd(2008, 3, 31).context("day")?;
    let by_district = |on| pb::TotalsRequest { on, by: Tier::District.into(), ..pb::TotalsRequest::default() };
    let trend = |from, to| pb::TrendRequest { indicator: "K24".into(), from, to, ..pb::TrendRequest::default() };
    let today = core.today();
    measure("totals --by district, every indicator, today", || Ok(totals::answer(core, &by_district(today))?.micros))?;
    measure("totals --on 2008-03-31 --by district, every indicator", || {
        Ok(totals::answer(core, &by_district(march))?.micros)
    })?;
    measure("totals --trend, K24, 366 days", || Ok(totals::trend(core, &trend(today - 365, today), core.unit)?.micros))
}

fn measure(what: &str, mut once: impl FnMut() -> anyhow::Result<u64>) -> anyhow::Result<()> {
    row(what, (0..RUNS).map(|_| once()).collect::<anyhow::Result<Vec<u64>>>()?);
    Ok(())
}

/// Prints what something took: the first time, and the middle and the slowest of all, microseconds.
pub(super) fn row(what: &str, mut micros: Vec<u64>) {
    let (Some(first), count) = (micros.first().copied(), micros.len()) else { return };
    micros.sort_unstable();
    let millis = |micros: u64| micros as f64 / 1_000.0;
    println!(
        "| {what}, ms: first, middle, slowest of {count} | {:.1}, {:.1}, {:.1} |",
        millis(first),
        millis(micros[count / 2]),
        millis(micros[count - 1])
    );
}
