//! The assistance month and other campaigns (notice, items 43 to 45; domain-detail 2.13; K32): what belongs to one, and how
//! far it is. Invariant: a service counts for the campaign that it names only inside that campaign's days.

use super::{
    Shelf, Subject, home_unit, household, is_active, is_contested,
    subjects::{Root, subjects_under},
    survivor,
};
use crate::{
    OrgCode, Record, RecordId,
    date::Day,
    pb,
    register::{field, number},
};
use std::{collections::BTreeSet, ops::RangeInclusive};

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

/// How many households of a unit were visited for a campaign by a day, each once (item 45).
///
/// # Errors
/// When the shelf fails.
pub fn visited<S: Shelf>(shelf: &S, id: RecordId, within: OrgCode, by: Day) -> Result<usize, S::Error> {
    let households: BTreeSet<RecordId> = subjects_under(shelf, [Root::Campaign(id)])?
        .into_iter()
        .filter_map(|subject| match subject {
            Subject::Household(id) => Some(id),
            _ => None,
        })
        .collect();
    let mut count = 0;
    for household in households {
        let counts = shelf.look(household, |record| {
            let record = record.filter(|record| record.register == number::HOUSEHOLD && is_active(record))?;
            home_unit(record).filter(|unit| within.covers(*unit))?;
            Some(is_contested(shelf, household, record, by))
        })?;
        let counts = counts.transpose()?.is_some_and(|contested| !contested);
        count += usize::from(counts && household::visited_for(shelf, household, id, by)?);
    }
    Ok(count)
}
