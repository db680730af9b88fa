//! What a hub did not take stays with its words at the office, first on the list of what is to be done, until the clerk has
//! mended it or let it go; and it holds up nothing.

use crate::{
    forged::Mallory,
    pair::{
        assert_sound, at_hub, broken_off, community, crossed, hub, office, peer, people, phone, placement, residents,
        save, street, sync, tag,
    },
};
use std::{collections::HashMap, path::Path, sync::Arc};
use taizhang_hub::{engine::FjallStore, store::Space, writer::Core};
use taizhang_node::{
    config::Config,
    desk::Draft,
    ledger::Ledger,
    office::{Office, history},
};
use taizhang_proto::{
    RecordId, change,
    pb::{self, HistoryLine},
    register::{VERIFIED_ON, Value, number},
    stamp::Stamp,
    wire::Field,
};
use taizhang_tests::books::{self, field};

/// An office a hundred days ahead of its hub.
fn ahead(dir: &Path) -> Arc<Office> {
    let config = Config { unit: Some(community()), ..Config::default() };
    let (schedule, now) = (config.schedule().unwrap(), std::sync::atomic::AtomicU64::new(1_798_640_000_000));
    let clock = Arc::new(move || now.fetch_add(7, std::sync::atomic::Ordering::Relaxed));
    Office::open(&dir.join("node"), &config, schedule, clock).unwrap()
}

/// A job that begins on a day that has not come at the hub.
fn too_early(core: &Core, ledger: &Ledger, person: RecordId) -> Draft {
    let start = field(number::PLACEMENT, "start_on").tag;
    let mut draft = placement(ledger, community(), person);
    draft.edits.retain(|(tag, _)| *tag != start);
    draft.with(start, Value::Day(core.today() + 50))
}

fn refused_lines(office: &Office, id: RecordId) -> Vec<HistoryLine> {
    let story = history::story(&office.ledger, id).unwrap().expect("its words can be read");
    story.lines.into_iter().filter(|line| line.rule.contains("refused")).collect()
}

fn again(numbers: &[String], fields: &[(&str, &str)]) -> pb::ResendRequest {
    let fields: HashMap<String, String> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pb::ResendRequest { numbers: numbers.to_vec(), fields, by: "李会计".into() }
}

#[test]
fn what_was_refused_is_mended_and_sent_again_or_let_go_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = peer("node", community());
    let mut office = ahead(dir.path());
    let people = residents(&office.ledger, community(), 0..3);
    let drafts = [0, 1].map(|nth| too_early(&core, &office.ledger, people[nth]));
    let jobs: Vec<RecordId> = drafts.iter().map(|draft| draft.id).collect();
    save(&office.ledger, drafts.to_vec());
    save(&office.ledger, vec![phone(people[2], "13900000000")]);
    sync(&core, &office.ledger, &node);
    let behind = at_hub(&core, people[2]);
    assert_eq!(behind.slice(tag("phone")).unwrap(), b"13900000000", "what came after them was not held up");

    let items = office.refused(false).unwrap();
    assert_eq!(items.len(), 2);
    let why = items[0].why.clone().unwrap();
    assert_eq!((why.field.as_str(), items[0].title.as_str(), items[0].by.as_str()), ("start_on", "张三", "clerk"));
    assert_eq!(items[0].since, core.now(), "by the hub's clock");
    assert!(items[0].fields.iter().any(|fact| fact.key == "person" && fact.value.contains("张三")));
    let listed = office.work(&pb::DueRequest::default()).unwrap().items;
    assert!(listed[..2].iter().all(|item| item.clock == "refused"), "{listed:?}");
    assert!(refused_lines(&office, jobs[0]).iter().any(|line| line.field == "start_on" && line.decided_by.is_empty()));

    // It outlives a start, and a store that is lost.
    drop(office);
    std::fs::remove_dir_all(dir.path().join("node/store")).unwrap();
    office = ahead(dir.path());
    assert_eq!(office.refused(false).unwrap().len(), 2, "from the journal alone");
    sync(&core, &office.ledger, &node);
    assert_eq!(office.refused(false).unwrap(), items);

    let numbers: Vec<String> = items.iter().map(|item| item.number.clone()).collect();
    let mended = "2026-09-01";
    office.resend(&office.clerk("").unwrap(), &again(&numbers, &[("no_such_field", "1")])).unwrap_err();
    office.resend(&office.clerk("").unwrap(), &again(&["99".into()], &[("start_on", mended)])).unwrap_err();
    assert_eq!(office.refused(false).unwrap().len(), 2, "nothing was done by halves");
    let steps = office.resend(&office.clerk("").unwrap(), &again(&numbers[..1], &[("start_on", mended)])).unwrap();
    assert_eq!((steps[0].error.as_str(), steps.len()), ("", 1));
    assert_eq!(office.refused(false).unwrap().len(), 1);
    sync(&core, &office.ledger, &node);
    assert!(at_hub(&core, jobs[0]).bytes(field(number::PLACEMENT, "start_on").tag).is_some());
    assert_eq!(office.refused(false).unwrap().len(), 1, "the mended one was taken");

    let mut request = pb::LetGoRequest { numbers: numbers[1..].to_vec(), by: "李会计".into(), ..Default::default() };
    office.let_go(&office.clerk(&request.by).unwrap(), &request).unwrap_err();
    request.reason = "此人未上岗".into();
    office.let_go(&office.clerk(&request.by).unwrap(), &request).unwrap();
    office.let_go(&office.clerk(&request.by).unwrap(), &request).unwrap_err();
    let ended = |office: &Office| {
        assert!(office.refused(false).unwrap().is_empty());
        let lines = refused_lines(office, jobs[1]);
        assert!(lines.iter().any(|line| line.decided_by == "李会计" && line.reason.contains("此人未上岗")));
        assert_eq!(office.refused(true).unwrap().len(), 2);
    };
    ended(&office);
    drop(office);
    std::fs::remove_dir_all(dir.path().join("node/store")).unwrap();
    office = ahead(dir.path());
    ended(&office);
    sync(&core, &office.ledger, &node);
    ended(&office);
    assert!(core.view().get(Space::Records, &jobs[1].0).unwrap().is_none());
    assert_sound(&core, &office.ledger);
}

#[test]
fn who_was_refused_at_once_is_found_by_name_with_what_was_entered_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let office = ahead(dir.path());
    let since = taizhang_proto::register::registered_on(number::RESIDENT).unwrap();
    let mut new = people(&office.ledger, community(), 7..8).remove(0);
    new.edits.retain(|(tag, _)| *tag != since);
    let id = new.id;
    let word = |wanted: &str| {
        let own = new.edits.iter().find(|(own, _)| *own == tag(wanted));
        let Some((_, Some(Value::Text(own)))) = own else { panic!("{wanted}") };
        own.clone()
    };
    let (name, id_no) = (word("name"), word("id_no"));
    save(&office.ledger, vec![new.with(since, Value::Day(core.today() + 50))]);
    save(&office.ledger, vec![phone(id, "13900000007")]);
    sync(&core, &office.ledger, &peer("node", community()));
    assert!(core.view().get(Space::Records, &id.0).unwrap().is_none());
    for written in [name, id_no, "13900000007".to_owned()] {
        let found = office.refused_as(&written).unwrap();
        assert!(!found.is_empty() && found.iter().all(|one| one.record == id && one.waits), "{written}: {found:?}");
    }
    assert_eq!(office.refused_as("没有此人").unwrap(), []);
    // What was entered on top of it is told with it, and waits like it.
    let lines = refused_lines(&office, id);
    assert!(["registered_on", "phone"].iter().all(|field| lines.iter().any(|line| line.field == *field)), "{lines:?}");
    let rules: Vec<String> =
        office.refused(false).unwrap().into_iter().map(|item| item.why.unwrap_or_default().rule).collect();
    assert_eq!(rules[1], "unknown", "not for what the registration said: {rules:?}");
    assert_eq!(rules.len(), 2);
    assert_sound(&core, &office.ledger);
}

#[test]
fn a_day_that_a_clock_filled_in_is_no_fault_of_what_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = peer("node", community());
    let early = ahead(dir.path());
    let people = residents(&early.ledger, community(), 0..1);
    // The job began on a day that is still to come, too: this the clerk has to mend.
    let job = too_early(&core, &early.ledger, people[0]).with(VERIFIED_ON, Value::Day(early.ledger.business_day()));
    let id = job.id;
    save(&early.ledger, vec![job]);
    sync(&core, &early.ledger, &node);
    assert_eq!(early.refused(false).unwrap().len(), 1);
    drop(early);
    let config = Config { unit: Some(community()), ..Config::default() };
    let right = core.now() * 1_000;
    let office =
        Office::open(&dir.path().join("node"), &config, config.schedule().unwrap(), Arc::new(move || right)).unwrap();
    let steps = office.resend(&office.clerk("").unwrap(), &again(&[], &[("start_on", "2026-09-01")])).unwrap();
    assert_eq!((steps[0].error.as_str(), steps.len()), ("", 1));
    sync(&core, &office.ledger, &node);
    assert!(office.refused(false).unwrap().is_empty());
    assert_eq!(at_hub(&core, id).day(VERIFIED_ON), Some(core.today()));
}

#[test]
fn what_is_refused_while_a_lost_store_is_filled_again_is_listed() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = peer("node", community());
    let mut office = ahead(dir.path());
    let people = residents(&office.ledger, community(), 0..2);
    let job = too_early(&core, &office.ledger, people[0]);
    save(&office.ledger, vec![job.clone()]);
    let on_its_way = broken_off(&core, &office.ledger, &node);
    drop(office);
    std::fs::remove_dir_all(dir.path().join("node/store")).unwrap();
    office = ahead(dir.path());
    residents(&office.ledger, community(), 2..3);
    let report = crossed(&core, &office.ledger, &node, true, on_its_way);
    assert!(report.equal, "{report:?}");
    let refused = office.refused(false).unwrap();
    assert_eq!(refused.len(), 1, "the clerk was told that it is saved");
    assert_eq!(refused[0].why.as_ref().map(|why| why.field.as_str()), Some("start_on"));
    assert_sound(&core, &office.ledger);
}

#[test]
fn an_end_outlives_a_new_incarnation() {
    let dir = tempfile::tempdir().unwrap();
    let office = ahead(dir.path());
    {
        let core = hub(dir.path());
        let people = residents(&office.ledger, community(), 0..2);
        let drafts = people.iter().map(|person| too_early(&core, &office.ledger, *person)).collect();
        save(&office.ledger, drafts);
        sync(&core, &office.ledger, &peer("node", community()));
    }
    let first = office.refused(false).unwrap().remove(0).number;
    let request = pb::LetGoRequest { numbers: vec![first], reason: "重复".into(), ..Default::default() };
    office.let_go(&office.clerk(&request.by).unwrap(), &request).unwrap();
    // Another hub, which knows nothing of this log: the office goes on under a new one.
    std::fs::remove_dir_all(dir.path().join("hub")).unwrap();
    let store = FjallStore::open(&dir.path().join("other")).unwrap();
    let core = crate::pair::with_tree(crate::pair::on(store, None, 2_000_000));
    sync(&core, &office.ledger, &peer("node", community()));
    let open = office.refused(false).unwrap();
    assert_eq!((open.len(), office.refused(true).unwrap().len()), (1, 2));
    assert!(open[0].number.starts_with('b'), "{}", open[0].number);
    let steps = office
        .resend(&office.clerk("").unwrap(), &again(&[open[0].number.clone()], &[("start_on", "2026-09-01")]))
        .unwrap();
    assert_eq!(steps[0].error, "");
    sync(&core, &office.ledger, &peer("node", community()));
    assert!(office.refused(false).unwrap().is_empty());
    assert_sound(&core, &office.ledger);
}

#[test]
fn what_is_refused_has_no_effect_but_its_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 900_000);
    let enter = |register, fields: &[(&str, &str)]| {
        let home = community().to_string();
        books::enter(&node, register, &[&[("home_unit", home.as_str())], fields].concat())
    };
    let person = residents(&node, community(), 0..1)[0].to_string();
    let house = enter(number::HOUSEHOLD, &[("hh_no", "户-1"), ("status", "1")]);
    enter(number::MEMBER, &[("household", &house.to_string()), ("person", &person), ("counted", "是")]);
    sync(&core, &node, &peer("node", community()));
    let heard = *core.subscribe().borrow();
    // The street corrects the address; another computer of the community, which has not heard of that, closes the household although
    // somebody whom it knows is still in it. An honest one would have said so to its clerk.
    let wide = office(dir.path(), "street", street(), 900_000);
    sync(&core, &wide, &peer("street", street()));
    books::amend(&wide, house, &[("address", "新华街3号")]);
    sync(&core, &wide, &peer("street", street()));
    let of = |name: &str, value: Value| {
        let field = field(number::HOUSEHOLD, name);
        (Field { tag: field.tag, bytes: value.encode(field) }, heard)
    };
    let closing = [
        of("status", Value::Text("4".into())),
        of("closed_on", Value::Day(core.today())),
        of("closed_reason", Value::Text("全家迁出".into())),
    ];
    let (before, rows) = (at_hub(&core, house), |space| core.view().prefix(space, &[]).count());
    let stood = [Space::Records, Space::History, Space::Conflicts, Space::Queue].map(rows);
    let mut mallory = Mallory::at(&core);
    let stamp = Stamp::at_millis(core.now() * 1_000);
    let change = pb::Change { seen: heard, ..change::write(house, number::HOUSEHOLD, &closing, stamp, "mallory") };
    let outcomes = mallory.push(vec![change]);
    let why = outcomes[0].why.as_ref().map(|why| why.rule.as_str());
    assert_eq!((outcomes[0].kind(), why), (pb::OutcomeKind::Refused, Some("still_open")));
    assert_eq!(at_hub(&core, house), before);
    assert_eq!(
        [Space::Records, Space::History, Space::Conflicts, Space::Queue].map(rows),
        stood,
        "nobody is asked about it"
    );
    sync(&core, &node, &peer("node", community()));
    assert_sound(&core, &node);
}
