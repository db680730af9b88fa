//! Deriving everything anew: when a program counts by other rules than the one that wrote the store, and when a plan
//! comes. Invariant: what is written is what a recount finds, in one commit with the rules' name, so a hub that is
//! stopped in between begins again and ends the same.

use super::pad::{Pad, depends_on_others};
use crate::{
    rows::{SubjectRow, meta},
    store::{Space, StoreError},
    totals::{audit::read_own, recount::Recount},
};
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    RecordId,
    cell::{Shelf, Subject},
    plan::Plans,
};

/// Grows when the rules of counting change in the program: what a subject contributes, what refers to what, what is
/// indexed.
const RULES: u32 = 9;

/// Names the rules by which a store was counted: the program's and the plans'.
pub(super) fn rules(plans: &Plans) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&RULES.to_be_bytes());
    hasher.update(format!("{plans:?}").as_bytes());
    *hasher.finalize().as_bytes()
}

impl Pad<'_> {
    /// Derives links, indexes, contributions and cells from the records alone, by these plans.
    pub(super) fn rederive(&mut self, plans: &Plans) -> Result<(), StoreError> {
        let records = Recount::read(self.view, self.core.unit, self.core.tree())?;
        if records.records() > 0 {
            tracing::info!(records = records.records(), "counting everything anew");
        }
        let mut rows: HashMap<RecordId, SubjectRow> = HashMap::new();
        for (target, found) in &records.links {
            let row = rows.entry(*target).or_default();
            for (register, id) in found {
                row.link(*register, *id);
            }
        }
        let cells = records.cells(plans, |subject, steps| {
            let linked = rows.get(&subject.id()).is_some_and(|row| !row.links.is_empty());
            let own = match subject {
                Subject::Record(id) => records.record(id)?,
                _ => None,
            };
            if linked || depends_on_others(subject, &steps, own.as_ref()) {
                rows.entry(subject.id()).or_default().set_contributions(subject, &steps);
            }
            Ok(())
        })?;
        self.replace(
            Space::Subjects,
            rows.into_iter().map(|(id, row)| (id.0.to_vec(), row.encode_to_vec())).collect(),
        )?;
        let values = records.values.iter().map(|(key, ids)| {
            let ids: Vec<u8> = ids.iter().flat_map(|id| id.0).collect();
            (key.to_vec(), ids)
        });
        self.replace(Space::Uniques, values.collect())?;
        for key in read_own(self.view)?.into_keys().filter(|key| !cells.contains_key(key)) {
            self.set_cell(key, 0)?;
        }
        for (key, value) in cells {
            self.set_cell(key, value)?;
        }
        self.set.put(Space::Meta, meta::RULES, rules(plans));
        Ok(())
    }

    /// Makes these the rows of a space.
    fn replace(&mut self, space: Space, mut rows: HashMap<Vec<u8>, Vec<u8>>) -> Result<(), StoreError> {
        for row in self.view.prefix(space, &[]) {
            let (key, value) = row?;
            match rows.remove(key.as_ref()) {
                Some(own) if own == value.as_ref() => {}
                Some(own) => self.set.put(space, key, own),
                None => self.set.remove(space, key),
            }
        }
        for (key, value) in rows {
            self.set.put(space, key, value);
        }
        Ok(())
    }
}
