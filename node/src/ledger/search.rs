//! The index of a search, in memory beside the store: what is looked at of each record as this office sees it.
//! Invariants: once made it is kept with each write, under the lock of writers; it is made when it is first wanted, so an
//! office opens as fast as without it.

use super::Ledger;
use crate::{
    desk::search::{Finder, Found, Query, Row},
    store::{StoreError, key},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{PoisonError, RwLock},
};
use taizhang_proto::{Record, RecordId};

/// The rows by record; none before anybody has asked.
#[derive(Default)]
pub(super) struct Index(RwLock<Option<BTreeMap<RecordId, Row>>>);

impl Index {
    /// Takes note of how a record is seen from now on. Called under the lock of writers, after the store has it.
    pub(super) fn note(&self, id: RecordId, view: Option<&Record>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = kept.as_mut() else { return };
        match view.and_then(Row::of) {
            Some(row) => rows.insert(id, row),
            None => rows.remove(&id),
        };
    }

    /// Lets it go: it is made anew when it is next wanted. Called under the lock of writers.
    pub(super) fn forget(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn found(&self, query: &Query, limit: usize) -> Option<Found> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut finder = Finder::new(query, limit);
        for (id, row) in kept.as_ref()? {
            finder.look(*id, row);
        }
        Some(finder.found())
    }
}

impl Ledger {
    /// What fits a query, at most so many, the best first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn search(&self, query: &Query, limit: usize) -> Result<Found, StoreError> {
        loop {
            if let Some(found) = self.search.found(query, limit) {
                return Ok(found);
            }
            self.ready_to_search()?;
        }
    }

    /// Makes the index unless there is one, so that nobody waits for it later.
    ///
    /// # Errors
    /// When the store fails.
    pub fn ready_to_search(&self) -> Result<(), StoreError> {
        // Nobody writes meanwhile, so the rows are of one moment.
        let _writing = self.inner();
        if self.search.0.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut rows = BTreeMap::new();
        let mut edited = HashSet::new();
        for row in self.store.scan(key::EDITED) {
            edited.extend(key::edited(&row?.0));
        }
        // Most records are as the hub has them: those are read as they lie, and none is looked for.
        for row in self.store.scan(key::RECORDS) {
            let (at, value) = row?;
            let Some(id) = RecordId::from_slice(&at[1..]).filter(|id| !edited.contains(id)) else { continue };
            rows.extend(Row::of(&Record::decode(value)?).map(|row| (id, row)));
        }
        for id in edited {
            rows.extend(self.view(id)?.and_then(|view| Row::of(&view)).map(|row| (id, row)));
        }
        *self.search.0.write().unwrap_or_else(PoisonError::into_inner) = Some(rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
