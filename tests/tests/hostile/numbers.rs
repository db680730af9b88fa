//! Numbers at the end of numbers, where each could wrap, stick or count for more than it should.

use crate::{DISTRICT, FIRST, still_sound, town, unit};
use taizhang_proto::{
    indicator::Part,
    pb::{self, OutcomeKind, up},
    register::{Value, number},
};
use taizhang_tests::{
    books,
    hostile::{Wire, hello, say},
};

const ENDS: [u64; 4] = [u64::MAX, u64::MAX - 1, i64::MAX as u64, 1 << 63];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_with_numbers_at_the_end_leave_a_record_that_can_be_read_and_edited() {
    let (_dir, mut town, mallory) = town().await;
    let (mut session, _) = Wire::greet(&mallory, hello()).await.unwrap();
    let (id, sound) = say::resident(1, unit(FIRST));
    session.push(1, vec![sound]).await.unwrap();
    let mut first = 2;
    for end in ENDS {
        let phone = say::edit(id, "phone", Value::Text("13900000000".into()), None);
        let base = |tag: u32| pb::FieldBase { tag, revision: end, ..pb::FieldBase::default() };
        let changes = vec![
            pb::Change { stamp: end, ..phone.clone() },
            pb::Change { seen: end, ..phone.clone() },
            pb::Change { bases: vec![base(books::tag("phone"))], ..phone.clone() },
            pb::Change { bases: vec![base(u32::MAX); 512], ..phone.clone() },
            pb::Change { cleared: vec![end as u32], ..phone.clone() },
            pb::Change { register: end as u32, ..phone.clone() },
        ];
        let count = changes.len() as u64;
        let verdicts = session.push(first, changes).await.unwrap();
        assert_eq!((verdicts.first, verdicts.last), (first, first + count - 1));
        first += count;
    }
    // Somebody honest has the last word, whatever the clocks before said.
    let record = books::records_at(&town.districts[0].hub)[&id].clone();
    assert_eq!(record.register, number::RESIDENT);
    let edit = say::edit(id, "phone", Value::Text("13811112222".into()), Some(&record));
    let verdicts = session.push(first, vec![edit]).await.unwrap();
    assert!(verdicts.outcomes.iter().all(|outcome| outcome.kind() != OutcomeKind::Refused), "{:?}", verdicts.outcomes);
    let record = &books::records_at(&town.districts[0].hub)[&id];
    assert_eq!(books::shown(record, "phone"), "13811112222");
    drop(session);
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_district_that_greets_with_numbers_at_the_end_is_answered() {
    let (dir, mut town, _) = town().await;
    let gate = town.city.gate();
    let mallory = gate.enrol(&dir.path().join("district"), unit(crate::ELSEWHERE), true).await.unwrap();
    for end in ENDS {
        let all = pb::Hello {
            head: end,
            settled: end,
            pulled: end,
            tree_version: end,
            clock: end,
            mailed: end,
            plan_version: end,
            months: end,
            orders: end,
            ..hello()
        };
        // The epoch of the city's own store, so that what it says of its mail is looked at.
        let (_, welcome) = Wire::greet(&mallory, hello()).await.unwrap();
        for hello in [pb::Hello { epoch: welcome.epoch, ..all.clone() }, all] {
            let (session, _) = Wire::greet(&mallory, hello).await.unwrap();
            session.say(up::It::Done(pb::PushDone {})).await;
        }
    }
    still_sound(&mut town).await;
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_district_moves_no_figure_but_its_own() {
    let (dir, mut town, _) = town().await;
    let gate = town.city.gate();
    let mallory = gate.enrol(&dir.path().join("district"), unit(crate::ELSEWHERE), true).await.unwrap();
    let (mut session, _) = Wire::greet(&mallory, hello()).await.unwrap();
    let part = Part::Residents as u32;
    let cells = vec![
        say::cell(unit(FIRST), part, 14_000, 1_000_000),
        say::cell(unit(DISTRICT), part, 14_000, 1_000_000),
        say::cell(town.city.unit, part, 14_000, 1_000_000),
        say::cell(unit(crate::ELSEWHERE), part, 14_000, i64::MAX),
        say::cell(unit(crate::ELSEWHERE), part, 14_000, i64::MIN),
        say::cell(unit(crate::ELSEWHERE), u32::MAX, 14_000, 1),
        pb::CellValue { unit: u64::MAX, ..say::cell(unit(FIRST), part, 14_000, 1) },
    ];
    let verdicts = session.push_raw(say::cells(1, cells)).await.unwrap();
    assert_eq!(verdicts.last, 1);
    drop(session);
    // What is another's, or of no unit or part, is refused; what is its own and can't be is kept as it was said, in no sum.
    assert_eq!(town.city.child(&mallory.name.id).unwrap().refused, 5);
    assert_eq!(town.city.figure(unit(crate::ELSEWHERE), "K00").unwrap(), 0);
    assert_eq!(town.city.figure(town.city.unit, "K00").unwrap(), 0);
    // It takes its word back: only what it had said so is compared with nobody's.
    let (mut session, _) = Wire::greet(&mallory, hello()).await.unwrap();
    session.push_raw(say::cells(2, vec![say::cell(unit(crate::ELSEWHERE), part, 14_000, 0)])).await.unwrap();
    drop(session);
    still_sound(&mut town).await;
    let own = town.districts[0].figure(unit(DISTRICT), "K00").unwrap();
    assert!(own > 0);
    assert_eq!(town.city.figure(unit(DISTRICT), "K00").unwrap(), own);
    town.stop().await;
}
