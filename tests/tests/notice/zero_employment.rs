//! Households without employment and graduates in hardship: the two clocks, and one by one (items 12, 13, 47 and 48).

use crate::{counts, day, standing, stands, up};
use taizhang_hub::backdated::{Asked, backdated};
use taizhang_node::{
    desk::{Desk, Draft},
    ledger::LedgerDesk,
};
use taizhang_proto::{
    RecordId, cell, pb,
    register::{Value, number},
};
use taizhang_tests::{
    books,
    scene::{DISTRICT, FIRST, SECOND, STREET, Scene},
};

/// A household, its adults and its case.
struct Family {
    adults: Vec<RecordId>,
    case: RecordId,
}

/// A family of two adults with a case of a kind.
fn family(scene: &Scene, office: u64, nth: usize, kind: &str, fields: &[(&str, &str)]) -> Family {
    let household = scene.household(office, &format!("户-{nth}"), &[]);
    let adults: Vec<RecordId> = [2 * nth, 2 * nth + 1].map(|nth| scene.resident(office, nth, &[])).into();
    for adult in &adults {
        scene.member(office, household, *adult);
    }
    let household = household.to_string();
    let own = [("household", household.as_str()), ("kind", kind)];
    let case = scene.enter(office, number::ZEF_CASE, &[&own, fields].concat());
    Family { adults, case }
}

fn job(scene: &Scene, office: u64, person: RecordId, start_on: &str) -> RecordId {
    let person = person.to_string();
    let fields = [("person", person.as_str()), ("kind", "1"), ("start_on", start_on), ("channel", "1")];
    scene.enter(office, number::PLACEMENT, &fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_a_household_is_employed_within_20_days_of_its_recognition() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let recognised = [("applied_on", "2008-03-17"), ("recognised_on", "2008-03-20"), ("responsible", "孙丽")];
    let in_time = family(&scene, FIRST, 1, "1", &recognised);
    let late = family(&scene, SECOND, 2, "1", &recognised);
    scene.agrees().await;
    stands(&scene, FIRST, in_time.case, &[("recognised_on", "2008-03-20"), ("responsible", "孙丽")]);
    let ledger = scene.ledger(FIRST);
    let clock = cell::clock_of(ledger, in_time.case, &ledger.plans()).unwrap().unwrap();
    assert_eq!(clock.due_one, day("2008-04-09"), "the office counts twenty days from the 20th");
    let unplaced = |code, on| counts(&scene, code, "K05", on);
    let overdue = |code, on| counts(&scene, code, "K08", on);
    assert_eq!((unplaced(FIRST, "2008-03-19"), unplaced(FIRST, "2008-03-20")), (vec![0; 4], vec![1, 2, 2, 2]));
    assert_eq!(counts(&scene, FIRST, "K06", "2008-03-20"), [1, 2, 2, 2]);
    assert_eq!(counts(&scene, FIRST, "K09", "2008-04-03"), [0; 4]);
    assert_eq!(counts(&scene, FIRST, "K09", "2008-04-04"), [1, 2, 2, 2], "five days before");
    assert_eq!((overdue(FIRST, "2008-04-09"), overdue(FIRST, "2008-04-10")), (vec![0; 4], vec![1, 2, 2, 2]));
    assert_eq!(up(&scene, FIRST, "K07", "2008-04-08"), [(0, 0); 4]);
    assert_eq!(up(&scene, FIRST, "K07", "2008-04-09"), [(0, 1), (0, 2), (0, 2), (0, 2)]);
    assert_eq!(
        up(&scene, FIRST, "K06b", "2008-03-20"),
        [(3, 1), (6, 2), (6, 2), (6, 2)],
        "working days to recognition"
    );

    job(&scene, FIRST, in_time.adults[1], "2008-04-09");
    job(&scene, SECOND, late.adults[0], "2008-04-10");
    scene.agrees().await;
    assert_eq!(up(&scene, FIRST, "K07", "2008-04-30"), [(1, 1), (1, 2), (1, 2), (1, 2)], "the last day is in time");
    assert_eq!(up(&scene, SECOND, "K07", "2008-04-30"), [(0, 1), (1, 2), (1, 2), (1, 2)], "a day later is not");
    assert_eq!((unplaced(SECOND, "2008-04-09"), unplaced(SECOND, "2008-04-10")), (vec![1, 1, 1, 1], vec![0; 4]));
    assert_eq!((overdue(FIRST, "2008-04-10"), overdue(SECOND, "2008-04-10")), (vec![0; 4], vec![0; 4]));
    assert_eq!(up(&scene, FIRST, "K13", "2008-04-30"), [(1, 1), (2, 2), (2, 2), (2, 2)]);
    let asked = |code| standing(&scene, DISTRICT, code, "2008-04-30");
    assert_eq!((asked("K07").target, asked("K07").reached, asked("K07").left), (1.0, false, 1));
    assert!(asked("K08").at_most && asked("K08").reached);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_are_employed_within_a_month_where_a_household_asks_for_it_and_nowhere_else() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    let asked = [("recognised_on", "2008-01-25"), ("want_dual", "是"), ("asked_on", "2008-01-31")];
    let two = family(&scene, FIRST, 1, "1", &asked);
    let one = family(&scene, SECOND, 2, "1", &[("recognised_on", "2008-01-25")]);
    job(&scene, FIRST, two.adults[0], "2008-02-01");
    job(&scene, SECOND, one.adults[0], "2008-02-01");
    scene.agrees().await;
    let ledger = scene.ledger(FIRST);
    let clock = cell::clock_of(ledger, two.case, &ledger.plans()).unwrap().unwrap();
    assert_eq!(clock.dual.unwrap().due, day("2008-02-29"), "a month after 31 January is the end of February");
    assert_eq!(
        (counts(&scene, FIRST, "K10", "2008-01-30"), counts(&scene, FIRST, "K10", "2008-01-31")),
        (vec![0; 4], vec![1; 4])
    );
    let overdue = |on| counts(&scene, FIRST, "K12", on);
    assert_eq!((overdue("2008-02-29"), overdue("2008-03-01")), (vec![0; 4], vec![1; 4]));
    assert_eq!(up(&scene, FIRST, "K11", "2008-02-29"), [(0, 1); 4]);
    assert_eq!(counts(&scene, SECOND, "K10", "2008-03-01"), [0, 1, 1, 1], "who did not ask is not asked for");
    assert_eq!(up(&scene, SECOND, "K11", "2008-03-01"), [(0, 0), (0, 1), (0, 1), (0, 1)]);

    job(&scene, FIRST, two.adults[1], "2008-02-29");
    scene.agrees().await;
    stands(&scene, FIRST, two.case, &[("want_dual", "是"), ("asked_on", "2008-01-31")]);
    assert_eq!(up(&scene, FIRST, "K11", "2008-02-29"), [(1, 1); 4]);
    assert_eq!(overdue("2008-03-01"), [0; 4]);
    assert!(standing(&scene, DISTRICT, "K11", "2008-03-01").reached);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_household_recognised_is_one_to_place_and_leaves_only_for_a_cause() {
    let scene = Scene::of(&[FIRST, SECOND, STREET]).await;
    // Step by step, as a community does it.
    let graduate = family(&scene, FIRST, 1, "2", &[("applied_on", "2008-06-25")]);
    scene.agrees().await;
    let early =
        books::refused(scene.ledger(FIRST), number::ZEF_CASE, Some(graduate.case), &[("recognised_on", "2008-07-10")]);
    assert!(early.contains("核实日期"), "nobody has been there: {early}");
    let placed = |on| up(&scene, FIRST, "K34", on);
    assert_eq!(placed("2008-07-10"), [(0, 0); 4]);
    scene.amend(FIRST, graduate.case, &[("visited_on", "2008-06-27")]);
    scene.amend(FIRST, graduate.case, &[("publicity_from", "2008-06-28"), ("publicity_to", "2008-07-05")]);
    scene.amend(FIRST, graduate.case, &[("recognised_on", "2008-07-10")]);
    let other = family(&scene, SECOND, 2, "1", &[("recognised_on", "2008-07-01")]);
    scene.agrees().await;
    stands(&scene, FIRST, graduate.case, &[("kind", "困难大学生家庭"), ("recognised_on", "2008-07-10")]);
    assert_eq!((placed("2008-07-09"), placed("2008-07-10")), (vec![(0, 0); 4], vec![(0, 1); 4]));
    assert_eq!(
        counts(&scene, FIRST, "K05", "2008-07-10"),
        [0, 1, 1, 1],
        "a graduate's household has a figure of its own"
    );
    let work = job(&scene, FIRST, graduate.adults[0], "2008-07-20");
    scene.agrees().await;
    assert_eq!((placed("2008-07-19"), placed("2008-07-20")), (vec![(0, 1); 4], vec![(1, 1); 4]));
    assert!(standing(&scene, DISTRICT, "K34", "2008-07-20").reached);

    let at_second = scene.ledger(SECOND);
    let causeless = books::refused(at_second, number::ZEF_CASE, Some(other.case), &[("exit_on", "2008-08-01")]);
    assert!(causeless.contains("退出必须写明原因"), "{causeless}");
    // A mistake is not a community's to find; it is told what is.
    let mistake = [("exit_on", "2008-08-01"), ("exit_cause", "7")];
    let refused = books::refused(at_second, number::ZEF_CASE, Some(other.case), &mistake);
    assert!(refused.contains("不由本级办理") && refused.contains("援助中") && refused.contains("退出"), "{refused}");
    assert_eq!(counts(&scene, SECOND, "K05", "2008-08-01"), [1; 4]);
    scene.amend(SECOND, other.case, &[("exit_on", "2008-08-01"), ("exit_cause", "6")]);
    scene.amend(FIRST, graduate.case, &[("exit_on", "2008-09-01"), ("exit_cause", "1")]);
    scene.amend(FIRST, work, &[("end_on", "2008-12-01"), ("end_cause", "1")]);
    scene.agrees().await;
    stands(&scene, SECOND, other.case, &[("exit_cause", "迁出")]);
    assert_eq!(counts(&scene, SECOND, "K05", "2008-08-01"), [0; 4]);
    assert_eq!(placed("2008-09-01"), [(1, 1); 4], "stably employed, it stays placed");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_community_stays_clear_only_while_each_household_found_anew_is_placed() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let title = [("stage", "5"), ("applied_on", "2008-01-10"), ("certified_on", "2008-02-01")];
    scene.record(FIRST, "FecCase", &title).await;
    let clear = |on| (counts(&scene, FIRST, "K05", on), counts(&scene, FIRST, "K08", on));
    let first = family(&scene, FIRST, 1, "1", &[("recognised_on", "2008-03-03")]);
    let work = job(&scene, FIRST, first.adults[0], "2008-03-10");
    scene.amend(FIRST, first.case, &[("exit_on", "2008-04-01"), ("exit_cause", "1")]);
    scene.agrees().await;
    assert_eq!((clear("2008-03-09"), clear("2008-04-30")), ((vec![1; 4], vec![0; 4]), (vec![0; 4], vec![0; 4])));

    // The job ends and the family is without again: a case of its own, with a clock of its own, linked to the old one.
    scene.amend(FIRST, work, &[("end_on", "2008-06-01"), ("end_cause", "2")]);
    let household = scene.says(FIRST, first.case, "household");
    let of = first.case.to_string();
    let again =
        [("household", household.as_str()), ("kind", "1"), ("recognised_on", "2008-06-10"), ("relapse_of", &of)];
    let again = scene.enter(FIRST, number::ZEF_CASE, &again);
    scene.agrees().await;
    stands(&scene, FIRST, again, &[("recognised_on", "2008-06-10"), ("relapse_of", &of)]);
    assert_eq!((clear("2008-06-30"), clear("2008-07-01")), ((vec![1; 4], vec![0; 4]), (vec![1; 4], vec![1; 4])));
    let asked = standing(&scene, FIRST, "K08", "2008-07-01");
    assert!(asked.at_most && !asked.reached && asked.left == 1, "the standard allows none: {asked:?}");
    assert_eq!(counts(&scene, FIRST, "K02", "2008-07-01"), [1; 4]);
    job(&scene, FIRST, first.adults[1], "2008-07-05");
    scene.agrees().await;
    assert_eq!(clear("2008-07-05"), (vec![0; 4], vec![0; 4]));
    assert!(standing(&scene, FIRST, "K08", "2008-07-05").reached);
    assert_eq!(counts(&scene, FIRST, "K06", "2008-12-31"), [2; 4], "both cases stay on the books");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_entered_more_than_a_week_after_it_happened_is_listed_apart() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let [in_time, late] = [7, 8].map(|days| {
        let person = scene.resident(FIRST, days, &[]);
        job(&scene, FIRST, person, &scene.ago(days as i32))
    });
    scene.agrees().await;
    let core = &scene.hub().hub.core;
    let today = core.today();
    let asked = |unit, from, to| backdated(core, Asked { unit, from, to }).unwrap();
    let lines = asked(core.unit, today - 1, today);
    let found: Vec<_> = lines.iter().map(|line| (line.record.clone(), line.days, line.unit)).collect();
    assert_eq!(found, [(late.to_string(), 8, FIRST)], "seven days are allowed: {in_time} is not listed");
    assert!(asked(scene.at(STREET).unit, today - 3, today - 2).is_empty(), "by the day of arrival");
    // The street is to review it, and names who did.
    let to_review = |office: u64| {
        let items = scene.at(office).office.doubtful(0, &[]).unwrap().items.into_iter();
        items.filter(|item| item.code == "backdated").map(|item| item.record).collect::<Vec<_>>()
    };
    assert_eq!(to_review(STREET), [late.to_string()]);
    scene.amend(STREET, late, &[("reviewed_by", "李主任"), ("review_result", "合同属实")]);
    scene.agrees().await;
    assert_eq!((to_review(STREET), to_review(FIRST)), (vec![], vec![]));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_day_of_recognition_is_changed_by_a_senior_office_and_what_was_late_stays_told() {
    let scene = Scene::of(&[FIRST, STREET]).await;
    let recognised = [("applied_on", "2008-03-17"), ("recognised_on", "2008-03-20")];
    let late = family(&scene, FIRST, 1, "1", &recognised);
    scene.agrees().await;
    assert_eq!(counts(&scene, FIRST, "K08", "2008-04-10")[0], 1, "overdue from the 21st day on");

    // A community's word on a clock that runs is for a reviewer to decide, and says why.
    let tag = books::field(number::ZEF_CASE, "recognised_on").tag;
    let draft =
        Draft::new(late.case, number::ZEF_CASE).with(tag, Value::Day(day("2008-05-20"))).because("申报表上为20日");
    let ledger = scene.ledger(FIRST);
    LedgerDesk::new(ledger).save(vec![vec![draft]], "clerk").pop().unwrap().unwrap();
    scene.meet().await;
    scene.meet().await;
    stands(&scene, FIRST, late.case, &[("recognised_on", "2008-03-20")]);
    assert_eq!(counts(&scene, FIRST, "K08", "2008-04-10")[0], 1);
    let open = scene.every_open_one().await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].claims.last().unwrap().reason, "申报表上为20日");
    let past = scene.ledger(FIRST).history(late.case).unwrap();
    assert!(past.iter().any(|entry| entry.reason == "申报表上为20日"), "{past:?}");

    // The street may; what had been late by the earlier day is told, at the office and at the hub.
    scene.amend(STREET, late.case, &[("recognised_on", "2008-05-20")]);
    scene.meet().await;
    scene.meet().await;
    stands(&scene, FIRST, late.case, &[("recognised_on", "2008-05-20")]);
    let doubts = scene.at(FIRST).office.doubtful(0, &[]).unwrap().items;
    let told: Vec<_> = doubts.iter().filter(|doubt| doubt.code == "redated").collect();
    assert_eq!(told.len(), 1, "{doubts:?}");
    assert!(told[0].what.contains("2008-03-20") && told[0].what.contains("曾超期"), "{}", told[0].what);

    // Back again: the day that stands is no earlier one.
    scene.amend(STREET, late.case, &[("recognised_on", "2008-03-20")]);
    scene.meet().await;
    scene.meet().await;
    let doubts = scene.at(FIRST).office.doubtful(0, &[]).unwrap().items;
    let told: Vec<_> = doubts.iter().filter(|doubt| doubt.code == "redated").map(|doubt| doubt.what.clone()).collect();
    assert!(told.len() == 1 && told[0].contains("2008-05-20"), "{told:?}");

    // Nor is it forgotten where the case is made void and entered anew.
    let household = scene.ledger(FIRST).view(late.case).unwrap().unwrap().reference(21).unwrap().to_string();
    scene.revise(late.case, "ZefCase", &[("state", "2"), ("void_reason", "重复录入")]).await;
    scene.meet().await;
    let anew = [("household", household.as_str()), ("kind", "1"), ("recognised_on", "2008-05-25")];
    let anew = scene.enter(FIRST, number::ZEF_CASE, &anew);
    let of_it = |doubt: &pb::DoubtItem| doubt.code == "redated" && doubt.record == anew.to_string();
    let doubts = scene.at(FIRST).office.doubtful(0, &[]).unwrap().items;
    let told: Vec<_> = doubts.into_iter().filter(of_it).map(|doubt| doubt.what).collect();
    assert!(told.iter().any(|what| what.contains("2008-03-20") && what.contains("曾超期")), "{told:?}");
    scene.end().await;
}
