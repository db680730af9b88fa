//! What a reader's certificate may ask: within bounds, and without keeping the others waiting.

use crate::{DISTRICT, FIRST, books, town, unit};
use taizhang_proto::pb::{self, totals_client::TotalsClient};
use taizhang_tests::town::{OfficePlan, Plan};
use tonic::Code;

fn asked(codes: usize) -> pb::TotalsRequest {
    pb::TotalsRequest { indicators: vec!["K00".into(); codes], ..pb::TotalsRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_gets_each_figure_once_and_cant_ask_for_more_than_there_is() {
    let (dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    books::fill(town.offices[0].ledger(), 1, 5);
    town.offices[0].sync().await.unwrap();
    let gate = town.districts[0].gate();
    let reader = gate.enrol_reader(&dir.path().join("reader"), unit(DISTRICT), "民政局").await.unwrap();
    let mut totals = TotalsClient::new(reader.connect().await.unwrap());
    let answer = totals.query(asked(300)).await.unwrap().into_inner();
    assert_eq!(answer.values.len(), 1, "named 300 times, answered once");
    assert!(answer.values[0].numerator > 0);
    for codes in [600, 20_000] {
        let refused = totals.query(asked(codes)).await.unwrap_err();
        assert!(matches!(refused.code(), Code::InvalidArgument | Code::OutOfRange), "{refused:?}");
        let refused = totals.watch(asked(codes)).await.map(drop).unwrap_err();
        assert!(matches!(refused.code(), Code::InvalidArgument | Code::OutOfRange), "{refused:?}");
    }
    for on in [i32::MIN, i32::MAX] {
        let refused = totals.query(pb::TotalsRequest { on, ..asked(1) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        let trend = pb::TrendRequest { indicator: "K00".into(), from: on, to: on, ..pb::TrendRequest::default() };
        assert_eq!(totals.trend(trend).await.unwrap_err().code(), Code::InvalidArgument);
    }

    // So many watchers and no more; another certificate has its own, and one that has gone leaves its place.
    let mut watching = Vec::new();
    let refused = loop {
        match totals.watch(asked(1)).await {
            Ok(stream) => watching.push(stream),
            Err(status) => break status,
        }
        assert!(watching.len() <= 8, "nobody is sent away");
    };
    assert_eq!((refused.code(), watching.len()), (Code::ResourceExhausted, 8), "{refused:?}");
    let other = gate.enrol_reader(&dir.path().join("other"), unit(DISTRICT), "财政局").await.unwrap();
    let mut others = TotalsClient::new(other.connect().await.unwrap());
    assert_eq!(others.query(asked(1)).await.unwrap().into_inner().values.len(), 1);
    let mut stream = others.watch(asked(1)).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    watching.clear();
    while totals.watch(asked(1)).await.is_err() {
        tokio::task::yield_now().await;
    }
    town.stop().await;
}
