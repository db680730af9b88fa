//! Time: a code that is given up while an office still files under it, and an event that comes after its month was
//! closed.

use crate::scene::{FIRST, REASON, REVIEWER, SECOND, STREET, Scene, unit};
use taizhang_hub::{months, writer::Job};
use taizhang_node::upstream::schedule::Mode;
use taizhang_proto::{date, month::Month, pb, register::number};
use taizhang_tests::town::{UNITS, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_15_what_an_office_files_under_a_code_given_up_goes_to_the_new_one_and_old_months_stay() {
    let scene = Scene::with(&[FIRST, STREET, SECOND], Mode::Nightly).await;
    let before = scene.resident(FIRST, 1, &[]);
    let theirs = scene.resident(SECOND, 9, &[]);
    let (person, day) = (before.to_string(), scene.ago(40));
    scene.enter(FIRST, number::UNEMPLOYMENT_SPELL, &[("person", &person), ("reg_on", &day)]);
    scene.meet().await;
    let counted = |days| [FIRST, SECOND, STREET].map(|code| scene.figure_then(code, "K24", days));
    assert_eq!(counted(0), [1, 0, 1]);
    // What the unit itself counts: its title, its assistant with a certificate, its premises.
    let (since, applied) = (scene.ago(50), scene.ago(90));
    let assistant = scene.enter(FIRST, number::ASSISTANT, &[("name", "孙丽"), ("from_on", &since)]).to_string();
    let certificate = [("assistant", assistant.as_str()), ("level", "4"), ("cert_no", "LN-1"), ("issued_on", &since)];
    scene.enter(FIRST, number::CREDENTIAL, &certificate);
    scene.enter(FIRST, number::FACILITY, &[("kind", "3"), ("opened_on", &since), ("one_stop_window", "是")]);
    let title = [("stage", "5"), ("applied_on", applied.as_str()), ("certified_on", &since)];
    scene.record(FIRST, "FecCase", &title).await;
    scene.meet().await;
    let own = |code, days| [FIRST, SECOND, STREET].map(|unit| scene.figure_then(unit, code, days));
    let all = ["K02", "K14", "K16", "K16c"];
    assert_eq!(all.map(|code| own(code, 0)), [[1, 0, 1]; 4]);

    // The city merges the first community into the second, from today on, while the first is offline.
    let offline = scene.resident(FIRST, 2, &[]);
    let (person, day) = (offline.to_string(), scene.ago(20));
    scene.enter(FIRST, number::UNEMPLOYMENT_SPELL, &[("person", &person), ("reg_on", &day)]);
    let line = UNITS.lines().find(|line| line.starts_with(&FIRST.to_string())).unwrap();
    let changed = UNITS.replace(line, &format!("{line},{SECOND},{}", scene.ago(0)));
    assert_ne!(changed, UNITS);
    scene.town.city.hub.writer.write(Job::Tree(changed, None)).await.unwrap();
    let core = &scene.hub().hub.core;
    scene.call_the_city().await;
    assert_eq!(core.tree().current(unit(FIRST), core.today()), unit(SECOND), "the district has the new tree");
    assert_eq!((counted(0), counted(1), counted(30)), ([0, 1, 1], [1, 0, 1], [1, 0, 1]), "old days stay");

    assert_eq!(all.map(|code| own(code, 0)), [[0, 1, 1]; 4], "today they are the new unit's");
    for days in [1, 30] {
        assert_eq!(all.map(|code| own(code, days)), [[1, 0, 1]; 4], "what it had stays with it");
    }

    scene.sync(FIRST).await;
    scene.meet().await;
    assert_eq!((counted(0), counted(1), counted(30)), ([0, 2, 2], [2, 0, 2], [1, 0, 1]));
    for id in [before, offline, theirs] {
        scene.all_say(id, "home_unit", &SECOND.to_string());
        assert!(scene.holds(FIRST, id) && scene.holds(SECOND, id) && scene.holds(STREET, id));
    }
    // The old office goes on working until its computer is taken away.
    scene.amend(FIRST, before, &[("phone", "13900000001")]);
    let later = scene.resident(FIRST, 3, &[]);
    scene.meet().await;
    scene.all_say(before, "phone", "13900000001");
    scene.all_say(later, "home_unit", &SECOND.to_string());
    assert_eq!([FIRST, SECOND].map(|code| scene.figure(code, "K00")), [0, 4]);
    scene.queue_is_empty().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_15_somebody_on_the_way_to_a_code_given_up_is_taken_in_by_the_new_one() {
    let scene = Scene::with(&[FIRST, STREET, SECOND], Mode::Nightly).await;
    let id = scene.resident(STREET, 1, &[]);
    scene.amend(STREET, id, &[("transfer_to", &FIRST.to_string())]);
    scene.meet().await;
    let line = UNITS.lines().find(|line| line.starts_with(&FIRST.to_string())).unwrap();
    let changed = UNITS.replace(line, &format!("{line},{SECOND},{}", scene.ago(0)));
    scene.town.city.hub.writer.write(Job::Tree(changed, None)).await.unwrap();
    scene.call_the_city().await;
    scene.meet().await;
    // Something else about the person changes meanwhile: it is still asked for.
    scene.amend(STREET, id, &[("phone", "13900000001")]);
    scene.meet().await;
    let asked = scene.ledger(SECOND).ids(number::TRANSFER).unwrap();
    assert_eq!((asked.len(), scene.figure(SECOND, "K42c")), (1, 1));
    scene.amend(SECOND, asked[0], &[("decision", "1")]);
    scene.meet().await;
    scene.all_say(id, "home_unit", &SECOND.to_string());
    scene.all_say(asked[0], "decision", "接收");
    assert_eq!(scene.figure(SECOND, "K42c"), 0);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn case_17_an_event_that_comes_after_its_month_was_closed_is_an_adjustment() {
    let scene = Scene::open().await;
    let person = scene.resident(FIRST, 1, &[]);
    scene.meet().await;
    scene.town.settled(|_, _| {}).await.unwrap();
    let this = Month::of(scene.hub().hub.core.today()).unwrap();
    let month = Month::of(this.first_day() - 1).unwrap();
    let last = month.last_day();
    let (city, district) = (&scene.town.city.hub, &scene.hub().hub);
    let key = taizhang_hub::plans::signing_key(&scene.town.city.dir).unwrap();
    let mut request = pb::MonthRequest {
        month: month.to_string(),
        by: REVIEWER.into(),
        reason: REASON.into(),
        ..pb::MonthRequest::default()
    };
    assert!(months::lock(&district.core, &district.writer, &key, &request).await.is_err(), "the city locks months");
    let locked = months::lock(&city.core, &city.writer, &key, &request).await.unwrap();
    let again = months::lock(&city.core, &city.writer, &key, &request).await.unwrap_err();
    assert!(matches!(again, months::MonthsError::Locked(_)), "locked figures never move: {again}");
    until("the district has the locked month and its own sheet", || district.core.months().count() == 1).await.unwrap();
    request.reason.clear();
    for hub in [city, district] {
        let answer = months::adjustments(&hub.core, &request).unwrap();
        assert_eq!((answer.digest, answer.adjustments), (locked.digest.clone(), Vec::new()));
        assert_eq!(months::verify(&hub.core).unwrap(), [] as [&str; 0]);
    }
    let (of, day) = (person.to_string(), date::iso(last - 2));
    let spell = scene.enter(FIRST, number::UNEMPLOYMENT_SPELL, &[("person", &of), ("reg_on", &day)]);
    scene.agrees().await;
    scene.all_say(spell, "reg_on", &day);
    assert_eq!(scene.figure(FIRST, "K24"), 1, "it counts from its day on");
    for hub in [city, district] {
        let answer = months::adjustments(&hub.core, &request).unwrap();
        assert_eq!(answer.digest, locked.digest);
        let line = |one: &pb::Adjustment| {
            let pb::Correction { was, now, .. } = one.correction.clone().unwrap();
            let (was, now) = (was.unwrap(), now.unwrap());
            (one.unit, now.indicator.clone(), now.span, was.numerator, now.numerator)
        };
        let mut lines: Vec<_> = answer.adjustments.iter().map(line).collect();
        lines.sort_unstable();
        let top = hub.core.unit.number();
        let units: std::collections::BTreeSet<u64> = [top, scene.hub().unit.number(), STREET, FIRST].into();
        // Whoever is registered in the period is in the base of K25 too, over the year and over the month.
        let of = |code| [(code, "K24".into(), 0, 0, 1), (code, "K25".into(), 0, 0, 0), (code, "K25".into(), 1, 0, 0)];
        let wanted: Vec<_> = units.into_iter().flat_map(of).collect();
        assert_eq!(lines, wanted);
    }
    scene.queue_is_empty().await;
    scene.end().await;
}
