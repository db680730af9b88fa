//! Whom a household is known by: its head, or, where the head has left or is not held here (another office's now, or not come back from
//! the hub yet), another of its members, so that whoever has to go there knows whom to ask for.
//! Invariant: for the office's own eyes; what is posted up names a head and nobody else.

use crate::{ledger::Ledger, store::StoreError};
use taizhang_proto::{
    Record, RecordId,
    cell::{following, is_active, left_on, survivor},
    register::{field, number},
};

/// Posted up where nobody is known as the head.
const NO_HEAD: &str = "（户主待核实）";

/// Somebody of a household.
pub(super) struct Known {
    record: Record,
    is_head: bool,
}

impl Known {
    /// The person's record.
    pub(super) fn person(&self) -> &Record {
        &self.record
    }

    /// The name; of whoever is not the head, with a word that says so.
    pub(super) fn name(&self) -> String {
        let name = self.record.slice(field::resident::NAME).map(String::from_utf8_lossy).unwrap_or_default();
        if self.is_head { name.into_owned() } else { format!("{name}（成员，户主不在本单位）") }
    }

    /// What may be posted up of a household that is known by somebody, or by nobody: the head's name, and nobody else's.
    pub(super) fn public_name(known: Option<&Self>) -> String {
        known.filter(|known| known.is_head).map_or_else(|| NO_HEAD.into(), Self::name)
    }
}

/// Whom a household is known by.
///
/// # Errors
/// When the store fails.
pub(super) fn of(ledger: &Ledger, household: RecordId) -> Result<Option<Known>, StoreError> {
    let (on, into) = (ledger.business_day(), survivor(ledger, household)?);
    let person = |id: RecordId| -> Result<Option<Record>, StoreError> {
        Ok(ledger.view(survivor(ledger, id)?)?.filter(|record| record.register == number::RESIDENT))
    };
    let is_there = |record: &Record| left_on(record).is_none_or(|left| left > on);
    // What it was merged into may be another office's, which this one does not hold.
    let both = || [Some(into), (into != household).then_some(household)].into_iter().flatten();
    let mut gone = None;
    for id in both() {
        let head = ledger.view(id)?.and_then(|record| record.reference(field::household::HEAD_PERSON));
        match head.map(person).transpose()?.flatten() {
            Some(record) if is_there(&record) => return Ok(Some(Known { record, is_head: true })),
            found => gone = gone.or(found),
        }
    }
    for household in both() {
        for id in following(ledger, household, number::HOUSEHOLD, number::MEMBER)? {
            let Some(member) = ledger.view(id)?.filter(is_active) else { continue };
            let is_over = member.day(field::member::TO_ON).is_some_and(|to| to <= on);
            let Some(of) = member.reference(field::member::PERSON).filter(|_| !is_over) else { continue };
            if let Some(record) = person(of)?.filter(&is_there) {
                return Ok(Some(Known { record, is_head: false }));
            }
        }
    }
    Ok(gone.map(|record| Known { record, is_head: true }))
}
