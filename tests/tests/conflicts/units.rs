//! Stations and titles: one certificate at two stations, a title revoked while its community edits the case.

use crate::scene::{FIRST, REVIEWER, RULE, SECOND, STREET, Scene};
use taizhang_proto::{
    RecordId,
    pb::{self, Choice, ConflictKind, review_server::Review},
    register::number,
};
use tonic::Request;

/// An assistant so many days in office, with a certificate.
fn certified(scene: &Scene, office: u64, nth: usize, days: i32) -> (RecordId, RecordId) {
    let (id_no, from) = (scene.id_no(nth), scene.ago(days));
    let assistant = scene.enter(office, number::ASSISTANT, &[("name", "孙丽"), ("id_no", &id_no), ("from_on", &from)]);
    let (of, issued) = (assistant.to_string(), scene.ago(400));
    let fields = [("assistant", of.as_str()), ("level", "4"), ("cert_no", "LN0807"), ("issued_on", &issued)];
    (assistant, scene.enter(office, number::CREDENTIAL, &fields))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_09_one_certificate_at_two_stations_counts_where_the_assignment_is_earlier() {
    let scene = Scene::open().await;
    let (_, here) = certified(&scene, SECOND, 1, 50);
    let (assistant, there) = certified(&scene, FIRST, 1, 100);
    scene.sync(SECOND).await;
    assert_eq!(scene.figure(SECOND, "K14"), 1);
    scene.sync(FIRST).await;
    let conflict = scene.found(ConflictKind::Certificate, here, &["cert_no"]).await;
    assert_eq!((&conflict.other[..], conflict.other_unit), (&there.0[..], FIRST));
    assert!(!conflict.note.contains("fraud"), "{}", conflict.note);
    let covered = || [FIRST, SECOND, STREET].map(|code| scene.figure(code, "K14"));
    assert_eq!(covered(), [1, 0, 1], "the earlier assignment, though it arrived later");
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K15")), [0, 1], "one station is without");

    scene.rule(&conflict, Choice::Keep).await;
    scene.meet().await;
    assert_eq!(covered(), [1, 0, 1]);
    // An edit of either does not ask the reviewer again.
    scene.amend(SECOND, here, &[("remark", "已与本人核对")]);
    scene.meet().await;
    scene.queue_is_empty().await;
    scene.agrees().await;

    // When the assistant leaves the first station, the certificate counts for the second.
    scene.amend(FIRST, assistant, &[("to_on", &scene.ago(0))]);
    scene.meet().await;
    assert_eq!(covered(), [0, 1, 1]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_09_one_certificate_number_with_two_persons_is_flagged_as_fraud() {
    let scene = Scene::open().await;
    let (_, one) = certified(&scene, FIRST, 1, 100);
    let (_, two) = certified(&scene, SECOND, 2, 50);
    scene.sync(FIRST).await;
    scene.sync(SECOND).await;
    let conflict = scene.found(ConflictKind::Certificate, two, &["cert_no"]).await;
    assert!(conflict.note.contains("fraud"), "{}", conflict.note);
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K14")), [1, 0]);
    // A number that was mistyped is corrected.
    scene.meet().await;
    scene.amend(SECOND, two, &[("cert_no", "LN0870")]);
    scene.meet().await;
    scene.queue_is_empty().await;
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K14")), [1, 1]);
    scene.all_remember(two, "cert_no", "LN0807", "", RULE);
    assert!(scene.holds(FIRST, one));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_10_a_title_revoked_while_its_community_edits_the_case_stays_revoked_and_the_material_is_kept() {
    let scene = Scene::open().await;
    let applied = scene.ago(200);
    let case = scene.enter(FIRST, number::FEC_CASE, &[("stage", "1"), ("applied_on", &applied)]);
    scene.meet().await;
    assert_eq!(scene.figure(STREET, "K02"), 0);
    let days = [120, 100, 30, 1, 0].map(|days| scene.ago(days));
    let [assessed, certified, ordered, due, today] = days.each_ref().map(String::as_str);
    scene.revise(case, "FecCase", &[("stage", "2"), ("reviewed_by_street_on", &applied)]).await;
    scene.revise(case, "FecCase", &[("stage", "3"), ("assessed_on", assessed), ("score", "91.5")]).await;
    scene.revise(case, "FecCase", &[("stage", "4"), ("publicity_from", assessed)]).await;
    scene.revise(case, "FecCase", &[("stage", "5"), ("certified_on", certified)]).await;
    scene.revise(case, "FecCase", &[("stage", "6"), ("rectify_from", ordered), ("rectify_due", due)]).await;
    scene.meet().await;
    let titles = || [FIRST, STREET].map(|code| (scene.figure(code, "K01"), scene.figure(code, "K02")));
    assert_eq!(titles(), [(1, 1), (1, 1)]);

    // The community works on the case offline; meanwhile the district revokes.
    scene.amend(FIRST, case, &[("material", "补充就业台账三份")]);
    scene.amend(FIRST, case, &[("stage", "5"), ("score", "96")]);
    scene.revise(case, "FecCase", &[("stage", "7"), ("revoked_on", today), ("revoke_reason", "整顿不到位")]).await;
    assert_eq!(titles(), [(0, 0), (0, 0)]);
    scene.sync(FIRST).await;
    assert_eq!(titles(), [(0, 0), (0, 0)], "it changed once");
    assert_eq!(scene.figure_then(FIRST, "K02", 1), 1);
    let edited = scene.found(ConflictKind::ClosedEdited, case, &["stage"]).await;
    let claim = scene.found(ConflictKind::Claim, case, &["stage", "score"]).await;
    scene.meet().await;
    scene.all_say(case, "stage", "取消");
    scene.all_say(case, "material", "补充就业台账三份");
    scene.all_say(case, "score", "91.5");
    scene.all_say(case, "revoke_reason", "整顿不到位");
    scene.all_remember(case, "stage", "责令整顿", "REVISED", REVIEWER);
    scene.all_remember(case, "score", "96", "OWNED", RULE);

    scene.rule(&claim, Choice::Keep).await;
    scene.rule(&edited, Choice::Keep).await;
    scene.meet().await;
    scene.all_say(case, "stage", "取消");
    scene.all_remember(case, "score", "96", "OWNED", REVIEWER);
    assert_eq!(titles(), [(0, 0), (0, 0)]);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_assistants_of_two_id_numbers_are_merged_only_by_who_says_so() {
    let scene = Scene::open().await;
    let ((one, _), (two, _)) = (certified(&scene, FIRST, 1, 100), certified(&scene, SECOND, 2, 50));
    scene.sync(FIRST).await;
    scene.sync(SECOND).await;
    for (despite, settled) in [(false, 0), (true, 1)] {
        let request = pb::MergeRequest {
            survivor: one.to_string(),
            absorbed: two.to_string(),
            reason: "同一人".into(),
            by: REVIEWER.into(),
            despite,
            ..pb::MergeRequest::default()
        };
        let answer = scene.reviewer().merge(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(answer.settled, settled, "{:?}", answer.failed);
    }
    scene.end().await;
}
