//! What has to be filed, of any register (K37; domain-detail 2.14). Invariant: an office's list reads the same [`Filing`] as the figure.

use super::{
    Shelf,
    archive::{Filing, of_case, of_entry},
    case,
    days::{certified_on, left_hardship_on},
    is_active, survivor,
};
use crate::{
    Record, RecordId,
    plan::Plans,
    register::{field, number},
};

/// Registers whose records may have to be filed.
pub const FILED: [u32; 4] = [number::ZEF_CASE, number::HARDSHIP_CASE, number::FEC_CASE, number::ARCHIVE_ENTRY];

/// What a record asks for: none for a case that is not completed, a paper that files a case, and what does not count.
///
/// # Errors
/// When the shelf fails.
pub fn filing<S: Shelf>(
    shelf: &S,
    (id, record): (RecordId, &Record),
    plans: &Plans,
) -> Result<Option<Filing>, S::Error> {
    if !is_active(record) {
        return Ok(None);
    }
    let completed = match record.register {
        number::ARCHIVE_ENTRY => return of_entry(shelf, id, record, plans),
        number::ZEF_CASE => match record.reference(field::zef_case::HOUSEHOLD) {
            Some(household) => {
                let case = case::read(shelf, survivor(shelf, household)?, (id, record), plans)?;
                case.and_then(|case| case.completed_on())
            }
            None => None,
        },
        number::HARDSHIP_CASE => left_hardship_on(record),
        number::FEC_CASE => certified_on(record),
        _ => None,
    };
    completed.map(|on| of_case(shelf, (id, record.register), on, plans)).transpose()
}
