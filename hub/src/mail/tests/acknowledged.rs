//! What a city has acknowledged of a district, when the district takes something back or comes from a backup.

use super::*;
use crate::{
    mail::rows::kind,
    rows::{counter, meta},
    writer::News,
};

fn acknowledged(world: &World, place: usize) -> u64 {
    child(world.city(), &world.districts[place].peer).acknowledged
}

#[test]
fn a_letter_that_was_taken_back_before_it_went_leaves_nothing_unacknowledged() {
    let (mut world, _) = super::moving::sent();
    world.rounds(6);
    let (transfer, record) = super::moving::asked(&world, 1);
    assert!(world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]).outcomes.is_empty());
    let core = world.districts[1].core.clone();
    let wanted = |core: &Core| {
        let rows = core.view().prefix(Space::Outbox, &[kind::LETTER]).map(Result::unwrap).collect::<Vec<_>>();
        let letters = rows.into_iter().map(|(_, row)| pb::Letter::decode(row).unwrap());
        letters.filter(|letter| letter.kind() == pb::LetterKind::Wanted).count()
    };
    assert_eq!(wanted(&core), 1);
    let subject = record.slice(20).unwrap().to_vec();
    let rows = core.view().prefix(Space::Transfers, &[]).map(Result::unwrap).collect::<Vec<_>>();
    let (key, _) = rows.into_iter().find(|(_, row)| holds(row, &subject)).unwrap();
    let back = pb::Letter {
        id: vec![9; 16].into(),
        kind: pb::LetterKind::Returned.into(),
        from: A,
        to: B,
        transfer: key[1..].to_vec().into(),
        ..pb::Letter::default()
    };
    write(&core, Job::News(vec![News::Letter(back)]));
    assert_eq!(wanted(&core), 0, "the letter was taken back");
    let head = counter(core.view().as_ref(), meta::CELLS).unwrap();
    assert!(head > acknowledged(&world, 1), "the letter had a revision");
    drop(core);
    world.rounds(2);
    assert_eq!(acknowledged(&world, 1), head);
    assert_eq!(world.session(1, usize::MAX, |_| {}), 2, "there is still something to say");
}

#[test]
fn a_restored_district_that_gave_the_lost_numbers_out_again_says_everything_anew() {
    let mut world = World::new();
    world.rounds(4);
    let copy = world.dir.path().join("copy");
    let mut world = world.reopen(0, &copy, false);
    for serial in 0..4 {
        world.register(0, serial, IN_A);
    }
    world.rounds(2);
    assert_eq!(world.counted(), 4);
    let lost = acknowledged(&world, 0);
    world = world.reopen(0, &copy, true);
    // The office comes with other people: its totals are those that the city knows, and it sends one of them away.
    let hello = pb::Hello { incarnation: vec![2; 16].into(), protocol_max: 2, ..pb::Hello::default() };
    write(&world.districts[0].core, Job::greet(world.districts[0].office.clone(), hello));
    world.districts[0].seq = 0;
    let gone = world.register(0, 10, IN_A);
    assert!(world.save(0, gone, number::RESIDENT, vec![uint(15, IN_B)]).outcomes.is_empty());
    let head = |world: &World| counter(world.districts[0].core.view().as_ref(), meta::CELLS).unwrap();
    assert!(head(&world) <= lost, "the letter has a number that the city has heard");
    for serial in 11..14 {
        world.register(0, serial, IN_A);
    }
    assert!(head(&world) > lost);
    world.rounds(6);
    assert_eq!((world.counted_in(0), world.counted()), (4, 4));
    assert_eq!(records(&world.districts[1].core, number::TRANSFER).len(), 1, "the letter never went");
    world.all_is_counted();
}

#[test]
fn a_ruling_that_a_restored_city_does_not_know_ends_with_its_reason() {
    let mut world = World::new();
    world.rounds(4);
    let copy = world.dir.path().join("copy");
    let away = world.register(0, 1, IN_B);
    world.rounds(4);
    world.reopen_city(&copy, false);
    let home = world.register(1, 1, IN_B);
    world.rounds(4);
    assert_eq!((world.counted(), world.twice()), (1, (1, [0, 1])));
    assert_eq!(record(&world.districts[0].core, away).unwrap().varint(14), Some(B));
    world.reopen_city(&copy, true);
    // What made it two is gone before the city hears of either.
    world.save(1, home, number::RESIDENT, vec![text(2, "2"), text(3, "重复录入")]);
    world.rounds(4);
    assert_eq!(record(&world.districts[0].core, away).unwrap().varint(14), None, "nobody else has it any more");
    assert_eq!((world.counted(), world.twice()), (1, (0, [0, 0])));
    assert_eq!(world.session(0, usize::MAX, |_| {}), 2, "and then there is nothing more to say");
    assert_eq!(world.session(1, usize::MAX, |_| {}), 2);
    world.all_is_counted();
}
