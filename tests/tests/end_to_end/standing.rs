//! An office counts its own targets as its district counts them, and sees an entry before it is synced.

use crate::{DISTRICT, FIRST, STREET, books, town, unit};
use std::collections::BTreeMap;
use taizhang_hub::{totals, writer::Core};
use taizhang_node::{ledger::Ledger, office::standing};
use taizhang_proto::{
    OrgCode,
    cell::worklist::LATE,
    date::{self, Day},
    pb,
    register::number,
};
use taizhang_tests::town::{OfficePlan, Plan};

/// The lines of a unit at its district.
fn at_hub(core: &Core, unit: OrgCode) -> pb::StandingAnswer {
    let asked = pb::StandingRequest { unit: unit.number(), ..pb::StandingRequest::default() };
    let mut answer = totals::standing(core, &asked, core.unit).unwrap();
    // How its nodes and its queue run is the district's to know.
    answer.lines.retain(|line| !["K41", "K42b"].contains(&line.indicator.as_str()));
    answer
}

fn at_office(ledger: &Ledger) -> pb::StandingAnswer {
    standing::standing(ledger, ledger.business_day()).unwrap()
}

fn overdue(answer: &pb::StandingAnswer) -> (i64, i64) {
    let line = answer.lines.iter().find(|line| line.indicator == "K08").unwrap();
    (line.numerator, line.left)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_office_stands_as_its_district_says_and_sees_what_is_not_yet_synced() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(STREET))).await.unwrap();
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let (street, community) = (town.offices[0].ledger().clone(), town.offices[1].ledger().clone());
    books::fill(&community, 5, 300);
    books::fill(&street, 6, 200);
    // The community first, so that the street hears of what it said.
    for office in town.offices.iter().rev() {
        office.sync().await.unwrap();
    }
    let core = town.districts[0].hub.core.clone();
    for (ledger, own) in [(&street, unit(STREET)), (&community, unit(FIRST))] {
        let (office, hub) = (at_office(ledger), at_hub(&core, own));
        assert_eq!(office, hub, "{own}");
        assert!(hub.lines.iter().filter(|line| line.measured).count() > 5, "{hub:?}");
    }

    // Thirty days without a job, and nobody has told the district yet.
    let before = at_office(&community);
    let on = date::iso(community.business_day() - 30);
    let house = books::enter(&community, number::HOUSEHOLD, &[("hh_no", "未上报户")]).to_string();
    let case = [("household", house.as_str()), ("kind", "1"), ("recognised_on", on.as_str())];
    books::enter(&community, number::ZEF_CASE, &case);
    let after = at_office(&community);
    assert_eq!(overdue(&after), (overdue(&before).0 + 1, overdue(&before).1 + 1));
    assert_eq!(at_hub(&core, unit(FIRST)), before);
    town.offices[1].sync().await.unwrap();
    assert_eq!(at_hub(&core, unit(FIRST)), after);
    assert_eq!(at_office(&community), after, "the sync moves nothing");
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_worklist_calls_late_is_what_the_district_counts_on_any_day() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(STREET))).await.unwrap();
    let ledger = town.offices[0].ledger().clone();
    books::fill_for(&ledger, unit(FIRST), 7, 300);
    let today = ledger.business_day();
    let on = |days: i32| date::iso(today - days);
    // What the synthetic office has none of: a task, a post, a household asking for two jobs.
    let home = FIRST.to_string();
    let task = [
        ("home_unit", home.as_str()),
        ("title", "核查台账"),
        ("from_unit", "210402000000"),
        ("given_on", &on(20)),
        ("due_on", &on(3)),
    ];
    books::enter(&ledger, number::TASK, &task);
    let post = [
        ("home_unit", home.as_str()),
        ("post_no", "公-1"),
        ("kind", "20"),
        ("places", "1"),
        ("from_on", &on(900)),
        ("subsidy_until", &on(5)),
    ];
    books::enter(&ledger, number::POST, &post);
    books::enter(&ledger, number::FACILITY, &[("home_unit", &home), ("kind", "3"), ("opened_on", &on(200))]);
    let house = books::enter(&ledger, number::HOUSEHOLD, &[("home_unit", &home), ("hh_no", "双-1")]).to_string();
    let case = [
        ("home_unit", home.as_str()),
        ("household", &house),
        ("kind", "1"),
        ("recognised_on", &on(60)),
        ("want_dual", "是"),
        ("asked_on", &on(50)),
    ];
    books::enter(&ledger, number::ZEF_CASE, &case);
    assert_eq!(town.offices[0].sync().await.unwrap().refused, 0);

    let core = town.districts[0].hub.core.clone();
    let view = core.view();
    let mut seen = BTreeMap::new();
    for on in [today - 400, today - 100, today - 4, today, today + 3, today + 40, today + 400] {
        let items = town.offices[0].office.work(&pb::DueRequest { on, within: 30, to_file: false }).unwrap().items;
        for (clock, parts) in LATE {
            let counted: i64 = parts
                .iter()
                .map(|(part, sign)| {
                    sign * totals::sum(view.as_ref(), unit(STREET), part.number(), Day::MIN..=on).unwrap()
                })
                .sum();
            let late = |item: &&pb::WorkItem| item.clock == clock.code() && item.days_left < 0;
            assert_eq!(items.iter().filter(late).count() as i64, counted, "{clock:?} on {}", date::iso(on));
            *seen.entry(clock.code()).or_insert(0) += counted;
            // What is announced for the next thirty days comes true where nothing is done.
            let last = on + 30;
            let soon = items.iter().filter(|item| item.clock == clock.code() && (0..30).contains(&item.days_left));
            let announced: Vec<&pb::WorkItem> = soon.collect();
            let then =
                town.offices[0].office.work(&pb::DueRequest { on: last, within: 0, to_file: false }).unwrap().items;
            let came = |item: &&&pb::WorkItem| {
                then.iter().any(|late| {
                    (&late.clock, &late.record, late.unit) == (&item.clock, &item.record, item.unit)
                        && late.days_left < 0
                })
            };
            assert_eq!(announced.iter().filter(came).count(), announced.len(), "{clock:?} {announced:?}");
        }
    }
    let counted: Vec<&str> = seen.iter().filter(|(_, count)| **count > 0).map(|(code, _)| *code).collect();
    for code in ["K08", "K12", "K15", "K22", "K28b", "K38", "K39", "K40", "K44b"] {
        assert!(counted.contains(&code), "{code} is compared with something: {counted:?}");
    }
    town.stop().await;
}
