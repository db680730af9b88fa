//! The report of a locked month (月报、调度通报): its figures as they were signed, what it corrected of earlier months, what
//! has been corrected of it since, who was missing, and how the units rank by it (domain-detail 5, screen 8).
//! Invariant: nothing in it is counted now but what is called a correction: the same month gives the same report.

use super::{
    MonthsError,
    correct::{adjustments_beside, lost},
    month_asked,
    sheet::is_on_sheet,
};
use crate::{
    state::{Core, months::sheets},
    store::{Space, StoreError},
    totals,
};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{
    OrgCode, assess,
    indicator::Figure,
    month::{self, FigureKey, key_of},
    pb::{self, Correction, MonthSheet, MonthText, Tier, TotalSpan},
    plan::Plan,
};

/// The report of a month: of the units that are named, else of the hub's own and those right below it.
///
/// # Errors
/// When the month is not locked, its figures are not here, or the store fails.
pub fn report(core: &Core, request: &pb::MonthRequest) -> Result<pb::MonthReport, MonthsError> {
    let month = month_asked(&request.month)?;
    let name = month.to_string();
    let (months, tree, view) = (core.months(), core.tree(), core.view());
    let view = view.as_ref();
    let texts: Vec<MonthText> = months.texts().collect();
    let place = texts.iter().position(|text| text.month == name).ok_or(MonthsError::Open(month))?;
    let units: Vec<OrgCode> = if request.units.is_empty() {
        std::iter::once(core.unit).chain(tree.children(core.unit).map(|unit| unit.code)).collect()
    } else {
        let named = request.units.iter().filter_map(|unit| OrgCode::new(*unit).ok());
        // One that is named twice is shown once.
        let mut once = BTreeSet::new();
        named.filter(|unit| core.unit.covers(*unit) && once.insert(*unit)).collect()
    };
    let shown: BTreeSet<u64> = units.iter().map(|unit| unit.number()).collect();
    let line = |correction: Correction| {
        let unit = correction.now.as_ref().map_or(0, |now| now.unit);
        let unit_name = OrgCode::new(unit).map(|unit| tree.name(unit)).unwrap_or_default();
        pb::Adjustment { unit, unit_name, correction: Some(correction) }
    };
    let is_shown = |correction: &Correction| correction.now.as_ref().is_some_and(|now| shown.contains(&now.unit));
    let (mut figures, mut corrects, mut corrected) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (own, text) in texts.iter().enumerate().skip(place) {
        for (_, sheet) in sheets(view, text)? {
            let sheet = MonthSheet::decode(sheet).map_err(|_| StoreError::Row(Space::Documents))?;
            let corrections = sheet.corrections.into_iter().filter(|one| is_shown(one));
            if own == place {
                let values = sheet.figures.into_iter().filter(|value| shown.contains(&value.unit));
                figures.extend(values.map(|value| (key_of(&value), value)));
                corrects.extend(corrections.map(line));
            } else {
                corrected.extend(corrections.filter(|one| one.month == name).map(line));
            }
        }
    }
    let lost = lost(core, view, &months)?;
    // At a district the one sheet that is its own has all of its units.
    let is_lost = |unit: &OrgCode| {
        let on = |sheet: u64| core.tier != Tier::City || is_on_sheet(sheet, *unit, core.unit);
        lost.iter().any(|(month, sheet)| *month == name && on(*sheet))
    };
    let (gone, here): (Vec<OrgCode>, Vec<OrgCode>) = units.iter().copied().partition(is_lost);
    let mut answer = adjustments_beside(core, request, &lost)?;
    answer.adjustments.retain(|one| shown.contains(&one.unit));
    let plans = core.plans();
    let plan = plans.on(month.last_day());
    // A district's own tree has no name for its neighbours: who locked the month says it.
    let gap_name = |gap: &pb::MonthGap| match OrgCode::new(gap.unit) {
        Ok(unit) if gap.name.is_empty() => totals::unit_name(&tree, unit),
        _ => pb::UnitName { unit: gap.unit, name: gap.name.clone(), ..pb::UnitName::default() },
    };
    // Who has said nothing yet is in no order with the others.
    let is_heard = |unit: &OrgCode| !month::is_unheard(&answer.gaps, unit.number());
    let heard: Vec<OrgCode> = here.iter().copied().filter(is_heard).collect();
    Ok(pb::MonthReport {
        unit_name: tree.name(core.unit),
        gap_names: answer.gaps.iter().map(gap_name).collect(),
        units: units.iter().map(|unit| totals::unit_name(&tree, *unit)).collect(),
        lost: gone.iter().map(|unit| totals::unit_name(&tree, *unit)).collect(),
        ranks: ranks(core, plan, &heard, &figures),
        plan: plan.name.clone(),
        figures: figures.into_values().collect(),
        corrects,
        corrected,
        month: Some(answer),
    })
}

/// How the units rank by the month's figures, those of one tier among each other: of the hub itself there is only one.
fn ranks(
    core: &Core,
    plan: &Plan,
    units: &[OrgCode],
    figures: &BTreeMap<FigureKey, pb::TotalValue>,
) -> Vec<pb::UnitScore> {
    let tree = core.tree();
    let mut scores = Vec::new();
    for unit in units.iter().filter(|unit| **unit != core.unit) {
        let figure = |one: &taizhang_proto::indicator::Indicator| {
            let key = (unit.number(), one.code.to_owned(), TotalSpan::Year as i32);
            let value = figures.get(&key).cloned().unwrap_or_default();
            Ok::<_, std::convert::Infallible>(Figure {
                numerator: value.numerator,
                denominator: value.denominator,
                duplicates: value.duplicates,
                duplicate_base: value.duplicate_base,
            })
        };
        let Ok(standings) = assess::standings(plan, *unit, figure);
        scores.push(assess::unit_score(plan, *unit, tree.name(*unit), &standings));
    }
    totals::give_ranks(&mut scores);
    scores
}
