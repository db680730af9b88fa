//! Merges, and several jobs that fall into one commit of a hub: what they do together is what they would have done one
//! by one.

use crate::pair::{
    UNITS, at_hub, community, hub, merge, neighbour, office, peer, phone, placement, residents, revise, save, street,
    sync, tag, unit, with_tree, write,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use taizhang_hub::{
    rows::meta,
    store::{Space, Store, WriteSet},
    totals::audit,
    writer::{Answer, Core, Job, Peer},
};
use taizhang_node::{desk::Draft, ledger::Ledger};
use taizhang_proto::{
    OrgCode, RecordId,
    cell::{home_unit, merged_into},
    date,
    pb::Tier,
    register::{MERGED_INTO, Value, number},
};
use taizhang_tests::{
    books,
    sim::{Fate, MemStore, Tables},
};

fn done(core: &Core, jobs: Vec<Job>) {
    for answer in core.commit(jobs) {
        let Answer::Reviewed(answer) = answer.unwrap() else { panic!("a reviewer's answer") };
        assert!(answer.failed.is_empty(), "{:?}", answer.failed);
    }
    let differences = audit::audit(core).unwrap().differences;
    assert!(differences.is_empty(), "{differences:?}");
}

/// A hub, and an office with two people that it knows.
struct Scene {
    core: Arc<Core>,
    node: Ledger,
    me: Peer,
    people: Vec<RecordId>,
    dir: tempfile::TempDir,
}

fn scene() -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 900_000);
    let people = residents(&node, community(), 0..2);
    let me = peer("node", community());
    sync(&core, &node, &me);
    Scene { core, node, me, people, dir }
}

#[test]
fn a_merge_taken_back_within_its_commit_leaves_the_count_as_it_was() {
    let Scene { core, node, me, people, .. } = scene();
    done(&core, vec![merge(people[0], people[1], false), merge(people[0], people[1], true)]);
    // What each of them contributed is asked for only when something of it changes.
    save(&node, vec![phone(people[0], "13900000001"), phone(people[1], "13900000002")]);
    sync(&core, &node, &me);
    done(&core, vec![merge(people[0], people[1], false)]);
    done(&core, vec![merge(people[0], people[1], true), merge(people[0], people[1], false)]);
    done(&core, vec![merge(people[0], people[1], true)]);
}

#[test]
fn a_merge_that_took_nothing_gives_nothing_back() {
    let Scene { core, node, me, people, .. } = scene();
    // The edit just before the merge is an office's, not the merge's.
    save(&node, vec![phone(people[0], "13900000001")]);
    sync(&core, &node, &me);
    done(&core, vec![merge(people[0], people[1], false)]);
    done(&core, vec![merge(people[0], people[1], true)]);
    sync(&core, &node, &me);
    assert_eq!(at_hub(&core, people[0]).slice(tag("phone")), Some(&b"13900000001"[..]));
    assert_eq!(node.view(people[0]).unwrap().unwrap().slice(tag("phone")), Some(&b"13900000001"[..]));
}

#[test]
fn what_a_merge_took_goes_back_when_it_is_taken_back() {
    let Scene { core, node, me, people, .. } = scene();
    let address = tag("address");
    let draft = Draft::new(people[1], number::RESIDENT).with(address, Value::Text("新华街3号".into()));
    save(&node, vec![draft]);
    sync(&core, &node, &me);
    done(&core, vec![merge(people[0], people[1], false)]);
    assert_eq!(at_hub(&core, people[0]).slice(address), Some("新华街3号".as_bytes()));
    done(&core, vec![merge(people[0], people[1], true)]);
    assert_eq!(at_hub(&core, people[0]).slice(address).unwrap_or_default(), b"");
    assert_eq!(at_hub(&core, people[1]).slice(address), Some("新华街3号".as_bytes()));
}

#[test]
fn a_post_that_stands_for_itself_again_has_its_places_and_its_people_again() {
    let Scene { core, node, me, people, dir } = scene();
    let bureau = office(dir.path(), "bureau", core.unit, 900_000);
    let home = community().to_string();
    let post = |post_no| {
        let fields = [
            ("home_unit", home.as_str()),
            ("post_no", post_no),
            ("kind", "1"),
            ("places", "1"),
            ("from_on", "2008-01-01"),
        ];
        books::enter(&bureau, number::POST, &fields)
    };
    let (standing, absorbed) = (post("P-1"), post("P-2"));
    sync(&core, &bureau, &peer("bureau", core.unit));
    let tag = books::field(number::PLACEMENT, "post").tag;
    let on = |post, person| placement(&node, community(), person).with(tag, Value::Ref(post));
    for placement in [on(absorbed, people[0]), on(standing, people[1])] {
        save(&node, vec![placement]);
        sync(&core, &node, &me);
        for undo in [false, true, false, true] {
            done(&core, vec![merge(standing, absorbed, undo)]);
        }
    }
}

#[test]
fn what_moves_on_within_the_commit_that_brought_it_leaves_the_office_that_wrote_it() {
    let Scene { core, node, me, people, dir } = scene();
    let (wide, other) = (office(dir.path(), "wide", street(), 0), peer("wide", street()));
    sync(&core, &wide, &other);
    save(&wide, vec![Draft::new(people[0], number::RESIDENT).with(1, Value::Uint(neighbour().number()))]);
    sync(&core, &wide, &other);
    let draft = placement(&node, community(), people[0]);
    let placement = draft.id;
    save(&node, vec![draft]);
    sync(&core, &node, &me);
    sync(&core, &node, &me);
    assert!(node.view(placement).unwrap().is_none(), "it is another office's now");
    assert_eq!(node.state().incidents, 0, "{}", node.state().last_incident);
}

#[test]
fn a_placement_lifts_the_veto_on_a_title_that_comes_in_the_same_commit() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let district = core.unit;
    let bureau = office(dir.path(), "bureau", district, 900_000);
    let me = peer("bureau", district);
    let person = residents(&bureau, community(), 0..1)[0].to_string();
    let home = community().to_string();
    let enter = |register, fields: &[(&str, &str)]| {
        let fields: Vec<(&str, &str)> =
            [("home_unit", home.as_str())].into_iter().chain(fields.iter().copied()).collect();
        books::enter(&bureau, register, &fields)
    };
    let house = enter(number::HOUSEHOLD, &[("hh_no", "零-1")]).to_string();
    enter(number::MEMBER, &[("household", &house), ("person", &person), ("relation", "01"), ("from_on", "2008-01-01")]);
    enter(number::ZEF_CASE, &[("household", &house), ("kind", "1"), ("recognised_on", "2008-04-01")]);
    let case = enter(number::FEC_CASE, &[("stage", "1"), ("applied_on", "2008-04-01")]);
    sync(&core, &bureau, &me);
    let assessed = [("stage", "3"), ("assessed_on", "2008-05-10"), ("score", "90.5"), ("rule_set", "FS2008-default")];
    let reviewed = [("stage", "2"), ("reviewed_by_street_on", "2008-04-15")];
    for step in [&reviewed[..], &assessed, &[("stage", "4"), ("publicity_from", "2008-05-20")]] {
        books::amend(&bureau, case, step);
        sync(&core, &bureau, &me);
    }
    let title = [("stage", "5"), ("certified_on", "2008-06-15")];
    books::amend(&bureau, case, &title);
    assert_eq!(sync(&core, &bureau, &me).refused, 1, "a household is overdue");
    enter(number::PLACEMENT, &[("person", &person), ("kind", "1"), ("start_on", "2008-05-20")]);
    books::amend(&bureau, case, &title);
    assert_eq!(sync(&core, &bureau, &me).refused, 0);
    assert!(audit::audit(&core).unwrap().differences.is_empty());
}

#[test]
fn a_code_that_is_given_up_while_the_store_fails_is_followed_with_the_next_commit() {
    let dir = tempfile::tempdir().unwrap();
    let (store, now) = (MemStore::new(Tables::default()), Arc::new(AtomicU64::new(1_790_001_000_000)));
    let clock = now.clone();
    let district = unit(210_402_000_000);
    let clock = Arc::new(move || clock.fetch_add(7, Ordering::Relaxed));
    let core = Core::open(district, Tier::District, Box::new(store.clone()), clock).unwrap();
    let line = UNITS.lines().find(|line| line.starts_with(&community().to_string())).unwrap();
    let changed = UNITS.replace(line, &format!("{line},{},{}", neighbour(), date::iso(core.today() + 1)));
    write(&core, Job::Tree(changed, None)).unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    let people = residents(&node, community(), 0..1);
    sync(&core, &node, &peer("node", community()));
    assert_eq!(home_unit(&at_hub(&core, people[0])), Some(community()));

    now.fetch_add(86_400_000, Ordering::Relaxed);
    store.set_fate(Fate::Lost);
    assert!(write(&core, Job::Settle).is_err(), "as on a full disk");
    store.set_fate(Fate::Sound);
    write(&core, Job::Settle).unwrap();
    assert_eq!(home_unit(&at_hub(&core, people[0])), Some(neighbour()));
    let differences = audit::audit(&core).unwrap().differences;
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn a_hub_that_is_stopped_once_it_has_counted_anew_writes_the_rest_at_its_next_start() {
    let store = MemStore::new(Tables::default());
    let open = |fate| {
        store.set_fate(fate);
        Core::open(unit(210_402_000_000), Tier::District, Box::new(store.clone()), Arc::new(|| 1_790_001_000_000))
    };
    open(Fate::Sound).unwrap();
    let mut older = WriteSet::default();
    older.put(Space::Meta, meta::RULES, b"an older program's");
    store.commit(older).unwrap();
    let waits = || store.view().get(Space::Meta, meta::UNSETTLED).unwrap().is_some();
    assert!(open(Fate::Unanswered).is_err() && waits());
    open(Fate::Sound).unwrap();
    assert!(!waits());
}

#[test]
fn a_row_that_several_subjects_of_one_id_share_is_true_for_each() {
    let (store, now) = (MemStore::new(Tables::default()), Arc::new(AtomicU64::new(1_790_001_000_000)));
    let open = || {
        let now = now.clone();
        let clock = Arc::new(move || now.fetch_add(7, Ordering::Relaxed));
        Core::open(unit(210_402_000_000), Tier::District, Box::new(store.clone()), clock).unwrap()
    };
    let core = with_tree(open());
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (office(dir.path(), "one", community(), 900_000), office(dir.path(), "two", neighbour(), 900_500));
    // The same numbers: which of a row's subjects is looked at first differs from pair to pair.
    let (here, there) = (residents(&one, community(), 0..8), residents(&two, neighbour(), 0..8));
    sync(&core, &one, &peer("one", community()));
    sync(&core, &two, &peer("two", neighbour()));
    let pairs = || here.iter().copied().zip(there.iter().copied());
    for (standing, absorbed) in pairs() {
        done(&core, vec![merge(standing, absorbed, false)]);
    }
    let mut older = WriteSet::default();
    older.put(Space::Meta, meta::RULES, b"an older program's");
    store.commit(older).unwrap();
    drop(core);
    let core = open();
    for (standing, absorbed) in pairs() {
        done(&core, vec![merge(standing, absorbed, true)]);
        for (id, phone) in [(standing, "13900000001"), (absorbed, "13900000002")] {
            revise(&core, "Resident", Some(id), &[("phone", phone)]);
        }
    }
    done(&core, Vec::new());
}

#[test]
fn the_certificate_of_an_assistant_that_stands_for_itself_again_counts_for_nobody_else() {
    let Scene { core, .. } = scene();
    let enter = |register: &str, home: OrgCode, fields: &[(&str, &str)]| {
        let home = home.to_string();
        let home = [("home_unit", home.as_str())];
        revise(&core, register, None, &[&home[..], fields].concat())
    };
    let [first, second] = [(community(), "2008-01-01"), (neighbour(), "2008-02-01")].map(|(home, from)| {
        enter("Assistant", home, &[("name", "张三"), ("id_no", "210402198001010017"), ("from_on", from)])
    });
    let nameless = enter("Assistant", street(), &[("name", "张三"), ("from_on", "2008-03-01")]);
    let holder = nameless.to_string();
    let certificate = [("level", "4"), ("cert_no", "LN-1"), ("issued_on", "2008-03-01")];
    enter("Credential", street(), &[&[("assistant", holder.as_str())][..], &certificate].concat());
    for (standing, undo) in [(second, false), (second, true), (first, false), (first, true)] {
        done(&core, vec![merge(standing, nameless, undo)]);
    }
}

#[test]
fn a_household_parted_from_one_that_is_not_held_here_has_its_cases_again() {
    let Scene { core, dir, .. } = scene();
    let bureau = office(dir.path(), "bureau", core.unit, 900_000);
    let home = community().to_string();
    let house = books::enter(&bureau, number::HOUSEHOLD, &[("home_unit", &home), ("hh_no", "零-1")]);
    let case = [("home_unit", home.as_str()), ("kind", "1"), ("recognised_on", "2008-04-01")];
    let of_house = house.to_string();
    books::enter(&bureau, number::ZEF_CASE, &[&case[..], &[("household", &of_house)]].concat());
    let me = peer("bureau", core.unit);
    sync(&core, &bureau, &me);
    let unknown = RecordId::create(1_790_000_000_000, [7; 10]);
    save(&bureau, vec![Draft::new(house, number::HOUSEHOLD).with(MERGED_INTO, Value::Ref(unknown))]);
    sync(&core, &bureau, &me);
    assert_eq!(merged_into(&at_hub(&core, house)), Some(unknown));
    done(&core, vec![merge(unknown, house, true)]);
}
