//! A hub's store in memory: a snapshot is a few pointers, a backup is a snapshot, and a commit can be made to crash.
//! Invariant: a write set is applied whole or not at all.

use bytes::Bytes;
use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use taizhang_hub::store::{Rows, Space, Store, StoreError, View, WriteSet};

type Table = BTreeMap<Bytes, Bytes>;

/// All rows as they stood at one moment.
#[derive(Debug, Clone, Default)]
pub struct Tables(BTreeMap<Space, Arc<Table>>);

/// What becomes of the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is applied and answered.
    Sound,
    /// The process dies before it.
    Lost,
    /// The process dies after it, before the answer.
    Unanswered,
}

#[derive(Debug)]
struct Inner {
    tables: Tables,
    fate: Fate,
}

/// The store. Clones share the rows.
#[derive(Debug, Clone)]
pub struct MemStore(Arc<Mutex<Inner>>);

impl MemStore {
    /// A store with these rows.
    pub fn new(tables: Tables) -> Self {
        Self(Arc::new(Mutex::new(Inner { tables, fate: Fate::Sound })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows as they stand.
    pub fn snapshot(&self) -> Tables {
        self.inner().tables.clone()
    }

    /// Decides on the commits from now on.
    pub fn set_fate(&self, fate: Fate) {
        self.inner().fate = fate;
    }
}

impl Store for MemStore {
    fn view(&self) -> Box<dyn View> {
        Box::new(self.snapshot())
    }

    fn commit(&self, set: WriteSet) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let died = || Err(StoreError::Engine("the process died".into()));
        if inner.fate == Fate::Lost {
            return died();
        }
        for (space, key, value) in set.into_rows() {
            let table = Arc::make_mut(inner.tables.0.entry(space).or_default());
            match value {
                Some(value) => drop(table.insert(key.into(), value.into())),
                None => drop(table.remove(key.as_slice())),
            }
        }
        if inner.fate == Fate::Unanswered { died() } else { Ok(()) }
    }

    fn size_on_disk(&self) -> u64 {
        0
    }
}

impl View for Tables {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.get(&space).and_then(|table| table.get(key)).cloned())
    }

    fn range(&self, space: Space, from: &[u8], to: &[u8]) -> Rows<'_> {
        let Some(table) = self.0.get(&space).filter(|_| from < to) else { return Box::new(std::iter::empty()) };
        let rows = table.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        Box::new(rows.map(|(key, value)| Ok((key.clone(), value.clone()))))
    }

    fn prefix(&self, space: Space, prefix: &[u8]) -> Rows<'_> {
        let Some(table) = self.0.get(&space) else { return Box::new(std::iter::empty()) };
        let prefix = prefix.to_vec();
        let rows = table.range::<[u8], _>((Bound::Included(prefix.as_slice()), Bound::Unbounded));
        let rows: Vec<_> = rows
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| Ok((key.clone(), value.clone())))
            .collect();
        Box::new(rows.into_iter())
    }
}
