//! 待归档: the completed cases that no archive entry files yet, and the papers that are formed and not filed (notice, item
//! 52; domain-detail 2.14). Invariant: what is listed, and until when, is [`cell::filing`], which K37 counts by.

use super::{Office, title::title};
use crate::{desk::SaveError, exchange::People, ledger::LedgerDesk};
use taizhang_proto::{
    cell::{self, FILED},
    date::Day,
    pb,
    register::registers,
};

impl Office {
    /// What is to be filed by a day and `within` days after it, with the days left; the overdue first.
    pub(super) fn filings(&self, on: Day, within: u32) -> Result<pb::ToFileAnswer, SaveError> {
        let ledger = &self.ledger;
        let last = on.saturating_add_unsigned(within);
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
