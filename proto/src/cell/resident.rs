//! What a person's own record says. Pure. Invariant: on no day off the register does anybody count.

use super::{
    days::{birthday, registered, verified_on},
    span::Spans,
};
use crate::{Record, check::born, citizen_id, date::Day, pb, register::field};

/// What a person's own record says.
pub(super) struct Person {
    pub(super) facts: pb::Resident,
    pub(super) born: Option<citizen_id::Facts>,
    pub(super) verified_on: Vec<Day>,
    /// Days on the register: since it was put there, and before death and moving out. On no other day anybody counts.
    pub(super) registered: Spans,
}

impl Person {
    pub(super) fn of(record: &Record) -> Self {
        Self {
            facts: record.typed(|tag| {
                matches!(
                    tag,
                    field::resident::LABOUR_ABLE
                        ..=field::resident::LAIDOFF_ON
                            | field::resident::SHANTY_RESETTLED
                            | field::resident::SHANTY_MOVED_ON
                            | field::resident::RETIRE_ON
                )
            }),
            born: born(record),
            verified_on: verified_on(record),
            registered: registered(record),
        }
    }

    /// Days before retirement was entered.
    pub(super) fn before_retirement(&self) -> Spans {
        Spans::one(Day::MIN, self.facts.retire_on.unwrap_or(Day::MAX))
    }

    /// From the birthday on which the person reaches an age, which may differ by sex; no day without a valid number.
    pub(super) fn since_age(&self, male: i32, female: i32) -> Spans {
        let Some(born) = self.born else { return Spans::default() };
        Spans::one(birthday(born, male, female), Day::MAX)
    }
}
