//! A record that its office has filled to the limit: what a hub adds to it by a rule, or a reviewer, leaves one that everybody can
//! read, or is refused in words.

use crate::{
    forged::{Mallory, at},
    pair::{
        UNITS, assert_sound, at_hub, community, hub, merge, neighbour, office, peer, residents, street, sync, write,
    },
};
use taizhang_hub::writer::{Answer, Job, Review};
use taizhang_proto::{
    Record, RecordId,
    cell::home_unit,
    change, date,
    limits::{RECORD_BYTES, RECORD_FIELDS, REVIEW_BYTES, STORED_BYTES},
    pb,
    register::{HOME_UNIT, PAST_HOME, number},
    wire::{Field, put_bytes, put_varint},
};
use taizhang_tests::books;

/// Most that a record may come to without a hub's own additions, bytes.
const MAX_OF_ALL: usize = STORED_BYTES - REVIEW_BYTES;
/// Fields of a newer build.
const UNKNOWN: u32 = 10_000;

fn size(record: &Record) -> usize {
    record.fields.iter().map(|standing| standing.field.bytes.len()).sum()
}

/// Fields that fill a record up to a size, of `count` tags.
fn filling(count: usize, room: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut left = room;
    for place in 0..count {
        let tag = UNKNOWN + u32::try_from(place).unwrap();
        let mut bytes = Vec::new();
        // The last of them takes what is left; the key and the length take six bytes there.
        let long = if place + 1 == count { left - 6 } else { 20 };
        put_bytes(tag, &vec![b'x'; long], &mut bytes);
        left -= bytes.len();
        fields.push(Field { tag, bytes: bytes.into() });
    }
    assert_eq!(left, 0);
    fields
}

/// The fields that are a register's own.
fn own(record: &Record) -> (usize, usize) {
    let own = record.fields.iter().filter(|standing| standing.field.tag >= 20);
    own.fold((0, 0), |(bytes, fields), standing| (bytes + standing.field.bytes.len(), fields + 1))
}

#[test]
fn what_a_hub_adds_to_a_record_that_is_full_can_be_read_again_and_what_does_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 0);
    let people = residents(&node, community(), 0..3);
    books::amend(&node, people[1], &[("address", &"新华街".repeat(20))]);
    sync(&core, &node, &peer("node", community()));
    let mut mallory = Mallory::at(&core);
    for full in [people[0], people[2]] {
        let (bytes, fields) = own(&at_hub(&core, full));
        // What a newer build has written, and the hub has lost, is taken whatever it is.
        let said = filling(RECORD_FIELDS - fields, RECORD_BYTES - bytes).into_iter();
        let said: Vec<_> = said.map(|field| (field, Mallory::own_word())).collect();
        mallory.offers(full, number::RESIDENT, &said, Vec::new());
        let stands = at_hub(&core, full);
        assert_eq!(own(&stands), (RECORD_BYTES, RECORD_FIELDS));
        // Nor among the numbers of the fields that every record has.
        for tag in [UNKNOWN - 1, 19] {
            let mut bytes = Vec::new();
            put_bytes(tag, &vec![b'x'; 40_000], &mut bytes);
            let more = Field { tag, bytes: bytes.into() };
            mallory.offers(full, number::RESIDENT, &[(more, Mallory::own_word())], Vec::new());
            assert_eq!(at_hub(&core, full), stands, "no more than that: {tag}");
        }
    }
    // A reviewer is told; who takes something out is not hindered by what others put into it.
    let full = people[0];
    let revise = |id: RecordId, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (by, reason) = ("王科长".to_owned(), "更正".to_owned());
        let register = "Resident".to_owned();
        let request = pb::ReviseRequest { record: id.to_string(), register, fields, by, reason, despite: false };
        write(&core, Job::Review(Review::Revise(request))).unwrap()
    };
    let Answer::Refused(why) = revise(full, &[("address", "新华街3号")]) else { panic!("taken") };
    assert!(why.contains("过大"), "{why}");
    let Answer::Reviewed(merged) = write(&core, merge(full, people[1], false)).unwrap() else { panic!("an answer") };
    assert!(merged.failed.len() == 1 && merged.failed[0].contains("过大"), "{:?}", merged.failed);
    assert!(matches!(revise(full, &[("phone", "")]), Answer::Revised(_)));
    // Nor is a clerk who voids it.
    sync(&core, &node, &peer("node", community()));
    books::amend(&node, people[2], &[("state", "2"), ("void_reason", "重复登记")]);
    assert_eq!(sync(&core, &node, &peer("node", community())).refused, 0);

    // The community's code is given up: its new one and where it was are added by a rule.
    let line = UNITS.lines().find(|line| line.starts_with(&community().to_string())).unwrap();
    let changed = UNITS.replace(line, &format!("{line},{},{}", neighbour(), date::iso(core.today())));
    write(&core, Job::Tree(changed, None)).unwrap();
    let moved = at_hub(&core, full);
    assert_eq!(home_unit(&moved), Some(neighbour()));
    assert!(moved.bytes(PAST_HOME).is_some(), "{}", size(&moved));
    everybody_reads(&core, &dir, full);
}

/// Everybody who holds a record has it as the hub does, and the totals are its recount.
fn everybody_reads(core: &std::sync::Arc<taizhang_hub::writer::Core>, dir: &tempfile::TempDir, full: RecordId) {
    for (name, unit) in [("street", street()), ("neighbour", neighbour())] {
        let ledger = office(dir.path(), name, unit, 0);
        sync(core, &ledger, &peer(name, unit));
        assert_sound(core, &ledger);
        assert_eq!(size(&ledger.view(full).unwrap().unwrap()), size(&at_hub(core, full)), "{name}");
    }
}

#[test]
fn a_record_of_a_register_that_nobody_knows_grows_no_further_and_neither_do_the_fields_that_are_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let mut mallory = Mallory::at(&core);
    let id = RecordId([9; 16]);
    let mut home = Vec::new();
    put_varint(HOME_UNIT, community().number(), &mut home);
    let home = Field { tag: HOME_UNIT, bytes: home.into() };
    for tag in 2..6 {
        let mut bytes = Vec::new();
        put_bytes(tag, &vec![b'x'; 60_000], &mut bytes);
        let said = [home.clone(), Field { tag, bytes: bytes.into() }].map(|field| (field, Mallory::own_word()));
        mallory.offers(id, 9_999, &said, Vec::new());
    }
    assert!(size(&at_hub(&core, id)) <= MAX_OF_ALL, "{}", size(&at_hub(&core, id)));
    for round in 0..6 {
        let cleared = (0..500).map(|place| (Field { tag: 30 + round * 500 + place, bytes: bytes::Bytes::new() }, 0));
        let fields: Vec<_> = cleared.collect();
        mallory.push(vec![change::write(id, 9_999, &fields, at(3_000_000), "mallory")]);
    }
    let stands = at_hub(&core, id);
    assert!(stands.fields.len() <= RECORD_FIELDS, "{}", stands.fields.len());
    let street_office = office(dir.path(), "street", street(), 0);
    sync(&core, &street_office, &peer("street", street()));
    assert_sound(&core, &street_office);
}
