//! A commit as the rules read it.

use crate::{
    rows, shelf,
    store::StoreError,
    writer::commit::{Commit, read_leaf},
};
use std::rc::Rc;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Kept, Shelf},
};

/// Links of one row that cost as much to read as one record.
const LINKS_AT_ONCE: u64 = 64;

/// A commit as the rules read it.
pub(in crate::writer) struct Reading<'p, 'a>(pub(in crate::writer) &'p Commit<'a>);

impl Reading<'_, '_> {
    /// A record as it stands in the commit, or on the disk: it is not kept for later.
    fn now(&self, id: RecordId) -> Result<Option<Rc<Record>>, StoreError> {
        let known = self.0.records.borrow().get(&id).map(|leaf| leaf.now.clone());
        known.map_or_else(|| Ok(read_leaf(self.0.view, id)?.now), Ok)
    }
}

impl Shelf for Reading<'_, '_> {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        self.0.count_work(1);
        Ok(self.now(id)?.map(Rc::unwrap_or_clone))
    }

    fn look<R>(&self, id: RecordId, read: impl FnOnce(Option<&Record>) -> R) -> Result<R, StoreError> {
        self.0.count_work(1);
        Ok(read(self.now(id)?.as_deref()))
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
        let about = match self.0.subjects.get(&target) {
            Some(node) => node.row.about(),
            None => shelf::about(self.0.view, target)?,
        };
        self.0.count_work(1 + about.len() as u64 / LINKS_AT_ONCE);
        Ok(about)
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        let key = rows::unique_key(register, tag, bytes);
        if let Some(row) = self.0.uniques.borrow().get(&key) {
            return Ok(row.ids.clone());
        }
        shelf::sharing(self.0.view, &key)
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<taizhang_proto::date::Day> {
        self.0.tree.given_up_on(unit)
    }

    fn founded_on(&self, unit: OrgCode) -> Option<taizhang_proto::date::Day> {
        self.0.tree.founded_on(unit)
    }

    fn kept(&self) -> (Option<&Kept>, bool) {
        (Some(&self.0.kept), false)
    }
}

/// One record and nothing that refers to it.
pub(super) struct Alone(pub(super) RecordId, pub(super) Record);

impl Shelf for Alone {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        Ok((id == self.0).then(|| self.1.clone()))
    }

    fn about(&self, _: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
        Ok(Vec::new())
    }

    fn sharing(&self, _: u32, _: u32, _: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        Ok(Vec::new())
    }
}
