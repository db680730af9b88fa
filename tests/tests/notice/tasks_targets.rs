//! Money, guidance, somebody responsible, tasks with their terms, targets broken down, problems solved (items 17 to 21,
//! 23 and 46).

use crate::{CITY, counts, publish, second_plan, standing, stands, up};
use ring::signature::Ed25519KeyPair;
use std::collections::BTreeMap;
use taizhang_hub::{orders, totals, writer::Job};
use taizhang_proto::{
    cell::home_unit,
    date,
    pb::{self, Tier},
    plan::Bound,
    register::number,
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene, unit},
    town::until,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn money_and_guidance_are_on_the_books_of_the_office_that_got_them() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let own = [("kind", "3"), ("funding", "2007:区财政:20000"), ("responsible", "周敏")];
    let own = scene.enter(FIRST, number::FACILITY, &own);
    scene.meet().await;
    // Community and street each add a year's money, apart.
    scene.amend(FIRST, own, &[("funding", "2007:区财政:20000、2008:区财政:50000")]);
    scene.amend(STREET, own, &[("funding", "2007:区财政:20000、2008:街道:8000")]);
    let visit = [
        ("on", "2008-04-22"),
        ("by_unit", "210400000000"),
        ("subject", "社区平台高标准建设指导"),
        ("found", "窗口设置合理"),
        ("demand", "补齐服务承诺"),
    ];
    let visit = scene.record(FIRST, "Inspection", &visit).await;
    scene.agrees().await;
    let held = scene.says(FIRST, own, "funding");
    for line in ["2007:区财政:20000", "2008:区财政:50000", "2008:街道:8000"] {
        assert!(held.contains(line), "{line} of {held}");
    }
    stands(&scene, FIRST, own, &[("funding", &held), ("responsible", "周敏")]);
    let said = [
        ("by_unit", "210400000000"),
        ("on", "2008-04-22"),
        ("demand", "补齐服务承诺"),
        ("subject", "社区平台高标准建设指导"),
    ];
    stands(&scene, FIRST, visit, &said);
    assert!(scene.holds(STREET, visit) && !scene.holds(SECOND, visit));
    let vague =
        books::refused(scene.ledger(STREET), number::INSPECTION, None, &[("on", "2008-05-01"), ("subject", "台账")]);
    assert!(vague.contains("检查单位必须填写"), "{vague}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_has_somebody_responsible_and_a_term_and_only_who_gave_it_can_close_it() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let given = |title, due| {
        [
            ("title", title),
            ("from_unit", "210402011000"),
            ("given_on", "2008-04-01"),
            ("due_on", due),
            ("indicator", "K14"),
            ("demand", "工作站至少一人持证"),
            ("home_unit", "210402011003"),
        ]
    };
    let task = scene.enter(STREET, number::TASK, &given("协理员持证上岗", "2008-06-30"));
    let other = scene.enter(STREET, number::TASK, &given("公示服务承诺", "2008-06-30"));
    let own = books::refused(scene.ledger(FIRST), number::TASK, None, &given("自拟任务", "2008-06-30"));
    assert!(own.contains("不由本级办理"), "a community gives itself no task: {own}");
    scene.agrees().await;
    stands(
        &scene,
        FIRST,
        task,
        &[("due_on", "2008-06-30"), ("from_unit", "210402011000"), ("demand", "工作站至少一人持证")],
    );
    let figures = |on| (up(&scene, FIRST, "K44", on), counts(&scene, FIRST, "K44b", on));
    assert_eq!(figures("2008-06-29"), (vec![(0, 0); 4], vec![0; 4]));
    assert_eq!(figures("2008-07-01"), (vec![(0, 2); 4], vec![2; 4]));

    scene.amend(FIRST, task, &[("responsible", "孙丽华"), ("progress", "60")]);
    let bare = books::refused(scene.ledger(FIRST), number::TASK, Some(task), &[("reported_on", "2008-06-20")]);
    assert!(bare.contains("完成情况"), "{bare}");
    scene.amend(FIRST, task, &[("reported_on", "2008-06-20"), ("report", "两人取得四级证"), ("progress", "100")]);
    let closing = [("closed_on", "2008-06-21")];
    let closed = books::refused(scene.ledger(FIRST), number::TASK, Some(task), &closing);
    assert!(closed.contains("不由本级办理"), "who does it does not close it: {closed}");
    scene.agrees().await;
    assert_eq!(figures("2008-07-01").0[0], (0, 2), "a report closes nothing");
    scene.amend(STREET, task, &closing);
    scene.agrees().await;
    stands(&scene, FIRST, task, &[("responsible", "孙丽华"), ("progress", "100"), ("closed_on", "2008-06-21")]);
    assert_eq!(figures("2008-07-01"), (vec![(1, 2); 4], vec![1; 4]));
    let asked = standing(&scene, DISTRICT, "K44", "2008-07-01");
    assert_eq!((asked.target, asked.reached, asked.left), (0.95, false, 1));

    scene.amend(FIRST, other, &[("reported_on", "2008-07-08"), ("report", "已上墙")]);
    scene.meet().await;
    scene.amend(STREET, other, &[("closed_on", "2008-07-10")]);
    scene.agrees().await;
    assert_eq!(figures("2008-07-10"), (vec![(1, 2); 4], vec![0; 4]), "late, but done");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn targets_are_broken_down_to_each_tier_and_every_unit_is_ranked_by_its_own() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let entry =
        |unit: u64, share| format!("\n[[breakdown]]\nunit = {unit}\nindicator = \"K14\"\nat_least = {share:.1}\n");
    let own = [(DISTRICT, 0.9), (STREET, 0.2), (FIRST, 0.0)].map(|(unit, share)| entry(unit, share)).concat();
    publish(&scene, &(second_plan(&scene) + &own)).await;
    let today = scene.hub().hub.core.today();
    let asked = |code: u64| scene.ledger(FIRST).plans().on(today).bound_of(unit(code), "K14");
    let wanted = [(CITY, 1.0), (DISTRICT, 0.9), (STREET, 0.2), (FIRST, 0.0), (SECOND, 0.2)];
    assert_eq!(wanted.map(|(code, _)| asked(code)), wanted.map(|(_, share)| Some(Bound::AtLeast(share))));

    let from = [("name", "孙丽华"), ("from_on", "2008-03-01")];
    let assistant = scene.enter(SECOND, number::ASSISTANT, &from).to_string();
    let paper = [("assistant", assistant.as_str()), ("level", "4"), ("cert_no", "LN0809"), ("issued_on", "2008-03-01")];
    scene.enter(SECOND, number::CREDENTIAL, &paper);
    scene.agrees().await;
    let on = scene.ago(0);
    let line = |code| {
        let line = standing(&scene, code, "K14", &on);
        (line.numerator, line.denominator, line.target, line.reached, line.left)
    };
    assert_eq!(line(CITY), (1, 320, 1.0, false, 319));
    assert_eq!(line(DISTRICT), (1, 61, 0.9, false, 54), "nine tenths of 61 are 55");
    assert_eq!(line(STREET), (1, 11, 0.2, false, 2), "a fifth of eleven are three");
    assert_eq!((line(FIRST), line(SECOND)), ((0, 1, 0.0, true, 0), (1, 1, 0.2, true, 0)));

    let core = &scene.town.city.hub.core;
    let asked = pb::StandingRequest { unit: STREET, on: 0, by: Tier::Community.into() };
    let answer = totals::standing(core, &asked, core.unit).unwrap();
    assert_eq!((answer.plan_version, answer.scores.len()), (2, 12));
    let rank = |code: u64| answer.scores.iter().find(|one| one.unit == code).unwrap().rank;
    // The second has somebody certified and kept; the first has the same figures as the others, and a lower target.
    assert_eq!([SECOND, FIRST, 210_402_011_005, 210_402_011_014].map(rank), [1, 2, 3, 3]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_problem_met_on_the_way_has_an_owner_a_term_and_an_end() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let given = [
        ("title", "消除零就业家庭"),
        ("from_unit", "210402011000"),
        ("given_on", "2008-04-01"),
        ("due_on", "2008-05-31"),
    ];
    let task = scene.enter(STREET, number::TASK, &[&given[..], &[("home_unit", "210402011003")]].concat());
    scene.meet().await;
    let of = task.to_string();
    let raised = [
        ("title", "两户无合适岗位"),
        ("raised_on", "2008-04-20"),
        ("owner", "周敏"),
        ("due_on", "2008-05-10"),
        ("task", &of),
    ];
    let issue = scene.enter(FIRST, number::ISSUE, &raised);
    let nameless = books::refused(scene.ledger(FIRST), number::ISSUE, None, &raised[1..]);
    assert!(nameless.contains("问题必须填写"), "{nameless}");
    scene.agrees().await;
    stands(&scene, FIRST, issue, &[("owner", "周敏"), ("due_on", "2008-05-10"), ("closed_on", ""), ("task", &of)]);
    // The street sees what its communities struggle with, and helps.
    scene.amend(STREET, issue, &[("solution", "街道开发公益性岗位两个"), ("closed_on", "2008-05-08")]);
    scene.agrees().await;
    stands(
        &scene,
        FIRST,
        issue,
        &[("closed_on", "2008-05-08"), ("solution", "街道开发公益性岗位两个"), ("owner", "周敏")],
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_street_reviews_what_its_communities_apply_for_before_the_district_recognises_it() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let person = scene.resident(FIRST, 1, &[("labour_able", "是"), ("job_willing", "是")]).to_string();
    let application = [("person", person.as_str()), ("kind", "01"), ("applied_on", "2008-04-01")];
    let case = scene.enter(FIRST, number::HARDSHIP_CASE, &application);
    scene.meet().await;
    let own = books::refused(scene.ledger(FIRST), number::HARDSHIP_CASE, Some(case), &[("checked_on", "2008-04-03")]);
    assert!(own.contains("不由本级办理"), "a community does not review itself: {own}");
    scene.amend(STREET, case, &[("checked_on", "2008-04-03")]);
    let rash =
        books::refused(scene.ledger(STREET), number::HARDSHIP_CASE, Some(case), &[("recognised_on", "2008-04-04")]);
    assert!(rash.contains("不由本级办理") && rash.contains("公示"), "the street is told what it may do: {rash}");
    scene.agrees().await;
    stands(&scene, FIRST, case, &[("checked_on", "2008-04-03"), ("recognised_on", "")]);
    assert_eq!(up(&scene, FIRST, "K26", "2008-04-10"), [(0, 0); 4]);
    scene.revise(case, "HardshipCase", &[("recognised_on", "2008-04-10"), ("recogniser", "210402000000")]).await;
    scene.agrees().await;
    stands(&scene, FIRST, case, &[("recognised_on", "2008-04-10"), ("recogniser", "210402000000")]);
    assert_eq!(
        (up(&scene, FIRST, "K26", "2008-04-09"), up(&scene, FIRST, "K26", "2008-04-10")),
        (vec![(0, 0); 4], vec![(0, 1); 4])
    );
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_city_gives_a_task_that_becomes_a_record_of_each_unit_and_takes_it_back() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let city = scene.town.city.hub.clone();
    let key = taizhang_hub::plans::signing_key(&scene.town.city.dir).unwrap();
    let due = city.core.today() + 10;
    let order = pb::TaskOrder {
        title: "核查零就业家庭台账".into(),
        to: vec![FIRST, STREET, 210_403_000_000],
        due_on: due,
        indicator: "K08".into(),
        demand: "逐户入户".into(),
        ..pb::TaskOrder::default()
    };
    let ask = |order: Option<pb::TaskOrder>, withdraw| pb::OrderRequest { order, withdraw };
    let wrong = pb::TaskOrder { to: vec![210_402_999_000], ..order.clone() };
    assert!(orders::give(&city.core, &key, &ask(Some(wrong), 0)).unwrap_err().to_string().contains("210402999000"));
    let past = pb::TaskOrder { due_on: due - 11, ..order.clone() };
    assert!(orders::give(&city.core, &key, &ask(Some(past), 0)).unwrap_err().to_string().contains("完成期限"));
    let district = &scene.hub().hub;
    assert!(orders::give(&district.core, &key, &ask(Some(order.clone()), 0)).is_err(), "the city gives tasks so");

    let list = orders::give(&city.core, &key, &ask(Some(order.clone()), 0)).unwrap();
    city.writer.write(Job::Orders(list.clone())).await.unwrap();
    let tasks = || {
        let records = books::records_at(district).into_iter().filter(|(_, record)| record.register == number::TASK);
        records.map(|(id, record)| (home_unit(&record).unwrap().number(), id)).collect::<BTreeMap<_, _>>()
    };
    until("the district has made it a record of its units", || tasks().len() == 2).await.unwrap();
    // Heard again it adds nothing, and nobody else's list is taken.
    district.writer.write(Job::Orders(list)).await.unwrap();
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let again = orders::give(&city.core, &other, &ask(Some(order.clone()), 0)).unwrap_err();
    assert!(again.to_string().contains("今日已下达（任务号 1）"), "{again}");
    let other_title = pb::TaskOrder { title: "另一任务".into(), ..order };
    let forged = orders::give(&city.core, &other, &ask(Some(other_title), 0)).unwrap();
    assert!(district.writer.write(Job::Orders(forged)).await.is_err());
    scene.meet().await;
    let [own, street] = [FIRST, STREET].map(|code| tasks()[&code]);
    let told =
        [("title", "核查零就业家庭台账"), ("from_unit", "210400000000"), ("indicator", "K08"), ("demand", "逐户入户")];
    stands(&scene, FIRST, own, &told);
    stands(&scene, STREET, street, &told);

    // One does it and its progress counts up to the city; the other's is taken back.
    scene.amend(FIRST, own, &[("progress", "60")]);
    scene.amend(FIRST, own, &[("progress", "100"), ("report", "已入户32户")]);
    scene.meet().await;
    scene.amend(STREET, own, &[("closed_on", &scene.ago(0))]);
    scene.agrees().await;
    let (last, late) = (date::iso(due), date::iso(due + 1));
    assert_eq!(up(&scene, FIRST, "K44", &last), [(1, 1), (1, 2), (1, 2), (1, 2)]);
    assert_eq!(counts(&scene, STREET, "K44b", &late), [1; 3]);
    // The city sees how far each unit is, without a record of it.
    let progress = |unit| {
        let answer = orders::progress(&city.core, 1).unwrap();
        let one = answer.progress.into_iter().find(|one| one.unit == unit).unwrap();
        (one.given, one.reported, one.closed, one.overdue)
    };
    assert_eq!((progress(FIRST), progress(STREET)), ((1, 1, 1, 0), (1, 0, 0, 0)));
    assert_eq!((progress(210_403_000_000), progress(0)), ((0, 0, 0, 0), (2, 1, 1, 0)), "a district without a hub");
    assert_eq!(orders::progress(&district.core, 1).unwrap().progress[0].closed, 1, "the district sees it as well");
    assert!(orders::progress(&city.core, 9).is_err());
    let list = orders::give(&city.core, &key, &ask(None, 1)).unwrap();
    city.writer.write(Job::Orders(list)).await.unwrap();
    let withdrawn = || books::shown(&books::records_at(district)[&street], "withdrawn_on");
    until("it is taken back", || !withdrawn().is_empty()).await.unwrap();
    scene.agrees().await;
    stands(&scene, FIRST, own, &[("withdrawn_on", ""), ("report", "已入户32户")]);
    assert_eq!(up(&scene, FIRST, "K44", &last), [(1, 1), (1, 1), (1, 1), (1, 1)]);
    assert_eq!(counts(&scene, STREET, "K44b", &late), [0; 3]);
    assert_eq!((progress(FIRST), progress(STREET)), ((1, 1, 1, 0), (0, 0, 0, 0)));
    assert!(orders::give(&city.core, &key, &ask(None, 1)).is_err(), "taken back already");
    scene.end().await;
}
