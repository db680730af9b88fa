//! How far a campaign is: whom it has reached (notice, item 45; domain-detail 2.13). Invariant: a household that was merged, closed by
//! another one's turn, or is beyond the unit that asks is counted by nobody.

use super::{
    Shelf, Subject, home_unit, household, is_active, is_contested,
    subjects::{Root, subjects_under},
};
use crate::{OrgCode, RecordId, date::Day, register::number};
use std::collections::BTreeSet;

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
