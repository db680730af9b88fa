//! The assistance month and other campaigns (notice, items 43 to 45; domain-detail 2.13; K32): what belongs to one, and how
//! far it is. Invariant: a service counts for the campaign that it names only inside that campaign's days.

use super::{Shelf, is_active, survivor};
use crate::{
    Record, RecordId,
    date::Day,
    pb,
    register::{field, number},
};
use std::ops::RangeInclusive;

/// The days of a campaign, both included.
pub fn days_of(campaign: &Record) -> RangeInclusive<Day> {
    let own: pb::Campaign = campaign.typed(|tag| matches!(tag, field::campaign::FROM_ON | field::campaign::TO_ON));
    own.from_on.unwrap_or(Day::MIN)..=own.to_on.unwrap_or(Day::MAX)
}

/// The campaign that a service of a day is part of, of the one that it names. An office that does not hold it, since
/// its hub is of an older build, takes the service's word for it.
pub(super) fn on_day<S: Shelf>(shelf: &S, named: RecordId, on: Day) -> Result<Option<RecordId>, S::Error> {
    let id = survivor(shelf, named)?;
    let part = shelf.look(id, |record| match record {
        Some(record) => record.register == number::CAMPAIGN && is_active(record) && days_of(record).contains(&on),
        None => true,
    })?;
    Ok(part.then_some(id))
}
