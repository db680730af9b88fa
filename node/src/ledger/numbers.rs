//! Who carries which number that nobody else may carry: a household's, a case's, a post's.
//! Invariants: once made for a register it is kept with each write, under the lock of writers; it is made when a number of that
//! register is first entered, so nobody else waits for it.

use super::Ledger;
use crate::store::StoreError;
use bytes::Bytes;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};
use taizhang_proto::{Record, RecordId, pb::Policy, register::registers};

/// The fields of a register that hold numbers which offices give themselves, once: a household's, a case's, a post's. What stands on
/// a card or in a hukou book may be another kind's, or somebody else's who shows it: the district compares those.
pub(super) fn given_in(register: u32) -> impl Iterator<Item = u32> {
    let fields = registers().get(register).into_iter().flat_map(|def| &def.fields);
    fields.filter(|field| field.unique && field.policy == Policy::Fixed).map(|field| field.tag)
}

/// The numbers that offices gave a record.
pub(super) fn given(record: &Record) -> impl Iterator<Item = (u32, &Bytes)> {
    given_in(record.register).filter_map(|tag| Some((tag, record.bytes(tag)?)))
}

/// The numbers of one register.
#[derive(Default)]
struct Carried {
    by_number: HashMap<(u32, Bytes), Vec<RecordId>>,
    of_record: HashMap<RecordId, Vec<(u32, Bytes)>>,
}

impl Carried {
    fn note(&mut self, id: RecordId, view: Option<&Record>) {
        for number in self.of_record.remove(&id).unwrap_or_default() {
            if let Entry::Occupied(mut carriers) = self.by_number.entry(number) {
                carriers.get_mut().retain(|carrier| *carrier != id);
                if carriers.get().is_empty() {
                    carriers.remove();
                }
            }
        }
        let numbers = view.into_iter().flat_map(given);
        // A copy: a slice would keep the whole record.
        let numbers: Vec<(u32, Bytes)> = numbers.map(|(tag, bytes)| (tag, Bytes::copy_from_slice(bytes))).collect();
        for number in &numbers {
            self.by_number.entry(number.clone()).or_default().push(id);
        }
        if !numbers.is_empty() {
            self.of_record.insert(id, numbers);
        }
    }
}

/// The numbers of each register that somebody has asked for.
#[derive(Default)]
pub(super) struct Numbers(Mutex<HashMap<u32, Carried>>);

impl Numbers {
    fn kept(&self) -> MutexGuard<'_, HashMap<u32, Carried>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of how a record is seen from now on. Called under the lock of writers, after the store has it.
    pub(super) fn note(&self, id: RecordId, view: Option<&Record>) {
        let mut kept = self.kept();
        match view {
            Some(record) => kept.get_mut(&record.register).into_iter().for_each(|one| one.note(id, view)),
            None => kept.values_mut().for_each(|one| one.note(id, None)),
        }
    }

    /// Lets them go: they are made anew when they are next wanted. Called under the lock of writers.
    pub(super) fn forget(&self) {
        self.kept().clear();
    }
}

impl Ledger {
    /// The records of a register that carry a number which offices give, as they are saved. Called under the lock of writers.
    pub(super) fn carriers(&self, register: u32, tag: u32, number: &Bytes) -> Result<Vec<RecordId>, StoreError> {
        if !self.numbers.kept().contains_key(&register) {
            let mut carried = Carried::default();
            for id in self.ids(register)? {
                carried.note(id, self.view(id)?.as_ref());
            }
            self.numbers.kept().insert(register, carried);
        }
        let kept = self.numbers.kept();
        let carriers = kept.get(&register).and_then(|one| one.by_number.get(&(tag, number.clone())));
        Ok(carriers.cloned().unwrap_or_default())
    }
}
