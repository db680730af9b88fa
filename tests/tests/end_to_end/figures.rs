//! Totals are what a recount finds, from the nodes' registers up to the city.

use crate::{DISTRICT, ELSEWHERE, FIRST, SECOND, STREET, books, town, unit};
use std::{collections::HashMap, convert::Infallible};
use taizhang_hub::totals::audit::own_cells;
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::{CellKey, Shelf, all_subjects, contributions, links},
    indicator::Part,
    plan,
};
use taizhang_tests::town::{OfficePlan, Plan, Town, agreement};

/// Records of many offices together, each once.
struct Pile {
    records: HashMap<RecordId, Record>,
    links: HashMap<RecordId, Vec<(u32, RecordId)>>,
}

impl Shelf for Pile {
    type Error = Infallible;

    fn record(&self, id: RecordId) -> Result<Option<Record>, Infallible> {
        Ok(self.records.get(&id).cloned())
    }

    fn about(&self, target: RecordId) -> Result<Vec<(u32, RecordId)>, Infallible> {
        Ok(self.links.get(&target).cloned().unwrap_or_default())
    }

    fn sharing(&self, register: u32, tag: u32, bytes: &[u8]) -> Result<Vec<RecordId>, Infallible> {
        let carries =
            |record: &Record| record.register == register && record.bytes(tag).is_some_and(|own| own == bytes);
        Ok(self.records.iter().filter(|(_, record)| carries(record)).map(|(id, _)| *id).collect())
    }
}

/// A district's cells, counted from nothing but the registers of its nodes.
fn recount(town: &Town, district: OrgCode) -> HashMap<CellKey, i64> {
    let mut pile = Pile { records: HashMap::new(), links: HashMap::new() };
    for office in town.offices.iter().filter(|office| district.covers(office.unit)) {
        pile.records.extend(books::records_of(office.ledger()));
    }
    for (id, record) in &pile.records {
        for target in links(record) {
            pile.links.entry(target).or_default().push((record.register, *id));
        }
    }
    let units = town.tree.below(district).map(|unit| unit.code);
    let subjects = all_subjects(&pile, units, pile.records.keys().copied()).unwrap();
    let mut cells = HashMap::new();
    for subject in subjects {
        for one in contributions(&pile, subject, plan::Plans::notice_2008()).unwrap() {
            *cells.entry(one.key).or_insert(0) += one.delta;
        }
    }
    cells.retain(|_, value| *value != 0);
    cells
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_city_is_the_sum_of_its_districts_and_they_are_what_a_recount_of_the_nodes_finds() {
    let (_dir, mut town) = town(&[DISTRICT, ELSEWHERE], Plan::default()).await;
    let rural = unit(210_403_103_000);
    let units = [unit(STREET), unit(FIRST), unit(SECOND), rural, unit(210_403_002_001)];
    town.open_offices(units.map(OfficePlan::live).to_vec(), |_| {}).await.unwrap();
    let mut people = 0;
    for (seed, office) in (1..).zip(&town.offices) {
        people += books::fill(office.ledger(), seed, 200).len() as i64;
    }
    town.settled(|_, _| {}).await.unwrap();

    let agreement = agreement(&town).unwrap();
    assert!(agreement.holds(), "{:?}", agreement.differences);
    assert!(agreement.city.differences.is_empty() && agreement.districts.iter().all(|one| one.differences.is_empty()));
    assert_eq!(town.city.figure(town.city.unit, "K00").unwrap(), people);
    let mut cells = 0;
    for district in &town.districts {
        let counted = recount(&town, district.unit);
        let mut own = own_cells(&district.hub.core).unwrap();
        // What a district counts of its offices' nodes and of its own queue is in no register.
        own.retain(|key, _| !Part::from_number(key.part).is_some_and(Part::is_of_hubs));
        assert_eq!(own, counted);
        cells += counted.len();
    }
    println!("{people} persons, {cells} cells: nodes = districts = city");
    town.stop().await;
}
