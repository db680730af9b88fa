//! Totals maintained with every write equal a recount, whatever arrives in whatever order.
//! The maintainer here does what a hub does: it asks for the roots of every record that a commit writes, as it stood before and stands after, follows
//! them once and adds differences.

use crate::fixture::{MemoryShelf, id_of, unit};
use proptest::{collection::vec, prelude::*};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{self, CellKey, Contribution, Subject},
    date::{self, Day},
    pb::Format,
    plan::Plans,
    register::{MERGED_INTO, Refers, Shape, Value, number, registers},
};

/// Two urban communities, a village and a rural township.
pub(crate) const UNITS: [u64; 4] = [210_402_011_003, 210_402_011_004, 210_421_101_201, 210_421_101_000];
/// How many registers there are.
const REGISTERS: u32 = 35;
/// How many records of each register the random writes touch.
const SLOTS: u32 = 3;

/// The fields on which totals depend, by register.
fn counted_fields(register: u32) -> &'static [&'static str] {
    match register {
        number::RESIDENT => &[
            "laidoff_kind",
            "laidoff_on",
            "labour_able",
            "job_willing",
            "shanty_resettled",
            "death_on",
            "moveout_on",
            "retire_on",
            "verified_on",
            "train_wish",
        ],
        number::HOUSEHOLD => &["verified_on", "status", "closed_on"],
        number::MEMBER => &["household", "person", "household", "person", "counted", "from_on", "to_on", "relation"],
        number::UNEMPLOYMENT_SPELL => &["person", "person", "reg_on", "lost_on", "end_on", "end_cause"],
        number::ZEF_CASE => &[
            "household",
            "household",
            "kind",
            "recognised_on",
            "recognised_on",
            "want_dual",
            "asked_on",
            "exit_on",
            "exit_cause",
            "applied_on",
        ],
        number::PLACEMENT => &["person", "person", "start_on", "end_on", "post", "channel", "proof"],
        number::FACILITY => &[
            "area_m2",
            "six_verified",
            "area_verified",
            "checked_on",
            "effective_on",
            "shanty",
            "one_stop_window",
            "premises_fit",
            "fixed_place",
            "three_score",
        ],
        number::ASSISTANT => &["from_on", "from_on", "to_on"],
        number::CREDENTIAL => &["assistant", "assistant", "issued_on", "void_on", "level"],
        number::FEC_CASE => {
            &["certified_on", "certified_on", "rectify_from", "rectify_due", "restored_on", "revoked_on"]
        }
        number::POST => &["kind", "places", "from_on", "to_on", "subsidy_until"],
        number::HARDSHIP_CASE => &["person", "person", "recognised_on", "recognised_on", "exit_on", "exit_cause"],
        number::SERVICE_RECORD => {
            &["person", "person", "household", "household", "kind", "send_type", "on", "on", "campaign", "counters"]
        }
        number::TRAINING_CLASS => &["free", "free"],
        number::TRAINEE => &["person", "person", "training_class", "training_class", "enrolled_on", "enrolled_on"],
        number::PUBLISHED_DOC => &["kind", "kind", "published_on", "published_on", "until"],
        number::SPOT_CHECK => &["fec_case", "checked_on"],
        number::EVENT => &["kind", "on", "on", "intents", "hired"],
        number::PAIRING => &["household", "household", "person", "from_on", "from_on", "to_on"],
        number::TASK => &["due_on", "due_on", "closed_on", "withdrawn_on"],
        number::ARCHIVE_ENTRY => &["record_ref", "record_ref", "formed_on", "archived_on"],
        number::PERIOD_CLOSE => {
            &["month", "closed_on", "version", "approved_on", "approved_version", "returned_on", "returned_version"]
        }
        _ => &[],
    }
}

/// One random write of one record.
#[derive(Debug, Clone)]
struct Write {
    id: RecordId,
    register: u32,
    edits: Vec<(u32, Option<Value>)>,
}

/// A number between 0 and `below`, taken from the low end of `dice`, which keeps the rest.
fn roll(dice: &mut u64, below: u64) -> u64 {
    let face = *dice % below;
    *dice /= below;
    face
}

fn value_of(register: u32, name: &str, mut dice: u64) -> (u32, Option<Value>) {
    let field = registers().get(register).unwrap().field_named(name).unwrap();
    if roll(&mut dice, 8) == 0 {
        return (field.tag, None);
    }
    let value = match (field.format, field.shape) {
        (Format::Unit, _) => Value::Uint(UNITS[roll(&mut dice, UNITS.len() as u64) as usize]),
        (Format::Date, _) => Value::Day(date::ymd(2007, 12, 1).unwrap() + roll(&mut dice, 110) as Day),
        (Format::Ref, _) => {
            let register = match roll(&mut dice, 8) {
                // A reference into the wrong register: a hub takes what is well-formed.
                0 => roll(&mut dice, REGISTERS.into()) as u32 + 1,
                _ => match field.refers.unwrap() {
                    Refers::To(register) => register,
                    Refers::Any => [number::ZEF_CASE, number::HARDSHIP_CASE, number::FEC_CASE, number::POST]
                        [roll(&mut dice, 4) as usize],
                },
            };
            Value::Ref(id_of(register, roll(&mut dice, SLOTS.into()) as u32))
        }
        (Format::Code, _) if field.many => {
            let codes = field.codes.unwrap().codes.keys();
            let most = if roll(&mut dice, 2) == 0 { 6 } else { roll(&mut dice, 6) as usize };
            Value::Many(codes.take(most).cloned().map(Value::Text).collect())
        }
        (Format::Code, _) => {
            let codes = &field.codes.unwrap().codes;
            let index = roll(&mut dice, codes.len() as u64) as usize;
            Value::Text(codes.keys().nth(index).unwrap().clone())
        }
        (_, Shape::Bool) => Value::Bool(roll(&mut dice, 4) > 0),
        (_, Shape::Uint) if name == "places" => Value::Uint(roll(&mut dice, 4)),
        (_, Shape::Uint) if field.many => {
            Value::Many((0..3 + roll(&mut dice, 2)).map(|_| Value::Uint(70 + roll(&mut dice, 31))).collect())
        }
        (_, Shape::Uint) => Value::Uint(8_000 + roll(&mut dice, 4_000)),
        (_, Shape::Text) if name == "month" => Value::Text(format!("2008-{:02}", 1 + roll(&mut dice, 13))),
        (_, Shape::Text) if field.many => Value::Many(vec![Value::Text("有".into())]),
        (_, Shape::Text) => Value::Text("有".into()),
        other => panic!("no random value for {name}, {other:?}"),
    };
    // An empty list is a cleared field.
    let empty = matches!(&value, Value::Many(values) if values.is_empty());
    (field.tag, (!empty).then_some(value))
}

fn write() -> impl Strategy<Value = Write> {
    (1..=REGISTERS, 0..SLOTS, vec((any::<prop::sample::Index>(), any::<u64>()), 1..5), any::<[u64; 4]>()).prop_map(
        |(register, slot, picks, [own, voided, owner, merged])| {
            let names = counted_fields(register);
            let mut edits: Vec<(u32, Option<Value>)> = Vec::new();
            let mut add = |edit: (u32, Option<Value>)| {
                if edits.iter().all(|(tag, _)| *tag != edit.0) {
                    edits.push(edit);
                }
            };
            for (pick, dice) in picks.iter().filter(|_| !names.is_empty()) {
                add(value_of(register, names[pick.index(names.len())], *dice));
            }
            if own % 2 == 0 || names.is_empty() {
                add(value_of(register, "home_unit", owner));
            }
            if voided % 8 == 0 {
                add(value_of(register, "state", voided / 8));
            }
            // Now and then it is merged into one before it, or stands by itself again: no merge leads in a circle.
            if merged % 4 == 0 {
                let into = (merged / 4) as u32 % (slot + 1);
                let value = (into < slot).then(|| Value::Ref(id_of(register, into)));
                add((MERGED_INTO, value));
            }
            Write { id: id_of(register, slot), register, edits }
        },
    )
}

/// A complete record of each kind, so that random sequences start from a world in which much counts.
fn whole(register: u32, slot: u32, dice: u64) -> Write {
    let names = counted_fields(register).iter().copied().chain(["home_unit"]);
    let mut edits: Vec<(u32, Option<Value>)> = Vec::new();
    for (place, name) in names.enumerate() {
        let (tag, value) = value_of(register, name, dice.rotate_left(place as u32 * 7) | 1);
        if value.is_some() && edits.iter().all(|(other, _)| *other != tag) {
            edits.push((tag, value));
        }
    }
    Write { id: id_of(register, slot), register, edits }
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let start = vec(any::<u64>(), (REGISTERS * SLOTS) as usize).prop_map(|dice| {
        let places = (1..=REGISTERS).flat_map(|register| (0..SLOTS).map(move |slot| (register, slot)));
        places.zip(dice).map(|((register, slot), dice)| whole(register, slot, dice)).collect::<Vec<_>>()
    });
    (start.prop_shuffle(), vec(write(), 0..80)).prop_map(|(start, more)| [start, more].concat())
}

/// The records that some writes leave.
pub(crate) fn any_world() -> impl Strategy<Value = MemoryShelf> {
    writes().prop_map(|writes| {
        let mut shelf = MemoryShelf::default();
        for write in writes {
            shelf.write(write.id, write.register, &write.edits);
        }
        shelf
    })
}

fn plan() -> &'static Plans {
    Plans::notice_2008()
}

fn counted(shelf: &MemoryShelf, subject: Subject) -> Vec<Contribution> {
    cell::contributions(shelf, subject, plan()).unwrap()
}

/// Cells kept as a hub keeps them: by differences.
#[derive(Default)]
struct Maintained {
    shelf: MemoryShelf,
    last: HashMap<Subject, Vec<Contribution>>,
    cells: BTreeMap<CellKey, i64>,
}

impl Maintained {
    /// Every unit of the tree counts from the start.
    fn new() -> Self {
        let mut own = Self::default();
        for code in UNITS {
            own.recompute(Subject::Unit(unit(code)));
        }
        own
    }

    /// The writes of one commit: what they touch is followed once, as the records stand after the last of them.
    fn commit(&mut self, writes: &[Write]) {
        let mut roots = Vec::new();
        for write in writes {
            let record = self.shelf.edited(write.id, write.register, &write.edits);
            roots.extend(self.shelf.records.get(&write.id).into_iter().flat_map(|old| cell::roots_of(write.id, old)));
            roots.extend(cell::roots_of(write.id, &record));
            self.shelf.put(write.id, record);
        }
        for subject in cell::subjects_under(&self.shelf, roots).unwrap() {
            self.recompute(subject);
        }
    }

    fn recompute(&mut self, subject: Subject) {
        let now = counted(&self.shelf, subject);
        let before = self.last.insert(subject, now.clone()).unwrap_or_default();
        let steps = now.iter().map(|step| (step.key, step.delta));
        for (key, delta) in steps.chain(before.iter().map(|step| (step.key, -step.delta))) {
            let value = self.cells.entry(key).or_default();
            *value += delta;
            if *value == 0 {
                self.cells.remove(&key);
            }
        }
    }
}

/// The cells counted from the records alone: the subjects of every record, and every unit of the tree.
pub(crate) fn recount(shelf: &MemoryShelf) -> BTreeMap<CellKey, i64> {
    let mut all: BTreeSet<Subject> = UNITS.into_iter().map(|code| Subject::Unit(unit(code))).collect();
    for (id, record) in &shelf.records {
        let mut own = Vec::new();
        cell::subjects_of(shelf, *id, record, &mut own).unwrap();
        all.extend(own);
    }
    let mut cells = BTreeMap::new();
    for step in all.into_iter().flat_map(|subject| counted(shelf, subject)) {
        *cells.entry(step.key).or_default() += step.delta;
    }
    cells.retain(|_, value| *value != 0);
    cells
}

fn difference(one: &BTreeMap<CellKey, i64>, two: &BTreeMap<CellKey, i64>) -> Vec<(CellKey, i64, i64)> {
    let keys: BTreeSet<_> = one.keys().chain(two.keys()).copied().collect();
    let value = |cells: &BTreeMap<CellKey, i64>, key| cells.get(key).copied().unwrap_or_default();
    keys.iter().map(|key| (*key, value(one, key), value(two, key))).filter(|(_, one, two)| one != two).collect()
}

proptest! {
    #[test]
    fn totals_equal_a_recount_after_every_commit(
        writes in writes(),
        sizes in vec(1..4_usize, (REGISTERS * SLOTS) as usize + 80),
    ) {
        let mut hub = Maintained::new();
        let mut rest = writes.as_slice();
        for size in sizes {
            let (commit, later) = rest.split_at(size.min(rest.len()));
            if commit.is_empty() {
                break;
            }
            hub.commit(commit);
            let off = difference(&hub.cells, &recount(&hub.shelf));
            prop_assert!(off.is_empty(), "after {commit:?}: (cell, kept, recounted) {off:?}");
            rest = later;
        }
    }

    #[test]
    fn totals_do_not_depend_on_the_order_of_arrival(
        (one, two) in writes().prop_flat_map(|writes| {
            // One write a record, so that any order ends in the same records.
            let mut first: Vec<Write> = writes.into_iter().take((REGISTERS * SLOTS) as usize).collect();
            // A post's places are given out in the order of arrival.
            for write in first.iter_mut().filter(|write| write.register == number::PLACEMENT) {
                write.edits.retain(|(tag, _)| *tag != 35);
            }
            (Just(first.clone()), Just(first).prop_shuffle())
        })
    ) {
        let run = |writes: &[Write]| {
            let mut hub = Maintained::new();
            for write in writes {
                hub.commit(std::slice::from_ref(write));
            }
            hub.cells
        };
        prop_assert_eq!(difference(&run(&one), &run(&two)), vec![]);
    }
}

/// Fields of a record by name.
type Fields<'a> = &'a [(&'a str, Value)];

/// A named case: records in this order, and the recount after each.
fn follow(writes: &[(u32, u32, Fields<'_>)]) -> Maintained {
    let mut hub = Maintained::new();
    for (register, slot, fields) in writes {
        let def = registers().get(*register).unwrap();
        let edits = fields.iter().map(|(name, value)| (def.field_named(name).unwrap().tag, Some(value.clone())));
        hub.commit(&[Write { id: id_of(*register, *slot), register: *register, edits: edits.collect() }]);
        let off = difference(&hub.cells, &recount(&hub.shelf));
        assert!(off.is_empty(), "after register {register}: {off:?}");
    }
    hub
}

fn home(code: u64) -> (&'static str, Value) {
    ("home_unit", Value::Uint(code))
}

fn total(hub: &Maintained, unit: OrgCode, part: taizhang_proto::indicator::Part, on: Day) -> i64 {
    let cells = hub.cells.iter().filter(|(key, _)| key.unit == unit && key.part == part.number() && key.date <= on);
    cells.map(|(_, value)| value).sum()
}

#[test]
fn a_credential_before_its_assistant_counts_once_the_assistant_is_there() {
    use taizhang_proto::indicator::Part;
    let day = date::ymd(2008, 2, 1).unwrap();
    let assistant = Value::Ref(id_of(number::ASSISTANT, 0));
    let credential: &[_] = &[home(UNITS[0]), ("assistant", assistant), ("issued_on", Value::Day(day))];
    let post: &[_] = &[home(UNITS[0]), ("from_on", Value::Day(day))];
    let hub = follow(&[(number::CREDENTIAL, 0, credential), (number::ASSISTANT, 0, post)]);
    assert_eq!(total(&hub, unit(UNITS[0]), Part::StationsCertified, day), 1);
    let moved = follow(&[
        (number::CREDENTIAL, 0, credential),
        (number::ASSISTANT, 0, post),
        (number::ASSISTANT, 0, &[home(UNITS[1])]),
    ]);
    assert_eq!(total(&moved, unit(UNITS[0]), Part::StationsCertified, day), 0);
    assert_eq!(total(&moved, unit(UNITS[1]), Part::StationsCertified, day), 1);
}

#[test]
fn a_reference_into_the_wrong_register_counts_nobody() {
    use taizhang_proto::indicator::Part;
    let day = date::ymd(2008, 2, 1).unwrap();
    let household = || Value::Ref(id_of(number::HOUSEHOLD, 0));
    let resident = || Value::Ref(id_of(number::RESIDENT, 0));
    let hub = follow(&[
        (number::HOUSEHOLD, 0, &[home(UNITS[0])]),
        (number::RESIDENT, 0, &[home(UNITS[0])]),
        (number::UNEMPLOYMENT_SPELL, 0, &[home(UNITS[0]), ("person", household()), ("reg_on", Value::Day(day))]),
        (number::ZEF_CASE, 0, &[home(UNITS[2]), ("household", resident()), ("recognised_on", Value::Day(day))]),
        (number::HOUSEHOLD, 0, &[home(UNITS[1])]),
        (number::RESIDENT, 0, &[home(UNITS[1])]),
    ]);
    assert_eq!(total(&hub, unit(UNITS[1]), Part::Residents, day), 1);
    assert_eq!(total(&hub, unit(UNITS[1]), Part::Unemployed, day), 0);
}
