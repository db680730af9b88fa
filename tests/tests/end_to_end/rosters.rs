//! Three clerks' files at three offices of one street.

use crate::{DISTRICT, FIRST, STREET, books, town, unit};
use calamine::Reader;
use std::collections::{HashMap, HashSet};
use taizhang_node::exchange::{self, Options, Report, Source};
use taizhang_proto::{register::number, text};
use taizhang_tests::town::{OfficePlan, Plan, TownOffice, agreement};

const FILES: [(&str, &[u8]); 3] = [
    ("求职登记台账.xlsx", include_bytes!("../../data/rosters/求职登记台账.xlsx")),
    ("laodong99.csv", include_bytes!("../../data/rosters/laodong99.csv")),
    ("零就业家庭台账.xls", include_bytes!("../../data/rosters/零就业家庭台账.xls")),
];

/// Name, id number and whether it is damaged, of each row of the two lists of persons.
fn truth() -> Vec<(String, String, bool)> {
    let text = std::str::from_utf8(include_bytes!("../../data/rosters/truth.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (text::no_space(&row[1]), text::no_space(&row[2]), !row[3].is_empty())).collect()
}

fn import(office: &TownOffice, file: usize) -> Report {
    let (file_name, content) = FILES[file];
    let options = Options { by: "test".into(), ..Options::default() };
    exchange::import(&office.desk(), &Source { file_name, content }, &options, &mut |_, _| {}).unwrap()
}

/// Every cell of a reasons file.
fn cells(report: &Report) -> HashSet<String> {
    let Some((name, content)) = &report.reasons else { return HashSet::new() };
    if name.to_lowercase().ends_with(".csv") {
        let (text, _, broken) = encoding_rs::GB18030.decode(content);
        assert!(!broken);
        return text.split(['\n', '\r', ',', '\t', '"', '\'']).map(text::no_space).collect();
    }
    let mut book: calamine::Xlsx<_> = calamine::open_workbook_from_rs(std::io::Cursor::new(content)).unwrap();
    let sheets = book.worksheets();
    let found = sheets.iter().flat_map(|(_, range)| {
        range.used_cells().map(|(_, _, cell)| match cell {
            calamine::Data::Float(number) => number.to_string(),
            other => text::no_space(&other.to_string()),
        })
    });
    found.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_sound_row_reaches_the_district_and_every_damaged_one_comes_back_with_a_reason() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    let plans = [STREET, FIRST, STREET].map(|code| OfficePlan::nightly(unit(code))).to_vec();
    town.open_offices(plans, |_| {}).await.unwrap();
    let mut reasons = HashSet::new();
    let mut first = Vec::new();
    for (file, office) in town.offices.iter().enumerate() {
        office.sync().await.unwrap(); // brings the tree of units, which names the communities in the files
        let report = import(office, file);
        println!("{}: {} rows, {} new, {} refused", FILES[file].0, report.rows, report.new_rows, report.wrong_rows);
        reasons.extend(cells(&report));
        first.push(report);
    }
    let own: Vec<_> = town.offices.iter().map(|office| books::records_of(office.ledger())).collect();
    for office in &town.offices {
        let report = office.sync().await.unwrap();
        assert!(report.ok && report.refused == 0 && report.settled == 0, "{report:?}");
    }
    let at_district = books::records_at(&town.districts[0].hub);
    let by_number: HashMap<String, String> = at_district
        .values()
        .filter(|record| record.register == number::RESIDENT)
        .map(|record| (books::shown(record, "id_no"), books::shown(record, "name")))
        .collect();
    let at_nodes: HashSet<String> = own
        .iter()
        .flat_map(HashMap::values)
        .filter(|record| record.register == number::RESIDENT)
        .map(|record| books::shown(record, "id_no"))
        .collect();
    let truth = truth();
    for (name, id, damaged) in &truth {
        if *damaged {
            assert!(!at_nodes.contains(id) && !by_number.contains_key(id), "{id}");
            assert!(reasons.contains(id), "{id} is in no reasons file");
        } else {
            assert!(at_nodes.contains(id), "{id} is at no node");
            assert_eq!(by_number.get(id), Some(name));
            assert!(!reasons.contains(id), "{id} was refused");
        }
    }
    let damaged = truth.iter().filter(|(_, _, damaged)| *damaged).count();
    println!("{} rows: {} registered at node and district, {damaged} refused", truth.len(), truth.len() - damaged);

    for (file, office) in town.offices.iter().enumerate() {
        let head = office.ledger().state().head;
        let again = import(office, file);
        assert_eq!((again.new_rows, again.changed_rows), (0, 0), "{:?}", again.findings);
        assert_eq!((again.same_rows, again.wrong_rows), (first[file].new_rows, first[file].wrong_rows));
        assert_eq!(office.ledger().state().head, head);
        assert_eq!(office.sync().await.unwrap().pushed, 0);
    }
    assert_eq!(books::records_at(&town.districts[0].hub), at_district);
    town.settled(|_, _| {}).await.unwrap();
    let agreement = agreement(&town).unwrap();
    assert!(agreement.holds(), "{:?}", agreement.differences);
    town.stop().await;
}
