//! The archive (K37): a case that is completed, and a paper that is formed, is filed within the plan's working days
//! (notice, item 52; domain-detail 2.14).

use super::{Shelf, Subject, Tally, is_active};
use crate::{Record, RecordId, date::Day, indicator::Part, plan::Counting, register::number};

/// Whether completing a record of this register asks for an archive entry.
pub(super) fn is_case(register: u32) -> bool {
    matches!(register, number::ZEF_CASE | number::HARDSHIP_CASE | number::FEC_CASE)
}

/// Appends the entries that file a case: whether they count by themselves depends on it.
pub(super) fn entries<S: Shelf>(shelf: &S, case: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    found.extend(shelf.referring(case, number::ARCHIVE_ENTRY)?.into_iter().map(Subject::Record));
    Ok(())
}

fn archived_on(record: &Record) -> Option<Day> {
    record.day(26)
}

fn count_due(completed: Day, archived: Option<Day>, tally: &mut Tally<'_>) {
    let plan = tally.plans.on(completed);
    let due = plan.calendar.after(completed, plan.work.archive_days, Counting::Working);
    tally.step(Part::ArchiveDue, due, 1);
    if archived.is_some_and(|on| on <= due) {
        tally.step(Part::ArchivedInTime, due, 1);
    }
}

/// Counts a case that was completed on a day.
pub(super) fn count_case<S: Shelf>(
    shelf: &S,
    case: RecordId,
    completed: Day,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    let mut archived = None;
    for entry in shelf.referring(case, number::ARCHIVE_ENTRY)? {
        let files = |record: &&Record| is_active(record) && record.reference(23) == Some(case);
        let on = shelf.look(entry, |record| record.filter(files).and_then(archived_on))?;
        archived = archived.into_iter().chain(on).min();
    }
    count_due(completed, archived, tally);
    Ok(())
}

/// Counts an entry that files no case.
pub(super) fn count_entry<S: Shelf>(shelf: &S, record: &Record, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    if let Some(filed) = record.reference(23)
        && shelf.look(filed, |filed| filed.is_some_and(|filed| is_case(filed.register)))?
    {
        return Ok(());
    }
    if let Some(formed) = record.day(25) {
        count_due(formed, archived_on(record), tally);
    }
    Ok(())
}
