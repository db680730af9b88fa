//! How much one office may make its hub hold: a record's history, fields nobody knows, a day's words. Nobody else is
//! refused for it.

use crate::{FIRST, STREET, still_sound, town, unit};
use taizhang_hub::{plans, writer::Job};
use taizhang_node::identity::Identity;
use taizhang_proto::{
    RecordId, change,
    pb::{self, OutcomeKind},
    plan::LimitPlan,
    register::{Value, number},
    stamp::Stamp,
    wire::{Field, put_bytes},
};
use taizhang_tests::{
    books,
    hostile::{self, Wire, say},
    town::{Town, until},
};
use tonic::Code;

/// A tag of no register.
const UNKNOWN: u32 = 9_001;

/// An edit that puts so much filler into a record.
fn filler(id: RecordId, serial: u32, bytes: usize, seen: u64) -> pb::Change {
    let mut text = vec![b'x'; bytes];
    text[..4].copy_from_slice(&serial.to_be_bytes());
    let mut encoded = Vec::new();
    put_bytes(UNKNOWN, &text, &mut encoded);
    let field = Field { tag: UNKNOWN, bytes: encoded.into() };
    change::write(id, number::RESIDENT, &[(field, seen)], Stamp::at_millis(say::now()), "mallory")
}

/// Why the hub refused; the rule of each refusal.
fn refusals(verdicts: &pb::Verdicts) -> Vec<String> {
    let refused = verdicts.outcomes.iter().filter(|outcome| outcome.kind() == OutcomeKind::Refused);
    refused.map(|outcome| outcome.why.as_ref().unwrap().rule.clone()).collect()
}

fn history_bytes(town: &Town, id: RecordId) -> usize {
    let view = town.districts[0].hub.core.view();
    view.prefix(taizhang_hub::store::Space::History, &id.0).map(|row| row.unwrap().1.len()).sum()
}

async fn phone_of(town: &Town, office: &Identity, id: RecordId, phone: &str) -> Vec<String> {
    let record = books::records_at(&town.districts[0].hub)[&id].clone();
    let edit = say::edit(id, "phone", Value::Text(phone.into()), Some(&record));
    let (mut session, welcome) = Wire::greet(office, hostile::hello()).await.unwrap();
    refusals(&session.push(welcome.acknowledged + 1, vec![edit]).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn history_without_end_is_refused_to_whoever_makes_it_and_to_nobody_else() {
    let (dir, mut town, mallory) = town().await;
    let (id, sound) = say::resident(1, unit(FIRST));
    let most = LimitPlan::default();
    let (mut session, _) = Wire::greet(&mallory, hostile::hello()).await.unwrap();
    session.push(1, vec![sound]).await.unwrap();
    let too_much = session.push(2, vec![filler(id, 0, most.unknown_bytes as usize + 1, 0)]).await.unwrap();
    assert_eq!(refusals(&too_much), ["quota"]);

    let (mut next, mut refused) = (3, Vec::new());
    let each = most.unknown_bytes as usize - 1_000;
    for _ in 0..(2 * most.history_bytes as usize / each / 32) {
        let seen = books::records_at(&town.districts[0].hub)[&id].revision_of(UNKNOWN);
        let batch: Vec<pb::Change> = (0..32).map(|nth| filler(id, next as u32 + nth, each, seen)).collect();
        refused.extend(refusals(&session.push(next, batch).await.unwrap()));
        next += 32;
    }
    let held = history_bytes(&town, id);
    println!("{} edits of {each} bytes: {} refused, history of {held} bytes", next - 3, refused.len());
    assert!(!refused.is_empty() && refused.iter().all(|rule| rule == "quota"));
    assert!(held as u64 <= most.history_bytes, "{held}");
    assert!(held as u64 > most.history_bytes / 2, "the edits before it were taken: {held}");
    drop(session);

    // What fills it is the office's own: the street edits the same record.
    let street = town.districts[0].gate().enrol(&dir.path().join("street"), unit(STREET), false).await.unwrap();
    assert!(phone_of(&town, &street, id, "13811112222").await.is_empty());
    assert_eq!(books::shown(&books::records_at(&town.districts[0].hub)[&id], "phone"), "13811112222");
    let row = town.districts[0].child(&mallory.name.id).unwrap();
    assert!(row.incidents > 0, "an operator sees it");
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_said_enough_today_is_heard_tomorrow() {
    let (dir, mut town, mallory) = town().await;
    let city = &town.city.hub;
    let today = taizhang_proto::date::iso(city.core.today());
    let plan = include_str!("../../../proto/plan-2008.toml")
        .replace("version = 1\n", "version = 2\n")
        .replace("effective_on = \"2008-01-01\"", &format!("effective_on = \"{today}\""))
        + "\n[limits]\nday_bytes = 200000\n";
    let list = plans::publish(&city.core, city.core.signer().unwrap(), &plan).unwrap();
    city.writer.write(Job::Plans(list)).await.unwrap();
    let district = town.districts[0].hub.clone();
    until("the district has the plan", || district.core.plans().version() == 2).await.unwrap();

    let (mut session, _) = Wire::greet(&mallory, hostile::hello()).await.unwrap();
    let (id, sound) = say::resident(1, unit(FIRST));
    session.push(1, vec![sound]).await.unwrap();
    let mut next = 2;
    let status = loop {
        let seen = books::records_at(&district)[&id].revision_of(UNKNOWN);
        match session.push(next, vec![filler(id, next as u32, 10_000, seen)]).await {
            Ok(verdicts) => assert!(refusals(&verdicts).is_empty(), "what is said in time is taken"),
            Err(status) => break status,
        }
        next += 1;
        assert!(next < 40, "nobody stops it");
    };
    println!("{} changes of 10,000 bytes: {}", next - 2, status.message());
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limits.day_bytes"), "{}", status.message());
    let row = town.districts[0].child(&mallory.name.id).unwrap();
    assert_eq!(row.acknowledged, next - 1, "what was not taken is not acknowledged, and not refused either");

    // Tomorrow it goes on where it stopped.
    let (mut session, welcome) = Wire::greet(&mallory, hostile::hello()).await.unwrap();
    assert_eq!(welcome.acknowledged, next - 1);
    session.pull().await.unwrap();
    drop(session);
    let street = town.districts[0].gate().enrol(&dir.path().join("street"), unit(STREET), false).await.unwrap();
    assert!(phone_of(&town, &street, id, "13811112222").await.is_empty(), "another office says what it likes");
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_id_number_registered_without_end_is_still_its_owners() {
    let (dir, mut town, mallory) = town().await;
    let id_no = books::id_no(3_000, 7);
    let named = |seed: u64, code: u64| {
        let (id, _) = say::resident(seed, unit(code));
        let fields = [("id_no", id_no.as_str()), ("name", "张伟"), ("home_unit", &code.to_string())];
        (id, say::change(&books::form(number::RESIDENT, id, &fields), None))
    };
    let (mut session, _) = Wire::greet(&mallory, hostile::hello()).await.unwrap();
    let batch: Vec<pb::Change> = (1..=80).map(|seed| named(seed, FIRST).1).collect();
    let refused = refusals(&session.push(1, batch).await.unwrap());
    println!("80 registrations under one id number: {} refused", refused.len());
    assert_eq!(refused, vec!["unique".to_owned(); 80 - 64]);
    drop(session);

    let street = town.districts[0].gate().enrol(&dir.path().join("street"), unit(STREET), false).await.unwrap();
    let (mut session, _) = Wire::greet(&street, hostile::hello()).await.unwrap();
    let (id, own) = named(200, crate::SECOND);
    let verdicts = session.push(1, vec![own]).await.unwrap();
    assert!(refusals(&verdicts).is_empty(), "{verdicts:?}");
    assert!(books::records_at(&town.districts[0].hub).contains_key(&id));
    drop(session);
    let people = town.districts[0].figure(unit(crate::DISTRICT), "K00").unwrap();
    assert_eq!(people, 1, "one person, however often registered");
    still_sound(&mut town).await;
    town.stop().await;
}
