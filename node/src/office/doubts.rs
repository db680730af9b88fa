//! 存疑清单: what stands in an office's registers and should be looked into ([`doubt`]).
//! Invariant: it refuses nothing; a doubt goes when the records say otherwise.

use super::{Office, title::title};
use crate::{
    desk::{Desk, SaveError},
    exchange::People,
    ledger::LedgerDesk,
    store::StoreError,
};
use std::collections::BTreeMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{self, Shelf, doubt},
    date::Day,
    pb,
    plan::Plans,
    register::{Value, number, registers},
};

/// Finds what is to be looked into, record by record, on a day; the same at an office and over a district.
pub struct Finder<'a, D, S> {
    people: People<'a, D>,
    shelf: &'a S,
    plans: &'a Plans,
    on: Day,
}

impl<'a, D: Desk, S: Shelf<Error: ToString>> Finder<'a, D, S> {
    /// What is shown comes from `desk`, what is derived from `shelf`.
    pub fn new(desk: &'a D, shelf: &'a S, plans: &'a Plans, on: Day) -> Self {
        Self { people: People::new(desk), shelf, plans, on }
    }

    /// What is to be looked into in a record.
    ///
    /// # Errors
    /// When the store fails.
    pub fn of(&mut self, (id, record): (RecordId, &Record)) -> Result<Vec<pb::DoubtItem>, SaveError> {
        let found = doubt::doubts(self.shelf, (id, record), self.plans, self.on);
        let found = found.map_err(|error| SaveError::Store(error.to_string()))?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        // A desk may show less of a record than what is derived from it.
        let Some(seen) = self.people.desk().view(id)? else { return Ok(Vec::new()) };
        let (unit, title) = (cell::home_unit(record), title(&mut self.people, (id, &seen))?.unwrap_or_default());
        let mut items = Vec::with_capacity(found.len());
        for one in found {
            debug_assert!(doubt::KINDS.contains(&one.code()), "nobody can ask for {} alone", one.code());
            items.push(pb::DoubtItem {
                code: one.code().into(),
                what: one.words(),
                register: registers().get(record.register).map(|def| def.zh.clone()).unwrap_or_default(),
                unit: unit.map_or(0, OrgCode::number),
                unit_name: unit.map(|unit| self.people.desk().tree().name(unit)).unwrap_or_default(),
                title: title.clone(),
                record: id.to_string(),
            });
        }
        Ok(items)
    }
}

/// Gathers what is to be looked into, kind by kind, so that one kind of which there is much hides no other.
pub struct Gathered<'a> {
    only: &'a [String],
    limit: usize,
    kinds: BTreeMap<String, (u64, Vec<pb::DoubtItem>)>,
}

impl<'a> Gathered<'a> {
    /// Of these kinds, or of all where none is named; at most so many are listed.
    pub fn new(only: &'a [String], limit: usize) -> Self {
        Self { only, limit, kinds: BTreeMap::new() }
    }

    /// Adds what was found in a record.
    pub fn add(&mut self, found: Vec<pb::DoubtItem>) {
        for item in found {
            if !self.only.is_empty() && !self.only.contains(&item.code) {
                continue;
            }
            let (count, items) = self.kinds.entry(item.code.clone()).or_default();
            *count += 1;
            if items.len() < self.limit {
                items.push(item);
            }
        }
    }

    /// All of it, the rarest kinds first.
    pub fn answer(self, on: Day) -> pb::DoubtsAnswer {
        let mut kinds: Vec<_> = self.kinds.into_iter().collect();
        kinds.sort_by_key(|(_, (count, _))| *count);
        let mut answer = pb::DoubtsAnswer { on, ..pb::DoubtsAnswer::default() };
        for (code, (count, items)) in kinds {
            answer.total += count;
            answer.kinds.push(pb::DoubtKind { code, count });
            let room = self.limit.saturating_sub(answer.items.len());
            answer.items.extend(items.into_iter().take(room));
        }
        answer
    }
}

impl Office {
    /// Everything to look into on a day, or what is of some kinds, kind by kind.
    ///
    /// # Errors
    /// When the store fails.
    pub fn doubtful(&self, on: Day, only: &[String]) -> Result<pb::DoubtsAnswer, SaveError> {
        let ledger = &self.ledger;
        let on = if on == 0 { ledger.business_day() } else { on };
        let (plans, scope) = (ledger.plans(), ledger.unit());
        let desk = LedgerDesk::new(ledger);
        let mut finder = Finder::new(&desk, ledger.as_ref(), &plans, on);
        let mut gathered = Gathered::new(only, usize::MAX);
        for def in registers().iter() {
            for id in ledger.ids(def.number)? {
                let Some(record) = ledger.view(id)? else { continue };
                if cell::home_unit(&record).is_some_and(|unit| scope.covers(unit)) {
                    gathered.add(finder.of((id, &record))?);
                }
            }
        }
        Ok(gathered.answer(on))
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
