//! How an office stands against its targets, counted by itself and without a network.
//! Invariant: the figures are a recount of the office's own registers as it sees them, its waiting changes among them, by
//! the rules that the hubs count by. Which of two offices' records of one person counts is the district's to know: an
//! office counts its own.

use crate::{ledger::Ledger, store::StoreError};
use std::{
    collections::{BTreeMap, HashSet},
    ops::RangeInclusive,
};
use taizhang_proto::{
    OrgCode, assess,
    cell::{Subject, all_subjects, contributions},
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
    let sums = Sums::count(ledger, &plans)?;
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
        on,
        plan: plan.name.clone(),
        plan_version: plan.version,
        lines: standings.iter().map(|one| one.line(unit)).collect(),
        scores: vec![assess::unit_score(plan, unit, ledger.units().name(unit), &standings)],
    })
}

/// Everything that counts in an office's registers.
pub(super) fn subjects(ledger: &Ledger) -> Result<HashSet<Subject>, StoreError> {
    let (scope, tree) = (ledger.unit(), ledger.units());
    let mut units: Vec<OrgCode> = tree.below(scope).map(|unit| unit.code).collect();
    if units.is_empty() {
        units.push(scope); // before the first sync there is no tree
    }
    let mut ids = Vec::new();
    for register in registers().iter() {
        ids.extend(ledger.ids(register.number)?);
    }
    all_subjects(ledger, units, ids)
}

/// What everything in an office's scope counts together, by part and day: as much memory as there are days on which
/// something happened, however many records.
struct Sums(BTreeMap<(u16, Day), i64>);

impl Sums {
    fn count(ledger: &Ledger, plans: &Plans) -> Result<Self, StoreError> {
        let scope = ledger.unit();
        let mut sums = BTreeMap::new();
        for subject in subjects(ledger)? {
            for step in contributions(ledger, subject, plans)? {
                if scope.covers(step.key.unit) {
                    *sums.entry((step.key.part, step.key.date)).or_default() += step.delta;
                }
            }
        }
        Ok(Self(sums))
    }

    fn sum(&self, part: u16, dates: RangeInclusive<Day>) -> i64 {
        if dates.is_empty() {
            return 0;
        }
        self.0.range((part, *dates.start())..=(part, *dates.end())).map(|(_, delta)| delta).sum()
    }
}
