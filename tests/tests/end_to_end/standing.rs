//! An office counts its own targets as its district counts them, and sees an entry before it is synced.

use crate::{DISTRICT, FIRST, STREET, books, town, unit};
use taizhang_hub::{totals, writer::Core};
use taizhang_node::{ledger::Ledger, office::standing};
use taizhang_proto::{OrgCode, date, pb, register::number};
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
