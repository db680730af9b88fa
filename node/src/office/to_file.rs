//! 待归档: the completed cases that no archive entry files yet, and the papers that are formed and not filed (notice, item
//! 52; domain-detail 2.14). Invariant: what is listed, and until when, is [`cell::filing`], which K37 counts by.

use super::Office;
use crate::{
    desk::{Desk, SaveError},
    exchange::People,
    ledger::LedgerDesk,
};
use taizhang_proto::{
    Record, RecordId,
    cell::{self, FILED},
    pb,
    register::{number, registers},
};

impl Office {
    /// What is to be filed by a day and `within` days after it, with the days left; the overdue first.
    pub(super) fn to_file(&self, request: pb::ToFileRequest) -> Result<pb::ToFileAnswer, SaveError> {
        let ledger = &self.ledger;
        let on = if request.on == 0 { ledger.business_day() } else { request.on };
        let last = on.saturating_add_unsigned(request.within);
        let (units, plans, scope) = (ledger.units(), ledger.plans(), ledger.unit());
        let desk = LedgerDesk::new(ledger);
        let mut people = People::new(&desk);
        let mut items = Vec::new();
        for register in FILED {
            let name = registers().get(register).map_or("", |def| def.zh.as_str());
            for id in ledger.ids(register)? {
                let Some(record) = ledger.view(id)? else { continue };
                let Some(unit) = cell::home_unit(&record).filter(|unit| scope.covers(*unit)) else { continue };
                let filing = cell::filing(ledger.as_ref(), (id, &record), &plans)?;
                let Some(filing) = filing.filter(|filing| filing.is_open_on(on) && filing.due <= last) else {
                    continue;
                };
                items.push(pb::ToFileItem {
                    record: id.to_string(),
                    register: name.to_owned(),
                    unit: unit.number(),
                    unit_name: units.name(unit),
                    title: title(&mut people, (id, &record))?.unwrap_or_else(|| units.name(unit)),
                    since: filing.since,
                    due_on: filing.due,
                    days_left: filing.due - on,
                    entry: filing.entry.map(|entry| entry.to_string()).unwrap_or_default(),
                });
            }
        }
        items.sort_by(|one, two| (one.due_on, one.unit, &one.record).cmp(&(two.due_on, two.unit, &two.record)));
        Ok(pb::ToFileAnswer { on, items })
    }
}

/// Whose a record is, for the office's own eyes: a person's name, a household's head or number, a title; none of a unit's.
pub(super) fn title<D: Desk>(
    people: &mut People<'_, D>,
    (id, record): (RecordId, &Record),
) -> Result<Option<String>, SaveError> {
    let text = |record: &Record, tag| record.slice(tag).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let household = match record.register {
        number::HOUSEHOLD => Some(record.clone()),
        number::ZEF_CASE | number::SERVICE_RECORD => {
            record.reference(21).map(|of| people.desk().view(of)).transpose()?.flatten()
        }
        _ => None,
    };
    let head = household.as_ref().and_then(|household| household.reference(22));
    let person = match record.register {
        number::RESIDENT => Some(id),
        number::HARDSHIP_CASE | number::PLACEMENT | number::UNEMPLOYMENT_SPELL => record.reference(20),
        number::SERVICE_RECORD => record.reference(20).or(head),
        _ => head,
    };
    let title = match (person, household) {
        (Some(person), _) => Some(people.name(person)?),
        (None, Some(household)) => text(&household, 20),
        (None, None) => match record.register {
            number::ARCHIVE_ENTRY => {
                let of = |tag| text(record, tag).unwrap_or_default();
                Some(format!("{} {}", of(22), of(20)).trim().to_owned())
            }
            number::TASK | number::CAMPAIGN | number::POST | number::EVENT | number::ISSUE | number::ASSISTANT => {
                text(record, 20)
            }
            number::TRANSFER => text(record, 22),
            _ => None,
        },
    };
    Ok(title.filter(|title| !title.is_empty()))
}
