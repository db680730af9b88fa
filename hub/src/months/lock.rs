//! Locking a month at the city: its figures, the corrections of earlier months, the signature, in one commit.

use super::{
    MonthsError, answer, correct, month_asked, progress,
    sheet::{asked, is_on_sheet},
};
use crate::{
    plans,
    state::Core,
    store::{StoreError, View},
    totals,
    writer::{Job, Writer},
};
use bytes::Bytes;
use prost::Message;
use ring::signature::Ed25519KeyPair;
use std::collections::BTreeMap;
use taizhang_proto::{
    OrgCode,
    limits::{self, LOCK_REASON_CHARS},
    month::{self, Month},
    org::UnitTree,
    pb::{self, MonthSheet, MonthText, SheetDigest, SignedMonth, Tier},
    sign::Purpose,
};

/// Most units that a refusal names.
const NAMED: usize = 5;

/// Locks a month: the one after the last, which is over, and for which every unit with a node has closed and every
/// district approved; or with a reason for those that have not.
///
/// # Errors
/// When one of these is not so, this is not the city, or the store fails.
pub async fn lock(
    core: &Core,
    writer: &Writer,
    key: &Ed25519KeyPair,
    request: &pb::MonthRequest,
) -> Result<pb::MonthAnswer, MonthsError> {
    let (signed, sheets) = tokio::task::block_in_place(|| sign(core, key, request))?;
    let bare = answer(&signed, Vec::new());
    writer.write(Job::Month { place: None, signed: Box::new(signed), sheets }).await?;
    Ok(bare)
}

/// The month as it is signed, with every sheet.
///
/// # Errors
/// As [`lock`].
pub fn sign(
    core: &Core,
    key: &Ed25519KeyPair,
    request: &pb::MonthRequest,
) -> Result<(SignedMonth, Vec<Bytes>), MonthsError> {
    if core.tier != Tier::City {
        return Err(MonthsError::NotCity);
    }
    let month = month_asked(&request.month)?;
    let months = core.months();
    let last = months.texts().last();
    check_turn(core, month, last.as_ref(), months.has(month))?;
    let by = limits::name(&request.by)?.to_owned();
    let reason = limits::reason_within(&request.reason, LOCK_REASON_CHARS)?.to_owned();
    let view = core.view();
    let view = view.as_ref();
    let corrections = correct::all(core, view, &months, reason.is_empty())?;
    let standing = progress(core, month)?;
    if !standing.gaps.is_empty() && reason.is_empty() {
        return Err(missing(&standing));
    }
    let tree = core.tree();
    let mut by_unit = sheets(core.unit, &tree);
    for (unit, sheet) in &mut by_unit {
        sheet.unit = *unit;
        sheet.figures = figures(view, &units_of(core.unit, &tree, *unit), month)?;
    }
    for correction in corrections {
        let unit = correction.now.as_ref().map_or(0, |now| now.unit);
        let unit = OrgCode::new(unit).unwrap_or(core.unit);
        let of = by_unit.keys().copied().find(|sheet| is_on_sheet(*sheet, unit, core.unit));
        by_unit.entry(of.unwrap_or(core.unit.number())).or_default().corrections.push(correction);
    }
    let mut sheets = Vec::with_capacity(by_unit.len());
    let mut digests = Vec::with_capacity(by_unit.len());
    for (unit, sheet) in by_unit {
        let bytes: Bytes = sheet.encode_to_vec().into();
        digests.push(SheetDigest {
            unit,
            digest: month::digest(&bytes).into(),
            figures: sheet.figures.len() as u32,
            corrections: sheet.corrections.len() as u32,
        });
        sheets.push(bytes);
    }
    let text = MonthText {
        month: month.to_string(),
        last_day: month.last_day(),
        locked_at: core.now(),
        by,
        revision: crate::rows::counter(view, crate::rows::meta::REVISION)?,
        sheets: digests,
        previous: months.last().map(|last| month::digest(&last.text).into()).unwrap_or_default(),
        gaps: standing.gaps,
        reason,
    }
    .encode_to_vec();
    let (key, signature) = plans::sign(key, Purpose::Month, &text);
    Ok((SignedMonth { text: text.into(), key, signature, sheets: Vec::new(), own: None }, sheets))
}

/// Months are locked in their order, once each, when they are over.
fn check_turn(core: &Core, month: Month, last: Option<&MonthText>, is_locked: bool) -> Result<(), MonthsError> {
    if let Some(last) = last.and_then(|last| Month::read(&last.month)) {
        if month <= last {
            return Err(if is_locked { MonthsError::Locked(month) } else { MonthsError::Passed(month) });
        }
        if month != last.next() {
            return Err(MonthsError::Next(last.next()));
        }
    }
    if month.last_day() >= core.today() {
        return Err(MonthsError::Running(month));
    }
    Ok(())
}

/// Who is missing, as the refusal to lock without a reason.
pub(crate) fn missing(standing: &pb::MonthProgress) -> MonthsError {
    let named = standing.gaps.iter().zip(&standing.names).take(NAMED);
    let units: Vec<String> =
        named.map(|(gap, name)| format!("{}（{}）", name.name, month::gap_words(&gap.why).0)).collect();
    let more = if standing.gaps.len() > NAMED { "等" } else { "" };
    MonthsError::Gaps { count: standing.gaps.len(), units: units.join("、") + more }
}

/// An empty sheet for each district, and one for the city's own figures.
fn sheets(city: OrgCode, tree: &UnitTree) -> BTreeMap<u64, MonthSheet> {
    let units = tree.children(city).map(|district| district.code).chain([city]);
    units.map(|unit| (unit.number(), MonthSheet::default())).collect()
}

/// The units of a sheet: the city alone, or a district and everything below it.
fn units_of(city: OrgCode, tree: &UnitTree, unit: u64) -> Vec<OrgCode> {
    match OrgCode::new(unit) {
        Ok(unit) if unit == city => vec![city],
        Ok(unit) => tree.below(unit).map(|below| below.code).collect(),
        Err(_) => Vec::new(),
    }
}

/// Every figure of these units that is not zero: as of the month's last day, flows over the year so far and over the
/// month. What no proof was shown for does not count (domain-detail 2.6).
fn figures(view: &dyn View, units: &[OrgCode], month: Month) -> Result<Vec<pb::TotalValue>, StoreError> {
    let mut found = Vec::new();
    for unit in units {
        for (indicator, period, span) in asked(month) {
            let value = totals::proven_value(view, *unit, indicator, &period)?;
            let value = pb::TotalValue { span: span.into(), ..value };
            if value != month::nothing_like(&value) {
                found.push(value);
            }
        }
    }
    Ok(found)
}
