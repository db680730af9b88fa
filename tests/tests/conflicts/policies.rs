//! Each policy of a field, on one record, between two offices.

use crate::scene::{FIRST, REVIEWER, RULE, STREET, Scene};
use taizhang_node::desk::{Desk, SaveError};
use taizhang_proto::{
    pb::{Choice, ConflictKind},
    register::number,
};
use taizhang_tests::books;

const MINUTE: i64 = 60_000;

/// Community and street change the places of a post, the community a minute later.
async fn the_street_stands(first: u64, second: u64) {
    let scene = Scene::open().await;
    let post = scene.enter(FIRST, number::POST, &[("post_no", "公-1"), ("places", "1")]);
    scene.meet().await;
    scene.set_clock(FIRST, MINUTE);
    scene.amend(STREET, post, &[("places", "3")]);
    scene.amend(FIRST, post, &[("places", "2"), ("requirement", "男50岁以下")]);
    scene.sync(first).await;
    scene.sync(second).await;
    scene.queue_is_empty().await;
    assert_eq!(scene.settled_ones(ConflictKind::Field).await[0].rule, "SENIOR");
    scene.meet().await;
    scene.all_say(post, "places", "3");
    scene.all_say(post, "requirement", "男50岁以下");
    scene.all_remember(post, "places", "2", "SENIOR", RULE);
    // Whoever has seen what stands may change it.
    scene.amend(FIRST, post, &[("places", "4")]);
    scene.meet().await;
    scene.all_say(post, "places", "4");
    scene.all_remember(post, "places", "3", "", RULE);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_senior_the_street_stands_over_a_later_edit_of_its_community() {
    the_street_stands(FIRST, STREET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_senior_the_street_stands_when_it_arrives_first() {
    the_street_stands(STREET, FIRST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_union_keeps_what_both_added_and_drops_what_either_removed() {
    for order in [[FIRST, STREET], [STREET, FIRST]] {
        let scene = Scene::open().await;
        let id = scene.resident(FIRST, 1, &[("skill", "电工、钳工、烹饪")]);
        scene.meet().await;
        scene.amend(FIRST, id, &[("skill", "电工、烹饪、家政")]);
        scene.amend(STREET, id, &[("skill", "电工、钳工、驾驶")]);
        for office in order {
            scene.sync(office).await;
        }
        scene.queue_is_empty().await;
        scene.meet().await;
        let said = scene.says(FIRST, id, "skill");
        let mut skills: Vec<&str> = said.split('、').collect();
        skills.sort_unstable();
        let mut wanted = ["电工", "家政", "驾驶"];
        wanted.sort_unstable();
        assert_eq!(skills, wanted);
        scene.all_say(id, "skill", &said);
        scene.all_remember(id, "skill", "电工、钳工、烹饪", "", RULE);
        let settled = scene.settled_ones(ConflictKind::Field).await;
        assert_eq!((settled.len(), settled[0].rule.as_str()), (1, "UNION"));
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_owned_what_a_community_says_of_its_own_title_is_a_claim_until_the_district_takes_it() {
    let scene = Scene::open().await;
    let (applied, certified) = (scene.ago(200), scene.ago(100));
    let said = [("stage", "5"), ("applied_on", &applied), ("certified_on", &certified), ("score", "92")];
    let case = scene.enter(FIRST, number::FEC_CASE, &said);
    scene.sync(FIRST).await;
    let claim = scene.found(ConflictKind::Claim, case, &["stage", "score", "certified_on"]).await;
    assert_eq!(scene.figure(FIRST, "K02"), 0);
    scene.meet().await;
    scene.all_say(case, "stage", "申报");
    scene.all_say(case, "score", "");
    scene.all_remember(case, "certified_on", &certified, "OWNED", RULE);
    scene.rule(&claim, Choice::Take).await;
    scene.meet().await;
    scene.all_say(case, "stage", "达标");
    scene.all_say(case, "score", "92");
    scene.all_remember(case, "stage", "申报", "OWNED", REVIEWER);
    assert_eq!(scene.figure(FIRST, "K02"), 1);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_fixed_is_corrected_with_a_reason_only_and_two_corrections_are_a_reviewers() {
    let scene = Scene::open().await;
    let household = scene.household(FIRST, "户-1", &[]);
    scene.meet().await;
    let correction = |number: &str| books::form(number::HOUSEHOLD, household, &[("hh_no", number)]);
    let refused = scene.at(FIRST).desk().save(vec![vec![correction("户-2")]], "test").remove(0);
    let Err(SaveError::Invalid(why)) = refused else { panic!("{refused:?}") };
    assert_eq!(why[0].rule, "fixed");
    books::save(scene.ledger(FIRST), correction("户-2").because("录入笔误"));
    books::save(scene.ledger(STREET), correction("户-3").because("按户口簿更正"));
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let conflict = scene.found(ConflictKind::Field, household, &["hh_no"]).await;
    assert_eq!((conflict.rule.as_str(), conflict.claims.len()), ("FIXED", 2));
    scene.meet().await;
    scene.all_say(household, "hh_no", "户-2");
    scene.all_remember(household, "hh_no", "户-3", "FIXED", RULE);
    scene.all_remember(household, "hh_no", "户-1", "", RULE);
    scene.rule(&conflict, Choice::Take).await;
    scene.meet().await;
    scene.all_say(household, "hh_no", "户-3");
    scene.all_remember(household, "hh_no", "户-2", "FIXED", REVIEWER);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_latest_a_field_cleared_later_is_empty_and_what_it_said_is_remembered() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[("phone2", "13900000000")]);
    scene.meet().await;
    scene.set_clock(STREET, MINUTE);
    scene.amend(FIRST, id, &[("phone2", "13900000001")]);
    scene.amend(STREET, id, &[("phone2", "")]);
    scene.sync(STREET).await;
    scene.sync(FIRST).await;
    scene.meet().await;
    scene.all_say(id, "phone2", "");
    scene.all_remember(id, "phone2", "13900000001", "LATEST", RULE);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn policy_review_of_two_starting_days_of_one_job_the_later_stands_until_somebody_has_decided() {
    let scene = Scene::open().await;
    let person = scene.resident(FIRST, 1, &[]);
    let job = scene.job(FIRST, person, 20, &[("employer", "抚顺石化")]);
    scene.meet().await;
    scene.amend(FIRST, job, &[("start_on", &scene.ago(12))]);
    scene.amend(STREET, job, &[("start_on", &scene.ago(8))]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let conflict = scene.found(ConflictKind::Field, job, &["start_on"]).await;
    scene.meet().await;
    scene.all_say(job, "start_on", &scene.ago(8));
    scene.all_remember(job, "start_on", &scene.ago(12), "REVIEW", RULE);
    scene.rule(&conflict, Choice::Keep).await;
    scene.meet().await;
    scene.all_remember(job, "start_on", &scene.ago(12), "REVIEW", REVIEWER);
    // The reviewer's word now: an office's is a claim.
    scene.amend(STREET, job, &[("start_on", &scene.ago(3))]);
    scene.meet().await;
    scene.all_say(job, "start_on", &scene.ago(8));
    scene.found(ConflictKind::Field, job, &["start_on"]).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_is_what_stood_at_the_ruling_and_not_when_it_was_asked() {
    let scene = Scene::open().await;
    let id = scene.two_names().await;
    let conflict = scene.found(ConflictKind::Field, id, &["name"]).await;
    // The district has looked into it meanwhile, and says something else.
    scene.revise(id, "Resident", &[("name", "赵立德")]).await;
    scene.meet().await;
    scene.rule(&conflict, Choice::Take).await;
    scene.meet().await;
    assert_ne!(scene.says(FIRST, id, "name"), "赵立德");
    scene.reopen(&conflict).await;
    scene.meet().await;
    assert_eq!(scene.says(FIRST, id, "name"), "赵立德");
    scene.rule(&conflict, Choice::Keep).await;
    scene.end().await;
}
