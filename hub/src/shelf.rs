//! A hub's records as they stand on disk, for the rules to read.
//! Invariant: one view, so what is read together was true together.

use crate::{
    rows::{self, SubjectRow},
    store::{Space, StoreError, View},
};
use std::sync::Arc;
use taizhang_proto::{OrgCode, Record, RecordId, cell::Shelf, date::Day, org::UnitTree};

/// The records that a view holds, with the links that commits keep.
pub(crate) struct Committed<'a> {
    /// The view.
    pub(crate) view: &'a dyn View,
    /// The units.
    pub(crate) tree: Arc<UnitTree>,
}

/// Who refers to a record or unit.
pub(crate) fn about(view: &dyn View, target: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
    let row: Option<SubjectRow> = rows::read(view, Space::Subjects, &target.0)?;
    Ok(row.map(|row| row.about()).unwrap_or_default())
}

/// Who carries a value that is indexed.
pub(crate) fn sharing(view: &dyn View, key: &[u8]) -> Result<Vec<RecordId>, StoreError> {
    Ok(view.get(Space::Uniques, key)?.map(|row| rows::ids_in(&row)).unwrap_or_default())
}

impl Shelf for Committed<'_> {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        let row = self.view.get(Space::Records, &id.0)?;
        row.map(|row| Record::decode(row).map_err(|_| StoreError::Row(Space::Records))).transpose()
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
        about(self.view, target)
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        sharing(self.view, &rows::unique_key(register, tag, bytes))
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.tree.given_up_on(unit)
    }

    fn founded_on(&self, unit: OrgCode) -> Option<Day> {
        self.tree.founded_on(unit)
    }
}
