//! The changes in the store that the hub has not answered for. Invariant: they are those of the journal, in its order.

use crate::{
    journal::Entry,
    store::{Store, StoreError},
};

/// All pending changes in the store, in order.
pub(super) fn entries(store: &Store) -> Result<Vec<Entry>, StoreError> {
    store
        .scan(b"p")
        .map(|row| {
            let (row_key, change) = row?;
            let seq = row_key.get(1..9).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
            Ok(Entry::Saved(seq.ok_or(StoreError::Row("pending"))?, change.to_vec()))
        })
        .collect()
}
