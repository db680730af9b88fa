//! Backdated entries (补录): what was entered more than the plan's days after it happened, told apart so that a clock can't
//! be met with a pen (domain-detail 2.6; rule G2). Invariant: the day on which something arrived is the hub's own clock's,
//! never an office's; an office's own list has what its hub has heard of. What a reviewer kept or took arrived when it
//! was said, and keeps that day; what a hub that lost it was told again arrived on that day.

use super::Tally;
use crate::{
    Record,
    date::{self, Day},
    indicator::Part,
    plan::Plans,
    register::{field, number},
};

/// The fields with the day of business, of the registers that clocks and totals follow: placements, recognitions,
/// registrations.
const DAYS: [(u32, u32); 4] = [
    (number::PLACEMENT, field::placement::START_ON),
    (number::ZEF_CASE, field::zef_case::RECOGNISED_ON),
    (number::HARDSHIP_CASE, field::hardship_case::RECOGNISED_ON),
    (number::UNEMPLOYMENT_SPELL, field::unemployment_spell::REG_ON),
];

/// Something that arrived late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backdated {
    /// The day of business.
    pub on: Day,
    /// The day on which it arrived at the hub.
    pub arrived: Day,
    /// Tag of the field with the day of business.
    pub tag: u32,
}

impl Backdated {
    /// How many days later than it happened.
    pub fn days(self) -> Day {
        self.arrived.saturating_sub(self.on)
    }
}

/// By how much a record's day of business had passed when it arrived, where that is more than the plan allows.
pub fn backdated(record: &Record, plans: &Plans) -> Option<Backdated> {
    let (_, tag) = DAYS.iter().find(|(register, _)| *register == record.register)?;
    let (on, origin) = record.day(*tag).zip(record.origin(*tag))?;
    if origin.received == 0 {
        return None; // not there yet
    }
    let found = Backdated { on, arrived: date::shanghai_of_seconds(origin.received), tag: *tag };
    (found.days() > plans.on(on).unemployment.backdated_days).then_some(found)
}

/// Counts a backdated entry on the day on which it arrived, where the tally stands.
pub(super) fn count(record: &Record, tally: &mut Tally<'_>) {
    if let Some(found) = backdated(record, tally.plans) {
        tally.step(Part::Backdated, found.arrived, 1);
    }
}
