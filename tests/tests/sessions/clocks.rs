//! What was entered by a clock that was right stays of its day, though the computer's clock is wrong when it is sent.

use crate::pair::{assert_sound, at_hub, community, office, on, peer, phone, residents, save, sync, tag, with_tree};
use taizhang_hub::store::FjallStore;
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    RecordId,
    register::{VERIFIED_ON, Value, number},
    stamp::Stamp,
};
use taizhang_tests::books::field;

const DAY: u64 = 86_400_000;

#[test]
fn a_clock_that_went_wrong_over_night_dates_nothing_that_was_entered_before() {
    let right = 100 * DAY;
    for wrong in [300 * DAY, 0] {
        let dir = tempfile::tempdir().unwrap();
        let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, right));
        let own = peer("node", community());
        let node = office(dir.path(), "node", community(), right);
        let first = residents(&node, community(), 0..1)[0];
        sync(&core, &node, &own);
        let before = residents(&node, community(), 1..3);
        drop(node);

        let node = office(dir.path(), "node", community(), wrong);
        let after = residents(&node, community(), 3..4);
        save(&node, vec![Draft::new(first, number::RESIDENT).with(tag("name"), Value::Text("李四".into()))]);
        sync(&core, &node, &own);
        let stamped = |id: RecordId, field: &str| Stamp(at_hub(&core, id).origin(tag(field)).unwrap().stamp).millis();
        let days = |id: RecordId, field: &str| stamped(id, field).abs_diff(core.now() * 1_000) / DAY;
        assert_eq!(before.iter().map(|id| days(*id, "name")).collect::<Vec<_>>(), [0, 0], "{wrong}");
        assert_eq!((days(after[0], "name"), days(first, "name")), (0, 0), "{wrong}");
    }
}

#[test]
fn a_day_that_lies_ahead_by_one_of_two_clocks_costs_nobody_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let right = 100 * DAY;
    let hub_of = |clock: u64| with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, clock));
    let own = peer("node", community());
    let verified = |node: &Ledger, id: RecordId| {
        let form = Draft::new(id, number::RESIDENT).with(VERIFIED_ON, Value::Day(node.business_day()));
        save(node, vec![form]);
    };
    let core = hub_of(right);
    // An office three days ahead writes the day of an import as that of verification.
    let node = office(dir.path(), "node", community(), right + 3 * DAY);
    let person = residents(&node, community(), 0..1)[0];
    verified(&node, person);
    sync(&core, &node, &own);
    assert_eq!(node.refused().unwrap().len(), 0);
    assert!(at_hub(&core, person).day(VERIFIED_ON).is_some());
    drop(node);

    // Its clock, slow by days at the next start, takes nobody's verification for one to come.
    let node = office(dir.path(), "node", community(), right - 5 * DAY);
    save(&node, vec![phone(person, "13900000007")]);
    sync(&core, &node, &own);
    drop((core, node));

    // What a hub has let pass, and lost, it takes again, whatever it would say of it today.
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let node = office(dir.path(), "node", community(), right + 10 * DAY);
    let issue = Draft::new(LedgerDesk::new(&node).new_id(), number::ISSUE)
        .with(field(number::ISSUE, "title").tag, Value::Text("一".into()))
        .with(field(number::ISSUE, "raised_on").tag, Value::Day(node.business_day()));
    let issue_id = issue.id;
    save(&node, vec![issue]);
    let core = hub_of(right + 10 * DAY);
    sync(&core, &node, &own);
    at_hub(&core, issue_id);
    drop(core);
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let core = hub_of(right);
    sync(&core, &node, &own);
    assert_eq!(node.refused().unwrap().len(), 0);
    at_hub(&core, issue_id);
    at_hub(&core, person);
    assert_sound(&core, &node);
}
