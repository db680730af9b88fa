//! Two districts and the city between them.

use crate::{DISTRICT, ELSEWHERE, FIRST, books, town, unit};
use taizhang_hub::{authority::make_token, mail::marks::desk};
use taizhang_node::{
    caller::Refusal,
    desk::{Desk, Draft},
};
use taizhang_proto::{
    Record, RecordId,
    register::{Value, number},
};
use taizhang_tests::town::{OfficePlan, Plan, Town, TownHub, TownOffice, agreement, until};

/// A community of the other district.
pub(crate) const THERE: u64 = 210_403_002_001;

/// The first record of a register at an office.
fn first(office: &TownOffice, register: u32) -> Option<(RecordId, Record)> {
    books::records_of(office.ledger()).into_iter().find(|(_, record)| record.register == register)
}

/// Mark keys that a district holds.
pub(crate) fn keys(district: &TownHub) -> Vec<Vec<u8>> {
    let desk = desk(district.hub.core.view().as_ref()).unwrap();
    desk.keys.into_iter().map(|key| key.key).collect()
}

/// Sends the first household of one office to another in another district, which answers.
pub(crate) async fn send_household(from: &TownOffice, to: &TownOffice, decision: &str) -> RecordId {
    let (household, _) = first(from, number::HOUSEHOLD).unwrap();
    let transfer_to = Value::Uint(to.unit.number());
    books::save(from.ledger(), Draft::new(household, number::HOUSEHOLD).with(15, transfer_to));
    until("the other district's office is asked", || first(to, number::TRANSFER).is_some()).await.unwrap();
    let (transfer, asked) = first(to, number::TRANSFER).unwrap();
    assert!(!books::shown(&asked, "name").is_empty());
    books::save(to.ledger(), Draft::new(transfer, number::TRANSFER).with(25, Value::Text(decision.into())));
    household
}

async fn two_districts() -> (tempfile::TempDir, Town) {
    let (dir, mut town) = town(&[DISTRICT, ELSEWHERE], Plan::default()).await;
    town.open_offices(vec![OfficePlan::live(unit(FIRST)), OfficePlan::live(unit(THERE))], |_| {}).await.unwrap();
    for (seed, office) in (1..).zip(&town.offices) {
        books::fill(office.ledger(), seed, 60);
    }
    town.settled(|_, _| {}).await.unwrap();
    (dir, town)
}

/// The city's count of everybody registered.
fn everybody(town: &Town) -> i64 {
    town.city.figure(town.city.unit, "K00").unwrap()
}

async fn all_agree(town: &Town) {
    town.settled(|_, _| {}).await.unwrap();
    let agreement = agreement(town).unwrap();
    assert!(agreement.holds(), "{:?}", agreement.differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_household_moves_to_another_district_with_all_that_belongs_to_it() {
    let (_dir, town) = two_districts().await;
    let (from, to) = (&town.offices[0], &town.offices[1]);
    let (before, there) = (everybody(&town), town.districts[1].figure(unit(THERE), "K00").unwrap());
    let household = send_household(from, to, "1").await;
    until("the household is in the other office", || {
        assert_eq!(everybody(&town), before, "somebody is counted twice or not at all");
        to.ledger().view(household).unwrap().is_some()
    })
    .await
    .unwrap();
    until("it has left the old one", || from.ledger().view(household).unwrap().is_none()).await.unwrap();
    let moved = town.districts[1].figure(unit(THERE), "K00").unwrap() - there;
    assert!(moved > 0, "nobody came along");
    assert_eq!(everybody(&town), before);
    all_agree(&town).await;
    let (_, done) = first(to, number::TRANSFER).unwrap();
    until("the office reads that it is done", || {
        first(to, number::TRANSFER).is_some_and(|(_, record)| record.bytes(27).is_some())
    })
    .await
    .unwrap();
    assert_eq!(done.slice(25), Some(&b"1"[..]));

    // What moved can be worked on where it is now.
    let address = Draft::new(household, number::HOUSEHOLD).with(23, Value::Text("新居".into()));
    books::save(to.ledger(), address);
    all_agree(&town).await;
    let at_hub = books::records_at(&town.districts[1].hub);
    assert_eq!(books::shown(&at_hub[&household], "address"), "新居");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_registered_in_two_districts_counts_once_and_both_hear_of_it() {
    let (_dir, town) = two_districts().await;
    until("both districts hold one key", || {
        let (one, two) = (keys(&town.districts[0]), keys(&town.districts[1]));
        !one.is_empty() && one == two
    })
    .await
    .unwrap();
    let before = everybody(&town);
    let (_, person) = first(&town.offices[0], number::RESIDENT).unwrap();
    let twin = town.offices[1].desk().new_id();
    let mut draft = Draft::new(twin, number::RESIDENT).with(1, Value::Uint(THERE)).with(26, Value::Uint(THERE));
    for (tag, field) in [(21, "id_no"), (23, "name")] {
        draft = draft.with(tag, Value::Text(books::shown(&person, field)));
    }
    books::save(town.offices[1].ledger(), draft);
    let says = |office: &TownOffice| {
        books::records_of(office.ledger()).into_values().filter(|record| record.varint(14).is_some()).count()
    };
    until("one of the two offices reads that the other counts", || {
        says(&town.offices[0]) + says(&town.offices[1]) == 1
    })
    .await
    .unwrap();
    all_agree(&town).await;
    assert_eq!(everybody(&town), before);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_district_that_has_a_hub_is_given_another_only_where_somebody_says_so() {
    let (_dir, town) = town(&[DISTRICT], Plan::default()).await;
    let hub = &town.city.hub;
    let asked = |again| taizhang_proto::pb::TokenRequest {
        unit: DISTRICT,
        hub: true,
        again,
        ..taizhang_proto::pb::TokenRequest::default()
    };
    let give =
        async |again| make_token(&hub.core, &hub.writer, &hub.authority, "https://127.0.0.1:7201", &asked(again)).await;
    assert!(matches!(give(false).await, Err(Refusal::Exists(_))));
    assert!(give(true).await.is_ok());
    town.stop().await;
}
