//! An entry at a node moves the city's figures.

use crate::{DISTRICT, FIRST, SECOND, books, town, unit};
use std::time::Instant;
use taizhang_hub::writer::Job;
use taizhang_node::{desk::Desk, identity::Identity};
use taizhang_proto::{
    date,
    pb::{self, totals_client::TotalsClient},
};
use taizhang_tests::{
    synth::City,
    town::{OfficePlan, Plan, UNITS, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_entry_at_a_live_node_shows_in_the_citys_watch() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::live(unit(FIRST))).await.unwrap();
    let office = &town.offices[0];
    until("the office is online", || office.office.keeper.as_ref().unwrap().state().connected).await.unwrap();
    // Over the wire, as the district that is enrolled at the city: it may see its own subtree there, and no more.
    let channel = Identity::load(&town.districts[0].dir).unwrap().connect().await.unwrap();
    let whole = pb::TotalsRequest { unit: town.city.unit.number(), ..pb::TotalsRequest::default() };
    let refused = TotalsClient::new(channel.clone()).query(whole).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    let request = pb::TotalsRequest { indicators: vec!["K00".into()], ..pb::TotalsRequest::default() };
    let mut changes = TotalsClient::new(channel).watch(request).await.unwrap().into_inner();
    let first = changes.message().await.unwrap().unwrap();
    assert!(first.values.iter().all(|value| value.numerator == 0));

    let mut city = City::new(1, office.ledger().business_day());
    for count in 1..=3 {
        let started = Instant::now();
        let desk = office.desk();
        books::save(office.ledger(), city.person(office.unit, desk.new_id()));
        let moved = changes.message().await.unwrap().unwrap();
        println!("from entry to the city's watch: {:?}", started.elapsed());
        let figures: Vec<_> = moved.values.iter().map(|value| (value.unit, value.numerator)).collect();
        assert_eq!(figures, [(DISTRICT, count)]);
    }
    drop(changes);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_tree_of_units_reaches_every_live_link_and_moves_an_office_whose_code_is_given_up() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::live(unit(FIRST))).await.unwrap();
    let office = &town.offices[0];
    let link = || office.office.keeper.as_ref().unwrap().state();
    let (connected, in_touch) = (|| link().connected, || link().report.ok && link().report.equal);
    until("the office is in touch", || connected() && in_touch()).await.unwrap();
    let old = UNITS.lines().find(|line| line.starts_with(&FIRST.to_string())).unwrap();
    let name = old.split(',').nth(1).unwrap();
    let renamed = UNITS.replace(old, &old.replace(name, "新名社区"));
    town.city.hub.writer.write(Job::Tree(renamed, None)).await.unwrap();
    let shown = || office.ledger().units().name(unit(FIRST)).clone();
    until("the office shows the new name", || shown() == "新名社区").await.unwrap();

    let today = date::iso(town.districts[0].hub.core.today());
    let merged = UNITS.replace(old, &format!("{old},{SECOND},{today}"));
    town.city.hub.writer.write(Job::Tree(merged, None)).await.unwrap();
    // The office greets anew: from here on its scope is the unit that its own has become.
    let moved = || office.ledger().units().current(unit(FIRST), office.ledger().business_day()) == unit(SECOND);
    until("the office knows that its code was given up", moved).await.unwrap();
    until("the office is in touch again", || connected() && in_touch()).await.unwrap();
    let core = &town.districts[0].hub.core;
    assert_eq!(core.tree().current(unit(FIRST), core.today()), unit(SECOND));
    books::save(
        office.ledger(),
        City::new(1, office.ledger().business_day()).person(unit(FIRST), office.desk().new_id()),
    );
    let counted = || town.districts[0].figure(unit(SECOND), "K00").unwrap() == 1;
    until("what it enters counts at the new code", counted).await.unwrap();
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hub_stops_while_somebody_watches() {
    let (_dir, town) = town(&[DISTRICT], Plan::default()).await;
    let channel = Identity::load(&town.districts[0].dir).unwrap().connect().await.unwrap();
    let mut changes = TotalsClient::new(channel).watch(pb::TotalsRequest::default()).await.unwrap().into_inner();
    changes.message().await.unwrap().unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(30), town.stop()).await.expect("the town stops");
    // What moved before the end is still heard; then the hub says that it stops.
    let last = loop {
        match changes.message().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(last.unwrap_err().code(), tonic::Code::Unavailable);
}
