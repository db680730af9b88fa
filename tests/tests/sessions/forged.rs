//! Offers that an enrolled community makes up: of records that are for everybody below their owner it can neither change a word,
//! nor where they belong, nor fill their history, whatever seals it has seen.

use crate::pair::{
    assert_sound, at_hub, community, hub, merge, neighbour, office, peer, post, residents, revise, street, sync, write,
};
use prost::Message;
use std::sync::Arc;
use taizhang_hub::{
    store::Space,
    writer::{Answer, Core, Job, Peer, Pushed, Review},
};
use taizhang_node::ledger::Ledger;
use taizhang_proto::{
    Record, RecordId,
    cell::home_unit,
    change,
    decide::HUB_NODE,
    pb,
    register::{HOME_UNIT, Value, number, registers},
    stamp::Stamp,
    wire::{self, Field},
};

const DISTRICT: u64 = 210_402_000_000;
const CITY: u64 = 210_400_000_000;

/// A community's computer whose program says what it likes, under its own certificate.
pub(crate) struct Mallory {
    core: Arc<Core>,
    peer: Peer,
    node: u32,
    said: u64,
}

impl Mallory {
    pub(crate) fn at(core: &Arc<Core>) -> Self {
        let peer = peer("mallory", community());
        let hello = pb::Hello {
            protocol_max: taizhang_proto::session::PROTOCOL_MAX,
            incarnation: vec![7; 16].into(),
            everybody: Some(true),
            ..pb::Hello::default()
        };
        let greet = Job::greet(peer.clone(), hello);
        let Answer::Greeted(row) = write(core, greet).unwrap() else { panic!("not greeted") };
        Self { core: core.clone(), peer, node: row.number, said: 0 }
    }

    /// Pushes changes; what became of those that were not simply accepted.
    pub(crate) fn push(&mut self, changes: Vec<pb::Change>) -> Vec<pb::Outcome> {
        let verdicts = self.push_from(self.said + 1, changes);
        verdicts.into_iter().flat_map(|verdicts| verdicts.outcomes).collect()
    }

    /// Pushes changes whose first has a number, new or said before.
    pub(crate) fn push_from(&mut self, first: u64, changes: Vec<pb::Change>) -> Vec<pb::Verdicts> {
        let pushed = |change: pb::Change| Pushed::read(change.encode_to_vec().into());
        let last = first + changes.len() as u64 - 1;
        let changes = changes.into_iter().map(pushed).collect();
        let push = Job::Push { peer: self.peer.clone(), node: self.node, first, changes, skew: None, room: None };
        let Answer::Verdicts(verdicts) = write(&self.core, push).unwrap() else { panic!("no verdicts") };
        self.said = self.said.max(last);
        verdicts
    }

    /// A record of its own, as an honest office enters it.
    fn enters(&mut self, id: RecordId, register: u32, fields: &[Field]) {
        let based: Vec<_> = fields.iter().map(|field| (field.clone(), 0)).collect();
        let refused = self.push(vec![change::write(id, register, &based, at(1_000), "mallory")]);
        assert!(refused.iter().all(|outcome| outcome.kind() != pb::OutcomeKind::Refused), "{refused:?}");
    }

    /// Says a record again as if the hub had lost it: each field with an origin, under a number of its choosing and as one who
    /// has heard everything.
    pub(crate) fn offers(
        &mut self,
        id: RecordId,
        register: u32,
        said: &[(Field, pb::Origin)],
        history: Vec<pb::Superseded>,
    ) {
        let based: Vec<_> = said.iter().map(|(field, _)| (field.clone(), 0)).collect();
        let mut change = change::write(id, register, &based, at(2_000_000), "mallory");
        change.seen = 1 << 61;
        let origins = said.iter().enumerate().map(|(place, (field, origin))| pb::Origin {
            tags: vec![field.tag],
            revision: 900 + place as u64,
            ..origin.clone()
        });
        change.offer =
            Some(pb::Offer { origins: origins.collect(), history, created: 1, changes: 1, ..pb::Offer::default() });
        self.push(vec![change]);
    }

    pub(crate) fn own_word() -> pb::Origin {
        pb::Origin {
            stamp: at(2_000_000).0,
            unit: community().number(),
            node: 1,
            by: "mallory".into(),
            ..Default::default()
        }
    }
}

pub(crate) fn at(millis: u64) -> Stamp {
    Stamp::at_millis(1_790_000_000_000 + millis)
}

fn field(register: u32, name: &str, value: &Value) -> Field {
    let field = registers().get(register).unwrap().field_named(name).unwrap();
    Field { tag: field.tag, bytes: value.encode(field) }
}

fn home(code: u64) -> Field {
    field(number::POST, "home_unit", &Value::Uint(code))
}

fn places(count: u64) -> Field {
    field(number::POST, "places", &Value::Uint(count))
}

fn post_no(no: &str) -> Field {
    field(number::POST, "post_no", &Value::Text(no.into()))
}

/// A field of a record with its origin, as everybody who holds the record has it.
fn held(record: &Record, tag: u32) -> (Field, pb::Origin) {
    let bytes = record.bytes(tag).unwrap().clone();
    (Field { tag, bytes }, record.origin(tag).unwrap().clone())
}

/// Residents of a community whose honest office has synced, with the tag of their phone, and another computer of that community.
fn residents_at(people: usize) -> (tempfile::TempDir, Arc<Core>, Ledger, Vec<RecordId>, Mallory, u32) {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 0);
    let people = residents(&node, community(), 0..people);
    sync(&core, &node, &peer("node", community()));
    let mallory = Mallory::at(&core);
    let phone = registers().get(number::RESIDENT).unwrap().field_named("phone").unwrap().tag;
    (dir, core, node, people, mallory, phone)
}

/// A phone number that is a word of the past, as somebody tells of it.
fn past(phone: u32, value: &[u8], place: u64, origin: pb::Origin) -> pb::Superseded {
    let mut message = Vec::new();
    wire::put_bytes(phone, value, &mut message);
    pb::Superseded {
        origin: Some(pb::Origin { tags: vec![phone], stamp: at(place).0, revision: place, ..origin }),
        message: message.into(),
        replaced_by: 900 + place,
        ..pb::Superseded::default()
    }
}

/// What honest offices below and beside hold is what the hub has.
fn everybody_agrees(dir: &tempfile::TempDir, core: &Arc<Core>) {
    for (name, unit) in [("street", street()), ("neighbour", neighbour())] {
        let ledger = office(dir.path(), name, unit, 0);
        assert!(sync(core, &ledger, &peer(name, unit)).equal);
        assert_eq!(ledger.state().incidents, 0, "{name}");
        assert_sound(core, &ledger);
    }
}

#[test]
fn a_post_of_its_own_is_given_to_nobody_by_an_offer() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    for (place, to) in [DISTRICT, CITY, street().number(), neighbour().number()].into_iter().enumerate() {
        let id = RecordId([place as u8 + 1; 16]);
        mallory.enters(id, number::POST, &[home(community().number()), post_no(&format!("M-{place}")), places(1)]);
        let was = at_hub(&core, id);
        let word = Mallory::own_word();
        // Of what it holds, sealed as it holds it, and of its own making.
        mallory.offers(id, number::POST, &[(home(to), word.clone()), (places(9), word.clone())], Vec::new());
        mallory.offers(id, number::POST, &[(home(to), held(&was, HOME_UNIT).1), (places(9), word)], Vec::new());
        assert_eq!(home_unit(&at_hub(&core, id)), Some(community()), "to {to}");
    }
    everybody_agrees(&dir, &core);
}

#[test]
fn a_record_that_was_made_up_belongs_to_nobody_above() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    for (place, to) in [DISTRICT, CITY, street().number()].into_iter().enumerate() {
        let (id, word) = (RecordId([place as u8 + 1; 16]), Mallory::own_word());
        let said = [(home(to), word.clone()), (post_no("M-1"), word.clone()), (places(9), word)];
        mallory.offers(id, number::POST, &said, Vec::new());
        assert!(core.view().get(Space::Records, &id.0).unwrap().is_none(), "to {to}");
    }
    everybody_agrees(&dir, &core);
}

#[test]
fn what_a_seal_proves_does_not_stand_again_over_what_was_said_since() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    let posted = post(&core, "G-1", "2");
    let first = held(&at_hub(&core, posted), places(0).tag);
    revise(&core, "Post", Some(posted), &[("places", "5")]);
    mallory.offers(posted, number::POST, &[first], Vec::new());
    assert_eq!(at_hub(&core, posted).varint(places(0).tag), Some(5));

    // Of its own records, too: the district's second ruling stands.
    let here = community().number().to_string();
    let ruled = revise(&core, "Issue", None, &[("home_unit", &here), ("title", "一"), ("raised_on", "2008-03-20")]);
    let title = field(number::ISSUE, "title", &Value::Text("一".into()));
    let first = held(&at_hub(&core, ruled), title.tag);
    revise(&core, "Issue", Some(ruled), &[("title", "二")]);
    mallory.offers(ruled, number::ISSUE, &[first], Vec::new());
    assert_eq!(at_hub(&core, ruled).slice(title.tag), Some("二".as_bytes()));
    everybody_agrees(&dir, &core);
}

#[test]
fn what_was_moved_up_is_not_taken_back_by_the_seal_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    let id = RecordId([1; 16]);
    mallory.enters(id, number::POST, &[home(community().number()), post_no("M-1"), places(1)]);
    let here = held(&at_hub(&core, id), HOME_UNIT);
    assert!(!here.1.seal.is_empty(), "the hub had let it pass");
    revise(&core, "Post", Some(id), &[("home_unit", &DISTRICT.to_string())]);
    let word = Mallory::own_word();
    for home in [here, (home(community().number()), word)] {
        mallory.offers(id, number::POST, &[home], Vec::new());
        assert_eq!(home_unit(&at_hub(&core, id)).map(taizhang_proto::OrgCode::number), Some(DISTRICT));
    }
    everybody_agrees(&dir, &core);
}

#[test]
fn the_history_of_a_record_above_takes_each_sealed_word_once_and_no_ruling_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    let posted = post(&core, "G-1", "2");
    let tags = [places(0).tag, post_no("").tag];
    let told: Vec<(Field, pb::Origin)> = tags.iter().map(|tag| held(&at_hub(&core, posted), *tag)).collect();
    revise(&core, "Post", Some(posted), &[("places", "5")]);
    let rows = |core: &Core| core.view().prefix(Space::History, &posted.0).count();
    let open = |core: &Core| core.view().prefix(Space::Conflicts, &[]).count();
    let before = (rows(&core), open(&core));
    for round in 0..20_u64 {
        let entry = |(number, (field, origin)): (usize, &(Field, pb::Origin))| pb::Superseded {
            origin: Some(pb::Origin {
                tags: vec![field.tag],
                revision: 1_000 * round + number as u64,
                ..origin.clone()
            }),
            message: field.bytes.clone(),
            replaced_by: 5_000 + round,
            rule: ["REVIEW", "OWNED", "FIXED", "什么都行"][round as usize % 4].into(),
            ruling: Some(pb::Ruling { by: "王科长".into(), reason: format!("{round}"), ..pb::Ruling::default() })
                .filter(|_| round % 2 == 0),
            reason: format!("{round}"),
        };
        let history: Vec<pb::Superseded> = told.iter().cycle().take(64).enumerate().map(entry).collect();
        mallory.offers(posted, number::POST, &told[1..], history);
    }
    assert_eq!((rows(&core), open(&core)), before, "all of it was known");
    for row in core.view().prefix(Space::History, &posted.0) {
        let entry = pb::Superseded::decode(row.unwrap().1).unwrap();
        assert!(entry.ruling.is_none_or(|ruling| ruling.reason == "县区登记"));
        assert!(entry.origin.is_none_or(|origin| origin.node == HUB_NODE));
        assert!(!wire::split(&entry.message).unwrap().is_empty());
    }
    everybody_agrees(&dir, &core);
}

#[test]
fn who_ruled_and_whose_word_it_was_is_marked_where_only_an_office_says_so() {
    let (dir, core, node, people, mut mallory, phone) = residents_at(1);
    let person = people[0];
    let stands = held(&at_hub(&core, person), phone);
    let forged = |place: u64, origin: pb::Origin| {
        let ruling = pb::Ruling {
            by: "王科长".into(),
            unit: DISTRICT,
            seal: vec![9; 16].into(),
            reason: "已核实".into(),
            ..pb::Ruling::default()
        };
        let told = past(phone, format!("1390000000{place}").as_bytes(), place, origin);
        pb::Superseded { rule: "REVIEW".into(), ruling: Some(ruling), ..told }
    };
    let of = |unit: u64, node: u32| pb::Origin { unit, node, by: "clerk-3".into(), ..pb::Origin::default() };
    let history =
        vec![forged(1, Mallory::own_word()), forged(2, of(street().number(), 5)), forged(3, of(DISTRICT, HUB_NODE))];
    mallory.offers(person, number::RESIDENT, &[stands], history);
    let told = |unit: u64| {
        let view = core.view();
        let entries = view.prefix(Space::History, &person.0).map(|row| pb::Superseded::decode(row.unwrap().1).unwrap());
        let origins = entries.filter_map(|entry| Some((entry.origin?, entry.ruling?)));
        let of = origins.filter(|(origin, _)| origin.unit == unit);
        of.map(|(origin, ruling)| (origin.told_by, ruling.told_by)).collect::<Vec<_>>()
    };
    let mallorys = community().number();
    assert_eq!(told(mallorys), [(0, mallorys)], "its own word");
    assert_eq!(told(street().number()), [(mallorys, mallorys)]);
    assert_eq!(told(DISTRICT), [(mallorys, mallorys)]);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    let story = taizhang_node::office::history::story(&node, person).unwrap().unwrap();
    let ruled: Vec<_> = story.lines.iter().filter(|line| line.decided_by.starts_with("王科长")).collect();
    assert_eq!(ruled.len(), 3);
    assert!(ruled.iter().all(|line| line.decided_by.contains("未经核实")), "whoever reads it sees that: {ruled:?}");
    everybody_agrees(&dir, &core);
}

#[test]
fn what_only_an_office_calls_decided_is_asked() {
    let (dir, core, _, people, mut mallory, phone) = residents_at(4);
    let of = |unit: u64, node: u32| pb::Origin { unit, node, by: "clerk-3".into(), ..pb::Origin::default() };
    let ruled = |by: &str| {
        let ruling = pb::Ruling {
            by: by.into(),
            unit: DISTRICT,
            at: 1 << 40,
            seal: vec![9; 16].into(),
            ..pb::Ruling::default()
        };
        pb::Superseded {
            rule: "REVIEW".into(),
            ruling: Some(ruling),
            ..past(phone, b"13900000009", 9, of(DISTRICT, HUB_NODE))
        }
    };
    let claim = pb::Superseded { rule: "REVIEW".into(), ..past(phone, b"13900000001", 1, of(street().number(), 5)) };
    let open = |id: RecordId| {
        let conflicts = core.view();
        let conflicts =
            conflicts.prefix(Space::Conflicts, &[]).map(|row| pb::Conflict::decode(row.unwrap().1).unwrap());
        conflicts.filter(|conflict| conflict.record[..] == id.0).count()
    };
    // Nothing beside it; a hub's word, later than all; a ruling without this hub's seal, over another word of the field and over it.
    let of_hub = pb::Origin { received: 1 << 40, ..of(DISTRICT, HUB_NODE) };
    let itself = pb::Superseded { ruling: ruled("王科长").ruling, ..claim.clone() };
    let told = [
        (false, vec![claim.clone()]),
        (true, vec![claim.clone()]),
        (false, vec![claim.clone(), ruled("王科长")]),
        (false, vec![itself]),
    ];
    for (id, (as_hub, history)) in people.into_iter().zip(told) {
        let stands = held(&at_hub(&core, id), phone);
        let said = if as_hub { (stands.0, of_hub.clone()) } else { stands };
        mallory.offers(id, number::RESIDENT, &[said], history.clone());
        assert!(open(id) > 0, "as the hub: {as_hub}, {history:?}");
    }
    everybody_agrees(&dir, &core);
}

#[test]
fn a_past_that_is_made_up_fills_no_history() {
    let (dir, core, _, people, mut mallory, phone) = residents_at(1);
    let person = people[0];
    let most = taizhang_proto::plan::LimitPlan::default().history_bytes;
    let stands = held(&at_hub(&core, person), phone);
    let of = |unit: u64| pb::Origin { unit, node: 5, by: "clerk-3".into(), ..pb::Origin::default() };
    let size = || core.view().prefix(Space::History, &person.0).map(|row| row.unwrap().1.len() as u64).sum::<u64>();
    let (each, in_one) = (60_000, 15);
    let long = vec![b'1'; 60_000];
    for round in 0..most / each / in_one + 2 {
        for whose in [community().number(), street().number()] {
            let entry = |place: u64| past(phone, &long, 1_000 * round + place, of(whose));
            mallory.offers(person, number::RESIDENT, std::slice::from_ref(&stands), (0..in_one).map(entry).collect());
        }
    }
    assert!(size() > most / 2 && size() <= most + 4_096, "{} of {most}", size());
    everybody_agrees(&dir, &core);
}

#[test]
fn nobody_below_edits_a_record_that_is_for_everybody_by_the_name_of_one_that_was_merged_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    let (stands, absorbed) = (post(&core, "G-1", "2"), post(&core, "G-2", "2"));
    assert!(matches!(write(&core, merge(stands, absorbed, false)).unwrap(), Answer::Reviewed(_)));
    everybody_agrees(&dir, &core);
    let before = (at_hub(&core, stands), core.view().prefix(Space::History, &stands.0).count());
    for aside in [true, false] {
        let mut change = change::write(absorbed, number::POST, &[(places(99), 0)], at(2_000_000), "mallory");
        change.seen = 1 << 61;
        let planted = pb::Superseded {
            origin: Some(pb::Origin { tags: vec![HOME_UNIT], ..Mallory::own_word() }),
            message: home(community().number()).bytes,
            ..pb::Superseded::default()
        };
        let offer = pb::Offer { aside: true, history: vec![planted], ..pb::Offer::default() };
        change.offer = Some(offer).filter(|_| aside);
        let outcomes = mallory.push(vec![change]);
        assert_eq!(outcomes[0].kind(), pb::OutcomeKind::Refused, "aside: {aside}");
    }
    let after = (at_hub(&core, stands), core.view().prefix(Space::History, &stands.0).count());
    assert_eq!(before, after);
    everybody_agrees(&dir, &core);
}

#[test]
fn who_had_a_record_does_not_take_it_back_by_saying_that_it_saw_the_hand_over() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    let (here, there) = (community().number().to_string(), neighbour().number().to_string());
    let issue = revise(&core, "Issue", None, &[("home_unit", &here), ("title", "一"), ("raised_on", "2008-03-20")]);
    revise(&core, "Issue", Some(issue), &[("home_unit", &there)]);
    let moved = held(&at_hub(&core, issue), HOME_UNIT).1.revision;
    for base in [moved, moved + 1] {
        // Stamped before it, as one that was made before would be.
        let home = home(community().number());
        let change = change::write(issue, number::ISSUE, &[(home, base)], at(0), "mallory");
        mallory.push(vec![change]);
        assert_eq!(home_unit(&at_hub(&core, issue)), Some(neighbour()), "base {base}");
    }
    everybody_agrees(&dir, &core);
}

#[test]
fn a_claim_that_is_taken_says_no_more_than_its_conflict_is_about_and_a_record_has_so_many_questions() {
    let (dir, core, _, people, mut mallory, phone) = residents_at(1);
    let person = people[0];
    let stands = held(&at_hub(&core, person), phone);
    let of = pb::Origin { unit: street().number(), node: 5, by: "clerk-3".into(), ..pb::Origin::default() };
    // The word names one field, and says three.
    let mut message = past(phone, b"13900000001", 1, of.clone()).message.to_vec();
    wire::put_bytes(
        registers().get(number::RESIDENT).unwrap().field_named("address").unwrap().tag,
        b"elsewhere",
        &mut message,
    );
    wire::put_bytes(9_000, b"more", &mut message);
    let told = pb::Superseded { rule: "REVIEW".into(), message: message.into(), ..past(phone, b"", 1, of.clone()) };
    mallory.offers(person, number::RESIDENT, std::slice::from_ref(&stands), vec![told]);
    let conflicts = || -> Vec<pb::Conflict> {
        let view = core.view();
        view.prefix(Space::Conflicts, &[]).map(|row| pb::Conflict::decode(row.unwrap().1).unwrap()).collect()
    };
    let open = conflicts();
    assert_eq!((open.len(), &open[0].tags[..]), (1, &[phone][..]));
    let before = at_hub(&core, person);
    let request = pb::ResolveRequest {
        numbers: vec![open[0].number],
        choice: pb::Choice::Take.into(),
        by: "王科长".into(),
        reason: "查验原件".into(),
        ..pb::ResolveRequest::default()
    };
    let Answer::Reviewed(answer) = write(&core, Job::Review(Review::Resolve(request))).unwrap() else {
        panic!("an answer")
    };
    assert_eq!((answer.settled, &answer.failed[..]), (1, &[][..]));
    let after = at_hub(&core, person);
    let changed = |tag: &u32| before.bytes(*tag) != after.bytes(*tag);
    let tags: Vec<u32> = after.fields.iter().map(|standing| standing.field.tag).filter(changed).collect();
    assert_eq!(tags, [phone]);

    let asked = |tag: u32| pb::Superseded { rule: "REVIEW".into(), ..past(tag, b"x", u64::from(tag), of.clone()) };
    mallory.offers(person, number::RESIDENT, &[stands], (10_000..10_400).map(asked).collect());
    let about = conflicts().into_iter().filter(|conflict| conflict.state() == pb::ConflictState::Unsettled).count();
    assert!((200..=256).contains(&about), "{about}");
    everybody_agrees(&dir, &core);
}
