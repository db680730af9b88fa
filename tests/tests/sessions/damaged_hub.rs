//! A hub whose store's files were cut or overwritten says so, and its offices tell it everything again.

use crate::pair::{assert_sound, at_hub, community, office, on, peer, phone, residents, save, sync, with_tree};
use std::{
    fs::OpenOptions,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};
use taizhang_hub::{
    engine::FjallStore,
    integrity,
    store::{Space, Store, WriteSet},
    writer::Core,
};
use taizhang_proto::{OrgCode, RecordId};
use taizhang_tests::sim::copy_dir;

fn district() -> OrgCode {
    OrgCode::new(210_402_000_000).unwrap()
}

/// The engine's journals, oldest first.
fn journals(store: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        walk(store).into_iter().filter(|path| path.extension().is_some_and(|of| of == "jnl")).collect();
    found.sort();
    found
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn all_there(core: &Core, people: &[RecordId]) -> bool {
    people.iter().all(|id| core.view().get(Space::Records, &id.0).unwrap().is_some())
}

#[test]
fn a_store_that_was_cut_or_overwritten_is_never_taken_for_whole() {
    let dir = tempfile::tempdir().unwrap();
    let node = office(dir.path(), "node", community(), 900_000);
    let mut people = Vec::new();
    {
        let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, 1_000_000));
        for round in 0..6 {
            people.extend(residents(&node, community(), round * 40..round * 40 + 40));
            assert!(sync(&core, &node, &peer("node", community())).equal);
        }
    }
    let length = std::fs::metadata(journals(&dir.path().join("hub")).pop().unwrap()).unwrap().len();
    let sound = integrity::open(&dir.path().join("hub"), district()).unwrap();
    assert_eq!(sound.incident, "", "a sound store is said to be nothing else");
    drop(sound);
    let mut said = 0;
    for tenth in 1..10 {
        for cut in [true, false] {
            let copy = tempfile::tempdir().unwrap();
            copy_dir(dir.path(), copy.path()).unwrap();
            let journal = journals(&copy.path().join("hub")).pop().unwrap();
            let mut file = OpenOptions::new().write(true).open(&journal).unwrap();
            let at = std::fs::metadata(&journal).unwrap().len().min(length) * tenth / 10;
            if cut {
                file.set_len(at).unwrap();
            } else {
                file.seek(SeekFrom::Start(at)).unwrap();
                file.write_all(&[0; 4096]).unwrap();
            }
            drop(file);
            let opened = integrity::open(&copy.path().join("hub"), district()).unwrap();
            let core = with_tree(on(opened.store, None, 1_000_000));
            if !all_there(&core, &people) {
                assert!(
                    !opened.incident.is_empty(),
                    "cut: {cut}, {tenth}/10: something is missing and nothing is said"
                );
                said += 1;
            }
            // Its office tells it again what is gone.
            let node = office(copy.path(), "node", community(), 950_000);
            assert!(sync(&core, &node, &peer("node", community())).equal, "cut: {cut}, {tenth}/10");
            assert!(all_there(&core, &people), "cut: {cut}, {tenth}/10");
            assert_sound(&core, &node);
        }
    }
    assert!(said > 4, "{said} of 18 damages cost something");
}

#[test]
fn a_part_of_a_store_from_another_day_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub");
    let node = office(dir.path(), "node", community(), 900_000);
    let people = {
        let core = with_tree(on(FjallStore::open(&path).unwrap(), None, 1_000_000));
        let people = residents(&node, community(), 0..20);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        people
    };
    {
        // Rows go without the digest that is kept of them.
        let store = FjallStore::open(&path).unwrap();
        let mut set = WriteSet::default();
        set.remove(Space::Records, people[3].0);
        store.commit(set).unwrap();
    }
    let opened = integrity::open(&path, district()).unwrap();
    assert!(opened.incident.contains("differ"), "{}", opened.incident);
    assert!(
        walk(dir.path()).iter().any(|path| path.to_string_lossy().contains("hub.damaged-")),
        "it was set aside whole"
    );
    let core = with_tree(on(opened.store, None, 1_000_000));
    assert!(sync(&core, &node, &peer("node", community())).equal);
    assert!(all_there(&core, &people));
    assert_sound(&core, &node);
}

#[test]
fn a_row_that_can_not_be_read_ends_no_session_and_costs_the_office_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (node, fresh) =
        (office(dir.path(), "node", community(), 900_000), office(dir.path(), "fresh", community(), 905_000));
    let core = with_tree(on(FjallStore::open(&dir.path().join("hub")).unwrap(), None, 1_000_000));
    let people = residents(&node, community(), 0..20);
    assert!(sync(&core, &node, &peer("node", community())).equal);
    let mut set = WriteSet::default();
    set.put(Space::Records, people[3].0, b"no record".to_vec());
    core.store.commit(set).unwrap();
    assert!(sync(&core, &node, &peer("node", community())).equal, "who has it is told of no difference");
    let report = crate::pair::session(&core, &fresh, &peer("fresh", community())).unwrap();
    assert_eq!(report.pulled, 19, "a new computer gets the others");
    assert_eq!(core.unreadable(), 1);
    assert!(node.view(people[3]).unwrap().is_some());
    assert_eq!(at_hub(&core, people[4]).changes, 1);
    // What is said of it is refused and listed; what comes with it, before and after, is taken.
    save(&node, vec![phone(people[2], "13900000002")]);
    save(&node, vec![phone(people[3], "13900000003")]);
    save(&node, vec![phone(people[4], "13900000004")]);
    let report = crate::pair::session(&core, &node, &peer("node", community())).unwrap();
    assert_eq!((report.pushed, report.refused), (3, 1));
    assert_eq!(node.refused().unwrap().len(), 1);
    let changes = [people[2], people[4]].map(|id| at_hub(&core, id).changes);
    assert_eq!(changes, [2, 2]);
}

#[test]
fn a_row_without_which_no_session_goes_on_is_found_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub");
    let node = office(dir.path(), "node", community(), 900_000);
    for (nth, space) in
        [Space::Feed, Space::Nodes, Space::Verdicts, Space::Units, Space::Own, Space::Sums].into_iter().enumerate()
    {
        let core = with_tree(on(integrity::open(&path, district()).unwrap().store, None, 1_000_000));
        let people = residents(&node, community(), 3 * nth..3 * nth + 3);
        assert!(sync(&core, &node, &peer("node", community())).equal);
        let key = core.view().prefix(space, &[]).next().unwrap().unwrap().0;
        let mut set = WriteSet::default();
        set.put(space, key.to_vec(), vec![0xff; 7]);
        core.store.commit(set).unwrap();
        drop(core);
        let opened = integrity::open(&path, district()).unwrap();
        assert!(opened.incident.contains("can't be read"), "{space:?}: {}", opened.incident);
        let core = with_tree(on(opened.store, None, 1_000_000));
        assert!(sync(&core, &node, &peer("node", community())).equal, "{space:?}");
        assert!(all_there(&core, &people));
        assert_sound(&core, &node);
    }
}
