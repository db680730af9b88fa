//! The ledger on a real disk: what is saved comes back whatever becomes of the store.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::{self, Engine};
use taizhang_proto::{
    check::Violation,
    limits::{NAME_CHARS, REASON_CHARS},
    register::registers,
    stamp::Stamp,
};

fn clock() -> Clock {
    Arc::new(|| 1_790_000_000_000)
}

fn unit() -> OrgCode {
    "210402011003".parse().unwrap()
}

fn facility(desk: &LedgerDesk<'_>, remark: &str) -> Draft {
    let remark_tag = registers().get(number::FACILITY).unwrap().field_named("remark").unwrap().tag;
    Draft::new(desk.new_id(), number::FACILITY)
        .with(20, Value::Text("3".into()))
        .with(remark_tag, Value::Text(remark.into()))
}

fn save(ledger: &Ledger, count: usize) -> Vec<RecordId> {
    let desk = LedgerDesk::new(ledger);
    let drafts: Vec<Draft> = (0..count).map(|_| facility(&desk, &"记".repeat(400))).collect();
    let ids = drafts.iter().map(|draft| draft.id).collect();
    for answer in desk.save(drafts.into_iter().map(|draft| vec![draft]).collect(), "clerk") {
        answer.unwrap();
    }
    ids
}

#[test]
fn a_lost_store_comes_back_from_many_journal_segments() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    // About 1.3 KB each: over 4 MiB a segment is closed, so this makes several.
    let ids: Vec<RecordId> = (0..10).flat_map(|_| save(&ledger, 1_000)).collect();
    let digest = ledger.log_digest_at(&ledger.state(), 10_000).unwrap();
    drop(ledger);
    assert!(std::fs::read_dir(dir.path().join("journal")).unwrap().count() >= 3);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let state = ledger.state();
    assert_eq!((state.head, state.settled, state.incidents), (10_000, 0, 1));
    assert!(state.rebuild, "the hub is asked for everything");
    assert_eq!(ledger.ids(number::FACILITY).unwrap().len(), ids.len());
    assert!(ids.iter().all(|id| ledger.view(*id).unwrap().is_some()));
    assert_eq!(ledger.log_digest_at(&state, 10_000).unwrap(), digest, "the log goes on where it was");
}

#[test]
fn a_store_that_somebody_has_open_still_is_not_taken_for_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    drop(Ledger::open(dir.path(), unit(), clock()).unwrap());
    let held = Store::open(&store::path_in(dir.path()), Engine::default()).unwrap();
    let refused = Ledger::open(dir.path(), unit(), clock()).map(|_| ());
    assert!(matches!(refused, Err(LedgerError::Store(StoreError::InUse))), "{refused:?}");
    drop(held);
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    assert_eq!((ledger.state().incidents, ledger.state().rebuild), (0, false));
}

#[test]
fn a_bad_group_is_refused_whole_and_hinders_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let desk = LedgerDesk::new(&ledger);
    let good = facility(&desk, "一");
    let bad = Draft::new(desk.new_id(), number::FACILITY).with(20, Value::Text("99".into()));
    let foreign = facility(&desk, "二").with(1, Value::Uint(210_402_012_003));
    let answers = desk.save(vec![vec![facility(&desk, "三"), bad], vec![good.clone()], vec![foreign]], "clerk");
    assert!(matches!(&answers[0], Err(SaveError::Invalid(found)) if found[0].field == "kind"));
    assert!(answers[1].is_ok());
    assert!(matches!(&answers[2], Err(SaveError::Invalid(found)) if found[0].rule == "unit"));
    assert_eq!(ledger.ids(number::FACILITY).unwrap(), [good.id]);
    assert_eq!(ledger.pending(), 1);
}

#[test]
fn an_edit_is_seen_at_once_and_found_by_its_new_key() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let id = save(&ledger, 1)[0];
    let home = Value::Uint(unit().number());
    let kind = |code: &str| Value::Text(code.into());
    assert_eq!(ledger.find(number::FACILITY, &[home.clone(), kind("3")]).unwrap(), [id]);
    let edit = Draft::new(id, number::FACILITY).with(20, kind("4"));
    assert!(ledger.save(&[vec![edit]], "clerk")[0].is_ok());
    assert!(ledger.find(number::FACILITY, &[home.clone(), kind("3")]).unwrap().is_empty());
    assert_eq!(ledger.find(number::FACILITY, &[home, kind("4")]).unwrap(), [id]);
}

/// A computer whose clock can be set while time passes.
struct Computer {
    clock: Arc<std::sync::atomic::AtomicU64>,
    uptime: Arc<std::sync::atomic::AtomicU64>,
}

const NOW: u64 = 1_790_000_000_000;
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

impl Computer {
    fn on() -> Self {
        Self { clock: Arc::new(NOW.into()), uptime: Arc::new(5.into()) }
    }

    fn open(&self, dir: &std::path::Path) -> Ledger {
        let (clock, uptime) = (self.clock.clone(), self.uptime.clone());
        let clock: Clock = Arc::new(move || clock.load(std::sync::atomic::Ordering::Relaxed));
        let uptime: Clock = Arc::new(move || uptime.load(std::sync::atomic::Ordering::Relaxed));
        Ledger::open_timed(dir, unit(), (clock, uptime), crate::store::Engine::default()).unwrap()
    }

    fn set(&self, by: i64) {
        self.clock.fetch_add(by as u64, std::sync::atomic::Ordering::Relaxed);
    }

    fn pass(&self, millis: i64) {
        self.set(millis);
        self.uptime.fetch_add(millis as u64, std::sync::atomic::Ordering::Relaxed);
    }
}

/// A session in which the hub's clock reads this.
fn greet(ledger: &Ledger, hub: u64) {
    use crate::upstream::Replica;
    let hello = ledger.hello(false).unwrap();
    let state = ledger.state();
    let log_digest = ledger.log_digest_at(&state, state.settled).unwrap().unwrap().0.to_vec().into();
    let welcome = pb::Welcome {
        protocol: hello.protocol_max,
        unit: unit().number(),
        acknowledged: state.settled,
        log_digest,
        clock: hub,
        ..pb::Welcome::default()
    };
    ledger.welcome(&welcome).unwrap();
}

#[test]
fn a_difference_of_clocks_is_believed_until_either_is_set_a_few_minutes_pass_or_the_computer_starts() {
    let dir = tempfile::tempdir().unwrap();
    let (computer, today) = (Computer::on(), date::shanghai(NOW));
    let ledger = computer.open(dir.path());
    // 200 days ahead, and told so.
    computer.set(200 * DAY);
    greet(&ledger, NOW);
    assert_eq!(ledger.business_day(), today);
    computer.pass(3 * MINUTE);
    assert_eq!(ledger.business_day(), today);
    // Set right.
    computer.set(-200 * DAY);
    assert_eq!((ledger.business_day(), ledger.skew_millis()), (today, None));
    let change = save(&ledger, 1)[0];
    let stamped = ledger.view(change).unwrap().unwrap().origin(20).unwrap().stamp;
    assert!(Stamp(stamped).millis() < NOW + 10 * MINUTE as u64, "{stamped}");

    // A hub a year ahead is followed for as long as its word is fresh.
    greet(&ledger, NOW + 365 * DAY as u64);
    assert_eq!(ledger.business_day(), today + 365);
    computer.pass(6 * MINUTE);
    assert_eq!(ledger.business_day(), today);
    greet(&ledger, NOW + 365 * DAY as u64);
    assert_eq!(ledger.business_day(), today + 365);
    drop(ledger);
    assert_eq!(computer.open(dir.path()).business_day(), today, "not across a start");
}

#[test]
fn what_was_stamped_before_the_clock_was_set_says_so_when_it_goes_up() {
    use crate::upstream::{Replica, SessionError};
    let dir = tempfile::tempdir().unwrap();
    let computer = Computer::on();
    let ledger = computer.open(dir.path());
    // Behind, as the hub said; then set right.
    computer.set(-200 * DAY);
    greet(&ledger, NOW);
    save(&ledger, 2);
    computer.set(200 * DAY);
    save(&ledger, 1);
    assert!(matches!(ledger.batch(0), Err(SessionError::ClockSet)), "the hub is greeted anew first");
    // Set back, and only told how it stands then.
    greet(&ledger, NOW);
    computer.set(-3 * DAY);
    greet(&ledger, NOW - 3 * DAY as u64);
    save(&ledger, 1);
    let parts = [(0, 2, Some(-200 * DAY)), (2, 3, Some(0)), (3, 4, None)];
    for (after, last, skew) in parts {
        let push = ledger.batch(after).unwrap().unwrap();
        assert_eq!((push.last, push.skew_millis), (last, skew));
    }
}

/// Zeroes a byte in the middle of every journal segment, or cuts it off.
fn damage_journal(dir: &std::path::Path) {
    for segment in crate::disk::files_named(&dir.join("journal"), "log").unwrap() {
        let mut bytes = std::fs::read(&segment).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::write(&segment, bytes).unwrap();
    }
}

#[test]
fn a_damaged_journal_is_written_anew_from_a_sound_store_and_brings_it_back_when_it_is_lost_next() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let mut ids = save(&ledger, 20);
    let digest = ledger.log_digest_at(&ledger.state(), 20).unwrap();
    drop(ledger);
    damage_journal(dir.path());
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    assert_eq!((ledger.state().head, ledger.state().incidents), (20, 1));
    ids.extend(save(&ledger, 5));
    drop(ledger);
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let state = ledger.state();
    assert_eq!((state.head, state.settled), (25, 0));
    assert!(ids.iter().all(|id| ledger.view(*id).unwrap().is_some()));
    assert_eq!(ledger.log_digest_at(&state, 20).unwrap(), digest, "the log is the same");
    assert!(ledger.log_digest_at(&state, 25).unwrap().is_some());
}

#[test]
fn a_gap_in_the_journal_of_a_lost_store_is_gone_round_under_a_new_incarnation() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    // Two segments, the first of them damaged.
    let first = (0..4).flat_map(|_| save(&ledger, 1_000)).collect::<Vec<_>>();
    let second = save(&ledger, 1_000);
    let incarnation = ledger.state().incarnation;
    drop(ledger);
    let segments = crate::disk::files_named(&dir.path().join("journal"), "log").unwrap();
    assert!(segments.len() >= 2);
    let mut bytes = std::fs::read(&segments[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&segments[0], bytes).unwrap();
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let state = ledger.state();
    assert_ne!(state.incarnation, incarnation);
    let here = |id: &RecordId| ledger.view(*id).unwrap().is_some();
    assert!(second.iter().rev().take(100).all(here), "what came after the gap is there");
    let kept = first.iter().chain(&second).filter(|id| here(id)).count() as u64;
    assert!(first.iter().take(100).all(here) && kept < 5_000);
    assert_eq!((state.settled, state.head), (0, kept), "numbered in a row");
    assert!(ledger.log_digest_at(&state, kept).unwrap().is_some(), "the hub can be told all of it");
    drop(ledger);
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    assert_eq!((ledger.state().head, ledger.state().incidents), (kept, 1), "and that was all");
}

#[test]
fn a_change_too_large_for_a_batch_is_refused_when_it_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let desk = LedgerDesk::new(&ledger);
    let large = facility(&desk, &"记".repeat(taizhang_proto::session::MAX_CHANGE_BYTES));
    let answers = desk.save(vec![vec![large], vec![facility(&desk, "二")]], "clerk");
    assert!(
        matches!(&answers[0], Err(SaveError::Invalid(found)) if found.iter().any(|found| found.rule == "size")),
        "{:?}",
        answers[0]
    );
    assert!(answers[1].is_ok());
}

#[test]
fn what_no_hub_would_read_for_its_name_or_reason_is_refused_when_it_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let desk = LedgerDesk::new(&ledger);
    let save = |by: usize, reason: usize| {
        let draft = facility(&desk, "一").because(&"理".repeat(reason));
        desk.save(vec![vec![draft]], &"王".repeat(by)).remove(0)
    };
    for (by, reason) in [(NAME_CHARS + 1, 1), (1, REASON_CHARS + 1)] {
        let answer = save(by, reason);
        let is_long =
            |found: &[Violation]| found.iter().any(|found| found.rule == "length" && !found.message.is_empty());
        assert!(matches!(&answer, Err(SaveError::Invalid(found)) if is_long(found)), "{answer:?}");
    }
    save(NAME_CHARS, REASON_CHARS).unwrap();
    // Spaces around a name, or alone, are no name.
    for (by, said) in [(format!("{}李会计{}", " ".repeat(900), " ".repeat(900)), "李会计"), (" ".repeat(900), "")]
    {
        desk.save(vec![vec![facility(&desk, "二")]], &by).remove(0).unwrap();
        let change = ledger.store.get(&key::pending(ledger.state().head)).unwrap().unwrap();
        let edit = Edit::read(prost::Message::decode(change).unwrap()).expect("a hub reads it");
        assert_eq!(edit.by, said);
    }
}

/// A change in the log of an earlier build that saved without a bound.
fn put_in_the_log(ledger: &Ledger, bytes: usize) {
    let desk = LedgerDesk::new(ledger);
    let id = desk.new_id();
    let mut message = Vec::new();
    taizhang_proto::wire::put_bytes(20, b"3", &mut message);
    let seen = bytes::Bytes::from(vec![b'a'; bytes / 2]);
    let bases = (1..=2).map(|tag| pb::FieldBase { tag, revision: 0, seen: seen.clone() }).collect();
    let change = pb::Change {
        record: bytes::Bytes::copy_from_slice(&id.0),
        register: number::FACILITY,
        message: message.into(),
        bases,
        ..pb::Change::default()
    };
    let mut inner = ledger.inner();
    let mut state = inner.state.clone();
    state.head += 1;
    let change = change.encode_to_vec();
    inner.journal.append(&[crate::journal::Entry::Saved(state.head, change.clone())], LogDigest::default()).unwrap();
    let mut batch = sled::Batch::default();
    batch.insert(key::pending(state.head), change);
    batch.insert(key::pending_of(id, state.head), &[]);
    batch.insert(key::STATE, state.encode_to_vec());
    ledger.store.apply(batch).unwrap();
    inner.state = state;
}

#[test]
fn a_change_larger_than_a_batch_goes_alone_and_one_larger_than_a_message_is_set_aside() {
    use crate::upstream::{Replica, SessionError};
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    save(&ledger, 1);
    put_in_the_log(&ledger, 2 * 1024 * 1024);
    save(&ledger, 1);
    greet(&ledger, NOW);
    let ends: Vec<u64> = [0, 1, 2].map(|after| ledger.batch(after).unwrap().unwrap().last).into();
    assert_eq!(ends, [1, 2, 3]);
    put_in_the_log(&ledger, 5 * 1024 * 1024);
    let last = save(&ledger, 1)[0];
    assert!(matches!(ledger.batch(3), Err(SessionError::NewIncarnation)));
    assert_eq!(ledger.pending(), 4);
    let refused = ledger.refused().unwrap();
    assert!(refused.len() == 1 && refused[0].1.why.as_ref().unwrap().rule == "size");
    assert!(ledger.view(last).unwrap().is_some());
    greet(&ledger, NOW);
    let mut sent = 0;
    while let Some(push) = ledger.batch(sent).unwrap() {
        sent = push.last;
    }
    assert_eq!(sent, 4, "nothing waits behind it");
    drop(ledger);
    assert_eq!(Ledger::open(dir.path(), unit(), clock()).unwrap().refused().unwrap().len(), 1, "it stays to be seen");
}

#[test]
fn of_two_entries_of_one_number_in_a_batch_the_second_is_told_wherever_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), unit(), clock()).unwrap();
    let desk = LedgerDesk::new(&ledger);
    let id_no = |nth: usize| {
        let digits = format!("21040219700301{nth:03}");
        let last = taizhang_proto::citizen_id::check_character(digits.as_bytes()).unwrap();
        Value::Text(format!("{digits}{}", char::from(last)))
    };
    let person = |nth: usize| {
        Draft::new(desk.new_id(), number::RESIDENT).with(21, id_no(nth)).with(23, Value::Text("王强".into()))
    };
    let taken = |answer: &Result<(), SaveError>| matches!(answer, Err(SaveError::Invalid(found)) if found.iter().all(|one| one.rule == crate::desk::TAKEN));
    let mut groups: Vec<Vec<Draft>> = (0..200).map(|nth| vec![person(nth)]).collect();
    let renumbered = groups[0][0].id;
    // The first one gets another number in the same batch: its former number is free, its new one is not.
    groups.push(vec![Draft::new(renumbered, number::RESIDENT).because("更正").with(21, id_no(900))]);
    groups.push(vec![person(0)]);
    groups.push(vec![person(900)]);
    groups.push(vec![person(7)]);
    groups.push(vec![person(300), person(300)]);
    let answers = desk.save(groups, "clerk");
    assert!(answers[..202].iter().all(Result::is_ok));
    assert!(answers[202..].iter().all(taken), "{:?}", &answers[202..]);
    // A household's case is one, too.
    let house = Draft::new(desk.new_id(), number::HOUSEHOLD).with(22, Value::Ref(renumbered));
    let house_id = house.id;
    let member = || {
        let draft = Draft::new(desk.new_id(), number::MEMBER).with(20, Value::Ref(house_id));
        draft.with(21, Value::Ref(renumbered)).with(22, Value::Text("10".into()))
    };
    let answers = desk.save(vec![vec![house], vec![member()], vec![member()]], "clerk");
    assert!(answers[0].is_ok() && answers[1].is_ok() && taken(&answers[2]), "{answers:?}");
}
