//! Records that were damaged in silence come back from the hub in the session that notices.

use crate::pair::{assert_sound, at_hub, community, hub, office, peer, phone, residents, save, session, sync, tag};
use prost::Message;
use std::path::Path;
use taizhang_hub::{rows::NodeRow, store::Space, writer::Core};
use taizhang_node::store::{Engine, Store};
use taizhang_proto::{Record, RecordId, digest::Item, wire::Field};

fn record_key(id: RecordId) -> Vec<u8> {
    [b"r".as_slice(), &id.0].concat()
}

/// Changes records in an office's store behind its back, with the digest that fits: nothing notices at the next start.
fn damage(dir: &Path, ids: &[RecordId], mut how: impl FnMut(Record) -> Option<Record>) {
    let (store, state) = Store::open(&dir.join("store"), Engine::default()).unwrap();
    let mut state = state.unwrap();
    let mut digest = state.digest();
    let mut rows = sled::Batch::default();
    for id in ids {
        let old = store.record(*id).unwrap().unwrap();
        digest.remove(Item::record(*id, &old.encode()));
        if let Some(new) = how(old) {
            digest.add(Item::record(*id, &new.encode()));
            rows.insert(record_key(*id), new.encode());
        } else {
            state.count -= 1;
            rows.remove(record_key(*id));
        }
    }
    state.scope_digest = digest.to_bytes().to_vec();
    rows.insert(b"m".as_slice(), state.encode_to_vec());
    store.apply(rows).unwrap();
    store.flush().unwrap();
}

fn other_phone(mut record: Record) -> Record {
    let phone = record.fields.iter_mut().find(|standing| standing.field.tag == tag("phone")).unwrap();
    let mut bytes = phone.field.bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    phone.field = Field { tag: phone.field.tag, bytes: bytes.into() };
    record
}

/// With a revision that no hub gave: newer than the hub's own copy.
fn newer(record: Record) -> Record {
    let mut record = other_phone(record);
    record.origins.last_mut().unwrap().revision += 1_000_000;
    record
}

fn incidents(core: &Core) -> u64 {
    let row = core.view().get(Space::Nodes, b"node").unwrap().unwrap();
    NodeRow::decode(row).unwrap().incidents
}

#[test]
fn records_damaged_in_silence_are_repaired_without_pulling_everything() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let peer = peer("node", community());
    let ids = {
        let node = office(dir.path(), "node", community(), 0);
        let ids = residents(&node, community(), 0..3_000);
        assert!(sync(&core, &node, &peer).equal);
        ids
    };
    let path = dir.path().join("node");
    damage(&path, &ids[100..103], |record| Some(other_phone(record)));
    damage(&path, &ids[1_500..1_502], |record| Some(newer(record)));
    damage(&path, &ids[2_999..], |_| None);
    let node = office(dir.path(), "node", community(), 1_000_000);
    let report = session(&core, &node, &peer).unwrap();
    println!("repaired {} of {} records, pulled {}", report.repaired, ids.len(), report.pulled);
    assert!(report.equal, "in the same session");
    assert_eq!((report.repaired, report.pulled), (6, 6));
    assert_sound(&core, &node);
    let state = node.state();
    assert_eq!((state.incidents, state.rebuild, state.count), (1, false, 3_000));
    assert!(state.last_incident.starts_with("6条记录"), "{}", state.last_incident);
    assert_eq!(incidents(&core), 1);
    assert!(ids.iter().all(|id| node.view(*id).unwrap().unwrap() == at_hub(&core, *id)));
    assert_eq!(session(&core, &node, &peer).unwrap().round_trips, 1, "nothing is left to say");
    assert_eq!((node.state().incidents, incidents(&core)), (1, 1), "counted once");
}

#[test]
fn a_pending_edit_of_a_damaged_record_is_kept_and_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let peer = peer("node", community());
    let ids = {
        let node = office(dir.path(), "node", community(), 0);
        let ids = residents(&node, community(), 0..50);
        assert!(sync(&core, &node, &peer).equal);
        ids
    };
    damage(&dir.path().join("node"), &ids[..1], |mut record| {
        record.changes += 1;
        Some(record)
    });
    let node = office(dir.path(), "node", community(), 1_000_000);
    save(&node, vec![phone(ids[0], "13900000000"), phone(ids[1], "13900000001")]);
    let report = session(&core, &node, &peer).unwrap();
    assert!(report.equal);
    assert_eq!((report.pushed, report.accepted, report.repaired), (2, 2, 1));
    assert_eq!(at_hub(&core, ids[0]).slice(tag("phone")).unwrap(), b"13900000000");
    assert_sound(&core, &node);
}

#[test]
fn a_record_that_the_hub_does_not_give_goes() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let peer = peer("node", community());
    {
        let node = office(dir.path(), "node", community(), 0);
        residents(&node, community(), 0..50);
        assert!(sync(&core, &node, &peer).equal);
    }
    let stray = RecordId::create(1_790_000_000_500, [7; 10]);
    {
        let (store, state) = Store::open(&dir.path().join("node/store"), Engine::default()).unwrap();
        let (mut state, mut digest) = state.map(|state| (state.clone(), state.digest())).unwrap();
        let copy = store.scan(b"r").next().unwrap().unwrap().1;
        digest.add(Item::record(stray, &copy));
        (state.count, state.scope_digest) = (state.count + 1, digest.to_bytes().to_vec());
        let mut rows = sled::Batch::default();
        rows.insert(record_key(stray), copy.as_ref());
        rows.insert(b"m".as_slice(), state.encode_to_vec());
        store.apply(rows).unwrap();
        store.flush().unwrap();
    }
    let node = office(dir.path(), "node", community(), 1_000_000);
    let report = session(&core, &node, &peer).unwrap();
    assert!(report.equal);
    assert_eq!(report.repaired, 1);
    assert_eq!(node.view(stray).unwrap(), None);
    assert_sound(&core, &node);
}
