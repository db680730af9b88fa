//! Messages that are in order but out of turn, or that are not for whoever says them.

use crate::{ELSEWHERE, FIRST, SECOND, ends, still_sound, town, unit};
use taizhang_proto::{
    pb::{self, LetterKind, up},
    range::{MAX_RANGE_BYTES, MAX_WANT},
    register::{HOME_UNIT, Value},
};
use taizhang_tests::{
    books,
    hostile::{Wire, hello, say},
};
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_not_asked_for_ends_the_session_and_nothing_else() {
    let (_dir, mut town, mallory) = town().await;
    let range = |length: usize| up::It::Range(pb::Range { message: vec![0x61; length].into() });
    let want = |count: usize, length: usize| up::It::Want(pb::Want { ids: vec![vec![1; length].into(); count] });
    let cells = say::cells(1, vec![say::cell(unit(FIRST), 1, 14_000, 9)]);
    let cases: Vec<(&str, Vec<up::It>)> = vec![
        ("records wanted before a range", vec![want(1, 16)]),
        ("a range too large", vec![range(2 * MAX_RANGE_BYTES + 1)]),
        ("a range that is none", vec![range(7)]),
        ("too many records wanted", vec![up::It::Range(pb::Range::default()), want(MAX_WANT + 1, 16)]),
        ("a month", vec![up::It::Document(say::document("month", 1, vec![1, 2, 3]))]),
        ("a plan", vec![up::It::Document(say::document("plan", u64::MAX, Vec::new()))]),
        ("a tree of units", vec![up::It::Document(say::document("units", 9, "code,name\n"))]),
        ("a document of no kind", vec![up::It::Document(say::document("", 0, Vec::new()))]),
        ("a district's cells from an office", vec![up::It::Push(cells)]),
    ];
    for (what, messages) in cases {
        let status = ends(&mallory, messages).await;
        println!("{what}: {:?} {}", status.code(), status.message());
        assert_eq!(status.code(), Code::InvalidArgument, "{what}: {status:?}");
    }
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_office_speaks_to_no_neighbour_and_for_no_district() {
    let (_dir, mut town, mallory) = town().await;
    let (_, change) = say::resident(1, unit(FIRST));
    let mut push = say::push(1, &[change]);
    // A batch in order, with what only a hub may say hung onto it.
    push.letters = vec![say::letter(LetterKind::Released, (unit(FIRST), unit(ELSEWHERE)), 1, 1)];
    push.marks = vec![say::mark(1, false)];
    push.marked = u64::MAX;
    let (mut session, _) = Wire::greet(&mallory, hello()).await.unwrap();
    let verdicts = session.push_raw(push).await.unwrap();
    assert!(verdicts.outcomes.is_empty(), "{:?}", verdicts.outcomes);
    drop(session);
    assert_eq!(town.districts[0].child(&mallory.name.id).unwrap().marked, 0);
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_session_of_one_child_takes_over_from_the_first() {
    let (_dir, mut town, mallory) = town().await;
    let (first, _) = Wire::greet(&mallory, hello()).await.unwrap();
    let (mut second, _) = Wire::greet(&mallory, hello()).await.unwrap();
    let status = first.end().await;
    println!("the first: {:?} {}", status.code(), status.message());
    assert_eq!(status.code(), Code::ResourceExhausted);
    let (_, change) = say::resident(1, unit(FIRST));
    assert!(second.push(1, vec![change]).await.unwrap().outcomes.is_empty());
    drop(second);
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_that_never_greet_and_repairs_that_never_go_on_keep_nobody_out() {
    let (_dir, mut town, mallory) = town().await;
    // Many sessions on few lines, as many lines as the door lets in.
    let mut lines = Vec::new();
    let mut held = Vec::new();
    for _ in 0..8 {
        let Ok(line) = mallory.connect().await else { break };
        for _ in 0..64 {
            if let Ok(Ok(session)) =
                tokio::time::timeout(std::time::Duration::from_secs(2), Wire::open(line.clone())).await
            {
                held.push(session);
            }
        }
        lines.push(line);
    }
    // And one that was let in for its repair and says a single range.
    println!("{} lines, {} sessions that never greet", lines.len(), held.len());
    if let Ok((session, _)) = Wire::greet(&mallory, hello()).await {
        session.say(up::It::Range(pb::Range::default())).await;
        held.push(session);
    }
    still_sound(&mut town).await;
    drop(held);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn words_planted_on_a_record_that_nobody_has_told_open_no_way_into_it() {
    let (dir, mut town, mallory) = town().await;
    let honest = town.districts[0].gate().enrol(&dir.path().join("honest"), unit(SECOND), false).await.unwrap();
    let (id, sound) = say::resident(1, unit(SECOND));
    let long_ago = say::now() - 3_600_000;
    let home = books::edit(id, "home_unit", Value::Uint(FIRST));
    let mut planted = say::change_at(&home, None, long_ago);
    let origin =
        pb::Origin { revision: 1, unit: FIRST, by: "mallory".into(), tags: vec![HOME_UNIT], ..Default::default() };
    planted.offer = Some(pb::Offer { origins: vec![origin], aside: true, ..pb::Offer::default() });
    let (mut session, _) = Wire::greet(&mallory, hello()).await.unwrap();
    session.push(1, vec![planted]).await.unwrap();
    assert!(!books::records_at(&town.districts[0].hub).contains_key(&id), "it makes no record");

    let (mut owner, _) = Wire::greet(&honest, hello()).await.unwrap();
    assert!(owner.push(1, vec![sound]).await.unwrap().outcomes.is_empty());
    let phone = books::edit(id, "phone", Value::Text("13899999999".into()));
    let verdicts = session.push(2, vec![say::change_at(&phone, None, long_ago)]).await.unwrap();
    let why = verdicts.outcomes.first().and_then(|outcome| outcome.why.clone()).unwrap_or_default();
    assert_eq!(why.rule, "scope", "{verdicts:?}");
    assert_ne!(books::shown(&books::records_at(&town.districts[0].hub)[&id], "phone"), "13899999999");
    drop((session, owner));
    still_sound(&mut town).await;
    town.stop().await;
}
