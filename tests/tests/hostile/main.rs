//! Children and strangers that mean harm, over real TLS: whatever they say, the hub goes on for the others.
//! The oracle is one for all of them, [`still_sound`].

#![allow(clippy::unwrap_used)]

mod garbage;
mod limits;
mod numbers;
mod quotas;
mod strangers;
mod turns;

use taizhang_hub::store::Space;
use taizhang_node::identity::Identity;
use taizhang_proto::{
    OrgCode, Record,
    pb::{self, up},
};
use taizhang_tests::{
    books,
    hostile::{self, Wire},
    town::{OfficePlan, Plan, Town, agreement, until},
};
use tonic::Status;

/// A street of 新抚区, and two of its communities.
const STREET: u64 = 210_402_011_000;
const FIRST: u64 = 210_402_011_003;
const SECOND: u64 = 210_402_011_004;
/// The street's district, and another one.
const DISTRICT: u64 = 210_402_000_000;
const ELSEWHERE: u64 = 210_403_000_000;

fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

/// A town with one district, and somebody hostile in one of its communities with a real certificate.
async fn town() -> (tempfile::TempDir, Town, Identity) {
    let dir = tempfile::tempdir().unwrap();
    let mut town = Town::start(&dir.path().join("town"), Plan::default()).await.unwrap();
    town.open_district(unit(DISTRICT)).await.unwrap();
    let mallory = town.districts[0].gate().enrol(&dir.path().join("mallory"), unit(FIRST), false).await.unwrap();
    (dir, town, mallory)
}

/// Says messages after a greeting and returns how the hub ends the session.
async fn ends(identity: &Identity, messages: Vec<up::It>) -> Status {
    let (session, _) = Wire::greet(identity, hostile::hello()).await.unwrap();
    for message in messages {
        session.say(message).await;
    }
    session.end().await
}

/// The hub still answers an honest child, which holds what the hub holds; totals are the recount at every tier; every
/// record can be read again and is its canonical bytes.
async fn still_sound(town: &mut Town) {
    let place = town.open_office(OfficePlan::nightly(unit(SECOND))).await.unwrap();
    books::fill(town.offices[place].ledger(), 1 + place as u64, 20);
    let wide = town.open_office(OfficePlan::nightly(unit(STREET))).await.unwrap();
    for office in [place, wide] {
        let report: pb::SyncReport = town.offices[office].sync().await.unwrap();
        assert!(report.ok && report.equal && report.refused == 0, "{report:?}");
        town.offices[office].ledger().verify().unwrap();
    }
    town.settled(|_, _| {}).await.unwrap();
    // What an office has heard to the end may reach the figures of who is online a moment later.
    let mut differences = Vec::new();
    let agreed = until("the tiers agree", || {
        differences = agreement(town).unwrap().differences;
        differences.is_empty()
    });
    let agreed = agreed.await;
    assert!(agreed.is_ok(), "{differences:?}");
    let view = town.districts[0].hub.core.view();
    for row in view.prefix(Space::Records, &[]) {
        let (_, bytes) = row.unwrap();
        assert_eq!(Record::decode(bytes.clone()).unwrap().encode(), bytes);
    }
}
