//! The title of a full-employment community (notice, items 9 and 30 to 35; domain-detail 2.12).

use super::{
    Shelf, Tally, archive, days::certified_on, following, home_unit, is_about, is_active, refs::Refs, span::Spans,
    survivor, unit_id,
};
use crate::{
    OrgCode, Record, RecordId,
    date::{self, Day},
    indicator::Part,
    pb,
    plan::Plans,
    register::{code, field, number},
};

pub(super) fn count<S: Shelf>(shelf: &S, unit: OrgCode, refs: &Refs, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let mut titles = Vec::new();
    let mut rectifying = Vec::new();
    let mut overdue = Vec::new();
    let mut failed = Vec::new();
    for (id, record, here) in refs.of_unit(shelf, number::FEC_CASE, unit)? {
        let case: pb::FecCase =
            record.typed(|tag| matches!(tag, field::fec_case::RECTIFY_FROM..=field::fec_case::REVOKED_ON));
        let Some(from) = certified_on(&record) else { continue };
        if here.has(from) {
            archive::count_case(shelf, (id, number::FEC_CASE), from, tally)?;
        }
        let revoked = case.revoked_on.unwrap_or(Day::MAX);
        titles.push(Spans::one(from, revoked).and(&here));
        if let Some(day) = case.revoked_on.filter(|day| here.has(*day)) {
            tally.step(Part::TitlesRevoked, day, 1);
        }
        let mut ordered = |from: Day, due: Option<Day>, restored: Option<Day>| {
            let to = restored.unwrap_or(Day::MAX).min(revoked);
            rectifying.push(Spans::one(from, to).and(&here));
            overdue.extend(due.map(|due| Spans::one(due.saturating_add(1).max(from), to).and(&here)));
        };
        if let Some(from) = case.rectify_from {
            // What was restored before this order is the end of an earlier one.
            ordered(from, case.rectify_due, case.restored_on.filter(|restored| *restored >= from));
        }
        for (_, order, _) in refs.of_unit(shelf, number::RECTIFICATION, unit)? {
            let own: pb::Rectification = order.typed(|tag| {
                matches!(
                    tag,
                    field::rectification::ORDERED_ON
                        | field::rectification::DUE_ON
                        | field::rectification::RECHECKED_ON
                        | field::rectification::RESULT
                )
            });
            let of_case = is_about(shelf, &order, field::rectification::FEC_CASE, id)?;
            let rechecked = own.rechecked_on.filter(|_| {
                of_case && order.slice(field::rectification::RESULT) == Some(code::check_result::FAILED.as_bytes())
            });
            if let Some(on) = rechecked.filter(|on| case.rectify_from.is_some_and(|from| from <= *on)) {
                let restored = case.restored_on.filter(|restored| *restored >= on).unwrap_or(Day::MAX);
                failed.push(Spans::one(on, restored.min(revoked)).and(&here));
            }
            // The case has the last order; of those before it the orders themselves say how they ended.
            let earlier = own.ordered_on.filter(|from| of_case && case.rectify_from > Some(*from));
            if let (Some(from), Some(over), Some(code::check_result::PASSED)) =
                (earlier, own.rechecked_on, own.result.as_deref())
            {
                ordered(from, own.due_on, Some(over));
            }
        }
    }
    let (titles, rectifying) = (Spans::all(titles), Spans::all(rectifying));
    let held =
        tally.by_plan(|plan| if plan.fec.rectifying_counts { titles.clone() } else { titles.without(&rectifying) });
    tally.during(Part::FecTitle, &held);
    tally.during(Part::FecRectifying, &rectifying);
    tally.during(Part::RectifyOverdue, &Spans::all(overdue));
    tally.during(Part::RecheckFailed, &Spans::all(failed));
    for (_, award, here) in refs.of_unit(shelf, number::COMMENDATION, unit)? {
        if let Some(day) = award.day(field::commendation::DECIDED_ON).filter(|day| here.has(*day)) {
            tally.step(Part::Commended, day, 1);
        }
    }
    let mut checked = Vec::new();
    for (_, record, here) in refs.of_unit(shelf, number::SPOT_CHECK, unit)? {
        let on = record.day(field::spot_check::CHECKED_ON).filter(|on| here.has(*on));
        // What is checked without a title is no spot check of a certified community.
        checked.extend(on.filter(|day| titles.has(*day)));
    }
    tally.once((Some(Part::CheckedInYear), Some(Part::CheckedInMonth)), &checked);
    Ok(())
}

/// The day from which a community whose title was revoked may apply again (the plan's `reapply_months`), where this case
/// applies before it; none where it may apply. What was certified before the revocation is that case itself.
///
/// # Errors
/// When the shelf fails.
pub fn reapplies_from<S: Shelf>(
    shelf: &S,
    id: RecordId,
    case: &Record,
    plans: &Plans,
) -> Result<Option<Day>, S::Error> {
    let (Some(unit), Some(applied)) = (home_unit(case), case.day(field::fec_case::APPLIED_ON)) else { return Ok(None) };
    let mut from = None;
    for (other, record, _) in Refs::to(shelf, unit_id(unit), 0)?.of_unit(shelf, number::FEC_CASE, unit)? {
        let Some(revoked) =
            record.day(field::fec_case::REVOKED_ON).filter(|revoked| other != id && applied >= *revoked)
        else {
            continue;
        };
        let again = date::add_months(revoked, plans.on(revoked).fec.reapply_months);
        from = from.max(Some(again).filter(|again| applied < *again));
    }
    Ok(from)
}

/// Why a title can't be revoked on the day that its case says: it was not ordered to rectify before, the term runs on, and
/// no recheck has failed (notice, items 33 and 34: what is still not in place after the rectification is revoked). None
/// where it can.
///
/// # Errors
/// When the shelf fails.
pub fn not_revocable<S: Shelf>(shelf: &S, id: RecordId, case: &Record) -> Result<Option<String>, S::Error> {
    let own: pb::FecCase = case.typed(|tag| {
        matches!(tag, field::fec_case::RECTIFY_FROM | field::fec_case::RECTIFY_DUE | field::fec_case::REVOKED_ON)
    });
    let (Some(revoked), Some(ordered)) = (own.revoked_on, own.rectify_from) else { return Ok(None) };
    if own.rectify_due.is_some_and(|due| due < revoked) {
        return Ok(None);
    }
    for order in following(shelf, id, number::FEC_CASE, number::RECTIFICATION)? {
        let Some(order) = shelf.record(order)?.filter(is_active) else { continue };
        let failed = order.slice(field::rectification::RESULT) == Some(code::check_result::FAILED.as_bytes())
            && order.day(field::rectification::RECHECKED_ON).is_some_and(|on| ordered <= on && on <= revoked);
        if failed && is_about(shelf, &order, field::rectification::FEC_CASE, id)? {
            return Ok(None);
        }
    }
    let due = own.rectify_due.map_or_else(String::new, |due| format!("（{}）", date::iso(due)));
    Ok(Some(format!(
        "整顿期限{due}未满，也没有复查不合格的记录，不能取消称号 (revoked only after the term, or a failed recheck)"
    )))
}

/// Why a commendation can't stand: its case does not hold the title on the day of the decision, its rank is beyond the
/// plan's number, or another of the year has the rank or is the same community's (notice, item 35). None where it can.
///
/// # Errors
/// When the shelf fails.
pub fn not_commendable<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
    plans: &Plans,
) -> Result<Option<String>, S::Error> {
    if !is_active(record) {
        return Ok(None); // it may always be taken back
    }
    let own: pb::Commendation =
        record.typed(|tag| matches!(tag, field::commendation::YEAR..=field::commendation::DECIDED_ON));
    let (Some(case), Some(decided), Some(year)) =
        (record.reference(field::commendation::FEC_CASE), own.decided_on, record.bytes(field::commendation::YEAR))
    else {
        return Ok(None); // the form's own rules say what is missing
    };
    let held = shelf.look(survivor(shelf, case)?, |case| {
        let case = case.filter(|case| case.register == number::FEC_CASE && is_active(case))?;
        let revoked = case.day(field::fec_case::REVOKED_ON).unwrap_or(Day::MAX);
        let held = home_unit(case) == home_unit(record)
            && case.day(field::fec_case::CERTIFIED_ON)? <= decided
            && decided < revoked;
        let restored = case
            .day(field::fec_case::RESTORED_ON)
            .filter(|restored| Some(*restored) >= case.day(field::fec_case::RECTIFY_FROM))
            .unwrap_or(Day::MAX);
        let rectifying =
            case.day(field::fec_case::RECTIFY_FROM).is_some_and(|from| from <= decided && decided < restored);
        held.then_some(rectifying)
    })?;
    match held {
        Some(false) => {}
        Some(true) => {
            return Ok(Some("评定日正在整顿，不能表彰 (it is ordered to rectify on that day)".into()));
        }
        None => {
            return Ok(Some("评定日未持有充分就业社区称号，不能表彰 (it does not hold the title on that day)".into()));
        }
    }
    let most = plans.on(decided).fec.commended;
    if own.rank.is_some_and(|rank| rank > most) {
        return Ok(Some(format!("表彰名额为 {most} 个 (only so many are commended)")));
    }
    for other in shelf.sharing(number::COMMENDATION, field::commendation::YEAR, year)? {
        let Some(other) = shelf.record(other)?.filter(|twin| other != id && is_active(twin)) else { continue };
        if other.varint(field::commendation::RANK) == record.varint(field::commendation::RANK) {
            return Ok(Some("该年度此名次已有单位 (the rank is taken in this year)".into()));
        }
        if home_unit(&other) == home_unit(record) {
            return Ok(Some("该单位该年度已表彰 (commended in this year already)".into()));
        }
    }
    Ok(None)
}
