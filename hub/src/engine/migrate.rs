//! From one layout of rows to the next. Invariant: a migration that was cut off begins again and ends the same, because
//! the format's number is written last.

use crate::{
    rows::{self, meta},
    store::{Space, Store, StoreError, View, WriteSet},
};
use bytes::Bytes;
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    Record, RecordId,
    cell::unique_fields,
    pb::{self, ConflictKind, ConflictState},
};

/// Rows written at a time.
const BATCH: usize = 10_000;

/// Format 1 kept the losing values of settled edits under their revision, and had no index of unique values.
///
/// # Errors
/// When a row can't be read or written.
pub(super) fn from_1(store: &impl Store) -> Result<(), StoreError> {
    tracing::info!("bringing the store from format 1 to 2");
    let view = store.view();
    number_conflicts(store, view.as_ref())?;
    index_uniques(store, view.as_ref())
}

/// The old rows: key revision and history key, whose first 16 bytes are the record.
fn number_conflicts(store: &impl Store, view: &dyn View) -> Result<(), StoreError> {
    let mut number = 0_u64;
    let mut set = WriteSet::default();
    // A new row's key has 8 bytes, so what an earlier try has done already is told apart.
    for row in view.prefix(Space::Conflicts, &[]) {
        let (key, value) = row?;
        number += 1;
        if key.len() == 8 {
            continue;
        }
        let wrong = || StoreError::Row(Space::Conflicts);
        let entry = pb::Superseded::decode(value).map_err(|_| wrong())?;
        let id = key.get(8..24).ok_or_else(wrong)?;
        let record = view.get(Space::Records, id)?;
        let record = record.map(|row| Record::decode(row).map_err(|_| StoreError::Row(Space::Records))).transpose()?;
        let conflict = pb::Conflict {
            number,
            kind: ConflictKind::Field.into(),
            state: ConflictState::ByRule.into(),
            register: record.as_ref().map_or(0, |record| record.register),
            record: Bytes::copy_from_slice(id),
            unit: record.as_ref().and_then(taizhang_proto::cell::home_unit).map_or(0, taizhang_proto::OrgCode::number),
            tags: entry.origin.as_ref().map(|origin| origin.tags.clone()).unwrap_or_default(),
            rule: entry.rule.clone(),
            revision: entry.replaced_by,
            claims: vec![
                pb::ClaimedValue::default(),
                pb::ClaimedValue { message: entry.message, origin: entry.origin, reason: entry.reason },
            ],
            ..pb::Conflict::default()
        };
        set.remove(Space::Conflicts, key);
        set.put(Space::Conflicts, number.to_be_bytes(), conflict.encode_to_vec());
        if set.len() >= BATCH {
            set.put(Space::Meta, meta::CONFLICT, number.to_be_bytes());
            store.commit(std::mem::take(&mut set))?;
        }
    }
    set.put(Space::Meta, meta::CONFLICT, number.to_be_bytes());
    store.commit(set)
}

fn index_uniques(store: &impl Store, view: &dyn View) -> Result<(), StoreError> {
    let mut sharing: HashMap<[u8; 24], Vec<u8>> = HashMap::new();
    for row in view.prefix(Space::Records, &[]) {
        let (key, value) = row?;
        let wrong = || StoreError::Row(Space::Records);
        let id = RecordId::from_slice(&key).ok_or_else(wrong)?;
        let record = Record::decode(value).map_err(|_| wrong())?;
        for (tag, bytes) in unique_fields(&record) {
            sharing.entry(rows::unique_key(record.register, tag, bytes)).or_default().extend_from_slice(&id.0);
        }
    }
    let mut set = WriteSet::default();
    for (key, ids) in sharing {
        set.put(Space::Uniques, key, ids);
        if set.len() >= BATCH {
            store.commit(std::mem::take(&mut set))?;
        }
    }
    store.commit(set)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::engine::FjallStore;
    use taizhang_proto::register::{field as tag, number};

    #[test]
    fn a_store_of_format_1_opens_with_its_conflicts_numbered_and_its_uniques_indexed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let id = RecordId([7; 16]);
        let mut record = Record { register: number::RESIDENT, changes: 1, ..Record::default() };
        let mut bytes = Vec::new();
        taizhang_proto::wire::put_bytes(21, b"11010519491231002X", &mut bytes);
        let field = taizhang_proto::wire::Field { tag: 21, bytes: bytes.into() };
        record.set([field.clone()], pb::Origin { revision: 1, ..pb::Origin::default() });
        let entry = pb::Superseded {
            origin: Some(pb::Origin { revision: 1, tags: vec![29], ..pb::Origin::default() }),
            replaced_by: 2,
            rule: "LATEST".into(),
            ..pb::Superseded::default()
        };
        {
            let store = FjallStore::open(&path).unwrap();
            let mut set = WriteSet::default();
            set.put(Space::Records, id.0, record.encode());
            let key = rows::at_revision(2, &rows::history_key(id, &entry));
            set.put(Space::Conflicts, key, entry.encode_to_vec());
            set.put(Space::Meta, *b"format", 1_u32.to_be_bytes());
            store.commit(set).unwrap();
        }
        for _ in 0..2 {
            let store = FjallStore::open(&path).unwrap();
            let view = store.view();
            let conflict: pb::Conflict =
                rows::read(view.as_ref(), Space::Conflicts, &1_u64.to_be_bytes()).unwrap().unwrap();
            assert_eq!((conflict.rule.as_str(), conflict.state()), ("LATEST", ConflictState::ByRule));
            assert_eq!(view.prefix(Space::Conflicts, &[]).count(), 1);
            let key = rows::unique_key(number::RESIDENT, tag::resident::ID_NO, &field.bytes);
            assert_eq!(rows::ids_in(&view.get(Space::Uniques, &key).unwrap().unwrap()), [id]);
        }
    }
}
