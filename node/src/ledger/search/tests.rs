//! The index that is kept finds what a scan of the records finds, whatever was entered, pulled, let go or rebuilt meanwhile.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    desk::{Desk, Draft},
    ledger::LedgerDesk,
    upstream::{self, Replica},
};
use proptest::prelude::*;
use prost::Message;
use std::{path::Path, sync::Arc};
use taizhang_proto::{
    citizen_id::check_character,
    pb,
    register::{MERGED_INTO, STATE, Value, number, registers},
};

fn open(dir: &Path) -> Ledger {
    Ledger::open(dir, "210402011000".parse().unwrap(), Arc::new(|| 1_790_000_000_000)).unwrap()
}

fn query(text: &str) -> Query {
    Query::read(text, None, None).unwrap()
}

fn scanned(ledger: &Ledger, query: &Query, limit: usize) -> Found {
    let mut finder = Finder::new(query, limit);
    for def in registers().iter() {
        for id in ledger.ids(def.number).unwrap() {
            if let Some(row) = ledger.view(id).unwrap().as_ref().and_then(Row::of) {
                finder.look(id, &row);
            }
        }
    }
    finder.found()
}

fn id_no(nth: usize) -> String {
    let digits = format!("21040219700312{:03}", nth % 1_000);
    let last = check_character(digits.as_bytes()).unwrap();
    format!("{digits}{}", char::from(last))
}

const NAMES: [&str; 6] = ["张三", "张伟", "单雄信", "李桂兰", "赵铁柱", "曾小芳"];
const STREETS: [&str; 3] = ["和平街8号", "新华大街12号3单元", "永安台和平路"];
const ASKED: [&str; 14] = [
    "张",
    "张三",
    "zs",
    "zhang",
    "shan",
    "dan",
    "李 和平",
    "lgl 新华",
    "0312",
    "19700312",
    "13841300001",
    "0002",
    "和平",
    "H-00",
];

/// Something that happens at an office.
#[derive(Debug, Clone)]
enum Step {
    Enter { name: usize, street: usize, with_house: bool },
    Rename { which: usize, name: usize },
    Void { which: usize },
    Pull { name: usize, street: usize },
    Merge { which: usize, into: usize },
    Leave { which: usize },
    LoseStore,
}

fn step() -> impl Strategy<Value = Step> {
    let (name, street, which) = (0..NAMES.len(), 0..STREETS.len(), 0_usize..20);
    prop_oneof![
        4 => (name.clone(), street.clone(), any::<bool>())
            .prop_map(|(name, street, with_house)| Step::Enter { name, street, with_house }),
        2 => (which.clone(), name.clone()).prop_map(|(which, name)| Step::Rename { which, name }),
        1 => which.clone().prop_map(|which| Step::Void { which }),
        3 => (name, street).prop_map(|(name, street)| Step::Pull { name, street }),
        1 => (which.clone(), which.clone()).prop_map(|(which, into)| Step::Merge { which, into }),
        1 => which.prop_map(|which| Step::Leave { which }),
        1 => Just(Step::LoseStore),
    ]
}

fn text(name: &str, value: &str) -> (u32, Option<Value>) {
    let def = registers().get(number::RESIDENT).unwrap();
    (def.field_named(name).unwrap().tag, Some(Value::Text(value.into())))
}

struct Scene {
    dir: tempfile::TempDir,
    ledger: Option<Ledger>,
    people: Vec<RecordId>,
    revision: u64,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Some(open(dir.path()));
        Self { dir, ledger, people: Vec::new(), revision: 0 }
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().unwrap()
    }

    fn some(&self, which: usize) -> Option<RecordId> {
        (!self.people.is_empty()).then(|| self.people[which % self.people.len()])
    }

    fn person(&self, name: usize, street: usize) -> Draft {
        let nth = self.people.len();
        let id = LedgerDesk::new(self.ledger()).new_id();
        let mut draft = Draft::new(id, number::RESIDENT);
        draft.edits = vec![
            text("name", NAMES[name]),
            text("id_no", &id_no(nth)),
            text("phone", &format!("1384130{nth:04}")),
            text("address", STREETS[street]),
        ];
        draft
    }

    fn save(&self, drafts: Vec<Draft>) {
        // One that is refused changes nothing, which is as good a case.
        _ = self.ledger().save(&[drafts], "测试");
    }

    /// What the hub says of a record, changed.
    fn hear(&mut self, id: RecordId, state: Option<pb::RecordState>) {
        self.revision += 1;
        let departed = if state.is_none() { vec![id.0.to_vec().into()] } else { Vec::new() };
        let record = pb::Record { id: id.0.to_vec().into(), ..pb::Record::default() };
        let records = state.map(|state| pb::Record { state: Some(state), ..record }).into_iter().collect();
        let list = pb::RecordList { records, departed, ..pb::RecordList::default() }.encode_to_vec();
        let raw_len = list.len() as u32;
        let list = upstream::compress(&list).unwrap();
        self.ledger().records(pb::Records { list, raw_len, upto: self.revision }).unwrap();
    }

    /// A record at the hub with these fields set.
    fn at_hub(&mut self, id: RecordId, edits: &[(u32, Option<Value>)]) {
        let mut record = self.ledger().store.record(id).unwrap().unwrap_or_default();
        record.register = number::RESIDENT;
        let def = registers().get(number::RESIDENT).unwrap();
        let field = |(tag, value): &(u32, Option<Value>)| taizhang_proto::wire::Field {
            tag: *tag,
            bytes: value.as_ref().map(|value| value.encode(def.field(*tag).unwrap())).unwrap_or_default(),
        };
        let origin = pb::Origin { revision: self.revision + 1, unit: 210_402_011_000, ..pb::Origin::default() };
        record.set(edits.iter().map(field).collect::<Vec<_>>(), origin);
        self.hear(id, Some(record.state()));
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Enter { name, street, with_house } => {
                let person = self.person(name, street);
                let id = person.id;
                let house = Draft::new(LedgerDesk::new(self.ledger()).new_id(), number::HOUSEHOLD)
                    .with(20, Value::Text(format!("H-{:03}", self.people.len())))
                    .with(22, Value::Ref(id))
                    .with(23, Value::Text(STREETS[(street + 1) % STREETS.len()].into()));
                self.save(if with_house { vec![person, house] } else { vec![person] });
                self.people.push(id);
            }
            Step::Rename { which, name } => {
                let Some(id) = self.some(which) else { return };
                let mut draft = Draft::new(id, number::RESIDENT).because("更正");
                draft.edits = vec![text("name", NAMES[name])];
                self.save(vec![draft]);
            }
            Step::Void { which } => {
                let Some(id) = self.some(which) else { return };
                self.save(vec![Draft::new(id, number::RESIDENT).because("误登").with(STATE, Value::Text("2".into()))]);
            }
            Step::Pull { name, street } => {
                let mut person = self.person(name, street);
                person.edits.push((1, Some(Value::Uint(210_402_011_003))));
                person.edits.sort_by_key(|(tag, _)| *tag);
                self.at_hub(person.id, &person.edits);
                self.people.push(person.id);
            }
            Step::Merge { which, into } => {
                let (Some(id), Some(into)) = (self.some(which), self.some(into)) else { return };
                if self.ledger().store.record(id).unwrap().is_some() {
                    self.at_hub(id, &[(MERGED_INTO, Some(Value::Ref(into)))]);
                }
            }
            Step::Leave { which } => {
                if let Some(id) = self.some(which) {
                    self.hear(id, None);
                }
            }
            Step::LoseStore => {
                self.ledger = None;
                std::fs::remove_dir_all(self.dir.path().join("store")).unwrap();
                self.ledger = Some(open(self.dir.path()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_a_scan_finds(steps in proptest::collection::vec(step(), 1..16), limit in 1_usize..6) {
        let mut scene = Scene::new();
        scene.ledger().ready_to_search().unwrap();
        for step in steps {
            scene.take(step);
            for asked in ASKED {
                let query = query(asked);
                let found = scene.ledger().search(&query, limit).unwrap();
                prop_assert_eq!(&found, &scanned(scene.ledger(), &query, limit), "{}", asked);
            }
        }
    }
}

fn households_of(ledger: &Ledger) -> Vec<RecordId> {
    ledger.ids(number::HOUSEHOLD).unwrap()
}

#[test]
fn people_are_found_by_whatever_is_known_of_them_the_best_first() {
    let mut scene = Scene::new();
    for (name, street) in [(0, 0), (1, 1), (2, 2), (3, 0)] {
        scene.take(Step::Enter { name, street, with_house: name == 0 });
    }
    let ids = scene.people.clone();
    let ledger = scene.ledger();
    // Of those that fit as well the older stands first: here they are as old, to the millisecond.
    let found = |text: &str| -> Vec<RecordId> {
        let mut hits = ledger.search(&query(text), 10).unwrap().hits;
        hits.sort_by_key(|(id, fit)| (*fit, households_of(ledger).contains(id), ids.iter().position(|own| own == id)));
        hits.into_iter().map(|(id, _)| id).collect()
    };
    let households = households_of(ledger);
    assert_eq!(found("张三"), [ids[0], households[0]], "a household by its head");
    assert_eq!(found("z"), [ids[0], ids[1], households[0]]);
    assert_eq!(found("sxx"), [ids[2]], "shan as well as dan");
    assert_eq!(found("dxx"), [ids[2]]);
    assert_eq!(found(&id_no(3)[14..].to_lowercase()), [ids[3]]);
    assert_eq!(found("13841300001"), [ids[1]]);
    assert_eq!(found("0001"), [ids[1]], "the end of a phone number");
    assert_eq!(found("和平街"), [ids[0], ids[3], households[0]]);
    assert_eq!(found("李 和平街"), [ids[3]]);
    assert_eq!(found("张三 新华"), households, "the head's name and the household's address");
    assert_eq!(found("李 新华"), []);
    let few = ledger.search(&query("和平"), 1).unwrap();
    assert_eq!((few.hits.len(), few.total), (1, 4));
}
