use super::*;
use taizhang_proto::cell::home_unit;

/// The transfer that waits for an answer at a district.
fn asked(world: &World, place: usize) -> (RecordId, Record) {
    records(&world.districts[place].core, number::TRANSFER).pop().expect("nothing was offered")
}

/// A person registered in the first district, known to everybody, whose office sends it to the second.
fn sent() -> (World, RecordId) {
    let mut world = World::new();
    world.rounds(3);
    let id = world.register(0, 1, IN_A);
    world.rounds(1);
    assert_eq!(world.counted(), 1);
    let verdicts = world.save(0, id, number::RESIDENT, vec![uint(15, IN_B)]);
    assert!(verdicts.outcomes.is_empty(), "{:?}", verdicts.outcomes);
    (world, id)
}

fn once(world: &World) {
    assert_eq!(world.counted(), 1, "A {} B {}", world.counted_in(0), world.counted_in(1));
}

fn is_over(world: &World, id: RecordId) {
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (0, 1, 1));
    world.all_is_counted();
    let (here, there) = (&world.districts[0].core, &world.districts[1].core);
    let (old, new) = (record(here, id).unwrap(), record(there, id).unwrap());
    assert_eq!((home_unit(&old), home_unit(&new)), (Some(unit(IN_B)), Some(unit(IN_B))));
    assert_eq!(old.message(), new.message(), "the archive and the record that moved differ");
    assert!(new.bytes(15).is_none() && new.bytes(16).is_some());
    assert!(asked(world, 1).1.bytes(27).is_some(), "the transfer is not marked as done");
}

#[test]
fn a_person_who_moves_to_another_district_is_counted_exactly_once_at_every_message() {
    let (mut world, id) = sent();
    for place in [0, 1] {
        world.session(place, usize::MAX, once);
    }
    assert_eq!(asked(&world, 1).1.slice(22), Some("王建国".as_bytes()));
    let (transfer, _) = asked(&world, 1);
    assert!(world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]).outcomes.is_empty());
    let mut in_transit = false;
    for place in [1, 0, 0, 1, 1, 0, 1, 0] {
        world.session(place, usize::MAX, once);
        in_transit |= world.counted_in(0) + world.counted_in(1) == 0;
        world.all_is_counted();
    }
    assert!(in_transit, "nothing was ever on its way");
    is_over(&world, id);
    let heard = std::mem::take(&mut world.heard);
    for secret in [id_no(1).as_bytes(), "王建国".as_bytes()] {
        assert!(!holds(&heard, secret) && !holds(&bytes_of(world.city()), secret), "the city has seen it");
        assert!(holds(&bytes_of(&world.districts[1].core), secret), "the search finds nothing where it is");
    }
}

#[test]
fn a_transfer_whose_sessions_break_anywhere_ends_all_the_same_and_never_counts_twice() {
    let (mut world, id) = sent();
    let mut answered = false;
    for step in 0..60 {
        // Every session is cut, a little later each time; every fourth round one goes through.
        let cut = if step % 8 > 5 { usize::MAX } else { step % 5 + 1 };
        world.session(step % 2, cut, once);
        if !answered && !records(&world.districts[1].core, number::TRANSFER).is_empty() {
            let (transfer, _) = asked(&world, 1);
            world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
            answered = true;
        }
    }
    is_over(&world, id);
}

#[test]
fn a_refused_transfer_leaves_the_person_where_it_was_with_the_reason() {
    let (mut world, id) = sent();
    world.rounds(2);
    let (transfer, _) = asked(&world, 1);
    world.save(1, transfer, number::TRANSFER, vec![text(25, "2"), text(26, "查无此人")]);
    world.rounds(3);
    let here = record(&world.districts[0].core, id).unwrap();
    assert_eq!((home_unit(&here), here.bytes(15)), (Some(unit(IN_A)), None));
    assert!(record(&world.districts[1].core, id).is_none());
    assert_eq!((world.counted_in(0), world.counted()), (1, 1));
    assert!(holds(&bytes_of(&world.districts[0].core), "查无此人".as_bytes()));
    world.all_is_counted();
}

#[test]
fn what_is_withdrawn_before_it_is_wanted_stays() {
    let (mut world, id) = sent();
    world.rounds(2);
    world.save(0, id, number::RESIDENT, vec![Field { tag: 15, bytes: bytes::Bytes::new() }]);
    let (transfer, _) = asked(&world, 1);
    world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
    world.rounds(4);
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (1, 0, 1));
    assert_eq!(asked(&world, 1).1.slice(2), Some(&b"2"[..]), "the question still stands");
}

#[test]
fn a_city_restored_to_any_point_of_a_transfer_counts_it_once_in_the_end() {
    for backup_after in 0..8 {
        let (mut world, id) = sent();
        world.rounds(1);
        let (transfer, _) = asked(&world, 1);
        world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
        let order = [1, 0, 0, 1, 1, 0, 1, 0];
        let copy = world.dir.path().join("copy");
        for (step, place) in order.into_iter().enumerate() {
            if step == backup_after {
                world.city = None;
                copy_dir(&world.dir.path().join("city"), &copy);
                world.city = Some(open(&world.dir.path().join("city"), CITY, Tier::City));
            }
            world.session(place, usize::MAX, once);
        }
        world.city = None;
        std::fs::remove_dir_all(world.dir.path().join("city")).unwrap();
        copy_dir(&copy, &world.dir.path().join("city"));
        world.city = Some(open(&world.dir.path().join("city"), CITY, Tier::City));
        world.rounds(4);
        is_over(&world, id);
    }
}

#[test]
fn a_district_restored_to_any_point_of_a_transfer_neither_loses_nor_doubles_the_person() {
    for place in [0, 1] {
        for backup_after in 0..8 {
            let (mut world, id) = sent();
            world.rounds(1);
            let (transfer, _) = asked(&world, 1);
            world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
            let copy = world.dir.path().join("copy");
            for (step, other) in [1, 0, 0, 1, 1, 0, 1, 0].into_iter().enumerate() {
                if step == backup_after {
                    world = world.reopen(place, &copy, false);
                }
                world.session(other, usize::MAX, once);
            }
            world = world.reopen(place, &copy, true);
            world.rounds(5);
            is_over(&world, id);
        }
    }
}

#[test]
fn an_edit_that_reaches_the_old_district_late_becomes_a_note_and_a_finding_at_the_new_one() {
    let (mut world, id) = sent();
    world.rounds(1);
    let (transfer, _) = asked(&world, 1);
    world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
    world.rounds(4);
    is_over(&world, id);
    let district = &mut world.districts[0];
    district.seq += 1;
    let fields = vec![(text(29, "13900000001"), 0)];
    let stamp = Stamp::at_millis(district.core.now() * 1_000 + 60_000);
    let change = change::write(id, number::RESIDENT, &fields, stamp, "clerk");
    let changes = vec![Pushed { raw: change.encode_to_vec().into(), edit: Edit::read(change) }];
    write(&district.core, Job::Push { peer: district.office.clone(), first: district.seq, changes, room: None });
    world.rounds(3);
    let there = &world.districts[1].core;
    assert!(record(there, id).unwrap().bytes(29).is_none(), "a note changes nothing");
    assert!(holds(&bytes_of(there), b"13900000001"));
    let conflicts = there.view().prefix(Space::Conflicts, &[]).map(Result::unwrap).collect::<Vec<_>>();
    let kinds = conflicts.into_iter().map(|(_, row)| pb::Conflict::decode(row).unwrap().kind()).collect::<Vec<_>>();
    assert_eq!(kinds, [pb::ConflictKind::AfterTransfer]);
    is_over(&world, id);
}
