//! A district approves the months that its offices closed, or sends them back.

use super::{MonthsError, month_asked};
use crate::{
    rows,
    state::Core,
    store::{Space, StoreError, View},
    writer::{Answer, Job, Review, Writer},
};
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{home_unit, is_active},
    date::{self, add_months},
    month::{self, Month, Stage},
    pb::{self, Tier},
    register::{field, number, registers},
    wire,
};
use tokio::task::block_in_place;

/// The closings of a month that stand here, with their units.
fn closings(
    core: &Core,
    view: &dyn View,
    month: Month,
) -> Result<Vec<(RecordId, OrgCode, pb::PeriodClose)>, StoreError> {
    let name = month.to_string();
    let mut field = Vec::new();
    wire::put_bytes(field::period_close::MONTH, name.as_bytes(), &mut field);
    let key = rows::unique_key(number::PERIOD_CLOSE, field::period_close::MONTH, &field);
    let mut found = Vec::new();
    for id in view.get(Space::Uniques, &key)?.map(|row| rows::ids_in(&row)).unwrap_or_default() {
        let Some(row) = view.get(Space::Records, &id.0)? else { continue };
        let record = Record::decode(row).map_err(|_| StoreError::Row(Space::Records))?;
        let close: pb::PeriodClose = record.typed(|tag| tag >= field::period_close::MONTH);
        let unit = home_unit(&record).filter(|unit| is_active(&record) && core.unit.covers(*unit));
        if let Some(unit) = unit.filter(|_| close.month.as_deref() == Some(&name)) {
            found.push((id, unit, close));
        }
    }
    Ok(found)
}

/// How far back a month that waits holds up those after it, months: as far as an office takes over old registers. Each is one look-up.
const LOOKED_BACK: i32 = 12 * 20;

/// The oldest month before this one that an office has closed, which the city has not locked, and of which this district has approved no
/// closing; and whether it waits for the district, or, sent back, for the office.
fn unapproved(core: &Core, month: Month) -> Result<HashMap<OrgCode, (Month, bool)>, StoreError> {
    let oldest = Month::of(add_months(month.first_day(), -LOOKED_BACK));
    let locked = core.months().last_month();
    let mut earlier = oldest.max(locked.map(Month::next)).unwrap_or(month);
    let (view, mut found) = (core.view(), HashMap::new());
    while earlier < month {
        let closings = closings(core, view.as_ref(), earlier)?;
        let is_approved = |unit: OrgCode| {
            closings.iter().any(|(_, own, close)| *own == unit && month::stage(close) == Stage::Approved)
        };
        for (_, unit, close) in closings.iter().filter(|(_, unit, _)| !is_approved(*unit)) {
            found.entry(*unit).or_insert((earlier, month::stage(close) == Stage::Closed));
        }
        earlier = earlier.next();
    }
    Ok(found)
}

/// Approves the closings of a month, of these units or of all that wait; with a reason, sends them back instead.
///
/// # Errors
/// When this is no district, the month is none, or the writer fails. What is refused of single units is in the answer.
pub async fn approve(
    core: &Core,
    writer: &Writer,
    request: &pb::MonthRequest,
) -> Result<pb::ApproveAnswer, MonthsError> {
    if core.tier == Tier::City {
        return Err(MonthsError::NotDistrict);
    }
    let month = month_asked(&request.month)?;
    // What is locked is signed: nothing of it waits for anybody.
    if core.months().has(month) {
        return Err(MonthsError::Locked(month));
    }
    if core.months().last_month().is_some_and(|last| month < last) {
        return Err(MonthsError::Passed(month));
    }
    let returned = !request.reason.trim().is_empty();
    // An office whose clock is ahead may have closed it; that can only be sent back.
    if !returned && month.last_day() >= core.today() {
        return Err(MonthsError::Running(month));
    }
    let mut answer = pb::ApproveAnswer::default();
    let closings = block_in_place(|| closings(core, core.view().as_ref(), month))?;
    let unapproved = if returned { HashMap::new() } else { block_in_place(|| unapproved(core, month))? };
    for unit in &request.units {
        if !closings.iter().any(|(_, own, _)| own.number() == *unit) {
            answer.failed.push(format!("{unit}: {month} 未封账 (not closed by the office)"));
        }
    }
    let today = date::iso(core.today());
    for (id, unit, close) in closings {
        let asked = match request.units.as_slice() {
            [] => month::stage(&close) == Stage::Closed,
            units => units.contains(&unit.number()),
        };
        if !asked {
            continue;
        }
        if let Some(why) = month::refusal(&close, returned) {
            answer.failed.push(format!("{unit}: {month} {why}"));
            continue;
        }
        // Sent back, and never closed again, it may be passed over by whoever names the unit.
        let is_named = request.units.contains(&unit.number());
        if let Some((earlier, waits_here)) = unapproved.get(&unit).filter(|(_, waits_here)| *waits_here || !is_named) {
            answer.failed.push(if *waits_here {
                format!("{unit}: {earlier} 尚未审核，请先审核：各月依次审核 (approve that one first: months go in their order)")
            } else {
                format!(
                    "{unit}: {earlier} 已退回，等该单位重封；确要先审核本月，用 --unit {unit} (that one was sent back, and waits for the \
                     office: --unit approves this one all the same)"
                )
            });
            continue;
        }
        let version = close.version.unwrap_or(1).to_string();
        let fields = if returned {
            vec![
                ("returned_on", today.clone()),
                ("returned_version", version),
                ("returned_reason", request.reason.clone()),
            ]
        } else {
            vec![("approved_on", today.clone()), ("approved_version", version), ("approved_by", request.by.clone())]
        };
        let revise = pb::ReviseRequest {
            record: id.to_string(),
            register: registers().get(number::PERIOD_CLOSE).map(|def| def.name.clone()).unwrap_or_default(),
            fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<HashMap<_, _>>(),
            reason: if returned { request.reason.clone() } else { "月报审核".into() },
            by: request.by.clone(),
            despite: false,
        };
        match writer.write(Job::Review(Review::Revise(revise))).await? {
            Answer::Refused(why) => answer.failed.push(format!("{unit}: {why}")),
            _ => answer.done += 1,
        }
    }
    Ok(answer)
}
