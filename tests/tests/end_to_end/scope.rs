//! Nobody writes or reads beyond the unit that their certificate names.

use crate::{DISTRICT, ELSEWHERE, FIRST, SECOND, STREET, THIRD, books, town, unit, wire};
use std::path::Path;
use taizhang_hub::{rows, writer::Job};
use taizhang_node::identity::{Identity, Token, server_name};
use taizhang_proto::{
    Record, RecordId, cell,
    pb::{self, OutcomeKind, totals_client::TotalsClient, up},
    register::{Value, number},
};
use taizhang_tests::town::{OfficePlan, Plan, agreement};
use tonic::{
    Code,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity},
};
use wire::Wire;

/// A resident's change whose owner is cleared.
fn disown(id: RecordId, seen: Option<&Record>) -> pb::Change {
    let mut change = wire::edit(id, "home_unit", Value::Uint(FIRST), seen);
    change.message = prost::bytes::Bytes::new();
    change.cleared = vec![books::tag("home_unit")];
    change
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hostile_node_can_neither_write_nor_move_beyond_its_unit() {
    let (dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let victim = &town.offices[0];
    let residents = books::fill(victim.ledger(), 1, 50);
    victim.sync().await.unwrap();
    let district = &town.districts[0];
    let before = books::records_at(&district.hub);

    let mallory = district.gate().enrol(&dir.path().join("mallory"), unit(SECOND), false).await.unwrap();
    let (mut session, _) = Wire::greet(&mallory, wire::hello()).await.unwrap();
    let (_, planted) = wire::resident(2, unit(FIRST));
    let (own, mine) = wire::resident(3, unit(SECOND));
    let seen = &before[&residents[0]];
    let wrong_register =
        pb::Change { register: number::HOUSEHOLD, ..wire::edit(residents[0], "phone", text("1"), Some(seen)) };
    let changes = vec![
        planted,
        wire::edit(residents[0], "phone", text("13900000000"), Some(seen)),
        wire::edit(residents[0], "home_unit", Value::Uint(SECOND), Some(seen)),
        mine,
        wire::edit(own, "home_unit", Value::Uint(FIRST), None),
        wire::edit(own, "home_unit", Value::Uint(STREET), None),
        wire::edit(own, "home_unit", Value::Uint(210_402_011_999), None),
        disown(own, None),
        disown(residents[0], Some(seen)),
        wrong_register,
    ];
    let verdicts = session.push(1, changes).await.unwrap();
    let reasons: Vec<(u64, String)> = verdicts
        .outcomes
        .iter()
        .map(|outcome| {
            assert_eq!(outcome.kind(), OutcomeKind::Refused);
            let why = outcome.why.clone().unwrap();
            println!("change {}: {} [{}]", outcome.seq, why.message, why.rule);
            assert!(!why.message.is_empty());
            (outcome.seq, why.rule)
        })
        .collect();
    let expected = [
        (1, "scope"),
        (2, "scope"),
        (3, "scope"),
        (5, "scope"),
        (6, "scope"),
        (7, "scope"),
        (8, "required"),
        (9, "scope"),
        (10, "register"),
    ];
    assert_eq!(reasons, expected.map(|(seq, rule)| (seq, rule.to_owned())));
    let row = district.child(&mallory.name.id).unwrap();
    assert_eq!((row.refused, row.acknowledged), (9, 10));

    let after = books::records_at(&district.hub);
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|(id, record)| after[id] == *record), "somebody else's record changed");
    assert_eq!(cell::home_unit(&after[&own]), Some(unit(SECOND)));
    town.settled(|_, _| {}).await.unwrap();
    let agreement = agreement(&town).unwrap();
    assert!(agreement.holds(), "{:?}", agreement.differences);
    town.stop().await;
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pull_never_brings_a_record_from_beyond_the_unit() {
    let (dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    let plans = [STREET, FIRST, SECOND].map(|code| OfficePlan::nightly(unit(code))).to_vec();
    town.open_offices(plans, |_| {}).await.unwrap();
    let mut theirs = Vec::new();
    for (seed, office) in (1..).zip(&town.offices) {
        theirs.push(books::fill(office.ledger(), seed, 60));
    }
    for office in town.offices.iter().chain(&town.offices) {
        office.sync().await.unwrap();
    }
    // A record that goes from one neighbour to another is nobody else's business either.
    books::save(town.offices[0].ledger(), books::edit(theirs[1][0], "home_unit", Value::Uint(THIRD)));
    town.offices[0].sync().await.unwrap();

    let gate = town.districts[0].gate();
    let reader = gate.enrol(&dir.path().join("reader"), unit(SECOND), false).await.unwrap();
    for rebuild in [false, true] {
        let (mut session, welcome) = Wire::greet(&reader, pb::Hello { rebuild, ..wire::hello() }).await.unwrap();
        assert_eq!(welcome.unit, SECOND);
        let list = session.pull().await.unwrap();
        assert!(!list.records.is_empty() && list.departed.is_empty());
        for record in list.records {
            let record = Record::from_state(record.state.unwrap()).unwrap();
            assert_eq!(cell::home_unit(&record), Some(unit(SECOND)));
        }
        session.say(up::It::Heard(pb::Heard { revision: welcome.head, equal: false })).await;
        session.end().await;
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_child_hubs_cells_beyond_its_subtree_do_not_count() {
    let (dir, town) = town(&[DISTRICT], Plan::default()).await;
    let gate = town.city.gate();
    let hub = gate.enrol(&dir.path().join("hub"), unit(ELSEWHERE), true).await.unwrap();
    let cell = |unit, value| pb::CellValue { unit, part: 1, date: 0, value };
    let cells = vec![cell(210_403_002_001, 5), cell(FIRST, 1_000), cell(210_400_000_000, 1_000), cell(7, 1_000)];
    let (raw_len, packed) = wire::pack(&pb::CellList { cells });
    let (mut session, _) = Wire::greet(&hub, wire::hello()).await.unwrap();
    session.say(up::It::Push(pb::Push { first: 1, last: 9, cells: packed, raw_len, ..pb::Push::default() })).await;
    while !matches!(session.hear().await.unwrap(), Some(pb::down::It::Verdicts(_))) {}
    assert_eq!(town.city.figure(town.city.unit, "K00").unwrap(), 5);
    assert_eq!(town.city.figure(unit(DISTRICT), "K00").unwrap(), 0);
    assert_eq!(town.city.child(&hub.name.id).unwrap().refused, 3);
    drop(session);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_city_takes_no_records() {
    let (dir, town) = town(&[DISTRICT], Plan::default()).await;
    let gate = town.city.gate();
    let refused = gate.enrol(&dir.path().join("node"), unit(FIRST), false).await.unwrap_err();
    println!("{refused}");
    assert!(refused.to_string().contains("district"), "{refused}");
    // A token that should not exist, as an older build might have given it.
    let mut token = Token::from_text(&gate.token(unit(DISTRICT), true).await.unwrap()).unwrap();
    (token.unit, token.secret) = (FIRST, vec![9; 16]);
    let row = rows::TokenRow { unit: FIRST, expires: u64::MAX, ..rows::TokenRow::default() };
    let hash = *blake3::hash(&token.secret).as_bytes();
    town.city.hub.writer.write(Job::Token(hash, row)).await.unwrap();
    let node = Identity::enrol(&dir.path().join("node"), &token.to_text()).await.unwrap();
    let (mut session, _) = Wire::greet(&node, wire::hello()).await.unwrap();
    let (_, record) = wire::resident(1, unit(FIRST));
    let status = session.push(1, vec![record]).await.unwrap_err();
    println!("{}", status.message());
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(books::records_at(&town.city.hub).is_empty());
    town.stop().await;
}

async fn connect(address: &str, tls: ClientTlsConfig) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(address.to_owned())?.tls_config(tls)?.connect().await
}

fn pem(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join("identity").join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_certificate_of_this_hub_there_is_no_session_and_no_total() {
    let (_dir, mut town) = town(&[DISTRICT, ELSEWHERE], Plan::default()).await;
    let plans = [FIRST, 210_403_002_001].map(|code| OfficePlan::nightly(unit(code))).to_vec();
    town.open_offices(plans, |_| {}).await.unwrap();
    let (here, there) = (&town.offices[0], &town.offices[1]);
    let address = here.identity.address.clone();
    let trust = || {
        ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(pem(&here.dir, "authority.pem")))
            .domain_name(server_name(unit(DISTRICT), 1))
    };

    let nobody = connect(&address, trust()).await.unwrap();
    let status = Wire::open(nobody.clone()).await.err().unwrap();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    println!("no certificate: {}", status.message());
    let status = TotalsClient::new(nobody.clone()).query(pb::TotalsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = TotalsClient::new(nobody).watch(pb::TotalsRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);

    let foreign = TlsIdentity::from_pem(pem(&there.dir, "certificate.pem"), pem(&there.dir, "key.pem"));
    let outcome = match connect(&address, trust().identity(foreign)).await {
        Err(error) => Err(format!("{error:?}")),
        Ok(channel) => Wire::open(channel).await.map(|_| ()).map_err(|status| format!("{status:?}")),
    };
    println!("certificate of another hub: {}", outcome.clone().unwrap_err());
    // A hub with another authority is not believed to be ours.
    let mut elsewhere = here.identity.clone();
    elsewhere.address.clone_from(&there.identity.address);
    assert!(elsewhere.connect().await.is_err());
    here.sync().await.unwrap();
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_certificate_of_a_retired_node_opens_nothing_until_it_serves_again() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::nightly(unit(FIRST))).await.unwrap();
    let (office, hub) = (&town.offices[0], &town.districts[0].hub);
    office.sync().await.unwrap();
    let id = taizhang_hub::totals::children(hub.core.view().as_ref()).unwrap()[0].id.clone();
    let retire = |undo| {
        hub.writer.write(Job::Retire { id: id.clone(), undo, decided: taizhang_hub::writer::Decided::default() })
    };
    retire(false).await.unwrap();
    let channel = office.identity.connect().await.unwrap();
    let mut totals = TotalsClient::new(channel);
    let refused = totals.query(pb::TotalsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("停用"), "{refused}");
    assert!(office.sync().await.is_err_and(|error| error.to_string().contains("停用")), "no session either");
    retire(true).await.unwrap();
    // Who is in a session or watches when it is retired is sent away.
    let mut watching = totals.watch(pb::TotalsRequest::default()).await.unwrap().into_inner();
    watching.message().await.unwrap().unwrap();
    let mut session = Wire::open(office.identity.connect().await.unwrap()).await.unwrap();
    retire(false).await.unwrap();
    assert!(watching.message().await.unwrap_err().message().contains("停用"));
    assert!(session.hear().await.unwrap_err().message().contains("停用"));
    retire(true).await.unwrap();
    totals.query(pb::TotalsRequest::default()).await.unwrap();
    assert!(office.sync().await.unwrap().equal);
    let unknown = hub
        .writer
        .write(Job::Retire { id: "nobody".into(), undo: false, decided: taizhang_hub::writer::Decided::default() })
        .await;
    assert!(unknown.is_err());
    town.stop().await;
}
