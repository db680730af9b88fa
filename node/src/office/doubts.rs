//! 存疑清单: what stands in an office's registers and should be looked into ([`doubt`]).
//! Invariant: it refuses nothing; a doubt goes when the records say otherwise.

use super::{Office, to_file::title};
use crate::{desk::SaveError, exchange::People, ledger::LedgerDesk, store::StoreError};
use taizhang_proto::{
    Record, RecordId,
    cell::{self, doubt},
    pb,
    register::{Value, number, registers},
};

impl Office {
    /// Everything to look into on a day, by register and record.
    ///
    /// # Errors
    /// When the store fails.
    pub fn doubts(&self, on: i32) -> Result<pb::DoubtsAnswer, SaveError> {
        let ledger = &self.ledger;
        let on = if on == 0 { ledger.business_day() } else { on };
        let (units, plans, scope) = (ledger.units(), ledger.plans(), ledger.unit());
        let desk = LedgerDesk::new(ledger);
        let mut people = People::new(&desk);
        let mut items = Vec::new();
        for def in registers().iter() {
            for id in ledger.ids(def.number)? {
                let Some(record) = ledger.view(id)? else { continue };
                let Some(unit) = cell::home_unit(&record).filter(|unit| scope.covers(*unit)) else { continue };
                for found in doubt::doubts(ledger.as_ref(), (id, &record), &plans, on)? {
                    items.push(pb::DoubtItem {
                        code: found.code().into(),
                        what: found.words(),
                        register: def.zh.clone(),
                        unit: unit.number(),
                        unit_name: units.name(unit),
                        title: title(ledger, &mut people, (id, &record))?.unwrap_or_default(),
                        record: id.to_string(),
                    });
                }
            }
        }
        Ok(pb::DoubtsAnswer { on, items })
    }

    /// The same id number in another unit of this office: which of the two counts is the district's to settle.
    fn registered_elsewhere(&self, id: RecordId, record: &Record) -> Result<Option<String>, StoreError> {
        let tag = registers().get(number::RESIDENT).and_then(|def| Some(def.field_named("id_no")?.tag));
        let Some(id_no) = tag.filter(|_| record.register == number::RESIDENT).and_then(|tag| record.slice(tag)) else {
            return Ok(None);
        };
        let id_no = Value::Text(String::from_utf8_lossy(id_no).into_owned());
        let held = self.ledger.find(number::RESIDENT, &[id_no])?;
        let Some(other) = held.into_iter().find(|other| *other != id) else { return Ok(None) };
        let unit = self.ledger.view(other)?.as_ref().and_then(cell::home_unit);
        let unit = unit.map(|unit| self.ledger.units().name(unit)).unwrap_or_default();
        Ok(Some(format!("此身份证号码在{unit}另有登记：{other}，由县区裁定 (registered in another unit, too)")))
    }

    /// What is to be looked into in a record that was just saved.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn doubts_of(&self, id: RecordId) -> Result<Vec<String>, StoreError> {
        let ledger = &self.ledger;
        let Some(record) = ledger.view(id)? else { return Ok(Vec::new()) };
        let found = doubt::doubts(ledger.as_ref(), (id, &record), &ledger.plans(), ledger.business_day())?;
        let mut words: Vec<String> = found.into_iter().map(doubt::Doubt::words).collect();
        words.extend(self.registered_elsewhere(id, &record)?);
        Ok(words)
    }
}
