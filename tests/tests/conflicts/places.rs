//! Posts: two townships fill the last place.

use crate::scene::{FIRST, STREET, Scene};
use taizhang_proto::{
    RecordId,
    pb::{Choice, ConflictKind},
    register::number,
};

/// A community of another street of the district.
const ELSEWHERE: u64 = 210_402_005_003;

/// A family recognised as without employment thirty days ago, and its adult.
fn family(scene: &Scene, office: u64, nth: usize) -> RecordId {
    let household = scene.household(office, &format!("户-{nth}"), &[]);
    let person = scene.resident(office, nth, &[]);
    scene.member(office, household, person);
    scene.case(office, household, 30);
    person
}

/// A post of the street with one place, on which two communities of two streets each place somebody while apart:
/// the placement that holds it, and the one that waits.
async fn last_place_twice() -> (Scene, RecordId, RecordId, RecordId) {
    let scene = Scene::of(&[FIRST, STREET, ELSEWHERE]).await;
    let post = scene.enter(STREET, number::POST, &[("post_no", "公-1"), ("kind", "1"), ("places", "1")]);
    let persons = [family(&scene, FIRST, 1), family(&scene, ELSEWHERE, 2)];
    scene.meet().await;
    assert_eq!([FIRST, ELSEWHERE].map(|code| scene.figure(code, "K05")), [1, 1]);
    let on = post.to_string();
    let waits = scene.job(FIRST, persons[0], 5, &[("post", &on)]);
    let holds = scene.job(ELSEWHERE, persons[1], 5, &[("post", &on)]);
    scene.sync(ELSEWHERE).await;
    assert_eq!([FIRST, ELSEWHERE].map(|code| scene.figure(code, "K05")), [1, 0]);
    scene.sync(FIRST).await;
    let conflict = scene.found(ConflictKind::DoubleBooked, waits, &["post"]).await;
    assert_eq!(&conflict.other[..], &post.0[..]);
    assert_eq!([FIRST, ELSEWHERE].map(|code| scene.figure(code, "K05")), [1, 0], "the second is not placed");
    assert_eq!(scene.figure(FIRST, "K08"), 1);
    scene.agrees().await;
    (scene, post, holds, waits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_11_the_last_place_goes_to_whoever_arrived_first_and_the_other_gets_the_next_one() {
    let (scene, _, holds, waits) = last_place_twice().await;
    // The holder was entered by mistake: the place is free.
    scene.amend(ELSEWHERE, holds, &[("state", "2"), ("void_reason", "未到岗")]);
    scene.meet().await;
    assert_eq!([FIRST, ELSEWHERE].map(|code| scene.figure(code, "K05")), [0, 1]);
    scene.queue_is_empty().await;
    scene.all_say(waits, "state", "");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_11_who_waits_starts_when_the_holder_leaves() {
    let (scene, _, holds, waits) = last_place_twice().await;
    let conflict = scene.found(ConflictKind::DoubleBooked, waits, &["post"]).await;
    scene.amend(ELSEWHERE, holds, &[("end_on", &scene.ago(1)), ("end_cause", "2")]);
    scene.sync(ELSEWHERE).await;
    assert_eq!([1, 2].map(|days| scene.figure_then(FIRST, "K05", days)), [0, 1], "from that day on");
    scene.rule_as(&conflict, Choice::Write, &[("start_on", &scene.ago(1))]).await;
    scene.meet().await;
    scene.all_say(waits, "start_on", &scene.ago(1));
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_11_a_waiting_list_that_a_reviewer_has_seen_is_not_shown_again_and_a_second_place_ends_it() {
    let (scene, post, _, waits) = last_place_twice().await;
    let conflict = scene.found(ConflictKind::DoubleBooked, waits, &["post"]).await;
    scene.rule(&conflict, Choice::Keep).await;
    scene.amend(FIRST, waits, &[("wage_month", "600")]);
    scene.meet().await;
    scene.queue_is_empty().await;
    assert_eq!(scene.figure(FIRST, "K05"), 1);
    scene.amend(STREET, post, &[("places", "2")]);
    scene.meet().await;
    assert_eq!(scene.figure(FIRST, "K05"), 0);
    scene.queue_is_empty().await;
    scene.end().await;
}
