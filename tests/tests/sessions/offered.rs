//! What an office says again to a hub that was restored moves no case on that is not its to move, and fills neither the writer's
//! time nor its memory.

use crate::{
    forged::{Mallory, at},
    pair::{
        assert_sound, at_hub, both, community, hub, office, on, peer, residents, revise, save, street, sync, tag,
        with_tree,
    },
};
use prost::Message;
use std::{path::Path, sync::Arc};
use taizhang_hub::{engine::FjallStore, lineage::Lineage, store::Space, writer::Core};
use taizhang_node::{
    desk::Desk,
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    Record, RecordId, change,
    change::Edit,
    date::Day,
    limits::{CHANGE_FIELDS, STORED_FIELDS},
    pb,
    plan::LimitPlan,
    register::{Value, field::hardship_case, number, registers},
    wire::{Field, put_bytes},
};
use taizhang_tests::{books, sim::copy_dir};

/// 20 March 2008.
const DAY: Day = 13_958;

/// A case of hardship that a community's office has entered.
fn applied(node: &Ledger, person: RecordId) -> RecordId {
    let id = LedgerDesk::new(node).new_id();
    let home = community().number().to_string();
    let fields =
        [("home_unit", home.as_str()), ("person", &person.to_string()), ("kind", "1"), ("applied_on", "2008-03-20")];
    save(node, vec![books::form(number::HARDSHIP_CASE, id, &fields)]);
    id
}

fn day(tag: u32, day: Day) -> Field {
    let def = registers().get(number::HARDSHIP_CASE).unwrap();
    Field { tag, bytes: Value::Day(day).encode(def.field(tag).unwrap()) }
}

/// What is asked about a record.
fn asked(core: &Core, id: RecordId) -> Vec<pb::Conflict> {
    let view = core.view();
    let all = view.prefix(Space::Conflicts, &[]).map(|row| pb::Conflict::decode(row.unwrap().1).unwrap());
    all.filter(|one| one.state() == pb::ConflictState::Unsettled && one.record[..] == id.0).collect()
}

fn with_a_case(dir: &Path) -> (Arc<Core>, Ledger, RecordId) {
    let (core, node) = (hub(dir), office(dir, "node", community(), 900_000));
    let person = residents(&node, community(), 0..1)[0];
    let case = applied(&node, person);
    sync(&core, &node, &peer("node", community()));
    (core, node, case)
}

#[test]
fn an_offer_moves_no_case_on_that_is_not_the_offices_to_move() {
    let dir = tempfile::tempdir().unwrap();
    let (core, node, case) = with_a_case(dir.path());
    let mut mallory = Mallory::at(&core);
    let of_the_street = pb::Origin { unit: street().number(), node: 5, by: "clerk-3".into(), ..Mallory::own_word() };
    for (tag, word) in [
        (hardship_case::CHECKED_ON, Mallory::own_word()),
        (hardship_case::RECOGNISED_ON, of_the_street),
        (hardship_case::RECOGNISED_ON, pb::Origin { node: u32::MAX, ..Mallory::own_word() }),
    ] {
        mallory.offers(case, number::HARDSHIP_CASE, &[(day(tag, DAY), word)], Vec::new());
        assert_eq!(at_hub(&core, case).day(tag), None, "{tag}");
    }
    // An offer with nothing in it.
    let mut change = change::write(
        case,
        number::HARDSHIP_CASE,
        &[(day(hardship_case::RECOGNISED_ON, DAY), 0)],
        at(3_000_000),
        "mallory",
    );
    (change.seen, change.offer) = (1 << 61, Some(pb::Offer::default()));
    mallory.push(vec![change]);
    assert_eq!(at_hub(&core, case).day(hardship_case::RECOGNISED_ON), None);
    // Nothing of it is lost: a reviewer is asked.
    let tags: Vec<u32> = asked(&core, case).into_iter().flat_map(|one| one.tags).collect();
    assert!(tags.contains(&hardship_case::CHECKED_ON) && tags.contains(&hardship_case::RECOGNISED_ON), "{tags:?}");
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}

#[test]
fn a_case_that_a_street_moved_on_stands_again_whoever_tells_it_first() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at_street = office(dir.path(), "street", street(), 950_000);
    let (core, node, case) = with_a_case(dir.path());
    both(&core, &at_street, &node);
    drop(core);
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    {
        let core = hub(dir.path());
        save(&at_street, vec![books::form(number::HARDSHIP_CASE, case, &[("checked_on", "2008-03-21")])]);
        both(&core, &at_street, &node);
        assert_eq!(at_hub(&core, case).day(hardship_case::CHECKED_ON), Some(DAY + 1));
    }
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    copy_dir(&backup.path().join("hub"), &dir.path().join("hub")).unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, 4_600_000));
    assert_eq!(at_hub(&core, case).day(hardship_case::CHECKED_ON), None, "the backup is older");
    // The street's computer is gone.
    sync(&core, &node, &peer("node", community()));
    let told: Record = at_hub(&core, case);
    assert_eq!(told.day(hardship_case::CHECKED_ON), Some(DAY + 1));
    assert_eq!(told.origin(hardship_case::CHECKED_ON).unwrap().unit, street().number());
    assert_eq!(asked(&core, case), []);
    assert_sound(&core, &node);
    both(&core, &at_street, &node);
    assert_sound(&core, &at_street);
}

#[test]
fn a_case_that_was_brought_in_as_it_stood_on_paper_and_corrected_stands_again_after_a_full_loss() {
    let dir = tempfile::tempdir().unwrap();
    let (secret, case, node) = {
        let (core, node, _) = with_a_case(dir.path());
        let person = residents(&node, community(), 1..2)[0];
        let case = LedgerDesk::new(&node).new_id();
        let home = community().number().to_string();
        let person = person.to_string();
        let fields = [("home_unit", home.as_str()), ("person", &person), ("kind", "1"), ("applied_on", "2008-03-20")];
        let checked = [&fields[..], &[("checked_on", "2008-03-21")]].concat();
        save(&node, vec![books::form(number::HARDSHIP_CASE, case, &checked)]);
        sync(&core, &node, &peer("node", community()));
        save(&node, vec![books::form(number::HARDSHIP_CASE, case, &[("checked_on", "2008-03-22")])]);
        sync(&core, &node, &peer("node", community()));
        assert_eq!(node.refused().unwrap().len(), 0);
        (Lineage::read(core.view().as_ref()).unwrap().secret(), case, node)
    };
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), Some(secret), 4_600_000));
    sync(&core, &node, &peer("node", community()));
    assert_eq!(at_hub(&core, case).day(hardship_case::CHECKED_ON), Some(DAY + 2));
    assert_eq!(asked(&core, case), []);
    assert_sound(&core, &node);
}

/// A field of no register.
fn unknown(tag: u32, value: &[u8]) -> Field {
    let mut bytes = Vec::new();
    put_bytes(tag, value, &mut bytes);
    Field { tag, bytes: bytes.into() }
}

#[test]
fn each_field_of_an_offer_has_one_origin_and_no_part_says_more_than_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (core, node, case) = with_a_case(dir.path());
    let mut mallory = Mallory::at(&core);
    let fields: Vec<(Field, u64)> =
        (9_000..9_000 + CHANGE_FIELDS as u32 - 100).map(|tag| (unknown(tag, b"x"), 0)).collect();
    let tags: Vec<u32> = fields.iter().map(|(field, _)| field.tag).collect();
    let offered = |origins: Vec<pb::Origin>| {
        let mut change = change::write(case, number::HARDSHIP_CASE, &fields, at(2_000_000), "mallory");
        change.offer = Some(pb::Offer { origins, ..pb::Offer::default() });
        change
    };
    // Each origin names each field: a hub would look at each field of each origin for each field.
    let all = (0..500).map(|revision| pb::Origin { revision, tags: tags.clone(), ..Mallory::own_word() }).collect();
    assert!(500 * tags.len() > STORED_FIELDS && Edit::read(offered(all)).is_err());
    // One origin each, under a name of its own, beside a past that each of them would carry along.
    let one = |(place, tag): (usize, &u32)| pb::Origin {
        revision: 900 + place as u64,
        tags: vec![*tag],
        stamp: at(place as u64).0,
        ..Mallory::own_word()
    };
    let past = pb::Superseded {
        origin: Some(pb::Origin { tags: vec![tags[0]], ..Mallory::own_word() }),
        message: unknown(tags[0], &[b'y'; 8_000]).bytes,
        ..pb::Superseded::default()
    };
    let mut change = offered(tags.iter().enumerate().map(one).collect());
    change.offer.as_mut().unwrap().history = vec![past; 100];
    let said = change.encoded_len();
    let outcomes = mallory.push(vec![change]);
    let answered: usize = outcomes.iter().map(Message::encoded_len).sum();
    assert!(answered < 2 * said, "{answered} bytes for {said}");
    assert_eq!(at_hub(&core, case).fields.iter().filter(|standing| standing.field.tag >= 9_000).count(), tags.len());
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}

#[test]
fn verdicts_that_are_asked_for_again_come_alone_and_count() {
    let dir = tempfile::tempdir().unwrap();
    let (core, node, case) = with_a_case(dir.path());
    let mut mallory = Mallory::at(&core);
    // A refusal has a text: many of them are much to say again.
    let refused = |nth: u64| change::write(case, number::RESIDENT, &[(unknown(9_000, b"x"), 0)], at(nth), "mallory");
    for batch in 0..40 {
        let first = batch * 25 + 1;
        let verdicts = mallory.push_from(first, (first..first + 25).map(refused).collect());
        assert_eq!(verdicts.len(), 1, "one answer a batch");
    }
    let verdicts = mallory.push_from(1, vec![refused(1)]);
    assert_eq!(verdicts.len(), 1, "those that were asked for, not all of them");
    assert_eq!((verdicts[0].first, verdicts[0].last), (1, 25));
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}

#[test]
fn a_finding_about_words_on_a_record_that_nobody_has_names_so_many_fields_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (core, node, _) = with_a_case(dir.path());
    let mut mallory = Mallory::at(&core);
    let id = RecordId([3; 16]);
    let entry = |from: u32| {
        let tags: Vec<u32> = (from..from + 500).collect();
        let mut message = Vec::new();
        for tag in &tags {
            put_bytes(*tag, b"x", &mut message);
        }
        pb::Superseded {
            origin: Some(pb::Origin { tags, stamp: at(u64::from(from)).0, ..Mallory::own_word() }),
            message: message.into(),
            ..pb::Superseded::default()
        }
    };
    let mut change =
        change::write(id, number::HARDSHIP_CASE, &[(day(hardship_case::EXIT_ON, DAY), 0)], at(2_000_000), "mallory");
    let history = (0..4).map(|nth| entry(9_000 + 500 * nth)).collect();
    change.offer = Some(pb::Offer { aside: true, history, ..pb::Offer::default() });
    mallory.push(vec![change]);
    let finding = &asked(&core, id)[0];
    assert_eq!(finding.tags.len(), CHANGE_FIELDS);
    let kept = core.view().prefix(Space::History, &id.0).count();
    assert_eq!(kept, 5, "all of the words stand in the history");
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}

#[test]
fn an_offer_with_nothing_in_it_lifts_no_quota() {
    let dir = tempfile::tempdir().unwrap();
    let (core, node, case) = with_a_case(dir.path());
    let mut mallory = Mallory::at(&core);
    let most = LimitPlan::default().history_bytes as usize;
    let mut refused = 0;
    for nth in 0..60 {
        let changes = (0..4).map(|part: u64| {
            let filler = [&(nth * 4 + part).to_be_bytes()[..], &vec![b'x'; 50_000]].concat();
            let mut change = change::write(
                case,
                number::HARDSHIP_CASE,
                &[(unknown(9_000, &filler), 0)],
                at(nth * 4 + part),
                "mallory",
            );
            (change.seen, change.offer) = (1 << 61, Some(pb::Offer::default()));
            change
        });
        let outcomes = mallory.push(changes.collect());
        refused += outcomes.iter().filter(|outcome| outcome.kind() == pb::OutcomeKind::Refused).count();
    }
    let held: usize = core.view().prefix(Space::History, &case.0).map(|row| row.unwrap().1.len()).sum();
    assert!(refused > 0 && (most..=2 * most).contains(&held), "{held} bytes, {refused} refused");
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}

#[test]
fn a_ruling_that_is_said_again_does_not_stand_over_a_later_word() {
    let dir = tempfile::tempdir().unwrap();
    let (core, node) = (hub(dir.path()), office(dir.path(), "node", community(), 900_000));
    let at_street = office(dir.path(), "street", street(), 2_000_000);
    let person = residents(&node, community(), 0..1)[0];
    both(&core, &at_street, &node);
    let tag = tag("phone");
    let phone = |core: &Core| books::shown(&at_hub(core, person), "phone");
    revise(&core, "Resident", Some(person), &[("phone", "13900000001")]);
    let ruled = at_hub(&core, person);
    let said = (Field { tag, bytes: ruled.bytes(tag).unwrap().clone() }, ruled.origin(tag).unwrap().clone());
    both(&core, &at_street, &node);
    save(&at_street, vec![crate::pair::phone(person, "13900000002")]);
    both(&core, &at_street, &node);
    assert_eq!(phone(&core), "13900000002", "who has seen it may say otherwise");
    let mut mallory = Mallory::at(&core);
    mallory.offers(person, number::RESIDENT, &[said], Vec::new());
    assert_eq!(phone(&core), "13900000002");
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}
