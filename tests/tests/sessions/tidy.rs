//! What a hub keeps for children that have not heard it yet goes once they have; whoever comes later still gets everything.

use crate::pair::{
    assert_sound, community, hub, neighbour, office, on, peer, phone, placement, residents, save, street, sync,
    with_tree, write,
};
use taizhang_hub::{
    engine::FjallStore,
    store::Space,
    tidy,
    writer::{Core, Job},
};
use taizhang_node::desk::Draft;
use taizhang_proto::register::{HOME_UNIT, Value, number};
use taizhang_tests::books::field;

fn count(core: &Core, space: Space) -> usize {
    core.view().prefix(space, &[]).count()
}

fn tidy(core: &Core) -> usize {
    let mut found = 0;
    loop {
        let rows = tidy::stale(core, 2).unwrap();
        if rows.is_empty() {
            return found;
        }
        found += rows.len();
        write(core, Job::Forget(rows)).unwrap();
    }
}

#[test]
fn news_of_edits_that_lost_and_departures_go_once_they_were_heard() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    // The street's clock is ahead, so what the community enters meanwhile loses.
    let at_street = office(dir.path(), "street", street(), 60_000_000);
    let node = office(dir.path(), "node", community(), 900_000);
    let people = residents(&node, community(), 0..3);
    sync(&core, &node, &peer("node", community()));
    sync(&core, &at_street, &peer("street", street()));
    let before = count(&core, Space::Feed);
    for nth in 0..20 {
        save(&at_street, vec![phone(people[0], &format!("139000001{nth:02}"))]);
        save(&node, vec![phone(people[0], &format!("139000002{nth:02}"))]);
        sync(&core, &at_street, &peer("street", street()));
        sync(&core, &node, &peer("node", community()));
        sync(&core, &at_street, &peer("street", street()));
    }
    let grown = count(&core, Space::Feed);
    assert!(grown >= before + 10, "edits lose: {before} -> {grown}");
    save(&at_street, vec![Draft::new(people[1], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()))]);
    sync(&core, &at_street, &peer("street", street()));
    assert_eq!(count(&core, Space::Departed), 1);
    tidy(&core);
    assert_eq!(count(&core, Space::Departed), 1, "the community has not heard of it");
    assert!(count(&core, Space::Feed) <= before + 2, "{grown} -> {}", count(&core, Space::Feed));

    sync(&core, &node, &peer("node", community()));
    sync(&core, &at_street, &peer("street", street()));
    tidy(&core);
    assert_eq!(count(&core, Space::Departed), 0);
    assert!(node.view(people[1]).unwrap().is_none());
    let late = office(dir.path(), "late", community(), 910_000);
    sync(&core, &late, &peer("late", community()));
    for (ledger, record) in [(&node, people[0]), (&late, people[0])] {
        assert_eq!(ledger.history(record).unwrap().len(), node.history(record).unwrap().len());
        assert_sound(&core, ledger);
    }
    assert!(late.history(people[0]).unwrap().len() >= 20, "with all that lost");
}

#[test]
fn a_verdict_of_a_refusal_is_kept_for_ninety_days() {
    let dir = tempfile::tempdir().unwrap();
    // Its clock is a hundred days ahead, and so is what it enters.
    let node = office(dir.path(), "node", community(), 100 * 86_400_000);
    {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..1);
        let ahead = core.today() + 50;
        let start = field(number::PLACEMENT, "start_on").tag;
        let mut draft = placement(&node, community(), people[0]);
        draft.edits.retain(|(tag, _)| *tag != start);
        save(&node, vec![draft.with(start, Value::Day(ahead))]);
        sync(&core, &node, &peer("node", community()));
        assert_eq!(node.refused().unwrap().len(), 1);
        sync(&core, &node, &peer("node", community()));
        assert_eq!(count(&core, Space::Verdicts), 1, "the refusal");
        assert_eq!(tidy(&core), 0, "a backup of the office may come back");
    }
    let store = FjallStore::open(&dir.path().join("hub")).unwrap();
    let core = with_tree(on(store, None, 91 * 86_400_000));
    assert_eq!(tidy(&core), 1);
    assert_eq!(count(&core, Space::Verdicts), 0);
}
