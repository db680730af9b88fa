//! What an office reads, prints and posts up of what it holds: months, tasks, campaigns, recognised households, the archive.
//! Invariant: a paper is worked out anew from the office's own registers and from what its hub has sent; nothing of it is
//! stored. A list that is made to be posted up holds what may be public and nothing else.

mod archive;
mod months;
mod publicity;
mod work;

use super::Office;
use crate::{caller::Refusal, ledger::Ledger, store::StoreError};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, is_active, is_held_at},
    date::{self, Day},
    month::Month,
    pb::{self, PaperKind},
    register::{Value, registers},
};

impl Office {
    /// The paper that is asked for, as of a day.
    pub(super) fn drawn(&self, request: &pb::PaperRequest, on: Day) -> Result<pb::Paper, Refusal> {
        let ledger = &self.ledger;
        match PaperKind::try_from(request.kind) {
            Ok(PaperKind::PaperMonths) => Ok(months::overview(ledger)?),
            Ok(PaperKind::PaperMonth) => {
                let month =
                    Month::read(&request.month).ok_or_else(|| Refusal::wrong("请写成 2008-03 (not a month)"))?;
                if month.last_day() >= on {
                    return Err(Refusal::wrong("该月尚未结束 (the month is not over)"));
                }
                Ok(months::figures(ledger, month)?)
            }
            Ok(PaperKind::PaperTasks) => Ok(work::tasks(ledger, on, request.all)?),
            Ok(PaperKind::PaperCampaigns) => Ok(work::campaigns(ledger, on)?),
            Ok(PaperKind::PaperPublicity) => Ok(publicity::households(ledger, request.from..=on)?),
            Ok(kind @ (PaperKind::PaperCatalogue | PaperKind::PaperLabels)) => {
                let class = archive::class(&request.class).map_err(Refusal::wrong)?;
                let entries = archive::entries(ledger, request.year, class.as_deref())?;
                Ok(match kind {
                    PaperKind::PaperLabels => archive::labels(ledger, &entries),
                    _ => archive::catalogue(ledger, &entries, on),
                })
            }
            Err(_) => Err(Refusal::wrong("没有此种表 (no such paper)")),
        }
    }
}

/// A register's records that stand, as the office sees them: its own, or with `above` those that are for everybody, too.
fn standing(ledger: &Ledger, register: u32, above: bool) -> Result<Vec<(RecordId, OrgCode, Record)>, StoreError> {
    let scope = ledger.unit();
    let mut found = Vec::new();
    for id in ledger.ids(register)? {
        let Some(record) = ledger.view(id)?.filter(is_active) else { continue };
        let Some(home) = home_unit(&record) else { continue };
        if scope.covers(home) || (above && is_held_at(&record, scope)) {
            found.push((id, home, record));
        }
    }
    Ok(found)
}

/// A field as people read it; empty where it is not set.
fn shown(record: &Record, name: &str) -> String {
    let field = registers().get(record.register).and_then(|def| def.field_named(name));
    let value = field.and_then(|field| Some((field, Value::decode(field, record.bytes(field.tag)?)?)));
    value.map(|(field, value)| value.show(field)).unwrap_or_default()
}

/// A unit's name; of a unit above the office only the code is known here.
fn name(ledger: &Ledger, unit: OrgCode) -> String {
    let units = ledger.units();
    if ledger.unit().covers(unit) { units.name(unit) } else { format!("上级 {unit}") }
}

fn day(day: Option<Day>) -> String {
    day.map(date::iso).unwrap_or_default()
}

fn table(key: &str, title: &str, columns: &[(&str, &str)], rows: Vec<Vec<String>>) -> pb::PaperTable {
    pb::PaperTable {
        key: key.to_owned(),
        title: title.to_owned(),
        columns: columns
            .iter()
            .map(|(key, name)| pb::PaperColumn { key: (*key).to_owned(), name: (*name).to_owned() })
            .collect(),
        rows: rows.into_iter().map(|cells| pb::PaperRow { cells }).collect(),
    }
}
