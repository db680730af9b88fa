//! A night in which nothing happened.

use crate::{DISTRICT, FIRST, books, town, unit};
use taizhang_tests::town::{OfficePlan, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_night_with_nothing_to_say_is_one_round_trip_under_a_kibibyte() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let office = &town.offices[0];
    let mut measured = Vec::new();
    for (seed, persons) in [(1, 10), (2, 2_000)] {
        books::fill(office.ledger(), seed, persons);
        let talk = office.sync().await.unwrap();
        assert!(talk.ok && talk.equal && talk.refused == 0 && talk.pushed > 0, "{talk:?}");
        let quiet = office.sync().await.unwrap();
        assert!(quiet.ok && quiet.equal && quiet.pushed == 0 && quiet.pulled == 0, "{quiet:?}");
        assert_eq!(quiet.round_trips, 1);
        assert!(quiet.bytes_up + quiet.bytes_down < 1_024, "{quiet:?}");
        println!(
            "{} records: a quiet session takes {} bytes up, {} down, {} ms",
            office.ledger().state().count,
            quiet.bytes_up,
            quiet.bytes_down,
            quiet.millis
        );
        measured.push(quiet.bytes_up + quiet.bytes_down);
    }
    assert!(measured[1] < measured[0] + 32, "it grows with the register: {measured:?}");
    town.stop().await;
}
