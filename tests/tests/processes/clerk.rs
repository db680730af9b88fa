//! Clerks who enter residents through an office's control socket and remember every answer.
//! Invariant: what was answered 'saved' must be found; what got no answer may be found, but only whole.

use crate::town::{self, Channels};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use taizhang_hub::{
    engine::FjallStore,
    store::{Space, Store},
};
use taizhang_proto::{
    Record, RecordId, citizen_id, date,
    pb::{ListRequest, SaveRequest, office_client::OfficeClient},
    register::{Value, number, registers},
};

/// Fields as text, by name.
pub type Fields = BTreeMap<String, String>;

/// What is known of one resident.
#[derive(Debug, Clone, Default)]
struct Page {
    /// As last answered 'saved'; empty before the first answer.
    saved: Fields,
    /// What of it was answered since the last session.
    fresh: Fields,
    /// As sent since then without an answer, the latest last.
    unanswered: Vec<Fields>,
}

/// All that the clerks of one test remember.
#[derive(Debug, Default)]
pub struct Book {
    pages: Mutex<BTreeMap<String, Page>>,
    acknowledged: AtomicU64,
    serial: AtomicU64,
}

impl Book {
    /// Saves that were answered.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Residents whose first save was answered.
    pub fn residents(&self) -> usize {
        self.pages.lock().unwrap().values().filter(|page| !page.saved.is_empty()).count()
    }

    /// A new resident's fields; nobody gets the same number or phone twice.
    pub fn resident(&self) -> Fields {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let names = [("id_no", id_no(serial)), ("name", name(serial)), ("hukou_kind", "非农业".to_owned())];
        let mut fields: Fields = names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        fields.extend(self.contact());
        fields
    }

    /// A new phone number and an address that belongs to it: saved together, so they must stay together.
    fn contact(&self) -> Fields {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Fields::from([("phone".into(), format!("138{serial:08}")), ("address".into(), format!("测试路{serial:08}号"))])
    }

    /// Notes what is about to be sent.
    pub fn sending(&self, id: &str, fields: &Fields) {
        self.pages.lock().unwrap().entry(id.to_owned()).or_default().unanswered.push(fields.clone());
    }

    /// Notes that it was answered 'saved': earlier sends without an answer no longer matter.
    pub fn saved(&self, id: &str, fields: Fields) {
        let mut pages = self.pages.lock().unwrap();
        let page = pages.get_mut(id).unwrap();
        page.fresh.extend(fields.clone());
        page.saved.extend(fields);
        page.unanswered.clear();
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that it was refused: it must not be found.
    pub fn refused(&self, id: &str) {
        let mut pages = self.pages.lock().unwrap();
        let page = pages.get_mut(id).unwrap();
        page.unanswered.pop();
        if page.saved.is_empty() && page.unanswered.is_empty() {
            pages.remove(id);
        }
    }

    /// Notes that the district has everything.
    pub fn synced(&self) {
        for page in self.pages.lock().unwrap().values_mut() {
            page.fresh.clear();
        }
    }

    /// Asserts that everything saved since the last session is in what a place holds.
    pub fn compare_unsynced(&self, held: &HashMap<String, Fields>, place: &str) {
        for (id, page) in self.pages.lock().unwrap().iter().filter(|(_, page)| !page.fresh.is_empty()) {
            let found = held.get(id);
            let there = |(name, value): (&String, &String)| found.and_then(|found| found.get(name)) == Some(value);
            assert!(page.fresh.iter().all(there), "{place} lost a change of {id}: {found:?}, not {:?}", page.fresh);
        }
    }

    /// Compares with what a place holds: every saved resident with its fields, nothing that was never sent.
    pub fn compare(&self, held: &HashMap<String, Fields>, place: &str) {
        let pages = self.pages.lock().unwrap();
        for (id, page) in pages.iter() {
            let Some(found) = held.get(id) else {
                assert!(page.saved.is_empty(), "{place} lost resident {id}");
                continue;
            };
            // Each send without an answer may have taken effect, whole, the later over the earlier.
            let whole = |upto: &[Fields]| {
                let mut fields = page.saved.clone();
                fields.extend(upto.iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
                fields
            };
            let possible: Vec<Fields> = (0..=page.unanswered.len()).map(|n| whole(&page.unanswered[..n])).collect();
            let fits = |fields: &Fields| fields.iter().all(|(name, value)| found.get(name) == Some(value));
            assert!(
                possible.iter().any(|fields| !fields.is_empty() && fits(fields)),
                "{place} has resident {id} otherwise: {found:?}, not one of {possible:?}"
            );
        }
        for id in held.keys() {
            assert!(pages.contains_key(id), "{place} has resident {id}, which nobody entered");
        }
        let mut numbers: Vec<_> = held.values().map(|fields| &fields["id_no"]).collect();
        numbers.sort();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "{place} has a resident twice");
    }

    /// Asserts that no name, number, phone or address that was entered stands in a text.
    pub fn nobody_in(&self, text: &str) {
        for page in self.pages.lock().unwrap().values() {
            for fields in page.unanswered.iter().chain([&page.saved]) {
                for field in ["id_no", "name", "phone", "address"] {
                    let found = fields.get(field).is_some_and(|value| text.contains(value.as_str()));
                    assert!(!found, "a {field} stands in the logs");
                }
            }
        }
    }
}

/// A valid number of nobody: its area code is assigned to no place.
pub fn id_no(serial: u64) -> String {
    let birth = date::ymd(1960, 1, 1).unwrap() + (serial % 14_000) as i32;
    let birth = date::iso(birth).replace('-', "");
    let digits = format!("{}{birth}{:03}", 210_490 + serial / 14_000 % 10, serial / 140_000 % 999 + 1);
    let last = citizen_id::check_character(digits.as_bytes()).unwrap();
    format!("{digits}{}", char::from(last))
}

/// A name that no log line holds by chance.
fn name(serial: u64) -> String {
    let part = |digit: u64| char::from_u32(0x4e00 + (digit % 5_000) as u32).unwrap();
    format!("欧阳{}{}", part(serial), part(serial / 5_000 + serial % 7 * 600))
}

/// A clerk at an office's desk.
pub struct Clerk {
    data: PathBuf,
    pub book: Arc<Book>,
    mine: Vec<String>,
    rng: StdRng,
    desk: Option<OfficeClient<Channels>>,
    /// Pause between two entries.
    pause: Duration,
}

impl Clerk {
    pub fn new(data: &Path, book: &Arc<Book>, seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed);
        let (data, book) = (data.to_owned(), book.clone());
        Self { data, book, mine: Vec::new(), rng, desk: None, pause: Duration::ZERO }
    }

    /// One who takes a moment between two entries, so that a long test does not drown in records.
    pub fn at_ease(mut self) -> Self {
        self.pause = Duration::from_millis(20);
        self
    }

    /// Enters one resident or one change of address. Returns the refusal when there was one; none when it was saved
    /// or nobody answered.
    pub async fn enter(&mut self) -> Option<tonic::Status> {
        if self.desk.is_none() {
            self.desk = town::office(&self.data).await;
        }
        let Some(desk) = &mut self.desk else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return None;
        };
        let known = if self.mine.is_empty() || self.rng.random_bool(0.6) {
            None
        } else {
            Some(self.mine[self.rng.random_range(0..self.mine.len())].clone())
        };
        let is_new = known.is_none();
        let fields = if is_new { self.book.resident() } else { self.book.contact() };
        let id = known.unwrap_or_else(|| {
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
            RecordId::create(now, rand::random()).to_string()
        });
        self.book.sending(&id, &fields);
        let request = SaveRequest {
            register: "resident".into(),
            record: id.clone(),
            fields: fields.clone().into_iter().collect(),
            by: "clerk".into(),
            ..SaveRequest::default()
        };
        match desk.save(request).await {
            Ok(answer) => {
                assert_eq!(answer.into_inner().record, id);
                self.book.saved(&id, fields);
                if is_new {
                    self.mine.push(id);
                }
                None
            }
            Err(status) if matches!(status.code(), tonic::Code::InvalidArgument | tonic::Code::Internal) => {
                self.book.refused(&id);
                Some(status)
            }
            Err(_) => {
                self.desk = None;
                None
            }
        }
    }

    /// Enters until told to stop. A refusal is a failure.
    pub fn work(mut self, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
        let stop = stop.clone();
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let refused = self.enter().await;
                assert!(refused.is_none(), "{refused:?}");
                if !self.pause.is_zero() {
                    tokio::time::sleep(self.pause).await;
                }
            }
        })
    }
}

/// All residents of a running office.
pub async fn at_office(data: &Path) -> HashMap<String, Fields> {
    let mut desk = town::office(data).await.unwrap();
    let request = ListRequest { register: "resident".into(), unit: 0, limit: u32::MAX };
    let rows = desk.list(request).await.unwrap().into_inner().rows;
    // A unit is shown by name, with its code behind it.
    let value = |fact: taizhang_proto::pb::Fact| match fact.key.as_str() {
        "home_unit" => fact.value.trim_end_matches(')').rsplit('(').next().unwrap().to_owned(),
        _ => fact.value,
    };
    let fields = |fields: Vec<taizhang_proto::pb::Fact>| {
        fields.into_iter().map(|fact| (fact.key.clone(), value(fact))).collect()
    };
    rows.into_iter().map(|row| (row.record, fields(row.fields))).collect()
}

/// All residents in the store of a stopped hub.
pub fn at_hub(data: &Path) -> HashMap<String, Fields> {
    let store = FjallStore::open(&data.join("store")).unwrap();
    let view = store.view();
    let def = registers().get(number::RESIDENT).unwrap();
    let mut held = HashMap::new();
    for row in view.prefix(Space::Records, &[]) {
        let (key, value) = row.unwrap();
        let record = Record::decode(value).unwrap();
        if record.register != number::RESIDENT {
            continue;
        }
        held.insert(RecordId::from_slice(&key).unwrap().to_string(), shown(def, &record));
    }
    held
}

/// A record's fields as a clerk reads them.
pub fn shown(def: &taizhang_proto::register::RegisterDef, record: &Record) -> Fields {
    let value = |field: &taizhang_proto::register::FieldDef| {
        Some((field.name.clone(), Value::decode(field, record.bytes(field.tag)?)?.show(field)))
    };
    def.fields.iter().filter_map(value).collect()
}
