//! Placements without proof (待核实): they count in live totals, and not in a closed month (domain-detail 2.6).
//! Invariant: a part with its pending part taken off is what would count if no placement lacked proof, whatever else
//! follows from one: a household cleared, a place held, a person employed.

use super::{Kept, Shelf, days::is_unproven};
use crate::{OrgCode, Record, RecordId, date::Day};

/// A shelf that notes whether such a placement was looked at, and may hide it.
pub(super) struct Proofs<'a, S> {
    shelf: &'a S,
    hide: bool,
    unproven: std::cell::Cell<bool>,
}

impl<'a, S> Proofs<'a, S> {
    /// A shelf on which they stand.
    pub(super) fn noted(shelf: &'a S) -> Self {
        Self { shelf, hide: false, unproven: std::cell::Cell::new(false) }
    }

    /// A shelf on which they do not.
    pub(super) fn demanded(shelf: &'a S) -> Self {
        Self { hide: true, ..Self::noted(shelf) }
    }

    /// Whether one was looked at.
    pub(super) fn found_any(&self) -> bool {
        self.unproven.get()
    }

    fn stands(&self, record: &Record) -> bool {
        let unproven = is_unproven(record);
        if unproven {
            self.unproven.set(true);
        }
        !(unproven && self.hide)
    }
}

impl<S: Shelf> Shelf for Proofs<'_, S> {
    type Error = S::Error;

    fn record(&self, id: RecordId) -> Result<Option<Record>, S::Error> {
        Ok(self.shelf.record(id)?.filter(|record| self.stands(record)))
    }

    fn look<R>(&self, id: RecordId, read: impl FnOnce(Option<&Record>) -> R) -> Result<R, S::Error> {
        self.shelf.look(id, |record| read(record.filter(|record| self.stands(record))))
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

    fn founded_on(&self, unit: OrgCode) -> Option<Day> {
        self.shelf.founded_on(unit)
    }

    fn kept(&self) -> (Option<&Kept>, bool) {
        let (kept, proven) = self.shelf.kept();
        (kept, proven || self.hide)
    }
}
