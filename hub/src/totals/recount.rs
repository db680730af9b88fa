//! What follows from the records alone, and from the rows of children and conflicts: who refers to whom, who counts, and
//! where.
//! Invariant: nothing that a commit derived (links, contributions, cells, sums) is used here.

use crate::{
    rows::unique_key,
    store::{Space, StoreError, View},
    upkeep,
};
use std::{collections::HashMap, sync::Arc};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{
        CellKey, Contribution, Kept, Shelf, Subject, all_subjects, contributions, home_unit, indexed_fields, links,
    },
    date::Day,
    org::UnitTree,
    plan::Plans,
};

/// How many are looked at before it is asked whether to go on.
const LOOKED_AT: usize = 1_024;

/// Records with an index of their links made while reading them.
pub(crate) struct Recount<'a> {
    view: &'a dyn View,
    unit: OrgCode,
    tree: Arc<UnitTree>,
    ids: Vec<RecordId>,
    /// Who refers to a record or unit.
    pub(crate) links: HashMap<RecordId, Vec<(u32, RecordId)>>,
    /// Who carries a value that is indexed.
    pub(crate) values: HashMap<[u8; 24], Vec<RecordId>>,
    kept: Kept,
}

impl Shelf for Recount<'_> {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        let row = self.view.get(Space::Records, &id.0)?;
        row.map(|row| Record::decode(row).map_err(|_| StoreError::Row(Space::Records))).transpose()
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, StoreError> {
        Ok(self.links.get(&target).cloned().unwrap_or_default())
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        Ok(self.values.get(&unique_key(register, tag, bytes)).cloned().unwrap_or_default())
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<Day> {
        self.tree.given_up_on(unit)
    }

    fn founded_on(&self, unit: OrgCode) -> Option<Day> {
        self.tree.founded_on(unit)
    }

    fn kept(&self) -> (Option<&Kept>, bool) {
        (Some(&self.kept), false)
    }
}

impl<'a> Recount<'a> {
    /// Reads every record of a hub of `unit`.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn read(view: &'a dyn View, unit: OrgCode, tree: Arc<UnitTree>) -> Result<Self, StoreError> {
        let mut own = Self {
            view,
            unit,
            tree,
            ids: Vec::new(),
            links: HashMap::new(),
            values: HashMap::new(),
            kept: Kept::default(),
        };
        for row in view.prefix(Space::Records, &[]) {
            let (key, value) = row?;
            let id = RecordId::from_slice(&key).ok_or(StoreError::Row(Space::Records))?;
            let record = Record::decode(value).map_err(|_| StoreError::Row(Space::Records))?;
            if home_unit(&record).is_some_and(|home| unit.covers(home)) {
                for (tag, bytes) in indexed_fields(&record) {
                    own.values.entry(unique_key(record.register, tag, bytes)).or_default().push(id);
                }
            }
            for target in links(&record) {
                own.links.entry(target).or_default().push((record.register, id));
            }
            own.ids.push(id);
        }
        Ok(own)
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Who contributes otherwise by one list of plans than by another, looked for as long as it `goes_on`.
    ///
    /// # Errors
    /// When the store fails, or it goes on no longer.
    pub(crate) fn differing(
        &self,
        (one, other): (&Plans, &Plans),
        goes_on: impl Fn() -> bool,
    ) -> Result<Vec<Subject>, StoreError> {
        let mut found = Vec::new();
        for (place, subject) in all_subjects(self, self.units(), self.ids.iter().copied())?.into_iter().enumerate() {
            if place % LOOKED_AT == 0 && !goes_on() {
                return Err(StoreError::Engine("存储出错，未查完 (the store has failed meanwhile)".into()));
            }
            if contributions(self, subject, one)? != contributions(self, subject, other)? {
                found.push(subject);
            }
        }
        Ok(found)
    }

    fn units(&self) -> Vec<OrgCode> {
        if self.tree.is_empty() { Vec::new() } else { self.tree.below(self.unit).map(|unit| unit.code).collect() }
    }

    /// Hands what each subject contributes to `take`, and returns the cells that they make in this hub's scope: what
    /// counts in another hub's scope counts there.
    ///
    /// # Errors
    /// When the store or `take` fails.
    pub(crate) fn cells(
        &self,
        plans: &Plans,
        mut take: impl FnMut(Subject, Vec<Contribution>) -> Result<(), StoreError>,
    ) -> Result<HashMap<CellKey, i64>, StoreError> {
        let mut cells: HashMap<CellKey, i64> = HashMap::new();
        for subject in all_subjects(self, self.units(), self.ids.iter().copied())? {
            let steps = contributions(self, subject, plans)?;
            for one in steps.iter().filter(|one| self.unit.covers(one.key.unit)) {
                *cells.entry(one.key).or_default() += one.delta;
            }
            take(subject, steps)?;
        }
        upkeep::recount(self.view, self.unit, plans, &mut cells)?;
        cells.retain(|_, value| *value != 0);
        Ok(cells)
    }
}
