//! The title of a full-employment community (notice, items 9 and 30 to 35; domain-detail 2.12).

use super::{
    Shelf, Tally, archive,
    refs::Refs,
    span::{Span, Spans},
};
use crate::{OrgCode, Record, date::Day, indicator::Part, pb, register::number};

/// The day on which a case is completed: the community is certified.
pub(super) fn completed_on(record: &Record) -> Option<Day> {
    record.day(24)
}

pub(super) fn count<S: Shelf>(shelf: &S, unit: OrgCode, refs: &Refs, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let mut titles = Vec::new();
    let mut rectifying = Vec::new();
    let mut overdue = Vec::new();
    for (id, record) in refs.of_unit(shelf, number::FEC_CASE, unit)? {
        let case: pb::FecCase = record.typed(|tag| matches!(tag, 25..=28));
        let Some(from) = completed_on(&record) else { continue };
        archive::count_case(shelf, id, from, tally)?;
        let revoked = case.revoked_on.unwrap_or(Day::MAX);
        titles.push(Span { from, to: revoked });
        if let Some(day) = case.revoked_on {
            tally.step(Part::TitlesRevoked, day, 1);
        }
        if let Some(ordered) = case.rectify_from {
            let until = case.restored_on.unwrap_or(Day::MAX).min(revoked);
            rectifying.push(Span { from: ordered, to: until });
            overdue.extend(case.rectify_due.map(|due| Span { from: due.saturating_add(1).max(ordered), to: until }));
        }
    }
    let (titles, rectifying) = (Spans::union(titles), Spans::union(rectifying));
    let held =
        tally.by_plan(|plan| if plan.fec.rectifying_counts { titles.clone() } else { titles.without(&rectifying) });
    tally.during(Part::FecTitle, &held);
    tally.during(Part::FecRectifying, &rectifying);
    tally.during(Part::RectifyOverdue, &Spans::union(overdue));
    let mut checked = Vec::new();
    for (_, record) in refs.of_unit(shelf, number::SPOT_CHECK, unit)? {
        let on = record.day(22);
        // What is checked without a title is no spot check of a certified community.
        checked.extend(on.filter(|day| titles.has(*day)));
    }
    tally.once((Some(Part::CheckedInYear), Some(Part::CheckedInMonth)), &mut checked);
    Ok(())
}
