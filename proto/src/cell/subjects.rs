//! Whose contributions a record takes part in. Invariant: whoever's contribution could be another one once a record is
//! written is among its subjects, as it stood before and as it stands after.

use super::{Shelf, Subject, archive, campaign, following, home, merged_into, post, refs, station, survivor, training};
use crate::{
    OrgCode, Record, RecordId, pb,
    register::{number, registers},
};
use std::collections::HashSet;

/// Appends the subjects whose contributions a record takes part in, as it stands.
///
/// # Errors
/// When the shelf fails.
pub fn subjects_of<S: Shelf>(
    shelf: &S,
    id: RecordId,
    record: &Record,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    let to = |tag| record.reference(tag);
    match record.register {
        number::RESIDENT => {
            found.push(Subject::Person(id));
            person_and_all(shelf, id, found)?;
            if let Some(into) = merged_into(record) {
                person_and_all(shelf, survivor(shelf, into)?, found)?;
            }
        }
        number::UNEMPLOYMENT_SPELL => {
            if let Some(person) = to(20) {
                found.push(Subject::Person(survivor(shelf, person)?));
            }
        }
        number::PLACEMENT => {
            if let Some(person) = to(20) {
                person_and_households(shelf, survivor(shelf, person)?, found)?;
            }
            if let Some(post) = to(35) {
                post::subjects(shelf, survivor(shelf, post)?, found)?;
            }
        }
        number::POST => post::subjects(shelf, survivor(shelf, id)?, found)?,
        number::HARDSHIP_CASE | number::TRAINEE => {
            if let Some(person) = to(20) {
                person_and_households(shelf, survivor(shelf, person)?, found)?;
            }
        }
        number::SERVICE_RECORD | number::PAIRING => {
            let (person, household) =
                if record.register == number::PAIRING { (to(21), to(20)) } else { (to(20), to(21)) };
            named_subjects(shelf, person, household, found)?;
            // What names nobody is said of everybody in the household.
            if let (None, Some(household)) = (person, household) {
                members_of(shelf, survivor(shelf, household)?, found)?;
            }
        }
        number::HOUSEHOLD => {
            found.push(Subject::Household(id));
            members_of(shelf, id, found)?;
            if let Some(into) = merged_into(record) {
                let into = survivor(shelf, into)?;
                found.push(Subject::Household(into));
                members_of(shelf, into, found)?;
            }
        }
        number::MEMBER => {
            if let Some(household) = to(20) {
                found.push(Subject::Household(survivor(shelf, household)?));
            }
            if let Some(person) = to(21) {
                found.push(Subject::Person(survivor(shelf, person)?));
            }
        }
        number::ZEF_CASE => {
            if let Some(household) = to(21) {
                found.push(Subject::Household(survivor(shelf, household)?));
            }
        }
        number::TRAINING_CLASS => training::subjects(shelf, id, found)?,
        number::CAMPAIGN => campaign::subjects(shelf, id, found)?,
        number::CREDENTIAL => {
            if let Some(assistant) = to(20) {
                station::subjects(shelf, assistant, found)?;
            }
        }
        number::ARCHIVE_ENTRY => {
            found.push(Subject::Record(id));
            if let Some(filed) = to(23)
                && let Some(record) = shelf.record(filed)?.filter(|record| archive::is_case(record.register))
            {
                subjects_of(shelf, filed, &record, found)?;
            }
        }
        _ => {
            found.extend(itself(record.register, id));
            let subject = registers().get(record.register).map(|def| def.subject);
            if subject == Some(pb::Subject::UnitSubject) {
                found.extend(home::units_of(record).map(Subject::Unit));
            }
        }
    }
    if archive::is_case(record.register) {
        archive::entries(shelf, id, found)?;
    }
    Ok(())
}

/// Everybody and everything that counts in a recount: these units, and the subjects of all these records.
///
/// # Errors
/// When the shelf fails.
pub fn all_subjects<S: Shelf>(
    shelf: &S,
    units: impl IntoIterator<Item = OrgCode>,
    records: impl IntoIterator<Item = RecordId>,
) -> Result<HashSet<Subject>, S::Error> {
    let mut subjects: HashSet<Subject> = units.into_iter().map(Subject::Unit).collect();
    let mut found = Vec::new();
    for id in records {
        if let Some(record) = shelf.record(id)? {
            subjects_of(shelf, id, &record, &mut found)?;
            subjects.extend(found.drain(..));
        }
    }
    Ok(subjects)
}

/// The subject that a record is itself; none for one that only changes what others contribute.
pub fn itself(register: u32, id: RecordId) -> Option<Subject> {
    match register {
        number::RESIDENT => Some(Subject::Person(id)),
        number::HOUSEHOLD => Some(Subject::Household(id)),
        number::TASK
        | number::EVENT
        | number::PERIOD_CLOSE
        | number::POST
        | number::ARCHIVE_ENTRY
        | number::TRANSFER => Some(Subject::Record(id)),
        _ => None,
    }
}

/// Appends whoever these records name in their first reference (field 20), a person, with the households.
pub(super) fn persons_of<S: Shelf>(
    shelf: &S,
    records: impl IntoIterator<Item = RecordId>,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    for id in records {
        let person = shelf.look(id, |record| record.and_then(|record| record.reference(20)))?;
        if let Some(person) = person {
            person_and_households(shelf, survivor(shelf, person)?, found)?;
        }
    }
    Ok(())
}

/// Appends the persons who belong to a household: what it says of itself may count for them.
fn members_of<S: Shelf>(shelf: &S, household: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    for member in following(shelf, household, number::HOUSEHOLD, number::MEMBER)? {
        let person = shelf.look(member, |record| record.and_then(|record| record.reference(21)))?;
        if let Some(person) = person {
            found.push(Subject::Person(survivor(shelf, person)?));
        }
    }
    Ok(())
}

/// Appends whom a record speaks of: a person, a household, or both.
pub(super) fn named_subjects<S: Shelf>(
    shelf: &S,
    person: Option<RecordId>,
    household: Option<RecordId>,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    if let Some(person) = person {
        person_and_households(shelf, survivor(shelf, person)?, found)?;
    }
    if let Some(household) = household {
        found.push(Subject::Household(survivor(shelf, household)?));
    }
    Ok(())
}

/// Appends a person, the households that it belongs to, and the posts on which it has a place.
fn person_and_all<S: Shelf>(shelf: &S, person: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    found.push(Subject::Person(person));
    let refs = refs::Refs::to(shelf, person, number::RESIDENT)?;
    households_in(shelf, refs.of(number::MEMBER), found)?;
    for placement in refs.of(number::PLACEMENT) {
        let post = shelf.look(placement, |record| record.and_then(|record| record.reference(35)))?;
        if let Some(post) = post {
            post::subjects(shelf, survivor(shelf, post)?, found)?;
        }
    }
    Ok(())
}

/// Appends a person and the households that it belongs to.
fn person_and_households<S: Shelf>(shelf: &S, person: RecordId, found: &mut Vec<Subject>) -> Result<(), S::Error> {
    found.push(Subject::Person(person));
    households_in(shelf, following(shelf, person, number::RESIDENT, number::MEMBER)?, found)
}

/// Appends the households that memberships name.
fn households_in<S: Shelf>(
    shelf: &S,
    members: impl IntoIterator<Item = RecordId>,
    found: &mut Vec<Subject>,
) -> Result<(), S::Error> {
    for member in members {
        let household = shelf.look(member, |record| record.and_then(|record| record.reference(20)))?;
        if let Some(household) = household {
            found.push(Subject::Household(survivor(shelf, household)?));
        }
    }
    Ok(())
}
