//! What has changed of locked months: figures of their last days that are others by now.
//! Invariant: a locked month's figures, with every correction reported since, are what was known when the last month was
//! locked; so what differs from that is news, and is reported once.

use super::{MonthsError, answer, month_asked, sheet};
use crate::{
    state::{
        Core,
        months::{Months, counted_up_to, missing_sheets, sheets},
    },
    store::{Space, StoreError, View},
    totals::{self, aside},
};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use taizhang_proto::{
    OrgCode,
    cell::CellKey,
    date::Day,
    month::{FigureKey, Month, key_of, nothing_like},
    pb::{self, Correction, MonthSheet, MonthText, Tier},
};

/// The figures of one month.
type Figures = BTreeMap<FigureKey, pb::TotalValue>;

/// The figures of each locked month as last reported, by the month's name: what was locked, with every correction since.
/// At a district those of its own sheets.
///
/// # Errors
/// When the store fails.
pub fn reported(view: &dyn View, months: &Months) -> Result<BTreeMap<String, Figures>, StoreError> {
    let mut known: BTreeMap<String, Figures> = BTreeMap::new();
    for text in months.texts() {
        let mut own = BTreeMap::new();
        for (_, sheet) in sheets(view, &text)? {
            let sheet = MonthSheet::decode(sheet).map_err(|_| StoreError::Row(Space::Documents))?;
            own.extend(sheet.figures.into_iter().map(|value| (key_of(&value), value)));
            for correction in sheet.corrections {
                if let (Some(earlier), Some(now)) = (known.get_mut(&correction.month), correction.now) {
                    earlier.insert(key_of(&now), now);
                }
            }
        }
        known.insert(text.month, own);
    }
    Ok(known)
}

/// The units in whose figures up to a day something has changed after a revision.
fn moved_since(view: &dyn View, top: OrgCode, revision: u64, up_to: Day) -> Result<BTreeSet<OrgCode>, StoreError> {
    let mut units = BTreeSet::new();
    for row in view.range(Space::CellFeed, &revision.saturating_add(1).to_be_bytes(), &[0xff; 9]) {
        let (key, _) = row?;
        let cell = key.get(8..).and_then(CellKey::from_slice).ok_or(StoreError::Row(Space::CellFeed))?;
        if cell.date <= up_to {
            units.extend(cell.unit.up_to(top));
        }
    }
    // A child that was set aside, or counts again, has moved every figure of its own and above it.
    for child in aside::row(view)?.turned_since(revision) {
        units.extend(child.up_to(top));
        for row in view.range(Space::Units, &child.number().to_be_bytes(), &(child.last() + 1).to_be_bytes()) {
            let code = row?.0.as_ref().try_into().map(u64::from_be_bytes).ok();
            units.extend(code.and_then(|code| OrgCode::new(code).ok()));
        }
    }
    Ok(units)
}

/// What differs of one month's figures, for these units.
fn differences(
    view: &dyn View,
    month: Month,
    known: &Figures,
    units: impl IntoIterator<Item = OrgCode>,
) -> Result<Vec<Correction>, StoreError> {
    let mut found = Vec::new();
    for unit in units {
        for (indicator, period, span) in sheet::asked(month) {
            let now = pb::TotalValue { span: span.into(), ..totals::proven_value(view, unit, indicator, &period)? };
            let was = known.get(&key_of(&now)).cloned().unwrap_or_else(|| nothing_like(&now));
            if was != now {
                found.push(Correction { month: month.to_string(), was: Some(was), now: Some(now) });
            }
        }
    }
    Ok(found)
}

/// Sheets that this hub has lost: the month, and whose. A district holds its own alone.
pub(super) fn lost(core: &Core, view: &dyn View, months: &Months) -> Result<Vec<(String, u64)>, StoreError> {
    let is_ours = |unit: u64| core.tier == Tier::City || unit == core.unit.number();
    missing_sheets(view, months.texts(), is_ours).collect()
}

/// What the month that is locked next has to report of every earlier one, at the city. Of units whose sheet is lost
/// nothing can be said: `strict` refuses then.
pub(super) fn all(core: &Core, view: &dyn View, months: &Months, strict: bool) -> Result<Vec<Correction>, MonthsError> {
    let Some(last) = months.texts().last() else { return Ok(Vec::new()) };
    let lost = lost(core, view, months)?;
    if let Some((month, unit)) = lost.first().filter(|_| strict) {
        return Err(MonthsError::Lost { month: month.clone(), unit: *unit });
    }
    let is_lost = |unit: &OrgCode| lost.iter().any(|(_, of)| sheet::is_on_sheet(*of, *unit, core.unit));
    let known = reported(view, months)?;
    let counted = counted_up_to(view, &last)?;
    let mut found = Vec::new();
    for (name, known) in known {
        let Some(month) = Month::read(&name) else { continue };
        let moved = moved_since(view, core.unit, counted, month.last_day())?;
        found.extend(differences(view, month, &known, moved.into_iter().filter(|unit| !is_lost(unit)))?);
    }
    Ok(found)
}

/// What has changed of a locked month's figures and is not reported yet.
///
/// # Errors
/// When it is not locked, or the store fails.
pub fn adjustments(core: &Core, request: &pb::MonthRequest) -> Result<pb::MonthAnswer, MonthsError> {
    let lost = lost(core, core.view().as_ref(), &core.months())?;
    adjustments_beside(core, request, &lost)
}

/// The same, of what is not on one of these sheets, which are lost.
pub(super) fn adjustments_beside(
    core: &Core,
    request: &pb::MonthRequest,
    lost: &[(String, u64)],
) -> Result<pb::MonthAnswer, MonthsError> {
    let month = month_asked(&request.month)?;
    let months = core.months();
    let name = month.to_string();
    let signed = months.signed().find(|one| MonthText::decode(one.text.clone()).is_ok_and(|text| text.month == name));
    let signed = signed.ok_or(MonthsError::Open(month))?;
    let (view, tree) = (core.view(), core.tree());
    let known = reported(view.as_ref(), &months)?.remove(&name).unwrap_or_default();
    let units: Vec<OrgCode> = match (core.tier, months.texts().last()) {
        (Tier::City, Some(last)) => {
            let counted = counted_up_to(view.as_ref(), &last)?;
            // Of what is lost nobody can say what has changed.
            let is_lost = |unit: &OrgCode| {
                lost.iter().any(|(of, sheet)| *of == name && sheet::is_on_sheet(*sheet, *unit, core.unit))
            };
            let moved = moved_since(view.as_ref(), core.unit, counted, month.last_day())?;
            moved.into_iter().filter(|unit| !is_lost(unit)).collect()
        }
        // A district's revisions are its own.
        _ => tree.below(core.unit).map(|unit| unit.code).collect(),
    };
    let line = |correction: Correction| {
        let unit = correction.now.as_ref().map_or(0, |now| now.unit);
        let unit_name = OrgCode::new(unit).map(|unit| tree.name(unit)).unwrap_or_default();
        pb::Adjustment { unit, unit_name, correction: Some(correction) }
    };
    let lines = differences(view.as_ref(), month, &known, units)?.into_iter().map(line).collect();
    Ok(answer(signed, lines))
}
