//! What a hub keeps beside a record by its own hand stays within what a field may hold, so that it can be told again.

use crate::pair::{assert_sound, at_hub, community, hub, office, on, peer, residents, save, sync, tag, with_tree};
use taizhang_hub::engine::FjallStore;
use taizhang_node::desk::Draft;
use taizhang_proto::{
    register::{PAST_VERIFIED, Value, number},
    wire,
};

#[test]
fn a_person_verified_many_times_is_told_again_to_a_hub_that_lost_its_store() {
    let dir = tempfile::tempdir().unwrap();
    let node = office(dir.path(), "node", community(), 0);
    let people = residents(&node, community(), 0..1);
    let (kept, secret) = {
        let core = hub(dir.path());
        sync(&core, &node, &peer("node", community()));
        for ago in (1..=90).rev() {
            let verified = Value::Day(core.today() - ago);
            save(&node, vec![Draft::new(people[0], number::RESIDENT).with(tag("verified_on"), verified)]);
        }
        sync(&core, &node, &peer("node", community()));
        (at_hub(&core, people[0]), core.lineage.secret())
    };
    let days = wire::occurrences(kept.bytes(PAST_VERIFIED).unwrap()).count();
    assert_eq!(days, 64, "the oldest have gone");
    let store = FjallStore::open(&dir.path().join("other")).unwrap();
    let core = with_tree(on(store, Some(secret), 2_000_000));
    sync(&core, &node, &peer("node", community()));
    assert_eq!(node.refused().unwrap().len(), 0, "{:?}", node.refused().unwrap());
    assert_eq!(at_hub(&core, people[0]).bytes(PAST_VERIFIED), kept.bytes(PAST_VERIFIED));
    assert_sound(&core, &node);
}
