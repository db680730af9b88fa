//! The writer's pad: what one commit reads and changes, before it becomes one write set.
//! Invariant: everything derived (contributions, cells, sums, digests, feed) follows from the records on the pad once,
//! at the end, so a record that is changed many times in one commit costs its totals once.

use super::{Core, WriteError, late::Deferred, mail::Across, unique::UniqueRow};
use crate::{
    rows::{self, FeedRow, NodeRow, OwnCell, SubjectRow, UnitRow, meta},
    store::{Space, StoreError, View, WriteSet},
};
use prost::Message;
use std::collections::{HashMap, HashSet, hash_map::Entry};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{self, CellKey, Contribution, Shelf, Subject, contributions, home_unit, subjects_of},
    digest::{Item, ScopeDigest},
    indicator::DUPLICATES,
    org::UnitTree,
    pb,
    record::Revision,
    register::number,
};

/// A record on the pad: as it was, and as it is.
struct Leaf {
    old_bytes: Option<bytes::Bytes>,
    old_revision: Revision,
    old_unit: Option<OrgCode>,
    now: Option<Record>,
    changed: bool,
}

/// A subject row on the pad.
struct Node {
    row: SubjectRow,
    /// The row is on disk; a person without links needs none, see [`Pad::recount_subjects`].
    stored: bool,
    changed: bool,
}

/// An own cell on the pad.
struct Cell {
    old: OwnCell,
    value: i64,
}

#[derive(Default)]
struct UnitChange {
    records: ScopeDigest,
    count: i64,
    head: Revision,
    cells: ScopeDigest,
}

impl UnitChange {
    fn add(&mut self, other: &Self) {
        self.records = self.records.plus(other.records);
        self.count += other.count;
        self.head = self.head.max(other.head);
        self.cells = self.cells.plus(other.cells);
    }
}

pub(super) struct Pad<'a> {
    pub(super) core: &'a Core,
    pub(super) view: &'a dyn View,
    pub(super) set: WriteSet,
    pub(super) tree: std::sync::Arc<UnitTree>,
    revision: Revision,
    old_revision: Revision,
    records: HashMap<RecordId, Leaf>,
    subjects: HashMap<RecordId, Node>,
    pub(super) touched: HashSet<Subject>,
    pub(super) uniques: HashMap<[u8; 24], UniqueRow>,
    /// Conflicts read or raised in this commit.
    pub(super) conflicts: HashMap<u64, pb::Conflict>,
    /// Numbers of the open conflicts about a record.
    pub(super) open_about: HashMap<RecordId, Vec<u64>>,
    pub(super) conflict_number: Option<u64>,
    pub(super) opened: i64,
    /// Records that changed and whose surroundings have not been looked at.
    pub(super) to_inspect: Vec<RecordId>,
    /// What a rule sets once the changes of a batch have their revisions.
    pub(super) deferred: Vec<Deferred>,
    cells: HashMap<CellKey, Cell>,
    nodes: HashMap<String, NodeRow>,
    /// Edits that changed nothing but the history of their record.
    lost: Vec<(Revision, RecordId)>,
    pub(super) pending_number: Option<u64>,
    /// What goes across districts.
    pub(super) across: Across,
}

impl<'a> Pad<'a> {
    pub(super) fn new(core: &'a Core, view: &'a dyn View) -> Result<Self, StoreError> {
        let revision = rows::counter(view, meta::REVISION)?;
        Ok(Self {
            core,
            view,
            set: WriteSet::default(),
            tree: core.tree(),
            revision,
            old_revision: revision,
            records: HashMap::new(),
            subjects: HashMap::new(),
            touched: HashSet::new(),
            uniques: HashMap::new(),
            conflicts: HashMap::new(),
            open_about: HashMap::new(),
            conflict_number: None,
            opened: 0,
            to_inspect: Vec::new(),
            deferred: Vec::new(),
            cells: HashMap::new(),
            nodes: HashMap::new(),
            lost: Vec::new(),
            pending_number: None,
            across: Across::default(),
        })
    }

    /// Takes `count` revisions and returns the first.
    pub(super) fn take_revisions(&mut self, count: u64) -> Revision {
        let first = self.revision + 1;
        self.revision += count;
        first
    }

    fn leaf(&mut self, id: RecordId) -> Result<&mut Leaf, StoreError> {
        match self.records.entry(id) {
            Entry::Occupied(leaf) => Ok(leaf.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(read_leaf(self.view, id)?)),
        }
    }

    /// The newest revision given out.
    pub(super) fn newest_revision(&self) -> Revision {
        self.revision
    }

    /// Whether this commit makes the record.
    pub(super) fn is_new(&self, id: RecordId) -> bool {
        self.records.get(&id).is_some_and(|leaf| leaf.old_bytes.is_none())
    }

    /// A record as it stands on the pad.
    pub(super) fn record(&mut self, id: RecordId) -> Result<Option<&Record>, StoreError> {
        Ok(self.leaf(id)?.now.as_ref())
    }

    /// Puts a record's new state on the pad, with its links and the subjects that it takes part in.
    pub(super) fn put_record(&mut self, id: RecordId, record: Record) -> Result<(), StoreError> {
        let old = self.leaf(id)?.now.take();
        let mut subjects = Vec::new();
        if record.register == number::RESIDENT {
            self.subject(id)?; // read once, here, for all that asks who refers to a person
        }
        if let Some(old) = &old {
            subjects_of(&Reading(self), id, old, &mut subjects)?;
        }
        let before = old.as_ref().map(cell::links).unwrap_or_default();
        let after = cell::links(&record);
        for gone in before.iter().filter(|target| !after.contains(target)) {
            let node = self.subject(*gone)?;
            node.row.unlink(record.register, id);
            node.changed = true;
        }
        for fresh in after.iter().filter(|target| !before.contains(target)) {
            // A person's first row must hold what the person contributed without one.
            if self.record(*fresh)?.is_some_and(|target| target.register == number::RESIDENT) {
                subjects.push(Subject::Person(*fresh));
            }
            let node = self.subject(*fresh)?;
            node.row.link(record.register, id);
            node.changed = true;
        }
        self.index_unique(id, old.as_ref(), &record)?;
        let leaf = self.leaf(id)?;
        leaf.now = Some(record);
        leaf.changed = true;
        if let Some(now) = self.records.get(&id).and_then(|leaf| leaf.now.as_ref()) {
            subjects_of(&Reading(self), id, now, &mut subjects)?;
        }
        self.touched.extend(subjects);
        self.to_inspect.push(id);
        Ok(())
    }

    /// Takes note of an edit that lost: whoever holds the record is sent its history.
    pub(super) fn note_lost(&mut self, id: RecordId, revision: Revision) {
        self.lost.push((revision, id));
    }

    /// Makes every unit of the tree count, and what belongs to a code that was given up belong to its new one.
    pub(super) fn set_tree(&mut self, tree: &UnitTree, csv: String, version: Option<u64>) -> Result<(), WriteError> {
        let version = version.map_or_else(|| rows::counter(self.view, meta::TREE).map(|last| last + 1), Ok)?;
        self.set.put(Space::Documents, *b"units", csv);
        self.set.put(Space::Meta, meta::TREE, version.to_be_bytes());
        if self.core.tier != taizhang_proto::pb::Tier::City {
            let units = tree.below(self.core.unit).chain(self.tree.below(self.core.unit));
            self.touched.extend(units.map(|unit| Subject::Unit(unit.code)));
            self.tree = std::sync::Arc::new(tree.clone());
            self.follow_tree()?;
        }
        Ok(())
    }

    fn subject(&mut self, id: RecordId) -> Result<&mut Node, StoreError> {
        match self.subjects.entry(id) {
            Entry::Occupied(node) => Ok(node.into_mut()),
            Entry::Vacant(place) => {
                let row = rows::read(self.view, Space::Subjects, &id.0)?;
                let stored = row.is_some();
                Ok(place.insert(Node { row: row.unwrap_or_default(), stored, changed: false }))
            }
        }
    }

    fn cell(&mut self, key: CellKey) -> Result<&mut Cell, StoreError> {
        match self.cells.entry(key) {
            Entry::Occupied(cell) => Ok(cell.into_mut()),
            Entry::Vacant(place) => {
                let row = self.view.get(Space::Own, &key.to_bytes())?;
                let old = row.map(|row| OwnCell::from_slice(&row).ok_or(StoreError::Row(Space::Own))).transpose()?;
                let old = old.unwrap_or_default();
                Ok(place.insert(Cell { old, value: old.value }))
            }
        }
    }

    /// Adds to an own cell. What counts in another hub's scope, before a transfer or after, counts there.
    pub(super) fn add_to_cell(&mut self, key: CellKey, delta: i64) -> Result<(), StoreError> {
        if !self.core.unit.covers(key.unit) {
            return Ok(());
        }
        let cell = self.cell(key)?;
        cell.value = cell.value.saturating_add(delta);
        Ok(())
    }

    /// Sets an own cell to what a child says.
    pub(super) fn set_cell(&mut self, key: CellKey, value: i64) -> Result<(), StoreError> {
        self.cell(key)?.value = value;
        Ok(())
    }

    /// A child's row.
    pub(super) fn node(&mut self, id: &str) -> Result<Option<NodeRow>, StoreError> {
        if let Some(row) = self.nodes.get(id) {
            return Ok(Some(row.clone()));
        }
        rows::read(self.view, Space::Nodes, id.as_bytes())
    }

    pub(super) fn put_node(&mut self, row: NodeRow) {
        self.nodes.insert(row.id.clone(), row);
    }

    /// Derives everything and returns the write set with the newest revision.
    pub(super) fn finish(mut self) -> Result<(WriteSet, Revision), StoreError> {
        self.recount_subjects()?;
        let mut own: HashMap<OrgCode, UnitChange> = HashMap::new();
        self.write_records(&mut own);
        self.write_lost(&mut own);
        let before_cells = self.revision;
        self.write_cells(&mut own)?;
        self.write_letters(before_cells)?;
        let mut units: HashMap<OrgCode, UnitChange> = HashMap::new();
        for (unit, change) in own {
            for unit in unit.up_to(self.core.unit) {
                units.entry(unit).or_default().add(&change);
            }
        }
        for (unit, change) in units {
            let mut row: UnitRow =
                rows::read(self.view, Space::Units, &unit.number().to_be_bytes())?.unwrap_or_default();
            row.records = row.records_digest().plus(change.records).to_bytes().to_vec();
            row.cells = row.cells_digest().plus(change.cells).to_bytes().to_vec();
            row.count = row.count.saturating_add_signed(change.count);
            row.head = row.head.max(change.head);
            self.set.put(Space::Units, unit.number().to_be_bytes(), row.encode_to_vec());
        }
        for (key, row) in std::mem::take(&mut self.uniques).into_iter().filter(|(_, row)| row.changed) {
            if row.ids.is_empty() {
                self.set.remove(Space::Uniques, key);
            } else {
                self.set.put(Space::Uniques, key, row.ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>());
            }
        }
        self.write_conflicts()?;
        for (id, node) in self.subjects.into_iter().filter(|(_, node)| node.changed) {
            self.set.put(Space::Subjects, id.0, node.row.encode_to_vec());
        }
        for (id, row) in self.nodes {
            self.set.put(Space::Nodes, id.into_bytes(), row.encode_to_vec());
        }
        if self.revision != self.old_revision {
            self.set.put(Space::Meta, meta::REVISION, self.revision.to_be_bytes());
        }
        Ok((self.set, self.revision))
    }

    /// Recomputes what the touched subjects contribute and puts the differences into the cells. A person to whom
    /// nothing refers has no row of its own: what it contributed follows from its old record alone.
    fn recount_subjects(&mut self) -> Result<(), StoreError> {
        for subject in std::mem::take(&mut self.touched) {
            let id = subject.id();
            // A unit counts as long as the tree or a record names it.
            let forgotten = match subject {
                Subject::Unit(code) => !self.tree.contains(code) && self.subject(id)?.row.links.is_empty(),
                _ => false,
            };
            let now = if forgotten { Vec::new() } else { contributions(&Reading(self), subject, self.core.plan)? };
            let stored = self.subject(id)?.stored;
            let before = match subject {
                Subject::Person(_) if !stored => self.alone_before(id)?,
                _ => self.subject(id)?.row.contributions(subject),
            };
            let needs_row = match subject {
                // Who has no row is taken to count; who counts among the duplicates needs one.
                Subject::Person(_) => {
                    stored
                        || !self.subject(id)?.row.links.is_empty()
                        || now.iter().any(|one| one.key.part >= DUPLICATES)
                }
                _ => true,
            };
            if before == now && (stored || !needs_row) {
                continue;
            }
            let node = self.subject(id)?;
            node.row.set_contributions(subject, &now);
            node.changed = needs_row;
            for gone in before {
                self.add_to_cell(gone.key, -gone.delta)?;
            }
            for fresh in now {
                self.add_to_cell(fresh.key, fresh.delta)?;
            }
        }
        Ok(())
    }

    /// What a person without links contributed before this commit.
    fn alone_before(&mut self, id: RecordId) -> Result<Vec<Contribution>, StoreError> {
        let leaf = self.leaf(id)?;
        let Some(bytes) = leaf.old_bytes.clone() else { return Ok(Vec::new()) };
        let record = Record::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        contributions(&Alone(id, record), Subject::Person(id), self.core.plan)
    }

    fn write_records(&mut self, units: &mut HashMap<OrgCode, UnitChange>) {
        for (id, leaf) in self.records.iter().filter(|(_, leaf)| leaf.changed) {
            let Some(record) = &leaf.now else { continue };
            let bytes = record.encode();
            let revision = record.revision();
            let unit = home_unit(record);
            if let (Some(old), Some(old_unit)) = (&leaf.old_bytes, leaf.old_unit) {
                self.set.remove(Space::Feed, leaf.old_revision.to_be_bytes());
                let item = Item::record(*id, old);
                let change = units.entry(old_unit).or_default();
                change.records.remove(item);
                change.count -= 1;
                change.head = change.head.max(revision);
                if Some(old_unit) != unit {
                    let key = rows::at_revision(revision, &id.0);
                    self.set.put(Space::Departed, key, old_unit.number().to_be_bytes());
                }
            }
            if let Some(unit) = unit {
                let item = Item::record(*id, &bytes);
                let change = units.entry(unit).or_default();
                change.records.add(item);
                change.count += 1;
                change.head = change.head.max(revision);
                let sole_author = if record.changes == 1 { record.origins[0].node } else { 0 };
                let row = FeedRow { id: *id, unit, sole_author };
                self.set.put(Space::Feed, revision.to_be_bytes(), row.to_bytes());
            }
            self.set.put(Space::Records, id.0, bytes);
        }
    }

    fn write_lost(&mut self, units: &mut HashMap<OrgCode, UnitChange>) {
        for (revision, id) in std::mem::take(&mut self.lost) {
            let record = self.records.get(&id).and_then(|leaf| leaf.now.as_ref());
            let Some(unit) = record.and_then(home_unit) else { continue };
            let row = FeedRow { id, unit, sole_author: 0 };
            self.set.put(Space::Feed, revision.to_be_bytes(), row.to_bytes());
            let change = units.entry(unit).or_default();
            change.head = change.head.max(revision);
        }
    }

    /// Writes own cells, their feed and the sums of every ancestor.
    fn write_cells(&mut self, units: &mut HashMap<OrgCode, UnitChange>) -> Result<(), StoreError> {
        let changed: Vec<(CellKey, OwnCell, i64)> = self
            .cells
            .iter()
            .filter(|(_, cell)| cell.value != cell.old.value)
            .map(|(key, cell)| (*key, cell.old, cell.value))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        // Cells of one commit share one revision, so a parent takes them over together.
        let revision = self.take_revisions(1);
        let mut sums: HashMap<CellKey, i64> = HashMap::new();
        for (key, old, value) in changed {
            let bytes = key.to_bytes();
            if old.revision > 0 {
                self.set.remove(Space::CellFeed, rows::at_revision(old.revision, &bytes));
            }
            self.set.put(Space::Own, bytes, OwnCell { value, revision }.to_bytes());
            self.set.put(Space::CellFeed, rows::at_revision(revision, &bytes), []);
            for unit in key.unit.up_to(self.core.unit) {
                *sums.entry(CellKey { unit, ..key }).or_default() += value - old.value;
            }
            let change = units.entry(key.unit).or_default();
            if old.value != 0 {
                change.cells.remove(Item::cell(&bytes, old.value));
            }
            if value != 0 {
                change.cells.add(Item::cell(&bytes, value));
            }
        }
        for (key, delta) in sums.into_iter().filter(|(_, delta)| *delta != 0) {
            let bytes = key.to_bytes();
            let old = read_sum(self.view, &bytes)?;
            self.set.put(Space::Sums, bytes, (old + delta).to_be_bytes());
        }
        self.set.put(Space::Meta, meta::CELLS, revision.to_be_bytes());
        Ok(())
    }
}

/// A sum; 0 where there is none.
pub(crate) fn read_sum(view: &dyn View, key: &[u8]) -> Result<i64, StoreError> {
    let Some(row) = view.get(Space::Sums, key)? else { return Ok(0) };
    Ok(i64::from_be_bytes(row.as_ref().try_into().map_err(|_| StoreError::Row(Space::Sums))?))
}

fn read_leaf(view: &dyn View, id: RecordId) -> Result<Leaf, StoreError> {
    let Some(bytes) = view.get(Space::Records, &id.0)? else {
        return Ok(Leaf { old_bytes: None, old_revision: 0, old_unit: None, now: None, changed: false });
    };
    let record = Record::decode(bytes.clone()).map_err(|_| StoreError::Row(Space::Records))?;
    Ok(Leaf {
        old_bytes: Some(bytes),
        old_revision: record.revision(),
        old_unit: home_unit(&record),
        now: Some(record),
        changed: false,
    })
}

/// The pad as the rules read it.
pub(super) struct Reading<'p, 'a>(pub(super) &'p Pad<'a>);

impl Shelf for Reading<'_, '_> {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        match self.0.records.get(&id) {
            Some(leaf) => Ok(leaf.now.clone()),
            None => Ok(read_leaf(self.0.view, id)?.now),
        }
    }

    fn look<R>(&self, id: RecordId, read: impl FnOnce(Option<&Record>) -> R) -> Result<R, StoreError> {
        match self.0.records.get(&id) {
            Some(leaf) => Ok(read(leaf.now.as_ref())),
            None => Ok(read(read_leaf(self.0.view, id)?.now.as_ref())),
        }
    }

    fn referring(&self, target: RecordId, register: u32) -> Result<Vec<RecordId>, StoreError> {
        if let Some(node) = self.0.subjects.get(&target) {
            return Ok(node.row.referring(register));
        }
        let row: Option<SubjectRow> = rows::read(self.0.view, Space::Subjects, &target.0)?;
        Ok(row.map(|row| row.referring(register)).unwrap_or_default())
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        let key = rows::unique_key(register, tag, bytes);
        if let Some(row) = self.0.uniques.get(&key) {
            return Ok(row.ids.clone());
        }
        Ok(self.0.view.get(Space::Uniques, &key)?.map(|row| rows::ids_in(&row)).unwrap_or_default())
    }

    fn given_up_on(&self, unit: OrgCode) -> Option<taizhang_proto::date::Day> {
        self.0.tree.given_up_on(unit)
    }
}

/// One record and nothing that refers to it.
struct Alone(RecordId, Record);

impl Shelf for Alone {
    type Error = StoreError;

    fn record(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        Ok((id == self.0).then(|| self.1.clone()))
    }

    fn referring(&self, _: RecordId, _: u32) -> Result<Vec<RecordId>, StoreError> {
        Ok(Vec::new())
    }

    fn sharing(&self, _: u32, _: u32, _: &[u8]) -> Result<Vec<RecordId>, StoreError> {
        Ok(Vec::new())
    }
}
