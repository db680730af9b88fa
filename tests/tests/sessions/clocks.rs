//! What was entered by a clock that was right stays of its day, though the computer's clock is wrong when it is sent.

use crate::pair::{at_hub, community, office, on, peer, residents, save, sync, tag, with_tree};
use taizhang_hub::store::FjallStore;
use taizhang_node::desk::Draft;
use taizhang_proto::{
    RecordId,
    register::{Value, number},
    stamp::Stamp,
};

const DAY: u64 = 86_400_000;

#[test]
fn a_clock_that_went_wrong_over_night_dates_nothing_that_was_entered_before() {
    let right = 100 * DAY;
    for wrong in [300 * DAY, 0] {
        let dir = tempfile::tempdir().unwrap();
        let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, right));
        let own = peer("node", community());
        let node = office(dir.path(), "node", community(), right);
        let first = residents(&node, community(), 0..1)[0];
        sync(&core, &node, &own);
        let before = residents(&node, community(), 1..3);
        drop(node);

        let node = office(dir.path(), "node", community(), wrong);
        let after = residents(&node, community(), 3..4);
        save(&node, vec![Draft::new(first, number::RESIDENT).with(tag("name"), Value::Text("李四".into()))]);
        sync(&core, &node, &own);
        let stamped = |id: RecordId, field: &str| Stamp(at_hub(&core, id).origin(tag(field)).unwrap().stamp).millis();
        let days = |id: RecordId, field: &str| stamped(id, field).abs_diff(core.now() * 1_000) / DAY;
        assert_eq!(before.iter().map(|id| days(*id, "name")).collect::<Vec<_>>(), [0, 0], "{wrong}");
        assert_eq!((days(after[0], "name"), days(first, "name")), (0, 0), "{wrong}");
    }
}
