//! What comes back from an old backup: a district hub, which its offices tell again what it lost, and an office, which
//! hears again what became of what it had to say.

use crate::pair::{
    assert_sound, at_hub, both, broken_off, community, crossed, hub, merge, neighbour, office, peer, phone, placement,
    residents, save, session, street, sync, tag, write,
};
use std::path::Path;
use taizhang_hub::{
    review::{Query, open_conflicts},
    session::{Fault, Server},
    store::Space,
    writer::{Answer, Core, Job, Peer, Review, WriteError},
};
use taizhang_node::{desk::Draft, ledger::Ledger, upstream::Client};
use taizhang_proto::{
    RecordId,
    cell::home_unit,
    decide::HUB_NODE,
    pb::{self, Choice},
    register::{Value, number, registers},
};
use taizhang_tests::sim::copy_dir;

fn name_of(ledger: &Ledger, id: RecordId) -> String {
    String::from_utf8(ledger.view(id).unwrap().unwrap().slice(tag("name")).unwrap().to_vec()).unwrap()
}

fn open(core: &Core) -> Vec<pb::Conflict> {
    let query = Query::read(&pb::ConflictQuery::default(), core.now(), None).unwrap();
    open_conflicts(core, &query).unwrap().0
}

fn named(id: RecordId, name: &str) -> Draft {
    Draft::new(id, number::RESIDENT).with(tag("name"), Value::Text(name.into()))
}

fn rule(core: &Core, number: u64, choice: Choice) {
    let request = pb::ResolveRequest {
        numbers: vec![number],
        choice: choice.into(),
        reason: "查户口簿".into(),
        by: "reviewer".into(),
        despite: true,
        ..pb::ResolveRequest::default()
    };
    let Ok(Answer::Reviewed(answer)) = write(core, Job::Review(Review::Resolve(request))) else { panic!("answer") };
    assert_eq!((answer.settled, answer.failed), (1, vec![]));
}

fn restore(dir: &Path, backup: &Path) {
    std::fs::remove_dir_all(dir.join("hub")).unwrap();
    copy_dir(&backup.join("hub"), &dir.join("hub")).unwrap();
}

/// Whether a value of a field is in a record's history at the hub.
fn in_history(core: &Core, id: RecordId, value: &str) -> bool {
    core.view()
        .prefix(Space::History, &id.0)
        .any(|row| row.unwrap().1.windows(value.len()).any(|window| window == value.as_bytes()))
}

/// A street and a community that both hold five residents, and a backup of their hub.
struct Scene {
    dir: tempfile::TempDir,
    backup: tempfile::TempDir,
    street: Ledger,
    node: Ledger,
    people: Vec<RecordId>,
}

fn scene() -> Scene {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let street = office(dir.path(), "street", crate::pair::street(), 950_000);
    let node = office(dir.path(), "node", community(), 900_000);
    let people = {
        let core = hub(dir.path());
        let people = residents(&node, community(), 0..5);
        both(&core, &street, &node);
        people
    };
    copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
    Scene { dir, backup, street, node, people }
}

/// The same, where the street also holds a resident of another community.
fn scene_with_stranger() -> (Scene, RecordId) {
    let mut scene = scene();
    let stranger = {
        let core = hub(scene.dir.path());
        let stranger = residents(&scene.street, crate::pair::neighbour(), 30..31);
        both(&core, &scene.street, &scene.node);
        stranger[0]
    };
    scene.backup = tempfile::tempdir().unwrap();
    copy_dir(&scene.dir.path().join("hub"), &scene.backup.path().join("hub")).unwrap();
    (scene, stranger)
}

#[test]
fn a_restored_hub_is_told_again_what_was_entered_edited_and_ruled_since() {
    let Scene { dir, backup, street, node, people } = scene();
    let later = {
        let core = hub(dir.path());
        let later = residents(&node, community(), 10..13);
        save(&node, vec![phone(people[0], "13900000001"), named(people[1], "王力"), named(people[4], "赵一")]);
        save(&street, vec![phone(people[0], "13900000002"), named(people[1], "王立"), named(people[4], "赵二")]);
        both(&core, &street, &node);
        let about = |id: RecordId| open(&core).into_iter().find(|conflict| conflict.record[..] == id.0).unwrap();
        // One of the two disagreements is settled before the hub loses it, the other is still open.
        rule(&core, about(people[1]).number, Choice::Take);
        both(&core, &street, &node);
        later
    };
    let ruled = name_of(&node, people[1]);
    save(&node, vec![phone(people[2], "13900000009")]);

    restore(dir.path(), backup.path());
    let core = hub(dir.path());
    // The street comes first, with something new; the community has a change waiting from before.
    save(&street, vec![phone(people[3], "13900000003")]);
    assert!(sync(&core, &street, &peer("street", crate::pair::street())).equal);
    both(&core, &street, &node);

    for id in later {
        assert_eq!(at_hub(&core, id).changes, 1, "entered after the backup, taken in once");
    }
    assert_eq!(name_of(&node, people[1]), ruled, "the ruling stands");
    assert_eq!(name_of(&street, people[1]), ruled);
    let stands = at_hub(&core, people[1]);
    assert_eq!(stands.slice(tag("name")).unwrap(), ruled.as_bytes());
    for (id, value) in [(people[1], "王力"), (people[1], "王立"), (people[4], "赵一"), (people[4], "赵二")] {
        let current = at_hub(&core, id).slice(tag("name")) == Some(value.as_bytes());
        assert!(current || in_history(&core, id, value), "{value} is somewhere");
    }
    for value in ["13900000001", "13900000002"] {
        let current = at_hub(&core, people[0]).slice(tag("phone")) == Some(value.as_bytes());
        assert!(current || in_history(&core, people[0], value), "{value} is somewhere");
    }
    assert_eq!(at_hub(&core, people[2]).slice(tag("phone")).unwrap(), b"13900000009");
    assert_eq!(at_hub(&core, people[3]).slice(tag("phone")).unwrap(), b"13900000003");
    let still_open = open(&core);
    assert!(still_open.iter().any(|conflict| conflict.record[..] == people[4].0), "and so does the open question");
    assert_sound(&core, &node);
    assert_sound(&core, &street);
    assert_eq!(node.state().incidents, 1, "said as an incident: {}", node.state().last_incident);
}

#[test]
fn a_hub_restored_again_and_again_loses_nothing() {
    let Scene { dir, backup, street, node, people } = scene();
    let mut entered = Vec::new();
    for round in 0..3 {
        {
            let core = hub(dir.path());
            entered.extend(residents(&node, community(), 20 + round * 3..23 + round * 3));
            save(&street, vec![phone(people[round], &format!("1390000001{round}"))]);
            both(&core, &street, &node);
        }
        restore(dir.path(), backup.path());
        let core = hub(dir.path());
        both(&core, &street, &node);
        assert!(entered.iter().all(|id| at_hub(&core, *id).changes == 1), "round {round}");
        for (past, id) in people.iter().enumerate().take(round + 1) {
            let phone = at_hub(&core, *id).slice(tag("phone")).unwrap().to_vec();
            assert_eq!(phone, format!("1390000001{past}").as_bytes(), "round {round}");
        }
        assert_sound(&core, &node);
        assert_sound(&core, &street);
    }
}

#[test]
fn an_office_that_heard_nothing_that_is_lost_goes_on_as_before() {
    let Scene { dir, backup, street, node, people } = scene();
    {
        let core = hub(dir.path());
        save(&node, vec![phone(people[0], "13900000001")]);
        assert!(sync(&core, &node, &peer("node", community())).equal);
    }
    restore(dir.path(), backup.path());
    let core = hub(dir.path());
    // The hub gives the numbers that it lost out again before anybody tells it.
    save(&street, vec![phone(people[1], "13900000002")]);
    assert!(sync(&core, &street, &peer("street", crate::pair::street())).equal);
    assert_eq!(street.state().incidents, 0, "it has heard nothing that is lost");
    both(&core, &street, &node);
    assert_eq!(at_hub(&core, people[0]).slice(tag("phone")).unwrap(), b"13900000001");
    assert_eq!(at_hub(&core, people[1]).slice(tag("phone")).unwrap(), b"13900000002");
    assert_sound(&core, &node);
    assert_sound(&core, &street);
}

#[test]
fn what_an_office_says_is_the_districts_word_only_with_the_districts_seal() {
    let Scene { dir, backup, street, node, .. } = scene();
    let def = registers().get(number::FEC_CASE).unwrap();
    let field = |name: &str| def.field_named(name).unwrap().tag;
    let case = taizhang_node::desk::Desk::new_id(&taizhang_node::ledger::LedgerDesk::new(&node));
    let applied = Value::Day(taizhang_proto::date::ymd(2008, 1, 8).unwrap());
    {
        let core = hub(dir.path());
        save(
            &node,
            vec![
                Draft::new(case, number::FEC_CASE)
                    .with(field("stage"), Value::Text("5".into()))
                    .with(field("applied_on"), applied.clone())
                    .with(field("certified_on"), Value::Day(13_900)),
            ],
        );
        both(&core, &street, &node);
        assert_eq!(
            at_hub(&core, case).slice(field("stage")),
            Some(&b"1"[..]),
            "an application until the district has decided"
        );
        let claim = open(&core).into_iter().find(|conflict| conflict.record[..] == case.0).unwrap();
        rule(&core, claim.number, Choice::Take);
        both(&core, &street, &node);
        assert_eq!(at_hub(&core, case).slice(field("stage")), Some(&b"5"[..]));
    }
    for round in 0..3 {
        restore(dir.path(), backup.path());
        let core = hub(dir.path());
        both(&core, &street, &node);
        let stands = at_hub(&core, case);
        let stage = field("stage");
        assert_eq!(stands.slice(stage), Some(&b"5"[..]), "certified as before, without a new decision, round {round}");
        let origin = stands.origin(stage).unwrap();
        assert_eq!((origin.node, origin.by.as_str()), (HUB_NODE, "reviewer"), "the reviewer's word, round {round}");
        assert!(open(&core).is_empty(), "{:?}", open(&core));
        assert_sound(&core, &node);
        assert_sound(&core, &street);
    }
}

#[test]
fn a_reference_that_a_wider_office_made_is_told_again_by_a_narrower_one() {
    let (Scene { dir, backup, street, node, .. }, stranger) = scene_with_stranger();
    let draft = placement(&street, community(), stranger);
    let placement = draft.id;
    {
        let core = hub(dir.path());
        save(&street, vec![draft]);
        both(&core, &street, &node);
        assert!(node.view(placement).unwrap().is_some());
    }
    for _ in 0..2 {
        restore(dir.path(), backup.path());
        let core = hub(dir.path());
        // The community tells first of a placement whose person it does not know.
        both(&core, &street, &node);
        assert!(node.refused().unwrap().is_empty(), "{:?}", node.refused().unwrap());
        let person = registers().get(number::PLACEMENT).unwrap().field_named("person").unwrap().tag;
        assert!(at_hub(&core, placement).slice(person).is_some());
        assert_sound(&core, &node);
        assert_sound(&core, &street);
    }
}

#[test]
fn a_change_that_was_refused_is_refused_again_to_a_backup_in_which_it_waits() {
    let Scene { dir, street, node, people, .. } = scene();
    let core = hub(dir.path());
    let abroad = residents(&street, crate::pair::neighbour(), 30..31);
    assert!(sync(&core, &street, &peer("street", crate::pair::street())).equal);
    // The office can't know that the person is not its own; the hub does.
    save(&node, vec![placement(&node, community(), abroad[0]), phone(people[0], "13900000001")]);
    drop(node);
    let old = tempfile::tempdir().unwrap();
    copy_dir(&dir.path().join("node"), &old.path().join("node")).unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert_eq!(node.refused().unwrap().len(), 1);
    // Greeted once more, the hub knows that the office has its answers on disk.
    save(&node, vec![phone(people[1], "13900000002")]);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    drop(node);

    let node = office(old.path(), "node", community(), 900_000);
    assert!(node.refused().unwrap().is_empty());
    both(&core, &street, &node);
    let refused = node.refused().unwrap();
    assert_eq!(refused.len(), 1, "what the district never took is kept by its office");
    assert_eq!(refused[0].1.why.as_ref().unwrap().rule, "scope");
    assert_eq!(at_hub(&core, people[0]).slice(tag("phone")).unwrap(), b"13900000001");
    assert_eq!(at_hub(&core, people[1]).slice(tag("phone")).unwrap(), b"13900000002");
    assert_sound(&core, &node);
}

#[test]
fn a_merge_with_a_record_of_another_office_is_told_again_to_a_restored_hub() {
    let (Scene { dir, backup, street, node, people }, stranger) = scene_with_stranger();
    {
        let core = hub(dir.path());
        let Ok(Answer::Reviewed(answer)) = write(&core, merge(stranger, people[0], false)) else { panic!("answer") };
        assert!(answer.failed.is_empty(), "{:?}", answer.failed);
        both(&core, &street, &node);
    }
    restore(dir.path(), backup.path());
    let core = hub(dir.path());
    // The street holds the survivor, the community the one that was absorbed, and only the hub may say so.
    both(&core, &street, &node);
    assert!(taizhang_proto::cell::merged_into(&at_hub(&core, people[0])).is_some(), "the merge was refused");
    assert!(node.refused().unwrap().is_empty());
    assert_sound(&core, &node);
    assert_sound(&core, &street);
}

#[test]
fn a_household_that_closed_while_somebody_joined_it_is_told_again_by_one_office() {
    let Scene { dir, backup, street, node, people } = scene();
    let desk = taizhang_node::ledger::LedgerDesk::new(&node);
    let field = |register: u32, name: &str| registers().get(register).unwrap().field_named(name).unwrap().tag;
    let household = taizhang_node::desk::Desk::new_id(&desk);
    let member = taizhang_node::desk::Desk::new_id(&desk);
    let home = Value::Uint(community().number());
    {
        let core = hub(dir.path());
        let draft = Draft::new(household, number::HOUSEHOLD)
            .with(1, home.clone())
            .with(field(number::HOUSEHOLD, "head_person"), Value::Ref(people[0]))
            .with(field(number::HOUSEHOLD, "status"), Value::Text("1".into()));
        save(&node, vec![draft]);
        both(&core, &street, &node);
        // The street closes it while the community enters a member.
        let closing = Draft::new(household, number::HOUSEHOLD)
            .with(field(number::HOUSEHOLD, "status"), Value::Text("4".into()))
            .with(field(number::HOUSEHOLD, "closed_on"), Value::Day(14_000))
            .with(field(number::HOUSEHOLD, "closed_reason"), Value::Text("1".into()));
        save(&street, vec![closing]);
        assert!(sync(&core, &street, &peer("street", crate::pair::street())).equal);
        let draft = Draft::new(member, number::MEMBER)
            .with(1, home)
            .with(field(number::MEMBER, "household"), Value::Ref(household))
            .with(field(number::MEMBER, "person"), Value::Ref(people[0]))
            .with(field(number::MEMBER, "relation"), Value::Text("02".into()))
            .with(field(number::MEMBER, "from_on"), Value::Day(13_900));
        save(&node, vec![draft]);
        both(&core, &street, &node);
    }
    restore(dir.path(), backup.path());
    let core = hub(dir.path());
    both(&core, &street, &node);
    assert!(node.refused().unwrap().is_empty(), "{:?}", node.refused().unwrap());
    assert!(at_hub(&core, member).slice(field(number::MEMBER, "household")).is_some());
    let status = field(number::HOUSEHOLD, "status");
    let closed = at_hub(&core, household).slice(status) == Some(b"4") || in_history(&core, household, "\u{1}4");
    assert!(closed, "what the street entered is kept");
    assert_sound(&core, &node);
    assert_sound(&core, &street);
}

/// What a hub does about a greeting that was on its way for long.
fn late_hello(hello: &pb::Up, peer: &Peer) -> Job {
    Server::new(peer.clone()).receive(hello.clone()).unwrap().unwrap()
}

#[test]
fn an_old_sessions_greeting_that_comes_late_does_not_pass_new_changes_off_as_known() {
    let Scene { dir, backup, street, node, people } = scene();
    let me = peer("node", community());
    {
        let core = hub(dir.path());
        save(&node, vec![phone(people[0], "13900000001")]);
        both(&core, &street, &node);
    }
    restore(dir.path(), backup.path());
    let core = hub(dir.path());
    let old = Client::new(&node, false).open().unwrap();
    assert!(session(&core, &node, &me).is_none(), "it goes on under a new log");
    save(&node, vec![phone(people[1], "13900000002")]);

    let (mut client, mut server) = (Client::new(&node, false), Server::new(me.clone()));
    let hello = client.open().unwrap();
    let job = server.receive(hello).unwrap().unwrap();
    let welcome = server.answered(&core, write(&core, job).unwrap()).unwrap();
    write(&core, late_hello(&old, &me)).unwrap();
    for message in welcome {
        client.receive(message).unwrap();
    }
    let mut refused = 0;
    while let Some(message) = client.poll().unwrap() {
        if let Some(job @ Job::Push { .. }) = server.receive(message).unwrap() {
            assert!(matches!(write(&core, job), Err(WriteError::Superseded)));
            refused += 1;
        }
    }
    assert!(refused > 0, "nothing was pushed");
    // Nor may the old log's numbers be said in this session.
    let mut other = Server::new(me.clone());
    let (hello, done) =
        (Client::new(&node, false).open().unwrap(), pb::Up { it: Some(pb::up::It::Done(pb::PushDone {})) });
    let job = other.receive(hello).unwrap().unwrap();
    other.answered(&core, write(&core, job).unwrap()).unwrap();
    other.receive(done).unwrap();
    write(&core, late_hello(&old, &me)).unwrap();
    let ended = loop {
        match other.pull(&core) {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert!(matches!(ended, Err(Fault::Write(WriteError::Superseded))), "{ended:?}");
    drop(client);
    both(&core, &street, &node);
    for (id, value) in [(people[0], b"13900000001"), (people[1], b"13900000002")] {
        assert_eq!(at_hub(&core, id).slice(tag("phone")).unwrap(), value);
    }
    assert_sound(&core, &node);
}

#[test]
fn what_is_said_of_somebody_who_moved_away_unheard_follows_them() {
    let Scene { dir, street, node, people, .. } = scene();
    let core = hub(dir.path());
    let moved = Draft::new(people[0], number::RESIDENT).with(1, Value::Uint(crate::pair::neighbour().number()));
    save(&street, vec![moved]);
    assert!(sync(&core, &street, &peer("street", crate::pair::street())).equal);
    let draft = placement(&node, community(), people[0]);
    let early = draft.id;
    save(&node, vec![draft]);
    both(&core, &street, &node);
    assert!(node.refused().unwrap().is_empty(), "{:?}", node.refused().unwrap());
    assert_eq!(home_unit(&at_hub(&core, early)), Some(crate::pair::neighbour()));
    assert!(node.view(early).unwrap().is_none(), "it is the new unit's now");
    assert!(street.view(early).unwrap().is_some());
    // Now that the office has heard, it may not.
    save(&node, vec![placement(&node, community(), people[0])]);
    both(&core, &street, &node);
    assert_eq!(node.refused().unwrap().len(), 1);
    assert_sound(&core, &node);
    assert_sound(&core, &street);
}

#[test]
fn an_office_that_was_about_to_pull_everything_tells_a_restored_hub_what_it_holds() {
    let Scene { dir, street, node, .. } = scene();
    let backup = tempfile::tempdir().unwrap();
    let me = peer("node", community());
    let (old, entered) = {
        let core = hub(dir.path());
        both(&core, &street, &node);
        // The hub runs on after the backup, so nothing but its numbers tells that some are lost.
        copy_dir(&dir.path().join("hub"), &backup.path().join("hub")).unwrap();
        let entered = residents(&node, community(), 10..12);
        assert!(sync(&core, &node, &me).equal);
        drop(node);
        let old = tempfile::tempdir().unwrap();
        copy_dir(&dir.path().join("node"), &old.path().join("node")).unwrap();
        let node = office(dir.path(), "node", community(), 900_000);
        residents(&node, community(), 12..13);
        assert!(sync(&core, &node, &me).equal);
        drop(node);
        // The office comes from its backup; before it can pull again, so does the hub.
        let node = office(old.path(), "node", community(), 900_000);
        assert!(session(&core, &node, &me).is_none());
        assert!(node.state().rebuild);
        (old, entered)
    };
    let node = office(old.path(), "node", community(), 900_000);
    restore(dir.path(), backup.path());
    let core = hub(dir.path());
    both(&core, &street, &node);
    for id in entered {
        assert!(at_hub(&core, id).slice(tag("id_no")).is_some());
    }
    assert_sound(&core, &node);
    assert_sound(&core, &street);
}

#[test]
fn a_verdict_that_is_repeated_after_its_record_left_brings_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let at_street = office(dir.path(), "street", street(), 950_000);
    let node = office(dir.path(), "node", community(), 900_000);
    let own = peer("node", community());
    let people = residents(&node, community(), 0..2);
    sync(&core, &node, &own);
    sync(&core, &at_street, &peer("street", street()));
    save(&at_street, vec![Draft::new(people[0], number::RESIDENT).with(1, Value::Uint(neighbour().number()))]);
    sync(&core, &at_street, &peer("street", street()));
    // The community has not heard of the move. What it enters moves along.
    save(&node, vec![placement(&node, community(), people[0])]);

    // Its line breaks while the batch is on its way; it calls again, and the batch arrives after that call's greeting.
    let on_its_way = broken_off(&core, &node, &own);
    let report = crossed(&core, &node, &own, false, on_its_way);
    assert!(report.equal, "{report:?}");
    assert_eq!((report.repaired, node.refused().unwrap().len()), (0, 0));
    assert_eq!(node.own_words().unwrap().len(), 2, "what it entered on what has left");
    assert_sound(&core, &node);
}

#[test]
fn what_a_lost_store_has_only_in_its_journal_stays_until_everything_was_pulled() {
    let dir = tempfile::tempdir().unwrap();
    let own = peer("node", community());
    // Says everything up to a message of the hub, and breaks off.
    let until = |core: &Core, node: &Ledger, last: fn(&pb::Down) -> bool| {
        let (mut server, mut client) = (Server::new(own.clone()), Client::new(node, false));
        let mut up = std::collections::VecDeque::from([client.open().unwrap()]);
        while let Some(message) = up.pop_front() {
            let Some(job) = server.receive(message).unwrap() else { continue };
            for message in server.answered(core, write(core, job).unwrap()).unwrap() {
                let is_last = last(&message);
                client.receive(message).unwrap();
                if is_last {
                    return;
                }
            }
            while let Some(message) = client.poll().unwrap() {
                up.push_back(message);
            }
        }
    };
    let people = {
        let core = hub(dir.path());
        let node = office(dir.path(), "node", community(), 900_000);
        let mut people = residents(&node, community(), 0..1);
        sync(&core, &node, &own);
        people.extend(residents(&node, community(), 1..2));
        // The second is on the hub's disk; its answer gets lost.
        until(&core, &node, |_| false);
        drop(node);
        std::fs::remove_dir_all(dir.path().join("node/store")).unwrap();
        let node = office(dir.path(), "node", community(), 900_000);
        until(&core, &node, |message| matches!(message.it, Some(pb::down::It::Verdicts(_))));
        people
    };
    // And now the hub's store is lost, too.
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 900_000);
    sync(&core, &node, &own);
    for person in people {
        assert!(core.view().get(Space::Records, &person.0).unwrap().is_some(), "{person}");
    }
    assert_sound(&core, &node);
}
