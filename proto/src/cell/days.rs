//! The days that one record says by itself. Pure: nothing here needs another record, and nothing here counts.

use super::{
    is_active,
    remember::texts_in,
    span::{Span, Spans},
};
use crate::{
    Record, citizen_id,
    date::{self, Day},
    pb,
    register::{PAST_VERIFIED, VERIFIED_ON, code, field, number, registered_on},
};

/// The day on which a resident died or moved away.
pub fn left_on(record: &Record) -> Option<Day> {
    [field::resident::DEATH_ON, field::resident::MOVEOUT_ON].into_iter().filter_map(|tag| record.day(tag)).min()
}

/// The day on which somebody, or a household, was put on the register; what has no day has been there all along.
pub(super) fn on_register_since(record: &Record) -> Day {
    registered_on(record.register).and_then(|tag| record.day(tag)).unwrap_or(Day::MIN)
}

/// The days on which somebody is on the register.
pub(super) fn registered(record: &Record) -> Spans {
    Spans::one(on_register_since(record), left_on(record).unwrap_or(Day::MAX))
}

/// The days on which a record was verified, in any order. Whoever puts somebody on the register has looked at the record that
/// day: what was entered today was not late yesterday.
pub(super) fn verified_on(record: &Record) -> Vec<Day> {
    let past = texts_in(record, PAST_VERIFIED).filter_map(|text| Some(date::day(text.parse().ok()?)));
    let entered = registered_on(record.register).and_then(|tag| record.day(tag));
    past.chain(record.day(VERIFIED_ON)).chain(entered).collect()
}

/// The day on which somebody reaches an age, which may differ by sex: who was born on 29 February is a year older on 1
/// March of a common year.
pub(super) fn birthday(born: citizen_id::Facts, male: i32, female: i32) -> Day {
    let years = if born.male { male } else { female };
    let day = date::add_months(born.birth, years.saturating_mul(12));
    let clamped = date::civil(born.birth).zip(date::civil(day)).is_some_and(|(birth, on)| birth.day() != on.day());
    if clamped { day.saturating_add(1) } else { day }
}

/// The days on which a person's cases run: since it was registered, until it dies, moves away or retires.
pub(super) fn cases_run(record: &Record) -> Spans {
    let closed = left_on(record).into_iter().chain(record.day(field::resident::RETIRE_ON)).min().unwrap_or(Day::MAX);
    Spans::one(on_register_since(record), closed)
}

/// The days on which a hardship case is recognised.
pub(super) fn recognition(record: &Record) -> Option<Span> {
    let case: pb::HardshipCase = record.typed(|tag| {
        matches!(
            tag,
            field::hardship_case::RECOGNISED_ON | field::hardship_case::EXIT_ON | field::hardship_case::EXIT_CAUSE
        )
    });
    let from =
        case.recognised_on.filter(|_| case.exit_cause.as_deref() != Some(code::case_exit::RECOGNISED_BY_MISTAKE))?;
    Some(Span { from, to: case.exit_on.unwrap_or(Day::MAX) })
}

/// The day on which a hardship case that was recognised is completed: the person leaves it.
pub(super) fn left_hardship_on(record: &Record) -> Option<Day> {
    recognition(record)?;
    record.day(field::hardship_case::EXIT_ON)
}

/// Whether a household's status is that of one that was closed (销户).
pub fn is_closed(household: &Record) -> bool {
    household.slice(field::household::STATUS) == Some(code::household_status::CLOSED.as_bytes())
}

/// The day on which a household was closed.
pub(super) fn closed_on(household: &Record) -> Option<Day> {
    household.day(field::household::CLOSED_ON).filter(|_| is_closed(household))
}

/// The day on which a case is completed: the community is certified.
pub(super) fn certified_on(record: &Record) -> Option<Day> {
    record.day(field::fec_case::CERTIFIED_ON)
}

/// The first day of an assistant's assignment, while it is open.
pub(super) fn assigned_from(record: &Record) -> Option<Day> {
    let from = record.day(field::assistant::FROM_ON).filter(|_| record.register == number::ASSISTANT)?;
    (is_active(record) && record.bytes(field::assistant::TO_ON).is_none()).then_some(from)
}

/// The days between two of a record, from the first up to but without the second.
pub(super) fn between(from: Option<Day>, to: Option<Day>) -> Spans {
    Spans::one(from.unwrap_or(Day::MIN), to.unwrap_or(Day::MAX))
}

/// The days of a placement.
pub(super) fn span_of(record: &Record) -> Option<Span> {
    Some(Span {
        from: record.day(field::placement::START_ON)?,
        to: record.day(field::placement::END_ON).unwrap_or(Day::MAX),
    })
}

/// The days of a placement that is open on a day.
pub(super) fn open_on(record: &Record, on: Day) -> Option<Span> {
    span_of(record).filter(|span| span.from <= on && on < span.to)
}

/// Whether a record is a placement that nothing proves.
pub(super) fn is_unproven(record: &Record) -> bool {
    record.register == number::PLACEMENT && record.bytes(field::placement::PROOF).is_none()
}
