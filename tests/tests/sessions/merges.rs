//! Merges, their undoing and edits among records that share numbers, in any order, with recounts by a newer program between them: what
//! is stored is a recount after each. A seed that fails is printed with its steps.

use crate::pair::{community, neighbour, street, unit, with_tree};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use taizhang_hub::{
    rows::meta,
    store::{Space, Store, WriteSet},
    totals::audit,
    writer::{Answer, Core, Job, Review},
};
use taizhang_proto::{
    RecordId,
    pb::{self, Tier},
};
use taizhang_tests::{
    books,
    sim::{MemStore, Tables},
};

/// Seeds that are tried.
const SEEDS: u64 = 360;
/// Records of each register, and steps after they are entered.
const RECORDS: u64 = 4;
const STEPS: u64 = 40;

/// What stands in a field.
#[derive(Clone, Copy)]
enum Said {
    Unit,
    /// One of few numbers of persons.
    Number,
    /// The same, or none.
    NumberOrNone,
    /// One of few texts; an empty one is none.
    Of(&'static [&'static str]),
    /// A record of a register.
    Ref(&'static str),
    Day,
}

use Said::{Day, Number, NumberOrNone, Of, Ref, Unit};

/// Registers whose records are counted by what refers to them, or by whose they are.
const REGISTERS: [(&str, &[(&str, Said)]); 15] = [
    ("Resident", &[("id_no", Number), ("name", Of(&["张三", "李四"])), ("labour_able", Of(&["1", ""]))]),
    ("Household", &[("hh_no", Of(&["户1", "户2", ""]))]),
    ("Post", &[("post_no", Of(&["岗1", "岗2", "岗3"])), ("places", Of(&["1", "2"])), ("kind", Of(&["1", "20"]))]),
    ("TrainingClass", &[("class_no", Of(&["班1", "班2"])), ("free", Of(&["1", "0"]))]),
    ("Campaign", &[("title", Of(&["援助月", "送岗位"])), ("from_on", Day), ("to_on", Of(&["2008-12-31"]))]),
    ("Assistant", &[("name", Of(&["王五"])), ("id_no", NumberOrNone), ("from_on", Day)]),
    ("Member", &[("household", Ref("Household")), ("person", Ref("Resident")), ("relation", Of(&["01", "20"]))]),
    ("UnemploymentSpell", &[("person", Ref("Resident")), ("reg_on", Day)]),
    ("Placement", &[("person", Ref("Resident")), ("post", Ref("Post")), ("start_on", Day), ("kind", Of(&["4"]))]),
    (
        "HardshipCase",
        &[("person", Ref("Resident")), ("kind", Of(&["01"])), ("applied_on", Day), ("recognised_on", Day)],
    ),
    ("ZefCase", &[("household", Ref("Household")), ("kind", Of(&["1", "2"])), ("recognised_on", Day)]),
    (
        "Credential",
        &[
            ("assistant", Ref("Assistant")),
            ("level", Of(&["3", "4"])),
            ("cert_no", Of(&["证1", "证2"])),
            ("issued_on", Day),
        ],
    ),
    ("Trainee", &[("person", Ref("Resident")), ("training_class", Ref("TrainingClass")), ("enrolled_on", Day)]),
    (
        "ServiceRecord",
        &[("person", Ref("Resident")), ("household", Ref("Household")), ("kind", Of(&["8"])), ("on", Day)],
    ),
    (
        "ArchiveEntry",
        &[
            ("archive_no", Of(&["档1", "档2"])),
            ("class", Of(&["1"])),
            ("title", Of(&["案卷"])),
            ("record_ref", Ref("HardshipCase")),
            ("formed_on", Day),
            ("keep", Of(&["1"])),
        ],
    ),
];

/// Numbers from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }

    fn of<'o, T>(&mut self, all: &'o [T]) -> &'o T {
        &all[self.roll(all.len() as u64) as usize]
    }
}

/// A district, and what was entered there.
struct World {
    core: Arc<Core>,
    store: MemStore,
    clock: Arc<AtomicU64>,
    dice: Dice,
    /// A register of which much is done.
    favourite: usize,
    records: BTreeMap<&'static str, Vec<RecordId>>,
    /// The merges that stand.
    merged: Vec<(&'static str, RecordId, RecordId)>,
    /// What was touched last.
    last: Vec<(&'static str, RecordId)>,
    /// What was asked for, and whether it was done.
    steps: Vec<String>,
}

fn open(store: &MemStore, clock: &Arc<AtomicU64>) -> Arc<Core> {
    let clock = clock.clone();
    let clock = Arc::new(move || clock.fetch_add(7, Ordering::Relaxed));
    Core::open(unit(210_402_000_000), Tier::District, Box::new(store.clone()), clock).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let (store, clock) = (MemStore::new(Tables::default()), Arc::new(AtomicU64::new(1_790_001_000_000)));
        let core = with_tree(open(&store, &clock));
        Self {
            core,
            store,
            clock,
            dice: Dice(seed),
            favourite: seed as usize % REGISTERS.len(),
            records: BTreeMap::new(),
            merged: Vec::new(),
            last: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn text(&mut self, said: Said) -> String {
        match said {
            Unit => self.dice.of(&[community(), neighbour(), street()]).to_string(),
            Number => books::id_no(-3_000, 1 + self.dice.roll(2) as usize),
            NumberOrNone => {
                if self.dice.roll(3) == 0 {
                    String::new()
                } else {
                    self.text(Number)
                }
            }
            Of(texts) => (*self.dice.of(texts)).to_owned(),
            Ref(register) => {
                let known = self.records.get(register).cloned().unwrap_or_default();
                if known.is_empty() { String::new() } else { self.dice.of(&known).to_string() }
            }
            Day => (*self.dice.of(&["2008-01-10", "2008-02-20", "2008-03-05", "2008-03-30"])).to_owned(),
        }
    }

    /// Has something done; what is refused is as good a step.
    fn ask(&mut self, review: Review, words: String) -> Option<RecordId> {
        let answer = self.core.commit(vec![Job::Review(review)]).pop().unwrap().unwrap();
        let (done, id) = match answer {
            Answer::Revised(id) => (String::new(), Some(id)),
            Answer::Reviewed(answer) => (format!("{:?}", answer.failed), None),
            Answer::Refused(why) => (why, None),
            _ => panic!("another answer"),
        };
        self.steps.push(format!("{words} {done}"));
        id
    }

    fn revise(&mut self, register: &str, record: Option<RecordId>, fields: &[(&str, Said)]) -> Option<RecordId> {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, said)| ((*name).to_owned(), self.text(*said))).collect();
        let words = format!("{register} {record:?} {fields:?}");
        let request = pb::ReviseRequest {
            record: record.map(|id| id.to_string()).unwrap_or_default(),
            register: register.into(),
            fields: fields.into_iter().filter(|(_, text)| record.is_some() || !text.is_empty()).collect(),
            reason: "核对".into(),
            by: "王科长".into(),
            despite: true,
        };
        self.ask(Review::Revise(request), words)
    }

    fn enter(&mut self) {
        for (register, fields) in REGISTERS {
            let all = [&[("home_unit", Unit)], fields].concat();
            // Some are refused, as those that say of one person what can't be.
            for _ in 0..4 * RECORDS {
                if self.records.entry(register).or_default().len() as u64 == RECORDS {
                    break;
                }
                let id = self.revise(register, None, &all);
                self.records.entry(register).or_default().extend(id);
            }
        }
    }

    fn step(&mut self) {
        let favoured = self.dice.roll(3) > 0;
        let (register, _) = if favoured { REGISTERS[self.favourite] } else { *self.dice.of(&REGISTERS) };
        let mut known = self.records[register].clone();
        known.truncate(if favoured { 3 } else { known.len() });
        let (standing, absorbed) = (*self.dice.of(&known), *self.dice.of(&known));
        match self.dice.roll(16) {
            0..=4 => {
                if self.merge(register, (standing, absorbed), false) {
                    self.merged.push((register, standing, absorbed));
                }
            }
            5..=8 if !self.merged.is_empty() => {
                let place = self.dice.roll(self.merged.len() as u64) as usize;
                let (register, standing, absorbed) = self.merged.swap_remove(place);
                self.merge(register, (standing, absorbed), true);
            }
            9 | 10 => {
                let mut older = WriteSet::default();
                older.put(Space::Meta, meta::RULES, b"an older program's");
                self.store.commit(older).unwrap();
                self.core = open(&self.store, &self.clock);
                self.steps.push("counted anew".into());
            }
            roll => {
                // What was merged or parted is edited more often than others.
                let last = self.last.clone();
                let (register, id) =
                    if last.is_empty() || roll == 15 { (register, standing) } else { *self.dice.of(&last) };
                let fields = REGISTERS.iter().find(|(name, _)| *name == register).unwrap().1;
                let fields = [&[("home_unit", Unit)], fields].concat();
                let field = *self.dice.of(&fields);
                self.revise(register, Some(id), &[field]);
            }
        }
    }

    fn merge(&mut self, register: &'static str, (standing, absorbed): (RecordId, RecordId), undo: bool) -> bool {
        let request = pb::MergeRequest {
            survivor: standing.to_string(),
            absorbed: absorbed.to_string(),
            reason: "同一人".into(),
            by: "王科长".into(),
            undo,
            despite: true,
            ..pb::MergeRequest::default()
        };
        self.ask(Review::Merge(request), format!("{register} {standing} <- {absorbed}, undo {undo}"));
        self.last = vec![(register, standing), (register, absorbed)];
        self.steps.last().is_some_and(|step| step.ends_with("[]"))
    }
}

#[test]
fn what_is_stored_is_a_recount_whatever_is_merged_and_parted() {
    let mut merged = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        world.enter();
        for (register, _) in REGISTERS {
            assert!(world.records[register].len() > 1, "seed {seed}: {register}: {:#?}", world.steps);
        }
        for _ in 0..STEPS {
            world.step();
            let differences = audit::audit(&world.core).unwrap().differences;
            assert!(differences.is_empty(), "seed {seed}: {differences:?} after {:#?}", world.steps);
        }
        merged += world.steps.iter().filter(|step| step.contains("<-") && step.ends_with("[]")).count();
    }
    assert!(merged as u64 > SEEDS * 4, "{merged} merges and partings were done");
}
