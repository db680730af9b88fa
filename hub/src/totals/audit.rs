//! The recount: at a district from records alone, at a city from its children's cells; every difference is named.
//! Invariant: nothing that a commit derived (links, contributions, cells, sums) is used to recount.

use crate::{
    rows::{OwnCell, unique_key},
    store::{Space, StoreError, View},
    writer::Core,
};
use std::collections::{HashMap, HashSet};
use taizhang_proto::{
    Record, RecordId,
    cell::{self, CellKey, Shelf, Subject, contributions, home_unit, links, subjects_of, unique_fields},
    indicator::{self, Part},
    pb::{self, Tier},
};

/// Records with an index of their links made while reading them.
struct Recount<'a> {
    view: &'a dyn View,
    links: HashMap<RecordId, Vec<(u32, RecordId)>>,
    uniques: HashMap<[u8; 24], Vec<RecordId>>,
    tree: std::sync::Arc<taizhang_proto::org::UnitTree>,
}

impl Shelf for Recount<'_> {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        let row = self.view.get(Space::Records, &id.0)?;
        row.map(|row| Record::decode(row).map_err(|_| StoreError::Row(Space::Records))).transpose()
    }

    fn referring(&self, target: RecordId, register: u32) -> Result<Vec<RecordId>, StoreError> {
        let found = self.links.get(&target).map(Vec::as_slice).unwrap_or_default();
        Ok(found.iter().filter(|(own, _)| *own == register).map(|(_, id)| *id).collect())
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        Ok(self.uniques.get(&unique_key(register, tag, bytes)).cloned().unwrap_or_default())
    }

    fn given_up_on(&self, unit: taizhang_proto::OrgCode) -> Option<taizhang_proto::date::Day> {
        self.tree.given_up_on(unit)
    }
}

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
        let recounted = recount(core, view, &mut answer.records)?;
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
    let today = core.today();
    for one in indicator::all() {
        let dates = indicator::dates(one.kind, today);
        let total = |part: u16| -> i64 {
            let cells = sums.iter().filter(|(key, _)| key.unit == core.unit && key.part == part);
            cells.filter(|(key, _)| dates.contains(&key.date)).map(|(_, value)| value).sum()
        };
        answer.totals.push(pb::TotalValue {
            unit: core.unit.number(),
            indicator: one.code.to_owned(),
            numerator: one.numerator.iter().map(|(part, sign)| sign * total(part.number())).sum(),
            denominator: one.denominator.map_or(0, |part| total(part.number())),
            ratio: one.denominator.is_some(),
            duplicates: one.numerator.iter().map(|(part, sign)| sign * total(part.duplicates())).sum(),
        });
    }
    answer.millis = started.elapsed().as_millis() as u64;
    Ok(answer)
}

/// Cells from the records alone.
fn recount(core: &Core, view: &dyn View, records: &mut u64) -> Result<HashMap<CellKey, i64>, StoreError> {
    let mut shelf = Recount { view, links: HashMap::new(), uniques: HashMap::new(), tree: core.tree() };
    let mut ids = Vec::new();
    for row in view.prefix(Space::Records, &[]) {
        let (key, value) = row?;
        let id = RecordId::from_slice(&key).ok_or(StoreError::Row(Space::Records))?;
        let record = Record::decode(value).map_err(|_| StoreError::Row(Space::Records))?;
        if home_unit(&record).is_some_and(|unit| core.unit.covers(unit)) {
            for (tag, bytes) in unique_fields(&record) {
                shelf.uniques.entry(unique_key(record.register, tag, bytes)).or_default().push(id);
            }
        }
        for target in links(&record) {
            shelf.links.entry(target).or_default().push((record.register, id));
        }
        ids.push(id);
        *records += 1;
    }
    let mut subjects: HashSet<Subject> = HashSet::new();
    if !core.tree().is_empty() {
        subjects.extend(core.tree().below(core.unit).map(|unit| Subject::Unit(unit.code)));
    }
    let mut found = Vec::new();
    for id in ids {
        if let Some(record) = shelf.record(id)? {
            subjects_of(&shelf, id, &record, &mut found)?;
            subjects.extend(found.drain(..));
        }
    }
    let mut cells: HashMap<CellKey, i64> = HashMap::new();
    for subject in subjects {
        for one in contributions(&shelf, subject, core.plan)? {
            // What counts in another hub's scope counts there.
            if core.unit.covers(one.key.unit) {
                *cells.entry(one.key).or_default() += one.delta;
            }
        }
    }
    cells.retain(|_, value| *value != 0);
    Ok(cells)
}

fn read_own(view: &dyn View) -> Result<HashMap<CellKey, i64>, StoreError> {
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
