//! Whose a record is, in a word: what lists call it.
//! Invariant: a title is what the desk shows, so over a district it is masked where the desk masks.

use crate::{
    desk::{Desk, SaveError},
    exchange::People,
};
use taizhang_proto::{
    Record, RecordId,
    org::UnitTree,
    register::{PERSON, field, number},
};

/// Whose records are, one after another.
pub struct Titles<'a, D>(People<'a, D>);

impl<'a, D: Desk> Titles<'a, D> {
    /// As `desk` shows them.
    pub fn new(desk: &'a D) -> Self {
        Self(People::new(desk))
    }

    /// The units that it names.
    pub fn tree(&self) -> &'a UnitTree {
        self.0.desk().tree()
    }

    /// Whose a record is; nothing where the desk does not hold it, or it is a unit's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn of(&mut self, id: RecordId) -> Result<Option<String>, SaveError> {
        match self.0.desk().view(id)? {
            Some(record) => title(&mut self.0, (id, &record)),
            None => Ok(None),
        }
    }
}

/// Whose a record is: a person's name, a household's head or number, a title; none of a unit's.
pub(super) fn title<D: Desk>(
    people: &mut People<'_, D>,
    (id, record): (RecordId, &Record),
) -> Result<Option<String>, SaveError> {
    let text = |record: &Record, tag| record.slice(tag).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let household = match record.register {
        number::HOUSEHOLD => Some(record.clone()),
        number::ZEF_CASE | number::SERVICE_RECORD => {
            record.reference(field::zef_case::HOUSEHOLD).map(|of| people.desk().view(of)).transpose()?.flatten()
        }
        _ => None,
    };
    let head = household.as_ref().and_then(|household| household.reference(field::household::HEAD_PERSON));
    let person = match record.register {
        number::RESIDENT => Some(id),
        number::HARDSHIP_CASE | number::PLACEMENT | number::UNEMPLOYMENT_SPELL => record.reference(PERSON),
        number::SERVICE_RECORD => record.reference(field::service_record::PERSON).or(head),
        _ => head,
    };
    let title = match (person, household) {
        (Some(person), _) => Some(people.name(person)?),
        (None, Some(household)) => text(&household, field::household::HH_NO),
        (None, None) => match record.register {
            number::ARCHIVE_ENTRY => {
                let of = |tag| text(record, tag).unwrap_or_default();
                Some(
                    format!("{} {}", of(field::archive_entry::TITLE), of(field::archive_entry::ARCHIVE_NO))
                        .trim()
                        .to_owned(),
                )
            }
            number::TASK | number::CAMPAIGN | number::POST | number::EVENT | number::ISSUE | number::ASSISTANT => {
                text(record, 20)
            }
            number::TRANSFER => text(record, field::transfer::NAME),
            _ => None,
        },
    };
    Ok(title.filter(|title| !title.is_empty()))
}
