//! What follows from the records in the commit: contributions, cells and their sums, digests, the feed.
//! Invariant: it is derived once, at the end of a commit, and is in the same write set as the records.

use crate::{
    rows::{self, FeedRow, NodeRow, OwnCell, UnitRow, meta},
    store::{Space, StoreError, View, WriteSet},
    totals::{self, unheard},
    upkeep,
    writer::commit::{
        Commit,
        reading::{Alone, Reading},
    },
};
use prost::Message;
use std::collections::HashMap;
use taizhang_proto::{
    OrgCode, Record,
    cell::{CellKey, Contribution, Subject, bounds, contributions, home_unit, links, subjects_under},
    date::Day,
    digest::{Item, ScopeDigest},
    indicator::Part,
    pb::{self, Tier},
    plan::Plans,
    record::Revision,
    register::is_for_below,
};

#[derive(Default)]
struct UnitChange {
    records: ScopeDigest,
    count: i64,
    head: Revision,
    cells: ScopeDigest,
    /// Of the unit itself alone, not of what lies above it.
    below: BelowChange,
}

/// How what one unit has for everybody below it changes.
#[derive(Default)]
struct BelowChange {
    records: ScopeDigest,
    count: i64,
    head: Revision,
}

/// What the rows of records and cells change.
pub(in crate::writer) struct Changes {
    own: HashMap<OrgCode, UnitChange>,
    /// The newest revision before the cells had theirs.
    pub(in crate::writer) before_cells: Revision,
}

impl UnitChange {
    /// Takes note that a record of this unit, of a register, is touched by a revision.
    fn touch(&mut self, register: u32, revision: Revision) {
        self.head = self.head.max(revision);
        if is_for_below(register) {
            self.below.head = self.below.head.max(revision);
        }
    }

    fn put(&mut self, register: u32, item: Item) {
        self.records.add(item);
        self.count += 1;
        if is_for_below(register) {
            self.below.records.add(item);
            self.below.count += 1;
        }
    }

    fn take(&mut self, register: u32, item: Item) {
        self.records.remove(item);
        self.count -= 1;
        if is_for_below(register) {
            self.below.records.remove(item);
            self.below.count -= 1;
        }
    }

    fn add(&mut self, other: &Self) {
        self.records = self.records.plus(other.records);
        self.count += other.count;
        self.head = self.head.max(other.head);
        self.cells = self.cells.plus(other.cells);
    }
}

impl Commit<'_> {
    /// Works out what the touched subjects contribute, and what the hub says of itself.
    pub(in crate::writer) fn recount(&mut self) -> Result<(), StoreError> {
        self.recount_subjects()?;
        self.recount_upkeep()?;
        self.note_unheard()
    }

    /// Writes the rows of records and cells; what changes of each unit by them.
    pub(in crate::writer) fn write_rows(&mut self) -> Result<Changes, StoreError> {
        let mut own: HashMap<OrgCode, UnitChange> = HashMap::new();
        self.write_records(&mut own);
        self.write_lost(&mut own);
        let before_cells = self.revision;
        self.write_cells(&mut own)?;
        Ok(Changes { own, before_cells })
    }

    /// Writes what is left and returns the write set with the newest revision.
    pub(in crate::writer) fn end(mut self, Changes { own, .. }: Changes) -> Result<(WriteSet, Revision), StoreError> {
        let mut units: HashMap<OrgCode, UnitChange> = HashMap::new();
        for (unit, change) in own {
            for above in unit.up_to(self.core.unit) {
                units.entry(above).or_default().add(&change);
            }
            if let Some(own) = units.get_mut(&unit) {
                own.below = change.below;
            }
        }
        let mut below_anew = self.below_anew.take();
        for unit in below_anew.iter().flat_map(HashMap::keys) {
            units.entry(*unit).or_default();
        }
        for (unit, change) in units {
            let mut row: UnitRow =
                rows::read(self.view, Space::Units, &unit.number().to_be_bytes())?.unwrap_or_default();
            let below = row.below.get_or_insert_default();
            if let Some(anew) = below_anew.as_mut().and_then(|anew| anew.remove(&unit)) {
                *below = anew;
            }
            below.records = below.records_digest().plus(change.below.records).to_bytes().to_vec();
            below.count = below.count.saturating_add_signed(change.below.count);
            below.head = below.head.max(change.below.head);
            row.below = row.below.filter(|below| below.head > 0);
            row.records = row.records_digest().plus(change.records).to_bytes().to_vec();
            row.cells = row.cells_digest().plus(change.cells).to_bytes().to_vec();
            row.count = row.count.saturating_add_signed(change.count);
            row.head = row.head.max(change.head);
            self.set.put(Space::Units, unit.number().to_be_bytes(), row.encode_to_vec());
        }
        for (key, row) in std::mem::take(self.uniques.get_mut()).into_iter().filter(|(_, row)| row.changed) {
            if row.ids.is_empty() {
                self.set.remove(Space::Uniques, key);
            } else {
                self.set.put(Space::Uniques, key, row.ids.iter().flat_map(|id| id.0).collect::<Vec<u8>>());
            }
        }
        for (id, node) in self.subjects.into_iter().filter(|(_, node)| node.changed && node.has_row()) {
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

    /// Recomputes what the touched subjects contribute and puts the differences into the cells. A person or record
    /// to which nothing refers has no row of its own: what it contributed follows from its old record alone.
    fn recount_subjects(&mut self) -> Result<(), StoreError> {
        let plans = self.core.plans();
        self.follow_roots()?;
        let touched = std::mem::take(&mut self.touched);
        self.core.note_touched(&touched);
        for subject in touched {
            self.recount_subject(subject, (&plans, &plans))?;
        }
        Ok(())
    }

    /// The same of one of them, which was counted `by` the first of two lists of plans, and is counted by the second.
    pub(in crate::writer) fn recount_subject(
        &mut self,
        subject: Subject,
        by: (&Plans, &Plans),
    ) -> Result<(), StoreError> {
        let id = subject.id();
        self.subject(id)?; // it is read once, for what follows
        let (before, now) = self.steps_of(subject, by)?;
        let own = match subject {
            Subject::Record(id) => self.record(id)?,
            _ => None,
        };
        let depends = depends_on_others(subject, &now, own.as_deref());
        let node = self.subject(id)?;
        if before == now && node.stored {
            return Ok(());
        }
        // Also where it needs no row: another subject of the same id may.
        node.row.set_contributions(subject, &now);
        node.wanted |= depends;
        node.changed = true;
        if before == now { Ok(()) } else { self.replace_steps(&before, &now) }
    }

    /// Finds whom the changed records touch, each neighbourhood once for all that lie in it.
    fn follow_roots(&mut self) -> Result<(), StoreError> {
        let roots = std::mem::take(&mut self.roots);
        let found = subjects_under(&Reading(self), roots)?;
        self.touched.extend(found);
        Ok(())
    }

    /// What a subject contributed before this commit by one list of plans, and what it contributes as it stands in the commit by another.
    fn steps_of(
        &self,
        subject: Subject,
        (counted_by, plans): (&Plans, &Plans),
    ) -> Result<(Vec<Contribution>, Vec<Contribution>), StoreError> {
        let id = subject.id();
        // A unit counts as long as the tree or a record names it.
        let forgotten = match subject {
            Subject::Unit(code) => {
                !self.tree.contains(code) && self.look_at_subject(id, |node| node.row.links.is_empty())?
            }
            _ => false,
        };
        let now = if forgotten { Vec::new() } else { contributions(&Reading(self), subject, plans)? };
        let stored = self.look_at_subject(id, |node| node.stored)?;
        let before = match subject {
            Subject::Person(_) | Subject::Record(_) if !stored => self.alone_before(subject, counted_by)?,
            _ => self.look_at_subject(id, |node| node.row.contributions(subject))?,
        };
        Ok((before, now))
    }

    /// A unit's figure of a day as it will be with what is in the commit so far.
    pub(in crate::writer) fn sum_with_commit(&self, unit: OrgCode, part: Part, on: Day) -> Result<i64, StoreError> {
        let plans = self.core.plans();
        let mut sum = totals::sum(self.view, unit, part.number(), Day::MIN..=on)?;
        let mut touched = self.touched.clone();
        touched.extend(subjects_under(&Reading(self), self.roots.clone())?);
        for subject in touched {
            let (before, now) = self.steps_of(subject, (&plans, &plans))?;
            let asked = |key: &CellKey| key.part == part.number() && key.date <= on && unit.covers(key.unit);
            let of = |steps: &[Contribution]| -> i64 {
                steps.iter().filter(|step| asked(&step.key)).map(|step| step.delta).sum()
            };
            sum += of(&now) - of(&before);
        }
        Ok(sum)
    }

    /// Puts the difference between what something contributed and what it does now into the cells.
    pub(in crate::writer) fn replace_steps(
        &mut self,
        before: &[Contribution],
        now: &[Contribution],
    ) -> Result<(), StoreError> {
        if before == now {
            return Ok(());
        }
        for gone in before {
            self.add_to_cell(gone.key, -gone.delta)?;
        }
        for fresh in now {
            self.add_to_cell(fresh.key, fresh.delta)?;
        }
        Ok(())
    }

    /// Puts into the cells how the children and the conflicts of this commit count otherwise than before it.
    fn recount_upkeep(&mut self) -> Result<(), StoreError> {
        if self.core.tier == Tier::City {
            return Ok(()); // its cells are its children's
        }
        let (plans, hub) = (self.core.plans(), self.core.unit);
        let mut steps = Vec::new();
        for (id, row) in &self.nodes {
            let before: Option<NodeRow> = rows::read(self.view, Space::Nodes, id.as_bytes())?;
            let before = before.map(|row| upkeep::of_node(&row, &plans)).unwrap_or_default();
            steps.push((before, upkeep::of_node(row, &plans)));
        }
        for (number, conflict) in &self.conflicts {
            let before: Option<pb::Conflict> = rows::read(self.view, Space::Conflicts, &number.to_be_bytes())?;
            let of = |conflict| upkeep::of_conflict(conflict, hub, &plans);
            steps.push((before.as_ref().map(of).unwrap_or_default(), of(conflict)));
        }
        for (before, now) in steps {
            self.replace_steps(&before, &now)?;
        }
        Ok(())
    }

    /// Keeps what the tree says of districts that were never heard, where that has changed.
    fn note_unheard(&mut self) -> Result<(), StoreError> {
        if self.core.tier != Tier::City || (!self.tree_is_new && self.nodes.is_empty()) {
            return Ok(());
        }
        let known = totals::children(self.view)?;
        let known = known.iter().filter(|node| !self.nodes.contains_key(&node.id));
        let silent = unheard::districts(&self.tree, self.core.unit, known.chain(self.nodes.values()));
        // Counted by the plans in force: another list of them counts anew.
        let plans = self.core.plan_digest();
        let listed: Vec<u8> = silent.iter().flat_map(|unit| unit.number().to_be_bytes()).chain(plans).collect();
        if !self.tree_is_new && self.view.get(Space::Meta, meta::UNHEARD_LIST)?.is_some_and(|row| row == listed) {
            return Ok(());
        }
        let mut sums = unheard::sums(&self.tree, self.core.unit, &silent, &self.core.plans());
        for row in self.view.prefix(Space::Meta, meta::UNHEARD) {
            let (key, _) = row?;
            let cell = key.get(meta::UNHEARD.len()..).and_then(CellKey::from_slice);
            match cell.and_then(|cell| Some((cell, sums.remove(&cell)?))) {
                Some((cell, sum)) => self.set.put(Space::Meta, unheard::key(cell), sum.to_be_bytes()),
                None => self.set.remove(Space::Meta, key),
            }
        }
        for (cell, sum) in sums {
            self.set.put(Space::Meta, unheard::key(cell), sum.to_be_bytes());
        }
        self.set.put(Space::Meta, meta::UNHEARD_LIST, listed);
        Ok(())
    }

    /// What a person or a record without links contributed before this commit.
    fn alone_before(&self, subject: Subject, plans: &Plans) -> Result<Vec<Contribution>, StoreError> {
        let id = subject.id();
        self.record(id)?;
        let before = self.records.borrow().get(&id).and_then(|leaf| leaf.old_bytes.clone());
        let Some(bytes) = before else { return Ok(Vec::new()) };
        let record = Record::decode(bytes).map_err(|_| StoreError::Row(Space::Records))?;
        contributions(&Alone(id, record), subject, plans)
    }

    fn write_records(&mut self, units: &mut HashMap<OrgCode, UnitChange>) {
        for (id, leaf) in self.records.get_mut().iter().filter(|(_, leaf)| leaf.changed) {
            let Some(record) = &leaf.now else { continue };
            let bytes = record.encode();
            let revision = record.revision();
            let unit = home_unit(record);
            if let (Some(old), Some(old_unit)) = (&leaf.old_bytes, leaf.old_unit) {
                self.set.remove(Space::Feed, leaf.old_revision.to_be_bytes());
                let change = units.entry(old_unit).or_default();
                change.take(record.register, Item::record(*id, old));
                change.touch(record.register, revision);
                if Some(old_unit) != unit {
                    let key = rows::at_revision(revision, &id.0);
                    self.set.put(Space::Departed, key, old_unit.number().to_be_bytes());
                }
            }
            // Whoever wrote it there has it, and is not told of it by the feed.
            for (came, passed) in leaf.passed.iter().filter(|(_, passed)| Some(*passed) != unit) {
                self.set.put(Space::Departed, rows::at_revision(*came, &id.0), passed.number().to_be_bytes());
                units.entry(*passed).or_default().touch(record.register, *came);
            }
            if let Some(unit) = unit {
                let change = units.entry(unit).or_default();
                change.put(record.register, Item::record(*id, &bytes));
                change.touch(record.register, revision);
                let alone = record.changes == 1 && !self.disputed.contains(id);
                let sole_author = if alone { record.origins[0].node } else { 0 };
                let row = FeedRow { id: *id, unit, sole_author, for_below: is_for_below(record.register) };
                self.set.put(Space::Feed, revision.to_be_bytes(), row.to_bytes());
            }
            self.set.put(Space::Records, id.0, bytes);
        }
    }

    fn write_lost(&mut self, units: &mut HashMap<OrgCode, UnitChange>) {
        for (revision, id) in std::mem::take(&mut self.lost) {
            let record = self.records.get_mut().get(&id).and_then(|leaf| leaf.now.as_ref());
            let Some((register, unit)) = record.and_then(|record| Some((record.register, home_unit(record)?))) else {
                continue;
            };
            let row = FeedRow { id, unit, sole_author: 0, for_below: is_for_below(register) };
            self.set.put(Space::Feed, revision.to_be_bytes(), row.to_bytes());
            units.entry(unit).or_default().touch(register, revision);
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
            let step = match self.core.tier {
                // What a child says that can't be adds to no sum.
                Tier::City => bounds::counted(key, value) - bounds::counted(key, old.value),
                _ => value.saturating_sub(old.value),
            };
            for unit in key.unit.up_to(self.core.unit) {
                let sum = sums.entry(CellKey { unit, ..key }).or_default();
                *sum = i64::saturating_add(*sum, step);
            }
            let change = units.entry(key.unit).or_default();
            if old.value != 0 {
                change.cells.remove(Item::cell(&bytes, old.value));
            }
            if value != 0 {
                change.cells.add(Item::cell(&bytes, value));
            }
        }
        sums.retain(|_, delta| *delta != 0);
        for (key, delta) in &sums {
            let bytes = key.to_bytes();
            let old = read_sum(self.view, &bytes)?;
            self.set.put(Space::Sums, bytes, old.saturating_add(*delta).to_be_bytes());
        }
        if self.core.tier == Tier::City {
            totals::years::add(self.view, &sums, &mut self.set)?;
        }
        self.set.put(Space::Meta, meta::CELLS, revision.to_be_bytes());
        Ok(())
    }
}

/// Whether what a subject contributes may follow from more than its own record, so that it is stored. Who has no row is
/// taken to count and to be the only one. `own` is the record of a [`Subject::Record`].
pub(in crate::writer) fn depends_on_others(subject: Subject, now: &[Contribution], own: Option<&Record>) -> bool {
    match subject {
        Subject::Person(_) => now.iter().any(|one| Part::depends_on_others(one.key.part)),
        Subject::Record(_) => own.is_some_and(|record| !links(record).is_empty()),
        // Without a contribution it has a row by what refers to it alone: another subject of the same id would seem to have one.
        Subject::Household(_) => !now.is_empty(),
        Subject::Unit(_) => true,
    }
}

/// A sum; 0 where there is none.
fn read_sum(view: &dyn View, key: &[u8]) -> Result<i64, StoreError> {
    let Some(row) = view.get(Space::Sums, key)? else { return Ok(0) };
    Ok(i64::from_be_bytes(row.as_ref().try_into().map_err(|_| StoreError::Row(Space::Sums))?))
}
