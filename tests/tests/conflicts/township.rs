//! A township settles what lies wholly within it, from its own office and by its own certificate; the district everything.

use crate::scene::{FIRST, REASON, REVIEWER, SECOND, STREET, Scene};
use taizhang_node::control::{Bearer, ControlFile};
use taizhang_proto::{
    pb::{self, Choice, ConflictKind, review_client::ReviewClient},
    register::number,
};
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};

/// A community of another street.
const OUTSIDE: u64 = 210_402_001_002;
/// Who rules at the street.
const HEAD: &str = "街道李主任";

async fn reviewer_at(scene: &Scene, office: u64) -> ReviewClient<InterceptedService<Channel, Bearer>> {
    let control = ControlFile::read(&scene.at(office).dir).unwrap();
    ReviewClient::new(control.connect().await.unwrap())
}

async fn open_at(scene: &Scene, office: u64) -> Vec<pb::ConflictLine> {
    let page = reviewer_at(scene, office).await.conflicts(pb::ConflictQuery::default()).await.unwrap().into_inner();
    assert_eq!(page.open, page.lines.len() as u64);
    page.lines
}

async fn settle(scene: &Scene, conflict: &pb::Conflict, choice: Choice) -> Result<(), String> {
    let request = pb::ResolveRequest {
        numbers: vec![conflict.number],
        choice: choice.into(),
        reason: REASON.into(),
        by: HEAD.into(),
        ..Default::default()
    };
    let answer = reviewer_at(scene, STREET).await.resolve(request).await.unwrap().into_inner();
    answer.failed.into_iter().next().map_or(Ok(()), Err)
}

async fn reopen(scene: &Scene, number: u64) -> Result<(), String> {
    let request = pb::ReopenRequest { number, reason: REASON.into(), by: HEAD.into() };
    let answer = reviewer_at(scene, STREET).await.reopen(request).await.unwrap().into_inner();
    answer.failed.into_iter().next().map_or(Ok(()), Err)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_merges_a_person_registered_in_two_of_its_communities_and_takes_it_back() {
    let scene = Scene::of(&[FIRST, STREET, SECOND]).await;
    let earlier = scene.resident(FIRST, 1, &[]);
    scene.sync(FIRST).await;
    let later = scene.resident(SECOND, 1, &[("phone", "52301234")]);
    scene.meet().await;
    let conflict = scene.found(ConflictKind::Duplicate, later, &["id_no"]).await;
    let lines = open_at(&scene, STREET).await;
    assert_eq!(
        lines.iter().map(|line| (line.settled_by(), line.conflict.as_ref().unwrap().number)).collect::<Vec<_>>(),
        [(pb::Tier::Township, conflict.number)]
    );
    let detail = reviewer_at(&scene, STREET).await.show(pb::ConflictNumber { number: conflict.number }).await;
    let detail = detail.unwrap().into_inner();
    assert_eq!(detail.choices().collect::<Vec<_>>(), [Choice::Merge, Choice::Distinct]);
    assert!(detail.sides.iter().any(|side| side.values.iter().any(|fact| fact.value == "52301234")));

    settle(&scene, &conflict, Choice::Merge).await.unwrap();
    // The street's office has it at once: what was settled is brought home.
    assert_eq!(scene.says(STREET, later, "merged_into"), earlier.to_string());
    scene.queue_is_empty().await;
    let ruled = scene.settled_ones(ConflictKind::Duplicate).await.remove(0);
    let ruling = ruled.ruling.unwrap();
    assert_eq!((ruling.by.as_str(), ruling.unit, ruling.reason.as_str()), (HEAD, STREET, REASON));
    scene.agrees().await;
    assert_eq!((scene.figure(STREET, "K00"), scene.duplicates(STREET, "K00")), (1, 0));

    reopen(&scene, conflict.number).await.unwrap();
    scene.found(ConflictKind::Duplicate, later, &["id_no"]).await;
    assert_eq!(scene.says(STREET, later, "merged_into"), "");
    scene.rule(&conflict, Choice::Distinct).await;
    assert!(
        reopen(&scene, conflict.number).await.unwrap_err().contains("不是本单位裁定"),
        "the district's ruling stands"
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_neither_sees_what_lies_outside_nor_settles_what_is_the_districts() {
    let scene = Scene::of(&[FIRST, STREET, OUTSIDE]).await;
    // Registered here and in another street.
    scene.resident(OUTSIDE, 1, &[]);
    scene.sync(OUTSIDE).await;
    let here = scene.resident(FIRST, 1, &[]);
    scene.sync(FIRST).await;
    let across = scene.found(ConflictKind::Duplicate, here, &["id_no"]).await;
    // A community's word on a title, which the district gives.
    let case = scene.enter(FIRST, number::FEC_CASE, &[("applied_on", &scene.ago(30)), ("stage", "1")]);
    scene.sync(FIRST).await;
    scene.amend(FIRST, case, &[("stage", "5"), ("certified_on", &scene.ago(1))]);
    scene.sync(FIRST).await;
    let claim = scene.open_ones(ConflictKind::Claim).await.remove(0);

    let lines = open_at(&scene, STREET).await;
    let seen: Vec<u64> = lines.iter().map(|line| line.conflict.as_ref().unwrap().number).collect();
    assert_eq!(seen, [claim.number], "what lies wholly within, whoever settles it");
    assert_eq!(lines[0].settled_by(), pb::Tier::District);
    let show = async |number| reviewer_at(&scene, STREET).await.show(pb::ConflictNumber { number }).await;
    assert_eq!(show(across.number).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(show(claim.number).await.unwrap().into_inner().choices, Vec::<i32>::new());
    assert!(settle(&scene, &across, Choice::Merge).await.unwrap_err().contains("由县区裁定"));
    assert!(settle(&scene, &claim, Choice::Take).await.unwrap_err().contains("由县区裁定"));
    let like = pb::ResolveRequest {
        like: Some(pb::ConflictQuery { kinds: vec![ConflictKind::Duplicate.into()], ..Default::default() }),
        choice: Choice::Merge.into(),
        reason: REASON.into(),
        by: HEAD.into(),
        ..Default::default()
    };
    let answer = reviewer_at(&scene, STREET).await.resolve(like).await.unwrap().into_inner();
    assert_eq!((answer.settled, answer.failed.len()), (0, 0), "a filter finds nothing of others");
    let elsewhere = pb::ConflictQuery { unit: OUTSIDE, ..Default::default() };
    let why = reviewer_at(&scene, STREET).await.conflicts(elsewhere).await.unwrap_err();
    assert!(why.message().contains("不在本单位之内"), "{why}");

    let merge =
        pb::MergeRequest { survivor: here.to_string(), by: HEAD.into(), reason: REASON.into(), ..Default::default() };
    assert_eq!(reviewer_at(&scene, STREET).await.merge(merge).await.unwrap_err().code(), Code::PermissionDenied);
    let revise =
        pb::ReviseRequest { record: case.to_string(), by: HEAD.into(), reason: REASON.into(), ..Default::default() };
    assert_eq!(reviewer_at(&scene, STREET).await.revise(revise).await.unwrap_err().code(), Code::PermissionDenied);
    let community: Status = reviewer_at(&scene, FIRST).await.conflicts(pb::ConflictQuery::default()).await.unwrap_err();
    assert_eq!(community.code(), Code::PermissionDenied, "a community rules on nothing");
    assert_eq!(
        scene.open_ones(ConflictKind::Duplicate).await.len() + scene.open_ones(ConflictKind::Claim).await.len(),
        2
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_district_has_ruled_is_not_settled_otherwise_by_a_township() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let id = scene.resident(FIRST, 1, &[]);
    scene.meet().await;
    scene.amend(FIRST, id, &[("name", "赵立欣")]);
    scene.amend(STREET, id, &[("name", "赵丽新")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let conflict = scene.found(ConflictKind::Field, id, &["name"]).await;
    settle(&scene, &conflict, Choice::Take).await.unwrap();
    scene.meet().await;
    scene.all_say(id, "name", "赵丽新");
    scene.all_remember(id, "name", "赵立欣", "REVIEW", HEAD);
    // Ruled otherwise by the district, which nobody below has heard of when the community writes again.
    reopen(&scene, conflict.number).await.unwrap();
    scene.rule_as(&conflict, Choice::Write, &[("name", "赵丽欣")]).await;
    scene.amend(FIRST, id, &[("name", "赵立辛")]);
    scene.sync(FIRST).await;
    let again = scene.found(ConflictKind::Field, id, &["name"]).await;
    assert!(settle(&scene, &again, Choice::Take).await.unwrap_err().contains("由县区裁定"));
    scene.rule(&again, Choice::Keep).await;
    scene.meet().await;
    scene.all_say(id, "name", "赵丽欣");
    scene.all_remember(id, "name", "赵立辛", "REVIEW", REVIEWER);
    scene.end().await;
}
