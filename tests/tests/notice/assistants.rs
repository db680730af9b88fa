//! Assistants: a team that stays, examined and certified, one certificate holder at each station, open service (items 14
//! to 16 and 29).

use crate::{VILLAGE, counts, standing, stands, up};
use taizhang_proto::{
    RecordId,
    pb::{Choice, ConflictKind},
    register::number,
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene},
};

fn assistant(scene: &Scene, office: u64, nth: usize, fields: &[(&str, &str)]) -> RecordId {
    let id_no = scene.id_no(nth);
    let own =
        [("name", "孙丽华"), ("id_no", id_no.as_str()), ("role", "2"), ("hired_as", "1"), ("phone", "13904130001")];
    scene.enter(office, number::ASSISTANT, &[&own, fields].concat())
}

fn certificate(scene: &Scene, office: u64, holder: RecordId, level: &str, no: &str, issued_on: &str) -> RecordId {
    let holder = holder.to_string();
    let fields = [("assistant", holder.as_str()), ("level", level), ("cert_no", no), ("issued_on", issued_on)];
    scene.enter(office, number::CREDENTIAL, &fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_team_is_stable_when_at_most_one_of_ten_leaves_in_the_year() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let team: Vec<RecordId> = (1..=10).map(|nth| assistant(&scene, FIRST, nth, &[("from_on", "2007-06-01")])).collect();
    scene.agrees().await;
    let left = |on| up(&scene, FIRST, "K17", on);
    assert_eq!(left("2008-06-30"), [(0, 10); 4]);
    scene.amend(FIRST, team[0], &[("to_on", "2008-05-01")]);
    // Who goes on at another office has not left.
    scene.amend(FIRST, team[1], &[("to_on", "2008-05-10")]);
    let moved = assistant(&scene, SECOND, 2, &[("from_on", "2008-05-10")]);
    scene.agrees().await;
    stands(&scene, FIRST, team[0], &[("from_on", "2007-06-01"), ("to_on", "2008-05-01")]);
    stands(&scene, SECOND, moved, &[("from_on", "2008-05-10")]);
    assert_eq!((left("2008-04-30"), left("2008-05-10")), (vec![(0, 10); 4], vec![(1, 10); 4]));
    let asked = |on| standing(&scene, DISTRICT, "K17", on);
    assert!(asked("2008-05-10").at_most && asked("2008-05-10").reached, "ten percent are allowed");
    assert_eq!(
        (counts(&scene, FIRST, "K16", "2008-05-10"), counts(&scene, SECOND, "K16", "2008-05-10")),
        (vec![8, 9, 9, 9], vec![1, 9, 9, 9])
    );

    scene.amend(FIRST, team[2], &[("to_on", "2008-06-01")]);
    scene.agrees().await;
    assert_eq!(left("2008-06-30"), [(2, 10); 4]);
    assert_eq!((asked("2008-06-30").reached, asked("2008-06-30").left), (false, 1), "one too many");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_assistant_enrols_is_trained_and_examined_and_rises_from_level_4_to_3() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let own = assistant(&scene, FIRST, 1, &[("from_on", "2007-01-01")]);
    let levels = |on| (counts(&scene, FIRST, "K16b", on), counts(&scene, FIRST, "K16c", on));
    certificate(&scene, FIRST, own, "4", "LN040801", "2007-03-01");
    let of = own.to_string();
    let enrolment = [("assistant", of.as_str()), ("year", "2008"), ("level", "3"), ("enrolled_on", "2008-04-01")];
    let exam = scene.enter(FIRST, number::EXAM, &enrolment);
    scene.agrees().await;
    stands(&scene, FIRST, exam, &[("level", "三级"), ("enrolled_on", "2008-04-01"), ("result", "")]);
    scene.amend(
        FIRST,
        exam,
        &[("trained_hours", "120"), ("exam_on", "2008-06-14"), ("theory", "78.5"), ("practice", "81")],
    );
    // Whether that was enough is the district's to say.
    scene.amend(FIRST, exam, &[("result", "1")]);
    scene.meet().await;
    scene.all_say(exam, "result", "");
    let claim = scene.found(ConflictKind::Claim, exam, &["result"]).await;
    assert_eq!(levels("2008-07-01"), (vec![0; 4], vec![1; 4]));
    scene.rule(&claim, Choice::Take).await;
    scene.meet().await;
    certificate(&scene, FIRST, own, "3", "LN030801", "2008-07-01");
    scene.agrees().await;
    let said = [
        ("result", "合格"),
        ("trained_hours", "120"),
        ("theory", "78.5"),
        ("practice", "81"),
        ("exam_on", "2008-06-14"),
    ];
    stands(&scene, FIRST, exam, &said);
    assert_eq!(levels("2008-06-30"), (vec![0; 4], vec![1; 4]));
    assert_eq!(levels("2008-07-01"), (vec![1; 4], vec![0; 4]), "promoted, and counted once");
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_station_has_a_certificate_holder_and_one_without_is_shown() {
    let scene = Scene::of(&[FIRST, SECOND, STREET, VILLAGE]).await;
    let covered = |on| (up(&scene, FIRST, "K14", on), counts(&scene, FIRST, "K15", on));
    let none = (vec![(0, 1), (0, 11), (0, 61), (0, 61)], vec![1, 11, 61, 61]);
    let one = (vec![(1, 1), (1, 11), (1, 61), (1, 61)], vec![0, 10, 60, 60]);
    let holder = assistant(&scene, FIRST, 1, &[("from_on", "2008-03-01")]);
    scene.agrees().await;
    assert_eq!(covered("2008-04-01"), none, "an assistant without a certificate is not enough");
    let paper = certificate(&scene, FIRST, holder, "4", "LN0807", "2008-04-01");
    let rural = assistant(&scene, VILLAGE, 2, &[("from_on", "2008-03-01")]);
    certificate(&scene, VILLAGE, rural, "4", "LN0808", "2008-04-01");
    scene.agrees().await;
    stands(&scene, FIRST, paper, &[("cert_no", "LN0807"), ("level", "四级"), ("issued_on", "2008-04-01")]);
    stands(&scene, FIRST, holder, &[("name", "孙丽华"), ("phone", "13904130001")]);
    assert_eq!((covered("2008-03-31"), covered("2008-04-01")), (none.clone(), one.clone()), "a village is no station");
    let asked = |code, on| standing(&scene, DISTRICT, code, on);
    assert_eq!((asked("K14", "2008-04-01").target, asked("K14", "2008-04-01").left), (1.0, 60));
    assert_eq!(asked("K15", "2008-04-01").left, 60);

    scene.amend(FIRST, paper, &[("void_on", "2008-09-01")]);
    scene.agrees().await;
    assert_eq!((covered("2008-08-31"), covered("2008-09-01")), (one.clone(), none.clone()), "void");
    scene.amend(FIRST, paper, &[("void_on", "")]);
    scene.amend(FIRST, holder, &[("to_on", "2008-10-01")]);
    scene.agrees().await;
    assert_eq!((covered("2008-09-30"), covered("2008-10-01")), (one, none), "the holder has left");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_service_names_who_gave_it_and_when_and_a_complaint_about_it_is_answered() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let person = scene.resident(FIRST, 1, &[("labour_able", "是"), ("job_willing", "是")]);
    let of = person.to_string();
    let spell = [("person", of.as_str()), ("lost_on", "2007-08-01"), ("reg_on", "2007-09-01")];
    scene.enter(FIRST, number::UNEMPLOYMENT_SPELL, &spell);
    scene.agrees().await;
    let silent = |on| counts(&scene, FIRST, "K40", on);
    assert_eq!(silent("2008-04-01"), [1; 4], "nobody has been in touch since September");
    let service = [
        ("person", of.as_str()),
        ("kind", "4"),
        ("on", "2008-02-20"),
        ("by_assistant", "孙丽华"),
        ("place", "一站式窗口"),
        ("content", "介绍保洁岗位两个"),
    ];
    let service = scene.enter(FIRST, number::SERVICE_RECORD, &service);
    let complaint = [
        ("received_on", "2008-03-04"),
        ("complainant", "赵立新"),
        ("content", "岗位工资与介绍不符"),
        ("handled_by", "孙丽华"),
    ];
    let complaint = scene.enter(FIRST, number::COMPLAINT, &complaint);
    scene.agrees().await;
    let said = [("by_assistant", "孙丽华"), ("on", "2008-02-20"), ("kind", "职业指导"), ("place", "一站式窗口")];
    stands(&scene, FIRST, service, &said);
    assert_eq!(silent("2008-04-01"), [0; 4]);
    stands(&scene, FIRST, complaint, &[("handled_by", "孙丽华"), ("closed_on", "")]);
    let ours = scene.ledger(FIRST).view(service).unwrap().unwrap();
    let origin = ours.origin(books::field(number::SERVICE_RECORD, "content").tag).unwrap();
    assert_eq!(origin.unit, FIRST, "the record knows the office that entered it");
    assert!(origin.received > 0 && !origin.by.is_empty(), "and who and when: {origin:?}");

    // A refusal is written down with its reason, and what is written can't be changed without one.
    let vague = [("person", of.as_str()), ("kind", "5"), ("on", "2008-03-01"), ("refused", "是")];
    let refused = books::refused(scene.ledger(FIRST), number::SERVICE_RECORD, None, &vague);
    assert!(refused.contains("拒绝必须写明原因"), "{refused}");
    let changed = books::refused(scene.ledger(FIRST), number::SERVICE_RECORD, Some(service), &[("on", "2008-02-21")]);
    assert!(changed.contains("更正理由"), "{changed}");
    scene.amend(FIRST, complaint, &[("result", "已与用人单位核实并退回差额"), ("closed_on", "2008-03-10")]);
    scene.agrees().await;
    stands(&scene, FIRST, complaint, &[("closed_on", "2008-03-10"), ("result", "已与用人单位核实并退回差额")]);
    scene.end().await;
}
