//! Records that rows have made but that are not saved yet, so that a later row finds them. In a trial run nothing is
//! ever saved, and the whole file is found here.

use std::collections::HashMap;
use taizhang_proto::{
    Record, RecordId,
    record::Standing,
    register::{RegisterDef, Value},
    wire::Field,
};

use crate::desk::Draft;

/// Not yet saved records by id and by natural key.
#[derive(Debug, Default)]
pub(super) struct Pending {
    records: HashMap<RecordId, Record>,
    keys: HashMap<Vec<u8>, RecordId>,
}

impl Pending {
    /// The record with this natural key.
    pub(super) fn find(&self, def: &RegisterDef, key: &[Value]) -> Option<RecordId> {
        self.keys.get(&key_bytes(def, key)).copied()
    }

    /// A record.
    pub(super) fn get(&self, id: RecordId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// Keeps a record.
    pub(super) fn put(&mut self, def: &RegisterDef, id: RecordId, record: Record) {
        let key: Option<Vec<&[u8]>> = def.key.iter().map(|tag| record.bytes(*tag).map(AsRef::as_ref)).collect();
        if let Some(key) = key {
            self.keys.insert([&def.number.to_be_bytes(), key.concat().as_slice()].concat(), id);
        }
        self.records.insert(id, record);
    }

    /// Forgets all, after a save.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.keys.clear();
    }
}

fn key_bytes(def: &RegisterDef, key: &[Value]) -> Vec<u8> {
    let mut bytes = def.number.to_be_bytes().to_vec();
    for (tag, value) in def.key.iter().zip(key) {
        bytes.extend(def.field(*tag).map(|field| value.encode(field)).unwrap_or_default());
    }
    bytes
}

/// The record as it will be with a draft saved. Its origins are not kept: it is only to be checked and compared.
pub(super) fn merged(record: Option<&Record>, def: &RegisterDef, draft: &Draft) -> Record {
    let mut merged = record.cloned().unwrap_or(Record { register: def.number, ..Record::default() });
    for (tag, value) in &draft.edits {
        let Some(field) = def.field(*tag) else { continue };
        let bytes = value.as_ref().map(|value| value.encode(field)).unwrap_or_default();
        let standing = Standing { field: Field { tag: *tag, bytes }, origin: 0 };
        match merged.fields.binary_search_by_key(tag, |standing| standing.field.tag) {
            Ok(place) => merged.fields[place] = standing,
            Err(place) => merged.fields.insert(place, standing),
        }
    }
    merged
}
