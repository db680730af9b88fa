//! What is at a limit, or beyond: a rule without end in an offer, the longest name and reason that may decide. The hub goes on, and
//! what it writes it can read again.

use crate::{FIRST, still_sound, town, unit};
use taizhang_hub::writer::{Answer, Job, Review};
use taizhang_proto::{
    limits::{NAME_CHARS, REASON_CHARS},
    pb,
    register::Value,
};
use taizhang_tests::{
    books,
    hostile::{self, Wire, say},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rule_without_end_is_no_key_of_the_store() {
    let (_dir, mut town, mallory) = town().await;
    let (id, sound) = say::resident(1, unit(FIRST));
    let (mut session, _) = Wire::greet(&mallory, hostile::hello()).await.unwrap();
    session.push(1, vec![sound.clone()]).await.unwrap();
    let record = books::records_at(&town.districts[0].hub)[&id].clone();
    let mut said = say::edit(id, "phone", Value::Text("13841300001".into()), Some(&record));
    let entry = |rule: String| pb::Superseded {
        origin: Some(pb::Origin { tags: vec![23], stamp: 7, ..pb::Origin::default() }),
        message: sound.message.clone(),
        replaced_by: 3,
        rule,
        ..pb::Superseded::default()
    };
    let history = vec![entry("x".repeat(70_000)), entry("REVIEW".into())];
    said.offer = Some(pb::Offer { history, created: 1, changes: 1, ..pb::Offer::default() });
    session.push(2, vec![said]).await.unwrap();
    still_sound(&mut town).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_longest_name_and_reason_decide_and_one_more_character_is_refused() {
    let (_dir, mut town, mallory) = town().await;
    let (id, sound) = say::resident(1, unit(FIRST));
    let (mut session, _) = Wire::greet(&mallory, hostile::hello()).await.unwrap();
    session.push(1, vec![sound]).await.unwrap();
    let request = |name: usize, reason: usize| pb::ReviseRequest {
        record: id.to_string(),
        register: "Resident".into(),
        fields: [("phone".to_owned(), "13841300002".to_owned())].into(),
        by: "𠮷".repeat(name),
        reason: "理".repeat(reason),
        ..pb::ReviseRequest::default()
    };
    let writer = town.districts[0].hub.writer.clone();
    for (name, reason) in [(NAME_CHARS + 1, 1), (1, REASON_CHARS + 1)] {
        let answer = writer.write(Job::Review(Review::Revise(request(name, reason)))).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)), "{name}, {reason}");
    }
    // What is around a name is not kept with it.
    let padded = pb::ReviseRequest { by: format!("{}王科长", " ".repeat(200_000)), ..request(1, 1) };
    let answer = writer.write(Job::Review(Review::Revise(padded))).await.unwrap();
    assert!(matches!(answer, Answer::Revised(_)));
    let record = books::records_at(&town.districts[0].hub)[&id].clone();
    assert!(record.origins.iter().any(|origin| origin.by == "王科长"), "{:?}", record.origins);
    let longest = request(NAME_CHARS, REASON_CHARS);
    let answer = writer.write(Job::Review(Review::Revise(longest))).await.unwrap();
    assert!(matches!(answer, Answer::Revised(_)));
    still_sound(&mut town).await;
}
