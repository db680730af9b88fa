//! The archive (K37): a case that is completed, and a paper that is formed, is filed within the plan's working days
//! (notice, item 52; domain-detail 2.14). Invariant: the figure and an office's list of what is to be filed read the
//! same [`Filing`], so they can't disagree.

use super::{Shelf, Tally, following, is_about, is_active};
use crate::{
    Record, RecordId,
    date::Day,
    indicator::Part,
    plan::{Counting, Plans},
    register::{field, number},
};

/// What has to be filed: a completed case, or a paper that files no case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filing {
    /// The case was completed, or the paper formed, on this day.
    pub since: Day,
    /// Last day to file it: the plan's working days after that.
    pub due: Day,
    /// Filed on; none until it is.
    pub archived: Option<Day>,
    /// The entry that files it, the earliest filed of several; none while there is none.
    pub entry: Option<RecordId>,
}

impl Filing {
    fn new(since: Day, entry: Option<(RecordId, Option<Day>)>, plans: &Plans) -> Self {
        let plan = plans.on(since);
        let due = plan.calendar.after(since, plan.work.archive_days, Counting::Working);
        Self { since, due, archived: entry.and_then(|(_, on)| on), entry: entry.map(|(id, _)| id) }
    }

    /// Whether it was completed or formed by a day, and not filed by then.
    pub fn is_open_on(&self, day: Day) -> bool {
        self.since <= day && self.archived.is_none_or(|on| on > day)
    }

    /// Counts it on the day on which it falls due.
    fn count(&self, tally: &mut Tally<'_>) {
        tally.step(Part::ArchiveDue, self.due, 1);
        if self.archived.is_some_and(|on| on <= self.due) {
            tally.step(Part::ArchivedInTime, self.due, 1);
        }
    }
}

/// Whether completing a record of this register asks for an archive entry.
pub(super) fn is_case(register: u32) -> bool {
    matches!(register, number::ZEF_CASE | number::HARDSHIP_CASE | number::FEC_CASE)
}

fn archived_on(record: &Record) -> Option<Day> {
    record.day(field::archive_entry::ARCHIVED_ON)
}

/// A case that was completed on a day.
pub(super) fn of_case<S: Shelf>(
    shelf: &S,
    (case, register): (RecordId, u32),
    completed: Day,
    plans: &Plans,
) -> Result<Filing, S::Error> {
    let mut filed: Option<(RecordId, Option<Day>)> = None;
    for entry in following(shelf, case, register, number::ARCHIVE_ENTRY)? {
        let Some(record) = shelf.record(entry)?.filter(is_active) else { continue };
        if !is_about(shelf, &record, field::archive_entry::RECORD_REF, case)? {
            continue;
        }
        let on = archived_on(&record);
        let later =
            |held: (RecordId, Option<Day>)| (held.1.unwrap_or(Day::MAX), held.0) > (on.unwrap_or(Day::MAX), entry);
        if filed.is_none_or(later) {
            filed = Some((entry, on));
        }
    }
    Ok(Filing::new(completed, filed, plans))
}

/// An entry, unless it files a case.
pub(super) fn of_entry<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
    plans: &Plans,
) -> Result<Option<Filing>, S::Error> {
    if let Some(filed) = record.reference(field::archive_entry::RECORD_REF)
        && shelf.look(filed, |filed| filed.is_some_and(|filed| is_case(filed.register)))?
    {
        return Ok(None);
    }
    Ok(record
        .day(field::archive_entry::FORMED_ON)
        .map(|formed| Filing::new(formed, Some((id, archived_on(record))), plans)))
}

/// Counts a case that was completed on a day.
pub(super) fn count_case<S: Shelf>(
    shelf: &S,
    case: (RecordId, u32),
    completed: Day,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    of_case(shelf, case, completed, tally.plans)?.count(tally);
    Ok(())
}

/// Counts an entry that files no case.
pub(super) fn count_entry<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    if let Some(filing) = of_entry(shelf, id, record, tally.plans)? {
        filing.count(tally);
    }
    Ok(())
}
