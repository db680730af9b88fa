//! A month from the offices to the signature: closed, approved, sent back, locked; what comes later is reported by the
//! next month; and nothing of a locked one can be changed without showing.

use crate::{DISTRICT, FIRST, STREET, books, town, unit};
use prost::Message;
use ring::signature::Ed25519KeyPair;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use taizhang_hub::{
    months::{self, MonthsError},
    store::{Space, WriteSet},
    totals,
};
use taizhang_node::{
    ledger::{Ledger, system_clock},
    office::close::{self, CloseError},
    upstream::Replica,
};
use taizhang_proto::{
    RecordId, date,
    date::add_months,
    indicator::{self, Period, Span},
    month::Month,
    pb::{self, MonthSheet},
    register::number,
};
use taizhang_tests::town::{OfficePlan, Plan, Town, until};

const REVIEWER: &str = "wang.fang";

fn asked(month: Month) -> pb::MonthRequest {
    pb::MonthRequest { month: month.to_string(), by: REVIEWER.into(), ..pb::MonthRequest::default() }
}

/// A household recognised in the last days of a month, and one member's job in it that nobody has proved.
fn unproven(ledger: &Ledger, month: Month) -> RecordId {
    let day = |before: i32| date::iso(month.last_day() - before);
    let house = books::enter(ledger, number::HOUSEHOLD, &[("hh_no", "户1")]).to_string();
    let person = [("id_no", "11010519491231002X"), ("name", "王一"), ("labour_able", "是"), ("job_willing", "是")];
    let person = books::enter(ledger, number::RESIDENT, &person).to_string();
    let member = [("household", house.as_str()), ("person", &person), ("relation", "01"), ("from_on", &day(300))];
    books::enter(ledger, number::MEMBER, &member);
    let case = [("household", house.as_str()), ("kind", "1"), ("recognised_on", &day(9))];
    books::enter(ledger, number::ZEF_CASE, &case);
    let job = [("person", person.as_str()), ("employer", "一厂"), ("kind", "1"), ("start_on", &day(4))];
    books::enter(ledger, number::PLACEMENT, &job)
}

async fn lock(town: &Town, key: &Ed25519KeyPair, month: Month) -> Result<pb::MonthAnswer, MonthsError> {
    let hub = &town.city.hub;
    months::lock(&hub.core, &hub.writer, key, &asked(month)).await
}

/// The same with a reason: the other districts of the tree have no hub.
async fn lock_all_the_same(town: &Town, key: &Ed25519KeyPair, month: Month) -> Result<pb::MonthAnswer, MonthsError> {
    let hub = &town.city.hub;
    let request = pb::MonthRequest { reason: "其余县区未接入".into(), ..asked(month) };
    months::lock(&hub.core, &hub.writer, key, &request).await
}

/// Whether nothing is missing but the districts that were never heard: six of the seven.
fn only_never_heard(gaps: &[pb::MonthGap]) -> bool {
    gaps.len() == 6 && gaps.iter().all(|gap| gap.why == "unheard" && gap.unit != DISTRICT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_month_of_years_ago_that_waits_is_approved_before_those_after_it() {
    let (_dir, mut town) = town(&[DISTRICT], Plan::default()).await;
    town.open_office(OfficePlan::live(unit(FIRST))).await.unwrap();
    let (first, district) = (town.offices[0].ledger().clone(), town.districts[0].hub.clone());
    let this = Month::of(first.business_day()).unwrap();
    let [old, last] = [-30, -12].map(|months| Month::of(add_months(this.first_day(), months)).unwrap());
    for month in [old, last] {
        close::close(&first, month, "li").unwrap();
    }
    town.settled(|_, _| {}).await.unwrap();
    let approve = async |month| months::approve(&district.core, &district.writer, &asked(month)).await.unwrap();
    let early = approve(last).await;
    assert!(early.done == 0 && early.failed[0].contains(&format!("{old} 尚未审核")), "{:?}", early.failed);
    for month in [old, last] {
        assert_eq!(approve(month).await.done, 1, "{month}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_month_is_closed_approved_and_locked_and_what_comes_later_is_the_next_months_correction() {
    let ahead = Arc::new(AtomicU64::new(0));
    let (clock, by) = (system_clock(), ahead.clone());
    let clock = Arc::new(move || clock() + by.load(Ordering::Relaxed));
    let (_dir, mut town) = town(&[DISTRICT], Plan { clock, ..Plan::default() }).await;
    for code in [FIRST, STREET] {
        town.open_office(OfficePlan::live(unit(code))).await.unwrap();
    }
    let [first, street] = [0, 1].map(|place: usize| town.offices[place].ledger().clone());
    let this = Month::of(first.business_day()).unwrap();
    let month = Month::of(this.first_day() - 1).unwrap();
    let key = taizhang_hub::plans::signing_key(&town.city.dir).unwrap();
    let job = unproven(&first, month);
    // Whose first people came after it was due is not asked for it, and may close it all the same.
    assert!(close::waiting(&first).unwrap().is_none_or(|(waits, due)| waits == month && due > month.last_day()));
    let running = close::close(&first, this, "li").unwrap_err();
    assert!(running.to_string().contains("尚未结束"), "{running}");
    let closed = close::close(&first, month, "li").unwrap();
    assert_eq!((closed.rows, closed.version), (5, 1));
    assert!(matches!(close::close(&first, month, "li"), Err(CloseError::Closed(_))));
    town.settled(|_, _| {}).await.unwrap();

    // The offices were enrolled after that month, so nobody is waited for but who has closed it; the month that runs waits for both.
    let (top, district) = (town.city.hub.clone(), town.districts[0].hub.clone());
    let progress = |month| months::progress(&top.core, month).unwrap();
    assert_eq!((progress(month).expected, progress(month).closed, progress(this).expected), (1, 1, 2));
    let why: Vec<_> = progress(this).gaps.into_iter().map(|gap| (gap.unit, gap.why)).collect();
    assert!(why.contains(&(FIRST, "not_closed".into())) && why.contains(&(STREET, "not_closed".into())), "{why:?}");
    assert!(matches!(lock(&town, &key, this).await, Err(MonthsError::Running(_))));
    // Sent back it is waited for still, though it was closed before the office had its computer.
    let back = pb::MonthRequest { reason: "人数与台账不符".into(), ..asked(month) };
    assert_eq!(months::approve(&district.core, &district.writer, &back).await.unwrap().done, 1);
    town.settled(|_, _| {}).await.unwrap();
    let why: Vec<_> = progress(month).gaps.into_iter().map(|gap| (gap.unit, gap.why)).collect();
    assert!(progress(month).expected == 1 && why.contains(&(FIRST, "not_closed".into())), "{why:?}");
    until("the office hears of it", || close::close(&first, month, "li").is_ok()).await.unwrap();
    town.settled(|_, _| {}).await.unwrap();
    let refused = lock(&town, &key, month).await.unwrap_err();
    assert!(matches!(&refused, MonthsError::Gaps { count: 7, .. }), "{refused}");
    let mut locked = lock_all_the_same(&town, &key, month).await.unwrap();
    locked.gaps.retain(|gap| (gap.unit, gap.why.as_str()) != (FIRST, "not_approved"));
    assert!(only_never_heard(&locked.gaps), "{locked:?}");
    assert!(matches!(lock_all_the_same(&town, &key, month).await, Err(MonthsError::Locked(_))));
    assert!(matches!(lock(&town, &key, this.next()).await, Err(MonthsError::Next(next)) if next == this));
    let name = month.to_string();
    // The name of the month is known a moment before its figures are on disk.
    let has =
        |ledger: &Ledger| ledger.locked_month().as_deref() == Some(&name) && ledger.locked_months().unwrap().len() == 1;
    until("the offices hear of it", || has(&first) && has(&street)).await.unwrap();
    let late = close::close(&first, month, "li").unwrap_err();
    assert!(matches!(late, CloseError::Locked(_)), "{late}");
    // The street, which closed nothing, is asked for it no more.
    assert_eq!(close::waiting(&street).unwrap(), None);
    // With their own figures and nobody else's, as they were signed.
    for (ledger, code) in [(&first, FIRST), (&street, STREET)] {
        let heard = ledger.locked_months().unwrap();
        let [(text, Some(sheet))] = &heard[..] else { panic!("{heard:?}") };
        assert_eq!((text.month.as_str(), sheet.unit), (name.as_str(), code));
        assert!(sheet.figures.iter().all(|figure| unit(code).covers(unit(figure.unit))));
        let zef = sheet.figures.iter().find(|figure| (figure.unit, figure.indicator.as_str()) == (FIRST, "K05"));
        assert_eq!(zef.map(|figure| figure.numerator), Some(1), "without proof it is not placed in the closed month");
    }
    until("the district has its sheet", || district.core.months().count() == 1).await.unwrap();

    // Live the household counts as placed; in the closed month it does not, for want of proof.
    let reported = |core: &taizhang_hub::writer::Core, code: &str| {
        let months = core.months();
        let figures = months::reported(core.view().as_ref(), &months).unwrap().remove(&name).unwrap();
        figures.get(&(FIRST, code.to_owned(), 0)).map_or(0, |value| value.numerator)
    };
    for core in [&top.core, &district.core] {
        let (k05, period) = (indicator::by_code("K05").unwrap(), Period::up_to(month.last_day(), Span::Year));
        let live = totals::value(core.view().as_ref(), unit(FIRST), k05, &period).unwrap().numerator;
        assert_eq!((live, reported(core, "K05")), (0, 1), "at {}", core.unit);
        assert_eq!(months::verify(core).unwrap(), [] as [&str; 0]);
    }
    books::amend(&first, job, &[("proof", "合同")]);
    town.settled(|_, _| {}).await.unwrap();
    let changed = |core| {
        let lines = months::adjustments(core, &asked(month)).unwrap().adjustments;
        let own =
            lines.into_iter().filter_map(|line| line.correction).map(|line| (line.was.unwrap(), line.now.unwrap()));
        own.filter(|(was, _)| was.unit == FIRST && was.indicator == "K05")
            .map(|(was, now)| (was.numerator, now.numerator))
            .collect::<Vec<_>>()
    };
    assert_eq!((changed(&top.core), changed(&district.core)), (vec![(1, 0)], vec![(1, 0)]));

    // A month that the city did not sign keeps nobody from syncing.
    let text = pb::MonthText { month: this.to_string(), last_day: this.last_day(), ..pb::MonthText::default() };
    let forged = pb::SignedMonth { text: text.encode_to_vec().into(), ..pb::SignedMonth::default() };
    let document = pb::Document { kind: "month".into(), version: 2, content: forged.encode_to_vec().into() };
    Replica::document(&*street, document).unwrap();
    assert_eq!(street.locked_month().as_deref(), Some(name.as_str()));
    town.settled(|_, _| {}).await.unwrap();

    // A month later. The district approves one office's month, sends it back, and approves it anew.
    ahead.store(u64::from(this.next().first_day().abs_diff(first.business_day()) + 2) * 86_400_000, Ordering::Relaxed);
    let refused = lock(&town, &key, this).await.unwrap_err();
    assert!(matches!(&refused, MonthsError::Gaps { count, .. } if *count >= 2), "{refused}");
    close::close(&first, this, "li").unwrap();
    town.settled(|_, _| {}).await.unwrap();
    let approve = async |units: &[u64], reason: &str| {
        let request = pb::MonthRequest { units: units.to_vec(), reason: reason.into(), ..asked(this) };
        months::approve(&district.core, &district.writer, &request).await.unwrap()
    };
    let running = months::approve(&district.core, &district.writer, &asked(this.next().next())).await;
    assert!(matches!(running, Err(MonthsError::Running(_))), "{running:?}");
    let answer = approve(&[], "").await;
    assert_eq!((answer.done, answer.failed.len()), (1, 0), "{:?}", answer.failed);
    let answer = approve(&[STREET], "").await;
    assert_eq!((answer.done, answer.failed.len()), (0, 1), "the street has closed nothing");
    let answer = approve(&[FIRST], "").await;
    assert!(answer.done == 0 && answer.failed[0].contains(&format!("已由{REVIEWER}审核")), "{:?}", answer.failed);
    let answer = approve(&[FIRST], "人数与台账不符").await;
    assert_eq!((answer.done, answer.failed.len()), (1, 0), "{:?}", answer.failed);
    for reason in ["", "再退一次"] {
        let answer = approve(&[FIRST], reason).await;
        assert!(answer.done == 0 && answer.failed[0].contains("已退回"), "{:?}", answer.failed);
    }
    until("the office hears that it is sent back", || close::waiting(&first).unwrap().is_some()).await.unwrap();
    assert_eq!(close::close(&first, this, "li").unwrap().version, 2);
    close::close(&street, this, "zhao").unwrap();
    town.settled(|_, _| {}).await.unwrap();
    assert_eq!((progress(this).closed, progress(this).approved), (2, 0), "what was approved is closed anew");
    // Of two reviewers at once each month is approved by one.
    let (one, two) = tokio::join!(approve(&[], ""), approve(&[], ""));
    assert_eq!(one.done + two.done, 2, "{:?} {:?}", one.failed, two.failed);
    town.settled(|_, _| {}).await.unwrap();
    let second = lock_all_the_same(&town, &key, this).await.unwrap();
    assert!(only_never_heard(&second.gaps) && second.corrections > 0, "{second:?}");
    // The report of a month shows what was signed, and apart from it what was corrected, by which month.
    let report = |month: Month, unit: u64| {
        let request = pb::MonthRequest { units: vec![unit], ..asked(month) };
        months::report(&top.core, &request).unwrap()
    };
    let k05 = |lines: &[pb::Adjustment]| {
        let own = lines.iter().filter_map(|line| line.correction.clone());
        let own = own.map(|one| (one.was.unwrap(), one.now.unwrap())).filter(|(was, _)| was.indicator == "K05");
        own.map(|(was, now)| (was.numerator, now.numerator)).collect::<Vec<_>>()
    };
    let (first_report, second_report) = (report(month, FIRST), report(this, FIRST));
    let signed = first_report.figures.iter().find(|value| value.indicator == "K05").map(|value| value.numerator);
    assert_eq!((signed, k05(&first_report.corrected)), (Some(1), vec![(1, 0)]));
    assert_eq!((k05(&first_report.corrects), k05(&second_report.corrects)), (vec![], vec![(1, 0)]));
    let of_city = report(month, top.core.unit.number()).figures;
    let titles = of_city.iter().find(|value| value.indicator == "K01").map(|value| value.denominator);
    assert_eq!(titles, Some(320), "the communities of the tree, whoever is connected");
    until("the district has it", || district.core.months().count() == 2).await.unwrap();
    for core in [&top.core, &district.core] {
        assert_eq!(reported(core, "K05"), 0, "with its correction");
        assert_eq!(changed(core), []);
        assert_eq!(months::verify(core).unwrap(), [] as [&str; 0]);
    }

    // Two months later: they are approved in their order, as they were closed.
    let (next, after) = (this.next(), this.next().next());
    let today = i64::from(first.business_day()) - i64::try_from(ahead.load(Ordering::Relaxed) / 86_400_000).unwrap();
    let later = i64::from(after.last_day()) + 2 - today;
    ahead.store(u64::try_from(later).unwrap() * 86_400_000, Ordering::Relaxed);
    let early = close::close(&first, after, "li").unwrap_err();
    assert!(matches!(early, CloseError::Order(open) if open == next), "{early}");
    for month in [next, after] {
        close::close(&first, month, "li").unwrap();
    }
    town.settled(|_, _| {}).await.unwrap();
    let approve = async |month| months::approve(&district.core, &district.writer, &asked(month)).await.unwrap();
    let early = approve(after).await;
    assert!(early.done == 0 && early.failed[0].contains(&format!("{next} 尚未审核")), "{:?}", early.failed);
    for month in [next, after] {
        assert_eq!((approve(month).await.done, approve(month).await.done), (1, 0));
    }
    town.settled(|_, _| {}).await.unwrap();

    // Whoever changes a figure on the disk of the district, or leaves a month out, is found.
    let rows = [format!("sheet-{name}-{DISTRICT}"), format!("locked-{this}")].map(String::into_bytes);
    let view = district.core.view();
    let sheet = view.get(Space::Documents, &rows[0]).unwrap().unwrap();
    let mut forged = MonthSheet::decode(sheet.clone()).unwrap();
    forged.figures[0].numerator += 1;
    let put = |row: &[u8], value: Vec<u8>| {
        let mut set = WriteSet::default();
        set.put(Space::Documents, row, value);
        district.core.store.commit(set).unwrap();
    };
    put(&rows[0], forged.encode_to_vec());
    let problems = months::verify(&district.core).unwrap();
    assert!(
        problems.len() == 1 && problems[0].contains(&name) && problems[0].contains(&DISTRICT.to_string()),
        "{problems:?}"
    );
    put(&rows[0], sheet.to_vec());
    assert_eq!(months::verify(&district.core).unwrap(), [] as [&str; 0]);
    let mut set = WriteSet::default();
    set.remove(Space::Documents, rows[1].clone());
    district.core.store.commit(set).unwrap();
    assert_eq!(months::verify(&district.core).unwrap().len(), 1, "a month is gone");
    town.stop().await;
}
