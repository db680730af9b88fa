//! Free training: enrolments and distinct persons (K29), and the children of zero-employment households (K30).

use super::{Shelf, Tally, is_active, span::Spans, survivor};
use crate::{
    Record, RecordId,
    date::Day,
    indicator::Part,
    register::{field, number},
};

fn enrolled_on(record: &Record) -> Option<Day> {
    record.day(field::trainee::ENROLLED_ON)
}

/// The person's enrolments in classes that are free of charge, on the days on which it is on the register.
pub(super) fn count<S: Shelf>(
    shelf: &S,
    enrolments: &[(RecordId, Record)],
    registered: &Spans,
    tally: &mut Tally<'_>,
) -> Result<(), S::Error> {
    let mut days = Vec::new();
    for (_, record) in enrolments {
        let (Some(on), Some(class)) = (enrolled_on(record), record.reference(field::trainee::TRAINING_CLASS)) else {
            continue;
        };
        let free = shelf.look(survivor(shelf, class)?, |class| {
            let class = class.filter(|class| class.register == number::TRAINING_CLASS && is_active(class));
            class.and_then(|class| class.varint(field::training_class::FREE)) == Some(1)
        })?;
        if free && registered.has(on) {
            tally.step(Part::FreeEnrolments, on, 1);
            days.push(on);
        }
    }
    tally.once((Some(Part::FreeTrainedInYear), Some(Part::FreeTrainedInMonth)), &days);
    Ok(())
}

/// The day of the first of these enrolments, in whichever class.
pub(super) fn first_enrolled(enrolments: &[(RecordId, Record)]) -> Option<Day> {
    enrolments.iter().filter_map(|(_, record)| enrolled_on(record)).min()
}
