//! A district that says much, or what it never said: no commit is long for it, no batch too large, and nothing of it stays.

use super::*;
use crate::{
    totals::{self, aside::AsideChild},
    writer::Done,
};
use taizhang_node::upstream::{self, Replica};
use taizhang_proto::{indicator::Part, pb::LetterKind};

fn cell(part: u32, date: i32, value: i64) -> pb::CellValue {
    pb::CellValue { unit: IN_A, part, date, value }
}

fn cells_of(world: &World, last: u64, cells: Vec<pb::CellValue>, letters: Vec<pb::Letter>) -> Job {
    let peer = world.districts[0].peer.clone();
    let stretch = child(world.city(), &peer).stretch.into();
    Job::Cells { peer, session: 0, last, cells, letters, marks: Vec::new(), marked: 0, stretch }
}

fn greet(world: &World, head: u64) {
    greet_of(world, 0, head);
}

fn greet_of(world: &World, place: usize, head: u64) {
    let incarnation = world.districts[place].core.view().get(Space::Meta, crate::rows::meta::EPOCH).unwrap().unwrap();
    let hello = pb::Hello { incarnation, protocol_max: 2, head, ..pb::Hello::default() };
    write(world.city(), Job::greet(world.districts[place].peer.clone(), hello));
}

fn decide(world: &World, undo: bool) {
    let child =
        AsideChild { unit: A, by: "局长".into(), reason: "数字不实，核查中".into(), at: 0, early: false };
    assert!(matches!(write(world.city(), Job::Aside { child, undo }), Answer::Done));
}

#[test]
fn one_commit_of_more_cells_than_a_batch_holds_goes_up_in_pieces() {
    const MOST: usize = 3;
    let mut world = World::new();
    world.register(0, 1, IN_A);
    let district = &world.districts[0];
    let view = district.core.view();
    let mut of_revision = std::collections::BTreeMap::<Vec<u8>, usize>::new();
    for row in view.prefix(Space::CellFeed, &[]) {
        *of_revision.entry(row.unwrap().0[..8].to_vec()).or_default() += 1;
    }
    assert!(of_revision.values().any(|count| *count > MOST), "{of_revision:?}");
    district.upward.hello(false).unwrap();
    let welcome = pb::Welcome { stretch: district.core.lineage.current().into(), ..pb::Welcome::default() };
    district.upward.welcome(&welcome).unwrap();
    let (mut after, mut said, mut pieces) = (0, 0, 0);
    while let Some(push) = district.upward.batch(after).unwrap() {
        let list = pb::CellList::decode(upstream::decompress(&push.cells, push.raw_len).unwrap()).unwrap();
        assert!(list.cells.len() <= MOST && push.last >= after);
        pieces += usize::from(push.last == after && !list.cells.is_empty());
        said += list.cells.len();
        after = push.last;
    }
    assert_eq!(said, of_revision.values().sum::<usize>(), "each of them once");
    assert!(pieces > 0, "a revision is reached with the last of its cells");
    drop(view);
    world.rounds(2);
    assert_eq!(world.counted(), 1);
    assert!(child(world.city(), &world.districts[0].peer).equal);
    world.all_is_counted();
}

#[test]
fn a_batch_of_many_cells_is_taken_in_several_commits_and_nobody_overtakes_its_rest() {
    let world = World::new();
    greet(&world, 2);
    let day = |day: i32, value| cell(Part::Residents as u32, 14_000 + day, value);
    let first = cells_of(&world, 1, (0..600).map(|at| day(at, 1)).collect(), Vec::new());
    let second = cells_of(&world, 2, vec![day(599, 5)], Vec::new());
    let mut done = world.city().commit_some(vec![first, second]);
    assert!(matches!(done[..], [Done::Cut(..), Done::Waiting(_)]), "what came later would be older than the rest");
    let own = child(world.city(), &world.districts[0].peer);
    assert_eq!((own.acknowledged, world.counted()), (0, 250), "it is not heard before all of it is taken");
    world.all_is_counted();
    let (Some(Done::Waiting(second)), Some(Done::Cut(rest, _))) = (done.pop(), done.pop()) else { panic!() };
    for answer in world.city().commit(vec![rest, second]) {
        assert!(matches!(answer, Ok(Answer::Verdicts(_))));
    }
    assert_eq!((child(world.city(), &world.districts[0].peer).acknowledged, world.counted()), (2, 604));
    world.all_is_counted();
}

#[test]
fn who_says_too_much_that_cant_be_counts_in_nothing_and_fills_no_row() {
    let mut world = World::new();
    world.register(1, 1, IN_B);
    world.rounds(3);
    greet(&world, 1);
    let tasks = (0..90).map(|task| cell(10_000 + task, 14_000, -1));
    let honest = [cell(Part::Residents as u32, 14_000, 7)];
    write(world.city(), cells_of(&world, 1, tasks.chain(honest).collect(), Vec::new()));
    let row = || totals::aside::row(world.city().view().as_ref()).unwrap();
    let waiting = || totals::aside::unjudged(world.city().view().as_ref(), &row()).unwrap().len();
    assert!(waiting() > 60 && row().unjudged.is_empty(), "what waits is in no row that a figure reads");
    world.all_is_counted();
    // A commit looks at some of them; each greeting is one.
    for _ in 0..40 {
        greet(&world, 1);
        world.all_is_counted();
    }
    assert_eq!((waiting(), row().refuted.len(), row().children.len()), (0, 0, 1));
    assert_eq!(world.counted(), 1, "not even what could be");
    // Taken back, all of it is looked at again.
    decide(&world, true);
    for _ in 0..40 {
        greet(&world, 1);
        world.all_is_counted();
    }
    assert_eq!((waiting(), row().refuted.len(), row().children.len()), (0, 0, 1));
    // What is put right counts, once somebody has looked.
    let sound = (0..90).map(|task| cell(10_000 + task, 14_000, 1));
    write(world.city(), cells_of(&world, 2, sound.collect(), Vec::new()));
    decide(&world, true);
    for _ in 0..40 {
        greet(&world, 2);
    }
    assert_eq!((row().children.len(), world.counted()), (0, 8));
    world.all_is_counted();
}

#[test]
fn who_is_still_saying_things_is_looked_at_again_once_all_is_said() {
    let mut world = World::new();
    world.register(1, 1, IN_B);
    world.rounds(3);
    let other = child(world.city(), &world.districts[1].peer).acknowledged;
    let heard = child(world.city(), &world.districts[0].peer).acknowledged;
    greet(&world, heard + 5);
    // Of each day what is taken off comes before what it is taken off from.
    let taken_off = (0..90).map(|task| cell(10_000 + task, 14_001, -1));
    write(world.city(), cells_of(&world, heard + 1, taken_off.collect(), Vec::new()));
    for _ in 0..40 {
        greet_of(&world, 1, other);
        world.all_is_counted();
    }
    let row = || totals::aside::row(world.city().view().as_ref()).unwrap();
    assert!(row().children.iter().all(|child| child.early) && row().children.len() == 1);
    let there = (0..90).map(|task| cell(10_000 + task, 14_000, 1)).chain([cell(Part::Residents as u32, 14_000, 7)]);
    write(world.city(), cells_of(&world, heard + 5, there.collect(), Vec::new()));
    for _ in 0..40 {
        greet_of(&world, 1, other);
        world.all_is_counted();
    }
    assert_eq!((row().children.len(), row().refuted.len(), world.counted()), (0, 0, 8));
}

#[test]
fn a_transfer_that_a_district_never_let_go_counts_until_it_calls() {
    let mut world = World::new();
    world.register(0, 1, IN_A);
    world.rounds(3);
    let own = child(world.city(), &world.districts[0].peer);
    let forged = pb::Letter {
        id: vec![9; 16].into(),
        to: B,
        kind: LetterKind::Released.into(),
        transfer: vec![9; 16].into(),
        revision: u64::MAX,
        moved: vec![pb::CellValue { unit: IN_B, part: Part::Residents as u32, date: 14_000, value: 5 }],
        ..pb::Letter::default()
    };
    // What no person carries is on its way with nobody.
    for part in [Part::FairIntents as u32, Part::FecTitle as u32, 10_003] {
        let mut letter = pb::Letter { id: vec![part as u8; 16].into(), ..forged.clone() };
        letter.transfer = letter.id.clone();
        letter.moved[0].part = part;
        write(world.city(), cells_of(&world, own.acknowledged, Vec::new(), vec![letter]));
    }
    assert_eq!((child(world.city(), &world.districts[0].peer).refused, world.counted()), (own.refused + 3, 1));
    // Under its numbers, so that nothing looks as if it had begun anew.
    write(world.city(), cells_of(&world, own.acknowledged, Vec::new(), vec![forged]));
    assert_eq!(world.counted(), 6);
    world.session(1, usize::MAX, |_| {});
    assert_eq!(world.counted(), 6, "another's call says nothing of it");
    world.session(0, usize::MAX, |_| {});
    assert_eq!(world.counted(), 1);
    assert!(child(world.city(), &world.districts[0].peer).equal);
    world.all_is_counted();
}

#[test]
fn who_is_set_aside_takes_nobody_from_another() {
    let mut world = World::new();
    // At home in A, and registered in both: counted at A.
    world.register(0, 7, IN_A);
    world.register(1, 7, IN_A);
    world.rounds(5);
    assert_eq!((world.counted(), world.counted_in(0), world.counted_in(1)), (1, 1, 0));
    decide(&world, false);
    world.rounds(5);
    assert_eq!((world.counted(), world.counted_in(1)), (1, 1), "as if A did not have them");
    decide(&world, true);
    world.rounds(5);
    assert_eq!((world.counted(), world.counted_in(0), world.counted_in(1)), (1, 1, 0));
    world.all_is_counted();
}
