//! Whose contributions a record takes part in. Invariant: whoever's contribution could be another one once a record is
//! written is among its subjects, as it stood before and as it stands after.

use super::{Shelf, Subject, archive, assignment::units_around, contest, following, home, merged_into, refs, survivor};
use crate::{
    OrgCode, Record, RecordId, pb,
    register::{PERSON, field, number, registers},
};
use std::collections::HashSet;

/// Whom a record touches, as far as the record alone says: what lies under it is found by [`subjects_under`], once for
/// all records that touch the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Root {
    /// Somebody, as named.
    Subject(Subject),
    /// A person, by the resident record itself: with its households and the posts on which it has a place.
    Resident(RecordId),
    /// A person that a reference names.
    Person(RecordId),
    /// A person that a reference names, with its households.
    PersonAndHouseholds(RecordId),
    /// A person that a placement names, with its households, by whichever of its registrations: a job known at one counts
    /// for the person.
    Employed(RecordId),
    /// A household that a reference names.
    Household(RecordId),
    /// The persons of a household, by its record itself.
    Members(RecordId),
    /// The persons of a household that a reference names.
    MembersInto(RecordId),
    /// What the record that stands for this one touches.
    Into(RecordId),
    /// What those touch that refer to an absorbed record, in whatever they say: they speak of another one now.
    Around(RecordId),
    /// A post, with everybody who has a placement on it.
    Post(RecordId),
    /// Everybody in a training class.
    Class(RecordId),
    /// Whomever a campaign reached.
    Campaign(RecordId),
    /// The units of an assistant and of the same person's other records.
    Assistant(RecordId),
    /// What a case that is filed touches.
    Filed(RecordId),
    /// The entries that file a case: whether they count by themselves depends on it.
    Entries(RecordId),
}

/// Whom a record touches, as it stands. Whoever asks later, when other records have changed, must have asked for those
/// before and after, too: whatever leads from a root to a subject is itself a record that touches that subject.
pub fn roots_of(id: RecordId, record: &Record) -> Vec<Root> {
    let to = |tag| record.reference(tag);
    let mut roots = Vec::new();
    match record.register {
        number::RESIDENT => {
            roots.push(Root::Resident(id));
            // Jobs that come with whoever is merged, or go with them, count for every registration of the number.
            if let Some(into) = merged_into(record) {
                roots.extend([Root::Employed(into), Root::Employed(id)]);
            }
        }
        number::UNEMPLOYMENT_SPELL => roots.extend(to(field::unemployment_spell::PERSON).map(Root::Person)),
        number::PLACEMENT => {
            roots.extend(to(field::placement::PERSON).map(Root::Employed));
            roots.extend(to(field::placement::POST).map(Root::Post));
        }
        number::POST => roots.push(Root::Post(id)),
        number::HARDSHIP_CASE | number::TRAINEE => roots.extend(to(PERSON).map(Root::PersonAndHouseholds)),
        number::SERVICE_RECORD | number::PAIRING => {
            let (person, household) = if record.register == number::PAIRING {
                (to(field::pairing::PERSON), to(field::pairing::HOUSEHOLD))
            } else {
                (to(field::service_record::PERSON), to(field::service_record::HOUSEHOLD))
            };
            roots.extend(person.map(Root::PersonAndHouseholds));
            roots.extend(household.map(Root::Household));
            // What names nobody is said of everybody in the household.
            if person.is_none() {
                roots.extend(household.map(Root::MembersInto));
            }
        }
        number::HOUSEHOLD => roots.extend([Root::Subject(Subject::Household(id)), Root::Members(id)]),
        number::MEMBER => {
            roots.extend(to(field::member::HOUSEHOLD).map(Root::Household));
            roots.extend(to(field::member::PERSON).map(Root::Person));
        }
        number::ZEF_CASE => roots.extend(to(field::zef_case::HOUSEHOLD).map(Root::Household)),
        number::TRAINING_CLASS => roots.push(Root::Class(id)),
        number::CAMPAIGN => roots.push(Root::Campaign(id)),
        number::CREDENTIAL => roots.extend(to(field::credential::ASSISTANT).map(Root::Assistant)),
        number::ARCHIVE_ENTRY => {
            roots.push(Root::Subject(Subject::Record(id)));
            roots.extend(to(field::archive_entry::RECORD_REF).map(Root::Filed));
        }
        _ => {
            roots.extend(itself(record.register, id).map(Root::Subject));
            let subject = registers().get(record.register).map(|def| def.subject);
            if subject == Some(pb::Subject::UnitSubject) {
                roots.extend(home::units_of(record).map(|unit| Root::Subject(Subject::Unit(unit))));
            }
        }
    }
    if archive::is_case(record.register) {
        roots.push(Root::Entries(id));
    }
    roots.extend(merged_into(record).into_iter().flat_map(|into| [Root::Into(into), Root::Around(id)]));
    // Where the same person serves elsewhere, the certificates of either count there.
    if record.register == number::ASSISTANT {
        roots.extend(merged_into(record).map(Root::Assistant));
    }
    roots
}

/// The subjects under these roots, as the records stand. Each root is followed once, however often it is reached.
///
/// # Errors
/// When the shelf fails.
pub fn subjects_under<S: Shelf>(
    shelf: &S,
    roots: impl IntoIterator<Item = Root>,
) -> Result<HashSet<Subject>, S::Error> {
    let mut found = HashSet::new();
    let mut seen = HashSet::new();
    let mut open: Vec<Root> = roots.into_iter().collect();
    while let Some(root) = open.pop() {
        match root {
            Root::Subject(subject) => {
                found.insert(subject);
            }
            _ if !seen.insert(root) => {}
            _ => follow(shelf, root, &mut open)?,
        }
    }
    Ok(found)
}

/// Puts what lies under a root with what is to be followed.
fn follow<S: Shelf>(shelf: &S, root: Root, open: &mut Vec<Root>) -> Result<(), S::Error> {
    match root {
        Root::Subject(_) => open.push(root),
        Root::Resident(person) => {
            open.push(Root::Subject(Subject::Person(person)));
            let refs = refs::Refs::to(shelf, person, number::RESIDENT)?;
            households_in(shelf, refs.of(number::MEMBER), open)?;
            for placement in refs.of(number::PLACEMENT) {
                open.extend(reference(shelf, placement, field::placement::POST)?.map(Root::Post));
            }
        }
        Root::Person(id) => open.push(Root::Subject(Subject::Person(survivor(shelf, id)?))),
        Root::Employed(id) => {
            let person = survivor(shelf, id)?;
            let known = contest::registrations(shelf, person)?;
            open.extend(known.into_iter().map(Root::PersonAndHouseholds));
        }
        Root::PersonAndHouseholds(id) => {
            let person = survivor(shelf, id)?;
            open.push(Root::Subject(Subject::Person(person)));
            households_in(shelf, following(shelf, person, number::RESIDENT, number::MEMBER)?, open)?;
        }
        Root::Household(id) => open.push(Root::Subject(Subject::Household(survivor(shelf, id)?))),
        Root::MembersInto(id) => open.push(Root::Members(survivor(shelf, id)?)),
        Root::Members(household) => {
            for member in following(shelf, household, number::HOUSEHOLD, number::MEMBER)? {
                open.extend(reference(shelf, member, field::member::PERSON)?.map(Root::Person));
            }
        }
        Root::Post(id) => {
            let post = survivor(shelf, id)?;
            // One that was merged counts no more by itself.
            open.push(Root::Subject(Subject::Record(id)));
            if post != id {
                open.push(Root::Post(post));
                return Ok(());
            }
            for placement in following(shelf, post, number::POST, number::PLACEMENT)? {
                open.extend(reference(shelf, placement, field::placement::PERSON)?.map(Root::Employed));
            }
        }
        Root::Class(class) => {
            for trainee in following(shelf, class, number::TRAINING_CLASS, number::TRAINEE)? {
                open.extend(reference(shelf, trainee, field::trainee::PERSON)?.map(Root::PersonAndHouseholds));
            }
        }
        Root::Campaign(campaign) => {
            for service in following(shelf, campaign, number::CAMPAIGN, number::SERVICE_RECORD)? {
                open.extend(reference(shelf, service, field::service_record::PERSON)?.map(Root::PersonAndHouseholds));
                open.extend(reference(shelf, service, field::service_record::HOUSEHOLD)?.map(Root::Household));
            }
        }
        Root::Assistant(assistant) => {
            let units = units_around(shelf, survivor(shelf, assistant)?)?;
            open.extend(units.into_iter().map(|unit| Root::Subject(Subject::Unit(unit))));
        }
        Root::Into(id) => {
            let id = survivor(shelf, id)?;
            // Also one that is not held here counts what cases say of it.
            open.push(Root::Subject(Subject::Household(id)));
            roots_at(shelf, id, open)?;
        }
        Root::Around(id) => {
            let register = shelf.look(id, |record| record.map(|record| record.register))?.unwrap_or_default();
            // Cases may take anything for a household; whoever stands for itself again counts again.
            open.push(Root::Subject(Subject::Household(id)));
            for other in refs::Refs::to(shelf, id, register)?.all() {
                roots_at(shelf, other, open)?;
            }
        }
        Root::Filed(filed) => {
            let filed = survivor(shelf, filed)?;
            if let Some(record) = shelf.record(filed)?.filter(|record| archive::is_case(record.register)) {
                open.extend(roots_of(filed, &record));
            }
        }
        Root::Entries(case) => {
            let entries = shelf.referring(case, number::ARCHIVE_ENTRY)?;
            open.extend(entries.into_iter().map(|entry| Root::Subject(Subject::Record(entry))));
        }
    }
    Ok(())
}

/// Puts the roots of a record with what is to be followed.
fn roots_at<S: Shelf>(shelf: &S, id: RecordId, open: &mut Vec<Root>) -> Result<(), S::Error> {
    open.extend(shelf.look(id, |record| record.map(|record| roots_of(id, record)))?.unwrap_or_default());
    Ok(())
}

/// What a record names in a reference.
fn reference<S: Shelf>(shelf: &S, id: RecordId, tag: u32) -> Result<Option<RecordId>, S::Error> {
    shelf.look(id, |record| record.and_then(|record| record.reference(tag)))
}

/// Puts the households that memberships name with what is to be followed.
fn households_in<S: Shelf>(
    shelf: &S,
    members: impl IntoIterator<Item = RecordId>,
    open: &mut Vec<Root>,
) -> Result<(), S::Error> {
    for member in members {
        open.extend(reference(shelf, member, field::member::HOUSEHOLD)?.map(Root::Household));
    }
    Ok(())
}

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
    found.extend(subjects_under(shelf, roots_of(id, record))?);
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
    let mut roots = HashSet::new();
    for id in records {
        shelf.look(id, |record| roots.extend(record.into_iter().flat_map(|record| roots_of(id, record))))?;
    }
    subjects.extend(subjects_under(shelf, roots)?);
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
