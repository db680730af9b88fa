//! Records as they will be once the groups accepted so far are saved. Invariant: whoever of them has an id number, or is about
//! somebody, is found by that without a look at the others; a batch costs as much a draft however long it is.

use crate::ledger::numbers;
use bytes::Bytes;
use std::collections::HashMap;
use taizhang_proto::{
    Record, RecordId,
    cell::once::{self, Rule},
    register::{field, number},
};

/// The fields by which records of a register are compared with others of a batch.
pub(super) fn asked_by(register: u32) -> impl Iterator<Item = u32> {
    let about = once::rule_of(register).and_then(Rule::about_tag);
    about
        .into_iter()
        .chain((register == number::RESIDENT).then_some(field::resident::ID_NO))
        .chain(numbers::given_in(register))
}

/// Views, found by record and by what is in the fields that are asked for.
#[derive(Default)]
pub(super) struct Views {
    records: HashMap<RecordId, Record>,
    /// Who has, or had at some point in the batch, these bytes in this field of that register.
    by: HashMap<(u32, u32, Bytes), Vec<RecordId>>,
}

impl Views {
    /// How a record will be; none of a record that the batch does not touch.
    pub(super) fn get(&self, id: RecordId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// Puts a record as it will be.
    pub(super) fn insert(&mut self, id: RecordId, view: Record) {
        let asked = asked_by(view.register).filter_map(|tag| Some((tag, view.bytes(tag)?.clone())));
        for (tag, held) in asked {
            let holders = self.by.entry((view.register, tag, held)).or_default();
            if !holders.contains(&id) {
                holders.push(id);
            }
        }
        self.records.insert(id, view);
    }

    /// Takes over later views.
    pub(super) fn extend(&mut self, later: Self) {
        self.records.extend(later.records);
        for (key, ids) in later.by {
            let holders = self.by.entry(key).or_default();
            let fresh: Vec<RecordId> = ids.into_iter().filter(|id| !holders.contains(id)).collect();
            holders.extend(fresh);
        }
    }

    /// Those in whose field these bytes stand, or stood earlier in the batch: whoever asks looks at them again.
    pub(super) fn holding(&self, register: u32, tag: u32, bytes: &Bytes) -> impl Iterator<Item = RecordId> {
        self.by.get(&(register, tag, bytes.clone())).into_iter().flatten().copied()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RecordId, &Record)> {
        self.records.iter().map(|(id, record)| (*id, record))
    }
}
