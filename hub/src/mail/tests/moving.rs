use super::*;
use taizhang_proto::cell::home_unit;

/// The transfer that waits for an answer at a district.
pub(super) fn asked(world: &World, place: usize) -> (RecordId, Record) {
    records(&world.districts[place].core, number::TRANSFER).pop().expect("nothing was offered")
}

/// A person registered in the first district, known to everybody, whose office sends it to the second.
pub(super) fn sent() -> (World, RecordId) {
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
fn what_a_clerk_of_the_old_district_wrote_is_no_ruling_at_the_new_one() {
    let (mut world, id) = sent();
    let job = RecordId::create(world.districts[0].core.now() * 1_000, rand::random());
    let start = |day: u64| uint(25, day * 2); // zigzag
    let mut person = Vec::new();
    put_bytes(20, &id.0, &mut person);
    let person = Field { tag: 20, bytes: person.into() };
    let placed = vec![uint(1, IN_A), person, text(21, "1"), start(13_900)];
    assert!(world.save(0, job, number::PLACEMENT, placed).outcomes.is_empty());
    world.rounds(2);
    let (transfer, _) = asked(&world, 1);
    world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
    world.rounds(4);
    is_over(&world, id);
    let core = world.districts[1].core.clone();
    assert_eq!(record(&core, job).unwrap().day(25), Some(13_900));
    // The new office has heard it, and corrects the day: it stands.
    let verdicts = world.save(1, job, number::PLACEMENT, vec![start(13_905)]);
    assert!(verdicts.outcomes.is_empty(), "{:?}", verdicts.outcomes);
    assert_eq!(record(&core, job).unwrap().day(25), Some(13_905));
    world.all_is_counted();
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
        // Each has a message of its own in every second session.
        for backup_after in (place..8).step_by(2) {
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
    let changes = vec![Pushed::read(change.encode_to_vec().into())];
    let (peer, node) = (district.office.clone(), district.log());
    write(&district.core, Job::Push { peer, node, first: district.seq, changes, skew: None, room: None });
    world.rounds(3);
    let there = &world.districts[1].core;
    assert!(record(there, id).unwrap().bytes(29).is_none(), "a note changes nothing");
    assert!(holds(&bytes_of(there), b"13900000001"));
    let conflicts = there.view().prefix(Space::Conflicts, &[]).map(Result::unwrap).collect::<Vec<_>>();
    let kinds = conflicts.into_iter().map(|(_, row)| pb::Conflict::decode(row).unwrap().kind()).collect::<Vec<_>>();
    assert_eq!(kinds, [pb::ConflictKind::AfterTransfer]);
    is_over(&world, id);
}

#[test]
fn many_move_at_once_and_each_is_counted_exactly_once_at_every_message() {
    let mut world = World::new();
    world.rounds(3);
    let people: Vec<RecordId> = (1..=5).map(|serial| world.register(0, serial, IN_A)).collect();
    world.rounds(1);
    for id in &people {
        world.save(0, *id, number::RESIDENT, vec![uint(15, IN_B)]);
    }
    let all = |world: &World| assert_eq!(world.counted(), 5, "A {} B {}", world.counted_in(0), world.counted_in(1));
    world.session(0, usize::MAX, all);
    world.session(1, usize::MAX, all);
    let asked = records(&world.districts[1].core, number::TRANSFER);
    assert_eq!(asked.len(), 5);
    for (transfer, _) in asked {
        world.save(1, transfer, number::TRANSFER, vec![text(25, "1")]);
    }
    for step in 0..40 {
        world.session(step % 2, if step > 33 { usize::MAX } else { 3 + step % 7 }, all);
    }
    assert_eq!((world.counted_in(0), world.counted_in(1), world.counted()), (0, 5, 5));
    world.all_is_counted();
}

#[test]
fn what_is_too_large_or_goes_nowhere_stays_with_the_reason() {
    let (mut world, id) = sent();
    world.rounds(2);
    // Nobody is enrolled for that district.
    let other = world.register(0, 2, IN_A);
    world.save(0, other, number::RESIDENT, vec![uint(15, 210_404_001_001)]);
    assert!(record(&world.districts[0].core, other).unwrap().bytes(15).is_none());
    assert!(holds(&bytes_of(&world.districts[0].core), "没有接收该单位的县区".as_bytes()));

    let large = world.register(0, 3, IN_A);
    for number_of in 0..16 {
        let placement = RecordId::create(world.city().now() * 1_000 + number_of, rand::random());
        let remark = "长".repeat(499);
        let fields = vec![
            uint(1, IN_A),
            text(7, &remark),
            Field { tag: 20, bytes: [&[0xa2, 1, 16][..], &large.0].concat().into() },
            uint(25, 2 * (20_000 + number_of)),
        ];
        let verdicts = world.save(0, placement, number::PLACEMENT, fields);
        assert!(verdicts.outcomes.is_empty(), "{:?}", verdicts.outcomes);
    }
    world.save(0, large, number::RESIDENT, vec![uint(15, IN_B)]);
    assert!(record(&world.districts[0].core, large).unwrap().bytes(15).is_none());
    assert!(holds(&bytes_of(&world.districts[0].core), "无法整体移交".as_bytes()));
    assert_eq!(record(&world.districts[0].core, id).unwrap().varint(15), Some(IN_B), "the first still waits");
}

#[test]
fn a_hub_can_neither_write_in_anothers_name_nor_fill_the_mail_of_nobody() {
    let world = World::new();
    let peer = world.districts[1].peer.clone();
    let hello = pb::Hello { incarnation: vec![1; 16].into(), protocol_max: 2, ..pb::Hello::default() };
    write(world.city(), Job::greet(peer.clone(), hello));
    let good = pb::Letter {
        id: vec![1; 16].into(),
        from: A,
        to: A,
        kind: pb::LetterKind::Taken.into(),
        transfer: vec![2; 16].into(),
        sealed: vec![3; 99].into(),
        ..pb::Letter::default()
    };
    let wrong = [
        pb::Letter { to: 210_404_000_000, ..good.clone() },
        pb::Letter { to: B, ..good.clone() },
        pb::Letter { to: 1, ..good.clone() },
        pb::Letter { id: vec![1; 15].into(), ..good.clone() },
        pb::Letter { transfer: vec![1; 15].into(), ..good.clone() },
        pb::Letter { moved: vec![pb::CellValue::default(); 9_000], ..good.clone() },
    ];
    let cell = pb::CellValue { unit: B, part: 1, date: 0, value: 1 };
    let released = pb::Letter { kind: pb::LetterKind::Released.into(), moved: vec![cell], ..good.clone() };
    let count = wrong.len() as u64;
    let letters = wrong.into_iter().chain([good, released]).collect();
    let mark =
        |mark: usize, kind| pb::MarkValue { generation: 1, kind, mark: vec![7; mark].into(), ..Default::default() };
    let marks = vec![mark(15, 1), mark(16, 3), mark(16, 1)];
    write(
        world.city(),
        Job::Cells {
            peer: peer.clone(),
            session: 0,
            last: 1,
            cells: Vec::new(),
            letters,
            marks,
            marked: 1,
            stretch: bytes::Bytes::new(),
        },
    );
    assert_eq!(child(world.city(), &peer).refused, count + 2);
    let mail = crate::mail::post::collect(world.city().view().as_ref(), unit(A), 0).unwrap();
    assert_eq!(mail.letters.iter().map(|letter| letter.from).collect::<Vec<_>>(), [B], "one id is one letter");
    // What was taken in by the one can't be let go by it too.
    assert_eq!(world.counted(), 0);
    world.all_is_counted();
    // And nobody opens what was not sealed for him.
    let sealed = pb::Mail { letters: mail.letters, ..pb::Mail::default() };
    taizhang_node::upstream::Replica::mail(world.districts[0].upward.as_ref(), sealed).unwrap();
}
