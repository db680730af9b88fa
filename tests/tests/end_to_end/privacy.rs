//! The city holds no personal data, and nobody's logs do.

use crate::{DISTRICT, ELSEWHERE, FIRST, STREET, books, districts, town, unit};
use std::{
    collections::HashSet,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use taizhang_node::exchange::{self, Options, Source};
use taizhang_proto::register::number;
use taizhang_tests::town::{OfficePlan, Plan, TownOffice, until};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that this process logs.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Texts to look for.
struct Secrets {
    texts: HashSet<Vec<u8>>,
    lengths: Vec<usize>,
}

impl Secrets {
    /// Names and id numbers on an office's registers.
    fn of(offices: &[TownOffice]) -> Self {
        let records = offices.iter().flat_map(|office| books::records_of(office.ledger()));
        let residents = records.filter(|(_, record)| record.register == number::RESIDENT);
        let texts: HashSet<Vec<u8>> = residents
            .flat_map(|(_, record)| ["name", "id_no"].map(|field| books::shown(&record, field).into_bytes()))
            .filter(|text| text.len() >= 6)
            .collect();
        let lengths: HashSet<usize> = texts.iter().map(Vec::len).collect();
        Self { texts, lengths: lengths.into_iter().collect() }
    }

    /// How many places in `bytes` hold one of them.
    fn count(&self, bytes: &[u8]) -> usize {
        let at = |length: &usize| {
            let places = bytes.windows(*length);
            // An id number begins with 2, a name with a character beyond ASCII.
            let likely = places.filter(|place| place[0] == b'2' || place[0] > 0xe0);
            likely.filter(|place| self.texts.contains(*place)).count()
        };
        self.lengths.iter().map(at).sum()
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_city_and_the_logs_hold_no_name_and_no_id_number() {
    let logs = Logs::default();
    let filter = "debug,taizhang_node=trace,taizhang_hub=trace,taizhang_proto=trace";
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(logs.clone());
    subscriber.try_init().unwrap();

    let (_dir, mut town) = town(&[DISTRICT, ELSEWHERE], Plan::default()).await;
    let plans = [FIRST, STREET, districts::THERE].map(|code| OfficePlan::live(unit(code))).to_vec();
    town.open_offices(plans, |_| {}).await.unwrap();
    for (seed, office) in (1..).zip(&town.offices) {
        books::fill(office.ledger(), seed, 300);
    }
    until("the street has the tree of units", || !town.offices[1].ledger().units().is_empty()).await.unwrap();
    let content = include_bytes!("../../data/rosters/求职登记台账.xlsx");
    let source = Source { file_name: "求职登记台账.xlsx", content };
    exchange::import(&town.offices[1].desk(), &source, &Options::default(), &mut |_, _| {}).unwrap();
    // A household passes through the city, sealed, and the districts share a key that it never sees.
    let household = districts::send_household(&town.offices[0], &town.offices[2], "1").await;
    until("it has arrived", || town.offices[2].ledger().view(household).unwrap().is_some()).await.unwrap();
    until("both districts hold the mark key", || {
        town.districts.iter().all(|district| !districts::keys(district).is_empty())
    })
    .await
    .unwrap();
    let keys: Vec<Vec<u8>> = town.districts.iter().flat_map(districts::keys).collect();
    town.settled(|_, _| {}).await.unwrap();
    let secrets = Secrets::of(&town.offices);
    assert!(secrets.texts.len() > 800);

    let district = secrets.count(&books::rows_at(&town.districts[0].hub));
    assert!(district > 800, "the search finds nothing where everything is: {district}");
    assert_eq!(secrets.count(&books::rows_at(&town.city.hub)), 0);
    let city_dir = town.city.dir.clone();
    let nodes: Vec<PathBuf> = town.offices.iter().map(|office| office.dir.clone()).collect();
    town.stop().await;
    let at_nodes: usize =
        nodes.iter().flat_map(|dir| files(dir)).map(|path| secrets.count(&std::fs::read(path).unwrap())).sum();
    assert!(at_nodes > 800, "the search finds nothing in the nodes' files: {at_nodes}");
    let mut bytes = 0;
    for path in files(&city_dir) {
        let content = std::fs::read(&path).unwrap();
        assert_eq!(secrets.count(&content), 0, "{}", path.display());
        let shows = |key: &Vec<u8>| content.windows(key.len()).any(|place| place == key);
        assert!(!keys.iter().any(shows), "a mark key in {}", path.display());
        bytes += content.len();
    }
    let logged = logs.0.lock().unwrap().clone();
    assert!(String::from_utf8_lossy(&logged).contains("enrolled"), "nothing was captured");
    assert_eq!(secrets.count(&logged), 0);
    println!(
        "{} names and id numbers: {district} times at the district, {at_nodes} in the nodes' files; none in {bytes} bytes of the city's files, none in {} bytes of logs",
        secrets.texts.len(),
        logged.len()
    );
}
