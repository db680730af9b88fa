//! The reviewer's work: keep, take, write, reopen, many at once; and what a ruling settles for good.

use crate::scene::{FIRST, REASON, REVIEWER, RULE, SECOND, STREET, Scene};
use taizhang_proto::{
    RecordId,
    pb::{self, Choice, ConflictKind, review_server::Review},
};
use tonic::Request;

/// A person whose name community and street correct differently.
async fn two_names() -> (Scene, RecordId, pb::Conflict) {
    let scene = Scene::open().await;
    let id = scene.two_names().await;
    let conflict = scene.found(ConflictKind::Field, id, &["name"]).await;
    assert_eq!((conflict.rule.as_str(), conflict.claims.len()), ("REVIEW", 2));
    scene.meet().await;
    scene.all_say(id, "name", "赵立欣");
    scene.all_remember(id, "name", "赵丽新", "REVIEW", RULE);
    (scene, id, conflict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_review_keep_leaves_what_stands_and_answers_the_claim() {
    let (scene, id, conflict) = two_names().await;
    scene.rule(&conflict, Choice::Keep).await;
    scene.meet().await;
    scene.all_say(id, "name", "赵立欣");
    scene.all_remember(id, "name", "赵丽新", "REVIEW", REVIEWER);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_review_take_sets_the_claim_and_reopening_puts_back_what_stood() {
    let (scene, id, conflict) = two_names().await;
    scene.rule(&conflict, Choice::Take).await;
    scene.meet().await;
    scene.all_say(id, "name", "赵丽新");
    scene.all_remember(id, "name", "赵立欣", "REVIEW", REVIEWER);
    scene.queue_is_empty().await;
    scene.agrees().await;

    scene.reopen(&conflict).await;
    scene.found(ConflictKind::Field, id, &["name"]).await;
    scene.meet().await;
    scene.all_say(id, "name", "赵立欣");
    scene.rule(&conflict, Choice::Keep).await;
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_review_write_sets_the_reviewers_value_and_both_claims_are_remembered() {
    let (scene, id, conflict) = two_names().await;
    scene.rule_as(&conflict, Choice::Write, &[("name", "赵丽欣")]).await;
    scene.meet().await;
    scene.all_say(id, "name", "赵丽欣");
    scene.all_remember(id, "name", "赵立欣", "REVIEW", REVIEWER);
    scene.all_remember(id, "name", "赵丽新", "REVIEW", RULE);
    scene.queue_is_empty().await;
    // An office that edits it again after the ruling reopens nothing of what was ruled.
    scene.amend(FIRST, id, &[("address", "永安台街12号")]);
    scene.meet().await;
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_filter_settles_many_conflicts_at_once_and_no_others() {
    let scene = Scene::open().await;
    let mut people = Vec::new();
    for (nth, office) in [FIRST, FIRST, FIRST, SECOND].into_iter().enumerate() {
        people.push((office, scene.resident(office, nth + 1, &[])));
    }
    scene.meet().await;
    for (office, id) in &people {
        scene.amend(*office, *id, &[("name", "赵立欣"), ("labour_able", "是")]);
        scene.amend(STREET, *id, &[("name", "赵丽新"), ("labour_able", "否")]);
    }
    for office in [FIRST, SECOND, STREET] {
        scene.sync(office).await;
    }
    assert_eq!(scene.open_ones(ConflictKind::Field).await.len(), 8);
    let like = pb::ConflictQuery {
        kinds: vec![ConflictKind::Field.into()],
        unit: FIRST,
        register: "Resident".into(),
        field: "name".into(),
        limit: 1,
        ..Default::default()
    };
    let request = |choice: Choice| pb::ResolveRequest {
        like: Some(like.clone()),
        choice: choice.into(),
        reason: REASON.into(),
        by: REVIEWER.into(),
        ..Default::default()
    };
    let answer = scene.reviewer().resolve(Request::new(request(Choice::Merge))).await.unwrap().into_inner();
    assert_eq!((answer.settled, answer.failed.len()), (0, 3), "not a choice of this kind");
    let answer = scene.reviewer().resolve(Request::new(request(Choice::Take))).await.unwrap().into_inner();
    assert_eq!((answer.settled, answer.failed.len()), (3, 0), "{:?}", answer.failed);
    assert_eq!(scene.open_ones(ConflictKind::Field).await.len(), 5);
    scene.meet().await;
    for (office, id) in &people {
        scene.all_say(*id, "name", if *office == FIRST { "赵丽新" } else { "赵立欣" });
        scene.all_say(*id, "labour_able", "是");
    }
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_finding_that_a_reviewer_let_stand_is_not_raised_again_until_it_is_another() {
    let scene = Scene::open().await;
    let person = scene.resident(FIRST, 1, &[]);
    scene.amend(FIRST, person, &[("death_on", &scene.ago(10))]);
    let job = scene.job(STREET, person, 5, &[("employer", "抚顺石化")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let conflict = scene.found(ConflictKind::LeftButPlaced, job, &["start_on"]).await;
    scene.rule(&conflict, Choice::Keep).await;
    scene.meet().await;
    scene.amend(STREET, job, &[("wage_month", "900")]);
    scene.amend(FIRST, person, &[("address", "永安台街12号")]);
    scene.meet().await;
    scene.queue_is_empty().await;
    assert_eq!(scene.settled_ones(ConflictKind::LeftButPlaced).await.len(), 1);
    scene.reopen(&conflict).await;
    scene.found(ConflictKind::LeftButPlaced, job, &["start_on"]).await;
    scene.end().await;
}
