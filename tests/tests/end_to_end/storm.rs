//! A hub that is full says so, and nodes come back.

use crate::{DISTRICT, FIRST, SECOND, books, town, unit, wire};
use taizhang_tests::town::{OfficePlan, Plan, until};
use tonic::Code;
use wire::Wire;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_a_full_hub_turned_away_comes_back_by_itself() {
    let (dir, mut town) = town(&[DISTRICT], Plan { sessions: 1, ..Plan::default() }).await;
    let gate = town.districts[0].gate();
    let guest = gate.enrol(&dir.path().join("guest"), unit(FIRST), false).await.unwrap();
    let (session, _) = Wire::greet(&guest, wire::hello()).await.unwrap();
    // Another one: a second session of the same computer would take the first one's place.
    let other = gate.enrol(&dir.path().join("other"), unit(FIRST), false).await.unwrap();
    let status = Wire::open(other.connect().await.unwrap()).await.err().unwrap();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let retry = status.metadata().get("retry-after-ms").unwrap().to_str().unwrap().to_owned();
    println!("full: {} (retry after {retry} ms)", status.message());

    town.open_office(OfficePlan::live(unit(SECOND))).await.unwrap();
    let office = &town.offices[0];
    let keeper = office.office.keeper.as_ref().unwrap();
    books::fill(office.ledger(), 1, 5);
    until("the node has been turned away", || keeper.state().last_error.contains("too many sessions")).await.unwrap();
    assert!(office.ledger().pending() > 0);
    drop(session);
    until("the node is back", || keeper.state().connected && office.ledger().pending() == 0).await.unwrap();
    assert_eq!(town.districts[0].figure(unit(SECOND), "K00").unwrap(), 5);
    assert!(keeper.state().last_error.is_empty());
    town.stop().await;
}
