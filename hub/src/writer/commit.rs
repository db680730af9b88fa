//! One commit: what it reads and changes, before it becomes one write set. Only who has it to change can change anything; what is read is
//! kept, whoever reads.
//! Invariant: everything derived (contributions, cells, sums, digests, feed) follows from the records in it once,
//! at the end, so a record that is changed many times in one commit costs its totals once.

mod derive;
mod fanout;
mod known;
pub(super) mod pending;
mod reading;
pub(super) mod unique;

pub(super) use derive::depends_on_others;
pub(super) use known::Known;
pub(super) use reading::Reading;

use crate::{
    rows::{self, NodeRow, OwnCell, SubjectRow, meta},
    store::{Space, StoreError, View, WriteSet},
    writer::{
        Core,
        commit::{
            pending::{Across, Deferred, Look},
            unique::UniqueRow,
        },
    },
};
use std::{
    cell::{Cell as Counter, RefCell},
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    rc::Rc,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{self, CellKey, Kept, Root, Subject, home_unit, roots_of},
    date::Day,
    org::UnitTree,
    pb,
    record::Revision,
    register::{HOME_UNIT, number},
};

/// What is looked at for each record around one that changed: itself, who it speaks of, and whom that counts for.
const WORK_AROUND: u64 = 32;

/// What an open conflict about a record asks: its kind, the other record, the fields.
pub(super) type Question = (i32, bytes::Bytes, Vec<u32>);

/// A record in the commit: as it was, and as it is.
struct Leaf {
    old_bytes: Option<bytes::Bytes>,
    old_revision: Revision,
    old_unit: Option<OrgCode>,
    /// Units that it came to and left again within this commit, each with the revision that brought it there.
    passed: Vec<(Revision, OrgCode)>,
    now: Option<Rc<Record>>,
    changed: bool,
}

/// A subject row in the commit.
struct Node {
    row: SubjectRow,
    /// The row is on disk; a person without links needs none, see [`Commit::recount_subjects`].
    stored: bool,
    /// A subject of this id needs the row: others of the same id, such as the person and the household that a case takes it for, share it.
    wanted: bool,
    changed: bool,
}

impl Node {
    /// Whether the row is to be on disk. What was linked and unlinked again within one commit leaves none: an empty one would say
    /// that the person contributes nothing.
    fn has_row(&self) -> bool {
        self.stored || self.wanted || !self.row.links.is_empty()
    }
}

/// An own cell in the commit.
struct Cell {
    old: OwnCell,
    value: i64,
}

pub(super) struct Commit<'a> {
    pub(super) core: &'a Core,
    pub(super) view: &'a dyn View,
    pub(super) set: WriteSet,
    pub(super) tree: std::sync::Arc<UnitTree>,
    pub(super) tree_version: u64,
    revision: Revision,
    old_revision: Revision,
    /// What was read of them is kept, whoever reads; only [`Commit::put_record`] changes one.
    records: RefCell<HashMap<RecordId, Leaf>>,
    subjects: HashMap<RecordId, Node>,
    pub(super) touched: HashSet<Subject>,
    /// Whom the changed records touch, as they were and as they are: followed once, when everything stands.
    pub(super) roots: HashSet<Root>,
    /// What several subjects need, as the records in the commit stand.
    kept: Kept,
    /// Work done and promised so far: records and links that were looked at, or will be at the end.
    work: Counter<u64>,
    /// Targets whose links are in the work already.
    weighed: HashSet<RecordId>,
    /// Where in the write set the history and the verdicts of this commit are.
    pub(super) added_history: HashMap<RecordId, Vec<usize>>,
    pub(super) added_verdicts: Vec<usize>,
    /// Bytes of history that records had before this commit, as far as somebody asked.
    pub(super) history_stood: RefCell<HashMap<RecordId, u64>>,
    pub(super) uniques: RefCell<HashMap<[u8; 24], UniqueRow>>,
    /// Conflicts read or raised in this commit.
    pub(super) conflicts: HashMap<u64, pb::Conflict>,
    /// Numbers of the open conflicts about a record.
    pub(super) open_about: HashMap<RecordId, Vec<u64>>,
    /// Records about which no more is asked in this commit.
    pub(super) overfull: HashSet<RecordId>,
    /// What the open conflicts about a record ask, where that was asked for.
    pub(super) asked: HashMap<RecordId, HashMap<Question, u64>>,
    /// Numbers of the findings about a record that a reviewer has let stand.
    pub(super) let_stand: HashMap<RecordId, Vec<u64>>,
    pub(super) conflict_number: Option<u64>,
    pub(super) opened: i64,
    /// Records that changed and whose surroundings have not been looked at.
    pub(super) to_inspect: Vec<RecordId>,
    /// What was asked for while looking at them, and is looked at once for all that ask.
    pub(super) to_look: Vec<Look>,
    /// What a rule sets once the changes of a batch have their revisions.
    pub(super) deferred: Vec<Deferred>,
    cells: HashMap<CellKey, Cell>,
    nodes: HashMap<String, NodeRow>,
    /// Records that have a history from their first change on: not all of it came to stand.
    pub(super) disputed: HashSet<RecordId>,
    /// Edits that changed nothing but the history of their record.
    lost: Vec<(Revision, RecordId)>,
    pub(super) pending_number: Option<u64>,
    /// A newer roll of retirements and used tokens.
    pub(super) new_roll: Option<pb::Roll>,
    /// A newer list of the city's tasks, under its version.
    pub(super) new_orders: Option<(u64, bytes::Bytes)>,
    /// What goes across districts.
    pub(super) across: Across,
    /// Units and parts whose cells a child changed: they are looked at before the commit ends.
    pub(super) unjudged: BTreeSet<(OrgCode, u16)>,
    /// A child has said all it had to say: what it changed can be looked at.
    pub(super) judge_now: bool,
    /// The next day on which a code of the tree is given up, where that was worked out.
    pub(super) follow_next: Option<Day>,
    /// The city's tree of units was replaced.
    tree_is_new: bool,
    /// Cells that are taken off the disk.
    forgotten: HashSet<CellKey>,
    /// What each unit has for everybody below it, where that is worked out anew from all records.
    pub(super) below_anew: Option<HashMap<OrgCode, rows::BelowRow>>,
}

impl<'a> Commit<'a> {
    pub(super) fn new(core: &'a Core, view: &'a dyn View) -> Result<Self, StoreError> {
        let revision = rows::counter(view, meta::REVISION)?;
        let (tree_version, tree) = core.versioned_tree();
        Ok(Self {
            core,
            view,
            set: WriteSet::default(),
            tree,
            tree_version,
            revision,
            old_revision: revision,
            records: RefCell::default(),
            subjects: HashMap::new(),
            touched: HashSet::new(),
            roots: HashSet::new(),
            kept: Kept::default(),
            work: Counter::new(0),
            weighed: HashSet::new(),
            added_history: HashMap::new(),
            added_verdicts: Vec::new(),
            history_stood: RefCell::default(),
            uniques: RefCell::default(),
            conflicts: HashMap::new(),
            open_about: HashMap::new(),
            asked: HashMap::new(),
            overfull: HashSet::new(),
            let_stand: HashMap::new(),
            conflict_number: None,
            opened: 0,
            to_inspect: Vec::new(),
            to_look: Vec::new(),
            deferred: Vec::new(),
            cells: HashMap::new(),
            nodes: HashMap::new(),
            disputed: HashSet::new(),
            lost: Vec::new(),
            pending_number: None,
            new_roll: None,
            new_orders: None,
            across: Across::default(),
            unjudged: BTreeSet::new(),
            judge_now: false,
            follow_next: None,
            tree_is_new: false,
            forgotten: HashSet::new(),
            below_anew: None,
        })
    }

    /// Takes `count` revisions and returns the first.
    pub(super) fn take_revisions(&mut self, count: u64) -> Revision {
        let first = self.revision + 1;
        self.revision += count;
        first
    }

    /// Leaves revisions out up to one that was given out before this store lost it.
    pub(super) fn go_on_after(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
    }

    /// Takes note of work, by what was looked at or will be.
    pub(super) fn count_work(&self, looked_at: u64) {
        self.work.set(self.work.get().saturating_add(looked_at));
    }

    /// The work so far.
    pub(super) fn work(&self) -> u64 {
        self.work.get()
    }

    /// Whether this commit has enough to do: what else there is goes into the next one.
    pub(super) fn is_full(&self) -> bool {
        self.work.get() >= self.core.work_in_commit()
    }

    /// Counts what looking at everybody around a target will cost, once.
    fn weigh(&mut self, target: RecordId) -> Result<(), StoreError> {
        if self.weighed.insert(target) {
            let around = self.subject(target)?.row.count();
            self.count_work(around as u64 * WORK_AROUND);
        }
        Ok(())
    }

    /// Reads a record's row; that it can't be read is on record from then on.
    fn read(core: &Core, view: &dyn View, id: RecordId) -> Result<Leaf, StoreError> {
        read_leaf(view, id).inspect_err(|error| {
            if error.is_damage() {
                core.note_unreadable(id);
            }
        })
    }

    fn leaf(&mut self, id: RecordId) -> Result<&mut Leaf, StoreError> {
        match self.records.get_mut().entry(id) {
            Entry::Occupied(leaf) => Ok(leaf.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Self::read(self.core, self.view, id)?)),
        }
    }

    /// The newest revision given out.
    pub(super) fn newest_revision(&self) -> Revision {
        self.revision
    }

    /// Whether this commit makes the record.
    pub(super) fn is_new(&self, id: RecordId) -> bool {
        self.records.borrow().get(&id).is_some_and(|leaf| leaf.old_bytes.is_none())
    }

    /// A record as it stands in the commit.
    pub(super) fn record(&self, id: RecordId) -> Result<Option<Rc<Record>>, StoreError> {
        if let Some(leaf) = self.records.borrow().get(&id) {
            return Ok(leaf.now.clone());
        }
        let leaf = Self::read(self.core, self.view, id)?;
        let now = leaf.now.clone();
        self.records.borrow_mut().insert(id, leaf);
        Ok(now)
    }

    /// Puts a record's new state in the commit, with its links and the subjects that it takes part in.
    pub(super) fn put_record(&mut self, id: RecordId, record: Record) -> Result<(), StoreError> {
        let old = self.leaf(id)?.now.take();
        self.count_work(WORK_AROUND);
        if matches!(record.register, number::RESIDENT | number::PLACEMENT | number::POST) {
            self.kept.forget();
        }
        if record.register == number::RESIDENT || old.is_some() {
            self.weigh(id)?; // read once, here, for all that asks who refers to a person
        }
        if let Some(old) = &old {
            self.roots.extend(roots_of(id, old));
            if let Some((tag, text)) = cell::remembered(old, &record) {
                self.deferred.push(Deferred::Remember { id, tag, text });
            }
            self.to_look.extend(Look::after(id, old, &record));
        }
        let before = old.as_deref().map(cell::links).unwrap_or_default();
        let after = cell::links(&record);
        for gone in before.iter().filter(|target| !after.contains(target)) {
            let node = self.subject(*gone)?;
            node.row.unlink(record.register, id);
            node.changed = true;
        }
        for fresh in after.iter().filter(|target| !before.contains(target)) {
            // A subject's first row must hold what it contributed without one.
            let register = self.record(*fresh)?.as_deref().map(|target| target.register);
            self.touched.extend(register.and_then(|register| cell::itself(register, *fresh)));
            let node = self.subject(*fresh)?;
            node.row.link(record.register, id);
            node.changed = true;
        }
        for target in before.iter().chain(&after) {
            self.weigh(*target)?;
        }
        self.index_unique(id, old.as_deref(), &record)?;
        let moved = old.as_ref().filter(|old| home_unit(old) != home_unit(&record));
        let left = moved.and_then(|old| Some((old.origin(HOME_UNIT)?.revision, home_unit(old)?)));
        let leaf = self.leaf(id)?;
        leaf.passed.extend(left.filter(|(came, _)| *came > leaf.old_revision));
        let roots = roots_of(id, &record);
        leaf.now = Some(Rc::new(record));
        leaf.changed = true;
        self.roots.extend(roots);
        self.to_inspect.push(id);
        Ok(())
    }

    /// Takes note of an edit that lost: whoever holds the record is sent its history.
    pub(super) fn note_lost(&mut self, id: RecordId, revision: Revision) {
        self.lost.push((revision, id));
    }

    /// Puts a tree in the commit, every unit of which counts. Whoever replaces one has what was given up follow, too
    /// (`rehome::set_tree`).
    pub(super) fn put_tree(&mut self, tree: &UnitTree, csv: String, version: Option<u64>) {
        self.tree_version = version.unwrap_or(self.tree_version.saturating_add(1));
        self.set.put(Space::Documents, *b"units", csv);
        self.set.put(Space::Meta, meta::TREE, self.tree_version.to_be_bytes());
        if self.core.tier == taizhang_proto::pb::Tier::City {
            self.tree = std::sync::Arc::new(tree.clone());
            self.tree_is_new = true;
        } else {
            let units = tree.below(self.core.unit).chain(self.tree.below(self.core.unit));
            self.touched.extend(units.map(|unit| Subject::Unit(unit.code)));
            self.tree = std::sync::Arc::new(tree.clone());
        }
    }

    /// Looks at a subject's row as it stands in the commit, or on the disk: it is not kept for later.
    fn look_at_subject<R>(&self, id: RecordId, read: impl FnOnce(&Node) -> R) -> Result<R, StoreError> {
        Ok(match self.subjects.get(&id) {
            Some(node) => read(node),
            None => read(&read_node(self.view, id)?),
        })
    }

    fn subject(&mut self, id: RecordId) -> Result<&mut Node, StoreError> {
        match self.subjects.entry(id) {
            Entry::Occupied(node) => Ok(node.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(read_node(self.view, id)?)),
        }
    }

    fn cell(&mut self, key: CellKey) -> Result<&mut Cell, StoreError> {
        match self.cells.entry(key) {
            Entry::Occupied(cell) => Ok(cell.into_mut()),
            Entry::Vacant(place) => {
                let old = rows::own_cell(self.view, key)?;
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

    /// Whether a child's cell stands on the disk, and its value as it stands in the commit.
    pub(super) fn known_cell(&mut self, key: CellKey) -> Result<(bool, i64), StoreError> {
        let forgotten = self.forgotten.contains(&key);
        let cell = self.cell(key)?;
        Ok((cell.old.revision > 0 && !forgotten, cell.value))
    }

    pub(super) fn is_in_commit(&self, key: CellKey) -> bool {
        self.cells.contains_key(&key)
    }

    /// The cells that are in the commit.
    pub(super) fn cells_in_commit(&self) -> impl Iterator<Item = (CellKey, i64)> {
        self.cells.iter().map(|(key, cell)| (*key, cell.value))
    }

    /// Takes a cell that is zero off the disk.
    pub(super) fn forget_cell(&mut self, key: CellKey, revision: Revision) {
        let bytes = key.to_bytes();
        self.set.remove(Space::CellFeed, rows::at_revision(revision, &bytes));
        self.set.remove(Space::Own, bytes);
        self.forgotten.insert(key);
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
}

fn read_node(view: &dyn View, id: RecordId) -> Result<Node, StoreError> {
    let row = rows::read(view, Space::Subjects, &id.0)?;
    Ok(Node { stored: row.is_some(), row: row.unwrap_or_default(), wanted: false, changed: false })
}

fn read_leaf(view: &dyn View, id: RecordId) -> Result<Leaf, StoreError> {
    let Some(bytes) = view.get(Space::Records, &id.0)? else {
        let (old_bytes, old_unit, now) = (None, None, None);
        return Ok(Leaf { old_bytes, old_revision: 0, old_unit, passed: Vec::new(), now, changed: false });
    };
    let record = Record::decode(bytes.clone()).map_err(|_| StoreError::Row(Space::Records))?;
    Ok(Leaf {
        old_bytes: Some(bytes),
        old_revision: record.revision(),
        old_unit: home_unit(&record),
        passed: Vec::new(),
        now: Some(Rc::new(record)),
        changed: false,
    })
}
