//! The recount: at a district from records alone, at a city from its children's cells; every difference is named.
//! Invariant: nothing that a commit derived is used to recount ([`super::recount`]).

use super::recount::Recount;
use crate::{
    rows::OwnCell,
    store::{Space, StoreError, View},
    writer::Core,
};
use std::collections::{HashMap, HashSet};
use taizhang_proto::{
    cell::{self, CellKey},
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
        for unit in key.unit.up_to(core.unit) {
            *sums.entry(CellKey { unit, ..*key }).or_default() += value;
        }
    }
    sums.retain(|_, value| *value != 0);
    differences(&read_sums(view)?, &sums, "sums", &mut answer.differences);
    let period = Period::up_to(core.today(), Span::Year);
    let top: Vec<(&CellKey, &i64)> = sums.iter().filter(|(key, _)| key.unit == core.unit).collect();
    for one in indicator::all() {
        let figure = one.figure::<StoreError>(&period, |part, dates| {
            let cells = top.iter().filter(|(key, _)| key.part == part && dates.contains(&key.date));
            Ok(cells.map(|(_, value)| **value).sum())
        })?;
        answer.totals.push(super::total_value(core.unit, one, figure));
    }
    answer.millis = started.elapsed().as_millis() as u64;
    Ok(answer)
}

pub(crate) fn read_own(view: &dyn View) -> Result<HashMap<CellKey, i64>, StoreError> {
    read_cells(view, Space::Own, |value| OwnCell::from_slice(value).map(|cell| cell.value))
}

fn read_sums(view: &dyn View) -> Result<HashMap<CellKey, i64>, StoreError> {
    read_cells(view, Space::Sums, |value| value.try_into().ok().map(i64::from_be_bytes))
}

/// The cells of a space that are not zero.
fn read_cells(
    view: &dyn View,
    space: Space,
    read: impl Fn(&[u8]) -> Option<i64>,
) -> Result<HashMap<CellKey, i64>, StoreError> {
    let mut cells = HashMap::new();
    for row in view.prefix(space, &[]) {
        let (key, value) = row?;
        let key = cell::CellKey::from_slice(&key).ok_or(StoreError::Row(space))?;
        let value = read(&value).ok_or(StoreError::Row(space))?;
        if value != 0 {
            cells.insert(key, value);
        }
    }
    Ok(cells)
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
