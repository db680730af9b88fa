//! Placements without proof (待核实): they count in live totals, and not in a closed month (domain-detail 2.6).
//! Invariant: a part with its pending part taken off is what would count if no placement lacked proof, whatever else
//! follows from one: a household cleared, a place held, a person employed.

use super::Shelf;
use crate::{OrgCode, Record, RecordId, date::Day, register::number};

/// Proof, of a placement.
const PROOF: u32 = 33;

/// Whether a record is a placement that nothing proves.
fn is_unproven(record: &Record) -> bool {
    record.register == number::PLACEMENT && record.bytes(PROOF).is_none()
}

/// A shelf that notes whether such a placement was looked at.
pub(super) struct Noting<'a, S> {
    shelf: &'a S,
    unproven: std::cell::Cell<bool>,
}

impl<'a, S> Noting<'a, S> {
    pub(super) fn new(shelf: &'a S) -> Self {
        Self { shelf, unproven: std::cell::Cell::new(false) }
    }

    pub(super) fn found_any(&self) -> bool {
        self.unproven.get()
    }

    fn note(&self, record: Option<&Record>) {
        if record.is_some_and(is_unproven) {
            self.unproven.set(true);
        }
    }
}

impl<S: Shelf> Shelf for Noting<'_, S> {
    type Error = S::Error;

    fn record(&self, id: RecordId) -> Result<Option<Record>, S::Error> {
        let record = self.shelf.record(id)?;
        self.note(record.as_ref());
        Ok(record)
    }

    fn look<R>(&self, id: RecordId, read: impl FnOnce(Option<&Record>) -> R) -> Result<R, S::Error> {
        self.shelf.look(id, |record| {
            self.note(record);
            read(record)
        })
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, S::Error> {
        self.shelf.about(target)
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, S::Error> {
        self.shelf.sharing(register, tag, bytes)
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.shelf.given_up_on(unit)
    }
}

/// A shelf on which such placements do not stand.
pub(super) struct Proven<'a, S>(pub(super) &'a S);

impl<S: Shelf> Shelf for Proven<'_, S> {
    type Error = S::Error;

    fn record(&self, id: RecordId) -> Result<Option<Record>, S::Error> {
        Ok(self.0.record(id)?.filter(|record| !is_unproven(record)))
    }

    fn look<R>(&self, id: RecordId, read: impl FnOnce(Option<&Record>) -> R) -> Result<R, S::Error> {
        self.0.look(id, |record| read(record.filter(|record| !is_unproven(record))))
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, S::Error> {
        self.0.about(target)
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, S::Error> {
        self.0.sharing(register, tag, bytes)
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.0.given_up_on(unit)
    }
}
