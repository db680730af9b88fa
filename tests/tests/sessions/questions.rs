//! What a district asks its reviewers about: a question stands while its reason does, wherever that came from and went, and one office can
//! ask no more of them than anybody would answer.

use crate::pair::{community, hub, peer, street, write};
use prost::Message;
use std::sync::Arc;
use taizhang_hub::{
    session::Server,
    store::Space,
    totals::audit,
    writer::{Answer, Core, Job, Review},
};
use taizhang_proto::{
    Record, RecordId, date,
    pb::{self, ConflictKind, ConflictState, up},
    register::{number, registers},
};
use taizhang_tests::{books, hostile::say};

/// The clock of what is said.
const NOW: u64 = 1_790_000_000_000;
const REASON: &str = "查验原件后确定";

/// A child that says what it likes, whatever an office's own program would let it.
struct Child {
    server: Server,
    core: Arc<Core>,
    next: u64,
    serial: u64,
    _dir: tempfile::TempDir,
}

impl Child {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let core = hub(dir.path());
        let mut server = Server::new(peer("node", community()));
        let job = server.receive(pb::Up { it: Some(up::It::Hello(say::hello())) }).unwrap().unwrap();
        server.answered(&core, core.commit(vec![job]).pop().unwrap().unwrap()).unwrap();
        Self { server, core, next: 1, serial: 0, _dir: dir }
    }

    fn id(&mut self) -> RecordId {
        self.serial += 1;
        let mut tail = [0_u8; 10];
        tail[..8].copy_from_slice(&self.serial.to_be_bytes());
        RecordId::create(NOW, tail)
    }

    /// Says changes; returns how many were refused.
    fn say(&mut self, all: &[pb::Change]) -> usize {
        let mut refused = 0;
        for some in all.chunks(1_000) {
            let push = say::push(self.next, some);
            self.next += some.len() as u64;
            let job = self.server.receive(pb::Up { it: Some(up::It::Push(push)) }).unwrap().unwrap();
            let answer = self.core.commit(vec![job]).pop().unwrap().unwrap();
            for down in self.server.answered(&self.core, answer).unwrap() {
                let Some(pb::down::It::Verdicts(verdicts)) = down.it else { continue };
                refused += verdicts.outcomes.iter().filter(|one| one.kind() == pb::OutcomeKind::Refused).count();
            }
        }
        refused
    }

    /// Says what is taken.
    fn says(&mut self, all: &[pb::Change]) {
        assert_eq!(self.say(all), 0, "refused");
    }

    fn form(&mut self, register: u32, fields: &[(&str, &str)]) -> (RecordId, pb::Change) {
        let (id, home) = (self.id(), community().to_string());
        let fields = [&[("home_unit", home.as_str())], fields].concat();
        (id, say::change_at(&books::form(register, id, &fields), None, NOW))
    }

    fn edit(&self, id: RecordId, fields: &[(&str, &str)]) -> pb::Change {
        let record = Record::decode(self.core.view().get(Space::Records, &id.0).unwrap().unwrap()).unwrap();
        let change = say::change_at(&books::form(record.register, id, fields), Some(&record), NOW);
        pb::Change { seen: u64::MAX >> 3, ..change }
    }

    fn number(nth: usize) -> String {
        books::id_no(date::shanghai(NOW) - 40 * 365, nth)
    }

    fn enter(&mut self, register: u32, fields: &[(&str, &str)]) -> RecordId {
        let (id, change) = self.form(register, fields);
        self.says(&[change]);
        id
    }

    fn person(&mut self, nth: usize) -> RecordId {
        self.enter(number::RESIDENT, &[("id_no", &Self::number(nth)), ("name", "赵立新")])
    }

    fn household(&mut self) -> RecordId {
        let number = format!("户-{}", self.serial);
        self.enter(number::HOUSEHOLD, &[("hh_no", &number), ("status", "1")])
    }

    fn membership(&mut self, household: RecordId, person: RecordId) -> (RecordId, pb::Change) {
        let (household, person) = (household.to_string(), person.to_string());
        self.form(number::MEMBER, &[("household", &household), ("person", &person), ("counted", "是")])
    }

    fn member(&mut self, household: RecordId, person: RecordId) -> RecordId {
        let (id, change) = self.membership(household, person);
        self.says(&[change]);
        id
    }

    /// A person in so many households, a membership in each.
    fn in_households(&mut self, count: usize) -> (RecordId, Vec<RecordId>) {
        let person = self.person(1);
        let of = |own: &mut Self| {
            let household = own.household();
            own.member(household, person)
        };
        (person, (0..count).map(|_| of(self)).collect())
    }

    fn post(&mut self, no: &str) -> RecordId {
        self.enter(number::POST, &[("post_no", no), ("kind", "1"), ("places", "1")])
    }

    fn job(&mut self, person: RecordId, start: &str, post: Option<RecordId>) -> RecordId {
        let (person, post) = (person.to_string(), post.map(|post| post.to_string()).unwrap_or_default());
        let mut fields = vec![("person", person.as_str()), ("kind", "1"), ("start_on", start), ("employer", "甲")];
        fields.extend((!post.is_empty()).then_some(("post", post.as_str())));
        self.enter(number::PLACEMENT, &fields)
    }

    /// A household recognised on the first of May, of one person.
    fn recognised(&mut self) -> RecordId {
        let (person, household) = (self.person(1), self.household());
        self.member(household, person);
        let household = household.to_string();
        self.enter(number::ZEF_CASE, &[("household", &household), ("kind", "1"), ("recognised_on", "2026-05-01")]);
        person
    }

    /// The questions that stand; every total is a recount.
    fn open(&self) -> Vec<pb::Conflict> {
        let found = audit::audit(&self.core).unwrap();
        assert!(found.differences.is_empty(), "{:?}", found.differences);
        let view = self.core.view();
        let all = view.prefix(Space::Conflicts, &[]).map(|row| pb::Conflict::decode(row.unwrap().1).unwrap());
        all.filter(|one| one.state() == ConflictState::Unsettled).collect()
    }

    fn kinds(&self) -> Vec<ConflictKind> {
        let mut kinds: Vec<_> = self.open().iter().map(pb::Conflict::kind).collect();
        kinds.sort_unstable_by_key(|kind| *kind as i32);
        kinds
    }

    fn merge(&self, survivor: RecordId, absorbed: RecordId, undo: bool) {
        let ask = pb::MergeRequest {
            survivor: survivor.to_string(),
            absorbed: absorbed.to_string(),
            take: Vec::new(),
            reason: REASON.into(),
            by: "wang".into(),
            undo,
            despite: true,
        };
        match write(&self.core, Job::Review(Review::Merge(ask))).unwrap() {
            Answer::Reviewed(answer) => assert!(answer.failed.is_empty(), "{answer:?}"),
            _ => panic!("no answer to a merge"),
        }
    }
}

use ConflictKind::{DoubleBooked, LeftButPlaced, Recognition, SameHousehold, TwoHouseholds};

#[test]
fn who_is_counted_in_two_households_is_asked_about_once_whichever_membership_is_edited() {
    let mut child = Child::new();
    let (_, members) = child.in_households(2);
    assert_eq!(child.kinds(), [TwoHouseholds]);
    let edit = child.edit(members[0], &[("relation", "10")]);
    child.says(&[edit]);
    assert_eq!(child.kinds(), [TwoHouseholds], "the earlier one was edited");
    let edit = child.edit(members[0], &[("to_on", "2026-05-01")]);
    child.says(&[edit]);
    assert_eq!(child.kinds(), [], "the earlier one has ended");
}

#[test]
fn of_three_memberships_each_pair_is_asked_about_and_only_those_that_count() {
    let mut child = Child::new();
    let (_, members) = child.in_households(3);
    assert_eq!(child.kinds(), [TwoHouseholds; 3]);
    let edit = child.edit(members[0], &[("counted", "否")]);
    child.says(&[edit]);
    let left = child.open();
    assert_eq!(left.len(), 1);
    assert!(left[0].record[..] == members[2].0[..] && left[0].other[..] == members[1].0[..]);
}

#[test]
fn who_gives_up_a_place_leaves_it_to_whoever_waits() {
    for how in ["another post", "no post", "death"] {
        let mut child = Child::new();
        let (first, second) = (child.person(1), child.person(2));
        let (post, other) = (child.post("公-1"), child.post("公-2"));
        let held = child.job(first, "2026-04-01", Some(post));
        child.job(second, "2026-06-01", Some(post));
        assert_eq!(child.kinds(), [DoubleBooked], "{how}");
        let edit = match how {
            "another post" => child.edit(held, &[("post", &other.to_string())]),
            "no post" => child.edit(held, &[("post", "")]),
            _ => child.edit(first, &[("death_on", "2026-05-01")]),
        };
        child.says(&[edit]);
        assert_eq!(child.kinds(), [], "{how}");
    }
}

#[test]
fn who_waits_for_a_place_no_more_is_not_asked_about() {
    let mut child = Child::new();
    let (first, second, post) = (child.person(1), child.person(2), child.post("公-1"));
    child.job(first, "2026-04-01", Some(post));
    let waits = child.job(second, "2026-04-01", Some(post));
    assert_eq!(child.kinds(), [DoubleBooked]);
    let edit = child.edit(waits, &[("post", "")]);
    child.says(&[edit]);
    assert_eq!(child.kinds(), []);
}

#[test]
fn a_merge_that_is_taken_back_takes_its_questions_along() {
    let mut child = Child::new();
    let (one, two) = (child.person(1), child.person(2));
    for person in [one, two] {
        let household = child.household();
        child.member(household, person);
    }
    child.merge(one, two, false);
    assert_eq!(child.kinds(), [TwoHouseholds]);
    child.merge(one, two, true);
    assert_eq!(child.kinds(), []);

    let mut child = Child::new();
    let (dead, placed) = (child.person(1), child.person(2));
    let edit = child.edit(dead, &[("death_on", "2026-05-01")]);
    child.says(&[edit]);
    child.job(placed, "2026-06-01", None);
    child.merge(dead, placed, false);
    assert_eq!(child.kinds(), [LeftButPlaced]);
    child.merge(dead, placed, true);
    assert_eq!(child.kinds(), []);
}

#[test]
fn households_share_nobody_any_more_once_the_numbers_are_put_right() {
    let mut child = Child::new();
    let households = [child.household(), child.household()];
    let mut twins = Vec::new();
    for household in households {
        for nth in [1, 2] {
            let person = child.person(nth);
            child.member(household, person);
            twins.push(person);
        }
    }
    assert!(child.kinds().contains(&SameHousehold));
    for (person, nth) in [(twins[2], 7), (twins[3], 8)] {
        let ask = pb::ReviseRequest {
            record: person.to_string(),
            register: "Resident".into(),
            fields: [("id_no".to_owned(), Child::number(nth))].into(),
            by: "wang".into(),
            reason: REASON.into(),
            ..pb::ReviseRequest::default()
        };
        assert!(!matches!(write(&child.core, Job::Review(Review::Revise(ask))).unwrap(), Answer::Refused(_)));
    }
    assert_eq!(child.kinds(), []);
}

#[test]
fn what_is_reopened_without_a_reason_does_not_stand() {
    let mut child = Child::new();
    let (_, members) = child.in_households(2);
    let number = child.open()[0].number;
    let keep = pb::ResolveRequest {
        numbers: vec![number],
        choice: pb::Choice::Keep.into(),
        reason: REASON.into(),
        by: "wang".into(),
        ..pb::ResolveRequest::default()
    };
    write(&child.core, Job::Review(Review::Resolve(keep))).unwrap();
    let edit = child.edit(members[1], &[("to_on", "2026-05-01")]);
    child.says(&[edit]);
    let reopen = pb::ReopenRequest { number, reason: REASON.into(), by: "wang".into() };
    write(&child.core, Job::Review(Review::Reopen(reopen))).unwrap();
    assert_eq!(child.kinds(), []);
}

#[test]
fn one_certificate_of_two_registrations_is_one_person_s_once_they_are_merged() {
    let mut child = Child::new();
    let (one, two) = (child.person(1), child.person(1));
    let kind = registers().get(number::HELD_CERTIFICATE).unwrap().field_named("kind").unwrap();
    let kind = kind.codes.unwrap().codes.keys().next().unwrap().clone();
    for person in [one, two] {
        child.enter(number::HELD_CERTIFICATE, &[("person", &person.to_string()), ("kind", &kind), ("number", "A-1")]);
    }
    assert_eq!(child.open().len(), 2);
    child.merge(one, two, false);
    assert_eq!(child.kinds(), []);
}

#[test]
fn a_recognition_is_asked_about_while_somebody_had_a_job_then() {
    // Who had died before had none.
    let mut child = Child::new();
    let person = child.recognised();
    child.job(person, "2026-03-01", None);
    assert_eq!(child.kinds(), [Recognition]);
    let edit = child.edit(person, &[("death_on", "2026-04-01")]);
    child.says(&[edit]);
    assert_eq!(child.kinds(), []);

    // Who waited for a place and gets it had one.
    let mut child = Child::new();
    let person = child.recognised();
    let (other, post) = (child.person(2), child.post("公-1"));
    let held = child.job(other, "2026-03-01", Some(post));
    child.job(person, "2026-03-01", Some(post));
    assert_eq!(child.kinds(), [DoubleBooked]);
    let edit = child.edit(held, &[("state", "作废"), ("void_reason", "录错")]);
    child.says(&[edit]);
    assert_eq!(child.kinds(), [Recognition]);

    // And so had who is registered twice, wherever the job is.
    let mut child = Child::new();
    child.recognised();
    let twin = child.person(1);
    child.job(twin, "2026-03-01", None);
    assert!(child.kinds().contains(&Recognition));
}

#[test]
fn two_id_numbers_are_made_one_person_by_no_ruling_that_does_not_say_so() {
    let mut child = Child::new();
    for (nth, name) in [(1, "赵立新"), (2, "钱二")] {
        child.enter(number::RESIDENT, &[("id_no", &Child::number(nth)), ("other_no", "K-12345"), ("name", name)]);
    }
    let number = child.open()[0].number;
    let mut ask = pb::ResolveRequest {
        numbers: vec![number],
        choice: pb::Choice::Merge.into(),
        reason: REASON.into(),
        by: "wang".into(),
        ..pb::ResolveRequest::default()
    };
    let settled =
        |ask: &pb::ResolveRequest| match write(&child.core, Job::ReviewBelow(street(), Review::Resolve(ask.clone())))
            .unwrap()
        {
            Answer::Reviewed(answer) => answer.settled,
            _ => panic!("no answer to a ruling"),
        };
    assert_eq!(settled(&ask), 0);
    ask.despite = true;
    assert_eq!(settled(&ask), 1);
}

/// Whatever an office sends, the records that are compared with each other are few: those beyond are refused, and the office's other
/// records are not.
#[test]
fn an_office_enters_no_more_about_one_record_than_anybody_would() {
    let mut child = Child::new();
    let (person, household) = (child.person(1), child.household());
    let mut sent = Vec::new();
    for _ in 0..40 {
        let other = child.household();
        sent.push(child.membership(other, person).1);
    }
    assert_eq!(child.say(&sent), 8, "memberships of one person");
    let case =
        [("household", household.to_string()), ("kind", "1".to_owned()), ("recognised_on", "2026-05-01".to_owned())];
    let case: Vec<(&str, &str)> = case.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let sent: Vec<_> = (0..40).map(|_| child.form(number::ZEF_CASE, &case).1).collect();
    assert!(child.say(&sent) >= 8, "cases of one household");
    let number = Child::number(3);
    let sent: Vec<_> = (0..20)
        .map(|_| child.form(number::ASSISTANT, &[("id_no", &number), ("name", "王"), ("from_on", "2026-01-01")]).1)
        .collect();
    assert_eq!(child.say(&sent), 4, "assignments of one assistant");
    // And nobody is asked more of one membership than can be answered.
    assert!(child.open().iter().filter(|one| one.kind() == TwoHouseholds).count() <= 32 * 8);
    let other = child.person(2);
    child.member(household, other);
}
