//! What the rules of counting count of records that never change: a rule that counts otherwise is seen here, and a hub whose
//! store was counted by the rules before counts it anew only when `cell::RULES` has grown. Invariant: who changes what a
//! record contributes, what refers to what, or what is indexed, has to say so.

use crate::{
    fixture::{MemoryShelf, unit},
    totals::{UNITS, any_world},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use prost::Message;
use std::collections::BTreeSet;
use taizhang_proto::{
    Record, RecordId,
    cell::{self, Subject},
    pb,
    plan::Plans,
};

/// [`cell::RULES`], and the digest of what these rules count of [`WORLDS`].
const COUNTED: (u32, &str) = (12, "37a686f488164589");

/// Some worlds of records of every register, each a length-delimited `RecordList`.
const WORLDS: &[u8] = include_bytes!("golden.bin");

fn digest() -> String {
    let mut hasher = blake3::Hasher::new();
    let mut rest = WORLDS;
    while !rest.is_empty() {
        let world = pb::RecordList::decode_length_delimited(&mut rest).unwrap();
        let mut shelf = MemoryShelf::default();
        for record in world.records {
            let id = RecordId::from_slice(&record.id).unwrap();
            shelf.put(id, Record::from_state(record.state.unwrap()).unwrap());
        }
        let mut subjects: BTreeSet<Subject> = UNITS.into_iter().map(|code| Subject::Unit(unit(code))).collect();
        let mut ids: Vec<&RecordId> = shelf.records.keys().collect();
        ids.sort_unstable();
        for id in ids {
            let record = &shelf.records[id];
            let mut own = Vec::new();
            cell::subjects_of(&shelf, *id, record, &mut own).unwrap();
            subjects.extend(own);
            let indexed: Vec<u32> = cell::indexed_fields(record).map(|(tag, _)| tag).collect();
            hasher.update(format!("{id} {:?} {indexed:?}", cell::links(record)).as_bytes());
        }
        for subject in subjects {
            let mut steps = cell::contributions(&shelf, subject, Plans::notice_2008()).unwrap();
            steps.sort_unstable();
            hasher.update(format!("{subject:?} {steps:?}").as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[test]
fn whoever_changes_a_rule_of_counting_says_so() {
    let counts_now = digest();
    assert_eq!(
        (cell::RULES, counts_now.as_str()),
        COUNTED,
        "the rules count otherwise: let `cell::RULES` grow, so that every store is counted anew, and write both here"
    );
}

/// Not a test: writes the worlds anew, when a register comes to be counted that is in none of them.
/// `cargo test -p taizhang-proto --test rules -- --ignored`
#[test]
#[ignore = "writes into the repository"]
fn write_the_worlds_anew() {
    let mut runner = TestRunner::deterministic();
    let mut bytes = Vec::new();
    for _ in 0..6 {
        let shelf = any_world().new_tree(&mut runner).unwrap().current();
        let mut records: Vec<pb::Record> = shelf
            .records
            .iter()
            .map(|(id, record)| pb::Record {
                id: id.0.to_vec().into(),
                state: Some(record.state()),
                history: Vec::new(),
            })
            .collect();
        records.sort_by(|one, other| one.id.cmp(&other.id));
        pb::RecordList { records, ..pb::RecordList::default() }.encode_length_delimited(&mut bytes).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules/golden.bin");
    std::fs::write(path, bytes).unwrap();
}
