//! Indexes over views: listing by register, natural keys, links. Invariant: the index rows of a record are a pure
//! function of its view, so a write takes out the old view's rows and puts in the new view's.

use super::Ledger;
use crate::store::{StoreError, key};
use sled::Batch;
use std::collections::BTreeSet;
use taizhang_proto::{
    Record, RecordId, cell,
    register::{STATE, Value, code, registers},
};

impl Ledger {
    /// The active records of a register with these values in its natural key.
    ///
    /// # Errors
    /// When the store fails.
    pub fn find(&self, register: u32, values: &[Value]) -> Result<Vec<RecordId>, StoreError> {
        let Some(def) = registers().get(register) else { return Ok(Vec::new()) };
        let fields = def.key.iter().filter_map(|tag| def.field(*tag));
        let mut hasher = blake3::Hasher::new();
        for (field, value) in fields.zip(values) {
            hasher.update(&value.encode(field));
        }
        let prefix = key::natural_prefix(register, hasher.finalize().as_bytes());
        let rows = self.store.scan(&prefix);
        rows.map(|row| row.and_then(|(key, _)| key::last_id(&key).ok_or(StoreError::Row("key")))).collect()
    }
}

/// Writes the difference between the index rows of two views.
pub(super) fn update(batch: &mut Batch, id: RecordId, old: Option<&Record>, new: Option<&Record>) {
    let before = old.map(|record| rows(id, record)).unwrap_or_default();
    let after = new.map(|record| rows(id, record)).unwrap_or_default();
    for gone in before.difference(&after) {
        batch.remove(gone.as_slice());
    }
    for fresh in after.difference(&before) {
        batch.insert(fresh.as_slice(), &[]);
    }
}

/// All index rows of a view.
fn rows(id: RecordId, record: &Record) -> BTreeSet<Vec<u8>> {
    let mut rows = BTreeSet::from([key::listed(record.register, id)]);
    rows.extend(cell::links(record).into_iter().map(|target| key::link(target, record.register, id)));
    let voided = record.slice(STATE) == Some(code::state::VOID.as_bytes());
    if let (Some(def), false) = (registers().get(record.register), voided) {
        let values: Option<Vec<_>> = def.key.iter().map(|tag| record.bytes(*tag)).collect();
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            let mut hasher = blake3::Hasher::new();
            for value in values {
                hasher.update(value);
            }
            rows.insert(key::natural(record.register, hasher.finalize().as_bytes(), id));
        }
    }
    rows
}
