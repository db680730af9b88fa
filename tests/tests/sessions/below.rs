//! What is for everybody below its owner: posts, classes, campaigns, fairs and policy documents of a district or a street go
//! down to every office there, to read and to refer to.

use crate::pair::{
    assert_sound, at_hub, community, hub, office, on, peer, placement, post, residents, revise, save, session, street,
    sync, unit, with_tree, write,
};
use prost::Message;
use std::sync::Arc;
use taizhang_hub::{
    engine::FjallStore,
    rows::{UnitRow, meta},
    store::{Space, Store, WriteSet},
    totals,
    writer::{Answer, Core, Job, Pushed, Review},
};
use taizhang_node::{
    desk::{Desk, Draft, SaveError},
    ledger::{Ledger, LedgerDesk},
    office::standing::standing,
    upstream::{Comparison, Greeting, Replica, SessionError, VerdictCount},
};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::home_unit,
    change,
    decide::HUB_NODE,
    pb::{self, up},
    register::{Value, number, registers},
    stamp::Stamp,
    wire,
};
use taizhang_tests::talk::{Said, overheard};

const DISTRICT: u64 = 210_402_000_000;

fn other_street() -> OrgCode {
    unit(210_402_001_000)
}

fn field(register: u32, name: &str) -> u32 {
    registers().get(register).unwrap().field_named(name).unwrap().tag
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn campaign(ledger: &Ledger, title: &str) -> RecordId {
    let id = LedgerDesk::new(ledger).new_id();
    let draft = Draft::new(id, number::CAMPAIGN)
        .with(field(number::CAMPAIGN, "title"), text(title))
        .with(field(number::CAMPAIGN, "from_on"), Value::Day(13_900))
        .with(field(number::CAMPAIGN, "to_on"), Value::Day(13_930));
    save(ledger, vec![draft]);
    id
}

/// Messages of the hub in a session that had nothing to say.
fn quiet_answers(core: &Core, ledger: &Ledger, name: &str, unit: OrgCode) -> usize {
    let mut down = 0;
    let report = overheard(core, ledger, &peer(name, unit), |said| down += usize::from(matches!(said, Said::Down(_))));
    assert!(report.unwrap().equal);
    down
}

#[test]
fn it_goes_to_every_office_below_its_owner_and_to_no_other_in_one_round_trip_once_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let (at_street, node) = (office(dir.path(), "street", street(), 0), office(dir.path(), "node", community(), 0));
    let other = office(dir.path(), "other", other_street(), 0);
    let posted = post(&core, "G-1", "2");
    let home = DISTRICT.to_string();
    let paper = revise(
        &core,
        "PolicyDocument",
        None,
        &[
            ("home_unit", &home),
            ("document_no", "抚再办发〔2008〕4号"),
            ("title", "通知"),
            ("issuer", "市再就业办"),
            ("issued_on", "2008-03-20"),
        ],
    );
    // What is not for everybody stays where it is.
    let issue =
        revise(&core, "Issue", None, &[("home_unit", &home), ("title", "县区自己的事"), ("raised_on", "2008-03-20")]);
    let own = campaign(&at_street, "街道援助月");
    for (ledger, name, unit) in [(&at_street, "street", street()), (&node, "node", community())] {
        assert!(sync(&core, ledger, &peer(name, unit)).equal);
    }
    assert!(sync(&core, &other, &peer("other", other_street())).equal);
    let has = |ledger: &Ledger, id| ledger.view(id).unwrap().is_some();
    assert!([posted, paper, own].iter().all(|id| has(&node, *id) && has(&at_street, *id)));
    assert!(has(&other, posted) && has(&other, paper) && !has(&other, own), "the street's is not its neighbour's");
    assert!(![&node, &at_street, &other].iter().any(|ledger| has(ledger, issue)));
    assert_eq!(node.state().count, 3);
    for (ledger, name, unit) in
        [(&at_street, "street", street()), (&node, "node", community()), (&other, "other", other_street())]
    {
        assert_eq!(quiet_answers(&core, ledger, name, unit), 1, "{name}");
        assert_eq!(ledger.state().incidents, 0, "{name}");
        assert_sound(&core, ledger);
    }
    // News of it go down alone; what goes to another owner leaves those who are not below it.
    revise(&core, "Post", Some(posted), &[("places", "3")]);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert_eq!(node.view(posted).unwrap().unwrap().varint(field(number::POST, "places")), Some(3));
    revise(&core, "Post", Some(posted), &[("home_unit", &other_street().to_string())]);
    for (ledger, name, unit) in [(&node, "node", community()), (&other, "other", other_street())] {
        assert!(sync(&core, ledger, &peer(name, unit)).equal);
        assert_eq!(ledger.state().incidents, 0, "{name}");
        assert_sound(&core, ledger);
    }
    assert!(!has(&node, posted) && has(&other, posted));
    // What an office had itself, and the district takes over, stays as what is for everybody.
    revise(&core, "Campaign", Some(own), &[("home_unit", &home)]);
    for (ledger, name, unit) in
        [(&at_street, "street", street()), (&node, "node", community()), (&other, "other", other_street())]
    {
        assert!(sync(&core, ledger, &peer(name, unit)).equal);
        assert!(has(ledger, own), "{name}");
        assert_eq!((quiet_answers(&core, ledger, name, unit), ledger.state().incidents), (1, 0), "{name}");
    }
}

#[test]
fn an_office_reads_it_refers_to_it_and_does_not_edit_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 0);
    let posted = post(&core, "G-1", "1");
    assert!(sync(&core, &node, &peer("node", community())).equal);
    let edit = Draft::new(posted, number::POST).with(field(number::POST, "employer"), text("本社区"));
    let answer = LedgerDesk::new(&node).save(vec![vec![edit.clone()]], "clerk").pop().unwrap();
    let Err(SaveError::Invalid(why)) = answer else { panic!("it was saved") };
    assert_eq!(why[0].rule, "scope");
    assert!(
        why[0].message.contains("上级单位210402000000") && why[0].message.contains("不能在本单位修改"),
        "{}",
        why[0].message
    );
    // It is found by the number that people know.
    let found = taizhang_node::desk::find::record(&LedgerDesk::new(&node), Some(number::POST), "G-1").unwrap();
    assert_eq!(found, posted);
    let people = residents(&node, community(), 0..2);
    let jobs: Vec<Draft> = people
        .iter()
        .map(|person| placement(&node, community(), *person).with(field(number::PLACEMENT, "post"), Value::Ref(found)))
        .collect();
    save(&node, jobs);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert!(node.refused().unwrap().is_empty());
    // Who has the one place is known at the office as at its hub, and the post's own figures are its owner's alone.
    let day = node.business_day();
    let at_office = standing(&node, day).unwrap();
    let request = pb::TotalsRequest { unit: community().number(), on: day, ..pb::TotalsRequest::default() };
    let at_hub = totals::answer(&core, &request).unwrap();
    let mut compared = 0;
    for line in &at_office.lines {
        let same = |value: &&pb::TotalValue| {
            (value.unit, &value.indicator) == (community().number(), &line.indicator)
                && value.span == pb::TotalSpan::Year as i32
        };
        let Some(value) = at_hub.values.iter().find(same) else { continue };
        compared += 1;
        assert_eq!((line.numerator, line.denominator), (value.numerator, value.denominator), "{}", line.indicator);
    }
    assert!(compared > 10, "{compared}");
    assert_sound(&core, &node);
}

#[test]
fn what_is_for_everybody_carries_no_remark_to_offices_that_are_not_its_owners() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let (at_street, node) = (office(dir.path(), "street", street(), 0), office(dir.path(), "node", community(), 0));
    let paper = |ledger: &Ledger, title: &str| {
        Draft::new(LedgerDesk::new(ledger).new_id(), number::CAMPAIGN)
            .with(field(number::CAMPAIGN, "title"), text(title))
            .with(field(number::CAMPAIGN, "from_on"), Value::Day(13_900))
            .with(field(number::CAMPAIGN, "to_on"), Value::Day(13_930))
            .with(field(number::CAMPAIGN, "remark"), text("张三 13841300001"))
    };
    let answer = LedgerDesk::new(&at_street).save(vec![vec![paper(&at_street, "街道的")]], "clerk").remove(0);
    let Err(SaveError::Invalid(why)) = answer else { panic!("it was saved") };
    assert_eq!((why[0].rule, why[0].field.as_str()), ("below", "remark"));
    // A community has nobody below it; what it made is not moved up with one.
    let own = paper(&node, "社区的");
    let id = own.id;
    save(&node, vec![own]);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    let request = pb::ReviseRequest {
        record: id.to_string(),
        register: "Campaign".into(),
        fields: [("home_unit".to_owned(), DISTRICT.to_string())].into(),
        reason: "统筹".into(),
        by: "王科长".into(),
        despite: false,
    };
    let Answer::Refused(why) = write(&core, Job::Review(Review::Revise(request))).unwrap() else { panic!("moved up") };
    assert!(why.contains("备注"), "{why}");
}

#[test]
fn an_office_of_the_build_before_takes_none_of_it_and_gets_all_of_it_once_it_is_upgraded() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let older = Older(Arc::new(office(dir.path(), "node", community(), 0)));
    let node = older.0.clone();
    let own = residents(&node, community(), 0..3);
    let posted = post(&core, "G-1", "2");
    let peer = peer("node", community());
    let equal = |child: &Older| (0..4).any(|_| session(&core, child, &peer).is_some_and(|report| report.equal));
    assert!(equal(&older));
    assert_eq!((node.state().count, node.state().incidents), (3, 0));
    revise(&core, "Post", Some(posted), &[("places", "4")]);
    assert!(equal(&older));
    assert!(node.view(posted).unwrap().is_none());
    // The same store under this build.
    assert!(sync(&core, node.as_ref(), &peer).equal);
    assert!(node.view(posted).unwrap().is_some() && node.view(own[0]).unwrap().is_some());
    assert_eq!((node.state().count, node.state().incidents), (4, 0));
    assert_eq!(quiet_answers(&core, &node, "node", community()), 1);
    assert_sound(&core, &node);
}

#[test]
fn a_hub_that_lost_its_store_takes_back_from_below_what_its_seals_prove_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    let (posted, theirs, secret) = {
        let core = hub(dir.path());
        let at_street = office(dir.path(), "street", street(), 950_000);
        let posted = post(&core, "G-1", "2");
        revise(&core, "Post", Some(posted), &[("employer", "区就业局")]);
        let theirs = campaign(&at_street, "街道援助月");
        residents(&node, community(), 0..2);
        for _ in 0..2 {
            assert!(sync(&core, &at_street, &peer("street", street())).equal);
            assert!(sync(&core, &node, &peer("node", community())).equal);
        }
        (posted, theirs, core.lineage.secret())
    };
    let before = [posted, theirs].map(|id| node.view(id).unwrap().unwrap());
    // The hub's disk and the street's computer are gone: the community is the last who has them.
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), Some(secret), 4_600_000));
    assert!(sync(&core, &node, &peer("node", community())).equal);
    for (id, was) in [posted, theirs].into_iter().zip(&before) {
        let now = at_hub(&core, id);
        assert_eq!(now.message(), was.message());
        assert_eq!(home_unit(&now), home_unit(was));
        let said = |record: &taizhang_proto::Record| {
            record.origins.iter().map(|origin| (origin.by.clone(), origin.unit, origin.stamp)).collect::<Vec<_>>()
        };
        assert_eq!(said(&now), said(was), "by the same people");
    }
    assert!(node.refused().unwrap().is_empty());
    assert_sound(&core, &node);
    // A hub that does not know the seals is told nothing by those below: what they say of it proves nothing.
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), Some([9; 32]), 9_600_000));
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert!(node.view(posted).unwrap().is_none() && node.view(theirs).unwrap().is_none());
    assert!(node.refused().unwrap().is_empty(), "and nobody's list of refusals fills up with it");
    assert_eq!(node.state().count, 2);
    assert_sound(&core, &node);
}

#[test]
fn a_store_of_the_build_before_learns_at_its_start_what_is_for_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub");
    let (posted, secret) = {
        let core = hub(dir.path());
        let posted = post(&core, "G-1", "2");
        revise(&core, "Post", Some(posted), &[("places", "3")]);
        (posted, core.lineage.secret())
    };
    {
        // Neither the rows of units nor the feed said anything of it.
        let store = FjallStore::open(&path).unwrap();
        let (view, mut set) = (store.view(), WriteSet::default());
        for row in view.prefix(Space::Units, &[]) {
            let (key, value) = row.unwrap();
            let older = UnitRow { below: None, ..UnitRow::decode(value).unwrap() };
            set.put(Space::Units, key, older.encode_to_vec());
        }
        for row in view.prefix(Space::Feed, &[]) {
            let (key, value) = row.unwrap();
            set.put(Space::Feed, key, value.slice(..28));
        }
        set.put(Space::Meta, meta::RULES, [0; 32]);
        drop(view);
        store.commit(set).unwrap();
    }
    let core = on(FjallStore::open(&path).unwrap(), Some(secret), 4_600_000);
    let node = office(dir.path(), "node", community(), 900_000);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert_eq!(node.view(posted).unwrap().unwrap().varint(field(number::POST, "places")), Some(3));
    assert_eq!((node.state().count, node.state().incidents), (1, 0));
    assert_eq!(quiet_answers(&core, &node, "node", community()), 1);
    assert_sound(&core, &node);
}

#[test]
fn nobody_below_makes_it_say_something_else_by_offering_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let posted = post(&core, "G-1", "2");
    let was = at_hub(&core, posted);
    let mallory = peer("mallory", community());
    let hello = pb::Hello {
        protocol_max: taizhang_proto::session::PROTOCOL_MAX,
        incarnation: vec![7; 16].into(),
        everybody: Some(true),
        ..pb::Hello::default()
    };
    let Answer::Greeted(row) = write(&core, Job::greet(mallory.clone(), hello)).unwrap() else { panic!("not greeted") };
    let places = registers().get(number::POST).unwrap().field_named("places").unwrap();
    let told = |id: RecordId, fields: &[wire::Field]| {
        let based: Vec<_> = fields.iter().map(|field| (field.clone(), 0)).collect();
        let mut change = change::write(id, number::POST, &based, Stamp::at_millis(1_790_000_500_000), "王科长");
        let origin = pb::Origin {
            revision: 900,
            stamp: change.stamp,
            unit: DISTRICT,
            node: HUB_NODE,
            by: "王科长".into(),
            tags: fields.iter().map(|field| field.tag).collect(),
            seal: vec![1; 8 * fields.len()].into(),
            ..pb::Origin::default()
        };
        change.offer = Some(pb::Offer { origins: vec![origin], created: 1, changes: 1, ..pb::Offer::default() });
        Pushed::read(change.encode_to_vec().into())
    };
    let nine = wire::Field { tag: places.tag, bytes: Value::Uint(9).encode(places) };
    let fresh = RecordId([5; 16]);
    let def = registers().get(number::POST).unwrap();
    let no = def.field_named("post_no").unwrap();
    let new = [
        wire::Field { tag: 1, bytes: Value::Uint(DISTRICT).encode(def.field(1).unwrap()) },
        wire::Field { tag: no.tag, bytes: text("G-9").encode(no) },
        nine.clone(),
    ];
    let changes = vec![told(posted, &[nine]), told(fresh, &new)];
    let push = Job::Push { peer: mallory, node: row.number, first: 1, changes, skew: None, room: None };
    let Answer::Verdicts(verdicts) = write(&core, push).unwrap() else { panic!("no verdicts") };
    assert_eq!(verdicts.last().unwrap().last, 2);
    assert_eq!(at_hub(&core, posted), was);
    assert!(core.view().get(Space::Records, &fresh.0).unwrap().is_none(), "no record that nobody vouches for");
}

/// An office as the build before this greeted.
struct Older(Arc<Ledger>);

impl Replica for Older {
    fn last_heard(&self) -> u64 {
        self.0.last_heard()
    }

    fn hello(&self, live: bool) -> Result<pb::Hello, SessionError> {
        Ok(pb::Hello { everybody: None, ..self.0.hello(live)? })
    }

    fn welcome(&self, welcome: &pb::Welcome) -> Result<Greeting, SessionError> {
        self.0.welcome(&pb::Welcome { everybody: false, ..welcome.clone() })
    }

    fn batch(&self, after: u64) -> Result<Option<pb::Push>, SessionError> {
        self.0.batch(after)
    }

    fn verdicts(&self, verdicts: pb::Verdicts) -> Result<VerdictCount, SessionError> {
        self.0.verdicts(verdicts)
    }

    fn records(&self, records: pb::Records) -> Result<u64, SessionError> {
        self.0.records(records)
    }

    fn document(&self, document: pb::Document) -> Result<(), SessionError> {
        self.0.document(document)
    }

    fn caught(&self, caught: &pb::Caught) -> Result<Comparison, SessionError> {
        self.0.caught(caught)
    }

    fn range(&self, range: &pb::Range) -> Result<Vec<up::It>, SessionError> {
        self.0.range(range)
    }

    fn repaired(&self) -> u64 {
        self.0.repaired()
    }

    fn pending(&self) -> u64 {
        Replica::pending(self.0.as_ref())
    }

    fn greet_again(&self) -> Option<std::time::Duration> {
        self.0.greet_again()
    }

    fn changed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.changed()
    }
}
