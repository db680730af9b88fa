//! Households: closed and joined at once, entered twice, recognised against the facts; and jobs entered twice.

use crate::scene::{FIRST, REASON, REVIEWER, RULE, SECOND, STREET, Scene};
use taizhang_proto::{
    RecordId,
    pb::{self, Choice, ConflictKind, review_server::Review},
    register::number,
};
use taizhang_tests::books;
use tonic::Request;

/// A household whose only member has left is closed by its community while its street adds another member.
async fn closed_and_joined(first: u64, second: u64) -> (Scene, RecordId, RecordId) {
    let scene = Scene::open().await;
    let household = scene.household(FIRST, "户-1", &[]);
    let head = scene.resident(FIRST, 1, &[]);
    let member = scene.member(FIRST, household, head);
    let other = scene.resident(FIRST, 2, &[]);
    scene.meet().await;
    let today = scene.ago(0);
    scene.amend(FIRST, member, &[("to_on", &today)]);
    scene.amend(FIRST, household, &[("status", "4"), ("closed_on", &today), ("closed_reason", "全家迁出")]);
    let added = scene.member(STREET, household, other);
    scene.sync(first).await;
    scene.sync(second).await;
    let conflict = scene.found(ConflictKind::ClosedEdited, household, &["status"]).await;
    assert_eq!(&conflict.other[..], &added.0[..]);
    scene.meet().await;
    scene.all_say(household, "status", "待核实");
    scene.all_say(added, "person", &other.to_string());
    scene.all_remember(household, "status", "销户", "CLOSED", RULE);
    assert_eq!(scene.figure(FIRST, "K00"), 2);
    scene.agrees().await;
    (scene, household, added)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_03_a_household_closed_while_a_member_is_added_is_held_for_review() {
    let (scene, household, added) = closed_and_joined(FIRST, STREET).await;
    let conflict = scene.found(ConflictKind::ClosedEdited, household, &["status"]).await;
    scene.rule(&conflict, Choice::Take).await;
    scene.meet().await;
    scene.all_say(household, "status", "正常");
    scene.all_say(household, "closed_on", "");
    scene.all_say(added, "counted", "是");
    scene.all_remember(household, "status", "待核实", "CLOSED", REVIEWER);
    scene.all_remember(household, "closed_reason", "全家迁出", "CLOSED", REVIEWER);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_03_it_is_the_same_when_the_member_arrives_first_and_the_closing_is_confirmed() {
    let (scene, household, added) = closed_and_joined(STREET, FIRST).await;
    let conflict = scene.found(ConflictKind::ClosedEdited, household, &["status"]).await;
    scene.rule(&conflict, Choice::Keep).await;
    scene.meet().await;
    scene.all_say(household, "status", "销户");
    scene.all_say(household, "closed_reason", "全家迁出");
    scene.all_say(added, "counted", "是");
    scene.all_remember(household, "status", "待核实", "CLOSED", REVIEWER);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_03_an_open_case_blocks_closing_when_it_was_seen_and_holds_the_household_when_it_was_not() {
    let scene = Scene::open().await;
    let today = scene.ago(0);
    let closing = [("status", "4"), ("closed_reason", "全家迁出"), ("closed_on", today.as_str())];
    let seen = scene.household(FIRST, "户-1", &[]);
    scene.case(FIRST, seen, 3);
    let unseen = scene.household(FIRST, "户-2", &[]);
    scene.meet().await;
    let refused = books::refused(scene.ledger(FIRST), number::HOUSEHOLD, Some(seen), &closing);
    assert!(refused.contains("尚有未结的零就业家庭案件"), "{refused}");
    assert!(scene.refused(seen, "Household", &closing).await.contains("尚有未结"), "the district can't either");
    scene.amend(FIRST, unseen, &closing);
    let case = scene.case(STREET, unseen, 3);
    scene.sync(STREET).await;
    scene.sync(FIRST).await;
    let conflict = scene.found(ConflictKind::ClosedEdited, unseen, &["status"]).await;
    assert_eq!(&conflict.other[..], &case.0[..]);
    scene.meet().await;
    scene.all_say(seen, "status", "正常");
    scene.all_say(unseen, "status", "待核实");
    assert_eq!(scene.figure(FIRST, "K05"), 2);
    // Once the case is over it closes; a case that was never recognised does not keep it open for ever.
    let refusing = [("refused_on", today.as_str()), ("refuse_reason", "有人就业")];
    let applied = scene.household(FIRST, "户-3", &[]);
    let of = applied.to_string();
    let case =
        scene.enter(FIRST, number::ZEF_CASE, &[("household", of.as_str()), ("kind", "1"), ("applied_on", &today)]);
    scene.meet().await;
    scene.amend(STREET, case, &refusing);
    scene.meet().await;
    let unnamed = books::refused(scene.ledger(FIRST), number::HOUSEHOLD, Some(applied), &closing[..2]);
    assert!(unnamed.contains("销户必须写明日期"), "{unnamed}");
    scene.amend(FIRST, applied, &closing);
    scene.meet().await;
    scene.all_say(applied, "status", "销户");
    let again = [("household", of.as_str()), ("kind", "1"), ("applied_on", today.as_str())];
    let late = books::refused(scene.ledger(STREET), number::ZEF_CASE, None, &again);
    assert!(late.contains("该户已销户"), "{late}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_04_one_job_entered_with_two_starting_days_counts_from_the_later_until_the_contract_is_seen() {
    let scene = Scene::open().await;
    let household = scene.household(FIRST, "户-1", &[]);
    let person = scene.resident(FIRST, 1, &[]);
    scene.member(FIRST, household, person);
    scene.case(FIRST, household, 30);
    scene.meet().await;
    let job = scene.job(FIRST, person, 12, &[("employer", "抚顺矿业集团")]);
    let twin = scene.job(STREET, person, 8, &[("employer", "抚顺 矿业集团"), ("wage_month", "900")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let conflict = scene.found(ConflictKind::Field, job, &["start_on"]).await;
    assert_eq!((conflict.rule.as_str(), conflict.claims.len()), ("REVIEW", 2));
    let (earlier, later) = (scene.ago(12), scene.ago(8));
    scene.meet().await;
    scene.all_say(twin, "merged_into", &job.to_string());
    scene.all_say(job, "start_on", &later);
    scene.all_say(job, "wage_month", "900");
    scene.all_remember(job, "start_on", &earlier, "SAME_JOB", RULE);
    // Due ten days ago: by the later day the family was a day overdue, by the earlier never.
    let overdue = || [9, 0].map(|days| scene.figure_then(FIRST, "K08", days));
    assert_eq!((overdue(), scene.figure_then(FIRST, "K05", 10)), ([1, 0], 1));

    scene.rule(&conflict, Choice::Take).await;
    scene.meet().await;
    scene.all_say(job, "start_on", &earlier);
    scene.all_remember(job, "start_on", &later, "REVIEW", REVIEWER);
    assert_eq!((overdue(), scene.figure_then(FIRST, "K05", 10)), ([0, 0], 0));
    scene.queue_is_empty().await;

    // The verdict stands: an office can only dispute it.
    scene.amend(FIRST, job, &[("start_on", &scene.ago(15))]);
    scene.sync(FIRST).await;
    let dispute = scene.found(ConflictKind::Field, job, &["start_on"]).await;
    scene.meet().await;
    scene.all_say(job, "start_on", &earlier);
    scene.rule(&dispute, Choice::Keep).await;
    scene.meet().await;
    scene.all_remember(job, "start_on", &scene.ago(15), "REVIEW", REVIEWER);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_04_one_job_entered_twice_with_one_day_is_one_job_without_anybody_deciding() {
    let scene = Scene::open().await;
    let person = scene.resident(FIRST, 1, &[]);
    scene.meet().await;
    let job = scene.job(FIRST, person, 8, &[("employer", "抚顺矿业集团")]);
    let twin = scene.job(STREET, person, 8, &[("employer", "抚顺矿业集团")]);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    scene.queue_is_empty().await;
    assert_eq!(scene.settled_ones(ConflictKind::SameJob).await.len(), 1);
    scene.meet().await;
    scene.all_say(twin, "merged_into", &job.to_string());
    scene.end().await;
}

/// Two households of one hukou book, each with a case: in the first community, and ten days older in the second.
async fn one_book_twice() -> (Scene, RecordId, RecordId) {
    let scene = Scene::open().await;
    let one = scene.household(FIRST, "户-1", &[("hukou_book_no", "0413-22")]);
    let two = scene.household(SECOND, "户-2", &[("hukou_book_no", "0413-22"), ("dibao_no", "低-7")]);
    scene.case(FIRST, one, 30);
    scene.case(SECOND, two, 40);
    scene.sync(FIRST).await;
    scene.sync(SECOND).await;
    let conflict = scene.found(ConflictKind::SameHousehold, two, &["hukou_book_no"]).await;
    assert_eq!((conflict.unit, conflict.other_unit), (SECOND, FIRST));
    let open = |code| (scene.figure(code, "K05"), scene.duplicates(code, "K05"));
    assert_eq!([open(FIRST), open(SECOND), open(STREET)], [(1, 0), (0, 1), (1, 1)]);
    // The younger case: due ten days ago.
    assert_eq!([9, 11, 19].map(|days| scene.figure_then(STREET, "K08", days)), [1, 0, 0]);
    scene.meet().await;
    (scene, one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_two_households_of_one_hukou_book_are_merged_and_the_earlier_case_keeps_its_clock() {
    let (scene, one, two) = one_book_twice().await;
    let conflict = scene.found(ConflictKind::SameHousehold, two, &["hukou_book_no"]).await;
    scene.rule(&conflict, Choice::Merge).await;
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K05")), [1, 0, 1]);
    assert_eq!([9, 11, 19].map(|days| scene.figure_then(STREET, "K08", days)), [1, 1, 1], "due twenty days ago");
    // The second community has not heard.
    scene.amend(SECOND, two, &[("address", "永安台街12号")]);
    scene.meet().await;
    scene.all_say(two, "merged_into", &one.to_string());
    scene.all_say(one, "address", "永安台街12号");
    scene.all_say(one, "dibao_no", "低-7");
    scene.all_say(one, "hh_no", "户-1");
    scene.all_say(two, "hh_no", "户-2");
    scene.queue_is_empty().await;
    scene.agrees().await;

    // Taken back: what came by the merge goes back, what was entered since stays.
    scene.reopen(&conflict).await;
    scene.found(ConflictKind::SameHousehold, two, &["hukou_book_no"]).await;
    scene.meet().await;
    scene.all_say(two, "merged_into", "");
    scene.all_say(one, "dibao_no", "");
    scene.all_say(one, "address", "永安台街12号");
    scene.all_remember(one, "dibao_no", "低-7", "SAME_HOUSEHOLD", REVIEWER);
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K05")), [1, 0, 1]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_a_merge_asked_for_outright_can_be_undone_outright() {
    let (scene, one, two) = one_book_twice().await;
    let ask = |undo| pb::MergeRequest {
        survivor: two.to_string(),
        absorbed: one.to_string(),
        take: vec!["hh_no".into()],
        reason: REASON.into(),
        by: REVIEWER.into(),
        undo,
        despite: false,
    };
    let answer = scene.reviewer().merge(Request::new(ask(false))).await.unwrap().into_inner();
    assert_eq!((answer.settled, answer.failed.len()), (1, 0), "{answer:?}");
    scene.meet().await;
    scene.all_say(one, "merged_into", &two.to_string());
    scene.all_say(two, "hh_no", "户-1");
    scene.all_remember(two, "hh_no", "户-2", "MERGE", REVIEWER);
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K05")), [0, 1, 1]);
    scene.queue_is_empty().await;
    let answer = scene.reviewer().merge(Request::new(ask(true))).await.unwrap().into_inner();
    assert_eq!((answer.settled, answer.failed.len()), (1, 0), "{answer:?}");
    scene.meet().await;
    scene.all_say(one, "merged_into", "");
    scene.all_say(two, "hh_no", "户-2");
    scene.found(ConflictKind::SameHousehold, two, &["hukou_book_no"]).await;
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K05")), [1, 0, 1]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_two_households_that_share_two_adults_are_found_and_merged() {
    let scene = Scene::open().await;
    let persons = [scene.resident(FIRST, 1, &[]), scene.resident(FIRST, 2, &[])];
    scene.meet().await;
    let one = scene.household(FIRST, "户-1", &[]);
    let two = scene.household(STREET, "户-2", &[]);
    for person in persons {
        scene.member(FIRST, one, person);
        scene.member(STREET, two, person);
    }
    scene.case(FIRST, one, 30);
    scene.case(STREET, two, 25);
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    assert_eq!(scene.open_ones(ConflictKind::TwoHouseholds).await.len(), 2);
    let conflict = scene.found(ConflictKind::SameHousehold, two, &[]).await;
    assert_eq!(&conflict.other[..], &one.0[..]);
    scene.rule(&conflict, Choice::Merge).await;
    assert_eq!((scene.figure(STREET, "K05"), scene.figure(FIRST, "K05")), (1, 1));
    scene.meet().await;
    scene.all_say(two, "merged_into", &one.to_string());
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_nobody_is_counted_in_a_household_that_is_void() {
    for voids in [FIRST, STREET] {
        let scene = Scene::open().await;
        let person = scene.resident(FIRST, 1, &[]);
        scene.meet().await;
        let (one, two) = (scene.household(FIRST, "户-1", &[]), scene.household(STREET, "户-2", &[]));
        scene.member(FIRST, one, person);
        let theirs = scene.member(STREET, two, person);
        scene.sync(FIRST).await;
        scene.sync(STREET).await;
        scene.found(ConflictKind::TwoHouseholds, theirs, &["household"]).await;
        let household = if voids == FIRST { one } else { two };
        scene.amend(voids, household, &[("state", "作废"), ("void_reason", "录错")]);
        scene.sync(voids).await;
        scene.queue_is_empty().await;
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_08_a_shared_book_and_shared_adults_are_settled_by_one_merge() {
    let scene = Scene::open().await;
    let persons = [scene.resident(FIRST, 1, &[]), scene.resident(FIRST, 2, &[])];
    scene.meet().await;
    let one = scene.household(FIRST, "户-1", &[("hukou_book_no", "0413-22")]);
    let two = scene.household(STREET, "户-2", &[("hukou_book_no", "0413-22")]);
    for person in persons {
        scene.member(FIRST, one, person);
        scene.member(STREET, two, person);
    }
    scene.sync(FIRST).await;
    scene.sync(STREET).await;
    let open = scene.open_ones(ConflictKind::SameHousehold).await;
    scene.rule(&open[0], Choice::Merge).await;
    scene.queue_is_empty().await;
    scene.end().await;
}

/// Recognised by the community while the street enters a job that a member has had for forty days.
async fn recognised_against_the_facts(first: u64, second: u64) -> (Scene, RecordId, pb::Conflict) {
    let scene = Scene::open().await;
    let household = scene.household(FIRST, "户-1", &[]);
    let person = scene.resident(FIRST, 1, &[]);
    scene.member(FIRST, household, person);
    scene.meet().await;
    let case = scene.case(FIRST, household, 30);
    let job = scene.job(STREET, person, 40, &[("employer", "抚顺石化")]);
    scene.sync(first).await;
    scene.sync(second).await;
    let conflict = scene.found(ConflictKind::Recognition, case, &["recognised_on"]).await;
    assert_eq!(&conflict.other[..], &person.0[..]);
    assert_eq!((scene.figure_then(FIRST, "K05", 30), scene.figure(FIRST, "K08")), (0, 0), "no clock runs");
    scene.meet().await;
    scene.all_say(job, "employer", "抚顺石化");
    scene.all_say(case, "recognised_on", &scene.ago(30));
    scene.agrees().await;
    (scene, case, conflict)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_12_a_recognition_that_a_job_contradicts_runs_no_clock_and_is_withdrawn_with_trace() {
    let (scene, case, conflict) = recognised_against_the_facts(FIRST, STREET).await;
    scene.rule(&conflict, Choice::Revoke).await;
    scene.meet().await;
    scene.all_say(case, "exit_cause", "错认(撤销)");
    scene.all_say(case, "recognised_on", &scene.ago(30));
    let view = scene.ledger(FIRST).view(case).unwrap().unwrap();
    assert_eq!(view.origin(35).unwrap().by, REVIEWER);
    assert_eq!((scene.figure(FIRST, "K05"), scene.figure_then(FIRST, "K05", 30)), (0, 0));
    scene.queue_is_empty().await;
    scene.agrees().await;

    // Taken back, the question is open again.
    scene.reopen(&conflict).await;
    scene.meet().await;
    scene.found(ConflictKind::Recognition, case, &["recognised_on"]).await;
    scene.all_say(case, "exit_cause", "");
    scene.all_remember(case, "exit_cause", "错认(撤销)", "RECOGNITION", REVIEWER);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_12_it_is_the_same_when_the_job_arrives_first_and_a_confirmed_recognition_counts() {
    let (scene, case, conflict) = recognised_against_the_facts(STREET, FIRST).await;
    let recognised = scene.figure(FIRST, "K06");
    scene.rule(&conflict, Choice::Keep).await;
    scene.meet().await;
    scene.all_say(case, "confirmed", "是");
    assert_eq!(scene.figure(FIRST, "K06"), recognised + i64::from(scene.ago(30)[..4] == scene.ago(0)[..4]));
    // Whatever is entered of the job afterwards, it is not asked again.
    scene.amend(FIRST, case, &[("plan", "推荐岗位三次")]);
    scene.meet().await;
    scene.queue_is_empty().await;
    scene.end().await;
}
