//! 存疑清单: what stands in an office's registers and should be looked into ([`doubt`]).
//! Invariant: it refuses nothing; a doubt goes when the records say otherwise.

use super::{Office, to_file::title};
use crate::{desk::SaveError, exchange::People, ledger::LedgerDesk, store::StoreError};
use taizhang_proto::{
    RecordId,
    cell::{self, doubt},
    pb,
    register::registers,
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

    /// What is to be looked into in a record that was just saved.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn doubts_of(&self, id: RecordId) -> Result<Vec<String>, StoreError> {
        let ledger = &self.ledger;
        let Some(record) = ledger.view(id)? else { return Ok(Vec::new()) };
        let found = doubt::doubts(ledger.as_ref(), (id, &record), &ledger.plans(), ledger.business_day())?;
        Ok(found.into_iter().map(doubt::Doubt::words).collect())
    }
}
