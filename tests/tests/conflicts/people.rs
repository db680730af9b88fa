//! Persons: registered twice, edited twice, sent elsewhere, corrected, voided, dead.

use crate::scene::{FIRST, REVIEWER, RULE, SECOND, STREET, Scene};
use taizhang_node::{
    desk::{Desk, Draft, SaveError},
    ledger::LedgerDesk,
};
use taizhang_proto::{
    RecordId,
    pb::{Choice, ConflictKind},
    register::{Value, number},
};

const MINUTE: i64 = 60_000;

/// A person that both communities registered while apart, each with a phone number, the second with a spell of
/// unemployment: the first one's record and the second's.
async fn registered_twice() -> (Scene, RecordId, RecordId) {
    let scene = Scene::open().await;
    let one = scene.resident(FIRST, 1, &[("phone", "13900000001")]);
    let two = scene.resident(SECOND, 1, &[("phone", "13900000002"), ("address", "永安台街12号")]);
    let (person, day) = (two.to_string(), scene.ago(9));
    scene.enter(SECOND, number::UNEMPLOYMENT_SPELL, &[("person", &person), ("reg_on", &day)]);
    scene.sync(FIRST).await;
    scene.sync(SECOND).await;
    (scene, one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_01_a_person_registered_in_two_communities_counts_once_and_is_merged_by_a_reviewer() {
    let (scene, one, two) = registered_twice().await;
    let conflict = scene.found(ConflictKind::Duplicate, two, &["id_no"]).await;
    assert_eq!((conflict.unit, conflict.other_unit), (SECOND, FIRST));
    assert_eq!((&conflict.other[..], conflict.claims.len()), (&one.0[..], 2));
    let counted = |code| (scene.figure(code, "K00"), scene.duplicates(code, "K00"), scene.figure(code, "K24"));
    assert_eq!([counted(FIRST), counted(SECOND), counted(STREET)], [(1, 0, 0), (0, 1, 0), (1, 1, 0)]);
    assert_eq!(scene.duplicates(SECOND, "K24"), 1);
    // Not yet told of anything, the second community goes on with its record.
    scene.amend(SECOND, two, &[("train_wish", "烹饪")]);
    scene.sync(SECOND).await;
    scene.meet().await;

    scene.rule(&conflict, Choice::Merge).await;
    assert_eq!([counted(FIRST), counted(SECOND), counted(STREET)], [(1, 0, 1), (0, 0, 0), (1, 0, 1)]);
    // Nor of the ruling: this lands on the record that stands.
    scene.amend(SECOND, two, &[("edu", "70"), ("phone", "13900000003")]);
    scene.meet().await;
    scene.all_say(two, "merged_into", &one.to_string());
    scene.all_say(one, "address", "永安台街12号");
    scene.all_say(one, "train_wish", "烹饪");
    scene.all_say(one, "edu", "初中");
    scene.all_say(one, "phone", "13900000003");
    scene.all_remember(one, "phone", "13900000001", "LATEST", RULE);
    scene.all_say(two, "phone", "13900000002");
    let merged = scene.ledger(SECOND).view(two).unwrap().unwrap();
    assert_eq!(merged.origin(taizhang_proto::register::MERGED_INTO).unwrap().by, REVIEWER);
    scene.queue_is_empty().await;
    let ruled = &scene.settled_ones(ConflictKind::Duplicate).await[0];
    assert_eq!((ruled.number, ruled.ruling.as_ref().unwrap().by.as_str()), (conflict.number, REVIEWER));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_01_who_counts_is_where_the_hukou_is_and_nobody_who_has_moved_out() {
    let (scene, one, two) = registered_twice().await;
    scene.meet().await;
    let counted = || [FIRST, SECOND].map(|code| (scene.figure(code, "K00"), scene.duplicates(code, "K00")));
    assert_eq!(counted(), [(1, 0), (0, 1)], "the earlier registration");
    scene.amend(SECOND, two, &[("hukou_unit", &SECOND.to_string())]);
    scene.meet().await;
    assert_eq!(counted(), [(0, 1), (1, 0)], "where the hukou is");
    scene.amend(SECOND, two, &[("hukou_unit", &FIRST.to_string())]);
    scene.meet().await;
    assert_eq!(counted(), [(1, 0), (0, 1)], "in the same district, and not here: the earlier one again");
    // The first community writes that the person has moved out: the other one counts from now on.
    scene.amend(FIRST, one, &[("moveout_on", &scene.ago(1))]);
    scene.meet().await;
    assert_eq!(counted(), [(0, 0), (1, 0)]);
    scene.agrees().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_certificate_of_a_kind_is_one_persons() {
    let scene = Scene::open().await;
    let held = |office: u64, nth: usize, kind: &str, no: &str| {
        let person = scene.resident(office, nth, &[]).to_string();
        let fields = [("person", person.as_str()), ("kind", kind), ("number", no)];
        scene.enter(office, number::HELD_CERTIFICATE, &fields)
    };
    let first = held(FIRST, 1, "失业证", "LN 0801");
    held(FIRST, 2, "再就业优惠证", "LN0801");
    scene.sync(FIRST).await;
    let again = held(SECOND, 3, "失业证", "ln0801");
    scene.sync(SECOND).await;
    let conflict = scene.found(ConflictKind::Certificate, again, &["number"]).await;
    assert_eq!(&conflict.other[..], &first.0[..], "written in another way, and another kind's number is another");
    scene.rule(&conflict, Choice::Distinct).await;
    scene.meet().await;
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_01_two_persons_who_share_a_number_by_mistake_both_count_once_a_reviewer_says_so() {
    let (scene, one, two) = registered_twice().await;
    let conflict = scene.found(ConflictKind::Duplicate, two, &["id_no"]).await;
    scene.rule(&conflict, Choice::Distinct).await;
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K00")), [1, 1, 2]);
    scene.meet().await;
    scene.all_say(two, "distinct", "是");
    // An edit of either does not bring it up again.
    scene.amend(FIRST, one, &[("address", "永安台街14号")]);
    scene.amend(SECOND, two, &[("address", "永安台街16号")]);
    scene.meet().await;
    scene.queue_is_empty().await;

    scene.reopen(&conflict).await;
    scene.found(ConflictKind::Duplicate, two, &["id_no"]).await;
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K00")), [1, 0, 1]);
    scene.end().await;
}

/// Community and street edit one phone number while apart, the street a minute later and an address besides.
async fn the_later_phone_stands(first: u64, second: u64) {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[("phone", "13900000000")]);
    scene.meet().await;
    scene.set_clock(STREET, MINUTE);
    scene.amend(FIRST, id, &[("phone", "13900000001"), ("train_wish", "家政")]);
    scene.amend(STREET, id, &[("phone", "13900000002"), ("address", "永安台街12号")]);
    scene.sync(first).await;
    scene.sync(second).await;
    scene.queue_is_empty().await;
    let settled = scene.settled_ones(ConflictKind::Field).await;
    assert_eq!((settled.len(), settled[0].rule.as_str(), settled[0].claims.len()), (1, "LATEST", 2), "{settled:?}");
    scene.meet().await;
    scene.all_say(id, "phone", "13900000002");
    scene.all_say(id, "train_wish", "家政");
    scene.all_say(id, "address", "永安台街12号");
    scene.all_remember(id, "phone", "13900000001", "LATEST", RULE);
    scene.all_remember(id, "phone", "13900000000", "", RULE);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_02_of_two_phone_numbers_entered_offline_the_later_stands_and_the_other_is_remembered() {
    the_later_phone_stands(FIRST, STREET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_02_the_later_phone_number_stands_when_it_arrives_first() {
    the_later_phone_stands(STREET, FIRST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_05_a_person_sent_to_another_unit_of_the_district_counts_once_and_late_edits_are_not_lost() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[]);
    let (person, day, to) = (id.to_string(), scene.ago(9), SECOND.to_string());
    let spell = scene.enter(FIRST, number::UNEMPLOYMENT_SPELL, &[("person", &person), ("reg_on", &day)]);
    scene.meet().await;
    scene.amend(FIRST, id, &[("transfer_to", &to)]);
    scene.sync(FIRST).await;
    let counted = || [FIRST, SECOND, STREET].map(|code| (scene.figure(code, "K00"), scene.figure(code, "K24")));
    assert_eq!(counted(), [(1, 1), (0, 0), (1, 1)], "sent out is not yet taken in");

    // Offline: before the hand-over, and two minutes after it.
    scene.amend(FIRST, id, &[("phone", "13900000001")]);
    scene.sync(SECOND).await;
    let asked = scene.ledger(SECOND).ids(number::TRANSFER).unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(scene.says(SECOND, asked[0], "name"), "赵立新");
    scene.amend(SECOND, asked[0], &[("decision", "1")]);
    scene.sync(SECOND).await;
    assert_eq!(counted(), [(0, 0), (1, 1), (1, 1)], "taken in");
    let yesterday = [FIRST, SECOND, STREET].map(|code| scene.figure_then(code, "K24", 1));
    assert_eq!(yesterday, [1, 0, 1], "the past stays where it was");
    scene.set_clock(FIRST, 2 * MINUTE);
    scene.amend(FIRST, id, &[("address", "永安台街12号")]);
    scene.sync(FIRST).await;

    let note = scene.found(ConflictKind::AfterTransfer, id, &["address"]).await;
    assert_eq!((note.unit, note.other_unit), (SECOND, FIRST));
    scene.meet().await;
    assert!(!scene.holds(FIRST, id) && !scene.holds(FIRST, spell));
    scene.all_say(id, "home_unit", &to);
    scene.all_say(spell, "home_unit", &to);
    scene.all_say(id, "phone", "13900000001");
    scene.all_say(id, "address", "");
    scene.all_say(id, "transfer_to", "");
    scene.all_remember(id, "address", "永安台街12号", "TRANSFER", RULE);
    scene.all_say(asked[0], "done_on", &scene.ago(0));
    scene.agrees().await;

    scene.rule(&note, Choice::Take).await;
    scene.meet().await;
    scene.all_say(id, "address", "永安台街12号");
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_05_a_person_whom_the_other_unit_sends_back_never_left() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[]);
    scene.amend(FIRST, id, &[("transfer_to", &SECOND.to_string())]);
    scene.sync(FIRST).await;
    scene.sync(SECOND).await;
    let asked = scene.ledger(SECOND).ids(number::TRANSFER).unwrap()[0];
    scene.amend(SECOND, asked, &[("decision", "2"), ("decision_reason", "不在本社区居住")]);
    scene.meet().await;
    scene.all_say(id, "home_unit", &FIRST.to_string());
    scene.all_say(id, "transfer_to", "");
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K00")), [1, 0]);
    let history = scene.ledger(FIRST).history(id).unwrap();
    let reasons: Vec<_> = history.into_iter().filter_map(|entry| entry.ruling).map(|ruling| ruling.reason).collect();
    assert!(reasons.contains(&"不在本社区居住".to_owned()), "{reasons:?}");
    // It can be sent again.
    scene.amend(FIRST, id, &[("transfer_to", &SECOND.to_string())]);
    scene.meet().await;
    assert_eq!(scene.ledger(SECOND).ids(number::TRANSFER).unwrap().len(), 2);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_05_who_is_not_sent_any_more_need_not_be_answered_for_and_is_not_pulled_by_a_late_answer() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[]);
    let waiting = || {
        let below = scene.figure(SECOND, "K42c");
        [below, scene.figure(STREET, "K42c") - below]
    };
    let asked = |office: u64| {
        let open = |asked: &RecordId| scene.says(office, *asked, "done_on").is_empty();
        scene.ledger(office).ids(number::TRANSFER).unwrap().into_iter().find(open).unwrap()
    };
    scene.amend(FIRST, id, &[("transfer_to", &SECOND.to_string())]);
    scene.meet().await;
    assert_eq!(waiting(), [1, 0]);
    let first = asked(SECOND);
    // Sent elsewhere instead, while the community that was asked first takes the person in.
    scene.amend(FIRST, id, &[("transfer_to", &STREET.to_string())]);
    scene.sync(FIRST).await;
    scene.amend(SECOND, first, &[("decision", "1")]);
    scene.meet().await;
    assert_eq!(waiting(), [0, 1]);
    scene.all_say(id, "home_unit", &FIRST.to_string());
    scene.all_say(first, "done_on", &scene.ago(0));
    scene.all_say(first, "decision", "退回");
    scene.queue_is_empty().await;
    // The street voids what it was asked: the person stays, and nobody waits.
    let second = asked(STREET);
    scene.amend(STREET, second, &[("state", "2"), ("void_reason", "查无此人")]);
    scene.meet().await;
    scene.all_say(id, "transfer_to", "");
    assert_eq!(waiting(), [0, 0]);
    // Asked once more and taken back.
    scene.amend(FIRST, id, &[("transfer_to", &SECOND.to_string())]);
    scene.meet().await;
    scene.amend(FIRST, id, &[("transfer_to", "")]);
    scene.meet().await;
    assert_eq!(waiting(), [0, 0]);
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K00")), [1, 0]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_05_who_is_sent_to_the_same_unit_again_is_taken_in_by_an_answer_to_the_first_asking() {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[]);
    scene.amend(FIRST, id, &[("transfer_to", &SECOND.to_string())]);
    scene.meet().await;
    let first = scene.ledger(SECOND).ids(number::TRANSFER).unwrap()[0];
    // Taken back and sent again, while the other unit, which has not heard of it, answers.
    scene.amend(FIRST, id, &[("transfer_to", "")]);
    scene.sync(FIRST).await;
    scene.amend(FIRST, id, &[("transfer_to", &SECOND.to_string())]);
    scene.sync(FIRST).await;
    scene.amend(SECOND, first, &[("decision", "1")]);
    scene.meet().await;
    scene.all_say(id, "home_unit", &SECOND.to_string());
    scene.all_say(id, "transfer_to", "");
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K00")), [0, 1]);
    assert_eq!(scene.figure(SECOND, "K42c"), 0, "nothing is left to answer");
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_13_an_id_number_corrected_to_one_that_exists_is_proposed_for_merging_never_merged() {
    let scene = Scene::open().await;
    let (right, wrong) = (scene.id_no(1), scene.id_no(2));
    let known = scene.resident(SECOND, 1, &[]);
    scene.sync(SECOND).await;
    let mistyped = scene.resident(FIRST, 2, &[]);
    scene.meet().await;
    scene.queue_is_empty().await;
    scene.amend(FIRST, mistyped, &[("id_no", &right)]);
    scene.sync(FIRST).await;
    let proposal = scene.found(ConflictKind::Duplicate, mistyped, &["id_no"]).await;
    assert_eq!(&proposal.other[..], &known.0[..]);
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K00")), [0, 1, 1]);
    scene.meet().await;
    scene.all_say(mistyped, "merged_into", "");
    scene.all_remember(mistyped, "id_no", &wrong, "", RULE);

    scene.rule(&proposal, Choice::Merge).await;
    scene.meet().await;
    scene.all_say(mistyped, "merged_into", &known.to_string());
    scene.all_say(known, "id_no", &right);
    scene.all_remember(mistyped, "id_no", &wrong, "", RULE);
    assert_eq!([FIRST, SECOND, STREET].map(|code| scene.figure(code, "K00")), [0, 1, 1]);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_13_a_wrong_correction_put_right_again_leaves_nothing_in_the_queue() {
    let scene = Scene::open().await;
    let known = scene.resident(SECOND, 1, &[]);
    scene.sync(SECOND).await;
    let other = scene.resident(FIRST, 2, &[]);
    scene.meet().await;
    scene.amend(FIRST, other, &[("id_no", &scene.id_no(1))]);
    scene.sync(FIRST).await;
    scene.found(ConflictKind::Duplicate, other, &["id_no"]).await;
    scene.amend(FIRST, other, &[("id_no", &scene.id_no(2))]);
    scene.meet().await;
    scene.queue_is_empty().await;
    assert!(scene.holds(SECOND, known));
    assert_eq!(scene.figure(STREET, "K00"), 2);
    scene.end().await;
}

/// A community voids a person whom its street edits.
async fn voided_and_edited(first: u64, second: u64) -> (Scene, RecordId) {
    let scene = Scene::open().await;
    let id = scene.resident(FIRST, 1, &[("phone", "13900000000")]);
    scene.meet().await;
    scene.amend(FIRST, id, &[("state", "2"), ("void_reason", "误录")]);
    scene.amend(STREET, id, &[("phone", "13900000001")]);
    scene.sync(first).await;
    scene.sync(second).await;
    let conflict = scene.found(ConflictKind::ClosedEdited, id, &["state"]).await;
    assert_eq!(scene.figure(STREET, "K00"), 0, "void counts");
    scene.meet().await;
    scene.all_say(id, "state", "作废");
    scene.all_say(id, "phone", "13900000001");
    scene.all_remember(id, "phone", "13900000000", "", RULE);

    // An office can't take it back by itself.
    scene.amend(FIRST, id, &[("state", "1")]);
    scene.sync(FIRST).await;
    let claim = scene.found(ConflictKind::Field, id, &["state"]).await;
    assert_eq!((scene.figure(STREET, "K00"), claim.claims.len()), (0, 2));
    scene.meet().await;
    scene.all_say(id, "state", "作废");
    scene.all_remember(id, "state", "有效", "REVIEW", RULE);
    scene.rule(&claim, Choice::Keep).await;
    scene.meet().await;
    scene.all_remember(id, "state", "有效", "REVIEW", REVIEWER);
    assert_eq!(scene.figure(STREET, "K00"), 0);
    scene.rule(&conflict, Choice::Take).await;
    assert_eq!(scene.figure(STREET, "K00"), 1);
    scene.meet().await;
    scene.all_say(id, "state", "有效");
    scene.all_remember(id, "state", "作废", "CLOSED", REVIEWER);
    scene.queue_is_empty().await;
    (scene, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_16_a_record_voided_while_it_is_edited_counts_as_void_until_a_reviewer_restores_it() {
    let (scene, _) = voided_and_edited(FIRST, STREET).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_16_it_is_the_same_when_the_edit_arrives_before_the_void() {
    let (scene, id) = voided_and_edited(STREET, FIRST).await;
    let ruled = scene.settled_ones(ConflictKind::ClosedEdited).await.remove(0);
    scene.reopen(&ruled).await;
    assert_eq!(scene.figure(STREET, "K00"), 0);
    scene.meet().await;
    scene.all_say(id, "state", "作废");
    let again = scene.found(ConflictKind::ClosedEdited, id, &["state"]).await;
    scene.rule(&again, Choice::Keep).await;
    scene.queue_is_empty().await;
    scene.end().await;
}

/// A resettled person laid off, who dies while the street adds a job.
async fn dead_and_placed(first: u64, second: u64) -> (Scene, RecordId, RecordId) {
    let scene = Scene::open().await;
    let fields = [("shanty_resettled", "是"), ("laidoff_kind", "1"), ("labour_able", "是"), ("job_willing", "是")];
    let person = scene.resident(FIRST, 1, &fields);
    scene.meet().await;
    scene.amend(FIRST, person, &[("death_on", &scene.ago(10))]);
    let job = scene.job(STREET, person, 5, &[("employer", "抚顺石化")]);
    scene.sync(first).await;
    scene.sync(second).await;
    let conflict = scene.found(ConflictKind::LeftButPlaced, job, &["start_on"]).await;
    assert_eq!(&conflict.other[..], &person.0[..]);
    let counted = || [0, 4, 11].map(|days| scene.figure_then(STREET, "K03", days));
    assert_eq!((counted(), scene.figure(FIRST, "K00")), ([0, 0, 0], 0), "a job after death counts on no day");
    scene.meet().await;
    assert!(scene.holds(STREET, job), "the entry is kept");
    (scene, person, job)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_18_a_death_that_was_a_mistake_asks_nobody_about_the_jobs_after_it() {
    let (scene, person, job) = dead_and_placed(FIRST, STREET).await;
    scene.amend(FIRST, person, &[("death_on", "")]);
    scene.sync(FIRST).await;
    scene.queue_is_empty().await;
    scene.amend(FIRST, person, &[("death_on", &scene.ago(10))]);
    scene.sync(FIRST).await;
    scene.found(ConflictKind::LeftButPlaced, job, &["start_on"]).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_18_a_job_entered_while_the_death_was_is_kept_and_does_not_count() {
    let (scene, person, job) = dead_and_placed(FIRST, STREET).await;
    let conflict = scene.found(ConflictKind::LeftButPlaced, job, &["start_on"]).await;
    // Who has seen the death can't enter a job after it: its own office says so at once.
    scene.sync(STREET).await;
    let desk = LedgerDesk::new(scene.ledger(STREET));
    let today = desk.today();
    let draft = Draft::new(desk.new_id(), number::PLACEMENT).with(20, Value::Ref(person)).with(25, Value::Day(today));
    let Err(SaveError::Invalid(why)) = desk.save(vec![vec![draft]], "冯岩").remove(0) else { panic!() };
    assert_eq!(why.iter().map(|one| one.rule).collect::<Vec<_>>(), ["left"]);

    scene.rule(&conflict, Choice::Revoke).await;
    scene.meet().await;
    scene.all_say(job, "state", "作废");
    scene.all_say(job, "employer", "抚顺石化");
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_18_it_is_the_same_when_the_job_arrives_first_and_a_corrected_date_of_death_settles_it() {
    let (scene, person, job) = dead_and_placed(STREET, FIRST).await;
    scene.amend(FIRST, person, &[("death_on", &scene.ago(2))]);
    scene.meet().await;
    scene.queue_is_empty().await;
    assert_eq!([1, 4, 11].map(|days| scene.figure_then(STREET, "K03", days)), [0, 1, 0]);
    scene.all_say(job, "state", "");
    scene.all_remember(person, "death_on", &scene.ago(10), "", RULE);
    scene.end().await;
}
