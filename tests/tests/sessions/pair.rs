//! A hub and its offices on one disk, and the line between them.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use taizhang_hub::{
    engine::FjallStore,
    session::Server,
    store::Space,
    totals::audit,
    writer::{Answer, Core, Job, Peer, Review, WriteError},
};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Clock, Ledger, LedgerDesk},
    upstream::Client,
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    pb::{self, Tier},
    register::{Value, number, registers},
};

pub(crate) use taizhang_tests::talk::session;

pub(crate) const UNITS: &str = include_str!("../../data/fushun-units.csv");

pub(crate) fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

pub(crate) fn community() -> OrgCode {
    unit(210_402_011_003)
}

pub(crate) fn neighbour() -> OrgCode {
    unit(210_402_011_004)
}

pub(crate) fn street() -> OrgCode {
    unit(210_402_011_000)
}

fn clock(offset: u64) -> Clock {
    let now = Arc::new(AtomicU64::new(1_790_000_000_000 + offset));
    Arc::new(move || now.fetch_add(7, Ordering::Relaxed))
}

pub(crate) fn hub(dir: &Path) -> Arc<Core> {
    with_tree(on(FjallStore::open(&dir.join("hub")).unwrap(), None, 1_000_000))
}

/// A hub on an open store, with the secret of its seals where that is kept outside the store; its clock begins there.
pub(crate) fn on(store: FjallStore, secret: Option<[u8; 32]>, offset: u64) -> Arc<Core> {
    let (district, clock) = (unit(210_402_000_000), clock(offset));
    Core::open_sealing(district, Tier::District, Box::new(store), clock, secret).unwrap()
}

/// With the tree of units, where it has none.
pub(crate) fn with_tree(core: Arc<Core>) -> Arc<Core> {
    if core.tree().is_empty() {
        write(&core, Job::Tree(UNITS.to_owned(), None)).unwrap();
    }
    core
}

pub(crate) fn office(dir: &Path, name: &str, unit: OrgCode, offset: u64) -> Ledger {
    Ledger::open(&dir.join(name), unit, clock(offset)).unwrap()
}

pub(crate) fn peer(name: &str, unit: OrgCode) -> Peer {
    Peer { id: name.to_owned(), unit, hub: false }
}

pub(crate) fn write(core: &Core, job: Job) -> Result<Answer, WriteError> {
    core.commit(vec![job]).pop().unwrap()
}

/// Sessions until the digests are equal.
pub(crate) fn sync(core: &Core, ledger: &Ledger, peer: &Peer) -> pb::SyncReport {
    (0..4).find_map(|_| session(core, ledger, peer).filter(|report| report.equal)).expect("the digests become equal")
}

/// A community's office and its street's sync in turn, twice: then each has heard what the other said.
pub(crate) fn both(core: &Core, at_street: &Ledger, node: &Ledger) {
    for _ in 0..2 {
        assert!(sync(core, node, &peer("node", community())).equal);
        assert!(sync(core, at_street, &peer("street", street())).equal);
    }
}

pub(crate) fn tag(field: &str) -> u32 {
    registers().get(number::RESIDENT).unwrap().field_named(field).unwrap().tag
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// Forms of people who are not registered yet, one for each serial number.
pub(crate) fn people(ledger: &Ledger, home: OrgCode, serials: std::ops::Range<usize>) -> Vec<Draft> {
    let desk = LedgerDesk::new(ledger);
    serials
        .map(|serial| {
            let digits = format!("210490{:08}{:03}", 19_600_101 + serial / 1_000, serial % 1_000);
            let check = taizhang_proto::citizen_id::check_character(digits.as_bytes()).unwrap();
            Draft::new(desk.new_id(), number::RESIDENT)
                .with(1, Value::Uint(home.number()))
                .with(tag("id_no"), text(&format!("{digits}{}", check as char)))
                .with(tag("name"), text("张三"))
                .with(tag("phone"), text(&format!("138{serial:08}")))
        })
        .collect()
}

pub(crate) fn residents(ledger: &Ledger, home: OrgCode, serials: std::ops::Range<usize>) -> Vec<RecordId> {
    let drafts = people(ledger, home, serials);
    let ids = drafts.iter().map(|draft| draft.id).collect();
    save(ledger, drafts);
    ids
}

pub(crate) fn save(ledger: &Ledger, drafts: Vec<Draft>) {
    for answer in LedgerDesk::new(ledger).save(drafts.into_iter().map(|draft| vec![draft]).collect(), "clerk") {
        answer.unwrap();
    }
}

pub(crate) fn phone(id: RecordId, value: &str) -> Draft {
    Draft::new(id, number::RESIDENT).with(tag("phone"), text(value))
}

pub(crate) fn at_hub(core: &Core, id: RecordId) -> Record {
    Record::decode(core.view().get(Space::Records, &id.0).unwrap().unwrap()).unwrap()
}

pub(crate) fn assert_sound(core: &Core, ledger: &Ledger) {
    assert!(ledger.state().equal);
    ledger.verify().unwrap();
    let audit = audit::audit(core).unwrap();
    assert!(audit.differences.is_empty(), "{:?}", audit.differences);
}

/// A placement that a person begins, filed at a unit.
pub(crate) fn placement(ledger: &Ledger, home: OrgCode, person: RecordId) -> Draft {
    let field = |name: &str| registers().get(number::PLACEMENT).unwrap().field_named(name).unwrap().tag;
    Draft::new(LedgerDesk::new(ledger).new_id(), number::PLACEMENT)
        .with(1, Value::Uint(home.number()))
        .with(field("person"), Value::Ref(person))
        .with(field("kind"), text("1"))
        .with(field("start_on"), Value::Day(13_900))
}

/// A reviewer's merge of two records, or its undoing.
pub(crate) fn merge(survivor: RecordId, absorbed: RecordId, undo: bool) -> Job {
    Job::Review(Review::Merge(pb::MergeRequest {
        survivor: survivor.to_string(),
        absorbed: absorbed.to_string(),
        reason: "同一人".into(),
        by: "reviewer".into(),
        undo,
        despite: true,
        ..pb::MergeRequest::default()
    }))
}

/// The district's own hand, which is taken.
pub(crate) fn revise(core: &Core, register: &str, record: Option<RecordId>, fields: &[(&str, &str)]) -> RecordId {
    revise_by("王科长", core, register, record, fields)
}

/// [`revise`], by somebody else.
pub(crate) fn revise_by(
    by: &str,
    core: &Core,
    register: &str,
    record: Option<RecordId>,
    fields: &[(&str, &str)],
) -> RecordId {
    let request = pb::ReviseRequest {
        record: record.map(|id| id.to_string()).unwrap_or_default(),
        register: register.into(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        reason: "县区登记".into(),
        by: by.into(),
        despite: false,
    };
    match write(core, Job::Review(Review::Revise(request))).unwrap() {
        Answer::Revised(id) => id,
        Answer::Refused(why) => panic!("{why}"),
        _ => panic!("another answer"),
    }
}

/// A post of the district's own.
pub(crate) fn post(core: &Core, no: &str, places: &str) -> RecordId {
    let home = core.unit.to_string();
    revise(core, "Post", None, &[("home_unit", &home), ("post_no", no), ("places", places), ("kind", "20")])
}

/// The first batch of a session whose line breaks before the batch has arrived.
pub(crate) fn broken_off(core: &Core, ledger: &Ledger, own: &Peer) -> Job {
    let (mut server, mut client) = (Server::new(own.clone()), Client::new(ledger, false));
    let greeting = server.receive(client.open().unwrap()).unwrap().unwrap();
    for message in server.answered(core, write(core, greeting).unwrap()).unwrap() {
        client.receive(message).unwrap();
    }
    server.receive(client.poll().unwrap().unwrap()).unwrap().expect("it has something to say")
}

/// A whole session in which the batch of an earlier one arrives after the greeting, and what it says itself only after it was
/// told what is new.
pub(crate) fn crossed(core: &Core, ledger: &Ledger, own: &Peer, live: bool, on_its_way: Job) -> pb::SyncReport {
    let (mut server, mut client) = (Server::new(own.clone()), Client::new(ledger, live));
    let mut on_its_way = Some(on_its_way);
    let mut up = std::collections::VecDeque::from([client.open().unwrap()]);
    let mut down = std::collections::VecDeque::new();
    let mut heard_records = false;
    loop {
        // What it says travels until it was told what is new.
        let says =
            up.front().is_some_and(|message| matches!(message.it, Some(pb::up::It::Hello(_))) || down.is_empty());
        if let Some(message) = says.then(|| up.pop_front()).flatten() {
            if let Some(job) = server.receive(message).unwrap() {
                down.extend(server.answered(core, write(core, job).unwrap()).unwrap());
                if let Some(job) = on_its_way.take() {
                    write(core, job).unwrap();
                }
            }
        } else if let Some(message) = down.pop_front() {
            heard_records |= matches!(message.it, Some(pb::down::It::Records(_)));
            client.receive(message).unwrap();
        } else {
            break;
        }
        while let Some(message) = server.pull(core).unwrap() {
            down.push_back(message);
        }
        while let Some(message) = client.poll().unwrap() {
            up.push_back(message);
        }
    }
    assert!(heard_records, "it was told of what is new before it was answered");
    assert!(live || client.is_finished());
    client.report
}
