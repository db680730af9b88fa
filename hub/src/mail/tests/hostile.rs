//! A district's certificate in the wrong hands: what it says is kept, bounded, told, and in no total.

use super::*;
use crate::{
    rows::UnitRow,
    totals::{self, aside::AsideChild, shares},
    writer::Done,
};
use taizhang_proto::{
    cell::CellKey,
    digest::{Item, ScopeDigest},
    indicator::Part,
    pb::LetterKind,
};

const RESIDENTS: u32 = Part::Residents as u32;

fn cell(part: u32, date: i32, value: i64) -> pb::CellValue {
    pb::CellValue { unit: IN_A, part, date, value }
}

fn greet(world: &World, place: usize, head: u64, rebuild: bool) {
    let incarnation = world.districts[place].core.view().get(Space::Meta, crate::rows::meta::EPOCH).unwrap().unwrap();
    let hello = pb::Hello { incarnation, protocol_max: 2, head, rebuild, ..pb::Hello::default() };
    let peer = world.districts[place].peer.clone();
    write(world.city(), Job::greet(peer, hello));
}

fn job(world: &World, last: u64, cells: Vec<pb::CellValue>, letters: Vec<pb::Letter>) -> Job {
    let peer = world.districts[0].peer.clone();
    Job::Cells { peer, session: 0, last, cells, letters, marks: Vec::new(), marked: 0, stretch: bytes::Bytes::new() }
}

fn say(world: &World, last: u64, cells: Vec<pb::CellValue>, letters: Vec<pb::Letter>) {
    write(world.city(), job(world, last, cells, letters));
}

fn row(world: &World, place: usize) -> NodeRow {
    child(world.city(), &world.districts[place].peer)
}

fn decide(world: &World, undo: bool) -> Answer {
    let child =
        AsideChild { unit: A, by: "局长".into(), reason: "数字不实，核查中".into(), at: 0, early: false };
    write(world.city(), Job::Aside { child, undo })
}

/// A transfer that A says it has let go, with so many persons.
fn released(number: u8, persons: i64) -> pb::Letter {
    pb::Letter {
        id: vec![number; 16].into(),
        to: B,
        kind: LetterKind::Released.into(),
        transfer: vec![number; 16].into(),
        sealed: vec![3; 99].into(),
        moved: vec![pb::CellValue { unit: IN_B, part: RESIDENTS, date: 14_000, value: persons }],
        ..pb::Letter::default()
    }
}

#[test]
fn what_cant_be_is_in_no_total_is_told_and_goes_when_the_district_is_back() {
    let mut world = World::new();
    for serial in 0..3 {
        world.register(1, serial, IN_B);
    }
    world.register(0, 10, IN_A);
    world.rounds(3);
    assert_eq!(world.counted(), 4);
    // Somebody with its certificate says other things.
    let lies = [
        cell(RESIDENTS, 14_000, -1_000_000),
        cell(RESIDENTS, 9_000_000, 5),
        cell(RESIDENTS, i32::MIN, 5),
        cell(RESIDENTS, 14_001, i64::MIN),
        cell(Part::Households as u32, 14_002, 1 << 39),
        cell(777, 14_000, 12),
    ];
    let unit_row = |world: &World| -> UnitRow {
        crate::rows::read(world.city().view().as_ref(), Space::Units, &A.to_be_bytes()).unwrap().unwrap()
    };
    let before = row(&world, 0);
    greet(&world, 0, before.acknowledged + 9, false);
    let mut digest = unit_row(&world).cells_digest();
    say(&world, before.acknowledged + 9, lies.to_vec(), Vec::new());
    assert_eq!(world.counted(), 3, "a count below zero takes nothing from the others");
    let set_aside = totals::aside::row(world.city().view().as_ref()).unwrap();
    let parts: Vec<u32> = set_aside.refuted.iter().map(|one| one.part).collect();
    assert_eq!((parts, set_aside.children.len()), (vec![RESIDENTS], 0), "its other parts count");
    let after = row(&world, 0);
    assert_eq!((after.beyond, after.refused), (4, before.refused));
    assert!(after.incidents > before.incidents);
    let request = pb::SharesRequest { indicator: "K00".into(), on: 0 };
    let answer = shares(world.city(), &request).unwrap();
    let counts: Vec<bool> = answer.shares.iter().map(|share| share.counts).collect();
    assert_eq!((counts, answer.total.unwrap().numerator), (vec![false, true], 3));
    world.all_is_counted();
    // What was said is what is held: whoever says it is not asked to say it again.
    for lie in &lies {
        let key = CellKey { unit: unit(lie.unit), part: lie.part as u16, date: lie.date };
        digest = digest.plus({
            let mut one = ScopeDigest::default();
            one.add(Item::cell(&key.to_bytes(), lie.value));
            one
        });
    }
    assert_eq!(unit_row(&world).cells_digest(), digest);

    world.rounds(3);
    assert_eq!(world.counted(), 4);
    let back = row(&world, 0);
    assert!(back.equal && back.beyond == 0, "{back:?}");
    assert!(shares(world.city(), &request).unwrap().shares.iter().all(|share| share.counts));
    world.all_is_counted();
}

#[test]
fn a_count_is_looked_at_however_long_its_district_goes_on_saying() {
    let world = World::new();
    greet(&world, 0, 1 << 40, false);
    // More counts than one commit looks at, from a district that never comes to its end.
    for (last, day) in (14_000..14_040).enumerate() {
        let parts = [Part::Residents, Part::Households, Part::Unemployed, Part::Labour];
        let cells = parts.map(|part| cell(part as u32, day, -1_000)).to_vec();
        say(&world, last as u64 + 1, cells, Vec::new());
    }
    for _ in 0..40 {
        say(&world, 41, Vec::new(), vec![pb::Letter::default()]);
        greet(&world, 0, 1 << 40, false);
    }
    for code in ["K00", "K24"] {
        assert_eq!(figure(world.city(), code), 0, "{code}");
    }
    world.all_is_counted();
}

#[test]
fn a_district_has_so_many_cells_and_no_more() {
    let world = World::new();
    greet(&world, 0, 2, false);
    let many = (0..1_200).map(|day| cell(RESIDENTS, 14_000 + day, 1)).collect();
    say(&world, 1, many, Vec::new());
    let own = row(&world, 0);
    assert_eq!((own.cells, own.refused), (1_000, 200));
    assert_eq!(world.counted(), 1_000);
    // When everything is said anew there is room again, also after what had gone.
    for _ in 0..2 {
        greet(&world, 0, 2, true);
        assert_eq!(world.counted(), 0);
    }
    assert_eq!(row(&world, 0).cells, 0);
    say(&world, 1, (0..900).map(|day| cell(RESIDENTS, 18_000 + day, 1)).collect(), Vec::new());
    assert_eq!((row(&world, 0).cells, row(&world, 0).refused), (900, 200));
    world.all_is_counted();
}

#[test]
fn a_push_holds_so_many_letters_and_marks() {
    const MOST: usize = 16 * 1024;
    let world = World::new();
    for (letters, marks, is_taken) in [(MOST, MOST, true), (MOST + 1, 0, false), (0, MOST + 1, false)] {
        let peer = world.districts[0].peer.clone();
        let mut server = Server::new(peer);
        let hello = pb::Hello { incarnation: vec![9; 16].into(), protocol_max: 2, ..pb::Hello::default() };
        let greeting = server.receive(pb::Up { it: Some(pb::up::It::Hello(hello)) }).unwrap().unwrap();
        server.answered(world.city(), write(world.city(), greeting)).unwrap();
        let push = pb::Push {
            letters: vec![pb::Letter::default(); letters],
            marks: vec![pb::MarkValue::default(); marks],
            cells: taizhang_node::upstream::compress(&[]).unwrap(),
            ..pb::Push::default()
        };
        let heard = server.receive(pb::Up { it: Some(pb::up::It::Push(push)) });
        assert_eq!(heard.is_ok(), is_taken, "{letters} letters, {marks} marks");
    }
}

#[test]
fn a_letter_on_which_a_hub_fails_costs_no_figure_and_holds_back_nothing_behind_it() {
    use crate::writer::{
        News,
        tests::{FAILS, PANICS},
    };
    for word in [PANICS, FAILS] {
        let mut world = World::new();
        world.register(0, 1, IN_A);
        world.rounds(2);
        let before = row(&world, 0);
        let poison = pb::Letter { sealed: word.as_bytes().to_vec().into(), ..released(7, 1) };
        let number = before.acknowledged;
        // With figures in the same batch, and a letter that is in order.
        say(&world, number, vec![cell(RESIDENTS, 14_000, 1)], vec![poison.clone(), released(8, 1)]);
        let after = row(&world, 0);
        assert_eq!((after.acknowledged, after.incidents), (number, before.incidents + 1), "{word}");
        assert_eq!(world.counted(), 3, "one on the register, one figure more, one on the way");
        world.all_is_counted();
        // The same at a district, from its neighbour: kept, told, and tried again.
        let (core, letter) = (&world.districts[1].core, pb::Letter { from: A, ..poison });
        let left = || crate::mail::post::unread(core.view().as_ref()).unwrap().len();
        write(core, Job::News(vec![News::Letter(letter.clone())]));
        assert_eq!(left(), 1);
        let mut checked = crate::integrity::Checked::default();
        crate::integrity::rest(core.view().as_ref(), &mut checked);
        assert!(checked.problems[0].contains("1 封来信未能处理"), "{:?}", checked.problems);
        write(core, Job::News(vec![News::Letter(pb::Letter { sealed: bytes::Bytes::new(), ..letter })]));
        assert_eq!(left(), 0, "a build that takes it");
    }
}

#[test]
fn who_says_everything_anew_is_cleared_in_as_many_commits_as_it_takes_and_says_nothing_meanwhile() {
    let mut world = World::new();
    world.register(1, 1, IN_B);
    world.rounds(3);
    let day = |day: i32| cell(RESIDENTS, 14_000 + day, 1);
    greet(&world, 0, 900, false);
    say(&world, 900, (0..900).map(day).collect(), vec![released(1, 3)]);
    assert_eq!(world.counted(), 904);
    let peer = world.districts[0].peer.clone();
    let marked = |core: &Core| {
        let mut row = child(core, &peer);
        row.marked = 77;
        let mut set = crate::store::WriteSet::default();
        set.put(Space::Nodes, peer.id.as_bytes(), row.encode_to_vec());
        core.store.commit(set).unwrap();
    };
    marked(world.city());
    let stood = row(&world, 0);
    let incarnation = world.districts[0].core.view().get(Space::Meta, crate::rows::meta::EPOCH).unwrap().unwrap();
    let hello = pb::Hello { incarnation, protocol_max: 2, head: 900, rebuild: true, ..pb::Hello::default() };
    let anew = || Job::greet(peer.clone(), hello.clone());
    let core = world.city();
    core.limit_work(1_000);
    // As much as one commit holds; then another one's turn.
    let mut left = core.commit_some(vec![anew()]);
    let Some(Done::Cut(rest, _)) = left.pop() else { panic!("all of it in one commit") };
    let after = row(&world, 0);
    assert_eq!((after.equal, after.acknowledged, after.marked), (false, 0, 0), "who stops here has said nothing");
    assert!((800..904).contains(&world.counted()), "{}", world.counted());
    world.all_is_counted();
    // Whatever stops the rest, it is asked for everything.
    let plain = pb::Hello { rebuild: false, ..hello.clone() };
    let Answer::Greeted(greeted) = write(core, Job::greet(peer.clone(), plain)) else { panic!("not greeted") };
    assert_eq!((greeted.acknowledged, greeted.marked), (0, 0));
    let Answer::Greeted(greeted) = write(core, rest) else { panic!("not greeted") };
    assert_eq!((greeted.acknowledged, greeted.cells, greeted.number), (0, stood.cells, stood.number));
    assert_eq!(world.counted(), 1, "nothing is left of what it said");
    world.all_is_counted();
    say(&world, 900, (0..900).map(|day| cell(RESIDENTS, 14_000 + day, 2)).collect(), Vec::new());
    assert_eq!(world.counted(), 1_801);
    world.all_is_counted();
}

#[test]
fn what_a_session_says_that_a_later_one_has_overtaken_is_not_heard() {
    let world = World::new();
    let incarnation = world.districts[0].core.view().get(Space::Meta, crate::rows::meta::EPOCH).unwrap().unwrap();
    let hello = pb::Hello { incarnation, protocol_max: 2, ..pb::Hello::default() };
    let peer = world.districts[0].peer.clone();
    let by = |session: u64, value: i64, marks: Vec<pb::MarkValue>| Job::Cells {
        peer: peer.clone(),
        session,
        last: 4,
        cells: vec![cell(RESIDENTS, 14_000, value)],
        letters: Vec::new(),
        marks,
        marked: 4,
        stretch: bytes::Bytes::new(),
    };
    for session in [7, 8] {
        write(world.city(), Job::greet_by(session, peer.clone(), hello.clone()));
    }
    write(world.city(), by(8, 5, Vec::new()));
    // It was on its way while the later one greeted: taken by value, it would stand for good.
    let mark = pb::MarkValue { generation: 1, kind: 1, mark: vec![1; 16].into(), ..pb::MarkValue::default() };
    let late = world.city().commit(vec![by(7, 2, vec![mark])]).pop().unwrap();
    assert!(matches!(late, Err(crate::writer::WriteError::Superseded)));
    assert_eq!(world.counted(), 5);
    assert!(world.city().view().prefix(Space::Marks, &[]).next().is_none());
    write(world.city(), by(8, 6, Vec::new()));
    assert_eq!(world.counted(), 6);
}

#[test]
fn a_figure_that_was_changed_on_the_citys_disk_is_found() {
    let mut world = World::new();
    world.register(0, 1, IN_A);
    world.rounds(3);
    let core = world.city();
    let checked = || {
        let mut checked = crate::integrity::Checked::default();
        crate::integrity::rest(core.view().as_ref(), &mut checked);
        checked.problems
    };
    assert_eq!(checked(), Vec::<String>::new());
    let (key, row) = core.view().prefix(Space::Own, &IN_A.to_be_bytes()).next().unwrap().unwrap();
    let own = crate::rows::OwnCell::from_slice(&row).unwrap();
    let mut set = crate::store::WriteSet::default();
    set.put(Space::Own, key.to_vec(), crate::rows::OwnCell { value: own.value + 1, ..own }.to_bytes());
    core.store.commit(set).unwrap();
    assert!(checked()[0].contains("digest differ"), "{:?}", checked());
}

#[test]
fn a_district_says_so_much_in_a_day_beside_its_figures() {
    let world = World::new();
    greet(&world, 0, 9, false);
    let core = world.city();
    let said = |bytes: usize| {
        let mut own = row(&world, 0);
        own.said = None;
        own.note_said(core.today(), bytes);
        let mut set = crate::store::WriteSet::default();
        set.put(Space::Nodes, world.districts[0].peer.id.as_bytes(), own.encode_to_vec());
        core.store.commit(set).unwrap();
    };
    let letters = |number: u8| job(&world, u64::from(number), Vec::new(), vec![released(number, 1)]);
    say(&world, 1, Vec::new(), vec![released(1, 1)]);
    assert!(row(&world, 0).said_on(core.today()) > 99, "a letter counts");
    said(taizhang_proto::plan::LimitPlan::default().day_bytes as usize);
    let answer = core.commit(vec![letters(2)]).pop().unwrap();
    assert!(matches!(answer, Err(crate::writer::WriteError::EnoughToday)));
    // Its figures are taken, with letters or without; the batch is not heard until tomorrow.
    let both = job(&world, 2, vec![cell(RESIDENTS, 14_000, 1)], vec![released(2, 1)]);
    assert!(matches!(core.commit(vec![both]).pop().unwrap(), Err(crate::writer::WriteError::EnoughToday)));
    assert_eq!((world.counted(), row(&world, 0).acknowledged), (2, 1));
    said(0);
    say(&world, 2, vec![cell(RESIDENTS, 14_000, 1)], vec![released(2, 1)]);
    assert_eq!(world.counted(), 3);
    world.all_is_counted();
}

#[test]
fn a_forged_release_moves_no_more_than_its_district_can_and_goes_when_that_is_back() {
    let world = World::new();
    greet(&world, 0, 9, false);
    let refused = row(&world, 0).refused;
    say(&world, 1, Vec::new(), vec![released(1, 1_000_000)]);
    assert_eq!((world.counted(), row(&world, 0).refused), (0, refused + 1));
    let mut negative = released(2, 3);
    negative.moved.push(pb::CellValue { unit: IN_B, part: RESIDENTS, date: 14_001, value: -9 });
    say(&world, 2, Vec::new(), vec![negative, released(3, 10), released(4, 10)]);
    assert_eq!((world.counted(), row(&world, 0).refused), (10, refused + 3), "16 may be on their way");
    let mail = crate::mail::post::collect(world.city().view().as_ref(), unit(B), 0).unwrap();
    assert!(!mail.letters.is_empty(), "a letter goes on whatever it says of totals");
    world.all_is_counted();
    greet(&world, 0, 9, true);
    assert_eq!(world.counted(), 0);
    say(&world, 3, Vec::new(), vec![released(5, 16)]);
    assert_eq!(world.counted(), 16, "nothing of before is in the way");
    world.all_is_counted();
}

#[test]
fn a_child_that_was_set_aside_is_in_no_total_until_it_is_taken_back_whatever_restarts() {
    let mut world = World::new();
    for serial in 0..3 {
        world.register(0, serial, IN_A);
        world.register(1, serial + 10, IN_B);
    }
    world.rounds(3);
    say(&world, row(&world, 0).acknowledged, Vec::new(), vec![released(1, 5)]);
    assert_eq!(world.counted(), 11);
    let unnamed = AsideChild { unit: A, ..AsideChild::default() };
    assert!(matches!(write(world.city(), Job::Aside { child: unnamed, undo: false }), Answer::Refused(_)));
    let long = AsideChild { unit: A, by: "王科长".into(), reason: "理".repeat(201), ..AsideChild::default() };
    assert!(
        matches!(write(world.city(), Job::Aside { child: long, undo: false }), Answer::Refused(_)),
        "never cut unseen"
    );
    assert!(matches!(decide(&world, false), Answer::Done));
    assert!(matches!(decide(&world, false), Answer::Refused(_)));
    let of = |world: &World, code: u64| {
        let request = pb::TotalsRequest { unit: code, indicators: vec!["K00".into()], ..pb::TotalsRequest::default() };
        let answer = totals::answer(world.city(), &request).unwrap();
        (answer.values[0].numerator, answer.units[0].aside)
    };
    let state = |world: &World| [CITY, A, IN_A, B].map(|code| of(world, code));
    let without = [(3, 1), (0, 1), (0, 1), (3, 0)];
    assert_eq!(state(&world), without);
    let trend = pb::TrendRequest { indicator: "K00".into(), ..pb::TrendRequest::default() };
    let last = |world: &World| totals::trend(world.city(), &trend, unit(CITY)).unwrap().points.pop().unwrap().numerator;
    assert_eq!(last(&world), 3);
    world.all_is_counted();
    let audit = audit::audit(world.city()).unwrap();
    assert_eq!(audit.aside.len(), 1);
    let k00 = audit.totals.iter().find(|value| value.indicator == "K00").unwrap();
    assert_eq!(k00.numerator, 3);

    world.city = None;
    world.city = Some(open(&world.dir.path().join("city"), CITY, Tier::City));
    assert_eq!(state(&world), without);
    world.register(0, 20, IN_A);
    world.rounds(3);
    assert_eq!(state(&world), without);
    assert!(row(&world, 0).equal, "it syncs as before");
    assert!(matches!(decide(&world, true), Answer::Done));
    assert_eq!(state(&world).map(|(persons, _)| persons), [world.counted(), 4, 4, 3]);
    assert_eq!(last(&world), world.counted());
    assert!(world.counted() >= 7);
    world.all_is_counted();
}

#[test]
fn a_part_of_a_newer_build_is_kept_and_syncs() {
    let world = World::new();
    greet(&world, 0, 1, false);
    say(&world, 1, vec![cell(777, 14_000, -7), cell(60_001, 14_000, 1 << 30)], Vec::new());
    let own = row(&world, 0);
    assert_eq!((own.refused, own.beyond, own.cells, own.incidents), (0, 0, 2, 0));
    let key = CellKey { unit: unit(IN_A), part: 777, date: 14_000 };
    assert_eq!(crate::rows::own_cell(world.city().view().as_ref(), key).unwrap().value, -7);
    world.all_is_counted();
}

#[test]
fn a_number_that_nobody_reaches_is_an_incident_and_changes_nothing() {
    let mut world = World::new();
    world.register(0, 1, IN_A);
    world.rounds(3);
    let before = row(&world, 0);
    let answer = world.city().commit(vec![job(&world, u64::MAX, vec![cell(RESIDENTS, 14_000, 9)], Vec::new())]);
    assert!(matches!(answer[..], [Err(crate::writer::WriteError::Beyond)]));
    let peer = world.districts[0].peer.clone();
    write(world.city(), Job::Heard { peer, heard: pb::Heard { revision: u64::MAX, equal: true } });
    let after = row(&world, 0);
    assert_eq!(after.incidents, before.incidents + 2);
    assert_eq!((after.acknowledged, after.pulled, after.equal), (before.acknowledged, before.pulled, before.equal));
    assert_eq!(world.counted(), 1);
    let office = world.districts[0].office.clone();
    let heard = pb::Heard { revision: u64::MAX, equal: true };
    write(&world.districts[0].core, Job::Heard { peer: office.clone(), heard });
    let office = child(&world.districts[0].core, &office);
    assert!(office.pulled < 1 << 40 && office.incidents > 0);
    world.rounds(2);
    assert!(row(&world, 0).equal);
    world.all_is_counted();
}

#[test]
fn a_child_begins_anew_only_so_often() {
    let world = World::new();
    let district = &world.districts[0];
    let before = child(&district.core, &district.office);
    let greet = |incarnation: u128| {
        let incarnation = incarnation.to_be_bytes().to_vec().into();
        let hello = pb::Hello { incarnation, protocol_max: 2, ..pb::Hello::default() };
        let job = Job::greet(district.office.clone(), hello);
        district.core.commit(vec![job]).pop().unwrap()
    };
    let taken = (100..400).filter(|incarnation| greet(*incarnation).is_ok()).count();
    assert!((32..=65).contains(&taken), "{taken}");
    let after = child(&district.core, &district.office);
    assert_eq!(after.number, before.number + taken as u32);
    assert!(after.past.len() <= 64);
    assert!(greet(100 + taken as u128 - 1).is_ok(), "the log that it has goes on");
}

#[test]
fn a_figure_that_is_named_often_is_answered_once_and_an_answer_has_an_end() {
    let world = World::new();
    let ask = |codes: usize, on| {
        let request =
            pb::TotalsRequest { indicators: vec!["K00".into(); codes], on, children: true, ..Default::default() };
        totals::answer(world.city(), &request)
    };
    assert_eq!(ask(500, 0).unwrap().values.len(), 3, "the city and two districts");
    assert!(matches!(ask(20_000, 0), Err(totals::QueryError::Codes(20_000))));
    assert!(matches!(ask(1, i32::MIN), Err(totals::QueryError::Day)));
}
