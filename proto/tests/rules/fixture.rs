//! What the tests of this crate share: values of any field, edits through the wire, and a shelf in memory.
//! Invariant: every record here is made the way a hub makes one: `change::write`, `Edit::read`, `decide`, `apply`.

use proptest::{collection::vec, option, prelude::*};
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{self, Shelf},
    change::{self, Edit},
    decide::{self, Applied, Author, Decision},
    pb,
    record::Revision,
    register::{FieldDef, RegisterDef, Shape, Value, registers},
    stamp::Stamp,
    wire::Field,
};

/// The hub's clock in tests: 1 March 2008, noon in Shanghai.
pub(crate) const NOW: Stamp = Stamp(1_204_344_000_000 << 16);

/// A community, where records are at home.
pub(crate) const HOME: u64 = 210_402_011_003;

pub(crate) fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

/// The id of a register's record number `slot`.
pub(crate) fn id_of(register: u32, slot: u32) -> RecordId {
    RecordId::create(1_204_000_000_000 + u64::from(slot), [register as u8; 10])
}

pub(crate) fn register_def() -> impl Strategy<Value = &'static RegisterDef> {
    (1..=35_u32).prop_map(|number| registers().get(number).unwrap())
}

/// Any value of a field's shape, not necessarily one that passes `check`.
pub(crate) fn any_value(field: &FieldDef) -> BoxedStrategy<Value> {
    let one = match field.shape {
        Shape::Text => ".{0,12}".prop_map(Value::Text).boxed(),
        Shape::Uint => any::<u32>().prop_map(|value| Value::Uint(value.into())).boxed(),
        Shape::Sint => any::<i32>().prop_map(Value::Day).boxed(),
        Shape::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Shape::Bytes => any::<[u8; 16]>().prop_map(|id| Value::Ref(RecordId(id))).boxed(),
    };
    if field.many { vec(one, 1..4).prop_map(Value::Many).boxed() } else { one }
}

/// A random subset of a register's fields with random values, ascending by tag.
pub(crate) fn any_fields(def: &'static RegisterDef) -> impl Strategy<Value = Vec<(&'static FieldDef, Value)>> {
    let each: Vec<_> = def.fields.iter().map(|field| option::of(any_value(field))).collect();
    each.prop_map(move |values| {
        def.fields.iter().zip(values).filter_map(|(field, value)| Some((field, value?))).collect()
    })
}

/// One edit as it comes off the wire. `fields` in any order, each tag once.
pub(crate) fn edit(id: RecordId, register: u32, mut fields: Vec<(Field, Revision)>, stamp: Stamp) -> Edit {
    fields.sort_by_key(|(field, _)| field.tag);
    Edit::read(change::write(id, register, &fields, stamp, "tester")).unwrap()
}

/// The origin that a hub gives an edit.
pub(crate) fn origin(edit: &Edit, revision: Revision, node: u32) -> pb::Origin {
    pb::Origin {
        revision,
        stamp: edit.stamp.0,
        received: NOW.millis() / 1_000,
        unit: 210_402_011_003,
        node,
        by: edit.by.clone(),
        ..pb::Origin::default()
    }
}

/// A community's node.
pub(crate) fn community(node: u32) -> Author {
    Author { node, tier: pb::Tier::Community }
}

/// A hub's whole handling of one edit.
pub(crate) fn take(current: Option<&Record>, edit: &Edit, revision: Revision, node: u32) -> (Decision, Applied) {
    let mut edit = edit.clone();
    edit.stamp = edit.stamp.believed(NOW, 0);
    let decision = decide::decide(current, &edit, community(node));
    let applied = decide::apply(current, &edit, &decision, &origin(&edit, revision, node));
    (decision, applied)
}

/// Records and the index of what refers to what, in memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct MemoryShelf {
    pub(crate) records: HashMap<RecordId, Record>,
    links: HashMap<RecordId, BTreeSet<(u32, RecordId)>>,
    revision: Revision,
}

impl MemoryShelf {
    /// The record as it would stand after an edit whose author has seen everything. `None` clears a field.
    pub(crate) fn edited(&mut self, id: RecordId, register: u32, edits: &[(u32, Option<Value>)]) -> Record {
        let current = self.records.get(&id);
        let def = registers().get(register).unwrap();
        let fields = edits.iter().map(|(tag, value)| {
            let bytes = value.as_ref().map(|value| value.encode(def.field(*tag).unwrap())).unwrap_or_default();
            (Field { tag: *tag, bytes }, current.map_or(0, |record| record.revision_of(*tag)))
        });
        let edit = edit(id, register, fields.collect(), NOW);
        self.revision += 1;
        // A reviewer's hand: every register has fields that an office may only claim.
        let author = Author { node: decide::HUB_NODE, tier: pb::Tier::District };
        let decision = decide::decide(current, &edit, author);
        let applied = decide::apply(current, &edit, &decision, &origin(&edit, self.revision, author.node));
        assert!(decision.is_plain());
        applied.record
    }

    /// Puts a record in its place and keeps the index true.
    pub(crate) fn put(&mut self, id: RecordId, record: Record) {
        if let Some(old) = self.records.get(&id) {
            for target in cell::links(old) {
                self.links.entry(target).or_default().remove(&(old.register, id));
            }
        }
        for target in cell::links(&record) {
            self.links.entry(target).or_default().insert((record.register, id));
        }
        self.records.insert(id, record);
    }

    /// Edits and puts.
    pub(crate) fn write(&mut self, id: RecordId, register: u32, edits: &[(u32, Option<Value>)]) {
        let record = self.edited(id, register, edits);
        self.put(id, record);
    }
}

/// Fills in the record number `slot` of a register, by the names of its fields; absent values stay absent. It is at home
/// in [`HOME`] unless they say.
pub(crate) fn put(shelf: &mut MemoryShelf, register: u32, slot: u32, fields: &[(&str, Option<Value>)]) {
    let def = registers().get(register).unwrap();
    let home = ("home_unit", Some(Value::Uint(HOME)));
    let given = fields.iter().any(|(name, _)| *name == home.0);
    let fields = fields.iter().chain((!given).then_some(&home));
    let there = fields.filter(|(_, value)| value.is_some());
    let edits = there.map(|(name, value)| (def.field_named(name).unwrap().tag, value.clone()));
    shelf.write(id_of(register, slot), register, &edits.collect::<Vec<_>>());
}

impl Shelf for MemoryShelf {
    type Error = Infallible;

    fn record(&self, id: RecordId) -> Result<Option<Record>, Infallible> {
        Ok(self.records.get(&id).cloned())
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, Infallible> {
        Ok(self.links.get(&target).into_iter().flatten().copied().collect())
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, Infallible> {
        let carries =
            |record: &Record| record.register == register && record.bytes(tag).is_some_and(|own| own == bytes);
        Ok(self.records.iter().filter(|(_, record)| carries(record)).map(|(id, _)| *id).collect())
    }
}
