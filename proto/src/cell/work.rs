//! What a record counts by itself: tasks (K44), fairs (K31), posts (K27, K28), papers (K37), transfers (K42c), months.

use super::{Shelf, Tally, archive, is_active, post, span::Spans};
use crate::{
    Record, RecordId,
    date::Day,
    indicator::Part,
    month::{self, Month, Stage},
    orders::Progress,
    pb,
    register::{code, field, number},
};

pub(super) fn count<S: Shelf>(shelf: &S, id: RecordId, tally: &mut Tally<'_>) -> Result<(), S::Error> {
    let Some(record) = shelf.record(id)?.filter(is_active) else { return Ok(()) };
    tally.at_home_of(&record);
    match record.register {
        number::TASK => count_task(&record, tally),
        number::EVENT => count_fair(&record, tally),
        number::POST => post::count(shelf, id, &record, tally)?,
        number::ARCHIVE_ENTRY => archive::count_entry(shelf, id, &record, tally)?,
        number::PERIOD_CLOSE => count_month(&record, tally),
        number::TRANSFER => count_transfer(&record, tally),
        _ => {}
    }
    Ok(())
}

/// A task falls due unless it was withdrawn by then; it is overdue until it is closed or withdrawn. One of the city's
/// is counted by itself as well, from the day on which it was given: the city has no records to look it up in.
fn count_task(record: &Record, tally: &mut Tally<'_>) {
    let task: pb::Task = record.typed(|tag| {
        matches!(tag, field::task::GIVEN_ON | field::task::DUE_ON | field::task::REPORTED_ON..=field::task::ORDER_NO)
    });
    let Some(due) = task.due_on else { return };
    let (closed, withdrawn) = (task.closed_on.unwrap_or(Day::MAX), task.withdrawn_on.unwrap_or(Day::MAX));
    if withdrawn > due {
        tally.step(Part::TasksDue, due, 1);
        if closed <= due {
            tally.step(Part::TasksClosedInTime, due, 1);
        }
    }
    let overdue = Spans::one(due.saturating_add(1), closed.min(withdrawn));
    tally.during(Part::TasksOverdue, &overdue);
    if let (Some(no), Some(given)) = (task.order_no, task.given_on) {
        let standing = Spans::one(given, withdrawn);
        let since = |on: Day| Spans::one(on, Day::MAX).and(&standing);
        tally.during(Progress::Given.part(no), &standing);
        tally.during(Progress::Reported.part(no), &since(task.reported_on.unwrap_or(Day::MAX).min(closed)));
        tally.during(Progress::Closed.part(no), &since(closed));
        tally.during(Progress::Overdue.part(no), &overdue.and(&standing));
    }
}

fn count_fair(record: &Record, tally: &mut Tally<'_>) {
    let fair: pb::Event = record.typed(|tag| {
        matches!(tag, field::event::KIND | field::event::ON | field::event::INTENTS | field::event::HIRED)
    });
    let Some(on) = fair.on else { return };
    tally.step(Part::Fairs, on, 1);
    if fair.kind.as_deref() == Some(code::fair::IN_THE_COMMUNITY) {
        tally.step(Part::FairsInCommunities, on, 1);
    }
    tally.step(Part::FairIntents, on, fair.intents.unwrap_or(0).into());
    tally.step(Part::FairHired, on, fair.hired.unwrap_or(0).into());
}

/// A transfer waits at the unit that is to take it in until it has, or has sent it back (domain-detail 4, case 5: the city
/// looks at those that wait for long).
fn count_transfer(record: &Record, tally: &mut Tally<'_>) {
    let Some(asked) = record.day(field::transfer::ASKED_ON) else { return };
    let term = tally.plans.on(asked).work.transfer_days;
    let open = Spans::one(asked, record.day(field::transfer::DONE_ON).unwrap_or(Day::MAX));
    tally.during(Part::TransfersOpen, &open);
    let over = asked.saturating_add(term).saturating_add(1);
    tally.during(Part::TransfersOverdue, &open.and(&Spans::one(over, Day::MAX)));
}

/// A month counts on its last day: closed, and approved; or sent back since.
fn count_month(record: &Record, tally: &mut Tally<'_>) {
    let close: pb::PeriodClose = record.typed(|tag| {
        matches!(
            tag,
            field::period_close::MONTH
                | field::period_close::CLOSED_ON
                | field::period_close::APPROVED_ON
                | field::period_close::RETURNED_ON
                | field::period_close::VERSION..=field::period_close::RETURNED_VERSION
        )
    });
    let month = close.month.as_deref().and_then(Month::read);
    let (Some(month), Some(_)) = (month, close.closed_on) else { return };
    let stage = month::stage(&close);
    let part = if stage == Stage::Returned { Part::MonthsReturned } else { Part::MonthsClosed };
    tally.step(part, month.last_day(), 1);
    if stage == Stage::Approved {
        tally.step(Part::MonthsApproved, month.last_day(), 1);
    }
}
