//! What was entered by a clock that was right stays of its day, though the computer's clock is wrong when it is sent.

use crate::pair::{
    assert_sound, at_hub, community, office, on, peer, people, phone, placement, residents, save, sync, tag, with_tree,
};
use std::sync::Arc;
use taizhang_hub::engine::FjallStore;
use taizhang_node::{
    config::Config,
    desk::{Desk, Draft},
    ledger::{Ledger, LedgerDesk},
    office::Office,
};
use taizhang_proto::{
    RecordId,
    date::Day,
    pb,
    register::{VERIFIED_ON, Value, number, registered_on},
    stamp::Stamp,
};
use taizhang_tests::{books::field, sim::copy_dir};

const DAY: u64 = 86_400_000;

#[test]
fn a_clock_that_went_wrong_over_night_dates_nothing_that_was_entered_before() {
    let right = 100 * DAY;
    for wrong in [300 * DAY, 0] {
        let dir = tempfile::tempdir().unwrap();
        let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, right));
        let own = peer("node", community());
        let node = office(dir.path(), "node", community(), right);
        let first = residents(&node, community(), 0..1)[0];
        sync(&core, &node, &own);
        let before = residents(&node, community(), 1..3);
        drop(node);

        let node = office(dir.path(), "node", community(), wrong);
        let after = residents(&node, community(), 3..4);
        save(&node, vec![Draft::new(first, number::RESIDENT).with(tag("name"), Value::Text("李四".into()))]);
        sync(&core, &node, &own);
        let stamped = |id: RecordId, field: &str| Stamp(at_hub(&core, id).origin(tag(field)).unwrap().stamp).millis();
        let days = |id: RecordId, field: &str| stamped(id, field).abs_diff(core.now() * 1_000) / DAY;
        assert_eq!(before.iter().map(|id| days(*id, "name")).collect::<Vec<_>>(), [0, 0], "{wrong}");
        assert_eq!((days(after[0], "name"), days(first, "name")), (0, 0), "{wrong}");
    }
}

#[test]
fn a_day_that_lies_ahead_by_one_of_two_clocks_costs_nobody_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let right = 100 * DAY;
    let hub_of = |clock: u64| with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, clock));
    let own = peer("node", community());
    let verified = |node: &Ledger, id: RecordId| {
        let form = Draft::new(id, number::RESIDENT).with(VERIFIED_ON, Value::Day(node.business_day()));
        save(node, vec![form]);
    };
    let core = hub_of(right);
    // An office three days ahead writes the day of an import as that of verification.
    let node = office(dir.path(), "node", community(), right + 3 * DAY);
    let person = residents(&node, community(), 0..1)[0];
    verified(&node, person);
    sync(&core, &node, &own);
    assert_eq!(node.refused().unwrap().len(), 0);
    assert!(at_hub(&core, person).day(VERIFIED_ON).is_some());
    drop(node);

    // Its clock, slow by days at the next start, takes nobody's verification for one to come.
    let node = office(dir.path(), "node", community(), right - 5 * DAY);
    save(&node, vec![phone(person, "13900000007")]);
    sync(&core, &node, &own);
    drop((core, node));

    // What a hub has let pass, and lost, it takes again, whatever it would say of it today.
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let node = office(dir.path(), "node", community(), right + 10 * DAY);
    let issue = Draft::new(LedgerDesk::new(&node).new_id(), number::ISSUE)
        .with(field(number::ISSUE, "title").tag, Value::Text("一".into()))
        .with(field(number::ISSUE, "raised_on").tag, Value::Day(node.business_day()));
    let issue_id = issue.id;
    save(&node, vec![issue]);
    let core = hub_of(right + 10 * DAY);
    sync(&core, &node, &own);
    at_hub(&core, issue_id);
    drop(core);
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let core = hub_of(right);
    sync(&core, &node, &own);
    assert_eq!(node.refused().unwrap().len(), 0);
    at_hub(&core, issue_id);
    at_hub(&core, person);
    assert_sound(&core, &node);
}

#[test]
fn who_was_registered_by_a_clock_that_ran_ahead_is_not_refused_for_the_day_that_it_filled_in() {
    let right = 400 * DAY;
    for wrong in [700 * DAY, 402 * DAY] {
        let dir = tempfile::tempdir().unwrap();
        let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, right));
        let own = peer("node", community());
        let node = office(dir.path(), "node", community(), wrong);
        let since = registered_on(number::RESIDENT).unwrap();
        let people = people(&node, community(), 0..2);
        let (filled, written) = (people[0].id, people[1].id);
        let (day, said) = (node.business_day(), core.today() - 40);
        let entered = |person: &Draft, day: Day| person.clone().with(since, Value::Day(day));
        save(&node, vec![entered(&people[0], day), entered(&people[1], said)]);
        // What is entered on top of it, by others, too, with a day of the clock, too; and what hangs on it.
        let by_another = vec![vec![phone(filled, "13900000001").with(VERIFIED_ON, Value::Day(day))]];
        assert!(LedgerDesk::new(&node).save(by_another, "王二").iter().all(Result::is_ok));
        save(&node, vec![phone(filled, "13900000002")]);
        let job = placement(&node, community(), filled);
        let job_id = job.id;
        save(&node, vec![job]);
        drop(node);

        let node = office(dir.path(), "node", community(), wrong);
        sync(&core, &node, &own);
        sync(&core, &node, &own);
        assert_eq!(node.refused().unwrap(), [], "{wrong}");
        let person = at_hub(&core, filled);
        assert_eq!(person.slice(tag("phone")), Some(&b"13900000002"[..]), "in the order in which it was entered");
        assert_eq!((person.day(since), person.day(VERIFIED_ON)), (Some(core.today()), Some(core.today())), "{wrong}");
        assert_eq!(person.origin(VERIFIED_ON).unwrap().by, "王二");
        assert_eq!(person.origin(tag("name")).unwrap().by, "clerk");
        assert_eq!(at_hub(&core, written).day(since), Some(said), "what somebody wrote stays, {wrong}");
        at_hub(&core, job_id);
        assert_eq!(node.view(filled).unwrap().unwrap().day(since), Some(core.today()));
        assert_eq!(node.pending(), 0);
        assert_sound(&core, &node);
    }
}

#[test]
fn what_a_wrong_clock_said_of_a_record_that_the_hub_has_stays_as_it_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, 400 * DAY));
    let own = peer("node", community());
    let node = office(dir.path(), "node", community(), 700 * DAY);
    let person = residents(&node, community(), 0..1)[0];
    // A day of death to come is the clerk's own word; so is a day that may be true, by whatever clock.
    let died = Draft::new(person, number::RESIDENT)
        .with(field(number::RESIDENT, "death_on").tag, Value::Day(node.business_day()));
    save(&node, vec![died, phone(person, "13900000001")]);
    sync(&core, &node, &own);
    assert_eq!(node.refused().unwrap().len(), 1);
    assert_eq!(at_hub(&core, person).slice(tag("phone")), Some(&b"13900000001"[..]));
    drop(node);
    let node = office(dir.path(), "node", community(), 300 * DAY);
    let since = registered_on(number::RESIDENT).unwrap();
    let (behind, day) = (people(&node, community(), 1..2).remove(0), node.business_day());
    let behind_id = behind.id;
    save(&node, vec![behind.with(since, Value::Day(day))]);
    // Of a record that stands, a registration to come is refused, and no other word of its form is said again over a later one.
    drop(node);
    let node = office(dir.path(), "node", community(), 700 * DAY);
    let form = phone(person, "13900000002").with(since, Value::Day(node.business_day()));
    save(&node, vec![form, phone(person, "13900000003")]);
    sync(&core, &node, &own);
    assert_eq!(at_hub(&core, behind_id).day(since), Some(day));
    assert_eq!(at_hub(&core, person).slice(tag("phone")), Some(&b"13900000003"[..]));
    assert_eq!(node.refused().unwrap().len(), 2);
}

#[test]
fn what_was_said_again_is_not_said_twice_by_a_store_that_was_older() {
    let dir = tempfile::tempdir().unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, 400 * DAY));
    let own = peer("node", community());
    let store = dir.path().join("node/store");
    let since = registered_on(number::RESIDENT).unwrap();
    let node = office(dir.path(), "node", community(), 700 * DAY);
    let person = people(&node, community(), 0..1).remove(0);
    let (id, day) = (person.id, node.business_day());
    save(&node, vec![person.with(since, Value::Day(day))]);
    drop(node);
    copy_dir(&store, &dir.path().join("older")).unwrap();
    let node = office(dir.path(), "node", community(), 700 * DAY);
    sync(&core, &node, &own);
    sync(&core, &node, &own);
    drop(node);
    // The journal has what the store has lost in a power cut; the clerk goes on before the line is back.
    std::fs::remove_dir_all(&store).unwrap();
    copy_dir(&dir.path().join("older"), &store).unwrap();
    let node = office(dir.path(), "node", community(), 400 * DAY);
    save(&node, vec![phone(id, "13712345678")]);
    sync(&core, &node, &own);
    sync(&core, &node, &own);
    assert_eq!(at_hub(&core, id).slice(tag("phone")), Some(&b"13712345678"[..]), "the clerk's is the later word");
    assert_eq!(node.refused().unwrap(), []);
    assert_sound(&core, &node);
}

#[test]
fn a_clock_that_is_behind_its_last_session_fills_in_no_day() {
    let dir = tempfile::tempdir().unwrap();
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, 400 * DAY));
    let open = |days: u64| {
        let config = Config { unit: Some(community()), ..Config::default() };
        let clock = Arc::new(move || 1_790_000_000_000 + days * DAY);
        Office::open(&dir.path().join("node"), &config, config.schedule().unwrap(), clock).unwrap()
    };
    let office = open(400);
    sync(&core, &office.ledger, &peer("node", community()));
    drop(office);
    let office = open(100);
    let entered = |since: &str| {
        let id_no = taizhang_tests::books::id_no(4_100, 1);
        let fields = [("name", "王一"), ("id_no", id_no.as_str()), ("registered_on", since)];
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest { register: "Resident".into(), fields, ..pb::SaveRequest::default() },
        )
    };
    let refused = entered("").unwrap_err();
    assert!(refused.to_string().contains("校对本机时钟") && refused.to_string().contains("registered_on"), "{refused}");
    entered("2026-11-01").unwrap();
}
