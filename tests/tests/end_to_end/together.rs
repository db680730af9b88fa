//! Two offices and one record.

use crate::{DISTRICT, FIRST, SECOND, STREET, books, town, unit};
use std::sync::Arc;
use taizhang_node::ledger::{Clock, system_clock};
use taizhang_proto::{
    RecordId,
    register::Value,
    wire::{Raw, occurrences, split},
};
use taizhang_tests::town::{OfficePlan, Plan, Town, TownOffice, agreement, apart};

const EARLIER: &str = "13900000001";
const LATER: &str = "13900000002";

/// A clock that runs ahead by so many milliseconds.
fn ahead(millis: u64) -> Clock {
    let clock = system_clock();
    Arc::new(move || clock() + millis)
}

fn phone(id: RecordId, number: &str) -> taizhang_node::desk::Draft {
    books::edit(id, "phone", Value::Text(number.into()))
}

fn past_phones(office: &TownOffice, id: RecordId) -> Vec<String> {
    let history = office.ledger().history(id).unwrap();
    let fields = history.iter().flat_map(|entry| split(&entry.message).unwrap());
    let phones = fields.filter(|field| field.tag == books::tag("phone"));
    let text = |raw: Raw<'_>| match raw {
        Raw::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        _ => panic!("a phone number is text"),
    };
    phones.flat_map(|field| occurrences(&field.bytes).map(text).collect::<Vec<_>>()).collect()
}

async fn everybody_syncs(town: &Town) {
    town.sync_all().await.unwrap();
    for office in &town.offices {
        assert!(office.ledger().refused().unwrap().is_empty(), "{}", office.unit);
    }
}

async fn all_is_well(town: &Town) {
    assert_eq!(apart(town).unwrap(), Vec::<String>::new());
    assert!(town.offices.iter().all(|office| office.ledger().state().incidents == 0));
    town.settled(|_, _| {}).await.unwrap();
    let agreement = agreement(town).unwrap();
    assert!(agreement.holds(), "{:?}", agreement.differences);
}

/// A community, whose clock is right, and its street, whose clock runs a minute ahead, both holding one resident.
async fn community_and_street() -> (tempfile::TempDir, Town, RecordId) {
    let (dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    let street = OfficePlan { clock: Some(ahead(60_000)), ..OfficePlan::nightly(unit(STREET)) };
    let plans = vec![OfficePlan::nightly(unit(FIRST)), street, OfficePlan::nightly(unit(SECOND))];
    town.open_offices(plans, |_| {}).await.unwrap();
    let residents = books::fill(town.offices[0].ledger(), 1, 20);
    everybody_syncs(&town).await;
    (dir, town, residents[0])
}

async fn the_later_edit_stands(first_to_sync: usize) {
    let (_dir, town, id) = community_and_street().await;
    let (community, street) = (&town.offices[0], &town.offices[1]);
    books::save(community.ledger(), phone(id, EARLIER));
    books::save(street.ledger(), phone(id, LATER));
    town.offices[first_to_sync].sync().await.unwrap();
    everybody_syncs(&town).await;
    for office in [community, street] {
        let view = office.ledger().view(id).unwrap().unwrap();
        assert_eq!(books::shown(&view, "phone"), LATER);
        let past = past_phones(office, id);
        assert!(past.contains(&EARLIER.to_owned()), "{}: {past:?}", office.unit);
    }
    all_is_well(&town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_offline_edits_the_later_stands_when_the_earlier_arrives_first() {
    the_later_edit_stands(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_offline_edits_the_later_stands_when_it_arrives_first() {
    the_later_edit_stands(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_that_its_street_moves_leaves_one_community_and_reaches_the_other() {
    let (_dir, town, id) = community_and_street().await;
    let [from, street, to] = &town.offices[..] else { panic!("three offices") };
    books::save(street.ledger(), books::edit(id, "home_unit", Value::Uint(SECOND)));
    street.sync().await.unwrap();
    from.sync().await.unwrap();
    assert!(from.ledger().view(id).unwrap().is_none());
    to.sync().await.unwrap();
    let moved = to.ledger().view(id).unwrap().unwrap();
    assert_eq!(Some(moved), street.ledger().view(id).unwrap());
    assert_eq!(town.districts[0].figure(unit(FIRST), "K00").unwrap(), 19);
    assert_eq!(town.districts[0].figure(unit(SECOND), "K00").unwrap(), 1);
    everybody_syncs(&town).await;
    all_is_well(&town).await;

    // And back again, while the community that lost it was away.
    books::save(street.ledger(), books::edit(id, "home_unit", Value::Uint(FIRST)));
    street.sync().await.unwrap();
    everybody_syncs(&town).await;
    assert!(from.ledger().view(id).unwrap().is_some() && to.ledger().view(id).unwrap().is_none());
    all_is_well(&town).await;
    town.stop().await;
}
