//! Computers: a wrong clock, a restored backup, one file imported twice.

use crate::scene::{FIRST, RULE, SECOND, STREET, Scene};
use taizhang_node::exchange::{self, Options, Report, Source};
use taizhang_proto::{
    Record, RecordId,
    date::{Day, iso},
    pb::{self, Choice, ConflictKind, review_server::Review},
    register::number,
    stamp::Stamp,
};
use taizhang_tests::sim::copy_dir;
use tonic::Request;

const MINUTE: i64 = 60_000;
const YEAR: i64 = 365 * 24 * 60 * MINUTE;

/// What the district is told of an office's clock, in milliseconds ahead.
fn skew(scene: &Scene, office: u64) -> i64 {
    scene.hub().child(&scene.at(office).identity.name.id).unwrap().skew_millis
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_06_an_entry_by_a_clock_years_ahead_is_taken_and_does_not_win_for_ever() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[("phone", "13900000000")]);
    scene.meet().await;
    scene.set_clock(FIRST, 3 * YEAR);
    scene.amend(FIRST, id, &[("phone", "13900000001"), ("train_wish", "家政")]);
    // Truly later.
    scene.set_clock(STREET, MINUTE);
    scene.amend(STREET, id, &[("phone", "13900000002")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    scene.meet().await;
    scene.all_say(id, "phone", "13900000002");
    scene.all_say(id, "train_wish", "家政");
    scene.all_remember(id, "phone", "13900000001", "LATEST", RULE);
    assert!((skew(&scene, FIRST) - 3 * YEAR).abs() < 10 * MINUTE, "{}", skew(&scene, FIRST));
    let today: Day = scene.hub().hub.core.today();
    assert_eq!(scene.ledger(FIRST).business_day(), today, "the office works with the hub's day");

    // The clock set right, the next stamps of the office are still in order with its own and with everybody's.
    scene.set_clock(FIRST, 0);
    scene.set_clock(STREET, 0);
    scene.amend(FIRST, id, &[("phone", "13900000003")]);
    scene.meet().await;
    scene.all_say(id, "phone", "13900000003");
    assert!(skew(&scene, FIRST).abs() < MINUTE);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_06_an_entry_by_a_clock_years_behind_is_taken_and_does_not_always_lose() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[("phone", "13900000000")]);
    scene.meet().await;
    scene.set_clock(STREET, -MINUTE);
    scene.amend(STREET, id, &[("phone", "13900000002")]);
    // Truly later, by a minute.
    scene.set_clock(FIRST, -3 * YEAR);
    scene.sync(FIRST).await;
    scene.amend(FIRST, id, &[("phone", "13900000001")]);
    // The office fills in the day of registration by its clock.
    let by_it = |days: i64| iso(scene.hub().hub.core.today() - (3 * YEAR / MINUTE / (24 * 60)) as Day + days as Day);
    let new = scene.resident(FIRST, 2, &[("registered_on", &by_it(0))]);
    scene.sync(STREET).await;
    scene.sync(FIRST).await;
    scene.meet().await;
    scene.all_say(id, "phone", "13900000001");
    scene.all_remember(id, "phone", "13900000002", "LATEST", RULE);
    scene.all_say(new, "name", "赵立新");
    // It is asked again when that happened, at every office that holds it, and nobody else's entry is.
    let asked = |office: u64| {
        let items = scene.at(office).office.doubtful(0, &[]).unwrap().items.into_iter();
        items.filter(|item| item.code == "wrong_clock").map(|item| (item.record, item.what)).collect::<Vec<_>>()
    };
    let days = 3 * YEAR / MINUTE / (24 * 60);
    assert_eq!(asked(STREET).len(), 1);
    assert_eq!(asked(FIRST)[0].0, new.to_string());
    assert!(asked(FIRST)[0].1.contains(&format!("慢{days}天")), "{:?}", asked(FIRST));
    // What was filled in goes on being asked about, whatever else is said.
    scene.amend(FIRST, new, &[("effective_on", "2008-03-20")]);
    scene.meet().await;
    assert_eq!(asked(STREET).len(), 1);
    scene.amend(FIRST, new, &[("registered_on", &by_it(900))]);
    scene.meet().await;
    assert_eq!((asked(FIRST), asked(STREET)), (vec![], vec![]));
    assert!((skew(&scene, FIRST) + 3 * YEAR).abs() < 10 * MINUTE, "{}", skew(&scene, FIRST));
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_06_a_clock_set_right_dates_what_is_entered_today_and_what_was_entered_before() {
    const DAYS: i64 = 200 * 24 * 60 * MINUTE;
    let scene = Scene::open().await;
    let today: Day = scene.hub().hub.core.today();
    let now = || scene.hub().hub.core.now() * 1_000;
    let stamped = |id: RecordId| {
        let view = scene.hub().hub.core.view();
        let row = view.get(taizhang_hub::store::Space::Records, &id.0).unwrap().unwrap();
        Stamp(Record::decode(row).unwrap().origin(1).unwrap().stamp).millis()
    };
    // Ahead, told so, set right: today's entry is today's.
    scene.set_clock(FIRST, DAYS);
    scene.sync(FIRST).await;
    scene.set_clock(FIRST, 0);
    assert_eq!(scene.ledger(FIRST).business_day(), today);
    let id = scene.resident(FIRST, 1, &[]);
    scene.sync(FIRST).await;
    assert!(stamped(id).abs_diff(now()) < 10 * MINUTE as u64);
    let own = scene.ledger(FIRST).view(id).unwrap().unwrap().origin(1).unwrap().stamp;
    assert!(Stamp(own).millis().abs_diff(now()) < 10 * MINUTE as u64);

    // Behind, told so, an entry, set right, and only then a session: the entry is of today all the same.
    scene.set_clock(FIRST, -DAYS);
    scene.sync(FIRST).await;
    let id = scene.resident(FIRST, 2, &[]);
    scene.set_clock(FIRST, 0);
    scene.sync(FIRST).await;
    assert!(stamped(id).abs_diff(now()) < 10 * MINUTE as u64, "{} {}", stamped(id), now());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_07_an_office_restored_from_a_backup_that_uses_its_numbers_again_loses_nothing() {
    let scene = Scene::open().await;
    let backup = tempfile::tempdir().unwrap();
    let before = scene.resident(FIRST, 1, &[("phone", "13900000000")]);
    scene.sync(FIRST).await;
    let unsent = scene.resident(FIRST, 2, &[]);
    let scene = scene.with_first_reopened(|dir| Ok(copy_dir(dir, backup.path())?)).await;
    // After the backup: what was unsent then goes up, and two entries more.
    let lost = scene.resident(FIRST, 3, &[]);
    scene.amend(FIRST, before, &[("phone", "13900000001")]);
    scene.meet().await;
    let head = scene.ledger(FIRST).state().head;
    assert_eq!(scene.figure(FIRST, "K00"), 3);

    let mut scene = scene
        .with_first_reopened(|dir| {
            std::fs::remove_dir_all(dir)?;
            Ok(copy_dir(backup.path(), dir)?)
        })
        .await;
    assert!(!scene.holds(FIRST, lost));
    // The disk is back in time; the next entries get the numbers of the lost ones.
    let reused = scene.resident(FIRST, 4, &[]);
    scene.amend(FIRST, before, &[("address", "永安台街12号")]);
    assert_eq!(scene.ledger(FIRST).state().head, head);
    scene.meet().await;
    scene.incidents = 1;
    for id in [before, unsent, lost, reused] {
        assert!(scene.holds(FIRST, id) && scene.holds(STREET, id));
    }
    scene.all_say(before, "phone", "13900000001");
    scene.all_say(before, "address", "永安台街12号");
    scene.all_remember(before, "phone", "13900000000", "", RULE);
    assert_eq!(scene.figure(FIRST, "K00"), 4);
    let row = scene.hub().child(&scene.at(FIRST).identity.name.id).unwrap();
    assert_eq!((row.past.len(), row.incidents), (1, 1), "the district is told");
    scene.queue_is_empty().await;
    scene.end().await;
}

/// A list of so many persons as it comes from the old program.
fn roster(scene: &Scene, persons: usize) -> Vec<u8> {
    let rows = (1..=persons).map(|nth| format!("{},赵立新,1390000{nth:04}\n", scene.id_no(nth)));
    std::iter::once("AAC002,AAC003,AAC067\n".to_owned()).chain(rows).collect::<String>().into_bytes()
}

fn import(scene: &Scene, office: u64, content: &[u8]) -> Report {
    let options = Options { by: "test".into(), ..Options::default() };
    let source = Source { file_name: "laodong99.csv", content };
    exchange::import(&scene.at(office).desk(), &source, &options, &mut |_, _| {}).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_14_a_file_imported_again_changes_nothing_and_in_two_stations_each_person_counts_once() {
    let scene = Scene::open().await;
    let file = roster(&scene, 5);
    assert_eq!(import(&scene, FIRST, &file).new_rows, 5);
    scene.meet().await;
    let again = import(&scene, FIRST, &file);
    assert_eq!((again.new_rows, again.changed_rows, again.same_rows), (0, 0, 5));
    assert_eq!(scene.sync(FIRST).await.pushed, 0);

    assert_eq!(import(&scene, SECOND, &file).new_rows, 5);
    scene.meet().await;
    let open = scene.open_ones(ConflictKind::Duplicate).await;
    assert_eq!(open.len(), 5);
    assert!(open.iter().all(|one| (one.unit, one.other_unit) == (SECOND, FIRST)));
    let counted = |code| (scene.figure(code, "K00"), scene.duplicates(code, "K00"));
    assert_eq!([FIRST, SECOND, STREET].map(counted), [(5, 0), (0, 5), (5, 5)]);

    // All at once.
    let request = pb::ResolveRequest {
        like: Some(pb::ConflictQuery {
            kinds: vec![ConflictKind::Duplicate.into()],
            unit: SECOND,
            ..Default::default()
        }),
        choice: Choice::Merge.into(),
        reason: "同一份表导入两次".into(),
        by: crate::scene::REVIEWER.into(),
        ..Default::default()
    };
    let answer = scene.reviewer().resolve(Request::new(request)).await.unwrap().into_inner();
    assert_eq!((answer.settled, answer.failed.len()), (5, 0), "{:?}", answer.failed);
    scene.meet().await;
    scene.queue_is_empty().await;
    assert_eq!([FIRST, SECOND, STREET].map(counted), [(5, 0), (0, 0), (5, 0)]);
    assert_eq!(scene.ledger(SECOND).ids(number::RESIDENT).unwrap().len(), 5, "nothing is erased");
    // A third time, after the merge.
    let third = import(&scene, FIRST, &file);
    assert_eq!((third.new_rows, third.changed_rows, third.same_rows), (0, 0, 5));
    scene.end().await;
}
