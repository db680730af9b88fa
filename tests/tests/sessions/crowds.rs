//! Many records about one: the work that they make grows with their number alone, and a long batch is written in parts.

use crate::pair::{assert_sound, community, hub, office, peer, placement, residents, save, sync};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::LedgerDesk,
};
use taizhang_proto::register::{Value, number, registers};

/// The hub's work for so many placements on one post, that many of them without a place.
fn work_for_placements(count: usize) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    core.limit_work(u64::MAX);
    let node = office(dir.path(), "node", community(), 900_000);
    let me = peer("node", community());
    let people = residents(&node, community(), 0..count);
    let tag = |register, name: &str| registers().get(register).unwrap().field_named(name).unwrap().tag;
    let post = LedgerDesk::new(&node).new_id();
    let draft = Draft::new(post, number::POST)
        .with(1, Value::Uint(community().number()))
        .with(tag(number::POST, "post_no"), Value::Text("公-1".into()))
        .with(tag(number::POST, "kind"), Value::Text("1".into()))
        .with(tag(number::POST, "places"), Value::Uint(3));
    save(&node, vec![draft]);
    sync(&core, &node, &me);
    let before = core.work_done();
    let on_post = tag(number::PLACEMENT, "post");
    let placements = people.iter().map(|person| placement(&node, community(), *person).with(on_post, Value::Ref(post)));
    save(&node, placements.collect());
    sync(&core, &node, &me);
    let work = core.work_done() - before;
    assert_sound(&core, &node);
    work
}

#[test]
fn the_work_for_the_placements_of_one_post_grows_with_their_number_alone() {
    let (few, many) = (work_for_placements(30), work_for_placements(120));
    assert!(many < few * 6, "four times as many placements make {many} of work, not {few}");
}

#[test]
fn a_batch_that_is_cut_after_each_change_is_taken_once_and_whole() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    core.limit_work(1);
    let node = office(dir.path(), "node", community(), 900_000);
    let me = peer("node", community());
    let people = residents(&node, community(), 0..12);
    save(&node, people.iter().map(|person| placement(&node, community(), *person)).collect());
    let report = sync(&core, &node, &me);
    assert!(report.equal);
    assert_eq!(node.refused().unwrap().len(), 0);
    assert_sound(&core, &node);
}
