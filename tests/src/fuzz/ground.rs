//! Hubs in memory with honest children, as they stand before somebody hostile speaks, and what must hold afterwards.
//! Invariant: a store in memory never fails by itself, so a store's error is a finding like a panic.

#![allow(clippy::unwrap_used)]

use super::input;
use crate::{
    hostile::say,
    sim::{MemStore, Tables, papers_of},
    synth::City,
    talk,
};
use prost::Message;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use taizhang_hub::{
    rows::{NodeRow, meta},
    session::{Fault, Server},
    store::{Space, Store, WriteSet},
    totals::{self, audit},
    writer::{Core, Job, Peer, WriteError},
};
use taizhang_node::{
    desk::Draft,
    ledger::{Clock, Ledger},
    store::{Engine, Flush},
    upstream,
};
use taizhang_proto::{
    OrgCode, Record, RecordId, date,
    digest::{Item, ScopeDigest},
    indicator::Part,
    pb::{self, Tier, down, up},
    wire,
};

/// Every unit there is.
pub(super) const UNITS: &str = "code,name,parent,tier
210400000000,抚顺市,,city
210402000000,新抚区,210400000000,district
210402001000,站前街道,210402000000,township
210402001002,东八路社区居委会,210402001000,community
210402001003,民主路社区居委会,210402001000,community
210403000000,东洲区,210400000000,district
210403001000,东洲街道,210403000000,township
210403001002,东洲社区居委会,210403001000,community
";

pub(super) const CITY: u64 = 210_400_000_000;
pub(super) const DISTRICT: u64 = 210_402_000_000;
pub(super) const TOWNSHIP: u64 = 210_402_001_000;
pub(super) const COMMUNITY: u64 = 210_402_001_002;
pub(super) const NEIGHBOUR: u64 = 210_402_001_003;
pub(super) const ELSEWHERE: u64 = 210_403_000_000;
pub(super) const FAR: u64 = 210_403_001_002;

/// 21 September 2026.
pub(super) const NOW: u64 = 1_790_000_000_000;
/// What honest children call their logs.
const HONEST_LOG: [u8; 16] = [1; 16];
/// Persons of the honest office.
const PERSONS: usize = 8;
/// Messages of a hub after one of a child; beyond that it never ends.
const MAX_ANSWER: usize = 4_096;
/// One input in so many has a whole office pull everything.
const OFFICE_EVERY: u64 = 16;
/// Small, and what is on disk does not depend on a thread of the engine.
pub(super) const ENGINE: Engine = Engine { cache: 1024 * 1024, flush: Flush::EachBatch };

pub(super) fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

pub(super) fn clock() -> Clock {
    let now = Arc::new(AtomicU64::new(NOW));
    Arc::new(move || now.fetch_add(7, Ordering::Relaxed))
}

pub(super) fn office(name: &str, code: u64) -> Peer {
    Peer { id: name.to_owned(), unit: unit(code), hub: false }
}

pub(super) fn hub(name: &str, code: u64) -> Peer {
    Peer { id: name.to_owned(), unit: unit(code), hub: true }
}

/// The honest child of a district, and of a city.
fn honest(tier: Tier) -> Peer {
    if tier == Tier::City { hub("honest", ELSEWHERE) } else { office("honest", COMMUNITY) }
}

/// What the honest office has on its registers.
pub(super) fn honest_forms() -> &'static [Draft] {
    static FORMS: OnceLock<Vec<Draft>> = OnceLock::new();
    FORMS.get_or_init(|| {
        let mut serial = 0_u16;
        let mut new_id = || {
            serial += 1;
            let mut random = [0; 10];
            random[8..].copy_from_slice(&serial.to_be_bytes());
            RecordId::create(NOW - 86_400_000, random)
        };
        City::new(1, date::shanghai(NOW)).office(unit(COMMUNITY), PERSONS, &mut new_id).into_iter().flatten().collect()
    })
}

/// One that it has not yet, and says once everybody else has spoken.
fn honest_news() -> pb::Change {
    let id = RecordId::create(NOW, [0xee; 10]);
    say::change_at(&City::new(77, date::shanghai(NOW)).person(unit(COMMUNITY), id), None, NOW)
}

fn commit(core: &Core, job: Job) {
    for answer in core.commit(vec![job]) {
        answer.unwrap();
    }
}

fn enrolled(core: &Core, peer: &Peer) {
    let certificate = if peer.hub { papers_of(peer.unit).unwrap().1 } else { String::new() };
    let row =
        NodeRow { id: peer.id.clone(), unit: peer.unit.number(), hub: peer.hub, certificate, ..NodeRow::default() };
    commit(core, Job::Enrolled(Box::new(row), None));
}

/// A lineage whose secret is always the same, so that a seal in a seed is one in every run.
fn tables() -> Tables {
    let store = MemStore::new(Tables::default());
    let mut lineage = Vec::new();
    wire::put_bytes(2, &[7; 32], &mut lineage);
    let mut set = WriteSet::default();
    set.put(Space::Meta, meta::LINEAGE, lineage);
    store.commit(set).unwrap();
    store.snapshot()
}

fn build(code: u64, tier: Tier, children: &[Peer]) -> Tables {
    let store = MemStore::new(tables());
    let core = Core::open(unit(code), tier, Box::new(store.clone()), clock()).unwrap();
    commit(&core, Job::Tree(UNITS.to_owned(), None));
    for child in children {
        enrolled(&core, child);
    }
    if tier != Tier::City {
        let changes: Vec<_> = honest_forms().iter().map(|draft| say::change_at(draft, None, NOW)).collect();
        let mut server = Server::new(honest(tier));
        greeted(&core, &mut server, &pb::Hello { incarnation: HONEST_LOG.to_vec().into(), ..say::hello() }).unwrap();
        let others = pushed(&core, &mut server, say::push(1, &changes));
        // What is the district's to say stays a claim.
        assert!(others.iter().all(|outcome| outcome.kind() == pb::OutcomeKind::Settled), "{others:?}");
    }
    store.snapshot()
}

/// The district: an honest office, a hostile one in the same community, another community's and the township's.
pub(super) fn district() -> Arc<Core> {
    static BASE: OnceLock<Tables> = OnceLock::new();
    let children = || {
        [
            honest(Tier::District),
            office("mallory", COMMUNITY),
            office("mallory-2", NEIGHBOUR),
            office("mallory-3", TOWNSHIP),
            office("township", TOWNSHIP),
        ]
    };
    let base = BASE.get_or_init(|| build(DISTRICT, Tier::District, &children()));
    Core::open(unit(DISTRICT), Tier::District, Box::new(MemStore::new(base.clone())), clock()).unwrap()
}

/// The city: a hostile district and an honest one.
pub(super) fn city() -> Arc<Core> {
    static BASE: OnceLock<Tables> = OnceLock::new();
    let base = BASE.get_or_init(|| build(CITY, Tier::City, &[honest(Tier::City), hub("mallory", DISTRICT)]));
    Core::open(unit(CITY), Tier::City, Box::new(MemStore::new(base.clone())), clock()).unwrap()
}

/// One of the hostile offices.
pub(super) fn mallory(which: u8) -> Peer {
    match which % 4 {
        0 => office("mallory-2", NEIGHBOUR),
        1 => office("mallory-3", TOWNSHIP),
        _ => office("mallory", COMMUNITY),
    }
}

/// Has a hub hear a message and say all it has to say then.
pub(super) fn tell(core: &Core, server: &mut Server, message: pb::Up) -> Result<Vec<pb::Down>, Fault> {
    let told = try_tell(core, server, message);
    if let Err(Fault::Write(WriteError::Store(error))) = &told {
        panic!("the hub's own store failed: {error}");
    }
    told
}

fn try_tell(core: &Core, server: &mut Server, message: pb::Up) -> Result<Vec<pb::Down>, Fault> {
    let mut said = Vec::new();
    if let Some(job) = server.receive(message)? {
        let answer = core.commit(vec![job]).pop().unwrap()?;
        said.extend(server.answered(core, answer)?);
    }
    while let Some(message) = server.pull(core)? {
        said.push(message);
        assert!(said.len() < MAX_ANSWER, "the hub's answer to one message never ends");
    }
    Ok(said)
}

/// A whole session of somebody hostile.
pub(super) fn converse(core: &Core, peer: Peer, messages: impl IntoIterator<Item = pb::Up>) {
    let mut server = Server::new(peer);
    for message in messages {
        if tell(core, &mut server, input::packed(message)).is_err() || server.is_finished() {
            return;
        }
    }
}

pub(super) fn up(message: up::It) -> pb::Up {
    pb::Up { it: Some(message) }
}

fn greeted(core: &Core, server: &mut Server, hello: &pb::Hello) -> Option<pb::Welcome> {
    let said = tell(core, server, up(up::It::Hello(hello.clone()))).unwrap();
    said.into_iter().find_map(|message| match message.it {
        Some(down::It::Welcome(welcome)) => Some(welcome),
        _ => None,
    })
}

/// Pushes; returns what became of changes that were not simply accepted.
fn pushed(core: &Core, server: &mut Server, push: pb::Push) -> Vec<pb::Outcome> {
    let (first, last) = (push.first, push.last);
    let said = tell(core, server, up(up::It::Push(push))).unwrap();
    let verdicts = said.into_iter().find_map(|message| match message.it {
        Some(down::It::Verdicts(verdicts)) => Some(verdicts),
        _ => None,
    });
    let verdicts = verdicts.expect("an honest child gets verdicts");
    assert_eq!((verdicts.first, verdicts.last), (first, last));
    verdicts.outcomes
}

/// Pushes and wants every change plainly accepted.
fn accepted(core: &Core, server: &mut Server, push: pb::Push) {
    let others = pushed(core, server, push);
    assert!(others.is_empty(), "an honest child's changes are taken as they are: {others:?}");
}

/// What must hold at a district, whoever spoke before.
pub(super) fn holds(core: &Arc<Core>, input: &[u8]) {
    rows_are_whole(core);
    no_difference(core);
    let mut server = Server::new(honest(Tier::District));
    let hello = pb::Hello { incarnation: HONEST_LOG.to_vec().into(), ..say::hello() };
    let welcome = greeted(core, &mut server, &hello).expect("an honest child is welcome");
    assert_eq!(welcome.acknowledged, honest_forms().len() as u64, "what an honest child said stays said");
    accepted(core, &mut server, say::push(welcome.acknowledged + 1, &[honest_news()]));
    pulled_whole(core, office("township", TOWNSHIP));
    pulled_whole(core, office("new computer", COMMUNITY));
    figures_answer(core);
    no_difference(core);
    if chance_of(input).is_multiple_of(OFFICE_EVERY) {
        an_office_takes_it(core);
    }
}

/// What must hold at a city.
pub(super) fn holds_at_city(core: &Arc<Core>) {
    rows_are_whole(core);
    no_difference(core);
    let mut server = Server::new(honest(Tier::City));
    let hello = pb::Hello { incarnation: HONEST_LOG.to_vec().into(), ..say::hello() };
    greeted(core, &mut server, &hello).expect("an honest district is welcome");
    let cell = say::cell(unit(FAR), Part::Residents as u32, date::shanghai(NOW), 41);
    accepted(core, &mut server, say::cells(1, vec![cell]));
    let all = i32::MIN..=i32::MAX;
    let counted = totals::own_sum(core.view().as_ref(), unit(FAR), Part::Residents as u16, all).unwrap();
    assert_eq!(counted, 41, "an honest district's figure is its own");
    figures_answer(core);
    no_difference(core);
}

/// Every record is its own canonical encoding; whatever else is kept can be read.
pub(super) fn rows_are_whole(core: &Core) {
    let view = core.view();
    for row in view.prefix(Space::Records, &[]) {
        let (key, bytes) = row.unwrap();
        assert!(RecordId::from_slice(&key).is_some(), "a record's key");
        let record = Record::decode(bytes.clone()).expect("a record can be read again");
        assert_eq!(record.encode(), bytes, "a record is its canonical bytes");
    }
    for row in view.prefix(Space::History, &[]) {
        pb::Superseded::decode(row.unwrap().1).expect("a row of history can be read again");
    }
    for row in view.prefix(Space::Verdicts, &[]) {
        pb::Verdicts::decode(row.unwrap().1).expect("verdicts can be read again");
    }
    for row in view.prefix(Space::Conflicts, &[]) {
        pb::Conflict::decode(row.unwrap().1).expect("a conflict can be read again");
    }
    totals::children(view.as_ref()).expect("the children's rows can be read again");
}

fn no_difference(core: &Core) {
    let audit = audit::audit(core).expect("totals can be counted again");
    assert!(audit.differences.is_empty(), "totals are the recount: {:?}", audit.differences);
}

fn figures_answer(core: &Core) {
    let request = pb::TotalsRequest { unit: core.unit.number(), ..pb::TotalsRequest::default() };
    totals::answer(core, &request).expect("figures answer");
}

/// Somebody with an empty disk pulls everything and holds what the hub holds.
fn pulled_whole(core: &Core, peer: Peer) {
    let mut server = Server::new(peer);
    let hello = pb::Hello { rebuild: true, incarnation: vec![2; 16].into(), ..say::hello() };
    let mut said = tell(core, &mut server, up(up::It::Hello(hello))).expect("a new computer is welcome");
    said.extend(tell(core, &mut server, up(up::It::Done(pb::PushDone {}))).expect("a new computer is answered"));
    let mut held: BTreeMap<RecordId, Vec<u8>> = BTreeMap::new();
    let mut caught = None;
    for message in said {
        match message.it {
            Some(down::It::Records(records)) => {
                let raw = upstream::decompress(&records.list, records.raw_len).expect("records unpack");
                for one in pb::RecordList::decode(raw).expect("records can be read").records {
                    let id = RecordId::from_slice(&one.id).expect("a record has an id");
                    let record = Record::from_state(one.state.expect("a record has a state"));
                    held.insert(id, record.expect("a record that is sent can be read").encode());
                }
            }
            Some(down::It::Caught(end)) => caught = Some(end),
            _ => {}
        }
    }
    let caught = caught.expect("a pull comes to an end");
    let mut digest = ScopeDigest::default();
    for (id, bytes) in &held {
        digest.add(Item::record(*id, bytes));
    }
    assert_eq!(held.len() as u64, caught.count, "a new computer gets every record");
    assert_eq!(digest.to_bytes()[..], caught.scope_digest[..], "a new computer holds what the hub holds");
}

/// A directory in memory where there is such a place.
pub(super) fn scratch() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap()
}

/// A real office on a new disk takes everything, and its store is sound.
fn an_office_takes_it(core: &Core) {
    let dir = scratch();
    let ledger = Ledger::open_with(dir.path(), unit(TOWNSHIP), clock(), ENGINE).unwrap();
    let peer = office("new office", TOWNSHIP);
    let report = (0..3).find_map(|_| talk::session(core, &ledger, &peer).filter(|report| report.equal));
    assert!(report.is_some(), "an office with an empty disk ends with what the hub holds");
    ledger.verify().expect("an office's store is sound");
}

/// A number that the input alone decides.
fn chance_of(input: &[u8]) -> u64 {
    input.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
        >> 32
}
