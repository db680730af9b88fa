//! The ledger on a real disk: what is saved comes back whatever becomes of the store.
#![allow(clippy::unwrap_used)]

use super::*;
use taizhang_proto::register::registers;

fn clock() -> Clock {
    Arc::new(|| 1_790_000_000_000)
}

fn unit() -> OrgCode {
    "210402011003".parse().unwrap()
}

fn facility(desk: &LedgerDesk<'_>, remark: &str) -> Draft {
    let remark_tag = registers().get(number::FACILITY).unwrap().field_named("remark").unwrap().tag;
    Draft::new(desk.new_id(), number::FACILITY)
        .with(20, Value::Text("3".into()))
        .with(remark_tag, Value::Text(remark.into()))
}

fn save(ledger: &Ledger, count: usize) -> Vec<RecordId> {
    let desk = LedgerDesk::new(ledger);
    let drafts: Vec<Draft> = (0..count).map(|_| facility(&desk, &"记".repeat(400))).collect();
    let ids = drafts.iter().map(|draft| draft.id).collect();
    for answer in desk.save(drafts.into_iter().map(|draft| vec![draft]).collect(), "clerk") {
        answer.unwrap();
    }
    ids
}

#[test]
fn a_lost_store_comes_back_from_many_journal_segments() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    // About 1.3 KB each: over 4 MiB a segment is closed, so this makes several.
    let ids: Vec<RecordId> = (0..10).flat_map(|_| save(&ledger, 1_000)).collect();
    let digest = ledger.log_digest_at(&ledger.state(), 10_000).unwrap();
    drop(ledger);
    assert!(std::fs::read_dir(dir.path().join("journal")).unwrap().count() >= 3);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let state = ledger.state();
    assert_eq!((state.head, state.settled, state.incidents), (10_000, 0, 1));
    assert!(state.rebuild, "the hub is asked for everything");
    assert_eq!(ledger.ids(number::FACILITY).unwrap().len(), ids.len());
    assert!(ids.iter().all(|id| ledger.view(*id).unwrap().is_some()));
    assert_eq!(ledger.log_digest_at(&state, 10_000).unwrap(), digest, "the log goes on where it was");
}

#[test]
fn a_bad_group_is_refused_whole_and_hinders_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let desk = LedgerDesk::new(&ledger);
    let good = facility(&desk, "一");
    let bad = Draft::new(desk.new_id(), number::FACILITY).with(20, Value::Text("99".into()));
    let foreign = facility(&desk, "二").with(1, Value::Uint(210_402_012_003));
    let answers = desk.save(vec![vec![facility(&desk, "三"), bad], vec![good.clone()], vec![foreign]], "clerk");
    assert!(matches!(&answers[0], Err(SaveError::Invalid(found)) if found[0].field == "kind"));
    assert!(answers[1].is_ok());
    assert!(matches!(&answers[2], Err(SaveError::Invalid(found)) if found[0].rule == "unit"));
    assert_eq!(ledger.ids(number::FACILITY).unwrap(), [good.id]);
    assert_eq!(ledger.pending(), 1);
}

#[test]
fn an_edit_is_seen_at_once_and_found_by_its_new_key() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let id = save(&ledger, 1)[0];
    let home = Value::Uint(unit().number());
    let kind = |code: &str| Value::Text(code.into());
    assert_eq!(ledger.find(number::FACILITY, &[home.clone(), kind("3")]).unwrap(), [id]);
    let edit = Draft::new(id, number::FACILITY).with(20, kind("4"));
    assert!(ledger.save(&[vec![edit]], "clerk")[0].is_ok());
    assert!(ledger.find(number::FACILITY, &[home.clone(), kind("3")]).unwrap().is_empty());
    assert_eq!(ledger.find(number::FACILITY, &[home, kind("4")]).unwrap(), [id]);
}
