//! Edits that meet something their author had not heard: a merge, a long pull, a registration that was not taken. Each
//! was found by the simulation; what must hold is that one session ends equal and nothing entered is gone.
#![allow(clippy::unwrap_used)]

use prost::Message;
use std::{path::Path, sync::Arc};
use taizhang_hub::{
    engine::FjallStore,
    session::Server,
    store::Space,
    writer::{Answer, Core, Job, Peer, Review},
};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Clock, Ledger, LedgerDesk},
    upstream::Client,
};
use taizhang_proto::{
    OrgCode, RecordId,
    pb::{self, Tier},
    register::{HOME_UNIT, STATE, VOID_REASON, Value, number, registers},
};

const START: u64 = 1_790_000_000_000;
const DAY: u64 = 86_400_000;

fn unit(code: &str) -> OrgCode {
    code.parse().unwrap()
}

fn community() -> OrgCode {
    unit("210402011003")
}

fn clock(millis: u64) -> Clock {
    Arc::new(move || millis)
}

fn open_hub(dir: &Path) -> Arc<Core> {
    let store = FjallStore::open(&dir.join("hub")).unwrap();
    Core::open(unit("210402000000"), Tier::District, Box::new(store), clock(START)).unwrap()
}

fn open_office(dir: &Path, name: &str, unit: OrgCode, millis: u64) -> Ledger {
    Ledger::open(&dir.join(name), unit, clock(millis)).unwrap()
}

fn write(core: &Core, job: Job) -> Answer {
    core.commit(vec![job]).pop().unwrap().unwrap()
}

/// A session whose hub sends lists of so many records, a step at a time.
struct Talk<'a> {
    core: &'a Core,
    client: Client<&'a Ledger>,
    server: Server,
}

impl<'a> Talk<'a> {
    fn open(core: &'a Core, ledger: &'a Ledger, live: bool, lists: usize) -> Self {
        let peer = Peer { id: ledger.unit().to_string(), unit: ledger.unit(), hub: false };
        let mut client = Client::new(ledger, live);
        let hello = client.open().unwrap();
        let mut talk = Self { core, client, server: Server::new(peer).with_lists_of(lists) };
        talk.say(hello);
        talk
    }

    /// A message of the child, and the hub's direct answers to it.
    fn say(&mut self, message: pb::Up) {
        let Some(job) = self.server.receive(message).unwrap() else { return };
        for answer in self.server.answered(self.core, write(self.core, job)).unwrap() {
            self.client.receive(answer).unwrap();
        }
    }

    /// Everything the child has to say now.
    fn push(&mut self) {
        while let Some(message) = self.client.poll().unwrap() {
            self.say(message);
        }
    }

    /// One message of what the hub has to send.
    fn pull(&mut self) -> bool {
        let Some(message) = self.server.pull(self.core).unwrap() else { return false };
        self.client.receive(message).unwrap();
        true
    }

    fn finish(mut self) -> pb::SyncReport {
        loop {
            self.push();
            if !self.pull() {
                return self.client.report;
            }
        }
    }
}

fn sync(core: &Core, ledger: &Ledger) -> pb::SyncReport {
    Talk::open(core, ledger, false, usize::MAX).finish()
}

fn tag(field: &str) -> u32 {
    registers().get(number::RESIDENT).unwrap().field_named(field).unwrap().tag
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn save(ledger: &Ledger, draft: Draft) {
    for answer in LedgerDesk::new(ledger).save(vec![vec![draft]], "clerk") {
        answer.unwrap();
    }
}

fn register(ledger: &Ledger, name: &str) -> RecordId {
    static SERIAL: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    let id_no = taizhang_tests::books::id_no(4_200, SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let id = LedgerDesk::new(ledger).new_id();
    let draft = Draft::new(id, number::RESIDENT)
        .with(HOME_UNIT, Value::Uint(community().number()))
        .with(tag("id_no"), text(&id_no))
        .with(tag("name"), text(name));
    save(ledger, draft);
    id
}

fn edit(id: RecordId, field: &str, value: &str) -> Draft {
    Draft::new(id, number::RESIDENT).with(tag(field), text(value))
}

fn history(core: &Core, id: RecordId) -> Vec<pb::Superseded> {
    let view = core.view();
    view.prefix(Space::History, &id.0).map(|row| pb::Superseded::decode(row.unwrap().1).unwrap()).collect()
}

#[test]
fn an_edit_of_an_absorbed_record_reaches_its_author_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let core = open_hub(dir.path());
    let office = open_office(dir.path(), "office", community(), START);
    let (stands, absorbed) = (register(&office, "张三"), register(&office, "张叁"));
    assert!(sync(&core, &office).equal);
    let merge = pb::MergeRequest {
        survivor: stands.to_string(),
        absorbed: absorbed.to_string(),
        reason: "同一人".into(),
        by: "reviewer".into(),
        despite: true,
        ..pb::MergeRequest::default()
    };
    write(&core, Job::Review(Review::Merge(merge)));
    // The office has not heard of it.
    save(&office, edit(absorbed, "phone", "13800000001"));
    let void = edit(absorbed, "address", "新址").with(STATE, text("2")).with(VOID_REASON, text("重复"));
    save(&office, void);
    assert!(sync(&core, &office).equal, "the first session after it ends equal");
    assert_eq!((office.state().incidents, office.refused().unwrap().len()), (0, 0));
    let record = office.view(stands).unwrap().unwrap();
    assert_eq!(record.slice(tag("phone")), Some(&b"13800000001"[..]));
    assert_eq!(record.slice(tag("address")), Some("新址".as_bytes()));
    assert!(record.bytes(STATE).is_none() && record.bytes(VOID_REASON).is_none(), "the one that stands is not void");
    let kept = history(&core, absorbed).into_iter().find(|entry| entry.rule == "MERGED").unwrap();
    assert_eq!(kept.origin.unwrap().tags, [STATE, VOID_REASON], "what spoke of the absorbed one alone is kept there");
}

#[test]
fn a_record_edited_in_the_middle_of_a_long_pull_comes_whole() {
    let dir = tempfile::tempdir().unwrap();
    let core = open_hub(dir.path());
    let street = open_office(dir.path(), "street", unit("210402011000"), START);
    let office = open_office(dir.path(), "office", community(), START);
    let [first, edited, last] = ["甲", "乙", "丙"].map(|name| register(&street, name));
    assert!(sync(&core, &street).equal);
    assert!(sync(&core, &office).equal);
    for id in [first, edited, last] {
        save(&street, edit(id, "phone", "13900000001"));
    }
    assert!(sync(&core, &street).equal);
    let mut talk = Talk::open(&core, &office, true, 1);
    assert!(talk.pull(), "a list of one record");
    // The office's own edit moves the record past the next list, which moves the cursor past the street's edit.
    save(&office, edit(edited, "address", "新址"));
    talk.push();
    while talk.pull() {}
    assert_eq!(office.state().incidents, 0);
    let record = office.view(edited).unwrap().unwrap();
    assert_eq!(record.slice(tag("phone")), Some(&b"13900000001"[..]));
    assert!(talk.client.report.equal);
}

#[test]
fn a_claim_on_a_record_that_was_never_taken_is_refused_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = open_hub(dir.path());
    let ahead = open_office(dir.path(), "office", community(), START + 400 * DAY);
    let desk = LedgerDesk::new(&ahead);
    let (household, case) = (desk.new_id(), desk.new_id());
    let def = registers().get(number::ZEF_CASE).unwrap();
    let of = |field: &str| def.field_named(field).unwrap().tag;
    let today = desk.today();
    let draft = Draft::new(case, number::ZEF_CASE)
        .with(of("household"), Value::Ref(household))
        .with(of("recognised_on"), Value::Day(today));
    save(&ahead, draft);
    save(&ahead, Draft::new(case, number::ZEF_CASE).with(of("confirmed"), Value::Bool(true)));
    assert!(sync(&core, &ahead).equal);
    let rules: Vec<String> = ahead.refused().unwrap().into_iter().map(|(_, one)| one.why.unwrap().rule).collect();
    assert_eq!(rules, ["ahead", "unknown"]);
    assert_eq!((ahead.state().count, ahead.ids(number::ZEF_CASE).unwrap().len()), (0, 0));
}
