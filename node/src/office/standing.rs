//! How an office stands against its targets, counted by itself and without a network.
//! Invariant: the figures are a recount of the office's own registers as it sees them, its waiting changes among them, by
//! the functions that the hubs count by, its index of equal values among them: of two records of one person that the office
//! holds the one counts that counts at the hub. Of those that it does not hold only its district knows.

use crate::{ledger::Ledger, store::StoreError};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::RangeInclusive,
};
use taizhang_proto::{
    OrgCode, Record, RecordId, assess,
    cell::{Shelf, Subject, all_subjects, contributions, indexed_fields},
    date::Day,
    indicator::{self, Period, Span},
    pb,
    plan::Plans,
    register::registers,
};

/// The office's targets on a day, each with what is counted and what is left to it.
///
/// # Errors
/// When the store fails.
pub fn standing(ledger: &Ledger, on: Day) -> Result<pb::StandingAnswer, StoreError> {
    let (unit, plans) = (ledger.unit(), ledger.plans());
    let plan = plans.on(on);
    let sums = Sums::count(&Registers::read(ledger)?, &plans)?;
    let period = Period::up_to(on, Span::Year);
    let mut standings = assess::standings(plan, unit, |indicator| {
        indicator.figure(&period, |part, dates| Ok::<_, StoreError>(sums.sum(part, dates)))
    })?;
    // What the district counts of its nodes and its queue is not known here; it has no weight.
    let known = |code: &str| {
        let terms = indicator::by_code(code).map(|known| known.numerator).unwrap_or_default();
        !terms.iter().any(|term| term.part.is_of_hubs())
    };
    standings.retain(|one| known(&one.code));
    Ok(pb::StandingAnswer {
        aside: Vec::new(),
        on,
        plan: plan.name.clone(),
        plan_version: plan.version,
        lines: standings.iter().map(|one| one.line(unit)).collect(),
        scores: vec![assess::unit_score(plan, unit, ledger.units().name(unit), &standings)],
    })
}

/// An office's registers with an index of the values by which records of one thing find each other.
pub(super) struct Registers<'l> {
    ledger: &'l Ledger,
    ids: Vec<RecordId>,
    values: HashMap<(u32, u32, Bytes), Vec<RecordId>>,
}

impl<'l> Registers<'l> {
    /// Reads them once.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn read(ledger: &'l Ledger) -> Result<Self, StoreError> {
        let mut own = Self { ledger, ids: Vec::new(), values: HashMap::new() };
        for def in registers().iter() {
            let ids = ledger.ids(def.number)?;
            for id in ids.iter().filter(|_| !def.indexed.is_empty()) {
                let Some(record) = ledger.view(*id)? else { continue };
                for (tag, bytes) in indexed_fields(&record) {
                    own.values.entry((def.number, tag, bytes.clone())).or_default().push(*id);
                }
            }
            own.ids.extend(ids);
        }
        Ok(own)
    }

    /// Everything that counts in them.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn subjects(&self) -> Result<HashSet<Subject>, StoreError> {
        let (scope, tree) = (self.ledger.unit(), self.ledger.units());
        let mut units: Vec<OrgCode> = tree.below(scope).map(|unit| unit.code).collect();
        if units.is_empty() {
            units.push(scope); // before the first sync there is no tree
        }
        all_subjects(self, units, self.ids.iter().copied())
    }
}

impl Shelf for Registers<'_> {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        self.ledger.record(id)
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
        self.ledger.about(target)
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        let key = (register, tag, Bytes::copy_from_slice(bytes));
        Ok(self.values.get(&key).cloned().unwrap_or_default())
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.ledger.given_up_on(unit)
    }

    fn founded_on(&self, unit: OrgCode) -> Option<Day> {
        self.ledger.founded_on(unit)
    }
}

/// What everything in an office's scope counts together, by part and day: as much memory as there are days on which
/// something happened, however many records.
pub(super) struct Sums(BTreeMap<(u16, Day), i64>);

impl Sums {
    pub(super) fn count(registers: &Registers<'_>, plans: &Plans) -> Result<Self, StoreError> {
        let scope = registers.ledger.unit();
        let mut sums = BTreeMap::new();
        for subject in registers.subjects()? {
            for step in contributions(registers, subject, plans)? {
                if scope.covers(step.key.unit) {
                    *sums.entry((step.key.part, step.key.date)).or_default() += step.delta;
                }
            }
        }
        Ok(Self(sums))
    }

    pub(super) fn sum(&self, part: u16, dates: RangeInclusive<Day>) -> i64 {
        if dates.is_empty() {
            return 0;
        }
        self.0.range((part, *dates.start())..=(part, *dates.end())).map(|(_, delta)| delta).sum()
    }
}
