//! The recount: at a district from records alone, at a city from its children's cells; every difference is named.
//! Invariant: nothing that a commit derived is used to recount ([`super::recount`]).

use super::{
    aside::{self, AsideRow},
    read_cells,
    recount::Recount,
    unheard, years,
};
use crate::{
    rows::OwnCell,
    state::Core,
    store::{Space, StoreError, View},
};
use std::collections::{BTreeMap, HashMap, HashSet};
use taizhang_proto::{
    OrgCode,
    cell::{CellKey, bounds},
    date::Day,
    indicator::{self, Part, Period, Span},
    pb::{self, Tier},
};

/// Counts everything again and compares.
///
/// # Errors
/// When the store fails.
pub fn audit(core: &Core) -> Result<pb::AuditAnswer, StoreError> {
    let started = std::time::Instant::now();
    let view = core.view();
    let view = view.as_ref();
    let mut answer = pb::AuditAnswer::default();
    let own = read_own(view)?;
    answer.cells = own.len() as u64;
    if core.tier != Tier::City {
        let records = Recount::read(view, core.unit, core.tree())?;
        answer.records = records.records();
        let recounted = records.cells(&core.plans(), |_, _| Ok(()))?;
        differences(&own, &recounted, "own", &mut answer.differences);
    }
    let mut sums: HashMap<CellKey, i64> = HashMap::new();
    for (key, value) in &own {
        // What a child says that can't be adds to no sum.
        let value = if core.tier == Tier::City { bounds::counted(*key, *value) } else { *value };
        answer.beyond += u64::from(core.tier == Tier::City && !bounds::is_plausible(*key, own[key]));
        for unit in key.unit.up_to(core.unit) {
            let sum = sums.entry(CellKey { unit, ..*key }).or_default();
            *sum = i64::saturating_add(*sum, value);
        }
    }
    sums.retain(|_, value| *value != 0);
    differences(&read_sums(view)?, &sums, "sums", &mut answer.differences);
    if core.tier == Tier::City {
        differences(&years::kept(view)?, &years::by_year(&sums), "years", &mut answer.differences);
    }
    let period = Period::up_to(core.today(), Span::Year);
    let aside = aside::row(view)?;
    answer.aside = set_aside(core, &aside);
    if core.tier == Tier::City {
        let own = own.iter().filter(|(key, _)| key.unit != core.unit);
        let waiting = aside::unjudged(view, &aside)?;
        differences(&refuted(&aside), &refuted_anew(own, &aside, &waiting), "aside", &mut answer.differences);
    }
    // What is set aside is in no total: the child's own sums are taken off those of the hub.
    let top: Vec<(CellKey, i64)> = sums
        .iter()
        .filter_map(|(key, value)| {
            let sign = match key.unit == core.unit {
                true => 1,
                false if aside.leaves_out(key.unit, key.part) => -1,
                false => return None,
            };
            Some((CellKey { unit: core.unit, ..*key }, value * sign))
        })
        .collect();
    // What the tree alone says of districts that were never heard is in every total, and in no cell.
    let top: Vec<(CellKey, i64)> = top.into_iter().chain(by_tree(core, view)?).collect();
    for one in indicator::all() {
        let figure = one.figure::<StoreError>(&period, |part, dates| {
            let cells = top.iter().filter(|(key, _)| key.part == part && dates.contains(&key.date));
            Ok(cells.map(|(_, value)| *value).sum())
        })?;
        answer.totals.push(super::total_value(core.unit, one, figure));
    }
    answer.millis = started.elapsed().as_millis() as u64;
    Ok(answer)
}

/// What districts that were never heard count at the top by the tree, worked out anew.
fn by_tree(core: &Core, view: &dyn View) -> Result<Vec<(CellKey, i64)>, StoreError> {
    if core.tier != Tier::City {
        return Ok(Vec::new());
    }
    let (tree, nodes) = (core.tree(), super::children(view)?);
    let districts = unheard::districts(&tree, core.unit, &nodes);
    let sums = unheard::sums(&tree, core.unit, &districts, &core.plans());
    Ok(sums.into_iter().filter(|(key, _)| key.unit == core.unit).collect())
}

/// What is set aside, in words.
fn set_aside(core: &Core, row: &AsideRow) -> Vec<String> {
    let tree = core.tree();
    let name = |unit: u64| OrgCode::new(unit).map(|unit| tree.name(unit)).unwrap_or_default();
    let whole = row.children.iter().map(|child| {
        format!("{} {} 已搁置，不计入总数：{} (set aside: in no total)", name(child.unit), child.unit, child.reason)
    });
    let parts = row.refuted.iter().map(|one| {
        let part = u16::try_from(one.part).ok().and_then(Part::from_number);
        let part = part.map_or_else(|| one.part.to_string(), |part| format!("{part:?}"));
        format!(
            "{} {} 的 {part} 不计入总数：{} {} 有一日为负 (below zero on some day: in no total)",
            name(one.child),
            one.child,
            name(one.unit),
            one.unit
        )
    });
    whole.chain(parts).collect()
}

/// The counts that were found to fall below zero, as cells of value 1.
fn refuted(row: &AsideRow) -> HashMap<CellKey, i64> {
    let key = |one: &aside::Refuted| {
        let (unit, part) = (OrgCode::new(one.unit).ok()?, u16::try_from(one.part).ok()?);
        // What counts in nothing is not looked at.
        (!row.is_in_nothing(unit)).then_some((CellKey { unit, part, date: 0 }, 1))
    };
    row.refuted.iter().filter_map(key).collect()
}

/// The same, looked at again from what was heard; what no commit has looked at yet as it stands.
fn refuted_anew<'a>(
    own: impl Iterator<Item = (&'a CellKey, &'a i64)>,
    row: &AsideRow,
    waiting: &HashSet<(OrgCode, u16)>,
) -> HashMap<CellKey, i64> {
    let mut counts: HashMap<(OrgCode, u16), BTreeMap<Day, i64>> = HashMap::new();
    for (key, value) in own.filter(|(key, _)| bounds::is_never_negative(key.part) && !row.is_in_nothing(key.unit)) {
        counts.entry((key.unit, key.part)).or_default().insert(key.date, bounds::counted(*key, *value));
    }
    let mut found = refuted(row);
    found.retain(|key, _| waiting.contains(&(key.unit, key.part)));
    for (pair, steps) in counts.into_iter().filter(|(pair, _)| !waiting.contains(pair)) {
        if aside::falls_below_zero(steps) {
            found.insert(CellKey { unit: pair.0, part: pair.1, date: 0 }, 1);
        }
    }
    found
}

pub(crate) fn read_own(view: &dyn View) -> Result<HashMap<CellKey, i64>, StoreError> {
    read_cells(view, (Space::Own, &[]), |value| OwnCell::from_slice(value).map(|cell| cell.value))
}

fn read_sums(view: &dyn View) -> Result<HashMap<CellKey, i64>, StoreError> {
    read_cells(view, (Space::Sums, &[]), |value| value.try_into().ok().map(i64::from_be_bytes))
}

fn differences(
    stored: &HashMap<CellKey, i64>,
    recounted: &HashMap<CellKey, i64>,
    place: &str,
    found: &mut Vec<pb::Difference>,
) {
    let keys: HashSet<&CellKey> = stored.keys().chain(recounted.keys()).collect();
    for key in keys {
        let value = |cells: &HashMap<CellKey, i64>| cells.get(key).copied().unwrap_or(0);
        if value(stored) != value(recounted) {
            found.push(pb::Difference {
                unit: key.unit.number(),
                part: Part::from_number(key.part).map_or_else(|| key.part.to_string(), |part| format!("{part:?}")),
                date: key.date,
                stored: value(stored),
                recount: value(recounted),
                r#where: place.to_owned(),
            });
        }
    }
}

/// The own cells that are not zero, for comparing tiers.
///
/// # Errors
/// When the store fails.
pub fn own_cells(core: &Core) -> Result<HashMap<CellKey, i64>, StoreError> {
    read_own(core.view().as_ref())
}
