//! The index of values that only one record may carry, and who is touched when a contest turns out differently.
//! Invariant: a record is listed under its values exactly while it belongs to this hub's scope.

use crate::{
    rows, shelf,
    store::StoreError,
    writer::commit::{Commit, Known, Reading},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{Shelf, claim, following, home_unit, indexed_fields, once, roots_of, unique_fields},
    check::Violation,
    register::{FieldDef, field, number, registers},
};

/// Most records under one value of an indexed field that one office may have set: beyond it is a mistake or an attack, no
/// disagreement of offices. Each office has its own, so that none takes the place of another's registration.
const MAX_OF_OFFICE: usize = 64;
/// Most assistants of one id number: each is an assignment, and certificates are weighed over all of them.
const MAX_ASSIGNMENTS: usize = 16;

/// A row of the index in the commit.
pub(in crate::writer) struct UniqueRow {
    pub(in crate::writer) ids: Vec<RecordId>,
    pub(in crate::writer) changed: bool,
}

impl Known<'_, '_> {
    /// The value that a record is given and only one may carry, where another one carries it.
    pub(in crate::writer) fn carried(
        self,
        id: RecordId,
        before: Option<&Record>,
        after: &Record,
    ) -> Result<Option<(&'static FieldDef, RecordId)>, StoreError> {
        let shelf = Reading(&self);
        let is_new = |tag: u32, bytes: &bytes::Bytes| before.and_then(|before| before.bytes(tag)) != Some(bytes);
        for (tag, bytes) in unique_fields(after).filter(|(tag, bytes)| is_new(*tag, bytes)) {
            for other in shelf.sharing(after.register, tag, bytes)?.into_iter().filter(|other| *other != id) {
                let field = registers().get(after.register).and_then(|def| def.field(tag));
                if let Some(field) = field.filter(|_| once::stands(after))
                    && shelf.look(other, |record| record.is_some_and(once::stands))?
                {
                    return Ok(Some((field, other)));
                }
            }
        }
        Ok(None)
    }

    /// Why a record can't be taken: the office that writes it has set its value in too many others.
    pub(in crate::writer) fn crowded(
        self,
        id: RecordId,
        record: &Record,
        office: OrgCode,
        is_edited: impl Fn(u32) -> bool,
    ) -> Result<Option<Violation>, StoreError> {
        let Some(def) = registers().get(record.register) else { return Ok(None) };
        // Assistants of one id number are compared with each other, though each office has its own.
        let is_of_one = |tag: u32| record.register == number::ASSISTANT && tag == field::assistant::ID_NO;
        let values = unique_fields(record).chain(indexed_fields(record).filter(|(tag, _)| is_of_one(*tag)));
        for (tag, bytes) in values.filter(|(tag, _)| is_edited(*tag)) {
            let key = rows::unique_key(record.register, tag, bytes);
            let listed = self.listed(key)?;
            let most = if is_of_one(tag) { MAX_ASSIGNMENTS } else { MAX_OF_OFFICE };
            if listed.len() < most || listed.contains(&id) {
                continue;
            }
            if self.said_by(office, tag, &listed)? >= most {
                let label = def.field(tag).map_or("", |field| field.zh.as_str());
                let name = def.field(tag).map_or("", |field| field.name.as_str());
                return Ok(Some(Violation {
                    register: def.name.clone(),
                    field: name.to_owned(),
                    rule: "unique",
                    message: format!(
                        "本单位已有{most}条记录使用同一{label}，请先清理 (this office has given it to too many records: merge or void them first)"
                    ),
                }));
            }
        }
        Ok(None)
    }
}

impl Known<'_, '_> {
    /// Of how many of these records an office has said a field.
    pub(super) fn said_by(self, office: OrgCode, tag: u32, records: &[RecordId]) -> Result<usize, StoreError> {
        let is_theirs = |record: &Record| record.origin(tag).is_some_and(|origin| origin.unit == office.number());
        let mut count = 0;
        for id in records {
            count += usize::from(Reading(&self).look(*id, |record| record.is_some_and(is_theirs))?);
        }
        Ok(count)
    }
}

impl Commit<'_> {
    /// The records that are listed under a value. What was read is kept, whoever reads.
    fn listed(&self, key: [u8; 24]) -> Result<Vec<RecordId>, StoreError> {
        if let Some(row) = self.uniques.borrow().get(&key) {
            return Ok(row.ids.clone());
        }
        let ids = shelf::sharing(self.view, &key)?;
        self.uniques.borrow_mut().insert(key, UniqueRow { ids: ids.clone(), changed: false });
        Ok(ids)
    }

    fn unique_row(&mut self, key: [u8; 24]) -> Result<&mut UniqueRow, StoreError> {
        match self.uniques.get_mut().entry(key) {
            std::collections::hash_map::Entry::Occupied(row) => Ok(row.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let ids = shelf::sharing(self.view, &key)?;
                Ok(place.insert(UniqueRow { ids, changed: false }))
            }
        }
    }

    /// The keys of a record's indexed values, none outside this hub's scope.
    fn unique_keys(&self, record: &Record) -> Vec<[u8; 24]> {
        if !home_unit(record).is_some_and(|unit| self.core.unit.covers(unit)) {
            return Vec::new();
        }
        indexed_fields(record).map(|(tag, bytes)| rows::unique_key(record.register, tag, bytes)).collect()
    }

    /// The other records that carry a unique value of this one, each with the field.
    pub(in crate::writer) fn rivals(&self, id: RecordId) -> Result<Vec<(RecordId, u32)>, StoreError> {
        let mut found = Vec::new();
        let shelf = Reading(self);
        shelf.look(id, |record| -> Result<(), StoreError> {
            let Some(record) = record else { return Ok(()) };
            for (tag, bytes) in unique_fields(record) {
                let others = shelf.sharing(record.register, tag, bytes)?;
                found.extend(others.into_iter().filter(|other| *other != id).map(|other| (other, tag)));
            }
            Ok(())
        })??;
        Ok(found)
    }

    /// Brings the index up to a record's new state, and touches its rivals where the contest may change.
    pub(in crate::writer) fn index_unique(
        &mut self,
        id: RecordId,
        old: Option<&Record>,
        new: &Record,
    ) -> Result<(), StoreError> {
        let before = old.map(|record| self.unique_keys(record)).unwrap_or_default();
        let after = self.unique_keys(new);
        for key in before.iter().filter(|key| !after.contains(key)) {
            let row = self.unique_row(*key)?;
            row.ids.retain(|own| *own != id);
            row.changed = true;
        }
        for key in after.iter().filter(|key| !before.contains(key)) {
            let row = self.unique_row(*key)?;
            if !row.ids.contains(&id) {
                row.ids.push(id);
                row.changed = true;
            }
        }
        let stood = match old {
            Some(old) => claim(&Reading(self), id, old)?,
            None => None,
        };
        // An assignment's days decide where somebody who serves two offices counts.
        let assigned = new.register == number::ASSISTANT;
        if assigned || before != after || stood != claim(&Reading(self), id, new)? {
            for key in before.iter().chain(&after) {
                self.touch_rivals(*key, id)?;
            }
        }
        if new.register == number::ASSISTANT {
            // The earliest assignment decides which station a certificate counts for, under whichever of the person's it was
            // entered.
            let mut assignments = vec![id];
            for key in before.iter().chain(&after) {
                assignments.extend(self.unique_row(*key)?.ids.iter().copied());
            }
            assignments.sort_unstable();
            assignments.dedup();
            for assignment in assignments {
                let certificates = following(&Reading(self), assignment, number::ASSISTANT, number::CREDENTIAL)?;
                for credential in certificates {
                    let Some(record) = Reading(self).record(credential)? else { continue };
                    for key in self.unique_keys(&record) {
                        self.touch_rivals(key, credential)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn touch_rivals(&mut self, key: [u8; 24], id: RecordId) -> Result<(), StoreError> {
        let others: Vec<RecordId> = self.unique_row(key)?.ids.iter().filter(|own| **own != id).copied().collect();
        for other in others {
            let roots = Reading(self).look(other, |record| record.map(|record| roots_of(other, record)))?;
            if let Some(roots) = roots {
                self.roots.extend(roots);
                self.to_inspect.push(other);
            }
        }
        Ok(())
    }
}
