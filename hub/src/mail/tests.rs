//! A city and its districts in memory: real stores, real envelopes, messages passed between the session machines, so
//! every point at which a session can break is reached.
#![allow(clippy::unwrap_used)]

mod acknowledged;
mod finding;
mod hostile;
mod moving;
mod much;

use super::{
    envelope::Envelopes,
    rows::{NeighbourRow, under},
};
use crate::{
    authority::Authority,
    engine::FjallStore,
    rows::NodeRow,
    session::Server,
    state::{Core, Peer},
    store::Space,
    totals::{audit, value},
    upward::Upward,
    writer::{Answer, Job, Pushed},
};
use prost::Message;
use rcgen::{CertificateParams, KeyPair};
use std::{collections::VecDeque, path::Path, sync::Arc};
use taizhang_node::{
    identity::{CertKind, CertName},
    ledger::system_clock,
    upstream::{Client, SessionError},
};
use taizhang_proto::{
    OrgCode, Record, RecordId, change, indicator,
    pb::{self, Tier},
    register::number,
    stamp::Stamp,
    wire::{Field, put_bytes, put_varint},
};

const CITY: u64 = 210_400_000_000;
const A: u64 = 210_402_000_000;
const B: u64 = 210_403_000_000;
const IN_A: u64 = 210_402_011_003;
const IN_B: u64 = 210_403_011_003;
const UNITS: &str = "code,name,parent,tier\n210400000000,市,,city\n210402000000,甲区,210400000000,district\n\
    210402011000,甲街,210402000000,township\n210402011003,甲社区,210402011000,community\n\
    210403000000,乙区,210400000000,district\n210403011000,乙街,210403000000,township\n\
    210403011003,乙社区,210403011000,community\n";

fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

fn open(dir: &Path, code: u64, tier: Tier) -> Arc<Core> {
    Core::open(unit(code), tier, Box::new(FjallStore::open(dir).unwrap()), system_clock()).unwrap()
}

fn figure(core: &Core, code: &str) -> i64 {
    value(core.view().as_ref(), core.unit, indicator::by_code(code).unwrap(), &year(core)).unwrap().numerator
}

fn write(core: &Core, job: Job) -> Answer {
    core.commit(vec![job]).pop().unwrap().unwrap()
}

struct District {
    core: Arc<Core>,
    upward: Arc<Upward>,
    peer: Peer,
    office: Peer,
    seq: u64,
    key: String,
}

impl District {
    /// The hub's number for its office's log.
    fn log(&self) -> u32 {
        child(&self.core, &self.office).number
    }
}

/// What a hub knows of a child.
fn child(core: &Core, peer: &Peer) -> NodeRow {
    crate::rows::read(core.view().as_ref(), Space::Nodes, peer.id.as_bytes()).unwrap().unwrap()
}

struct World {
    dir: tempfile::TempDir,
    city: Option<Arc<Core>>,
    districts: Vec<District>,
    /// Every message that the city has handled.
    heard: Vec<u8>,
}

/// A field with a text.
fn text(tag: u32, value: &str) -> Field {
    let mut bytes = Vec::new();
    put_bytes(tag, value.as_bytes(), &mut bytes);
    Field { tag, bytes: bytes.into() }
}

/// A field with a number.
fn uint(tag: u32, value: u64) -> Field {
    let mut bytes = Vec::new();
    put_varint(tag, value, &mut bytes);
    Field { tag, bytes: bytes.into() }
}

/// An id number with the right check digit.
fn id_no(serial: u32) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let body = format!("21040219800101{:03}", serial % 1_000);
    let sum: u32 = body.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{body}{}", "10X98765432".as_bytes()[(sum % 11) as usize] as char)
}

/// This year up to today.
fn year(core: &Core) -> indicator::Period {
    indicator::Period::up_to(core.today(), indicator::Span::Year)
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Authority::init(dir.path(), unit(CITY), 1_700_000_000).unwrap();
        let city = open(&dir.path().join("city"), CITY, Tier::City);
        write(&city, Job::Tree(UNITS.into(), None));
        let mut world = Self { dir, city: Some(city), districts: Vec::new(), heard: Vec::new() };
        world.enrol(A, IN_A);
        world.enrol(B, IN_B);
        world
    }

    /// Puts a district's store into the state of a copy, or makes the copy.
    fn reopen(mut self, place: usize, copy: &Path, restore: bool) -> Self {
        let District { core, upward, peer, office, seq, key } = self.districts.remove(place);
        let code = core.unit.number();
        drop((core, upward));
        let dir = self.dir.path().join(code.to_string());
        if restore {
            std::fs::remove_dir_all(&dir).unwrap();
            copy_dir(copy, &dir);
        } else {
            copy_dir(&dir, copy);
        }
        let core = open(&dir, code, Tier::District);
        let ca = std::fs::read_to_string(self.dir.path().join("authority/ca.pem")).unwrap();
        let upward = Upward::new(core.clone(), Some(Envelopes::new(unit(code), &key, &ca).unwrap()));
        self.districts.insert(place, District { core, upward, peer, office, seq, key });
        self
    }

    /// The same of the city's store.
    fn reopen_city(&mut self, copy: &Path, restore: bool) {
        drop(self.city.take());
        let dir = self.dir.path().join("city");
        if restore {
            std::fs::remove_dir_all(&dir).unwrap();
            copy_dir(copy, &dir);
        } else {
            copy_dir(&dir, copy);
        }
        self.city = Some(open(&dir, CITY, Tier::City));
    }

    fn city(&self) -> &Core {
        self.city.as_ref().unwrap()
    }

    fn enrol(&mut self, code: u64, community: u64) {
        let path = self.dir.path();
        let authority = Authority::load(path, unit(CITY)).unwrap();
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let id = format!("hub-{code}");
        let certificate = authority
            .sign(&request, &CertName { kind: CertKind::Hub, unit: unit(code), id: id.clone() }, self.city().now())
            .unwrap();
        let ca = std::fs::read_to_string(path.join("authority/ca.pem")).unwrap();
        let row = NodeRow { id: id.clone(), unit: code, hub: true, certificate, ..NodeRow::default() };
        write(self.city(), Job::Enrolled(Box::new(row), None));
        let core = open(&path.join(code.to_string()), code, Tier::District);
        write(&core, Job::Tree(UNITS.into(), None));
        let key = key.serialize_pem();
        let upward = Upward::new(core.clone(), Some(Envelopes::new(unit(code), &key, &ca).unwrap()));
        let office = Peer { id: format!("office-{code}"), unit: unit(community), hub: false };
        let hello = pb::Hello { incarnation: vec![1; 16].into(), protocol_max: 2, ..pb::Hello::default() };
        write(&core, Job::greet(office.clone(), hello));
        let peer = Peer { id, unit: unit(code), hub: true };
        self.districts.push(District { core, upward, peer, office, seq: 0, key });
    }

    /// Passes messages until the session ends or the message with this number would be delivered.
    fn session(&mut self, place: usize, cut: usize, mut after_each: impl FnMut(&Self)) -> usize {
        let (upward, peer) = (self.districts[place].upward.clone(), self.districts[place].peer.clone());
        let mut client = Client::new(upward.as_ref(), false);
        let mut server = Server::new(peer);
        let mut up = VecDeque::from([client.open().unwrap()]);
        let mut down: VecDeque<pb::Down> = VecDeque::new();
        let mut delivered = 0;
        loop {
            if delivered >= cut {
                return delivered;
            }
            if let Some(message) = up.pop_front() {
                self.heard.extend(message.encode_to_vec());
                if let Some(job) = server.receive(message).unwrap() {
                    down.extend(server.answered(self.city(), write(self.city(), job)).unwrap());
                }
            } else if let Some(message) = down.pop_front() {
                self.heard.extend(message.encode_to_vec());
                match client.receive(message) {
                    Err(SessionError::NewIncarnation) => return delivered,
                    received => received.unwrap(),
                }
            } else {
                return delivered;
            }
            delivered += 1;
            after_each(self);
            while let Some(message) = server.pull(self.city()).unwrap() {
                down.push_back(message);
            }
            while let Some(message) = client.poll().unwrap() {
                up.push_back(message);
            }
        }
    }

    /// Every district syncs, so many times.
    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            for place in 0..self.districts.len() {
                self.session(place, usize::MAX, |_| {});
            }
        }
    }

    /// An office saves fields of a record.
    fn save(&mut self, place: usize, id: RecordId, register: u32, fields: Vec<Field>) -> pb::Verdicts {
        let district = &mut self.districts[place];
        district.seq += 1;
        let standing = record(&district.core, id);
        let base = |tag| standing.as_ref().map_or(0, |record: &Record| record.revision_of(tag));
        let fields: Vec<_> =
            fields.into_iter().map(|field| (base(field.tag), field)).map(|(base, field)| (field, base)).collect();
        let stamp = Stamp::at_millis(district.core.now() * 1_000 + district.seq);
        let mut change = change::write(id, register, &fields, stamp, "clerk");
        change.seen = u64::MAX >> 2;
        let raw = bytes::Bytes::from(change.encode_to_vec());
        let changes = vec![Pushed::read(raw)];
        let job = Job::Push {
            peer: district.office.clone(),
            node: district.log(),
            first: district.seq,
            changes,
            skew: None,
            room: None,
        };
        match write(&district.core, job) {
            Answer::Verdicts(mut verdicts) => verdicts.pop().unwrap(),
            _ => panic!("a push is answered with verdicts"),
        }
    }

    /// Registers a person.
    fn register(&mut self, place: usize, serial: u32, hukou: u64) -> RecordId {
        self.register_by(place, vec![text(21, &id_no(serial))], hukou)
    }

    /// The same by whatever card the person has.
    fn register_by(&mut self, place: usize, card: Vec<Field>, hukou: u64) -> RecordId {
        let district = &self.districts[place];
        let id = RecordId::create(district.core.now() * 1_000, rand::random());
        let home = district.office.unit.number();
        let mut fields = [vec![uint(1, home), text(23, "王建国"), uint(26, hukou)], card].concat();
        fields.sort_by_key(|field| field.tag);
        let verdicts = self.save(place, id, number::RESIDENT, fields);
        assert!(verdicts.outcomes.is_empty(), "{:?}", verdicts.outcomes);
        id
    }

    /// Everybody counted at the city.
    fn counted(&self) -> i64 {
        figure(self.city(), "K00")
    }

    fn counted_in(&self, place: usize) -> i64 {
        figure(&self.districts[place].core, "K00")
    }

    /// How many are counted as registered twice: at the city, and in each district.
    fn twice(&self) -> (i64, [i64; 2]) {
        (figure(self.city(), "K43"), [0, 1].map(|place: usize| figure(&self.districts[place].core, "K43")))
    }

    /// Totals equal a recount at every hub.
    fn all_is_counted(&self) {
        for core in self.districts.iter().map(|district| district.core.as_ref()).chain([self.city()]) {
            let found = audit::audit(core).unwrap().differences;
            assert!(found.is_empty(), "{}: {found:?}", core.unit);
        }
    }
}

fn record(core: &Core, id: RecordId) -> Option<Record> {
    core.view().get(Space::Records, &id.0).unwrap().map(|bytes| Record::decode(bytes).unwrap())
}

/// The records of one register.
fn records(core: &Core, register: u32) -> Vec<(RecordId, Record)> {
    let view = core.view();
    let rows = view.prefix(Space::Records, &[]).map(Result::unwrap);
    let all = rows.map(|(key, value)| (RecordId::from_slice(&key).unwrap(), Record::decode(value).unwrap()));
    all.filter(|(_, record)| record.register == register).collect()
}

/// Every key and value of a hub's store.
fn bytes_of(core: &Core) -> Vec<u8> {
    let view = core.view();
    let rows = crate::store::SPACES.iter().flat_map(|space| view.prefix(*space, &[]));
    rows.flat_map(|row| row.map(|(key, value)| [key.to_vec(), value.to_vec()].concat()).unwrap()).collect()
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|place| place == text)
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
