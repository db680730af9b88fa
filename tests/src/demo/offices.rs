//! Which offices take part and what stands in their registers.

use super::screen::Step;
use crate::{
    synth::City,
    town::{self, Town},
};
use anyhow::{Context, ensure};
use std::{collections::HashSet, sync::Arc};
use taizhang_node::{
    desk::Desk,
    exchange::{self, Options, Report, Source},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{home_unit, is_active},
    org::UnitTree,
    pb::Tier,
    register::{MERGED_INTO, number},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// The street of the rosters, and its community with an office of its own.
const STREET: u64 = 210_402_011_000;
const COMMUNITY: u64 = 210_402_011_003;

/// The clerks' files, and which of the first three offices imports each.
const ROSTERS: [(&str, &[u8]); 3] = [
    ("求职登记台账.xlsx", include_bytes!("../../data/rosters/求职登记台账.xlsx")),
    ("laodong99.csv", include_bytes!("../../data/rosters/laodong99.csv")),
    ("零就业家庭台账.xls", include_bytes!("../../data/rosters/零就业家庭台账.xls")),
];

/// Offices that write at a time.
const WRITERS: usize = 4;
/// How far the seeds of offices lie apart, so that no two make the same id number (`synth` allows 1,600 of them).
const SEEDS: u64 = 1_600;

/// One office: its unit, and the units that it writes synthetic registers for.
struct Place {
    unit: OrgCode,
    writes_for: Vec<OrgCode>,
}

/// Who makes live entries at an office.
pub(super) struct Clerk {
    /// Its office, by place in the town.
    office: usize,
    /// The units it writes for, with the residents on their registers.
    units: Vec<(OrgCode, Vec<RecordId>)>,
    city: City,
}

/// What came of a file.
pub(super) struct Import {
    /// File and office.
    pub(super) what: String,
    /// The report.
    pub(super) report: Report,
}

/// The offices of a demo, in the town's order.
pub(super) struct Offices {
    places: Vec<Place>,
    /// What came of the files.
    pub(super) imports: Vec<Import>,
    /// Persons on the registers.
    pub(super) people: usize,
    clerks: Vec<Clerk>,
}

/// Chooses offices: the three of the rosters, then townships and communities of all districts in turn.
pub(super) fn choose(tree: &UnitTree, city: OrgCode, nodes: &str) -> anyhow::Result<Offices> {
    let (street, community) = (OrgCode::new(STREET)?, OrgCode::new(COMMUNITY)?);
    let rosters = [street, community, street];
    let mut places: Vec<Place> = rosters.iter().map(|unit| Place { unit: *unit, writes_for: Vec::new() }).collect();
    if nodes == "all" {
        let units = tree.below(city).map(|unit| unit.code);
        let units = units.filter(|unit| matches!(unit.tier(), Tier::Township | Tier::Community));
        let others = units.filter(|unit| !rosters.contains(unit));
        places.extend(others.map(|unit| Place { unit, writes_for: vec![unit] }));
    } else {
        let count: usize = nodes.parse().context("--nodes 应为数字或 all (a number, or all)")?;
        places.extend(mixed(tree, city, street).take(count.saturating_sub(rosters.len())));
        ensure!(
            places.len() >= count,
            "--nodes 最多 {}：所有单位各一个请用 all (at most so many, or `all`: one for each unit)",
            places.len()
        );
    }
    Ok(Offices { places, imports: Vec::new(), people: 0, clerks: Vec::new() })
}

/// Townships and communities of the districts in turn. No office stands below another one.
fn mixed(tree: &UnitTree, city: OrgCode, taken: OrgCode) -> impl Iterator<Item = Place> {
    let districts = tree.children(city).map(|unit| unit.code);
    let mut townships: Vec<(usize, usize, OrgCode)> = districts
        .enumerate()
        .flat_map(|(district, code)| {
            let own = tree.children(code).map(|unit| unit.code).filter(move |unit| *unit != taken);
            own.enumerate().map(move |(round, township)| (round, district, township))
        })
        .collect();
    townships.sort_unstable();
    let below = |township: OrgCode| -> Vec<OrgCode> { tree.children(township).map(|unit| unit.code).collect() };
    // Every other township has one PC for all its communities; of the rest, each community has its own.
    let places: Vec<Vec<Place>> = townships
        .into_iter()
        .map(|(round, district, township)| {
            let units = below(township);
            if (round + district) % 2 == 0 {
                return vec![Place { unit: township, writes_for: std::iter::once(township).chain(units).collect() }];
            }
            units.into_iter().map(|unit| Place { unit, writes_for: vec![unit] }).collect()
        })
        .collect();
    in_turn(places)
}

/// The first of each list, then the second of each, and so on.
fn in_turn<T>(lists: Vec<Vec<T>>) -> impl Iterator<Item = T> {
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let longest = lists.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    (0..longest).flat_map(move |_| lists.iter_mut().filter_map(Iterator::next).collect::<Vec<T>>())
}

impl Offices {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.places.len()
    }

    /// Their units, in order.
    pub(super) fn units(&self) -> impl Iterator<Item = OrgCode> {
        self.places.iter().map(|place| place.unit)
    }

    /// Imports each roster at its office.
    pub(super) fn import(&mut self, town: &Town, mut on_step: impl FnMut()) -> anyhow::Result<()> {
        let mut persons: HashSet<RecordId> = HashSet::new();
        for (office, (file_name, content)) in town.offices.iter().zip(ROSTERS) {
            let source = Source { file_name, content };
            let options = Options { by: "demo".into(), ..Options::default() };
            let report = exchange::import(&office.desk(), &source, &options, &mut |_, _| {})?;
            let what = format!("{file_name} @ {} {}", town.tree.name(office.unit), office.unit);
            self.imports.push(Import { what, report });
            on_step();
        }
        for office in town.offices.iter().take(ROSTERS.len()) {
            persons.extend(office.ledger().ids(number::RESIDENT)?);
        }
        self.people = persons.len();
        Ok(())
    }

    /// Takes up where an earlier run with this seed has left off: who is on the registers, and what the clerks go on with.
    pub(super) fn go_on(&mut self, town: &Town, seed: u64) -> anyhow::Result<()> {
        // Behind them come the offices that made the conflicts.
        let there = town.offices.iter().map(|office| office.unit).take(self.count());
        ensure!(self.units().eq(there), "节点目录与演示记录不符 (the nodes' directories are not this demo's)");
        let mut persons: HashSet<RecordId> = HashSet::new();
        for (index, (place, office)) in self.places.iter().zip(&town.offices).enumerate() {
            let ledger = office.ledger();
            let mut units: Vec<(OrgCode, Vec<RecordId>)> =
                place.writes_for.iter().map(|unit| (*unit, Vec::new())).collect();
            let ids = ledger.ids(number::RESIDENT)?;
            for id in &ids {
                let Some(record) = ledger.view(*id)? else { continue };
                if !is_active(&record) || record.bytes(MERGED_INTO).is_some() {
                    continue;
                }
                persons.insert(*id);
                let home = home_unit(&record);
                if let Some((_, residents)) = units.iter_mut().find(|(unit, _)| Some(*unit) == home) {
                    residents.push(*id);
                }
            }
            if !units.is_empty() {
                let city = City::going_on(seed * SEEDS + index as u64, ledger.business_day(), ids.len());
                self.clerks.push(Clerk { office: index, units, city });
            }
        }
        self.people = persons.len();
        Ok(())
    }

    /// Writes synthetic registers until there are `people` persons in all.
    pub(super) async fn write(&mut self, town: &Town, people: usize, seed: u64, step: &Step) -> anyhow::Result<()> {
        let units: usize = self.places.iter().map(|place| place.writes_for.len()).sum();
        let left = people.saturating_sub(self.people);
        step.inc(self.people as u64);
        let mut shares = (0..units).map(|index| left * (index + 1) / units - left * index / units);
        let places = Arc::new(Semaphore::new(WRITERS));
        let mut writing: JoinSet<anyhow::Result<Clerk>> = JoinSet::new();
        for (number, place) in self.places.iter().enumerate() {
            let ledger = town.offices[number].ledger().clone();
            let shares: Vec<(OrgCode, usize)> = place.writes_for.iter().copied().zip(shares.by_ref()).collect();
            let city = City::new(seed * SEEDS + number as u64, ledger.business_day());
            let (places, bar) = (places.clone(), (**step).clone());
            writing.spawn(async move {
                let _place = places.acquire_owned().await?;
                tokio::task::spawn_blocking(move || fill(number, &ledger, city, &shares, &bar)).await?
            });
        }
        while let Some(done) = writing.join_next().await {
            let clerk = done??;
            self.people += clerk.units.iter().map(|(_, residents)| residents.len()).sum::<usize>();
            self.clerks.push(clerk);
        }
        self.clerks.retain(|clerk| !clerk.units.is_empty());
        self.clerks.sort_by_key(|clerk| clerk.office);
        Ok(())
    }

    /// Makes one live entry at some office.
    pub(super) fn enter(&mut self, town: &Town, random: &mut impl rand::RngExt) -> anyhow::Result<()> {
        let count = self.clerks.len();
        let Some(clerk) = self.clerks.get_mut(random.random_range(0..count.max(1))) else { return Ok(()) };
        let which = random.random_range(0..clerk.units.len());
        let (unit, residents) = &mut clerk.units[which];
        let ledger = town.offices[clerk.office].ledger();
        let desk = LedgerDesk::new(ledger);
        let entry = vec![clerk.city.live_edit(residents, &mut || desk.new_id(), *unit)];
        let new: Vec<RecordId> = town::residents(&entry).filter(|id| !residents.contains(id)).collect();
        residents.extend(new);
        town::write(ledger, entry, |_| {})
    }
}

/// Writes one office's registers.
fn fill(
    office: usize,
    ledger: &Ledger,
    mut city: City,
    shares: &[(OrgCode, usize)],
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Clerk> {
    let desk = LedgerDesk::new(ledger);
    let mut units = Vec::with_capacity(shares.len());
    let mut groups = Vec::new();
    for (unit, persons) in shares {
        let own = city.office(*unit, *persons, &mut || desk.new_id());
        units.push((*unit, town::residents(&own).collect()));
        groups.extend(own);
    }
    town::write(ledger, groups, |persons| bar.inc(persons as u64))?;
    Ok(Clerk { office, units, city })
}
