//! What a city has acknowledged of a district, when the district takes something back or comes from a backup.

use super::*;
use crate::{
    mail::{marks::desk, rows::KeyRing},
    rows::{counter, meta},
    writer::News,
};

const STREET_A: u64 = 210_402_011_000;

fn acknowledged(world: &World, place: usize) -> u64 {
    let id = world.districts[place].peer.id.as_bytes();
    crate::rows::read::<NodeRow>(world.city().view().as_ref(), Space::Nodes, id).unwrap().unwrap().acknowledged
}

#[test]
fn a_letter_that_was_taken_back_before_it_went_leaves_nothing_unacknowledged() {
    let mut world = World::new();
    for place in [0, 0] {
        world.session(place, usize::MAX, |_| {});
    }
    // The answer comes before the question has gone.
    let letter = pb::Letter {
        id: b"the key".to_vec().into(),
        kind: pb::LetterKind::Key.into(),
        from: A,
        to: B,
        sealed: KeyRing { keys: desk(world.districts[0].core.view().as_ref()).unwrap().keys }.encode_to_vec().into(),
        ..pb::Letter::default()
    };
    let core = world.districts[1].core.clone();
    let waiting = |core: &Core| core.view().prefix(Space::Outbox, &[]).count();
    let office = News::Office { key_holder: A, generation: 0, upto: 0, epoch: Vec::new() };
    write(&core, Job::News(vec![office]));
    assert!(waiting(&core) > 0, "the question waits");
    write(&core, Job::News(vec![News::Letter(letter)]));
    assert_eq!(waiting(&core), 0, "the question was taken back");
    let head = counter(core.view().as_ref(), meta::CELLS).unwrap();
    assert!(head > acknowledged(&world, 1), "the question had a revision");
    drop(core);
    world.rounds(3);
    assert_eq!(acknowledged(&world, 1), counter(world.districts[1].core.view().as_ref(), meta::CELLS).unwrap());
    assert_eq!(world.session(1, usize::MAX, |_| {}), 2, "there is still something to say");
}

#[test]
fn a_restored_district_that_gave_the_lost_numbers_out_again_says_everything_anew() {
    let mut world = World::new();
    world.rounds(4);
    let copy = world.dir.path().join("copy");
    let mut world = world.reopen(0, &copy, false);
    world.register(0, 1, IN_A);
    world.register(0, 2, IN_A);
    world.rounds(2);
    assert_eq!(world.counted(), 2);
    let lost = acknowledged(&world, 0);
    world = world.reopen(0, &copy, true);
    // Another office, which has heard nothing that is lost, is the first to come: it sends a person away.
    let office = Peer { id: "street".into(), unit: unit(STREET_A), hub: false };
    let hello = pb::Hello { incarnation: vec![2; 16].into(), protocol_max: 2, ..pb::Hello::default() };
    write(&world.districts[0].core, Job::Greet { peer: office.clone(), hello: Box::new(hello) });
    (world.districts[0].office, world.districts[0].seq) = (office, 0);
    let gone = world.register(0, 10, IN_A);
    let verdicts = world.save(0, gone, number::RESIDENT, vec![uint(15, IN_B)]);
    assert!(verdicts.outcomes.is_empty(), "{:?}", verdicts.outcomes);
    let head = |world: &World| counter(world.districts[0].core.view().as_ref(), meta::CELLS).unwrap();
    assert!(head(&world) <= lost, "the letter has a number that the city has heard");
    let mut serial = 11;
    while head(&world) <= lost {
        world.register(0, serial, IN_A);
        serial += 1;
    }
    world.rounds(6);
    let here = world.counted_in(0);
    assert_eq!((here, world.counted()), (i64::from(serial) - 10, here), "the city counts what the district has lost");
    assert_eq!(records(&world.districts[1].core, number::TRANSFER).len(), 1, "the letter never went");
    world.all_is_counted();
}
