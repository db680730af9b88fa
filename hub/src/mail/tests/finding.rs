use super::*;
use crate::{
    mail::{
        marks::desk,
        rows::{DeskRow, OfficeRow, kind},
    },
    rows::meta,
};
use taizhang_proto::{date::Day, wire::zigzag};

fn desk_of(world: &World, place: usize) -> DeskRow {
    desk(world.districts[place].core.view().as_ref()).unwrap()
}

fn counted_at(world: &World, place: usize, id: RecordId) -> Option<u64> {
    record(&world.districts[place].core, id).unwrap().varint(14)
}

#[test]
fn neighbours_know_each_other_and_share_a_key_that_the_city_never_sees() {
    let mut world = World::new();
    world.rounds(4);
    let keys = [0, 1].map(|place| desk_of(&world, place).keys);
    assert_eq!(keys[0].len(), 1);
    assert_eq!(keys[0], keys[1]);
    let secret = &keys[0][0].key;
    assert!(!holds(&world.heard, secret) && !holds(&bytes_of(world.city()), secret));
    let neighbours = world.districts[0].core.view().prefix(Space::Neighbours, &[]).count();
    assert_eq!(neighbours, 2);
    // And then there is nothing more to say.
    assert_eq!(world.session(0, usize::MAX, |_| {}), 2);
    assert_eq!(world.session(1, usize::MAX, |_| {}), 2);
}

#[test]
fn who_has_another_card_than_the_citizen_id_is_found_by_it_in_another_district() {
    let mut world = World::new();
    world.rounds(4);
    let card = |number: &str| vec![text(20, "02"), text(57, number)];
    // Another kind of card with the same number is another card.
    let passport = world.register_by(0, vec![text(20, "03"), text(57, "20080322")], IN_A);
    world.register_by(1, card("20080322"), IN_B);
    let away = world.register_by(0, card("军字第 20080320a号"), IN_B);
    world.register_by(1, card("军字第20080320A号"), IN_B);
    let other = world.register_by(0, card("军字第20080321A号"), IN_A);
    world.rounds(4);
    assert_eq!((counted_at(&world, 0, away), counted_at(&world, 0, other)), (Some(B), None));
    assert_eq!(counted_at(&world, 0, passport), None);
    assert_eq!((world.counted(), world.twice()), (4, (1, [0, 1])));
    let view = world.districts[0].core.view();
    let (_, found) = view.prefix(Space::Conflicts, &[]).next().unwrap().unwrap();
    let conflict = pb::Conflict::decode(found).unwrap();
    assert_eq!((conflict.kind(), &conflict.tags[..]), (pb::ConflictKind::CrossDistrict, &[57][..]));
    let heard = String::from_utf8_lossy(&world.heard).into_owned();
    assert!(!heard.contains("20080320"), "the city hears no number");
    world.all_is_counted();
}

#[test]
fn one_person_in_two_districts_counts_at_home_and_the_other_district_says_so() {
    let mut world = World::new();
    world.rounds(4);
    let away = world.register(0, 1, IN_B);
    let home = world.register(1, 1, IN_B);
    let alone = world.register(0, 2, IN_A);
    world.rounds(4);
    assert_eq!(counted_at(&world, 0, away), Some(B));
    assert_eq!((counted_at(&world, 1, home), counted_at(&world, 0, alone)), (None, None));
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (1, 1, 2));
    assert_eq!(world.twice(), (1, [0, 1]), "where it counts");
    // Once more in the district that counts it already: still one person.
    let again = world.register(1, 1, IN_B);
    world.rounds(2);
    assert_eq!((world.counted(), world.twice()), (2, (1, [0, 1])));
    world.save(1, again, number::RESIDENT, vec![text(2, "2"), text(3, "重复录入")]);
    world.rounds(2);
    assert_eq!(world.twice(), (1, [0, 1]));
    let found = world.districts[0].core.view().prefix(Space::Conflicts, &[]).map(Result::unwrap).collect::<Vec<_>>();
    let found: Vec<_> = found.into_iter().map(|(_, row)| pb::Conflict::decode(row).unwrap().kind()).collect();
    assert_eq!(found, [pb::ConflictKind::CrossDistrict]);

    // The home district voids its entry: the other one counts again.
    world.save(1, home, number::RESIDENT, vec![text(2, "2"), text(3, "录入错误")]);
    world.rounds(3);
    assert_eq!(counted_at(&world, 0, away), None);
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (2, 0, 2));
    assert_eq!(world.twice(), (0, [0, 0]));
    world.all_is_counted();
    for serial in [1, 2] {
        assert!(!holds(&world.heard, id_no(serial).as_bytes()));
    }
}

/// A field with a day.
fn on(tag: u32, day: Day) -> Field {
    let mut bytes = Vec::new();
    put_varint(tag, zigzag(day), &mut bytes);
    Field { tag, bytes: bytes.into() }
}

#[test]
fn of_two_districts_exactly_one_counts_somebody_on_each_day_and_who_leaves_later_was_there_before() {
    let mut world = World::new();
    world.rounds(4);
    let first = world.register(0, 1, IN_A);
    let second = world.register(1, 1, IN_A);
    let today = world.city().today();
    world.save(0, first, number::RESIDENT, vec![on(58, today - 100)]);
    world.save(1, second, number::RESIDENT, vec![on(58, today - 50)]);
    world.rounds(4);
    let at_city = |world: &World, code: &str, days_ago: Day| {
        let period = indicator::Period::up_to(today - days_ago, indicator::Span::Year);
        let found =
            value(world.city().view().as_ref(), unit(CITY), indicator::by_code(code).unwrap(), &period).unwrap();
        (found.numerator, found.duplicates)
    };
    let days = |world: &World, code: &str| [101, 60, 51, 50, 11, 10, 0].map(|ago| at_city(world, code, ago));
    let both = [(0, 0), (1, 0), (1, 0), (1, 1), (1, 1), (1, 1), (1, 1)];
    assert_eq!(days(&world, "K00"), both);
    assert_eq!(days(&world, "K43").map(|found| found.0), [0, 0, 0, 1, 1, 1, 1]);
    assert_eq!(counted_at(&world, 1, second), Some(A));

    // The first one moves out: from that day on the second counts, and no day before it moves.
    world.save(0, first, number::RESIDENT, vec![on(47, today - 10)]);
    world.rounds(4);
    assert_eq!(days(&world, "K00"), [(0, 0), (1, 0), (1, 0), (1, 1), (1, 1), (1, 0), (1, 0)]);
    assert_eq!(days(&world, "K43").map(|found| found.0), [0, 0, 0, 1, 1, 0, 0]);
    assert_eq!(counted_at(&world, 1, second), None, "nobody else has it by now");
    world.all_is_counted();
}

#[test]
fn a_change_of_key_neither_loses_a_finding_nor_counts_anybody_twice() {
    let mut world = World::new();
    world.rounds(4);
    let away = world.register(0, 1, IN_B);
    world.register(1, 1, IN_B);
    world.rounds(4);
    let holder = usize::from(desk_of(&world, 0).key_holder != A);
    write(&world.districts[holder].core, Job::RotateKey);
    assert!(world.districts[holder].core.commit(vec![Job::RotateKey]).pop().unwrap().is_err(), "one at a time");
    assert!(world.districts[1 - holder].core.commit(vec![Job::RotateKey]).pop().unwrap().is_err(), "by one only");
    let late = world.register(0, 3, IN_A);
    let mut both = 0;
    for round in 0..10 {
        if round == 1 {
            world.register(1, 3, IN_B);
        }
        for place in [0, 1] {
            world.session(place, usize::MAX, |world| {
                assert_eq!(counted_at(world, 0, away), Some(B), "the finding was lost");
            });
            both = both.max(desk_of(&world, place).keys.len());
        }
    }
    assert_eq!(both, 2);
    for place in [0, 1] {
        let desk = desk_of(&world, place);
        assert_eq!((desk.generation, desk.keys.len(), desk.keys[0].generation), (2, 1, 2));
    }
    assert_eq!(counted_at(&world, 0, late), None, "its home is here");
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (1, 1, 2));
    // The city holds marks of the new key alone.
    let view = world.city().view();
    let old = view.prefix(Space::Marks, &under(kind::HOLDERS, &1_u32.to_be_bytes())).count();
    let new = view.prefix(Space::Marks, &under(kind::HOLDERS, &2_u32.to_be_bytes())).count();
    assert_eq!((old, new), (0, 2));
    drop(view);
    assert_eq!(world.session(0, usize::MAX, |_| {}), 2, "there is still something to say");
}

#[test]
fn a_neighbour_whose_key_changes_is_sent_its_letters_again() {
    let mut world = World::new();
    world.rounds(4);
    let known = |world: &World| -> NeighbourRow {
        crate::rows::read(world.districts[0].core.view().as_ref(), Space::Neighbours, &B.to_be_bytes())
            .unwrap()
            .unwrap()
    };
    let before = known(&world);
    // A certificate that is not newer is not taken, whoever signed it.
    let older = NeighbourRow { key: vec![4; 65], ..before.clone() };
    write(&world.districts[0].core, Job::News(vec![crate::writer::News::Neighbours(vec![older.clone()])]));
    assert_eq!(known(&world), before);
    let newer = NeighbourRow { from: before.from + 1, ..older };
    write(&world.districts[0].core, Job::News(vec![crate::writer::News::Neighbours(vec![newer.clone()])]));
    assert_eq!(known(&world), newer);
}

/// Both districts hold one key, and a person who is registered in both counts once.
fn find_each_other(mut world: World) {
    let away = world.register(0, 1, IN_B);
    world.register(1, 1, IN_B);
    world.rounds(5);
    let keys = [0, 1].map(|place| desk_of(&world, place).keys);
    assert_eq!(keys[0].len(), 1, "no key came");
    assert_eq!(keys[0], keys[1]);
    assert_eq!(counted_at(&world, 0, away), Some(B));
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (0, 1, 1));
    world.all_is_counted();
    assert_eq!([0, 1].map(|place| world.session(place, usize::MAX, |_| {})), [2, 2], "there is something left to say");
}

#[test]
fn the_key_comes_though_the_question_for_it_comes_before_its_maker_knows_of_its_part() {
    for first in [0, 1] {
        // The first message after which the city knows who makes the key, and the maker itself does not.
        let mut world = World::new();
        let mut steps = Vec::new();
        let (maker, own) = (world.districts[first].core.clone(), world.districts[first].core.unit.number());
        world.session(first, usize::MAX, |world| {
            let office: OfficeRow =
                crate::rows::read(world.city().view().as_ref(), Space::Meta, meta::OFFICE).unwrap().unwrap_or_default();
            steps.push(office.key_holder == own && desk(maker.view().as_ref()).unwrap().key_holder != own);
        });
        let cut = steps.iter().position(|between| *between).expect("there is such a message") + 1;
        drop((maker, world));

        let mut world = World::new();
        world.session(first, cut, |_| {});
        for _ in 0..2 {
            world.session(1 - first, usize::MAX, |_| {});
        }
        world.rounds(4);
        find_each_other(world);
    }
}

#[test]
fn a_maker_of_the_key_restored_to_before_it_made_it_makes_one_that_everybody_takes() {
    for sessions in 3..6 {
        let world = World::new();
        let copy = world.dir.path().join("copy");
        let mut world = world.reopen(0, &copy, false);
        for session in 0..sessions {
            world.session(session % 2, usize::MAX, |_| {});
        }
        let before = desk_of(&world, 0).keys;
        assert_eq!(before.len(), 1, "the first to call makes the key");
        let mut world = world.reopen(0, &copy, true);
        world.rounds(5);
        assert_ne!(desk_of(&world, 0).keys, before);
        find_each_other(world);
    }
}
