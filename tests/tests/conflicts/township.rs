//! A township settles what lies wholly within it, from its own office and by its own certificate; the district everything.

use crate::scene::{FIRST, REASON, REVIEWER, SECOND, STREET, Scene, unit};
use taizhang_hub::writer::Job;
use taizhang_node::{control::ControlFile, identity::Identity};
use taizhang_proto::{
    RecordId,
    pb::{self, Choice, ConflictKind, review_client::ReviewClient, review_server::Review},
    register::number,
};
use taizhang_tests::books;
use tonic::{Code, Request, Status, transport::Channel};

/// A community of another street.
const OUTSIDE: u64 = 210_402_001_002;
/// Who rules at the street.
const HEAD: &str = "街道李主任";

async fn reviewer_at(scene: &Scene, office: u64) -> ReviewClient<Channel> {
    let control = ControlFile::read(&scene.at(office).dir).unwrap();
    ReviewClient::new(control.connect().await.unwrap())
}

async fn open_at(scene: &Scene, office: u64) -> Vec<pb::ConflictLine> {
    let page = reviewer_at(scene, office).await.conflicts(pb::ConflictQuery::default()).await.unwrap().into_inner();
    assert_eq!(page.open, page.lines.len() as u64);
    page.lines
}

async fn settle(scene: &Scene, conflict: &pb::Conflict, choice: Choice) -> Result<(), String> {
    settle_as(scene, conflict, choice, &[]).await
}

async fn settle_as(
    scene: &Scene,
    conflict: &pb::Conflict,
    choice: Choice,
    fields: &[(&str, &str)],
) -> Result<(), String> {
    let request = pb::ResolveRequest {
        numbers: vec![conflict.number],
        choice: choice.into(),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
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
    let detail =
        reviewer_at(&scene, STREET).await.show(pb::ConflictNumber { number: conflict.number, who: None }).await;
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
    let stands = reopen(&scene, conflict.number).await.unwrap_err();
    assert!(stands.contains("由县区裁定"), "{stands}");
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
    let show = async |number| reviewer_at(&scene, STREET).await.show(pb::ConflictNumber { number, who: None }).await;
    assert_eq!(show(across.number).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(show(claim.number).await.unwrap().into_inner().choices, Vec::<i32>::new());
    assert!(settle(&scene, &across, Choice::Merge).await.unwrap_err().contains("涉及本单位以外"));
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

/// A person of the first community whose name it and the street correct differently.
async fn two_names() -> (Scene, RecordId, pb::Conflict) {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let id = scene.two_names().await;
    let conflict = scene.found(ConflictKind::Field, id, &["name"]).await;
    (scene, id, conflict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_settles_a_second_dispute_over_its_own_ruling() {
    let (scene, id, conflict) = two_names().await;
    settle(&scene, &conflict, Choice::Take).await.unwrap();
    // The community has not heard of it and writes again.
    scene.amend(FIRST, id, &[("name", "赵立辛")]);
    scene.sync(FIRST).await;
    let again = scene.found(ConflictKind::Field, id, &["name"]).await;
    assert_eq!(open_at(&scene, STREET).await[0].settled_by(), pb::Tier::Township);
    settle(&scene, &again, Choice::Keep).await.unwrap();
    scene.meet().await;
    scene.all_say(id, "name", "赵丽新");
    scene.all_remember(id, "name", "赵立辛", "REVIEW", HEAD);
    scene.queue_is_empty().await;
    // Said by the district as well, it is the district's.
    scene.revise(id, "Resident", &[("name", "赵丽新")]).await;
    assert!(reopen(&scene, conflict.number).await.unwrap_err().contains("由县区裁定"));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_ruling_that_the_district_repeats_beside_another_edit_is_the_districts() {
    let (scene, id, conflict) = two_names().await;
    settle(&scene, &conflict, Choice::Take).await.unwrap();
    scene.revise(id, "Resident", &[("name", "赵丽新"), ("phone", "13900000001")]).await;
    assert!(reopen(&scene, conflict.number).await.unwrap_err().contains("由县区裁定"));
    scene.meet().await;
    scene.all_say(id, "name", "赵丽新");
    scene.all_say(id, "phone", "13900000001");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_neither_settles_nor_takes_back_over_what_the_district_said_since() {
    let (scene, id, conflict) = two_names().await;
    scene.revise(id, "Resident", &[("name", "赵丽欣")]).await;
    assert!(settle(&scene, &conflict, Choice::Take).await.unwrap_err().contains("由县区裁定"), "while it was open");
    scene.rule(&conflict, Choice::Keep).await;

    scene.amend(FIRST, id, &[("labour_able", "是")]);
    scene.amend(STREET, id, &[("labour_able", "否")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let able = scene.found(ConflictKind::Field, id, &["labour_able"]).await;
    settle(&scene, &able, Choice::Take).await.unwrap();
    scene.revise(id, "Resident", &[("labour_able", "是")]).await;
    assert!(reopen(&scene, able.number).await.unwrap_err().contains("由县区裁定"), "after its ruling");
    scene.meet().await;
    scene.all_say(id, "name", "赵丽欣");
    scene.all_say(id, "labour_able", "是");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_does_not_call_two_records_distinct_where_a_third_elsewhere_has_a_part_in_it() {
    let scene = Scene::of(&[FIRST, SECOND, STREET, OUTSIDE]).await;
    let elsewhere = scene.resident(OUTSIDE, 1, &[]);
    scene.sync(OUTSIDE).await;
    for office in [FIRST, SECOND] {
        scene.resident(office, 1, &[]);
        scene.sync(office).await;
    }
    scene.meet().await;
    let own: Vec<pb::Conflict> = open_at(&scene, STREET).await.into_iter().filter_map(|line| line.conflict).collect();
    assert_eq!((own.len(), scene.open_ones(ConflictKind::Duplicate).await.len()), (1, 3));
    assert!(settle(&scene, &own[0], Choice::Distinct).await.unwrap_err().contains("他处也有同号登记"));
    assert_eq!(scene.open_ones(ConflictKind::Duplicate).await.len(), 3, "the district still sees all of it");
    settle(&scene, &own[0], Choice::Merge).await.unwrap();
    let left = scene.open_ones(ConflictKind::Duplicate).await;
    assert!(left.iter().all(|one| one.other[..] == elsewhere.0), "{left:?}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_township_does_not_bring_back_a_case_that_only_the_district_may() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let household = scene.household(FIRST, "零-1", &[]);
    let person = scene.resident(FIRST, 1, &[]);
    scene.member(FIRST, household, person);
    let case = scene.case(FIRST, household, 30);
    scene.meet().await;
    scene.amend(FIRST, case, &[("exit_on", &scene.ago(5)), ("exit_cause", "3")]);
    scene.amend(STREET, case, &[("exit_on", &scene.ago(3)), ("exit_cause", "3")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let conflict = scene.found(ConflictKind::Field, case, &["exit_on"]).await;
    let back = settle_as(&scene, &conflict, Choice::Write, &[("exit_on", "")]).await.unwrap_err();
    assert!(back.contains("不由本级办理"), "{back}");
    let other = settle_as(&scene, &conflict, Choice::Write, &[("exit_cause", "7")]).await.unwrap_err();
    assert!(other.contains("不涉及栏目"), "{other}");
    settle_as(&scene, &conflict, Choice::Write, &[("exit_on", &scene.ago(4))]).await.unwrap();
    scene.meet().await;
    scene.all_say(case, "exit_on", &scene.ago(4));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conflict_goes_with_its_record_to_another_township_and_neither_settles_what_both_said() {
    const OTHER_STREET: u64 = 210_402_001_000;
    let scene = Scene::of(&[FIRST, STREET, OUTSIDE, OTHER_STREET]).await;
    let id = scene.two_names().await;
    scene.meet().await;
    assert_eq!(open_at(&scene, STREET).await.len(), 1);
    scene.amend(FIRST, id, &[("transfer_to", &OUTSIDE.to_string())]);
    scene.meet().await;
    let transfer = books::records_of(scene.ledger(OUTSIDE))
        .into_iter()
        .find(|(_, record)| record.register == number::TRANSFER)
        .unwrap();
    scene.amend(OUTSIDE, transfer.0, &[("decision", "1")]);
    scene.meet().await;
    scene.all_say(id, "home_unit", &OUTSIDE.to_string());
    let conflict = scene.open_ones(ConflictKind::Field).await.remove(0);
    assert_eq!((conflict.unit, conflict.moved_to), (FIRST, OUTSIDE));
    assert!(open_at(&scene, STREET).await.is_empty() && open_at(&scene, OTHER_STREET).await.is_empty());
    assert!(settle(&scene, &conflict, Choice::Take).await.unwrap_err().contains("涉及本单位以外"));
    let there = pb::ConflictQuery { unit: OTHER_STREET, ..Default::default() };
    let page = scene.reviewer().conflicts(Request::new(there)).await.unwrap().into_inner();
    assert_eq!(page.lines.len(), 1, "the district finds it where the record is");
    scene.rule(&conflict, Choice::Keep).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_a_townships_own_certificate_opens_the_queue() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let ask = async |identity: &Identity| {
        let mut client = ReviewClient::new(identity.connect().await.unwrap());
        client.conflicts(pb::ConflictQuery::default()).await.map(|page| page.into_inner().open)
    };
    let street = &scene.at(STREET).identity;
    assert_eq!(ask(street).await.unwrap(), 0);
    assert_eq!(ask(&scene.at(FIRST).identity).await.unwrap_err().code(), Code::PermissionDenied);
    let dir = tempfile::tempdir().unwrap();
    let reader = scene.hub().gate().enrol_reader(dir.path(), unit(STREET), "街道工会").await.unwrap();
    assert_eq!(ask(&reader).await.unwrap_err().code(), Code::PermissionDenied, "a reader reads figures");
    let district = Identity::load_if_enrolled(&scene.hub().dir).unwrap().unwrap();
    let above = ReviewClient::new(district.connect().await.unwrap()).conflicts(pb::ConflictQuery::default()).await;
    assert_eq!(above.unwrap_err().code(), Code::PermissionDenied, "a hub is no office");
    let writer = &scene.hub().hub.writer;
    writer
        .write(Job::Retire {
            id: street.name.id.clone(),
            undo: false,
            decided: taizhang_hub::writer::Decided::default(),
        })
        .await
        .unwrap();
    assert_eq!(ask(street).await.unwrap_err().code(), Code::PermissionDenied, "retired");
    writer
        .write(Job::Retire {
            id: street.name.id.clone(),
            undo: true,
            decided: taizhang_hub::writer::Decided::default(),
        })
        .await
        .unwrap();
    assert_eq!(ask(street).await.unwrap(), 0);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_district_has_ruled_is_not_settled_otherwise_by_a_township() {
    let (scene, id, conflict) = two_names().await;
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
