//! Backdated entries (补录): what was entered more than the plan's days after it happened, listed apart so that a clock
//! can't be met with a pen (rule G2; domain-detail 2.6). Invariant: the day on which something arrived is the hub's own
//! clock's, never an office's.

use crate::{
    state::Core,
    store::{Space, StoreError},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{self, home_unit, is_active},
    date::Day,
    pb,
    register::registers,
};

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// In this unit and below.
    pub unit: OrgCode,
    /// First day of arrival.
    pub from: Day,
    /// Last day of arrival.
    pub to: Day,
}

/// The backdated entries that arrived in a time, longest first. It reads every record: a report, not a page.
///
/// # Errors
/// When the store fails.
pub fn backdated(core: &Core, asked: Asked) -> Result<Vec<pb::BackdatedLine>, StoreError> {
    let (view, plans, tree) = (core.view(), core.plans(), core.tree());
    let mut found = Vec::new();
    for row in view.prefix(Space::Records, &[]) {
        let (key, value) = row?;
        let record = Record::decode(value).map_err(|_| StoreError::Row(Space::Records))?;
        let unit = home_unit(&record).filter(|unit| is_active(&record) && asked.unit.covers(*unit));
        let def = registers().get(record.register);
        let (Some(unit), Some(def), Some(id)) = (unit, def, RecordId::from_slice(&key)) else { continue };
        let late = cell::backdated(&record, &plans).filter(|late| (asked.from..=asked.to).contains(&late.arrived));
        if let Some(late) = late {
            found.push(pb::BackdatedLine {
                record: id.to_string(),
                register: def.zh.clone(),
                unit: unit.number(),
                unit_name: tree.name(unit),
                on: late.on,
                arrived: late.arrived,
                days: late.days(),
                by: record.origin(late.tag).map(|origin| origin.by.clone()).unwrap_or_default(),
            });
        }
    }
    found.sort_by(|one, two| (two.days, one.unit, &one.record).cmp(&(one.days, two.unit, &two.record)));
    Ok(found)
}
