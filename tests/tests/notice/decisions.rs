//! What the city itself decides on titles (items 34 and 35): it has no records, so each district makes its decision records
//! of the communities, once.

use crate::{CITY, communities, titled};
use ring::signature::Ed25519KeyPair;
use taizhang_hub::{orders, totals};
use taizhang_proto::{
    Record, RecordId, cell,
    pb::{self, OrderKind},
    register::number,
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene, unit},
    town::until,
};

/// A community of another district.
const WEST: u64 = 210_403_002_001;
/// Who decides at the city.
const LEADER: &str = "市就业局张局长";

async fn decide(scene: &Scene, kind: OrderKind, to: &[u64], why: &str) -> Result<(), String> {
    let order = pb::TaskOrder {
        kind: kind.into(),
        title: "市级决定".into(),
        to: to.to_vec(),
        demand: why.into(),
        by: LEADER.into(),
        ..pb::TaskOrder::default()
    };
    ask(scene, pb::OrderRequest { order: Some(order), withdraw: 0 }).await
}

async fn withdraw(scene: &Scene, no: u32) -> Result<(), String> {
    ask(scene, pb::OrderRequest { order: None, withdraw: no }).await
}

async fn ask(scene: &Scene, request: pb::OrderRequest) -> Result<(), String> {
    let city = &scene.town.city.hub;
    let key: &Ed25519KeyPair = city.core.signer().unwrap();
    orders::change(&city.core, &city.writer, key, &request).await.map_err(|error| error.to_string())
}

/// The records of one register of a unit that stand at its district.
fn standing_at(scene: &Scene, code: u64, register: u32) -> Vec<(RecordId, Record)> {
    let all = books::records_at(&scene.hub_of(code).hub).into_iter();
    let of_it = |record: &Record| record.register == register && cell::home_unit(record) == Some(unit(code));
    all.filter(|(_, record)| of_it(record) && cell::is_active(record)).collect()
}

/// The rank that a community is commended with at its district; none where it is not.
fn rank(scene: &Scene, code: u64) -> Option<u64> {
    let awards = standing_at(scene, code, number::COMMENDATION);
    assert!(awards.len() <= 1, "commended twice");
    awards.first().and_then(|(_, award)| award.varint(22))
}

fn recorded(scene: &Scene) -> i64 {
    let core = &scene.town.city.hub.core;
    totals::commend(core, &pb::CommendRequest::default(), core.unit).unwrap().recorded
}

fn done(scene: &Scene, no: u32) -> i64 {
    let answer = orders::progress(&scene.town.city.hub.core, no).unwrap();
    answer.progress.iter().find(|one| one.unit == 0).unwrap().given
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_city_decides_whom_to_commend_in_all_districts_at_once_exactly_as_many_as_there_are_places() {
    let scene = Scene::of(&[FIRST, STREET, WEST]).await;
    for code in [FIRST, SECOND, WEST] {
        titled(&scene, code).await;
    }
    scene.agrees().await;
    let untitled = communities(&scene, DISTRICT).into_iter().find(|code| ![FIRST, SECOND].contains(code)).unwrap();
    for (to, why) in [
        (&[WEST, FIRST][..], "应评定 3 个（名额 10 个，符合条件的 3 个），名单有 2 个"),
        (&[WEST, FIRST, SECOND, untitled], "未持有称号"),
        (&[WEST, FIRST, untitled], "未持有称号"),
        (&[WEST, FIRST, FIRST], "重复"),
        (&[WEST, FIRST, 210_402_999_001], "没有单位"),
    ] {
        let refused = decide(&scene, OrderKind::Commend, to, "").await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    decide(&scene, OrderKind::Commend, &[WEST, FIRST, SECOND], "").await.unwrap();
    until("both districts have recorded it", || done(&scene, 1) == 3).await.unwrap();
    scene.agrees().await;
    assert_eq!([WEST, FIRST, SECOND].map(|code| rank(&scene, code)), [Some(1), Some(2), Some(3)]);
    assert_eq!(recorded(&scene), 3);
    let (award, record) = standing_at(&scene, FIRST, number::COMMENDATION).remove(0);
    assert_eq!(record.origin(22).unwrap().by, LEADER);
    assert_eq!(scene.says(FIRST, award, "decided_on"), scene.ago(0), "it reaches the community");
    let again = decide(&scene, OrderKind::Commend, &[FIRST, WEST, SECOND], "").await.unwrap_err();
    assert!(again.contains("已评定（任务号 1）"), "{again}");

    // Taken back, and decided otherwise.
    withdraw(&scene, 1).await.unwrap();
    until("it is taken back everywhere", || recorded(&scene) == 0).await.unwrap();
    scene.agrees().await;
    assert_eq!([WEST, FIRST, SECOND].map(|code| rank(&scene, code)), [None; 3]);
    assert_eq!(scene.says(FIRST, award, "void_reason"), "市级撤回评定");
    decide(&scene, OrderKind::Commend, &[FIRST, WEST, SECOND], "").await.unwrap();
    until("the other decision is recorded", || done(&scene, 2) == 3).await.unwrap();
    scene.agrees().await;
    assert_eq!([FIRST, WEST, SECOND].map(|code| rank(&scene, code)), [Some(1), Some(2), Some(3)]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_city_revokes_a_title_that_was_to_be_put_right_once_and_takes_it_back() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let case = titled(&scene, FIRST).await;
    scene.agrees().await;
    let why = "整顿后仍不到位";
    let refused = decide(&scene, OrderKind::Revoke, &[FIRST], why).await.unwrap_err();
    assert!(refused.contains("未在责令整顿"), "{refused}");
    let rectify = [("stage", "6"), ("rectify_from", "2008-07-01"), ("rectify_due", "2008-08-01")];
    scene.revise(case, "FecCase", &rectify).await;
    scene.agrees().await;
    assert!(decide(&scene, OrderKind::Revoke, &[FIRST], " ").await.unwrap_err().contains("写明理由"));
    let stage = || scene.says(FIRST, case, "stage");
    let titles = || scene.figure(FIRST, "K02");
    assert_eq!((stage().as_str(), titles()), ("责令整顿", 1));

    decide(&scene, OrderKind::Revoke, &[FIRST], why).await.unwrap();
    until("the district has carried it out", || done(&scene, 1) == 1).await.unwrap();
    scene.agrees().await;
    assert_eq!((stage().as_str(), titles(), scene.figure(DISTRICT, "K36")), ("取消", 0, 1));
    assert_eq!(scene.says(FIRST, case, "revoke_reason"), why);
    assert_eq!(scene.says(FIRST, case, "revoked_on"), scene.ago(0));
    let rulings: Vec<_> =
        scene.ledger(FIRST).history(case).unwrap().into_iter().filter_map(|entry| entry.ruling).collect();
    assert!(rulings.iter().any(|one| (one.by.as_str(), one.unit, one.reason.as_str()) == (LEADER, CITY, why)));

    withdraw(&scene, 1).await.unwrap();
    until("the district has put it back", || titles() == 1).await.unwrap();
    scene.agrees().await;
    assert_eq!((stage().as_str(), titles(), scene.says(FIRST, case, "revoke_reason").as_str()), ("责令整顿", 1, ""));

    // Revoked again, and the district takes it back: the decision, which stands on the list, does not strike twice.
    decide(&scene, OrderKind::Revoke, &[FIRST], why).await.unwrap();
    until("it is revoked again", || done(&scene, 2) == 1).await.unwrap();
    let back = [("stage", "6"), ("revoked_on", ""), ("revoke_reason", "")];
    scene.revise(case, "FecCase", &back).await;
    scene.agrees().await;
    let task = pb::TaskOrder {
        title: "核查".into(),
        to: vec![FIRST],
        due_on: scene.hub().hub.core.today(),
        ..pb::TaskOrder::default()
    };
    ask(&scene, pb::OrderRequest { order: Some(task), withdraw: 0 }).await.unwrap();
    until("the list was heard again", || done(&scene, 3) == 1).await.unwrap();
    scene.agrees().await;
    assert_eq!((stage().as_str(), titles()), ("责令整顿", 1));
    scene.end().await;
}
