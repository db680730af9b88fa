//! An office whose certificate names another unit than before.

use crate::pair::{
    assert_sound, at_hub, community, hub, neighbour, office, peer, phone, residents, save, session, street, sync, tag,
};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::LedgerDesk,
};
use taizhang_proto::{
    pb,
    register::{Value, number, registers},
};

#[test]
fn a_community_that_becomes_the_township_pulls_what_it_may_now_see() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let other = office(dir.path(), "other", neighbour(), 0);
    let theirs = residents(&other, neighbour(), 100..120);
    assert!(sync(&core, &other, &peer("other", neighbour())).equal);
    let node = office(dir.path(), "node", community(), 0);
    let own = residents(&node, community(), 0..10);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    save(&node, vec![phone(own[0], "13900000000")]);
    assert_eq!(node.state().count, 10);
    // The certificate is renewed under the same name while the office runs.
    let peer = peer("node", street());
    assert!(session(&core, &node, &peer).is_none(), "it has to come back");
    assert_eq!(node.unit(), street());
    assert!(sync(&core, &node, &peer).equal);
    assert_eq!((node.state().count, node.pending()), (30, 0));
    assert!(theirs.iter().all(|id| node.view(*id).unwrap().is_some()));
    assert_eq!(at_hub(&core, own[0]).changes, 2, "the pending edit arrived once");
    save(&node, vec![phone(theirs[0], "13900000001")]);
    assert!(node.units().contains(neighbour()), "the tree of units is the township's");
    assert!(sync(&core, &node, &peer).equal);
    assert_sound(&core, &node);
}

#[test]
fn a_data_directory_enrolled_again_for_the_township_goes_over_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let other = office(dir.path(), "other", neighbour(), 0);
    residents(&other, neighbour(), 100..120);
    assert!(sync(&core, &other, &peer("other", neighbour())).equal);
    let own = {
        let node = office(dir.path(), "node", community(), 0);
        let own = residents(&node, community(), 0..10);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        save(&node, vec![phone(own[0], "13900000000")]);
        own
    };
    let node = office(dir.path(), "node", street(), 1_000_000);
    assert_eq!((node.unit(), node.pending()), (street(), 1));
    // Another token is another name at the hub: it has never heard of this log.
    let peer = peer("node-2", street());
    assert!(sync(&core, &node, &peer).equal);
    assert_eq!((node.state().count, node.pending(), node.state().incidents), (30, 0, 0));
    assert_eq!(at_hub(&core, own[0]).slice(tag("phone")).unwrap(), b"13900000000");
    assert_eq!(at_hub(&core, own[1]).changes, 1, "nothing was said twice");
    assert_sound(&core, &node);
}

#[test]
fn a_township_that_becomes_a_community_lets_go_the_rest_and_keeps_what_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let peers = [peer("node", street()), peer("node-2", community())];
    let (own, theirs) = {
        let node = office(dir.path(), "node", street(), 0);
        let own = residents(&node, community(), 0..10);
        let theirs = residents(&node, neighbour(), 100..120);
        assert!(sync(&core, &node, &peers[0]).equal);
        save(&node, vec![phone(own[0], "13900000000"), phone(theirs[0], "13900000001")]);
        (own, theirs)
    };
    let node = office(dir.path(), "node", community(), 1_000_000);
    assert!(sync(&core, &node, &peers[1]).equal);
    assert_eq!((node.state().count, node.pending()), (10, 0));
    assert_eq!(node.ids(number::RESIDENT).unwrap().len(), 10);
    assert!(theirs.iter().all(|id| node.view(*id).unwrap().is_none()), "what left the scope is gone");
    assert_eq!(at_hub(&core, own[0]).slice(tag("phone")).unwrap(), b"13900000000");
    assert_eq!(at_hub(&core, theirs[0]).changes, 1);
    let refused = node.refused().unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].1.why.as_ref().unwrap().rule, "scope");
    assert_sound(&core, &node);
}

#[test]
fn an_assistant_who_moves_on_one_day_between_two_stations_has_left_nobody_at_the_office_as_at_the_hub() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "street", street(), 1_000_000);
    assert!(sync(&core, &node, &peer("street", street())).equal);
    let field = |name: &str| registers().get(number::ASSISTANT).unwrap().field_named(name).unwrap().tag;
    let today = node.business_day();
    let moved = today - 20;
    let at = |home: taizhang_proto::OrgCode, from: i32| {
        Draft::new(LedgerDesk::new(&node).new_id(), number::ASSISTANT)
            .with(1, Value::Uint(home.number()))
            .with(field("name"), Value::Text("周敏".into()))
            .with(field("id_no"), Value::Text("11010519491231002X".into()))
            .with(field("from_on"), Value::Day(from))
    };
    let before = at(community(), today - 900);
    save(&node, vec![before.clone().with(field("to_on"), Value::Day(moved)), at(neighbour(), moved)]);
    let k17 = |on: i32| {
        let lines = taizhang_node::office::standing::standing(&node, on).unwrap().lines;
        let own = lines.into_iter().find(|line| line.indicator == "K17").unwrap();
        let request = pb::TotalsRequest { unit: street().number(), on, ..pb::TotalsRequest::default() };
        let values = taizhang_hub::totals::answer(&core, &request).unwrap().values;
        let hubs = values.into_iter().find(|one| one.indicator == "K17" && one.unit == street().number()).unwrap();
        ((own.numerator, own.denominator), (hubs.numerator, hubs.denominator))
    };
    assert!(sync(&core, &node, &peer("street", street())).equal);
    assert_eq!(k17(today), ((0, 1), (0, 1)));
    assert_sound(&core, &node);
    // Who begins nowhere else has left.
    save(&node, vec![Draft::new(before.id, number::ASSISTANT).with(field("to_on"), Value::Day(moved - 40))]);
    assert!(sync(&core, &node, &peer("street", street())).equal);
    assert_eq!(k17(today), ((1, 1), (1, 1)), "over a month apart");
}

#[test]
fn a_street_that_holds_one_person_of_two_communities_counts_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let offices = [("one", community()), ("two", neighbour())];
    for (name, unit) in offices {
        let node = office(dir.path(), name, unit, 0);
        residents(&node, unit, 0..1);
        assert!(sync(&core, &node, &peer(name, unit)).equal);
    }
    let node = office(dir.path(), "street", street(), 1_000_000);
    assert!(sync(&core, &node, &peer("street", street())).equal);
    assert_eq!(node.ids(number::RESIDENT).unwrap().len(), 2);
    let lines = taizhang_node::office::standing::standing(&node, node.business_day()).unwrap().lines;
    let twice = lines.iter().find(|line| line.indicator == "K43").unwrap();
    assert_eq!(twice.numerator, 1, "one person is registered twice, as the hub counts it");
    assert_sound(&core, &node);
}
