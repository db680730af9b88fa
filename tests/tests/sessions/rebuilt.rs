//! A hub that was restored or has lost its store is told again not only what stood, but who said so, when and where; and
//! what was entered on records that have left since.

use crate::pair::{
    assert_sound, at_hub, both, community, hub, merge, neighbour, office, on, peer, phone, residents, revise,
    revise_by, save, street, sync, tag, with_tree, write,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
};
use taizhang_hub::{
    engine::FjallStore,
    lineage::Lineage,
    store::{Space, View},
    writer::{Answer, Core, Job, Review},
};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
};
use taizhang_proto::{
    Record, RecordId,
    cell::home_unit,
    decide::HUB_NODE,
    pb::{self, Choice},
    register::{HOME_UNIT, MERGED_INTO, Value, number},
};
use taizhang_tests::sim::copy_dir;

use prost::Message;

/// Settles the first question about a record; its number.
fn settle(core: &Core, id: RecordId, choice: Choice, by: &str) -> u64 {
    let number = asked(core, id)[0].number;
    let request = pb::ResolveRequest {
        numbers: vec![number],
        choice: choice.into(),
        reason: "查户口簿".into(),
        by: by.into(),
        ..pb::ResolveRequest::default()
    };
    let Answer::Reviewed(answer) = write(core, Job::Review(Review::Resolve(request))).unwrap() else {
        panic!("another answer")
    };
    assert_eq!((answer.settled, answer.failed), (1, vec![]));
    number
}

/// What the hub has of a record's past.
fn past_of(core: &Core, id: RecordId) -> Vec<pb::Superseded> {
    let view = core.view();
    view.prefix(Space::History, &id.0).map(|row| pb::Superseded::decode(row.unwrap().1).unwrap()).collect()
}

/// A street's office and that of a community below it.
fn offices(dir: &Path) -> (Ledger, Ledger) {
    (office(dir, "street", street(), 950_000), office(dir, "node", community(), 900_000))
}

/// Somebody gives a resident a name.
fn named(ledger: &Ledger, by: &str, id: RecordId, name: &str) {
    save_as(ledger, by, Draft::new(id, number::RESIDENT).with(tag("name"), Value::Text(name.into())));
}

fn save_as(ledger: &Ledger, by: &str, draft: Draft) {
    for answer in LedgerDesk::new(ledger).save(vec![vec![draft]], by) {
        answer.unwrap();
    }
}

/// Who said what stands in each field, when and where, without the numbers that a rebuild gives anew.
type Words = BTreeMap<(RecordId, u32), (Vec<u8>, String, u64, u64, u64, bool, u64)>;

fn words(core: &Core) -> Words {
    let mut words = Words::new();
    for row in core.view().prefix(Space::Records, &[]) {
        let (id, bytes) = row.unwrap();
        let record = Record::decode(bytes).unwrap();
        for standing in &record.fields {
            let origin = &record.origins[standing.origin];
            let who = (
                standing.field.bytes.to_vec(),
                origin.by.clone(),
                origin.unit,
                origin.stamp,
                origin.received,
                origin.node == HUB_NODE,
                origin.told_by,
            );
            words.insert((RecordId::from_slice(&id).unwrap(), standing.field.tag), who);
        }
    }
    words
}

/// Record, value, rule, author, time, day received, who decided, why, and by whom word and ruling were told.
type Line = (Vec<u8>, Vec<u8>, String, String, u64, u64, String, String, [u64; 2]);

/// What no longer stands, with who said it, who decided and why.
fn history(view: &dyn View) -> Vec<Line> {
    let mut lines: Vec<_> = view
        .prefix(Space::History, &[])
        .map(|row| {
            let (key, bytes) = row.unwrap();
            let entry = pb::Superseded::decode(bytes).unwrap();
            let (origin, ruling) = (entry.origin.unwrap(), entry.ruling.unwrap_or_default());
            (
                key[..16].to_vec(),
                entry.message.to_vec(),
                entry.rule,
                origin.by,
                origin.stamp,
                origin.received,
                ruling.by,
                ruling.reason,
                [origin.told_by, ruling.told_by],
            )
        })
        .collect();
    lines.sort();
    lines
}

/// The hub on a new store, an hour later.
fn later(dir: &Path, secret: [u8; 32]) -> std::sync::Arc<Core> {
    let store = FjallStore::open(&dir.join("hub")).unwrap();
    with_tree(on(store, Some(secret), 4_600_000))
}

fn lose_store(dir: &Path) {
    std::fs::remove_dir_all(dir.join("hub")).unwrap();
}

#[test]
fn a_rebuilt_hub_shows_the_same_words_of_the_same_people_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let (at_street, node) = offices(dir.path());
    let (before, story, secret, people) = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..5);
        both(&core, &at_street, &node);
        save_as(&node, "clerk-1", phone(people[0], "13900000001"));
        both(&core, &at_street, &node);
        save_as(
            &node,
            "clerk-2",
            Draft::new(people[0], number::RESIDENT).with(tag("name"), Value::Text("王力".into())),
        );
        save_as(&at_street, "clerk-3", phone(people[1], "13900000003"));
        both(&core, &at_street, &node);
        save_as(&node, "clerk-2", phone(people[0], "13900000002"));
        write(&core, merge(people[2], people[3], false)).unwrap();
        both(&core, &at_street, &node);
        let view = core.view();
        (words(&core), history(view.as_ref()), core.lineage.secret(), people)
    };
    lose_store(dir.path());
    let core = later(dir.path(), secret);
    both(&core, &at_street, &node);
    let after = words(&core);
    for (key, was) in &before {
        assert_eq!(after.get(key), Some(was), "field {} of {}", key.1, key.0);
    }
    assert_eq!(after.len(), before.len());
    assert_eq!(history(core.view().as_ref()), story);
    let absorbed = at_hub(&core, people[3]);
    assert!(absorbed.bytes(MERGED_INTO).is_some(), "the merge stands");
    assert_sound(&core, &node);
    assert_sound(&core, &at_street);
}

#[test]
fn what_only_another_office_tells_is_marked_until_its_own_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (at_street, node) = offices(dir.path());
    let (secret, people) = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..2);
        both(&core, &at_street, &node);
        save_as(&at_street, "clerk-3", phone(people[1], "13900000003"));
        both(&core, &at_street, &node);
        (core.lineage.secret(), people)
    };
    lose_store(dir.path());
    let core = later(dir.path(), secret);
    let told = |core: &Core| at_hub(core, people[1]).origin(tag("phone")).cloned().unwrap();
    assert!(sync(&core, &node, &peer("node", community())).equal);
    let origin = told(&core);
    assert_eq!((origin.by.as_str(), origin.unit), ("clerk-3", street().number()));
    assert_eq!(origin.told_by, community().number(), "nobody vouches for it but who tells it");
    assert_eq!(at_hub(&core, people[0]).origin(tag("phone")).unwrap().told_by, 0, "its own word it vouches for");
    assert!(sync(&core, &node, &peer("node", community())).equal);
    let said_by = |id: RecordId| {
        let story = taizhang_node::office::history::story(&node, id).unwrap().unwrap();
        story.lines.into_iter().find(|line| line.stands && line.field == "phone").unwrap().office
    };
    assert!(said_by(people[1]).contains("未经核实"), "whoever reads it sees that: {}", said_by(people[1]));
    assert!(!said_by(people[0]).contains("未经核实"));
    assert!(sync(&core, &at_street, &peer("street", street())).equal);
    assert_eq!(told(&core).told_by, 0, "the street has said so itself");
    both(&core, &at_street, &node);
    assert_sound(&core, &node);
}

#[test]
fn what_was_entered_on_a_record_that_had_moved_away_outlives_the_hubs_disk() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (at_street, node) = offices(dir.path());
    let people = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..2);
        both(&core, &at_street, &node);
        save(
            &at_street,
            vec![Draft::new(people[0], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()))],
        );
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
        people
    };
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    {
        let core = hub(dir.path());
        // The community has not heard of the move; the street does not hear of the entry.
        save(&node, vec![phone(people[0], "13900000077")]);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        assert!(node.view(people[0]).unwrap().is_none(), "it has left");
        assert!(is_known(&core, people[0], "13900000077"));
    }
    lose_store(dir.path());
    copy_dir(&backup.path().join("hub"), &dir.path().join("hub")).unwrap();
    let core = hub(dir.path());
    assert!(!is_known(&core, people[0], "13900000077"), "the backup is older");
    both(&core, &at_street, &node);
    assert!(is_known(&core, people[0], "13900000077"), "its author's office has told it again");
    assert_eq!(node.refused().unwrap().len(), 0);
    assert_sound(&core, &node);
    assert_sound(&core, &at_street);
}

/// Whether a value stands in a record at the hub, or once did.
fn is_known(core: &Core, id: RecordId, value: &str) -> bool {
    let has = |bytes: &[u8]| bytes.windows(value.len()).any(|window| window == value.as_bytes());
    has(&at_hub(core, id).message()) || core.view().prefix(Space::History, &id.0).any(|row| has(&row.unwrap().1))
}

#[test]
fn a_retired_computer_stays_retired_when_an_old_backup_comes_back() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = office(dir.path(), "node", community(), 900_000);
    let stolen = office(dir.path(), "stolen", neighbour(), 910_000);
    {
        let core = hub(dir.path());
        assert!(sync(&core, &node, &peer("node", community())).equal);
        assert!(sync(&core, &stolen, &peer("stolen", neighbour())).equal);
    }
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    {
        let core = hub(dir.path());
        write(
            &core,
            Job::Retire { id: "stolen".into(), undo: false, decided: taizhang_hub::writer::Decided::default() },
        )
        .unwrap();
        assert!(sync(&core, &node, &peer("node", community())).equal);
        assert_eq!(sync(&core, &node, &peer("node", community())).round_trips, 1, "heard once, and quiet after it");
    }
    lose_store(dir.path());
    copy_dir(&backup.path().join("hub"), &dir.path().join("hub")).unwrap();
    let core = hub(dir.path());
    assert!(!core.is_retired("stolen"), "the backup does not know");
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert!(core.is_retired("stolen"), "an office has said so");
    assert!(core.older().unwrap().is_some(), "and nobody new is let in until somebody has looked");
    write(&core, Job::Confirm("王科长".into())).unwrap();
    assert_eq!(core.older().unwrap(), None);
    assert_eq!(sync(&core, &node, &peer("node", community())).round_trips, 1);
}

#[test]
fn who_was_retired_can_serve_again_when_the_hub_has_lost_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    let retire =
        |id: &str, undo| Job::Retire { id: id.into(), undo, decided: taizhang_hub::writer::Decided::default() };
    let secret = {
        let core = hub(dir.path());
        assert!(sync(&core, &office(dir.path(), "other", neighbour(), 910_000), &peer("other", neighbour())).equal);
        write(&core, retire("other", false)).unwrap();
        assert!(sync(&core, &node, &peer("node", community())).equal);
        core.lineage.secret()
    };
    lose_store(dir.path());
    let core = later(dir.path(), secret);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert!(core.is_retired("other"), "an office has said so");
    assert!(write(&core, retire("nobody", true)).is_err());
    write(&core, retire("other", true)).unwrap();
    assert!(!core.is_retired("other"));
    assert!(sync(&core, &office(dir.path(), "other", neighbour(), 910_000), &peer("other", neighbour())).equal);
}

#[test]
fn looking_begins_no_stretch_of_history() {
    let dir = tempfile::tempdir().unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    let kept = |core: &Core| Lineage::read(core.view().as_ref()).unwrap();
    let before = {
        let core = hub(dir.path());
        assert!(sync(&core, &node, &peer("node", community())).equal);
        kept(&core)
    };
    for _ in 0..3 {
        assert_eq!(kept(&hub(dir.path())), before, "as `status` does");
    }
    let core = hub(dir.path());
    assert_eq!(sync(&core, &node, &peer("node", community())).round_trips, 1);
    assert_ne!(kept(&core), before, "who is heard begins one");
}

#[test]
fn a_move_that_only_the_new_unit_still_holds_is_told_again_by_it() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at_street = office(dir.path(), "street", street(), 950_000);
    let next = office(dir.path(), "next", neighbour(), 900_000);
    let peer_next = peer("next", neighbour());
    let people = {
        let core = hub(dir.path());
        let people = residents(&at_street, community(), 0..2);
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
        assert!(sync(&core, &next, &peer_next).equal);
        people
    };
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    {
        let core = hub(dir.path());
        let moved = Draft::new(people[0], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()));
        save(&at_street, vec![moved]);
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
        assert!(sync(&core, &next, &peer_next).equal);
        assert!(next.view(people[0]).unwrap().is_some());
    }
    // The street's computer is gone, too.
    drop(at_street);
    lose_store(dir.path());
    copy_dir(&backup.path().join("hub"), &dir.path().join("hub")).unwrap();
    let core = hub(dir.path());
    assert!(sync(&core, &next, &peer_next).equal);
    assert_eq!(home_unit(&at_hub(&core, people[0])), Some(neighbour()));
    assert_eq!(next.refused().unwrap().len(), 0);
    assert_sound(&core, &next);
}

/// The open findings about a record.
fn asked(core: &Core, id: RecordId) -> Vec<pb::Conflict> {
    let view = core.view();
    let all = view.prefix(Space::Conflicts, &[]).map(|row| pb::Conflict::decode(row.unwrap().1).unwrap());
    all.filter(|one| one.state() == pb::ConflictState::Unsettled && one.record[..] == id.0).collect()
}

#[test]
fn words_on_a_record_that_nobody_tells_wait_at_the_hub_until_somebody_does() {
    let dir = tempfile::tempdir().unwrap();
    let at_street = office(dir.path(), "street", street(), 950_000);
    let node = office(dir.path(), "node", community(), 900_000);
    let next = office(dir.path(), "next", neighbour(), 920_000);
    let people = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..2);
        both(&core, &at_street, &node);
        save(&node, vec![phone(people[0], "13900000077")]);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        save(
            &at_street,
            vec![Draft::new(people[0], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()))],
        );
        both(&core, &at_street, &node);
        assert!(sync(&core, &next, &peer("next", neighbour())).equal);
        assert!(node.view(people[0]).unwrap().is_none(), "it has left");
        people
    };
    drop(at_street);
    lose_store(dir.path());
    let core = hub(dir.path());
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert_eq!(node.refused().unwrap().len(), 0, "the old unit has done nothing wrong");
    let history = core.view().prefix(Space::History, &people[0].0).count();
    assert!(history > 0, "its words are kept");
    assert!(core.view().get(Space::Records, &people[0].0).unwrap().is_none(), "and make no record");
    let open = asked(&core, people[0]);
    assert_eq!(open.len(), 1, "{open:?}");
    let mut checked = taizhang_hub::integrity::Checked::default();
    taizhang_hub::integrity::rest(core.view().as_ref(), &mut checked);
    assert_eq!(checked.problems, Vec::<String>::new());
    assert_sound(&core, &node);

    // Said again, nothing is kept twice.
    drop(core);
    lose_store(dir.path());
    let core = hub(dir.path());
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert_eq!(core.view().prefix(Space::History, &people[0].0).count(), history);

    assert!(sync(&core, &next, &peer("next", neighbour())).equal);
    assert!(is_known(&core, people[0], "13900000077"));
    assert_eq!(home_unit(&at_hub(&core, people[0])), Some(neighbour()));
    assert_eq!(asked(&core, people[0]), Vec::new(), "whoever has it has told it");
    assert_sound(&core, &next);
}

#[test]
fn what_was_cleared_on_a_record_that_had_left_is_kept_until_somebody_knows_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let at_street = office(dir.path(), "street", street(), 950_000);
    let node = office(dir.path(), "node", community(), 900_000);
    let next = office(dir.path(), "next", neighbour(), 920_000);
    let cleared = |core: &Core, id: RecordId| {
        past_of(core, id)
            .iter()
            .any(|entry| entry.said().iter().any(|field| field.tag == tag("phone") && field.bytes.is_empty()))
    };
    let people = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..2);
        both(&core, &at_street, &node);
        save(
            &at_street,
            vec![Draft::new(people[0], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()))],
        );
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
        assert!(sync(&core, &next, &peer("next", neighbour())).equal);
        let mut form = Draft::new(people[0], number::RESIDENT);
        form.edits.push((tag("phone"), None));
        save(&node, vec![form]);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        assert!(node.view(people[0]).unwrap().is_none(), "it has left");
        people
    };
    drop(at_street);
    lose_store(dir.path());
    let core = hub(dir.path());
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert!(cleared(&core, people[0]), "its word is kept");
    // The new unit's computer does not know of it: it had not called since.
    assert!(sync(&core, &next, &peer("next", neighbour())).equal);
    assert!(cleared(&core, people[0]), "it is dropped though nobody knows of it");
    assert_eq!(asked(&core, people[0]).len(), 1, "it is asked about");
    assert_sound(&core, &next);
}

#[test]
fn what_another_office_told_of_the_past_is_unmarked_once_its_own_says_so_and_stands_once() {
    let dir = tempfile::tempdir().unwrap();
    let (at_street, node) = offices(dir.path());
    let (secret, person) = {
        let core = hub(dir.path());
        let person = residents(&node, community(), 0..1)[0];
        both(&core, &at_street, &node);
        for (ledger, by, number) in [
            (&at_street, "clerk-3", "13900000003"),
            (&node, "clerk-1", "13900000001"),
            (&at_street, "clerk-3", "13900000004"),
        ] {
            save_as(ledger, by, phone(person, number));
            both(&core, &at_street, &node);
        }
        (core.lineage.secret(), person)
    };
    let past = |entries: Vec<pb::Superseded>| {
        let mut past: Vec<_> = entries.iter().map(|entry| (entry.word(), entry.unproven())).collect();
        past.sort_by_key(|(word, _)| format!("{word:?}"));
        past
    };
    let before = past(node.history(person).unwrap());
    assert!(before.len() > 2 && before.iter().all(|(_, unproven)| *unproven == 0), "{before:?}");
    let mut core = hub(dir.path());
    for _ in 0..2 {
        drop(core);
        lose_store(dir.path());
        core = later(dir.path(), secret);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        assert!(
            past_of(&core, person).iter().any(|entry| entry.unproven() > 0),
            "the street's word, told by the community"
        );
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
        both(&core, &at_street, &node);
        assert_eq!(past(past_of(&core, person)), before);
        for ledger in [&node, &at_street] {
            assert_eq!(past(ledger.history(person).unwrap()), before);
        }
    }
    assert_sound(&core, &node);
}

/// A new resident whom the community and its street call by two names, both of which the district has heard.
fn called_by_two_names(core: &Core, at_street: &Ledger, node: &Ledger, names: [&str; 2]) -> RecordId {
    let person = residents(node, community(), 0..1)[0];
    both(core, at_street, node);
    named(node, "clerk-1", person, names[0]);
    named(at_street, "clerk-3", person, names[1]);
    both(core, at_street, node);
    person
}

#[test]
fn what_was_ruled_is_known_and_not_asked_again_however_often_a_hub_loses_its_store() {
    for choice in [Choice::Keep, Choice::Take] {
        let dir = tempfile::tempdir().unwrap();
        let (at_street, node) = offices(dir.path());
        let (secret, person) = {
            let core = hub(dir.path());
            let person = called_by_two_names(&core, &at_street, &node, ["王一", "王二"]);
            let number = settle(&core, person, choice, "甲审");
            let reopened = pb::ReopenRequest { number, reason: "材料有误".into(), by: "甲审".into() };
            write(&core, Job::Review(Review::Reopen(reopened))).unwrap();
            both(&core, &at_street, &node);
            settle(&core, person, choice, "乙审");
            both(&core, &at_street, &node);
            // What the ruling had left standing is the past, too.
            named(&node, "clerk-1", person, "王三");
            both(&core, &at_street, &node);
            assert_eq!(asked(&core, person), []);
            (core.lineage.secret(), person)
        };
        let ruled = |core: &Core| {
            let past = past_of(core, person).into_iter().filter(|entry| entry.ruling.is_some());
            past.map(|entry| format!("{:?} {}", entry.word(), entry.unproven())).collect::<BTreeSet<_>>()
        };
        let said = |core: &Core| past_of(core, person).iter().map(pb::Superseded::word).collect::<HashSet<_>>();
        let mut core = hub(dir.path());
        let (before, all) = (ruled(&core), said(&core));
        assert!(["甲审", "乙审"].iter().all(|by| before.iter().any(|entry| entry.contains(by))), "{before:?}");
        for loss in 0..3 {
            drop(core);
            lose_store(dir.path());
            core = later(dir.path(), secret);
            both(&core, &at_street, &node);
            assert_eq!(asked(&core, person), [], "{choice:?}, loss {loss}");
            assert_eq!(ruled(&core), before, "{choice:?}, loss {loss}");
            assert_eq!(said(&core), all, "{choice:?}, loss {loss}");
        }
        assert_sound(&core, &node);
    }
}

#[test]
fn what_was_settled_after_a_loss_is_not_asked_again_when_its_author_calls() {
    for choice in [Choice::Keep, Choice::Take] {
        let dir = tempfile::tempdir().unwrap();
        let (at_street, node) = offices(dir.path());
        let (secret, person) = {
            let core = hub(dir.path());
            let person = called_by_two_names(&core, &at_street, &node, ["李一", "李二"]);
            assert_eq!(asked(&core, person).len(), 1);
            (core.lineage.secret(), person)
        };
        lose_store(dir.path());
        let core = later(dir.path(), secret);
        sync(&core, &node, &peer("node", community()));
        settle(&core, person, choice, "甲审");
        both(&core, &at_street, &node);
        assert_eq!(asked(&core, person), [], "{choice:?}");
        assert_sound(&core, &node);
    }
}

#[test]
fn what_two_reviewers_had_written_is_taken_by_each_question_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (_at_street, node) = offices(dir.path());
    let case = {
        let core = hub(dir.path());
        let home = community().to_string();
        let applied = [("home_unit", home.as_str()), ("stage", "1"), ("applied_on", "2026-05-01")];
        let case = revise(&core, "FecCase", None, &applied);
        revise(&core, "FecCase", Some(case), &[("publicity_from", "2026-05-10")]);
        revise_by("李科长", &core, "FecCase", Some(case), &[("publicity_to", "2026-05-20")]);
        sync(&core, &node, &peer("node", community()));
        case
    };
    // With the store its secret is gone, so nothing proves whose words they were.
    lose_store(dir.path());
    let core = later(dir.path(), [9; 32]);
    sync(&core, &node, &peer("node", community()));
    assert_eq!(asked(&core, case).len(), 2);
    while !asked(&core, case).is_empty() {
        settle(&core, case, Choice::Take, "甲审");
    }
    let field = |name: &str| taizhang_tests::books::field(number::FEC_CASE, name).tag;
    let stands = at_hub(&core, case);
    assert!(["publicity_from", "publicity_to"].iter().all(|name| stands.day(field(name)).is_some()));
}

#[test]
fn a_word_that_an_office_tells_of_another_is_claimed_in_the_name_of_who_said_it() {
    let dir = tempfile::tempdir().unwrap();
    let (at_street, node) = offices(dir.path());
    let (secret, person) = {
        let core = hub(dir.path());
        let person = residents(&node, community(), 0..1)[0];
        both(&core, &at_street, &node);
        named(&node, "clerk-1", person, "王一");
        both(&core, &at_street, &node);
        (core.lineage.secret(), person)
    };
    lose_store(dir.path());
    named(&node, "clerk-2", person, "王二");
    named(&at_street, "clerk-3", person, "王三");
    let core = later(dir.path(), secret);
    both(&core, &at_street, &node);
    let asked = asked(&core, person);
    let claims: Vec<(String, String, u64)> = asked
        .iter()
        .flat_map(|conflict| &conflict.claims)
        .map(|claim| {
            let origin = claim.origin.clone().unwrap_or_default();
            let name = claim.said().into_iter().find(|field| field.tag == tag("name")).map(|field| field.bytes);
            (String::from_utf8_lossy(&name.unwrap_or_default()).into_owned(), origin.by, origin.unit)
        })
        .collect();
    let by = |name: &str| claims.iter().filter(|(said, ..)| said.contains(name)).collect::<Vec<_>>();
    assert!(
        !by("王三").is_empty()
            && by("王三").iter().all(|(_, by, unit)| (by.as_str(), *unit) == ("clerk-3", street().number()))
    );
    assert!(!by("王一").is_empty(), "{claims:?}");
    for (_, who, unit) in by("王一") {
        assert_eq!((who.as_str(), *unit), ("clerk-1", community().number()), "{claims:?}");
    }
    assert_sound(&core, &node);
}

#[test]
fn of_two_fields_that_one_form_cleared_both_clears_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    let own = peer("node", community());
    let core = hub(dir.path());
    let person = residents(&node, community(), 0..1)[0];
    let form = |edits: &[(&str, Option<&str>)]| {
        let edits = edits.iter().map(|(name, value)| (tag(name), value.map(|value| Value::Text(value.into()))));
        Draft { edits: edits.collect(), ..Draft::new(person, number::RESIDENT) }
    };
    for form in [
        form(&[("address", Some("和平街8号"))]),
        form(&[("phone", None), ("address", None)]),
        form(&[("phone", Some("13900000001"))]),
        form(&[("address", Some("和平街9号"))]),
    ] {
        save(&node, vec![form]);
        sync(&core, &node, &own);
    }
    let clears = |core: &Core| {
        let said =
            past_of(core, person).into_iter().flat_map(|entry| entry.said()).filter(|field| field.bytes.is_empty());
        said.map(|field| field.tag).collect::<std::collections::BTreeSet<u32>>()
    };
    let before = clears(&core);
    assert_eq!(before, [tag("phone"), tag("address")].into());
    drop(core);
    lose_store(dir.path());
    let core = hub(dir.path());
    sync(&core, &node, &own);
    assert_eq!(clears(&core), before);
}

#[test]
fn a_clock_that_is_years_ahead_ends_no_word_early() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (at_street, node) = offices(dir.path());
    let people = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..2);
        both(&core, &at_street, &node);
        save(
            &at_street,
            vec![Draft::new(people[0], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()))],
        );
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
        people
    };
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    {
        let core = hub(dir.path());
        save(&node, vec![phone(people[0], "13900000077")]);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        assert!(node.view(people[0]).unwrap().is_none(), "it has left");
    }
    drop(node);
    let node = office(dir.path(), "node", community(), 5 * 365 * 86_400_000);
    lose_store(dir.path());
    copy_dir(&backup.path().join("hub"), &dir.path().join("hub")).unwrap();
    let core = hub(dir.path());
    both(&core, &at_street, &node);
    assert!(is_known(&core, people[0], "13900000077"), "its author's office has told it again");
}

#[test]
fn what_no_longer_stood_is_told_again_of_a_record_that_has_moved_away_meanwhile() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // What the community enters is later than the hand-over.
    let (at_street, node) =
        (office(dir.path(), "street", street(), 950_000), office(dir.path(), "node", community(), 1_100_000));
    let people = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..2);
        both(&core, &at_street, &node);
        people
    };
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    let comes_back = || {
        lose_store(dir.path());
        copy_dir(&backup.path().join("hub"), &dir.path().join("hub")).unwrap();
        hub(dir.path())
    };
    {
        // The street gives the record to another unit, and the hub loses that; the community, which never heard of it, goes on.
        let core = hub(dir.path());
        save(
            &at_street,
            vec![Draft::new(people[0], number::RESIDENT).with(HOME_UNIT, Value::Uint(neighbour().number()))],
        );
        assert!(sync(&core, &at_street, &peer("street", street())).equal);
    }
    {
        let core = comes_back();
        for said in ["13900000001", "13900000002"] {
            save(&node, vec![phone(people[0], said)]);
            assert!(sync(&core, &node, &peer("node", community())).equal);
        }
    }
    let core = comes_back();
    assert!(sync(&core, &at_street, &peer("street", street())).equal);
    both(&core, &at_street, &node);
    for said in ["13900000001", "13900000002"] {
        assert!(is_known(&core, people[0], said), "{said}");
    }
    assert_eq!(node.refused().unwrap().len(), 0);
    assert_sound(&core, &node);
    assert_sound(&core, &at_street);
}
