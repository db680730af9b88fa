//! A whole city in this process: real TLS, real stores, real sessions. Each test opens the town it needs in a
//! directory of its own.

#![allow(clippy::unwrap_used)]

mod bounds;
mod districts;
mod figures;
mod lifetimes;
mod live;
mod months;
mod plan;
mod privacy;
mod quiet;
mod rosters;
mod scope;
mod silence;
mod standing;
mod storm;
mod together;

use taizhang_proto::OrgCode;
use taizhang_tests::hostile as wire;
use taizhang_tests::{
    books,
    town::{Plan, Town},
};

/// A street of 新抚区, and three of its communities.
const STREET: u64 = 210_402_011_000;
const FIRST: u64 = 210_402_011_003;
const SECOND: u64 = 210_402_011_004;
const THIRD: u64 = 210_402_011_005;
/// The street's district, and another one.
const DISTRICT: u64 = 210_402_000_000;
const ELSEWHERE: u64 = 210_403_000_000;

fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

/// A directory that goes with the test, and a town in it with these districts.
async fn town(districts: &[u64], plan: Plan) -> (tempfile::TempDir, Town) {
    let dir = tempfile::tempdir().unwrap();
    let mut town = Town::start(dir.path(), plan).await.unwrap();
    for district in districts {
        town.open_district(unit(*district)).await.unwrap();
    }
    (dir, town)
}
